"""Gibbs sweeps over the factors of each feature, where patterns are too many to enumerate."""

from __future__ import annotations

from math import erfc, exp, log, sqrt

import numpy as np

from bayes_mdd.kernels import compiled
from bayes_mdd.types import Array


@compiled
def gibbs_sweeps(
    projected: Array,
    gram: Array,
    slab: Array,
    inclusion: Array,
    noise: float,
    normal: Array,
    uniform: Array,
    loading: Array,
) -> tuple[Array, Array]:
    """Make Gibbs sweeps over the factors, where there are too many patterns to enumerate.

    Each update draws jointly whether a loading is zero and its value, given the other loadings of
    the feature. Moments are averages over the distributions of the updates (Rao-Blackwell).

    Parameters
    ----------
    projected : ndarray, shape (feature, factor)
        Scores times features, H'y.
    gram : ndarray, shape (factor, factor)
        Cross-products of the scores.
    slab, inclusion : ndarray, shape (factor,)
        As in `bayes_mdd.shared_specific.posterior.inclusion.enumerate_patterns`.
    noise : float
        Noise SD of the block.
    normal, uniform : ndarray, shape (sweep, feature, factor)
        Standard normal and uniform numbers.
    loading : ndarray, shape (feature, factor)
        State at which the sweeps start; changed in place to the state after the last sweep.

    Returns
    -------
    moments : ndarray, shape (4, feature, factor)
        As in `enumerate_patterns`, averaged over sweeps.
    loading : ndarray, shape (feature, factor)
        The argument.
    """
    sweeps, p, k = normal.shape
    moments = np.zeros((4, p, k))
    odds, size, spread = np.zeros(k), np.zeros(k), np.zeros(k)
    for i in range(k):
        size[i] = slab[i] / (1.0 + slab[i] * gram[i, i])
        spread[i] = noise * sqrt(size[i])
        odds[i] = log(inclusion[i] / (1.0 - inclusion[i])) - 0.5 * log(1.0 + slab[i] * gram[i, i])
    for f in range(p):
        for s in range(sweeps):
            for i in range(k):
                remaining = projected[f, i]
                for j in range(k):
                    if j != i:
                        remaining -= gram[i, j] * loading[f, j]
                mean = size[i] * remaining
                included = 1.0 / (1.0 + exp(-(odds[i] + 0.5 * (mean / spread[i]) ** 2)))
                positive = 0.5 * erfc(-mean / (spread[i] * sqrt(2.0)))
                moments[0, f, i] += included
                moments[1, f, i] += included * mean
                moments[2, f, i] += included * (mean * mean + spread[i] * spread[i])
                moments[3, f, i] += included * positive + 0.5 * (1.0 - included)
                if uniform[s, f, i] < included:
                    loading[f, i] = mean + spread[i] * normal[s, f, i]
                else:
                    loading[f, i] = 0.0
    return moments / sweeps, loading
