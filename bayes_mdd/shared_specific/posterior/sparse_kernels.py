"""Compiled sweep of the second stage over the draws: loadings, then inclusion probabilities.

The work at one draw is small: a loop in Python would take as long as the work itself and would
hold the global interpreter lock while other threads wait.
"""

from __future__ import annotations

import numpy as np

from bayes_mdd.kernels import compiled
from bayes_mdd.shared_specific.posterior.gibbs import gibbs_sweeps
from bayes_mdd.shared_specific.posterior.inclusion import enumerate_patterns
from bayes_mdd.types import Array

#: Up to this many factors all patterns are enumerated; beyond, Gibbs sweeps are made.
MAX_ENUMERATED = 6
SWEEPS = 3
#: SD of the log of v between the blocks of a factor.
SLAB_SPREAD = 0.7
#: Values that an inclusion probability can take, evenly spaced on the logit scale.
GRID = 1.0 / (1.0 + np.exp(-np.linspace(-8.0, 7.0, 76)))
LOG_GRID, LOG_COMPLEMENT = np.log(GRID), np.log1p(-GRID)


@compiled
def draw_inclusion(loading: Array, tau2: Array, slab: Array, uniform: Array) -> Array:
    """Draw the inclusion probabilities of a block given its loadings, on a grid.

    Parameters
    ----------
    loading : ndarray, shape (feature, factor)
        Loadings in units of the noise.
    tau2 : ndarray, shape (factor,)
        Squared block scales.
    slab : ndarray, shape (factor,)
        Slab variances: prior centres of tau^2 / inclusion.
    uniform : ndarray, shape (factor,)
        Uniform numbers.

    Returns
    -------
    ndarray, shape (factor,)
        Values of `GRID`.
    """
    p, k = loading.shape
    log_density, drawn = np.empty(GRID.size), np.empty(k)
    for i in range(k):
        n_included, squares = 0, 0.0
        for f in range(p):
            if loading[f, i] != 0.0:
                n_included += 1
                squares += loading[f, i] ** 2
        log_tau2, log_centre = np.log(tau2[i]), np.log(slab[i])
        for g in range(GRID.size):
            # The prior is that of v = tau^2 / pi and the grid is even in logit(pi), hence the
            # Jacobian d log(v) / d logit(pi) = 1 - pi.
            log_slab = log_tau2 - LOG_GRID[g]
            log_density[g] = (
                n_included * LOG_GRID[g]
                + (p - n_included + 1.0) * LOG_COMPLEMENT[g]
                - 0.5 * n_included * log_slab
                - 0.5 * squares * GRID[g] / tau2[i]
                - 0.5 * ((log_slab - log_centre) / SLAB_SPREAD) ** 2
            )
        cumulative = np.cumsum(np.exp(log_density - log_density.max()))
        at = np.searchsorted(cumulative, uniform[i] * cumulative[-1])
        drawn[i] = GRID[min(at, GRID.size - 1)]
    return drawn


@compiled
def sweep_draws(  # type: ignore[no-untyped-def]
    scores_q, block_scale, noise, rows, relative, slab, loading, inclusion, rng, kept
):
    """Update the loadings and inclusion probabilities of a block at each draw in turn.

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
        Slab variance of each factor, in units of the noise variance.
    loading : ndarray, shape (feature, factor)
        Loadings after the previous draw.
    inclusion : ndarray, shape (factor,)
        Inclusion probabilities after the previous draw.
    rng : numpy.random.Generator
        Source of randomness.
    kept : ndarray of float32, shape (draw, factor, feature)
        Receives the loadings.

    Returns
    -------
    moments : ndarray, shape (4, feature, factor)
        As in `enumerate_patterns`, summed over draws.
    loading, inclusion : ndarray
        After the last draw.
    """
    p, k = loading.shape
    total = np.zeros((4, p, k))
    for d in range(noise.size):
        h, tau2 = scores_q[d], block_scale[d] ** 2
        # Features and loadings are divided by the relative noise of the feature for the update.
        unit = relative[min(d, len(relative) - 1)].copy().reshape(p, 1)
        projected, gram, variance = np.dot(rows, h) / unit, np.dot(h.T, h), tau2 / inclusion
        if k <= MAX_ENUMERATED:
            normal, uniform = rng.standard_normal((p, k)), rng.random(p)
            moments, loading = enumerate_patterns(
                projected, gram, variance, inclusion, noise[d], normal, uniform
            )
        else:
            normals, uniforms = rng.standard_normal((SWEEPS, p, k)), rng.random((SWEEPS, p, k))
            moments, loading = gibbs_sweeps(
                projected, gram, variance, inclusion, noise[d], normals, uniforms, loading / unit
            )
        inclusion = draw_inclusion(loading / noise[d], tau2, slab, rng.random(k))
        moments[1] *= unit
        moments[2] *= unit**2
        total += moments
        loading = loading * unit
        kept[d] = loading.T
    return total, loading, inclusion
