r"""Which factors an edge takes part in: all :math:`2^K` patterns, weighed exactly.

With :math:`\lambda_{pk} \sim \pi_k N(0, \sigma^2 v_k) + (1 - \pi_k)\,\delta_0` the features of a
person-by-factor regression :math:`y_p = H \lambda_p + e_p` have, for a pattern :math:`\gamma`,

.. math::
    \log p(y_p, \gamma) = \text{const} + \log p(\gamma) - \tfrac12 \log|M_\gamma|
    + \tfrac{1}{2\sigma^2} \lVert L_\gamma^{-1} c_\gamma \rVert^2, \qquad
    c = v^{1/2} \odot H^\top y_p,

with :math:`M = I + v^{1/2} H^\top H v^{1/2}` and :math:`L_\gamma` the Cholesky factor of its part.
A pattern is its bits; without its highest bit it is a smaller pattern, whose Cholesky factor and
forward substitution are known already, so that a pattern costs one row instead of a factorisation.
"""

from __future__ import annotations

from math import erfc, exp, log, sqrt

import numpy as np
from numba import njit

from bayes_mdd.types import Array

#: Weights of patterns below this do not count in moments.
NEGLIGIBLE = 1e-6


@njit(cache=True, nogil=True)
def factorise(gram: Array, slab: Array, inclusion: Array) -> tuple[Array, Array, Array, Array]:
    """Cholesky rows of every pattern, and what does not depend on the feature.

    Parameters
    ----------
    gram : ndarray, shape (factor, factor)
        Cross-products of the scores.
    slab : ndarray, shape (factor,)
        Variance of a loading that is not zero, in units of the noise variance.
    inclusion : ndarray, shape (factor,)
        Prior probability that a loading is not zero.

    Returns
    -------
    row : ndarray, shape (pattern, factor)
        Last row of the pattern's Cholesky factor, without its diagonal.
    diagonal : ndarray, shape (pattern,)
        Its diagonal element.
    constant : ndarray, shape (pattern,)
        Log prior of the pattern minus half the log determinant.
    variance : ndarray, shape (pattern, factor)
        Diagonal of the inverse of the pattern's matrix.
    """
    k = slab.size
    n = 1 << k
    root = np.sqrt(slab)
    row, diagonal = np.zeros((n, k)), np.ones(n)
    constant, variance = np.zeros(n), np.zeros((n, k))
    for i in range(k):
        constant[0] += log(1.0 - inclusion[i])
    inverse = np.zeros((k, k))
    for j in range(k):
        odds = log(inclusion[j]) - log(1.0 - inclusion[j])
        for below in range(1 << j):
            m = below | (1 << j)
            left = 1.0 + slab[j] * gram[j, j]
            for i in range(j):
                if below >> i & 1:
                    q = below & ((2 << i) - 1)
                    s = root[i] * root[j] * gram[i, j]
                    for h in range(i):
                        if below >> h & 1:
                            s -= row[q, h] * row[m, h]
                    row[m, i] = s / diagonal[q]
                    left -= row[m, i] ** 2
            diagonal[m] = sqrt(left)
            constant[m] = constant[below] + odds - log(diagonal[m])
            _inverse_diagonal(m, k, row, diagonal, inverse, variance[m])
    return row, diagonal, constant, variance


@njit(cache=True, nogil=True)
def _inverse_diagonal(
    m: int, k: int, row: Array, diagonal: Array, inverse: Array, out: Array
) -> None:
    """Diagonal of the inverse of L L' from the columns of L's inverse."""
    for c in range(k):
        if not m >> c & 1:
            continue
        for i in range(c, k):
            if not m >> i & 1:
                continue
            q = m & ((2 << i) - 1)
            s = 1.0 if i == c else 0.0
            for h in range(c, i):
                if m >> h & 1:
                    s -= row[q, h] * inverse[h, c]
            inverse[i, c] = s / diagonal[q]
            out[c] += inverse[i, c] ** 2


@njit(cache=True, nogil=True)
def _weigh(
    c: Array,
    half_precision: float,
    row: Array,
    diagonal: Array,
    constant: Array,
    z: Array,
    w: Array,
) -> None:
    """Forward substitutions and normalised weights of all patterns of one feature."""
    k, n = c.size, diagonal.size
    w[0] = 0.0
    for j in range(k):
        for below in range(1 << j):
            m = below | (1 << j)
            s = c[j]
            for i in range(j):
                if below >> i & 1:
                    s -= row[m, i] * z[below & ((2 << i) - 1)]
            z[m] = s / diagonal[m]
            w[m] = w[below] + z[m] * z[m]
    top = -np.inf
    for m in range(n):
        w[m] = constant[m] + half_precision * w[m]
        top = max(top, w[m])
    total = 0.0
    for m in range(n):
        w[m] = exp(w[m] - top)
        total += w[m]
    for m in range(n):
        w[m] /= total


@njit(cache=True, nogil=True)
def _backward(m: int, k: int, row: Array, diagonal: Array, x: Array) -> None:
    """Solve L' x = x in place, on the bits of the pattern."""
    for i in range(k - 1, -1, -1):
        if not m >> i & 1:
            continue
        q = m & ((2 << i) - 1)
        x[i] /= diagonal[q]
        for h in range(i):
            if m >> h & 1:
                x[h] -= row[q, h] * x[i]


