"""Small trials for the tests of baselines."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

import bayes_mdd as bm


def make_trial(
    seed: int = 0, n: int = 60, p: int = 30, clinical: float = 0.0, scan: float = 0.0
) -> tuple[bm.ResponseSpec, xr.Dataset, pd.DataFrame]:
    """A trial whose outcome depends on age, on the first feature, or on nothing."""
    rng = np.random.default_rng(seed)
    ids = [f"sub-{i:03d}" for i in range(n)]
    arm = np.array(["SSRI", "SNRI"], dtype=object)[np.arange(n) % 2]
    y, age = rng.standard_normal((n, p)), rng.standard_normal(n)
    outcome = 13 + 7 * (clinical * age + scan * y[:, 0] + rng.standard_normal(n))
    features = xr.Dataset(
        {"y": (("subject", "feature"), 0.2 * y)},
        {
            "subject": ids,
            "feature": [f"e{j}" for j in range(p)],
            "block": ("feature", ["DMN-CCN"] * p),
            "arm": ("subject", arm),
            "site": ("subject", np.array(["A", "B", "C"], dtype=object)[np.arange(n) // 2 % 3]),
        },
        {"units": "fisher_z"},
    )
    table = pd.DataFrame(
        {
            "arm": arm,
            "hamd17": outcome,
            "hamd17_baseline": 26 + rng.standard_normal(n),
            "age": 40 + 10 * age,
            "site": features["site"].values,
        },
        index=ids,
    )
    spec = bm.ResponseSpec(
        outcome="hamd17",
        baseline="hamd17_baseline",
        covariates=("age",),
        default_arm="SSRI",
        assignment="randomised",
    )
    return spec, features, table
