"""Summaries of cohorts drawn around a known truth, so that nothing has to be fitted."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import xarray as xr
from fakes import EXPLAINED, make_fake_idata, make_feature_coords, make_regions

from bayes_mdd.shared_specific.cohorts.summary_parts import LAYOUT

ARMS = ("SNRI", "SSRI")
#: Variance of each pattern in each arm: shared, SNRI-specific, SSRI-specific.
VARIANCE = np.array([[0.10, 0.10], [0.12, 0.0], [0.0, 0.12]])
WEIGHT = np.array([0.5, 0.0, -0.4])
P = 45


def true_maps(n: int = 3) -> np.ndarray:
    """Maps of mean square 1, orthogonal to each other and without a mean."""
    rng = np.random.default_rng(5)
    columns = np.column_stack([np.ones(P), rng.normal(size=(P, n))])
    return np.sqrt(P) * np.linalg.qr(columns)[0][:, 1:].T


def make_summary(
    seed: int,
    *,
    per_arm: int = 30,
    has: Sequence[int] = (0, 1, 2),
    order: Sequence[int] | None = None,
    sign: Sequence[int] | None = None,
    variance: np.ndarray = VARIANCE,
    rotation: np.ndarray | None = None,
    arms: Sequence[str] = ARMS,
    limit: float = 0.01,
    exact: bool = False,
) -> xr.Dataset:
    """Draw the summary of a cohort that has the patterns `has`, in its own order and signs."""
    rng = np.random.default_rng([99, seed])
    own = list(has if order is None else order)
    k, dof = len(own), float(per_arm - 1)
    signs = np.ones(k) if sign is None else np.asarray(sign, dtype=float)
    size = variance[own].mean(axis=1)
    error = 0.03 * size
    chance = np.ones((len(arms), k)) if exact else rng.chisquare(dof, (len(arms), k)) / dof
    observed = (variance[own].T + error) * chance
    se = np.full((k, P), 1.0 / np.sqrt(len(arms) * per_arm))
    noise = 0.0 if exact else 1.0
    loading = signs[:, None] * np.sqrt(size)[:, None] * true_maps()[own]
    covariance = np.stack([np.diag(v / np.maximum(size, 1e-12)) for v in variance[own].T])
    if rotation is not None:
        loading = rotation.T @ loading
        covariance = rotation.T @ covariance @ rotation
        size = (loading**2).mean(axis=1)
        observed = np.diagonal(covariance, axis1=1, axis2=2) * size + error
    factors = [f"F{i + 1}" for i in range(k)]
    by_arm = ("arm", "factor")
    weight = np.zeros((k, 2))
    weight[:, 0] = signs * WEIGHT[own]
    rated = weight + 0.1 * noise * rng.normal(size=weight.shape)
    spec = {"n_factors": 4, "covariates": ["age"], "symptoms": ["s1", "s2"],
            "sharing_concentration": 0.6, "edge_prior": "spike_slab"}  # fmt: skip
    return xr.Dataset(
        {
            "loading": (("factor", "feature"), loading + noise * se * rng.normal(size=(k, P))),
            "loading_se": (("factor", "feature"), se),
            "noise": ("feature", np.ones(P)),
            "n": ("arm", np.full(len(arms), per_arm)),
            "score_covariance": (("arm", "factor", "factor_2"), covariance),
            "size_observed": (by_arm, observed),
            "size_dof": (by_arm, np.full(observed.shape, dof)),
            "size_error": (by_arm, np.tile(np.maximum(error, 1e-4), (len(arms), 1))),
            "explained": (by_arm, observed / (1 + observed)),
            "sharing": (by_arm, observed / observed.sum(axis=0)),
            "reliability": ("factor", np.full(k, 3.0)),
            "reliability_sd": ("factor", np.full(k, 0.5)),
            "leverage": ("factor", np.full(k, 0.1)),
            "symptom_weight": (("factor", "symptom"), rated),
            "symptom_weight_se": (("factor", "symptom"), np.full((k, 2), 0.1)),
            "symptom_sd": ("symptom", [1.0, 1.0]),
            "symptom_n": ("symptom", [2 * per_arm, 2 * per_arm]),
            "limit": ("carrier", [limit] * 3 if len(arms) > 1 else [limit]),
        },
        coords={
            "factor": factors,
            "factor_2": factors,
            "arm": list(arms),
            "carrier": ["shared", *arms] if len(arms) > 1 else ["shared"],
            "symptom": ["s1", "s2"],
            "label": ("factor", np.full(k, "shared")),
            "stability": ("factor", np.full(k, "stable")),
            **make_feature_coords(),
            **make_regions(),
            "raw_sd": ("feature", np.full(P, 0.2)),
        },
        attrs={
            "summary_layout": LAYOUT, "model": "shared_specific", "spec": json.dumps(spec),
            "estimand": "expression", "units": "z", "reference": "controls", "reference_n": 30,
            "reference_covariates": '["age"]', "facts": '{"measure": "correlation"}',
            "effective_share": 1.0, "inputs": f"{seed:012d}",
        },
    )  # fmt: skip


def make_observed_fit(per_arm: int = 20, seed: int = 3) -> xr.DataTree:
    """A fit without a fit that also holds its features and two rated dimensions."""
    tree = make_fake_idata(per_arm=per_arm, seed=seed, arms=("SSRI", "SNRI"))
    rng = np.random.default_rng(seed)
    posterior = tree["posterior"].to_dataset()
    arm = tree["constant_data"]["arm"].values.astype(str)
    true = rng.normal(size=(arm.size, 4)) * np.sqrt([1.0, 1.0, 1.0, 0.01])
    # F2 belongs to the first arm and F3 to the second.
    true[arm != "SSRI", 1] *= 0.05
    true[arm != "SNRI", 2] *= 0.05
    scores = true + 0.1 * rng.normal(size=(*posterior["scores"].shape[:2], *true.shape))
    tree["posterior"] = xr.DataTree(posterior.assign(scores=(posterior["scores"].dims, scores)))
    maps = tree["loadings"]["mean"].values
    # Sizes are those of the posterior, which has two factors in each arm and noise of 0.8.
    size = 0.8 * np.array(EXPLAINED) / (1.0 - np.sum(EXPLAINED[:2]))
    maps = np.sqrt(size)[:, None] * maps / np.sqrt((maps**2).mean(axis=1, keepdims=True))
    y = true @ maps + np.sqrt(0.8) * rng.normal(size=(arm.size, maps.shape[1]))
    rated = np.stack([0.6 * true[:, 0], -0.4 * true[:, 1]], axis=1)
    rated = 10 + 4 * (rated + 0.6 * rng.normal(size=rated.shape))
    rated[0, 0] = np.nan
    constant = tree["constant_data"].to_dataset()
    age = np.round(rng.normal(40, 10, arm.size), 1)
    tree["constant_data"] = xr.DataTree(constant.assign_coords(age=("subject", age)))
    tree["observed_data"] = xr.DataTree(
        xr.Dataset(
            {
                "y": (("subject", "feature"), y),
                "symptoms": (("subject", "dimension"), rated),
            },
            coords={
                "subject": posterior["subject"].values,
                "feature": tree["loadings"]["feature"].values,
                "dimension": ["retardation", "cognitive"],
            },
        )
    )
    return tree
