r"""Edges given the scores of whitened edges: variance explained, and scales of loadings.

All edges have the same regressors, so that generalised least squares are ordinary ones [1]_. Given
a draw of the scores,

.. math:: \hat\lambda_p = G H_q^\top y_{qp}, \qquad G = (H_q^\top H_q)^{-1},

has the error covariance :math:`v_p G`. Errors of different edges are correlated; a set of draws of
whitened noise, mapped back to edges, has their covariance. Sums of squares over a block follow from
cross-products of subjects, so that the cost for each draw does not depend on the number of edges.

References
----------
.. [1] Zellner, A. (1962). An efficient method of estimating seemingly unrelated regressions and
   tests for aggregation bias. Journal of the American Statistical Association, 57, 348-368.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayes_mdd.shared_specific.data.model_data import ModelData
from bayes_mdd.types import Array

#: Maps of edge errors from which the errors of loadings are drawn.
BANK = 64
#: Least prior variance of the loadings of a block, in units of the noise variance.
LEAST_RATIO = 1e-6


@dataclass(frozen=True, eq=False)
class EdgeMoments:
    """Sums over the edges of each block, per draw.

    Parameters
    ----------
    squares : ndarray, shape (draw, block, factor)
        Draws of the sum of squared loadings; unbiased, so that values below zero occur.
    residual : ndarray, shape (draw, block)
        Sum of the residual variances.
    """

    squares: Array
    residual: Array


def edge_explained(
    data: ModelData, scores: Array, sharing: Array, noise: Array, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Compute the variance of edges that factors explain.

    Parameters
    ----------
    data : ModelData
        The fitted data, with whitened edges.
    scores : ndarray, shape (draw, subject, factor)
        Draws; factors that are not in the model are zero in all of them.
    sharing : ndarray, shape (draw, arm, factor)
        Draws.
    noise : ndarray, shape (whitened_block,)
        Noise of the whitened blocks.
    rng : numpy.random.Generator
        For the errors of the loadings.

    Returns
    -------
    overall : ndarray, shape (draw, arm, factor)
        Share of an arm's variance over all edges.
    by_block : ndarray, shape (draw, arm, block, factor)
        Share of an arm's variance within a block of edges.
    """
    moments = edge_moments(data, scores, noise, rng)
    parts = len(data.arms) * sharing[:, :, None, :] * moments.squares[:, None]
    inside = np.maximum(parts, 0.0)
    by_block = inside / (inside.sum(axis=3) + moments.residual[:, None])[..., None]
    total = np.maximum(parts.sum(axis=2), 0.0)
    left = moments.residual.sum(axis=1)[:, None]
    return total / (total.sum(axis=2) + left)[..., None], by_block


