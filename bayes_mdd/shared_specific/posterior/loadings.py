r"""Loadings given the draws of everything else, exactly and without a P x P matrix.

Given scores, block scales and noise, the loadings of a feature are Gaussian with

.. math:: V_b = (D_b^{-2} + H_q^\top H_q)^{-1}, \qquad
   \lambda_p \sim N(V_b H_q^\top y_{qp},\; \sigma_b^2 V_b)

so that means, standard deviations and sign probabilities are averages of closed forms over draws.
Where every feature has a noise of its own, it is drawn first (see `feature_noise`), and the
covariance is scaled by it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy.special import ndtr

from bayes_mdd.shared_specific.data.model_data import ModelData
from bayes_mdd.shared_specific.posterior.feature_noise import (
    draw_relative_noise,
    residual_squares,
    unexplained,
)
from bayes_mdd.shared_specific.posterior.sparse import BlockDraws, begin, learn_slab, walk_block
from bayes_mdd.types import Array

#: Memory that stored draws of whole maps may take, in numbers of 4 bytes.
STORED_NUMBERS = 16_000_000
#: Features summed up at once, at most.
PIECE = 2048


@dataclass(frozen=True, eq=False)
class Conditional:
    """The Gaussian of a block's loadings, per draw.

    Parameters
    ----------
    coefficient : ndarray, shape (draw, factor, n)
        Turns projected features into conditional means.
    root : ndarray, shape (draw, factor, factor)
        Lower Cholesky factor of the conditional covariance.
    """

    coefficient: Array
    root: Array


def conditional_loadings(scores_q: Array, block_scale: Array, noise: Array) -> Conditional:
    """Conditional distribution of the loadings of one block's features.

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
    left = unexplained(scores_q, block_scale)
    v = d * left * np.swapaxes(d, 1, 2)
    root = d * np.linalg.cholesky(left)
    return Conditional(v @ np.swapaxes(scores_q, 1, 2), noise[:, None, None] * root)


def second_moment(
    scores_q: Array, block_scale: Array, noise: Array, cross: Array, size: float | Array
) -> Array:
    """Sum the expected outer products of the loadings over a block's features.

    Parameters
    ----------
    scores_q, block_scale, noise : ndarray
        As in `conditional_loadings`.
    cross : ndarray, shape (n, n)
        Cross-products of the block's features, in the unit in which loadings are wanted.
    size : float or ndarray of shape (draw,)
        Number of the block's features where their relative noise has mean square 1, else the sum
        of its squares.

    Returns
    -------
    ndarray, shape (draw, factor, factor)
        One matrix a draw.
    """
    given = conditional_loadings(scores_q, block_scale, noise)
    mean = given.coefficient @ cross @ np.swapaxes(given.coefficient, 1, 2)
    spread = given.root @ np.swapaxes(given.root, 1, 2)
    return np.asarray(mean + np.reshape(size, (-1, 1, 1)) * spread)


class Summary(NamedTuple):
    """The loadings of some features, over draws.

    Parameters
    ----------
    statistics : dict of ndarray, shape (factor, feature)
        ``mean``, ``sd``, ``p_positive`` and, of sparse loadings, ``inclusion``.
    draws : ndarray, shape (draw, factor, feature)
        Draws.
    """

    statistics: dict[str, Array]
    draws: NDArray[np.float32]


