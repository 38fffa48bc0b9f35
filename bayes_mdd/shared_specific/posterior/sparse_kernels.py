"""The second stage's walk along the draws, compiled: loadings and inclusion probabilities in turn.

Between two draws little happens, so that a loop in Python would take as long as the work, and would
hold the interpreter's lock while other threads wait.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from bayes_mdd.shared_specific.posterior.inclusion import sweep_features, visit_features
from bayes_mdd.types import Array

#: Patterns are visited one and all up to this many factors; beyond, by Gibbs sweeps.
VISIT_AT_MOST = 6
SWEEPS = 3
#: SD of the log of v between the blocks of a factor.
SLAB_SPREAD = 0.7
#: Values that an inclusion probability can take, evenly spaced on the logit scale.
GRID = 1.0 / (1.0 + np.exp(-np.linspace(-8.0, 7.0, 76)))
LOG_IN, LOG_OUT = np.log(GRID), np.log1p(-GRID)


@njit(cache=True, nogil=True)
def draw_inclusion(loading: Array, tau2: Array, slab: Array, uniform: Array) -> Array:
    """Draw inclusion probabilities given the loadings of a block, on a grid.

    Parameters
    ----------
    loading : ndarray, shape (feature, factor)
        Loadings in units of the noise.
    tau2 : ndarray, shape (factor,)
        Squared block scales.
    slab : ndarray, shape (factor,)
        Prior centre of tau^2 / inclusion.
    uniform : ndarray, shape (factor,)
        Uniform numbers.

    Returns
    -------
    ndarray, shape (factor,)
        Values of `GRID`.
    """
    p, k = loading.shape
    reach, drawn = np.empty(GRID.size), np.empty(k)
    for i in range(k):
        taking_part, squares = 0, 0.0
        for f in range(p):
            if loading[f, i] != 0.0:
                taking_part += 1
                squares += loading[f, i] ** 2
        log_tau2, log_centre = np.log(tau2[i]), np.log(slab[i])
        for g in range(GRID.size):
            # The prior is that of v = tau^2 / pi; the grid is even in logit(pi), so the Jacobian
            # d log(v) / d logit(pi) = 1 - pi enters.
            log_slab = log_tau2 - LOG_IN[g]
            reach[g] = (
                taking_part * LOG_IN[g]
                + (p - taking_part + 1.0) * LOG_OUT[g]
                - 0.5 * taking_part * log_slab
                - 0.5 * squares * GRID[g] / tau2[i]
                - 0.5 * ((log_slab - log_centre) / SLAB_SPREAD) ** 2
            )
        reach = np.cumsum(np.exp(reach - reach.max()))
        at = np.searchsorted(reach, uniform[i] * reach[-1])
        drawn[i] = GRID[min(at, GRID.size - 1)]
    return drawn


@njit(cache=True, nogil=True)
def walk(  # type: ignore[no-untyped-def]
    scores_q, block_scale, noise, rows, relative, slab, loading, inclusion, rng, kept
):
    """Visit a block's features at one draw after the other.

    Parameters
    ----------
    scores_q : ndarray, shape (draw, n, factor)
        Scores in the basis orthogonal to the design.
    block_scale : ndarray, shape (draw, factor)
        Block scales, above zero.
    noise : ndarray, shape (draw,)
        Noise SD.
    rows : ndarray, shape (feature, n)
        Features in the same basis.
    relative : ndarray, shape (draw or 1, feature)
        Noise SD of each feature relative to the block.
    slab : ndarray, shape (factor,)
        The factors' own variance of a loading that is not zero, over the noise variance.
    loading : ndarray, shape (feature, factor)
        Loadings after the draw before.
    inclusion : ndarray, shape (factor,)
        Inclusion probabilities after the draw before.
    rng : numpy.random.Generator
        Source of randomness.
    kept : ndarray of float32, shape (draw, factor, feature)
        Receives the loadings.

    Returns
    -------
    moments : ndarray, shape (4, feature, factor)
        As in `visit_features`, summed over draws.
    loading, inclusion : ndarray
        After the last draw.
    """
    p, k = loading.shape
    total = np.zeros((4, p, k))
    for d in range(noise.size):
        h, tau2 = scores_q[d], block_scale[d] ** 2
        # In units of its own noise every feature has the noise of the block.
        own = relative[min(d, len(relative) - 1)].copy().reshape(p, 1)
        projected, gram, worth = np.dot(rows, h) / own, np.dot(h.T, h), tau2 / inclusion
        if k <= VISIT_AT_MOST:
            normal, uniform = rng.standard_normal((p, k)), rng.random(p)
            moments, loading = visit_features(
                projected, gram, worth, inclusion, noise[d], normal, uniform
            )
        else:
            normals, uniforms = rng.standard_normal((SWEEPS, p, k)), rng.random((SWEEPS, p, k))
            moments, loading = sweep_features(
                projected, gram, worth, inclusion, noise[d], normals, uniforms, loading / own
            )
        inclusion = draw_inclusion(loading / noise[d], tau2, slab, rng.random(k))
        moments[1] *= own
        moments[2] *= own**2
        total += moments
        loading = loading * own
        kept[d] = loading.T
    return total, loading, inclusion
