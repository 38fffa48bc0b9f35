"""Edges of a simulated trial, from which the errors of its scores can be recovered exactly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.simulate._datasets import feature_set
from bayes_mdd.simulate._design import BLOCKS_PER_FACTOR, Rng, make_edges
from bayes_mdd.simulate._draw import DrawnEdges, draw_loadings
from bayes_mdd.simulate._trial_draw import ScanErrors, draw_errors, factor_names
from bayes_mdd.types import Array

#: Residual SD of an edge in Fisher z.
NOISE_SD: Final = 0.2


def trial_features(
    rng: Rng,
    eta: Array,
    errors: ScanErrors,
    people: pd.DataFrame,
    regions: pd.DataFrame,
    given: Mapping[str, Any],
) -> tuple[xr.Dataset, xr.DataArray]:
    """Draw the FeatureSet of patients and controls, and return it with the true loadings."""
    edges = make_edges(regions)
    factors = factor_names(eta.shape[1])
    model = np.random.default_rng([31, given["model_seed"]])
    loadings, base = trial_loadings(
        model, edges["block"], [str(f) for f in factors], given["reliability"]
    )
    extra = draw_errors(rng, len(people) - len(eta), eta.shape[1], given["reliability"])
    drawn = draw_trial_edges(
        rng,
        np.vstack([eta, np.zeros_like(extra.error)]),
        np.vstack([errors.error, extra.error]),
        np.concatenate([errors.size, extra.size]),
        loadings,
        base,
    )
    dataset = feature_set(drawn, people, regions, edges, plain_settings(given))
    coords = {"factor": factors, "feature": dataset["feature"].values}
    return dataset, xr.DataArray(loadings, dims=("factor", "feature"), coords=coords)


def plain_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Convert settings to what JSON holds."""
    return {
        name: {str(k): v for k, v in value.items()} if isinstance(value, Mapping) else value
        for name, value in given.items()
    }


def trial_loadings(
    rng: Rng, block: pd.Series, factors: list[str], reliability: float
) -> tuple[Array, Array]:
    """Draw loadings (factor, edge) in residual SD of an edge, and the mean of each edge.

    Factors have their own pairs of networks, so that they are orthogonal. The sum of the squared
    loadings of a factor is r / (1 - r), which gives its score the reliability r where loadings are
    known.
    """
    pairs = rng.permutation(np.array(list(dict.fromkeys(block)), dtype=object))
    own = {
        name: [str(p) for p in pairs[k :: len(factors)][:BLOCKS_PER_FACTOR]]
        for k, name in enumerate(factors)
    }
    sharing = pd.DataFrame([[1.0] * len(factors)], index=["all"], columns=factors)
    settings = {"loading_scale": 0.5, "patterns": own, "specific_strength": 1.0}
    loadings = draw_loadings(rng, block, sharing, settings)
    length = np.sqrt((loadings**2).sum(axis=1, keepdims=True))
    base = 0.15 + 0.1 * rng.standard_normal(len(block))
    return np.sqrt(reliability / (1 - reliability)) * loadings / length, base


def draw_trial_edges(
    rng: Rng, scores: Array, error: Array, size: Array, loadings: Array, base: Array
) -> DrawnEdges:
    """Draw edges whose least-squares scores under the true loadings are ``scores + error``.

    `size` is the error variance of each subject in multiples of the mean one.
    """
    noise = np.sqrt(size)[:, None] * rng.standard_normal((len(scores), loadings.shape[1]))
    length = (loadings**2).sum(axis=1)
    # Along each factor, the noise becomes the error of its score.
    noise += (error - noise @ loadings.T / length) @ loadings
    y = base + NOISE_SD * (scores @ loadings + noise)
    return DrawnEdges(y=y, loadings=loadings, noise_sd=NOISE_SD)
