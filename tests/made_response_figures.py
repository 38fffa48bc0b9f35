"""Small inputs of the figures of treatment response and polar LDA."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pandas as pd
import xarray as xr

import bayes_mdd as bm


@cache
def response() -> xr.DataTree:
    """A fast fit of a small simulated trial."""
    trial = bm.simulate_trial(seed=2, n=48, n_factors=3, benefit_sd=1.0)
    spec = bm.response_spec(trial.outcomes)
    return bm.fit_response(spec, trial.scores, trial.outcomes, method="fast")


@cache
def benefits() -> xr.Dataset:
    new = bm.simulate_trial(seed=3, n=20, n_factors=3, prefix="new").scores
    return bm.predict_benefit(response(), new)


CURVE = pd.DataFrame(
    {"p_star": [0.5, 0.8], "gain": [0.4, 0.2], "se": [0.2, 0.1], "decided": [0.6, 0.3]}
)
GROUPS = pd.DataFrame({"predicted": [-1.0, 1.0], "observed": [0.2, 1.4], "se": [0.6, 0.7]})
COUNTS = {"desvenlafaxine preferred": 14, "escitalopram preferred": 22, "no preference": 64}


@cache
def toc(n: int = 20) -> pd.DataFrame:
    share = np.arange(1, n + 1) / n
    table = pd.DataFrame({"share": share, "gain": 2 * (1 - share), "se": 0.5 * (1 - share)})
    table.attrs.update(autoc=0.95, qini=0.31, n=n)
    return table


@cache
def power() -> pd.DataFrame:
    sizes = np.array([0.2, 0.5, 1.0])
    rows = [(s, r, 16 / s**2 / r) for r in (0.5, 0.8, 1.0) for s in sizes]
    return pd.DataFrame(rows, columns=["benefit_sd", "reliability", "n_per_arm"])


@cache
def missing() -> pd.DataFrame:
    """What `missing_sensitivity` returns: three lines, one of which tips."""
    rows = [
        (d, arms, "all", 0.3 + s * d, 0.6 + 0.1 * d)
        for arms, s in (("both", -0.05), ("other", -0.15), ("default", 0.1))
        for d in (0.0, 2.0, 4.0, 6.0)
    ]
    table = pd.DataFrame(rows, columns=["delta", "arms", "reasons", "average_benefit", "gain"])
    for mean, start in (("average_benefit", "average"), ("gain", "gain")):
        table[f"{start}_lower"], table[f"{start}_upper"] = table[mean] - 0.5, table[mean] + 0.5
    tips = [
        {"result": "average effect", "reasons": "all", "arms": arms, "tipping": at}
        for arms, at in (("both", np.inf), ("other", 2.0), ("default", np.inf))
    ]
    table.attrs.update(
        arms={"other": "SNRI", "default": "SSRI"}, tipping=tips, missing=9, patients=60
    )
    return table


@cache
def baselines() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Three methods, one of them leaky, with the others minus the best."""
    table = pd.DataFrame(
        {
            "method": ["clinical", "ridge", "svm rbf"],
            "view": ["clinical", "imaging", "both"],
            "auc": [0.6, 0.9, 0.55],
            "auc_lower": [0.5, 0.8, 0.5],
            "auc_upper": [0.7, 0.95, 0.6],
            "leaky": [False, True, False],
        }
    )
    paired = pd.DataFrame(
        {
            "measure": ["auc", "auc"],
            "reference_method": "ridge",
            "reference_view": "imaging",
            "method": ["clinical", "svm rbf"],
            "view": ["clinical", "both"],
            "difference": [0.3, 0.35],
            "lower": [0.1, 0.2],
            "upper": [0.5, 0.5],
        }
    )
    return table, paired


@cache
def polar(n_factors: int = 2) -> xr.DataTree:
    """A polar LDA of 40 subjects, as far as its figures need it."""
    rng = np.random.default_rng(1)
    factor = [f"F{k + 1}" for k in range(n_factors)]
    arm = np.repeat(["SSRI", "SNRI"], 20)
    of = rng.dirichlet(np.ones(n_factors), (1, 50, 40))
    means = np.stack([of[:, :, arm == a].mean(axis=2) for a in ("SSRI", "SNRI")], axis=2)
    posterior = xr.Dataset(
        {
            "composition": (("chain", "draw", "subject", "factor"), of),
            "arm_expression": (("chain", "draw", "arm", "factor"), means),
        },
        coords={"factor": factor, "arm": ["SSRI", "SNRI"]},
    )
    null = xr.Dataset(
        {"gain": ("run", np.r_[5.0, rng.normal(2, 0.2, 19)])}, attrs={"p_value": 0.05}
    )
    tree = xr.DataTree.from_dict(
        {
            "posterior": posterior,
            "constant_data": xr.Dataset({"arm": ("subject", arm)}),
            "null": null,
        }
    )
    spec = bm.PolarLDASpec(n_factors=n_factors)
    tree.attrs.update(model="polar_lda", spec=json.dumps(spec.to_mapping()))
    return tree
