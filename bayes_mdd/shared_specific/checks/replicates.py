"""Replicated features and statistics of residuals, as groups that ArviZ reads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
import xarray as xr

from bayes_mdd.dims import ARM, CHAIN, DRAW, FEATURE, SUBJECT
from bayes_mdd.shared_specific.checks.predictive import (
    ARMS,
    FEATURES,
    SUBJECTS,
    TAILS,
    residual_statistics,
)
from bayes_mdd.shared_specific.new_subjects.fitted import Fitted
from bayes_mdd.types import Array, IntArray

#: Dimension that tells the data from their replicates.
SOURCE: Final = "source"
OBSERVED, REPLICATED = "observed", "replicated"
#: Statistics of residuals, with the unit and what they are.
STATISTICS: Final = {
    "residual_correlation": (FEATURES, "mean squared correlation of two features' residuals"),
    "residual_kurtosis": (TAILS, "excess kurtosis of a feature's residuals, mean over features"),
    "participant_spread": (SUBJECTS, "SD over participants of the log of their residual SD"),
    "arm_ratio": (ARMS, "F ratio of log residual SD between arms, over within arms"),
}
#: SD of features over the participants of an arm.
FEATURE_SD: Final = "feature_sd"
SD_MEANING = "SD of features over the participants of an arm, given covariates, in relative noise"


def replicate_features(
    fitted: Fitted, rows: IntArray, max_features: int, rng: np.random.Generator
) -> tuple[xr.Dataset, xr.Dataset]:
    """Replicate the features as they were fitted.

    Parameters
    ----------
    fitted : Fitted
        The fit.
    rows : ndarray of int
        Draws of each chain to use.
    max_features : int
        Features to replicate at most, evenly spaced.
    rng : numpy.random.Generator
        For the replicates.

    Returns
    -------
    observed, replicated : Dataset
        ``y`` (subject, feature) and ``y`` (chain, draw, subject, feature).
    """
    draws = fitted.draws
    chains, length = len(draws.chain), len(draws.draw)
    kept = np.linspace(0, fitted.y.shape[1] - 1, min(max_features, fitted.y.shape[1]))
    kept = kept.round().astype(int)
    unit = fitted.feature_noise[kept] * fitted.scale[:, None]
    y = np.empty((chains, rows.size, len(fitted.subjects), kept.size), dtype=np.float32)
    for c, r in np.ndindex(chains, rows.size):
        y[c, r] = _replicate_once(fitted, c * length + int(rows[r]), kept, rng) * unit
    whitened = fitted.transform is not None
    names = [f"w{i + 1}" for i in kept] if whitened else np.array(fitted.features)[kept].tolist()
    coords = {SUBJECT: list(fitted.subjects), FEATURE: names}
    observed = xr.Dataset({"y": ((SUBJECT, FEATURE), fitted.y[:, kept] * unit)}, coords=coords)
    replicated = xr.Dataset(
        {"y": ((CHAIN, DRAW, SUBJECT, FEATURE), y)},
        coords={**coords, CHAIN: draws.chain, DRAW: draws.draw[rows]},
    )
    return observed, replicated


def _replicate_once(fitted: Fitted, t: int, kept: IntArray, rng: np.random.Generator) -> Array:
    """Features under one draw: loadings and covariate effects are drawn, then noise is added."""
    draws, x = fitted.draws, fitted.regressors
    out = np.empty((len(fitted.subjects), kept.size))
    for b in range(len(fitted.blocks)):
        columns = np.flatnonzero(fitted.block[kept] == b)
        if not columns.size:
            continue
        noise = draws.noise[t, b]
        w = np.concatenate([x, fitted.scaled_scores[t] * draws.block_scale[t, b]], axis=1)
        prior = np.diag(np.repeat([0.0, 1.0], [x.shape[1], w.shape[1] - x.shape[1]]))
        covariance = np.linalg.inv(fitted.weight * (w.T @ w) + prior)
        mean = fitted.weight * covariance @ (w.T @ fitted.y[:, kept[columns]])
        root = np.linalg.cholesky((covariance + covariance.T) / 2)
        drawn = mean + noise * root @ rng.standard_normal(mean.shape)
        out[:, columns] = w @ drawn + noise * rng.standard_normal((len(x), columns.size))
    return out


def summarise_replicates(fitted: Fitted, rows: IntArray, rng: np.random.Generator) -> xr.Dataset:
    """Statistics of the features and of their residuals, for the data and their replicates.

    Parameters
    ----------
    fitted : Fitted
        The fit.
    rows : ndarray of int
        Draws of each chain to use.
    rng : numpy.random.Generator
        For the replicates.

    Returns
    -------
    Dataset
        Each variable has the dims (source, chain, draw): ``feature_sd`` (and ``arm``), and
        statistics of residuals, see `predictive_checks`. That of the arms is there with two arms
        or more.

    Raises
    ------
    DataContractError
        If design and factors leave too few degrees of freedom.

    Notes
    -----
    For ``feature_sd`` loadings are drawn from their prior given the scales, as the likelihood
    integrates over them. Loadings drawn from their posterior would fit part of the noise of the
    data, to which the replicates would add their own.
    """
    draws = fitted.draws
    shape = (len(draws.chain), rows.size)
    chosen = (np.arange(shape[0])[:, None] * len(draws.draw) + rows).ravel()
    thinned = replace(
        fitted,
        draws=replace(
            draws,
            draw=draws.draw[rows],
            scores=draws.scores[chosen],
            sharing=draws.sharing[chosen],
            arm_mean=draws.arm_mean[chosen],
            block_scale=draws.block_scale[chosen],
            noise=draws.noise[chosen],
        ),
    )
    sides = residual_statistics(thinned, None, rng)
    variables: dict[str, Any] = {
        name: (
            (SOURCE, CHAIN, DRAW),
            np.stack([side[check].reshape(shape) for side in sides]),
            {"long_name": meaning},
        )
        for name, (check, meaning) in STATISTICS.items()
        if check != ARMS or len(fitted.arms) > 1
    }
    spread = np.stack(_spreads(thinned, rng))
    variables[FEATURE_SD] = (
        (SOURCE, CHAIN, DRAW, ARM),
        spread.reshape(2, *shape, -1),
        {"long_name": SD_MEANING},
    )
    return xr.Dataset(
        variables,
        coords={
            SOURCE: [OBSERVED, REPLICATED],
            CHAIN: draws.chain,
            DRAW: draws.draw[rows],
            ARM: list(fitted.arms),
        },
    )


def _spreads(fitted: Fitted, rng: np.random.Generator) -> tuple[Array, Array]:
    """Root mean square of the features by arm, of data and replicates, shape (draw, arm)."""
    design, draws = fitted.regressors, fitted.draws
    basis = np.linalg.qr(design, mode="complete")[0][:, design.shape[1] :]
    arms = [np.flatnonzero(fitted.arm == a) for a in range(len(fitted.arms))]

    def by_arm(coordinates: Array) -> Array:
        rows = (basis @ coordinates) ** 2
        return np.array([np.sqrt(rows[at].mean()) for at in arms])

    found = []
    for scores, tau, noise in zip(
        fitted.scaled_scores, draws.block_scale, draws.noise, strict=True
    ):
        scale = tau[fitted.block].T
        pattern = (basis.T @ scores) @ (scale * rng.standard_normal(scale.shape))
        error = rng.standard_normal(pattern.shape)
        found.append(by_arm((pattern + error) * noise[fitted.block]))
    own = by_arm(basis.T @ fitted.y)
    return np.broadcast_to(own, (len(found), own.size)), np.stack(found)
