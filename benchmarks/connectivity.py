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
(|r| > .6). The fast method has no arm means (`gap`). `rv` is the RV coefficient of all posterior
mean loadings with the true ones, `rv_peer` that of mofapy2 where it is installed (see
benchmarks/recovery.py), and `rv_oracle` that of least squares given the true scores. The
reliability of traits is counted as 1, which holds exactly in the kinds without motion only
(`still-smooth`, `still-edge`); that of a state as 0 from pieces, and as its time constant implies
from halves. Rows are stored in benchmarks/results/connectivity_<starts, fast or mcmc>.json. A row
that is stored there with the same source is not computed again; with --reuse, with any source.
"""

from __future__ import annotations

import argparse
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from connectivity_fits import N_FACTORS, fit_one, start_one
from connectivity_tables import print_fits, print_starts
from peer import installed_peer
from provenance import source_state
from series_plan import KINDS
from series_stages import STAGES
from stored_rows import Key, StoredRows, run_missing

RESULTS = Path(__file__).resolve().parent / "results"
DEPENDENCE = ("auto", "independent", "weighted", "matrix")


def run_starts(options: argparse.Namespace) -> None:
    path = options.output or RESULTS / "connectivity_starts.json"
    stored = StoredRows(path, "starts", settings(), source(), reuse=options.reuse)
    for row in run_missing(stored, wanted(options), start_one, options.jobs):
        r2 = " ".join(f"{x:.2f}" for x in row["r2"])
        report(row, f"started {row['started']}, noise {row['noise']}, R2 {r2}")
    print_starts([stored.rows[key] for key in wanted(options)])


def run_fits(options: argparse.Namespace) -> None:
    path = options.output or RESULTS / f"connectivity_{options.method}.json"
    sampler = {n: getattr(options, n) for n in ("draws", "tune", "chains")}
    fixed = settings() | {
        "method": options.method,
        "sampler": sampler if options.method == "mcmc" else {},
    }
    stored = StoredRows(path, "fits", fixed, source(), reuse=options.reuse)
    given = (options.method, sampler, installed_peer(options.peer_python))
    for row in run_missing(stored, wanted(options), fit_one, options.jobs, *given):
        report(
            row,
            f"{row['active']} active, {row['noise']} noise, {row['dims']} dims, "
            f"{row['seconds']:.0f} s",
        )
    print_fits([stored.rows[key] for key in wanted(options)])


def settings() -> dict[str, Any]:
    return {
        "n_factors": N_FACTORS,
        "versions": {n: version(n) for n in ("bayes-mdd", "numpy", "scipy", "nutpie")},
        "python": platform.python_version(),
    }


def source() -> str:
    return source_state(*sorted(RESULTS.parent.glob("series_*.py")))


def wanted(options: argparse.Namespace) -> list[Key]:
    seeds = range(options.first_seed, options.first_seed + options.cohorts)
    return [(k, s, d) for k in options.kinds for s in seeds for d in options.dependence]


def report(row: dict[str, Any], text: str) -> None:
    print(f"{row['kind']} {row['seed']} {row['dependence']}: {text}", file=sys.stderr)


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
        command.add_argument("--output", type=Path, help="file for the results")
        command.add_argument(
            "--reuse", action="store_true", help="use stored rows of other source again"
        )
    fits.add_argument("--method", choices=("fast", "mcmc"), default="fast")
    fits.add_argument("--draws", type=int, default=1000, help="kept draws of each chain")
    fits.add_argument("--tune", type=int, default=1000, help="warm-up draws of each chain")
    fits.add_argument("--chains", type=int, default=4, help="number of chains")
    fits.add_argument("--peer-python", type=Path, help="Python with mofapy2")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    {"starts": run_starts, "fits": run_fits}[options.command](options)


if __name__ == "__main__":
    main()
