"""A simulation study whose seeds are divided among the tasks of a job array.

Each seed is a file of its own, so that a task that is run again continues, and the study is
combined only where no seed is missing and all were computed with the same settings and versions.

    python study.py run RESULTS --seeds 1000        # all seeds, or those of SLURM_ARRAY_TASK_ID
    python study.py combine RESULTS --seeds 1000    # writes RESULTS/study.tsv
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

import bayes_mdd as bm


def describe(given: argparse.Namespace) -> dict[str, object]:
    """Say what a result depends on besides its seed."""
    versions = {name: version(name) for name in ("bayes-mdd", "numpy", "scipy", "numba")}
    return {"per_arm": given.per_arm, "regions": given.regions, **versions}


def simulate_and_fit(seed: int, given: argparse.Namespace) -> dict[str, float]:
    """Fit one simulated cohort with one shared factor and one of each arm; count what is found."""
    cohort = bm.simulate_cohort(
        seed=seed,
        source="edges",
        n_regions=given.regions,
        n_subjects={"SSRI": given.per_arm, "SNRI": given.per_arm},
        n_controls=given.per_arm,
        n_shared=1,
        n_specific={"SSRI": 1, "SNRI": 1},
    )
    features = bm.reference_to_controls(cohort.features)
    spec = bm.SharedSpecificSpec(n_factors=4, feature_dependence="independent")
    sampler = bm.SamplerSpec(seed=seed, cores=1)
    idata = bm.fit(spec, features, method="fast", sampler=sampler, progressbar=False)
    labels = bm.classify_factors(idata)["label"].astype(str)
    return {
        "shared": int((labels == "shared").sum()),
        "specific": int(labels.str.endswith("-specific").sum()),
        "undecided": int((labels == "undecided").sum()),
    }


def own_seeds(number: int) -> range:
    """Seeds of this task of a job array; all of them outside of one."""
    task = int(os.environ.get("SLURM_ARRAY_TASK_ID", "0"))
    first = int(os.environ.get("SLURM_ARRAY_TASK_MIN", "0"))
    count = int(os.environ.get("SLURM_ARRAY_TASK_COUNT", "1"))
    return range(1 + task - first, number + 1, count)


def run(given: argparse.Namespace) -> None:
    """Compute the seeds of this task that are missing."""
    given.results.mkdir(parents=True, exist_ok=True)
    for seed in own_seeds(given.seeds):
        target = given.results / f"seed-{seed:06d}.json"
        if target.exists():
            continue
        found = {"seed": seed, **describe(given), **simulate_and_fit(seed, given)}
        # Complete under its name or not there: a task may be ended at any time.
        part = target.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps(found), encoding="utf-8")
        part.replace(target)


def combine(given: argparse.Namespace) -> None:
    """Combine all seeds in one table, or say which are missing."""
    paths = {seed: given.results / f"seed-{seed:06d}.json" for seed in range(1, given.seeds + 1)}
    missing = [seed for seed, path in paths.items() if not path.exists()]
    if missing:
        listed = ", ".join(map(str, missing[:10])) + (", ..." if len(missing) > 10 else "")
        sys.exit(f"{len(missing)} of {given.seeds} seeds are missing ({listed}): submit again.")
    table = pd.DataFrame([json.loads(p.read_text(encoding="utf-8")) for p in paths.values()])
    settings = table[list(describe(given))].drop_duplicates()
    if len(settings) > 1:
        sys.exit(f"Seeds were computed with different settings:\n{settings.to_string()}")
    table.to_csv(given.results / "study.tsv", sep="\t", index=False)
    for name in ("shared", "specific", "undecided"):
        error = table[name].std(ddof=1) / np.sqrt(len(table))
        mean = table[name].mean()
        sys.stdout.write(f"{name}: {mean:.3f} factors per cohort, standard error {error:.3f}\n")


def main() -> None:
    """Run or combine a study."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("step", choices=["run", "combine"])
    parser.add_argument("results", type=Path, help="folder of results")
    parser.add_argument("--seeds", type=int, default=1000, help="number of simulated cohorts")
    parser.add_argument("--per-arm", type=int, default=30, help="patients of each arm")
    parser.add_argument("--regions", type=int, default=51, help="regions")
    given = parser.parse_args()
    run(given) if given.step == "run" else combine(given)


if __name__ == "__main__":
    main()
