"""Recovery of shared and specific loadings, compared with mofapy2 on the same cohorts.

    python benchmarks/recovery.py --kinds block-strong edge-weak --seeds 10

Both tools receive the same standardised features and six factors for five true ones; the arms are
the groups of mofapy2. mofapy2 is installed in an environment of its own under .tools/ at first use.
Site means are removed for mofapy2, which does not support covariates. An estimate is divided into
shared and specific factors by a rule (benchmarks/recovery_scores.py). Each tool is judged by the
rule that is best for it on average over the seeds of a kind, and bayes_mdd also by its own labels.

Prints a table of means with 95% intervals over seeds and writes benchmarks/results/recovery.json.
Cohorts in that file that were run with the same settings, versions and source are used again.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
from compact import compact
from joblib import Parallel, delayed
from peer import fit_peer, peer_python
from provenance import record, source_state
from recovery_cohorts import ARMS, KINDS, Cohort, make_cohort
from recovery_scores import MEASURES, Estimate, judge, judge_by_rules
from scipy.stats import t as student
from validation.recovery import interval as format_interval

import bayes_mdd as bm

HERE = Path(__file__).resolve().parent
N_FACTORS = 6
OURS, LABELLED, THEIRS = "bayes_mdd", "bayes_mdd, own labels", "mofapy2"
NAMES = dict(zip(MEASURES, ("RV shared", "RV specific", "congr. shared", "congr. specific"),
                 strict=True))  # fmt: skip


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--kinds", nargs="+", choices=list(KINDS), default=list(KINDS), help="kinds of cohorts"
    )
    parser.add_argument("--seeds", type=int, default=10, help="number of cohorts of each kind")
    parser.add_argument("--first-seed", type=int, default=1, help="seed of the first cohort")
    parser.add_argument("--draws", type=int, default=500, help="kept draws of each chain")
    parser.add_argument("--tune", type=int, default=500, help="warm-up draws of each chain")
    parser.add_argument("--chains", type=int, default=2, help="number of chains")
    parser.add_argument("--loadings", default="mean", help="variable of the group `loadings`")
    parser.add_argument("--jobs", type=int, default=1, help="number of cohorts run in parallel")
    parser.add_argument("--peer-python", type=Path, help="Python with mofapy2")
    parser.add_argument(
        "--output",
        type=Path,
        default=HERE / "results" / "recovery.json",
        help="file for the results",
    )
    parser.add_argument("--fresh", action="store_true", help="do not use stored cohorts again")
    return parser.parse_args()


def fit_ours(cohort: Cohort, seed: int, options: argparse.Namespace) -> tuple[Estimate, list[str]]:
    """Fit a cohort with bayes_mdd; return the estimate and the labels of the factors."""
    covariates = ("site",) if "site" in cohort.features.coords else ()
    sampler = bm.SamplerSpec(
        draws=options.draws,
        tune=options.tune,
        chains=options.chains,
        seed=seed,
        cores=1 if options.jobs > 1 else None,
    )
    spec = bm.SharedSpecificSpec(n_factors=N_FACTORS, covariates=covariates)
    began = time.perf_counter()
    idata = bm.fit(spec, cohort.features, sampler=sampler, progressbar=False)
    seconds = time.perf_counter() - began
    posterior = idata["posterior"].to_dataset()
    mean = posterior[["scores", "explained"]].mean(("chain", "draw"))
    found = Estimate(
        idata["loadings"][options.loadings].transpose("feature", "factor").values,
        mean["scores"].transpose("subject", "factor").values,
        mean["explained"].sel(arm=list(ARMS)).transpose("arm", "factor").values,
        seconds,
    )
    return found, list(bm.classify_factors(idata)["label"])


def run_cohort(kind: str, seed: int, options: argparse.Namespace, python: Path) -> dict:
    """Fit one cohort with both tools and compare the estimates with the truth."""
    cohort = make_cohort(KINDS[kind], seed)
    arm = np.searchsorted(ARMS, cohort.features["arm"].values.astype(str))
    truth = (cohort.shared, [cohort.specific[a] for a in ARMS])
    ours, labels = fit_ours(cohort, seed, options)
    theirs = fit_peer(cohort.peer_y, arm, N_FACTORS, seed, python)
    scale = np.sqrt((ours.scores**2).mean(axis=0))
    labelled = [np.array([x == label for x in labels]) for label in
                ("shared", *(f"{a}-specific" for a in ARMS))]  # fmt: skip
    own = judge(
        (ours.loadings * scale)[:, labelled[0]], [ours.loadings[:, x] for x in labelled[1:]], truth
    )
    print(f"{kind} seed {seed}: {ours.seconds:.0f} s, {theirs.seconds:.0f} s", file=sys.stderr)
    return {
        "kind": kind,
        "seed": seed,
        "labels": labels,
        "seconds": {OURS: ours.seconds, THEIRS: theirs.seconds},
        OURS: judge_by_rules(ours, arm, truth),
        LABELLED: {"labels": own},
        THEIRS: judge_by_rules(theirs, arm, truth),
    }


def interval(values: np.ndarray) -> dict[str, float]:
    """Compute a mean and the half-width of its 95% interval."""
    n, mean = len(values), float(np.mean(values))
    half = float(student.ppf(0.975, n - 1) * np.std(values, ddof=1) / np.sqrt(n)) if n > 1 else None
    return {"mean": mean, "half_width": half, "n": n}


def best_rule(records: list[dict], tool: str) -> str:
    """Return the rule with the highest mean of all measures over the cohorts of a kind."""
    rules = list(records[0][tool])
    value = {r: np.mean([[c[tool][r][m] for m in MEASURES] for c in records]) for r in rules}
    return max(rules, key=lambda r: value[r])


def summarise(records: list[dict]) -> dict:
    """Summarise kinds, tools and measures over seeds, with paired differences."""
    out = {}
    for kind in dict.fromkeys(r["kind"] for r in records):
        of_kind = [r for r in records if r["kind"] == kind]
        rules = {tool: best_rule(of_kind, tool) for tool in (OURS, LABELLED, THEIRS)}
        values = {
            tool: {m: np.array([r[tool][rule][m] for r in of_kind]) for m in MEASURES}
            for tool, rule in rules.items()
        }
        out[kind] = {
            "rules": rules,
            **{tool: {m: interval(v) for m, v in x.items()} for tool, x in values.items()},
            "difference": {m: interval(values[OURS][m] - values[THEIRS][m]) for m in MEASURES},
            "seconds": {
                tool: float(np.median([r["seconds"][tool] for r in of_kind]))
                for tool in (OURS, THEIRS)
            },
        }
    return out


def markdown(summary: dict) -> str:
    """Write the summary as a table for the terminal."""
    lines = [
        "| kind | seeds | tool | " + " | ".join(NAMES.values()) + " | s | rule |",
        "|---|---|---|" + "---|" * (len(NAMES) + 2),
    ]
    for kind, of_kind in summary.items():
        n = of_kind["difference"][MEASURES[0]]["n"]
        for tool in (OURS, LABELLED, THEIRS, "difference"):
            cells = [format_interval(of_kind[tool][m]) for m in MEASURES]
            seconds = of_kind["seconds"].get(tool)
            tail = ["" if seconds is None else f"{seconds:.0f}", of_kind["rules"].get(tool, "")]
            lines.append(f"| {kind} | {n} | {tool} | " + " | ".join([*cells, *tail]) + " |")
    return "\n".join(lines)


def versions(python: Path) -> dict[str, str]:
    """Return the versions of both tools and the digest of the source."""
    code = "from importlib.metadata import version; print(version('mofapy2'))"
    peer = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True)
    ours = {name: version(name) for name in ("bayes-mdd", "pymc", "nutpie", "numpy", "scipy")}
    ours["source"] = source_state()
    return {**ours, "mofapy2": peer.stdout.strip(), "python": platform.python_version()}


def main() -> None:
    options = arguments()
    python = peer_python(options.peer_python)
    settings = {k: getattr(options, k) for k in ("draws", "tune", "chains", "loadings")}
    settings["n_factors"] = N_FACTORS
    found = versions(python)
    known: list[dict] = []
    if options.output.exists() and not options.fresh:
        stored = json.loads(options.output.read_text(encoding="utf-8"))
        # Used again with the same settings and versions only; otherwise all cohorts are run.
        if stored["settings"] == settings and stored["versions"] == found:
            known = stored["cohorts"]
    done = {(r["kind"], r["seed"]) for r in known}
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    wanted = [(k, s) for k in options.kinds for s in seeds if (k, s) not in done]
    tasks = (delayed(run_cohort)(k, s, options, python) for k, s in wanted)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    for cohort in Parallel(n_jobs=options.jobs, return_as="generator_unordered")(tasks):
        known.append(cohort)
        write(options.output, known, settings, found)
    write(options.output, known, settings, found)
    kept = [r for r in known if r["kind"] in options.kinds and r["seed"] in seeds]
    kept.sort(key=lambda r: (list(KINDS).index(r["kind"]), r["seed"]))
    print(markdown(summarise(kept)))


def write(path: Path, records: list[dict], settings: dict, found: dict[str, str]) -> None:
    """Store the cohorts so far under a temporary name, so that a run can be continued."""
    records = sorted(records, key=lambda r: (r["kind"], r["seed"]))
    value = {
        "settings": settings,
        "versions": found,
        "summary": summarise(records),
        "cohorts": records,
    }
    temporary = path.with_suffix(".tmp")
    temporary.write_text(compact(value), encoding="utf-8")
    temporary.replace(path)
    record(path)


if __name__ == "__main__":
    main()
