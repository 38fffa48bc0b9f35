r"""Loadings given the draws of all other parameters, in closed form and without a P x P matrix.

Given scores, block scales and noise, the loadings of a feature are Gaussian with

.. math:: V_b = (D_b^{-2} + H_q^\top H_q)^{-1}, \qquad
   \lambda_p \sim N(V_b H_q^\top y_{qp},\; \sigma_b^2 V_b)

so that means, standard deviations and sign probabilities are averages of closed forms over draws.
Where every feature has its own noise, that is drawn first (see `feature_noise`), and the
covariance is scaled by it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from bayes_mdd.parallel.fan_out import fan_out_in_turn
from bayes_mdd.shared_specific.data.model_data import ModelData
from bayes_mdd.shared_specific.posterior.feature_noise import (
    draw_relative_noise,
    residual_squares,
    standard_covariance,
)
from bayes_mdd.shared_specific.posterior.sparse import (
    BlockDraws,
    estimate_slab,
    initial_state,
    sweep_block,
)
from bayes_mdd.types import Array, IntArray

#: Numbers of 4 bytes that stored draws of whole maps may take, at most.
STORED_NUMBERS = 16_000_000
#: Features that are summarised at a time, at most.
MAX_FEATURES = 2048


@dataclass(frozen=True, eq=False)
class Conditional:
    """Conditional distribution of a block's loadings, which is Gaussian, per draw.

    Parameters
    ----------
    coefficient : ndarray, shape (draw, factor, n)
        Matrix that maps projected features to conditional means.
    root : ndarray, shape (draw, factor, factor)
        Lower Cholesky factor of the conditional covariance.
    """

    coefficient: Array
    root: Array


def conditional_loadings(scores_q: Array, block_scale: Array, noise: Array) -> Conditional:
    """Compute the conditional distribution of the loadings of one block's features.

    Parameters
    ----------
    scores_q : ndarray, shape (draw, n, factor)
        Scores in the basis orthogonal to the design.
    block_scale : ndarray, shape (draw, factor)
        Block scales of the block.
    noise : ndarray, shape (draw,)
        Noise of the block.

    Returns
    -------
    Conditional
        Coefficients of the mean, and the root of the covariance.
    """
    d = block_scale[:, :, None]
    standard = standard_covariance(scores_q, block_scale)
    v = d * standard * np.swapaxes(d, 1, 2)
    root = d * np.linalg.cholesky(standard)
    return Conditional(v @ np.swapaxes(scores_q, 1, 2), noise[:, None, None] * root)


def second_moment(
    gram: Array, block_scale: Array, noise: Array, product: Array, size: float | Array
) -> Array:
    """Sum the expected outer products of the loadings over a block's features.

    Parameters
    ----------
    gram : ndarray, shape (draw, factor, factor)
        Cross-products of the scores in the basis orthogonal to the design.
    block_scale, noise : ndarray
        As in `conditional_loadings`.
    product : ndarray, shape (draw, factor, factor)
        Cross-products of the block's features between the scores, in the unit of the loadings to
        return: from `CrossProducts.between`.
    size : float or ndarray of shape (draw,)
        Sum of squares of the relative noise of the block's features: their number where it has
        mean square 1.

    Returns
    -------
    ndarray, shape (draw, factor, factor)
        One matrix for each draw.
    """
    d = block_scale[:, :, None]
    inner = np.linalg.inv(np.eye(block_scale.shape[1]) + d * gram * np.swapaxes(d, 1, 2))
    covariance = d * inner * np.swapaxes(d, 1, 2)
    scale = np.reshape(size, (-1, 1, 1)) * noise[:, None, None] ** 2
    return np.asarray(covariance @ product @ covariance + scale * covariance)


class Summary(NamedTuple):
    """Summary of the loadings of some features over draws.

    Parameters
    ----------
    statistics : dict of ndarray, shape (factor, feature)
        ``mean``, ``sd``, ``p_positive`` and, for sparse loadings, ``inclusion``.
    draws : ndarray, shape (draw, factor, feature)
        Draws.
    """

    statistics: dict[str, Array]
    draws: NDArray[np.float32]


def gaussian_loadings(block: BlockDraws, rng: np.random.Generator) -> Summary:
    """Summarise the loadings of some features of a block under their Gaussian prior.

    Parameters
    ----------
    block : BlockDraws
        Draws and features.
    rng : numpy.random.Generator
        For the draws of the loadings.

    Returns
    -------
    Summary
        Means, standard deviations and sign probabilities are averages of closed forms.
    """
    conditional = conditional_loadings(block.scores_q, block.block_scale, block.noise)
    n_draws, k = block.block_scale.shape
    mean = conditional.coefficient @ block.y
    sd = np.sqrt((conditional.root**2).sum(axis=2))[:, :, None]
    deviation = conditional.root @ rng.standard_normal((n_draws, k, block.y.shape[1]))
    if block.relative is not None:
        sd, deviation = sd * block.relative[:, None], deviation * block.relative[:, None]
    draws = mean + deviation
    average = mean.mean(axis=0)
    return Summary(
        {
            "mean": average,
            "sd": np.sqrt((sd**2).mean(axis=0) + ((mean - average) ** 2).mean(axis=0)),
            "p_positive": ndtr(mean / np.maximum(sd, 1e-300)).mean(axis=0),
        },
        draws.astype(np.float32),
    )


def sparse_loadings(block: BlockDraws, slab: Array, rng: np.random.Generator) -> Summary:
    """Summarise the loadings of some features of a block when single loadings may be zero.

    Parameters
    ----------
    block : BlockDraws
        Draws and features.
    slab : ndarray, shape (factor,)
        From `estimate_slab`.
    rng : numpy.random.Generator
        For patterns, loadings and inclusion probabilities.

    Returns
    -------
    Summary
        ``p_positive`` includes half of the probability of zero, so that 0.5 means that the sign
        is unknown.
    """
    total, draws, _ = sweep_block(block, slab, initial_state(block, slab), rng)
    inclusion, mean, square, positive = np.swapaxes(total / block.noise.size, 1, 2)
    return Summary(
        {
            "mean": mean,
            "sd": np.sqrt(np.maximum(square - mean**2, 0.0)),
            "p_positive": positive,
            "inclusion": inclusion,
        },
        draws,
    )


def summarise_loadings(
    data: ModelData,
    scores: Array,
    block_scale: Array,
    noise: Array,
    *,
    sparse: bool,
    ci_prob: float,
    keep: int | None,
    rng: np.random.Generator,
    noise_df: Array | None = None,
) -> tuple[dict[str, Array], NDArray[np.float32]]:
    """Summarise the loadings of all features, one part of a block at a time.

    Parameters
    ----------
    data : ModelData
        The fitted data.
    scores : ndarray, shape (draw, subject, factor)
        Aligned draws, already thinned.
    block_scale : ndarray, shape (draw, block, factor)
        Aligned draws; loadings of factors that are zero in all draws stay zero.
    noise : ndarray, shape (draw, block)
        Draws.
    sparse : bool
        Whether single loadings of a block may be zero.
    ci_prob : float
        Probability of the equal-tailed interval.
    keep : int or None
        Draws of whole maps to return; by default as many as `STORED_NUMBERS` allows, at most 500.
    rng : numpy.random.Generator
        For the draws of the loadings.
    noise_df : ndarray, shape (draw,), optional
        Degrees of freedom where each feature has its own noise, which is then drawn under
        Gaussian loadings.

    Returns
    -------
    summary : dict of ndarray, shape (factor, feature)
        ``mean``, ``sd``, ``lower``, ``upper``, ``p_positive`` and, if `sparse`, ``inclusion``.
    draws : ndarray of float32, shape (loading_draw, factor, feature)
        Draws of whole maps.
    """
    on = np.flatnonzero(block_scale.any(axis=(0, 1)))
    pieces = _pieces(data, scores[..., on], block_scale[..., on], noise)
    if noise_df is not None:
        pieces = [(at, _with_feature_noise(block, noise_df, rng)) for at, block in pieces]
    n_draws, k, p = scores.shape[0], scores.shape[2], data.feature_noise.size
    n_keep = min(n_draws, keep or min(500, max(1, STORED_NUMBERS // (k * p))))
    rows = np.linspace(0, n_draws - 1, n_keep).round().astype(int)
    kept = np.zeros((n_keep, k, p), dtype=np.float32)
    summary = _zero_summary(k, p, sparse=sparse)
    if not on.size:
        return summary, kept
    slab = estimate_slab([b for _, b in pieces], rng) if sparse else None
    tails = ((1 - ci_prob) / 2, (1 + ci_prob) / 2)
    tasks = (
        (block, slab, tails, rows, stream)
        for (_, block), stream in zip(pieces, rng.spawn(len(pieces)), strict=True)
    )
    # Threads suffice: the kernels release the global interpreter lock.
    found = fan_out_in_turn(_summarise, tasks, n_jobs=-1, where="here")
    for (at, _), (statistics, draws) in zip(pieces, found, strict=True):
        for name, value in statistics.items():
            scaled = name not in ("p_positive", "inclusion")
            summary[name][np.ix_(on, at)] = value * data.feature_noise[at] if scaled else value
        kept[np.ix_(np.arange(n_keep), on, at)] = draws * data.feature_noise[at]
    return summary, kept


def _zero_summary(k: int, p: int, *, sparse: bool) -> dict[str, Array]:
    """Summary of loadings that are zero in all draws."""
    zeros = ("mean", "sd", "lower", "upper", *(("inclusion",) if sparse else ()))
    return {name: np.zeros((k, p)) for name in zeros} | {"p_positive": np.full((k, p), 0.5)}


def _summarise(
    block: BlockDraws,
    slab: Array | None,
    tails: tuple[float, float],
    rows: IntArray,
    rng: np.random.Generator,
) -> Summary:
    """Summarise one part with its intervals, and keep the draws `rows`."""
    statistics, draws = (
        gaussian_loadings(block, rng) if slab is None else sparse_loadings(block, slab, rng)
    )
    # The method whose interval contains a further draw with the stated probability, even with few
    # draws.
    low, high = np.quantile(draws, tails, axis=0, method="weibull")
    return Summary(statistics | {"lower": low, "upper": high}, draws[rows])


def _with_feature_noise(block: BlockDraws, df: Array, rng: np.random.Generator) -> BlockDraws:
    """Draw the relative noise of each feature."""
    squares = residual_squares(block.scores_q, block.block_scale, block.y)
    drawn = draw_relative_noise(squares, block.noise, df, len(block.y), rng)
    return replace(block, relative=drawn)


def _pieces(
    data: ModelData, scores: Array, block_scale: Array, noise: Array
) -> list[tuple[IntArray, BlockDraws]]:
    """Split features by block, and large blocks into parts of at most `MAX_FEATURES`."""
    y, code = data.projected, data.code
    scores_q = np.einsum("nm,dnk->dmk", data.stats.score_basis, scores, optimize=True)
    return [
        (at, BlockDraws(scores_q, block_scale[:, b], noise[:, b], np.ascontiguousarray(y[:, at])))
        for b in range(len(data.stats.blocks))
        for members in [np.flatnonzero(code == b)]
        for at in np.array_split(members, -(-members.size // MAX_FEATURES))
    ]
