"""Cost of a simulation study on a cluster, computed from the processor seconds of its parts.

Measured, in a process of its own: processor seconds of the imports and the first fit of a worker,
and of further fits (the median); sizes of the pickled arguments and results of a task. Computed
for a number of cohorts and of workers with one core each: processor hours, the time until the last
cohort where all workers start at once, and what travels over the network. Waiting in the queue,
starting of workers and slower processors are not included.

    OMP_NUM_THREADS=1 python benchmarks/cluster_cost.py --cohorts 1000 --workers 100
"""

from __future__ import annotations

import argparse
import json
import math
import pickle
import time
from pathlib import Path
from statistics import median

from provenance import record

DEFAULT = Path(__file__).parent / "results" / "cluster_cost.json"


def measure(method: str, regions: int, fits: int) -> dict[str, float]:
    """Measure the parts of the study."""
    before = time.process_time()
    import bayes_mdd as bm

    seconds, sizes = [], (0, 0)
    spec = bm.SharedSpecificSpec(n_factors=6)
    for seed in range(1, fits + 2):
        cohort = bm.simulate_cohort(seed=seed, n_regions=regions, source="edges")
        features = bm.reference_to_controls(cohort.features, covariates=["age", "sex", "mean_fd"])
        sampler = bm.SamplerSpec(seed=seed, cores=1)
        idata = bm.fit(spec, features, method=method, sampler=sampler, progressbar=False)
        table = bm.classify_factors(idata)
        now = time.process_time()
        seconds.append(now - before)
        before = now
        sizes = (len(pickle.dumps((spec, features, sampler))), len(pickle.dumps(table)))
    return {
        "first": seconds[0],
        "further": median(seconds[1:]),
        "argument_bytes": sizes[0],
        "result_bytes": sizes[1],
    }


def compute(measured: dict[str, float], cohorts: int, workers: int) -> dict[str, float]:
    """Compute what a study costs."""
    each = math.ceil(cohorts / workers)
    start = measured["first"] - measured["further"]
    busy = min(workers, cohorts)
    return {
        "processor_hours": (busy * start + cohorts * measured["further"]) / 3600,
        "minutes": (start + each * measured["further"]) / 60,
        "share_of_starts": start / (start + each * measured["further"]),
        "gigabytes": cohorts * (measured["argument_bytes"] + measured["result_bytes"]) / 1e9,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cohorts", type=int, default=1000, help="simulated cohorts")
    parser.add_argument("--workers", type=int, default=100, help="workers, one core each")
    parser.add_argument("--regions", type=int, default=51, help="regions; 51 give 1275 edges")
    parser.add_argument(
        "--fits", type=int, default=3, help="fits that are measured after the first"
    )
    parser.add_argument("--method", choices=["fast", "mcmc"], default="fast")
    parser.add_argument(
        "-o", "--output", type=Path, default=DEFAULT, help="JSON file of all methods"
    )
    given = parser.parse_args()
    measured = measure(given.method, given.regions, given.fits)
    computed = compute(measured, given.cohorts, given.workers)
    known = json.loads(given.output.read_text("utf-8")) if given.output.exists() else {}
    asked = {k: getattr(given, k) for k in ("cohorts", "workers", "regions", "fits")}
    known[given.method] = {**asked, **measured, **computed}
    given.output.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    record(given.output)
    for name, value in known[given.method].items():
        print(f"{given.method:5} {name:16} {value:.4g}")


if __name__ == "__main__":
    main()