def gaussian_loadings(block: BlockDraws, rng: np.random.Generator) -> Summary:
    """Sum up the loadings of some features of a block under their Gaussian prior.

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
    given = conditional_loadings(block.scores_q, block.block_scale, block.noise)
    n_draws, k = block.block_scale.shape
    mean = given.coefficient @ block.y
    spread = np.sqrt((given.root**2).sum(axis=2))[:, :, None]
    away = given.root @ rng.standard_normal((n_draws, k, block.y.shape[1]))
    if block.relative is not None:
        spread, away = spread * block.relative[:, None], away * block.relative[:, None]
    draws = mean + away
    average = mean.mean(axis=0)
    return Summary(
        {
            "mean": average,
            "sd": np.sqrt((spread**2).mean(axis=0) + ((mean - average) ** 2).mean(axis=0)),
            "p_positive": ndtr(mean / np.maximum(spread, 1e-300)).mean(axis=0),
        },
        draws.astype(np.float32),
    )


def sparse_loadings(block: BlockDraws, slab: Array, rng: np.random.Generator) -> Summary:
    """Sum up the loadings of some features of a block of which some may be zero.

    Parameters
    ----------
    block : BlockDraws
        Draws and features.
    slab : ndarray, shape (factor,)
        From `learn_slab`.
    rng : numpy.random.Generator
        For patterns, loadings and inclusion.

    Returns
    -------
    Summary
        ``p_positive`` counts one half of the probability of zero, so that 0.5 is no evidence.
    """
    total, draws, _ = walk_block(block, slab, begin(block, slab), rng)
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
    """Stream over features and sum up their loadings.

    Parameters
    ----------
    data : ModelData
        The fitted data.
    scores : ndarray, shape (draw, subject, factor)
        Aligned draws, thinned already.
    block_scale : ndarray, shape (draw, block, factor)
        Aligned draws; factors that are zero throughout are left at zero.
    noise : ndarray, shape (draw, block)
        Draws.
    sparse : bool
        Whether single loadings of a block may be zero.
    ci_prob : float
        Probability of the equal-tailed interval.
    keep : int or None
        Draws of whole maps to return; by default as many as fit the memory, at most 500.
    rng : numpy.random.Generator
        For the draws of the loadings.
    noise_df : ndarray, shape (draw,), optional
        Degrees of freedom where each feature has a noise of its own, which is then drawn given
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
        pieces = [(at, _with_own_noise(block, noise_df, rng)) for at, block in pieces]
    n_draws, k, p = scores.shape[0], scores.shape[2], data.feature_noise.size
    n_keep = min(n_draws, keep or min(500, max(1, STORED_NUMBERS // (k * p))))
    rows = np.linspace(0, n_draws - 1, n_keep).round().astype(int)
    kept = np.zeros((n_keep, k, p), dtype=np.float32)
    summary = {name: np.zeros((k, p)) for name in ("mean", "sd", "lower", "upper")}
    summary["p_positive"] = np.full((k, p), 0.5)
    if sparse:
        summary["inclusion"] = np.zeros((k, p))
    if not on.size:
        return summary, kept
    slab = learn_slab([b for _, b in pieces], rng) if sparse else None
    tails = ((1 - ci_prob) / 2, (1 + ci_prob) / 2)
    # Threads: the kernels release the interpreter.
    found = Parallel(n_jobs=-1, require="sharedmem", return_as="generator")(
        delayed(_sum_up)(block, slab, tails, rows, own)
        for (_, block), own in zip(pieces, rng.spawn(len(pieces)), strict=True)
    )
    for (at, _), (statistics, draws) in zip(pieces, found, strict=True):
        for name, value in statistics.items():
            scaled = name not in ("p_positive", "inclusion")
            summary[name][np.ix_(on, at)] = value * data.feature_noise[at] if scaled else value
        kept[np.ix_(np.arange(n_keep), on, at)] = draws * data.feature_noise[at]
    return summary, kept


def _sum_up(
    block: BlockDraws,
    slab: Array | None,
    tails: tuple[float, float],
    rows: NDArray[np.int64],
    rng: np.random.Generator,
) -> Summary:
    """Add the interval, and keep some of the draws."""
    statistics, draws = (
        gaussian_loadings(block, rng) if slab is None else sparse_loadings(block, slab, rng)
    )
    # Quantiles that hold one more draw with the probability they name, however few there are.
    low, high = np.quantile(draws, tails, axis=0, method="weibull")
    return Summary(statistics | {"lower": low, "upper": high}, draws[rows])


def _with_own_noise(block: BlockDraws, df: Array, rng: np.random.Generator) -> BlockDraws:
    squares = residual_squares(block.scores_q, block.block_scale, block.y)
    drawn = draw_relative_noise(squares, block.noise, df, len(block.y), rng)
    return replace(block, relative=drawn)


def _pieces(
    data: ModelData, scores: Array, block_scale: Array, noise: Array
) -> list[tuple[NDArray[np.int64], BlockDraws]]:
    """Cut the features into blocks, and large blocks into parts that fit the memory."""
    y, code = data.projected, data.code
    scores_q = np.einsum("nm,dnk->dmk", data.stats.basis, scores, optimize=True)
    return [
        (at, BlockDraws(scores_q, block_scale[:, b], noise[:, b], np.ascontiguousarray(y[:, at])))
        for b in range(len(data.stats.blocks))
        for members in [np.flatnonzero(code == b)]
        for at in np.array_split(members, -(-members.size // PIECE))
    ]
