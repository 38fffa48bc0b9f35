"""Groups of a result that follow from aligned draws: agreement, invariants, log likelihood."""

from __future__ import annotations

import arviz as az
import numpy as np
import xarray as xr

from bayes_mdd.dims import ARM, CHAIN, DRAW, FACTOR
from bayes_mdd.results.rules import FACTOR_RHAT_MAX, MATCH_MIN
from bayes_mdd.shared_specific.data.model_data import ModelData, sort_features
from bayes_mdd.shared_specific.likelihood.collapsed import (
    BlockStatistics,
    collapsed_value_and_grad,
)
from bayes_mdd.shared_specific.likelihood.student import student_value_and_grad
from bayes_mdd.shared_specific.posterior.explained import Explained
from bayes_mdd.shared_specific.posterior.stored_data import fitted_block
from bayes_mdd.shared_specific.posterior.symptoms import symptom_invariants
from bayes_mdd.shared_specific.schema import (
    BLOCK_SCALE,
    COMMUNALITY,
    EXPLAINED,
    NOISE,
    NOISE_DF,
    PAIR,
    SCORES,
)
from bayes_mdd.specs import SharedSpecificSpec
from bayes_mdd.types import Array

#: Draws of a chain below which R-hat and effective sample size are not defined.
MIN_DRAWS = 4


def summarise_agreement(posterior: xr.Dataset, match: Array) -> xr.Dataset:
    """Judge for each factor whether the chains agree on it.

    Parameters
    ----------
    posterior : Dataset
        Aligned draws, with ``explained``.
    match : ndarray, shape (chain, factor)
        Agreement of each chain's mean scores with the consensus, see `align_factors`.

    Returns
    -------
    Dataset
        Group ``factors``: ``match``, ``rhat`` and ``ess`` of the variance explained, and
        ``reproducible``. A pinned factor does not vary: its R-hat and effective sample size are
        NaN.
    """
    chains = match.shape[0]
    values = posterior[EXPLAINED]
    rhat = np.full(match.shape[1], np.nan)
    ess = np.full(match.shape[1], np.nan)
    for k in range(match.shape[1]):
        draws = [values.isel({FACTOR: k, ARM: a}).values for a in range(values.sizes[ARM])]
        if not any(x.any() for x in draws) or draws[0].shape[1] < MIN_DRAWS:
            continue
        if chains > 1:
            rhat[k] = max(float(az.rhat(x)) for x in draws)
        ess[k] = min(float(az.ess(x)) for x in draws)
    reproducible = (match.min(axis=0) >= MATCH_MIN) & (rhat <= FACTOR_RHAT_MAX) & (chains > 1)
    return xr.Dataset(
        {
            "match": ((CHAIN, FACTOR), match),
            "rhat": ((FACTOR,), rhat),
            "ess": ((FACTOR,), ess),
            "reproducible": ((FACTOR,), reproducible),
        },
        coords={CHAIN: posterior[CHAIN].values, FACTOR: posterior[FACTOR].values},
        attrs={"match_min": MATCH_MIN, "rhat_max": FACTOR_RHAT_MAX},
    )


def collect_invariants(
    spec: SharedSpecificSpec, posterior: xr.Dataset, shares: Explained, data: ModelData
) -> xr.Dataset:
    """Collect quantities that no order, sign or rotation of factors changes.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model.
    posterior : Dataset
        Aligned draws.
    shares : Explained
        From `explain`, of the same draws.
    data : ModelData
        The fitted data.

    Returns
    -------
    Dataset
        Group ``invariants``.
    """
    shape = (posterior.sizes[CHAIN], posterior.sizes[DRAW])
    estimated_df = spec.feature_noise == "student" and spec.noise_df is None
    size = data.n_features
    communality = np.asarray((shares.communality * size).sum(axis=2) / size.sum())
    return xr.Dataset(
        {
            NOISE: posterior[NOISE],
            **({NOISE_DF: posterior[NOISE_DF]} if estimated_df else {}),
            COMMUNALITY: ((CHAIN, DRAW, ARM), communality.reshape(*shape, -1)),
            "similarity": ((CHAIN, DRAW, PAIR), shares.similarity.reshape(*shape, -1)),
            **symptom_invariants(posterior, data),
        }
    )


def block_log_likelihood(data: ModelData, posterior: xr.Dataset) -> xr.Dataset:
    """Log density of each block given each draw; the features of a block share their scores.

    Parameters
    ----------
    data : ModelData
        The fitted data.
    posterior : Dataset
        Aligned draws.

    Returns
    -------
    Dataset
        Group ``block_log_density``: ``features`` (chain, draw, block), not pointwise per subject.
    """
    stats = data.stats
    scores = posterior[SCORES].values @ np.eye(posterior.sizes[FACTOR])
    block_scale, noise = posterior[BLOCK_SCALE].values, posterior[NOISE].values
    noise_df = posterior[NOISE_DF].values if NOISE_DF in posterior else None
    rows = None if noise_df is None else sort_features(data)
    value = np.empty((*scores.shape[:2], len(stats.blocks)))
    traces = stats.traces
    if noise_df is None and stats.products.many:
        flat = [x.reshape(-1, *x.shape[2:]) for x in (scores, block_scale, noise)]
        inside = np.einsum("nm,dnk->dmk", stats.score_basis, flat[0], optimize=True)
        value[:] = _log_density(stats, inside, flat[1], flat[2]).reshape(value.shape)
    done = noise_df is None and stats.products.many
    for c, d in () if done else np.ndindex(*scores.shape[:2]):
        parameters = (
            stats.score_basis.T @ scores[c, d],
            np.ascontiguousarray(block_scale[c, d]),
            np.ascontiguousarray(noise[c, d]),
        )
        if noise_df is not None and rows is not None:
            df = float(noise_df[c, d])
            value[c, d] = student_value_and_grad(*parameters, df, rows.y, rows.start)[0]
        else:
            value[c, d] = collapsed_value_and_grad(
                *parameters, stats.cross_products, traces, stats.block_size
            )[0]
    return xr.Dataset(
        {"features": ((CHAIN, DRAW, fitted_block(data)), value)},
        coords={fitted_block(data): np.array(stats.blocks, dtype=object)},
        attrs={
            "unit": "block of features over all subjects; not pointwise per subject",
            "feature_weight": data.weight,
        },
    )


def _log_density(
    stats: BlockStatistics, scores_q: Array, block_scale: Array, noise: Array
) -> Array:
    """Log density of each block given each draw, from cross-products between the scores."""
    gram, products = np.swapaxes(scores_q, 1, 2) @ scores_q, stats.products.between(scores_q)
    n, eye = stats.basis.shape[1], np.eye(gram.shape[1])
    value = np.empty(noise.shape)
    for b, size in enumerate(stats.block_size):
        d = block_scale[:, b, :, None]
        inner = eye + d * gram * np.swapaxes(d, 1, 2)
        weighted = np.linalg.solve(inner, d * products[:, b] * np.swapaxes(d, 1, 2))
        left = stats.traces[b] - np.trace(weighted, axis1=1, axis2=2)
        variance = noise[:, b] ** 2
        logdet = np.linalg.slogdet(inner)[1]
        value[:, b] = -0.5 * (size * (n * np.log(2 * np.pi * variance) + logdet) + left / variance)
    return value