@njit(cache=True, nogil=True)
def _choose(w: Array, uniform: float) -> int:
    """Pick the pattern at which the weights have added up to `uniform`."""
    reached = 0.0
    for m in range(w.size):
        reached += w[m]
        if reached >= uniform:
            return m
    return int(w.size) - 1


@njit(cache=True, nogil=True)
def _load(m: int, z: Array, x: Array) -> None:
    """Gather a pattern's forward substitution from the smaller patterns that hold its parts."""
    for i in range(x.size):
        if m >> i & 1:
            x[i] = z[m & ((2 << i) - 1)]


@njit(cache=True, nogil=True)
def _add_moments(
    m: int, weight: float, root: Array, x: Array, sd: Array, moments: Array, f: int
) -> None:
    """Add a pattern's part of the moments of feature f, whose means are `root` times `x`."""
    for i in range(x.size):
        if m >> i & 1:
            mean = root[i] * x[i]
            moments[0, f, i] += weight
            moments[1, f, i] += weight * mean
            moments[2, f, i] += weight * (mean * mean + sd[i] * sd[i])
            moments[3, f, i] += weight * 0.5 * erfc(-mean / (sd[i] * sqrt(2.0)))
        else:
            moments[3, f, i] += 0.5 * weight


@njit(cache=True, nogil=True)
def visit_features(
    projected: Array,
    gram: Array,
    slab: Array,
    inclusion: Array,
    noise: float,
    normal: Array,
    uniform: Array,
) -> tuple[Array, Array]:
    """Posterior of the loadings of a block's features given one draw of everything else.

    Parameters
    ----------
    projected : ndarray, shape (feature, factor)
        Scores times features, H'y.
    gram : ndarray, shape (factor, factor)
        Cross-products of the scores.
    slab, inclusion : ndarray, shape (factor,)
        Variance of a loading that is not zero, over the noise variance; and its probability.
    noise : float
        Noise SD of the block.
    normal : ndarray, shape (feature, factor)
        Standard normal numbers, for the draw of the loadings.
    uniform : ndarray, shape (feature,)
        Uniform numbers, for the draw of the pattern.

    Returns
    -------
    moments : ndarray, shape (4, feature, factor)
        Probability of not being zero, mean, second moment, and probability of being positive
        plus half of that of being zero.
    drawn : ndarray, shape (feature, factor)
        One draw of the loadings.
    """
    p, k = projected.shape
    row, diagonal, constant, variance = factorise(gram, slab, inclusion)
    n = diagonal.size
    root = np.sqrt(slab)
    moments, drawn = np.zeros((4, p, k)), np.zeros((p, k))
    z, w, x = np.zeros(n), np.zeros(n), np.zeros(k)
    spread = noise * root * np.sqrt(variance)
    half_precision = 0.5 / (noise * noise)
    for f in range(p):
        _weigh(root * projected[f], half_precision, row, diagonal, constant, z, w)
        for m in range(n):
            if w[m] < NEGLIGIBLE:
                continue
            _load(m, z, x)
            _backward(m, k, row, diagonal, x)
            _add_moments(m, w[m], root, x, spread[m], moments, f)
        m = _choose(w, uniform[f])
        _load(m, z, x)
        x += noise * normal[f]
        _backward(m, k, row, diagonal, x)
        for i in range(k):
            if m >> i & 1:
                drawn[f, i] = root[i] * x[i]
    return moments, drawn


@njit(cache=True, nogil=True)
def sweep_features(
    projected: Array,
    gram: Array,
    slab: Array,
    inclusion: Array,
    noise: float,
    normal: Array,
    uniform: Array,
    loading: Array,
) -> tuple[Array, Array]:
    """Gibbs sweeps over the factors, where patterns are too many to visit all.

    Each update draws whether a loading is zero and its value together, given the feature's other
    loadings; moments are those of the updates' own distributions (Rao-Blackwell).

    Parameters
    ----------
    projected : ndarray, shape (feature, factor)
        Scores times features, H'y.
    gram : ndarray, shape (factor, factor)
        Cross-products of the scores.
    slab, inclusion : ndarray, shape (factor,)
        As in `visit_features`.
    noise : float
        Noise SD of the block.
    normal, uniform : ndarray, shape (sweep, feature, factor)
        Standard normal and uniform numbers.
    loading : ndarray, shape (feature, factor)
        Where the sweeps begin; changed in place to where they end.

    Returns
    -------
    moments : ndarray, shape (4, feature, factor)
        As in `visit_features`, averaged over sweeps.
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
                left = projected[f, i]
                for j in range(k):
                    if j != i:
                        left -= gram[i, j] * loading[f, j]
                mean = size[i] * left
                here = 1.0 / (1.0 + exp(-(odds[i] + 0.5 * (mean / spread[i]) ** 2)))
                positive = 0.5 * erfc(-mean / (spread[i] * sqrt(2.0)))
                moments[0, f, i] += here
                moments[1, f, i] += here * mean
                moments[2, f, i] += here * (mean * mean + spread[i] * spread[i])
                moments[3, f, i] += here * positive + 0.5 * (1.0 - here)
                inside = uniform[s, f, i] < here
                loading[f, i] = mean + spread[i] * normal[s, f, i] if inside else 0.0
    return moments / sweeps, loading
