"""Shared and specific factors of connectivity, on cohorts of time series and on real scans.

    python benchmarks/connectivity.py starts --kinds null edge-weak --cohorts 10
    python benchmarks/connectivity.py starts --kinds null --dependence independent weighted matrix
    python benchmarks/connectivity.py fits --kinds edge-weak --cohorts 10 --method fast

`starts` runs the search for components only. Printed are means over cohorts:
    started      components started, of 8 offered
    noise        of these, components with R2 below .36 on the true scores
    dims         true scores with R2 above .5 in the span of the components
    right wrong  components named specific (share of an arm >= .85) that match a true specific
                 factor of that arm (|r| > .6), and those that do not
    left         effective over actual number of features when the components are removed

`fits` also gives the shares of 90% intervals that hold the truth, of factors that match a true one
(|r| > .6). `rv` is the RV coefficient of all posterior mean loadings with the true ones, `rv_peer`
that of mofapy2 where it is installed (see benchmarks/recovery.py), and `rv_oracle` that of least
squares given the true scores. The reliability of traits is 1; that of a state 0 from pieces, and
what its time constant implies from halves. Every fit is stored in
benchmarks/results/connectivity_<method>.json. A fit that is stored there with the same source is
not run again; with --reuse, with any source.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from compact import compact
from connectivity_fits import N_FACTORS, fit_one, make_cohort
from connectivity_scores import NAMED, compare_scores, count_named
from joblib import Parallel, delayed
from peer import installed_peer
from provenance import record, source_state
from series_cohorts import ARMS, features
from series_plan import KINDS
from series_stages import STAGES

import bayes_mdd as bm
from bayes_mdd.shared_specific.data.prepare import prepare
from bayes_mdd.shared_specific.start.spectral import remaining_weight, spectral_start

RESULTS = Path(__file__).resolve().parent / "results"
DEPENDENCE = ("auto", "independent", "weighted", "matrix")
STARTS = ("started", "noise", "dims", "right", "wrong", "left", "seconds")
FITS = ("active", "noise", "dims", "right", "specific", "wrong", "rv", "rv_peer", "rv_oracle",
        "weight_left", "divergences", "seconds")  # fmt: skip
INTERVALS = ("sharing", "explained", "gap", "weights", "halves", "pieces")


def start_one(kind: str, seed: int, dependence: tuple[str, ...]) -> list[dict[str, Any]]:
    """Search a cohort for components, under each assumption on the errors of features."""
    cohort = make_cohort(kind, seed)
    given = bm.reference_to_controls(features(cohort, halves=False, pieces=0))
    rows = []
    for name in dependence:
        began = time.perf_counter()
        spec = bm.SharedSpecificSpec(n_factors=N_FACTORS, feature_dependence=name)
        data = prepare(spec, given)
        start = spectral_start(data, N_FACTORS, seed=seed)
        seconds = time.perf_counter() - began
        order = [data.arms.index(a) for a in ARMS]
        found = start.scores[:, : start.n_on]
        right, wrong = count_named(found, start.sharing[: start.n_on, order] >= NAMED, cohort)
        rows.append(
            {
                "kind": kind,
                "seed": seed,
                "dependence": name,
                "started": start.n_on,
                **compare_scores(found, cohort),
                "right": right,
                "wrong": wrong,
                "left": remaining_weight(data, start),
                "seconds": seconds,
            }
        )
    return rows


def groups_of(rows: list[dict[str, Any]]) -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
    """Rows by kind and dependence."""
    for kind, name in dict.fromkeys((r["kind"], r["dependence"]) for r in rows):
        yield kind, name, [r for r in rows if (r["kind"], r["dependence"]) == (kind, name)]


def mean_of(rows: list[dict[str, Any]], column: str) -> str:
    """Mean over cohorts, of those that have a value."""
    values = [r[column] for r in rows if r.get(column) is not None]
    return f"{np.mean(values):.2f}" if values else ""


def print_starts(rows: list[dict[str, Any]]) -> None:
    """Print means over cohorts by kind and dependence."""
    print(f"| kind | dependence | cohorts | true | {' | '.join(STARTS)} | any start |")
    print("|---" * (5 + len(STARTS)) + "|")
    for kind, name, of in groups_of(rows):
        means = " | ".join(mean_of(of, c) for c in STARTS)
        some = np.mean([r["started"] > 0 for r in of])
        print(f"| {kind} | {name} | {len(of)} | {len(of[0]['r2'])} | {means} | {some:.2f} |")


def coverage(rows: list[dict[str, Any]], what: str) -> str:
    """Share of intervals that hold the truth, and their number."""
    factors = [f for r in rows for f in (*r["factors"], *r["others"])]
    inside = [x[2] for f in factors for x in f.get(what, ()) if x[2] is not None]
    return f"{np.mean(inside):.2f} ({len(inside)})" if inside else ""


def verdicts(rows: list[dict[str, Any]], part: str) -> str:
    """Numbers of factors that are stable, open, not nameable and unknown."""
    found = [f.get("stability", "unknown") for r in rows for f in r[part]]
    return "/".join(str(found.count(v)) for v in ("stable", "open", "not nameable", "unknown"))


def print_fits(rows: list[dict[str, Any]]) -> None:
    """Print means over cohorts, coverage of intervals and verdicts on reliability."""
    columns = [*FITS, "max R-hat", *INTERVALS, "scores", "loadings", "stable/open/not/?: traits",
               "others"]  # fmt: skip
    print(f"| kind | dependence | cohorts | {' | '.join(columns)} |")
    print("|---" * (3 + len(columns)) + "|")
    for kind, name, of in groups_of(rows):
        factors = [f for r in of for f in r["factors"]]
        cells = [
            *(mean_of(of, c) for c in FITS),
            f"{max(r['rhat'] for r in of):.3f}",
            *(coverage(of, what) for what in INTERVALS),
            *(mean_of(factors, f"{what}_inside") for what in ("scores", "loadings")),
            *(verdicts(of, part) for part in ("factors", "others")),
        ]
        print(f"| {kind} | {name} | {len(of)} | {' | '.join(cells)} |")


def run_starts(options: argparse.Namespace) -> None:
    tasks = (
        delayed(start_one)(kind, seed, tuple(options.dependence))
        for kind in options.kinds
        for seed in seeds_of(options)
    )
    rows = []
    for done in Parallel(n_jobs=options.jobs, return_as="generator")(tasks):
        rows += done
        for row in done:
            r2 = " ".join(f"{x:.2f}" for x in row["r2"])
            print(
                f"{row['kind']} {row['seed']} {row['dependence']}: started {row['started']}, "
                f"noise {row['noise']}, R2 {r2}",
                file=sys.stderr,
            )
    print_starts(rows)


def run_fits(options: argparse.Namespace) -> None:
    sampler = {n: getattr(options, n) for n in ("draws", "tune", "chains")}
    settings = {
        "method": options.method,
        "sampler": sampler if options.method == "mcmc" else {},
        "n_factors": N_FACTORS,
        "versions": {n: version(n) for n in ("bayes-mdd", "numpy", "scipy", "nutpie")},
        "python": platform.python_version(),
    }
    path = options.output or RESULTS / f"connectivity_{options.method}.json"
    stored = json.loads(path.read_text()) if path.exists() else settings | {"fits": []}
    if any(stored[k] != v for k, v in settings.items()):
        sys.exit(f"{path} holds fits with other settings or versions. Move it, or use --output.")
    source = source_state(*sorted(RESULTS.parent.glob("series_*.py")))
    known = {(r["kind"], r["seed"], r["dependence"]): r for r in stored["fits"]}
    usable = {k for k, r in known.items() if options.reuse or r.get("source") == source}
    wanted = [
        (kind, seed, name)
        for kind in options.kinds
        for seed in seeds_of(options)
        for name in options.dependence
    ]
    peer = installed_peer(options.peer_python)
    tasks = (
        delayed(fit_one)(*key, options.method, sampler, peer) for key in wanted if key not in usable
    )
    for row in Parallel(n_jobs=options.jobs, return_as="generator_unordered")(tasks):
        known[row["kind"], row["seed"], row["dependence"]] = row | {"source": source}
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        fits = [known[key] for key in sorted(known)]
        temporary.write_text(compact(settings | {"fits": fits}), encoding="utf-8")
        temporary.replace(path)
        record(path)
        print(
            f"{row['kind']} {row['seed']} {row['dependence']}: {row['active']} active, "
            f"{row['noise']} noise, {row['dims']} dims, {row['seconds']:.0f} s",
            file=sys.stderr,
        )
    print_fits([known[key] for key in wanted])


def seeds_of(options: argparse.Namespace) -> range:
    return range(options.first_seed, options.first_seed + options.cohorts)


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    starts = commands.add_parser("starts", help="search for components only")
    fits = commands.add_parser("fits", help="whole fits")
    for command in (starts, fits):
        command.add_argument(
            "--kinds", nargs="+", choices=[*KINDS, *STAGES], default=list(KINDS), metavar="KIND",
            help=f"kinds of cohorts: {', '.join([*KINDS, *STAGES])}",
        )  # fmt: skip
        command.add_argument("--cohorts", type=int, default=10, help="cohorts of each kind")
        command.add_argument("--first-seed", type=int, default=1, help="seed of the first cohort")
        command.add_argument("--jobs", type=int, default=1, help="cohorts in parallel")
        command.add_argument(
            "--dependence",
            nargs="+",
            choices=DEPENDENCE,
            default=["matrix" if command is starts else "auto"],
            help="values of `feature_dependence`",
        )
    fits.add_argument("--method", choices=("fast", "mcmc"), default="fast")
    fits.add_argument("--draws", type=int, default=1000, help="kept draws of each chain")
    fits.add_argument("--tune", type=int, default=1000, help="warm-up draws of each chain")
    fits.add_argument("--chains", type=int, default=4, help="number of chains")
    fits.add_argument("--reuse", action="store_true", help="use stored fits of other source again")
    fits.add_argument("--peer-python", type=Path, help="Python with mofapy2")
    fits.add_argument("--output", type=Path, help="file for the results")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    {"starts": run_starts, "fits": run_fits}[options.command](options)


if __name__ == "__main__":
    main()
