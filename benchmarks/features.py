"""Time and memory needed to compute features at the size of a large study.

    python benchmarks/features.py [--people 200] [--regions 419] [--volumes 1200] [--jobs 2]

The time series of a subject are generated when they are needed, as they would be read from a file;
this is included in the time. Prints one JSON line for each kind of feature: seconds, peak memory of
the process (MiB, including imports) and the size of the result.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from functools import partial

import numpy as np
import pandas as pd

import bayes_mdd as bm

KINDS = ("correlation", "partial correlation", "alff", "graph")


def make_series(seed: int, volumes: int, regions: int) -> np.ndarray:
    """Draw series with a few common signals, so that correlations are realistic."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(volumes, 10)) @ rng.normal(size=(10, regions)) * 0.3
    return common + rng.normal(size=(volumes, regions))


def compute(kind: str, series: dict, table: pd.DataFrame, jobs: int):
    """Compute one kind of feature for all subjects."""
    if kind == "alff":
        return bm.regional_features(series, table, "alff", tr=0.8, n_jobs=jobs)
    if kind == "graph":
        edges = bm.connectivity_from_timeseries(series, table, n_jobs=jobs)
        return bm.graph_features(edges, density=0.15, n_jobs=jobs)
    estimator = "ledoit-wolf" if kind == "partial correlation" else "empirical"
    return bm.connectivity_from_timeseries(series, table, kind, estimator, n_jobs=jobs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=200, help="number of subjects")
    parser.add_argument("--regions", type=int, default=419, help="number of regions")
    parser.add_argument("--volumes", type=int, default=1200, help="length of the series")
    parser.add_argument("--jobs", type=int, default=2, help="number of parallel jobs")
    parser.add_argument(
        "--kind", choices=KINDS, nargs="*", default=list(KINDS), help="kinds of features"
    )
    asked = parser.parse_args()
    names = [f"r{i:03d}" for i in range(asked.regions)]
    table = pd.DataFrame({"region": names, "network": [f"N{i % 8}" for i in range(asked.regions)]})
    series = {
        f"sub-{i:03d}": partial(make_series, i, asked.volumes, asked.regions)
        for i in range(asked.people)
    }
    for kind in asked.kind:
        start = time.perf_counter()
        features = compute(kind, series, table, asked.jobs)
        said = {
            "kind": kind,
            "people": asked.people,
            "regions": asked.regions,
            "volumes": asked.volumes,
            "jobs": asked.jobs,
            "seconds": round(time.perf_counter() - start, 1),
            "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
            "result_mib": round(features["y"].nbytes / 2**20),
        }
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
