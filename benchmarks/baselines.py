"""Machine-learning baselines: chance on noise, the leaky switch, clinical prognosis, time.

    python benchmarks/baselines.py noise leak clinical --repeats 20
    python benchmarks/baselines.py time

    noise     area under the curve where nothing can be predicted, 80 patients x 300 features
    leak      the same data with features screened outside the folds
    clinical  trials whose outcome depends on baseline and age only, 200 patients x 300 features:
              is "clinical only" the best, or not worse than the best?
    time      processor seconds of the whole comparison with all defaults, 200 patients x 1275
              edges, from one fold, one fit of the factors and one permutation of every test

Results are stored in benchmarks/results/baselines.json.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from compact import compact
from joblib import Parallel, delayed
from provenance import record
from threadpoolctl import threadpool_limits

import bayes_mdd as bm
from bayes_mdd.baselines.inputs import check_inputs
from bayes_mdd.baselines.permute import permutation_statistic
from bayes_mdd.baselines.request import make_request
from bayes_mdd.baselines.run_fold import prepare_fold, run_fold
from bayes_mdd.baselines.tasks import list_tasks

RESULTS = Path(__file__).resolve().parent / "results"
#: Folds, and permutations that a test takes on average where there is nothing (of at most 99).
FOLDS, EXPECTED = 5, 20
METHODS = ("majority", "logistic", "ridge", "elastic net", "svm linear", "svm rbf",
           "random forest", "boosting", "pca + lars")  # fmt: skip


def features_of(y: np.ndarray, arms: np.ndarray) -> xr.Dataset:
    n, p = y.shape
    names = {"subject": [f"sub-{i:03d}" for i in range(n)], "feature": [f"e{j}" for j in range(p)]}
    on = {"block": ("feature", ["DMN-CCN"] * p), "arm": ("subject", arms.astype(object))}
    return xr.Dataset({"y": (("subject", "feature"), y)}, names | on, {"units": "fisher_z"})


def make(seed: int, n: int, p: int, slope: float) -> tuple[xr.Dataset, pd.DataFrame]:
    """Features without any relation to an outcome that depends on baseline and age."""
    rng = np.random.default_rng([11, seed])
    arms = rng.permutation(np.arange(n) % 2).astype(bool)
    features = features_of(0.2 * rng.standard_normal((n, p)), np.where(arms, "SNRI", "SSRI"))
    baseline, age = 22 + 4 * rng.standard_normal(n), 40 + 12 * rng.standard_normal(n)
    known = (baseline - 22) / 4 + (age - 40) / 12
    outcome = 13 + 7 * (slope * known + rng.standard_normal(n))
    table = pd.DataFrame(
        {"arm": features["arm"].values, "hamd17": outcome, "hamd17_baseline": baseline, "age": age},
        index=features["subject"].values,
    )
    return features, table


def one_noise(seed: int, leak: str | None) -> dict[str, float]:
    features, table = make(seed, 80, 300, 0.0)
    table["well"] = (table["hamd17"] < table["hamd17"].median()).astype(int)
    spec = bm.ResponseSpec(
        outcome="well", kind="binary", default_arm="SSRI", assignment="randomised"
    )
    found = bm.compare_baselines(
        spec, features, table, METHODS, ("imaging",), repeats=2, permutations=0, leak=leak,
        seed=seed,
    )  # fmt: skip
    return {method: float(v) for (method, _), v in found.table["auc"].items()}


def one_clinical(seed: int) -> dict[str, Any]:
    features, table = make(seed, 200, 300, 0.5)
    spec = bm.ResponseSpec(
        outcome="hamd17", baseline="hamd17_baseline", covariates=("age",), default_arm="SSRI",
        assignment="randomised",
    )  # fmt: skip
    found = bm.compare_baselines(
        spec, features, table, ("clinical", *METHODS), repeats=2, permutations=0, seed=seed
    )
    row: dict[str, Any] = {}
    for measure in ("auc", "r2"):
        value = found.table[measure].dropna()
        pairs = found.paired[found.paired["measure"] == measure]
        mine = pairs[(pairs["reference_method"] != "clinical") & (pairs["method"] == "clinical")]
        row[measure] = {
            "clinical": float(value["clinical"].iloc[0]),
            "imaging": float(value.xs("imaging", level="view").max()),
            "both": float(value.xs("both", level="view").max()),
            "wins_or_ties": bool(value.idxmax()[0] == "clinical" or (mine["lower"] <= 0).all()),
            "best_sees_clinical": bool(value.idxmax()[1] != "imaging"),
        }
    return row


def study_noise(run: Any, repeats: int, leak: str | None = None) -> list[dict[str, Any]]:
    found = pd.DataFrame(run(delayed(one_noise)(s, leak) for s in range(repeats)))
    error = found.std(ddof=1) / np.sqrt(len(found))
    return [
        {"method": m, "auc": float(found[m].mean()), "se": float(error[m])} for m in found.columns
    ]


def study_clinical(run: Any, repeats: int) -> list[dict[str, Any]]:
    found = run(delayed(one_clinical)(s) for s in range(repeats))
    rows = []
    for measure in ("auc", "r2"):
        of = pd.DataFrame([f[measure] for f in found])
        rows.append({"measure": measure} | {c: float(of[c].mean()) for c in of})
    return rows


def study_time() -> list[dict[str, Any]]:
    """Measure the parts of the whole comparison with all defaults, and add them up."""
    trial = bm.simulate_trial(seed=1, n=200, features=True, n_regions=51)
    spec = bm.response_spec(trial.outcomes, covariates=("age",))
    request = make_request(
        None, ("clinical", "imaging", "both"), scheme="repeated", folds=FOLDS, repeats=10,
        slow_repeats=1, permutations=99, leak=None, event=None, harmonise="site",
    )  # fmt: skip
    checked = check_inputs(
        spec, trial.features, trial.outcomes, request, visits=None, stage_one=None
    )
    cases, tasks = checked.cases, list_tasks(checked.cases, checked.request)
    fold = np.arange(cases.n) % FOLDS
    train, test = np.flatnonzero(fold != 0), np.flatnonzero(fold == 0)
    plain = tuple(t for t in tasks if t.method != "factors")
    fold_seconds = min(
        seconds(lambda: run_fold(cases, fold, 0, plain, frozenset(), {}, 1)) for _ in range(2)
    )
    kept: list[Any] = []
    stage_seconds = min(
        seconds(
            lambda: kept.append(
                prepare_fold(cases, train, test, tasks, with_factors=True, screened={}, seed=1)
            )
        )
        for _ in range(2)
    )
    tested = [t for t in tasks if t.question != "points" and t.method != "majority"]
    with threadpool_limits(1):
        test_seconds = seconds(
            lambda: [
                permutation_statistic(cases, kept[:1], t, cases.target(t.question), cases.other, 1)
                for t in tested
            ]
        )
    total = (
        10 * FOLDS * fold_seconds
        + 2 * FOLDS * stage_seconds
        + (1 + EXPECTED) * FOLDS * test_seconds
    )
    return [
        {
            "patients": cases.n,
            "features": int(trial.features.sizes["feature"]),
            "fold_seconds": fold_seconds,
            "stage_one_seconds": stage_seconds,
            "permutation_seconds": FOLDS * test_seconds,
            "processor_seconds": total,
            "most_seconds": total + (99 - EXPECTED) * FOLDS * test_seconds,
        }
    ]


def seconds(function: Any) -> float:
    began = time.process_time()
    function()
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", nargs="+", choices=("noise", "leak", "clinical", "time"))
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    path = RESULTS / "baselines.json"
    stored = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    run = Parallel(n_jobs=options.jobs)
    for study in options.study:
        if study == "time":
            rows = study_time()
        elif study == "clinical":
            rows = study_clinical(run, options.repeats)
        else:
            rows = study_noise(run, options.repeats, "selection" if study == "leak" else None)
        stored[study] = {"repeats": 1 if study == "time" else options.repeats, "rows": rows}
        print(study, json.dumps(rows, indent=1), flush=True)
        path.write_text(compact(stored), encoding="utf-8")
        record(path)


if __name__ == "__main__":
    main()