def edge_moments(
    data: ModelData, scores: Array, noise: Array, rng: np.random.Generator
) -> EdgeMoments:
    """Draw the sums of squared loadings over the edges of each block.

    Parameters
    ----------
    data : ModelData
        The fitted data, with whitened edges.
    scores : ndarray, shape (draw, subject, factor)
        Draws.
    noise : ndarray, shape (whitened_block,)
        Noise of the whitened blocks.
    rng : numpy.random.Generator
        For the errors of the loadings.

    Returns
    -------
    EdgeMoments
        Zero for factors whose scores are zero in all draws.
    """
    shown = data.shown
    n_draws, _, k = scores.shape
    n_blocks = len(shown.stats.blocks)
    squares = np.zeros((n_draws, n_blocks, k))
    on = np.flatnonzero(scores.any(axis=(0, 1)))
    m = shown.stats.basis.shape[1]
    if not on.size:
        total = shown.total.traces / m
        return EdgeMoments(squares, np.broadcast_to(total, (n_draws, n_blocks)).copy())
    h = np.einsum("nm,dnk->dmk", shown.stats.score_basis, scores[..., on], optimize=True)
    inverse = np.linalg.inv(np.swapaxes(h, 1, 2) @ h)
    root = np.linalg.cholesky(inverse)
    own = np.diagonal(inverse, axis1=1, axis2=2)
    errors = _error_maps(data, noise, rng)
    y = shown.stats.score_basis.T @ shown.features["y"].transpose("subject", "feature").values
    chosen = np.argsort(rng.random((n_draws, BANK)), axis=1)[:, : on.size]
    residual = np.empty((n_draws, n_blocks))
    crosses, traces = shown.total.between(h), shown.total.traces
    for b in range(n_blocks):
        at = np.flatnonzero(shown.code == b)
        plain = inverse @ crosses[:, b]
        residual[:, b] = traces[b] - np.trace(plain, axis1=1, axis2=2)
        residual[:, b] = np.maximum(residual[:, b], 1e-12) / (m - on.size)
        size = np.sqrt(residual[:, b] / (errors[:, at] ** 2).sum(axis=1).mean())
        with_y = (y[:, at] @ errors[:, at].T)[:, chosen].transpose(1, 0, 2)
        crossed = inverse @ (np.swapaxes(h, 1, 2) @ with_y) @ np.swapaxes(root, 1, 2)
        gram = (errors[:, at] @ errors[:, at].T)[chosen[:, :, None], chosen[:, None, :]]
        of_errors = root @ gram @ np.swapaxes(root, 1, 2)
        squares[:, b, on] = (
            np.diagonal(plain @ inverse, axis1=1, axis2=2)
            + 2 * size[:, None] * np.diagonal(crossed, axis1=1, axis2=2)
            + size[:, None] ** 2 * np.diagonal(of_errors, axis1=1, axis2=2)
            - 2 * own * residual[:, b, None]
        )
    return EdgeMoments(squares, residual)


def edge_scales(data: ModelData, scores: Array) -> tuple[Array, Array]:
    """Estimate prior SDs of loadings and noise of edges, given draws of the scores.

    Parameters
    ----------
    data : ModelData
        The fitted data, with whitened edges.
    scores : ndarray, shape (draw, subject, factor)
        Draws.

    Returns
    -------
    block_scale : ndarray, shape (draw, block, factor)
        Root mean square of the loadings of a block of edges without their errors, in units of the
        noise; zero for factors whose scores are zero in all draws.
    noise : ndarray, shape (draw, block)
        Noise SD of a block of edges, over the relative noise of its edges.
    """
    shown = data.shown
    n_draws, _, k = scores.shape
    stats = shown.stats
    on = np.flatnonzero(scores.any(axis=(0, 1)))
    scale = np.zeros((n_draws, len(stats.blocks), k))
    m = stats.basis.shape[1]
    if not on.size:
        variance = stats.traces / (m * stats.block_size)
        return scale, np.broadcast_to(np.sqrt(variance), (n_draws, variance.size)).copy()
    h = np.einsum("nm,dnk->dmk", stats.score_basis, scores[..., on], optimize=True)
    inverse = np.linalg.inv(np.swapaxes(h, 1, 2) @ h)
    own = np.diagonal(inverse, axis1=1, axis2=2)
    variance = np.empty((n_draws, len(stats.blocks)))
    crosses = stats.products.between(h)
    for b, size in enumerate(stats.block_size):
        plain = inverse @ crosses[:, b]
        left = stats.traces[b] - np.trace(plain, axis1=1, axis2=2)
        variance[:, b] = np.maximum(left, 1e-12) / ((m - on.size) * size)
        square = np.diagonal(plain @ inverse, axis1=1, axis2=2) / size
        ratio = square / variance[:, b, None] - own
        scale[:, b, on] = np.sqrt(np.maximum(ratio, LEAST_RATIO))
    return scale, np.sqrt(variance)


def _error_maps(data: ModelData, noise: Array, rng: np.random.Generator) -> Array:
    """Draws of the errors of all edges, shape (map, feature), in the order of the features."""
    white = data.whitening
    if white is None:
        raise ValueError("the features are not whitened")
    sd = noise[data.code] * data.feature_noise
    maps = white.map.back(sd * rng.standard_normal((BANK, sd.size)))
    out = np.empty_like(maps)
    out[:, white.order] = maps
    return out
