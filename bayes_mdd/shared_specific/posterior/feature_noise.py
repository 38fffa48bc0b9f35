r"""Noise of each feature given the draws of all other parameters.

With ``feature_noise="student"`` every feature has its own noise variance, which is integrated out
during sampling. Given scores, block scales, noise and degrees of freedom it is

.. math:: v_p \sim \text{inverse-gamma}\Big(\frac{\nu + n}{2},\;
    \frac{\nu + q_p / \sigma_b^2}{2}\Big), \qquad
    q_p = y_{qp}^\top (I + H_q D_b^2 H_q^\top)^{-1} y_{qp},

with the loadings integrated out. The distribution of loadings given :math:`v_p` is that under block
noise with the covariance scaled by :math:`v_p`; means do not depend on :math:`v_p`.
"""

from __future__ import annotations

import numpy as np

from bayes_mdd.shared_specific.data.model_data import ModelData, sort_features
from bayes_mdd.types import Array

#: Features times draws times factors that are processed at a time.
CHUNK_NUMBERS = 4_000_000


def standard_covariance(scores_q: Array, block_scale: Array) -> Array:
    """Conditional covariance of one block's loadings in units of their prior SD.

    Parameters
    ----------
    scores_q : ndarray, shape (draw, n, factor)
        Scores in the basis orthogonal to the design.
    block_scale : ndarray, shape (draw, factor)
        Block scales of the block.

    Returns
    -------
    ndarray, shape (draw, factor, factor)
        (I + D Hq' Hq D)^-1, which is defined also where a block scale is zero.
    """
    d = block_scale[:, :, None]
    gram = np.swapaxes(scores_q, 1, 2) @ scores_q
    return np.asarray(np.linalg.inv(np.eye(block_scale.shape[1]) + d * gram * np.swapaxes(d, 1, 2)))


def loading_covariance(scores_q: Array, block_scale: Array) -> Array:
    """Conditional covariance of the loadings of one block, in units of the noise variance.

    Parameters
    ----------
    scores_q, block_scale : ndarray
        As in `standard_covariance`.

    Returns
    -------
    ndarray, shape (draw, factor, factor)
        V_b = D (I + D Hq' Hq D)^-1 D.
    """
    d = block_scale[:, :, None]
    return np.asarray(d * standard_covariance(scores_q, block_scale) * np.swapaxes(d, 1, 2))


def residual_squares(scores_q: Array, block_scale: Array, y: Array) -> Array:
    """Squared Mahalanobis length of each feature under factors and unit noise.

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
    covariance = loading_covariance(scores_q, block_scale)
    squares = np.empty((len(scores_q), y.shape[1]))
    step = max(1, CHUNK_NUMBERS // max(1, len(scores_q) * block_scale.shape[1]))
    for at in range(0, y.shape[1], step):
        part = y[:, at : at + step]
        projected = np.swapaxes(scores_q, 1, 2) @ part
        explained = (projected * (covariance @ projected)).sum(axis=1)
        squares[:, at : at + step] = np.maximum((part**2).sum(axis=0) - explained, 0.0)
    return squares


def draw_relative_noise(
    squares: Array, noise: Array, df: Array, n: int, rng: np.random.Generator
) -> Array:
    """Draw the noise SD of each feature relative to that of its block.

    Parameters
    ----------
    squares : ndarray, shape (draw, feature)
        From `residual_squares`.
    noise : ndarray, shape (draw,)
        Noise of the block.
    df : ndarray, shape (draw,)
        Degrees of freedom.
    n : int
        Number of subjects minus number of columns of the design.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (draw, feature)
        Square root of v_p.
    """
    rate = 0.5 * (df[:, None] + squares / noise[:, None] ** 2)
    return np.asarray(np.sqrt(rate / rng.gamma(0.5 * (df[:, None] + n), size=squares.shape)))


def expected_noise_sums(
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
        Replaces the number of features in formulas for block noise.
    """
    stats = data.stats
    n = stats.basis.shape[1]
    sums = np.empty(noise.shape)
    products = stats.products.between(scores_q)
    for b, trace in enumerate(stats.traces):
        covariance = loading_covariance(scores_q, block_scale[:, b])
        squares = np.maximum(trace - (covariance * products[:, b]).sum(axis=(1, 2)), 0.0)
        sums[:, b] = (stats.block_size[b] * df + squares / noise[:, b] ** 2) / (df + n - 2.0)
    return sums


def typical_noise(
    data: ModelData, scores: Array, block_scale: Array, noise: Array, df: Array
) -> Array:
    """Compute the noise SD of each feature from its expected precision over the draws.

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
    noise_sd = np.empty(len(rows.y))
    for b in range(block_scale.shape[1]):
        at = slice(rows.start[b], rows.start[b + 1])
        squares = residual_squares(scores_q, block_scale[:, b], rows.y[at].T)
        precision = (df + n)[:, None] / (df[:, None] * noise[:, b, None] ** 2 + squares)
        noise_sd[rows.order[at]] = 1.0 / np.sqrt(precision.mean(axis=0))
    return noise_sd
