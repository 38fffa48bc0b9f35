"""Groups that figures by ArviZ read, added to a fit without a fit."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import xarray as xr
from fakes import make_fake_idata

REPLICATES = 12


@cache
def with_groups(*, n_arms: int = 2, **options: Any) -> xr.DataTree:
    """A fit with ``invariants``, ``prior``, replicates and statistics of residuals."""
    arms = ("SSRI", "SNRI", "other")[:n_arms]
    tree = make_fake_idata(arms=arms, **options)
    rng = np.random.default_rng(5)
    posterior = tree["posterior"].to_dataset()
    chains, draws = posterior.sizes["chain"], posterior.sizes["draw"]
    sampled = {"chain": posterior["chain"].values, "draw": posterior["draw"].values}
    tree["invariants"] = xr.Dataset(
        {
            "noise": (
                ("chain", "draw", "block"),
                rng.gamma(50, 0.02, (chains, draws, posterior.sizes["block"])),
                {"units": "unit of the features"},
            ),
            "communality": (
                ("chain", "draw", "arm"),
                rng.gamma(50, 0.01, (chains, draws, n_arms)),
                {"units": "squared unit of the features"},
            ),
        },
        coords={**sampled, "block": posterior["block"].values, "arm": list(arms)},
    )
    factors = posterior["factor"].values
    share = np.moveaxis(rng.dirichlet(np.full(n_arms, 0.6), (1, 200, len(factors))), -1, 2)
    prior = xr.Dataset(
        {
            "sharing": (("chain", "draw", "arm", "factor"), share),
            "explained": (("chain", "draw", "arm", "factor"), 0.3 * share),
        },
        coords={"arm": list(arms), "factor": factors},
    )
    if "symptom_weight" in posterior:
        inner = posterior["symptom_weight"].isel(chain=0, draw=0, drop=True)
        prior["symptom_weight"] = (
            ("chain", "draw", *inner.dims),
            0.3 * rng.standard_t(2, (1, 200, *inner.shape)),
        )
        prior = prior.assign_coords(symptom=posterior["symptom"].values)
    tree["prior"] = prior
    subjects = posterior["subject"].values
    y = rng.normal(size=(len(subjects), 30))
    names = {"subject": subjects, "feature": [f"e{i}" for i in range(30)]}
    tree["observed_data"] = xr.Dataset({"y": (("subject", "feature"), y)}, coords=names)
    tree["posterior_predictive"] = xr.Dataset(
        {
            "y": (
                ("chain", "draw", "subject", "feature"),
                rng.normal(size=(2, REPLICATES // 2, *y.shape)),
            )
        },
        coords={**names, "chain": [0, 1], "draw": np.arange(REPLICATES // 2)},
    )
    dims, shape = ("source", "chain", "draw"), (2, 2, REPLICATES // 2)
    statistics = xr.Dataset(
        {
            "residual_correlation": (dims, rng.normal(0.02, 0.001, shape)),
            "residual_kurtosis": (dims, rng.normal(0.1, 0.05, shape)),
            "participant_spread": (dims, rng.gamma(50, 0.001, shape)),
            "arm_ratio": (dims, rng.gamma(1, 1, shape)),
            "feature_sd": ((*dims, "arm"), rng.normal(1, 0.02, (*shape, n_arms))),
        },
        coords={"source": ["observed", "replicated"], "arm": list(arms)},
    )
    tree["predictive_statistics"] = statistics.drop_vars("arm_ratio") if n_arms == 1 else statistics
    return tree
