"""Calibration of the factor model on simulated cohorts.

    python benchmarks/calibration.py --fits 200                    all scenarios
    python benchmarks/calibration.py --scenarios noise --fits 60   one scenario

Every fit is the public `fit` with default settings, apart from the number of draws. Cohorts with
correlated errors are fitted twice, with weighted and with independent features. Results are stored
in benchmarks/results/calibration, one file for each scenario, so that a run can be continued.
`python benchmarks/validation_pages.py` writes the page.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from calibration_cohorts import ARMS, Cohort, make_cohort, people_of
from compact import compact
from joblib import Parallel, delayed
from provenance import record
from scipy.optimize import linear_sum_assignment
from validation.calibration import SCENARIOS

import bayes_mdd as bm

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "calibration"
N_FACTORS = 5
CI = 0.9
OPTIONS: dict[str, dict[str, Any]] = {"regions": {"feature_dependence": "weighted"}}
#: Scenarios that fit the cohorts of another one.
COHORTS_OF = {"regions-independent": "regions"}


def fit_one(scenario: str, seed: int, sampler: dict[str, int]) -> dict[str, Any]:
    """Fit one cohort and compare the posterior with the truth."""
    cohort = make_cohort(COHORTS_OF.get(scenario, scenario), seed)
    began = time.perf_counter()
    idata = bm.fit(
        bm.SharedSpecificSpec(n_factors=N_FACTORS, **OPTIONS.get(scenario, {})),
        cohort.features,
        sampler=bm.SamplerSpec(seed=seed, cores=1, ci_prob=CI, **sampler),
        progressbar=False,
    )
    table = bm.classify_factors(idata)
    checks = bm.diagnose(idata).set_index("name")["value"]
    return {
        "scenario": scenario,
        "seed": seed,
        "seconds": round(time.perf_counter() - began, 1),
        "divergences": int(checks["divergences"]),
        "rhat": float(checks["max R-hat of invariants"]),
        "active": int(table["active"].sum()),
        "labels": table.loc[table["active"], "label"].tolist(),
        "p_specific": [
            float(np.max(table.loc[table["active"], f"p_specific_{a}"].to_numpy(), initial=0.0))
            for a in ARMS
        ],
        "p_second_varies_more": float(
            bm.explained_by_arm(idata).set_index("arm").loc[ARMS[1], "p_most"]
        ),
        "factors": _compare(idata, table, cohort),
    }


def _compare(idata: Any, table: Any, cohort: Cohort) -> list[dict[str, Any]]:
    """Match true and estimated factors by their scores; rank the truth among the draws."""
    posterior, found = idata["posterior"].to_dataset(), idata["loadings"].to_dataset()
    k = cohort.scores.shape[1]
    if not k:
        return []
    mean = posterior["scores"].mean(("chain", "draw")).transpose("subject", "factor").values
    r = np.corrcoef(cohort.scores.T, mean.T)[:k, k:]
    true, own = linear_sum_assignment(-np.abs(r))
    rows = []
    for t, f in zip(true, own, strict=True):
        sign = np.sign(r[t, f])
        # True and estimated scores both have the scale of the prior: no rescaling is needed.
        share = posterior["sharing"].isel(factor=f).sel(arm=list(ARMS)).values.reshape(-1, 2)
        means = sign * posterior["arm_mean"].isel(factor=f).sel(arm=list(ARMS)).values
        gap = (means[..., 1] - means[..., 0]).ravel()
        truth_explained = _explained(cohort, t)
        explained = posterior["explained"].isel(factor=f).sel(arm=list(ARMS)).values.reshape(-1, 2)
        carried = cohort.carried[:, t]
        low = found["lower"].isel(factor=f).values
        high = found["upper"].isel(factor=f).values
        low, high = (low, high) if sign > 0 else (-high, -low)
        inside = (low <= cohort.loadings[:, t]) & (cohort.loadings[:, t] <= high)
        row = table.iloc[f]
        rows.append(
            {
                "correlation": float(abs(r[t, f])),
                "label": row["label"],
                "mean_label": row["mean_label"],
                "sharing": float(cohort.sharing[1, t]),
                "sharing_rank": float((share[:, 1] < cohort.sharing[1, t]).mean()),
                "p_specific": [float(row[f"p_specific_{a}"]) for a in ARMS],
                "p_shared": float(row["p_shared"]),
                "gap": float(cohort.mean[1, t] - cohort.mean[0, t]),
                "gap_rank": float((gap < cohort.mean[1, t] - cohort.mean[0, t]).mean()),
                "explained_rank": [
                    float((explained[:, a] < truth_explained[a]).mean()) for a in range(2)
                ],
                "loadings_inside": [float(inside[carried].mean()), float(inside[~carried].mean())],
            }
        )
    return rows


def _explained(cohort: Cohort, t: int) -> np.ndarray:
    """Share of each arm's variance that a true factor explains, as the model defines it."""
    squares = (cohort.loadings**2).sum(axis=0)
    parts = 2 * cohort.sharing * squares
    return parts[:, t] / (parts.sum(axis=1) + cohort.loadings.shape[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--scenarios", nargs="+", choices=list(SCENARIOS), default=list(SCENARIOS))
    parser.add_argument("--fits", type=int, default=200, help="number of cohorts of each scenario")
    parser.add_argument("--draws", type=int, default=400, help="kept draws of each chain")
    parser.add_argument("--tune", type=int, default=500, help="warm-up draws of each chain")
    parser.add_argument("--chains", type=int, default=2, help="number of chains")
    parser.add_argument("--jobs", type=int, default=2, help="number of parallel fits")
    options = parser.parse_args()
    settings = {
        "sampler": {"draws": options.draws, "tune": options.tune, "chains": options.chains},
        "versions": {n: version(n) for n in ("bayes-mdd", "pymc", "nutpie", "numpy")},
        "python": platform.python_version(),
    }
    for scenario in options.scenarios:
        own = settings | {"people": people_of(scenario)}
        continue_scenario(scenario, options.fits, own, options.jobs)
    print("Run `python benchmarks/validation_pages.py` to update the page.")


def continue_scenario(scenario: str, count: int, settings: dict[str, Any], jobs: int) -> None:
    """Fit the remaining cohorts of a scenario and store the results."""
    path = RESULTS / f"{scenario}.json"
    stored = json.loads(path.read_text()) if path.exists() else settings | {"fits": []}
    if stored["sampler"] != settings["sampler"]:
        sys.exit(
            f"{path} holds fits with {stored['sampler']}, not {settings['sampler']}. Move the file "
            "or use the same options."
        )
    done = {f["seed"] for f in stored["fits"]}
    todo = [i for i in range(1, count + 1) if i not in done]
    fits = Parallel(n_jobs=jobs, return_as="generator_unordered")(
        delayed(fit_one)(scenario, i, settings["sampler"]) for i in todo
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    for n, found in enumerate(fits, start=1):
        stored["fits"].append(found)
        if n % 10 == 0 or n == len(todo):
            stored["fits"].sort(key=lambda f: f["seed"])
            path.write_text(compact(stored))
            record(path)
            print(f"{scenario}: {n} of {len(todo)} fits done", file=sys.stderr)


if __name__ == "__main__":
    main()
