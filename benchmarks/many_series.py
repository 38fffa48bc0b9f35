"""What the fast path finds among many participants, in time series made unlike the model.

    python benchmarks/many_series.py --kinds null smooth-strong edge-weak --people 225 --cohorts 3

Cohorts are those of ``series_cohorts.py`` with more participants in each arm.
"""

from __future__ import annotations

import argparse
import json

import numpy as np
from series_cohorts import draw, features
from series_plan import KINDS

import bayes_mdd as bm


def one(kind: str, seed: int, people: int, regions: int) -> dict[str, object]:
    """Fit one cohort and compare its factors with the true scores."""
    cohort = draw(kind, seed, people=(people, people), n_regions=regions)
    given = features(cohort, halves=False, pieces=0)
    idata = bm.fit(bm.SharedSpecificSpec(n_factors=8), given, method="fast", progressbar=False)
    table = bm.classify_factors(idata)
    scores = idata["posterior"]["scores"].mean(("chain", "draw")).transpose("subject", "factor")
    k = cohort.scores.shape[1]
    found = np.corrcoef(cohort.scores.T, scores.values.T)[:k, k:] if k else np.zeros((0, 1))
    return {
        "kind": kind,
        "seed": seed,
        "participants": 2 * people,
        "whitened": "whitening" in idata.children,
        "sampled": json.loads(idata.attrs["provenance"])["sampled"],
        "used": int(table["active"].sum()),
        "labels": table.loc[table["active"], "label"].tolist(),
        "correlations": np.abs(found).max(axis=1).round(2).tolist(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=["null"])
    parser.add_argument("--people", type=int, default=225, help="participants of each arm")
    parser.add_argument("--regions", type=int, default=60, help="number of regions")
    parser.add_argument("--cohorts", type=int, default=3, help="cohorts of each kind")
    parser.add_argument("--first-seed", type=int, default=2001, help="seed of the first cohort")
    given = parser.parse_args()
    for kind in given.kinds:
        for seed in range(given.first_seed, given.first_seed + given.cohorts):
            print(json.dumps(one(kind, seed, given.people, given.regions)), flush=True)


if __name__ == "__main__":
    main()
