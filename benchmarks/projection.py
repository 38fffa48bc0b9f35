"""Scores of subjects who were not in the fit, compared with those under the true model.

    python benchmarks/projection.py --kinds block-strong block-weak unequal --seeds 3

Half of the subjects of a cohort are fitted, the others are projected. The oracle is the posterior
mean of scores given the true loadings, noise, sharing and mean map. Scores of specific factors are
compared within their arm. Coverage is that of 90% intervals, in the model's unit of scores.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr
from provenance import record
from recovery_cohorts import ARMS, KINDS, N_SHARED, Cohort, make_cohort
from scipy.optimize import linear_sum_assignment

import bayes_mdd as bm

HERE = Path(__file__).resolve().parent


def oracle_scores(cohort: Cohort) -> np.ndarray:
    """Compute posterior means of scores when everything else is known."""
    loadings = np.column_stack([cohort.shared, *(cohort.specific[a] for a in ARMS)])
    arm = np.searchsorted(ARMS, cohort.features["arm"].values.astype(str))
    weighted = loadings / cohort.noise[:, None]
    r = (cohort.features["y"].values - cohort.expected) / cohort.noise
    out = np.zeros_like(cohort.scores)
    for a in range(len(ARMS)):
        on = np.array([*range(N_SHARED), N_SHARED + a])
        precision = np.eye(on.size) + weighted[:, on].T @ weighted[:, on]
        out[np.ix_(arm == a, on)] = np.linalg.solve(precision, weighted[:, on].T @ r[arm == a].T).T
    return out


def judge(found: xr.Dataset, cohort: Cohort, people: np.ndarray) -> list[dict]:
    """Compare each true factor with its best match: correlation and coverage."""
    arm = np.searchsorted(ARMS, cohort.features["arm"].values.astype(str)[people])
    own = found["scores"].sel(arm=found["known_arm"]).stack(sample=("chain", "draw"))
    draws = own.transpose("subject", "factor", "sample").values
    mean = draws.mean(axis=2)
    truth, best = cohort.scores[people], oracle_scores(cohort)[people]
    who = [np.ones(arm.size, bool)] * N_SHARED + [arm == a for a in range(len(ARMS))]
    similar = np.array(
        [[np.corrcoef(mean[w, j], truth[w, k])[0, 1] for j in range(mean.shape[1])]
         for k, w in enumerate(who)]
    )  # fmt: skip
    rows = []
    for k, j in zip(*linear_sum_assignment(np.abs(similar), maximize=True), strict=True):
        # A specific factor has all of its variance in one of two arms: SD sqrt(2) in the model.
        unit = np.sign(similar[k, j]) * (1.0 if k < N_SHARED else np.sqrt(2))
        low, high = np.quantile(draws[who[k], j], [0.05, 0.95], axis=1)
        target = unit * truth[who[k], k]
        rows.append(
            {
                "factor": "shared" if k < N_SHARED else "specific",
                "ours": float(abs(similar[k, j])),
                "oracle": float(np.corrcoef(best[who[k], k], truth[who[k], k])[0, 1]),
                "coverage": float(((low <= target) & (target <= high)).mean()),
                "slope": float(np.polyfit(mean[who[k], j], target, 1)[0]),
            }
        )
    return rows


def run(kind: str, seed: int, options: argparse.Namespace) -> list[dict]:
    """Fit half of a cohort, project the other half and compare its scores with the truth."""
    doubled = replace(KINDS[kind], people=tuple(2 * n for n in KINDS[kind].people))
    cohort = make_cohort(doubled, seed)
    arm = cohort.features["arm"].values.astype(str)
    half = np.concatenate([np.flatnonzero(arm == a)[::2] for a in ARMS])
    rest = np.setdiff1d(np.arange(arm.size), half)
    covariates = ("site",) if "site" in cohort.features.coords else ()
    spec = bm.SharedSpecificSpec(n_factors=6, covariates=covariates)
    sampler = bm.SamplerSpec(
        draws=options.draws, tune=options.tune, chains=options.chains, seed=seed
    )
    training = cohort.features.isel(subject=np.sort(half))
    idata = bm.fit(spec, training, sampler=sampler, progressbar=False)
    began = time.perf_counter()
    found = bm.project(idata, cohort.features.isel(subject=rest), training=training)
    seconds = time.perf_counter() - began
    rows = judge(found, cohort, rest)
    return [{"kind": kind, "seed": seed, "seconds": seconds, **row} for row in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--kinds",
        nargs="+",
        choices=list(KINDS),
        default=["block-strong"],
        help="kinds of cohorts",
    )
    parser.add_argument("--seeds", type=int, default=3, help="number of cohorts of each kind")
    parser.add_argument("--draws", type=int, default=500, help="kept draws of each chain")
    parser.add_argument("--tune", type=int, default=500, help="warm-up draws of each chain")
    parser.add_argument("--chains", type=int, default=2, help="number of chains")
    parser.add_argument(
        "--output",
        type=Path,
        default=HERE / "results" / "projection.json",
        help="file for the results",
    )
    options = parser.parse_args()
    rows: list[dict] = []
    print("| kind | factors | n | correlation | oracle | difference | coverage | slope | s |")
    print("|---|---|---|---|---|---|---|---|---|")
    for kind in options.kinds:
        of_kind = [r for s in range(1, options.seeds + 1) for r in run(kind, s, options)]
        rows += of_kind
        for group in ("shared", "specific"):
            part = [r for r in of_kind if r["factor"] == group]
            names = ("ours", "oracle", "coverage", "slope", "seconds")
            a, b, c, slope, s = (np.mean([r[name] for r in part]) for name in names)
            print(
                f"| {kind} | {group} | {len(part)} | {a:.3f} | {b:.3f} | {a - b:+.3f} "
                f"| {c:.2f} | {slope:.2f} | {s:.1f} |",
                flush=True,
            )
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    record(options.output)


if __name__ == "__main__":
    main()
