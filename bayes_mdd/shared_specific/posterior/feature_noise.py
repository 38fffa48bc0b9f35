r"""The noise of each feature given the draws of everything else.

Where every feature has a noise variance of its own (``feature_noise="student"``), it was integrated
out during sampling. Given scores, block scales, noise and degrees of freedom it is

.. math:: v_p \sim \text{inverse-gamma}\Big(\frac{\nu + n}{2},\;
    \frac{\nu + q_p / \sigma_b^2}{2}\Big), \qquad
    q_p = y_{qp}^\top (I + H_q D_b^2 H_q^\top)^{-1} y_{qp},

with the loadings integrated out. Loadings given :math:`v_p` are those of block noise, their
covariance scaled by :math:`v_p`; their means do not depend on it.
"""

from __future__ import annotations

import numpy as np

from bayes_mdd.shared_specific.data.model_data import ModelData
from bayes_mdd.shared_specific.likelihood.student import sort_features
from bayes_mdd.types import Array

#: Features times draws times factors that are handled at once.
AT_ONCE = 4_000_000


def unexplained(scores_q: Array, block_scale: Array) -> Array:
    """Inverse of I + D Hq' Hq D, from which the conditional of a block's loadings follows.

    Parameters
    ----------
    scores_q : ndarray, shape (draw, n, factor)
        Scores in the basis orthogonal to the design.
    block_scale : ndarray, shape (draw, factor)
        Block scales of the block.

    Returns
    -------
    ndarray, shape (draw, factor, factor)
        V_b = D (I + D G D)^-1 D stays defined when a block scale is zero.
    """
    d = block_scale[:, :, None]
    gram = np.swapaxes(scores_q, 1, 2) @ scores_q
    return np.asarray(np.linalg.inv(np.eye(block_scale.shape[1]) + d * gram * np.swapaxes(d, 1, 2)))


def loading_spread(scores_q: Array, block_scale: Array) -> Array:
    """Conditional covariance of the loadings of one block, in units of the noise variance.

    Parameters
    ----------
    scores_q, block_scale : ndarray
        As in `unexplained`.

    Returns
    -------
    ndarray, shape (draw, factor, factor)
        V_b.
    """
    d = block_scale[:, :, None]
    return np.asarray(d * unexplained(scores_q, block_scale) * np.swapaxes(d, 1, 2))


def residual_squares(scores_q: Array, block_scale: Array, y: Array) -> Array:
    """Squared size of each feature against what factors and unit noise let it be.

    Parameters
    ----------
    scores_q : ndarray, shape (draw, n, factor)
        Scores in the basis orthogonal to the design.
    block_scale : ndarray, shape (draw, factor)
        Block scales of the block.
    y : ndarray, shape (n, feature)
        Features of the block in the same basis.

    Returns
    -------
    ndarray, shape (draw, feature)
        q_p.
    """
    spread = loading_spread(scores_q, block_scale)
    found = np.empty((len(scores_q), y.shape[1]))
    step = max(1, AT_ONCE // max(1, len(scores_q) * block_scale.shape[1]))
    for at in range(0, y.shape[1], step):
        part = y[:, at : at + step]
        projected = np.swapaxes(scores_q, 1, 2) @ part
        explained = (projected * (spread @ projected)).sum(axis=1)
        found[:, at : at + step] = np.maximum((part**2).sum(axis=0) - explained, 0.0)
    return found


def draw_relative_noise(
    squares: Array, noise: Array, df: Array, n: int, rng: np.random.Generator
) -> Array:
    """Draw the noise SD of each feature relative to its block.

    Parameters
    ----------
    squares : ndarray, shape (draw, feature)
        From `residual_squares`.
    noise : ndarray, shape (draw,)
        Noise of the block.
    df : ndarray, shape (draw,)
        Degrees of freedom.
    n : int
        Number of people less columns of the design.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (draw, feature)
        Square root of v_p.
    """
    rate = 0.5 * (df[:, None] + squares / noise[:, None] ** 2)
    return np.asarray(np.sqrt(rate / rng.gamma(0.5 * (df[:, None] + n), size=squares.shape)))


def expected_sizes(
    data: ModelData, scores_q: Array, block_scale: Array, noise: Array, df: Array
) -> Array:
    """Sum the expected relative noise variances over the features of each block.

    Parameters
    ----------
    data : ModelData
        The fitted data.
    scores_q : ndarray, shape (draw, n, factor)
        Scores in the basis orthogonal to the design.
    block_scale : ndarray, shape (draw, block, factor)
        Draws.
    noise : ndarray, shape (draw, block)
        Draws.
    df : ndarray, shape (draw,)
        Draws.

    Returns
    -------
    ndarray, shape (draw, block)
        Takes the place that the number of features has under block noise.
    """
    stats = data.stats
    n = stats.basis.shape[1]
    found = np.empty(noise.shape)
    for b, (cross, trace) in enumerate(zip(stats.cross_products, stats.traces, strict=True)):
        spread = loading_spread(scores_q, block_scale[:, b])
        pattern = np.swapaxes(scores_q, 1, 2) @ cross @ scores_q
        squares = np.maximum(trace - (spread * pattern).sum(axis=(1, 2)), 0.0)
        found[:, b] = (stats.block_size[b] * df + squares / noise[:, b] ** 2) / (df + n - 2.0)
    return found


def typical_noise(
    data: ModelData, scores: Array, block_scale: Array, noise: Array, df: Array
) -> Array:
    """Noise SD of each feature, from its expected precision over the draws.

    Parameters
    ----------
    data : ModelData
        The fitted data.
    scores : ndarray, shape (draw, subject, factor)
        Draws.
    block_scale : ndarray, shape (draw, block, factor)
        Draws.
    noise : ndarray, shape (draw, block)
        Draws.
    df : ndarray, shape (draw,)
        Draws.

    Returns
    -------
    ndarray, shape (feature,)
        In SD of the standardised feature, in the order of ``data.features``.
    """
    rows = sort_features(data)
    n = rows.y.shape[1]
    scores_q = np.einsum("nm,dnk->dmk", data.stats.basis, scores, optimize=True)
    found = np.empty(len(rows.y))
    for b in range(block_scale.shape[1]):
        at = slice(rows.start[b], rows.start[b + 1])
        squares = residual_squares(scores_q, block_scale[:, b], rows.y[at].T)
        precision = (df + n)[:, None] / (df[:, None] * noise[:, b, None] ** 2 + squares)
        found[rows.order[at]] = 1.0 / np.sqrt(precision.mean(axis=0))
    return found
