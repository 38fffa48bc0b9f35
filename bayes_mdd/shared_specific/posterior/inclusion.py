r"""Inclusion of factors in the loadings of a feature: all :math:`2^K` patterns.

A pattern :math:`\gamma` is the set of factors with a loading that is not zero. Under
:math:`\lambda_{pk} \sim \pi_k N(0, \sigma^2 v_k) + (1 - \pi_k)\,\delta_0` and the regression
:math:`y_p = H \lambda_p + e_p` of a feature on the scores, a pattern has

.. math::
    \log p(y_p, \gamma) = \text{const} + \log p(\gamma) - \tfrac12 \log|M_\gamma|
    + \tfrac{1}{2\sigma^2} \lVert L_\gamma^{-1} c_\gamma \rVert^2, \qquad
    c = v^{1/2} \odot H^\top y_p,

with :math:`M = I + v^{1/2} H^\top H v^{1/2}` and :math:`L_\gamma` the Cholesky factor of the
rows and columns of M in the pattern. Patterns are coded as bits. Without its highest bit a pattern
is a smaller one, whose Cholesky factor and forward substitution are known already, so that each
pattern costs one row instead of a factorisation.
"""

from __future__ import annotations

from math import erfc, exp, log, sqrt

import numpy as np

from bayes_mdd.kernels import compiled
from bayes_mdd.types import Array

#: Patterns whose weight is below this are left out of moments.
NEGLIGIBLE = 1e-6


@compiled
def factorise(gram: Array, slab: Array, inclusion: Array) -> tuple[Array, Array, Array, Array]:
    """Compute the terms of every pattern that do not depend on the feature.

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
        Last row of the pattern's Cholesky factor, without the diagonal element.
    diagonal : ndarray, shape (pattern,)
        Diagonal element of that row.
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
            pivot = 1.0 + slab[j] * gram[j, j]
            for i in range(j):
                if below >> i & 1:
                    q = below & ((2 << i) - 1)
                    s = root[i] * root[j] * gram[i, j]
                    for h in range(i):
                        if below >> h & 1:
                            s -= row[q, h] * row[m, h]
                    row[m, i] = s / diagonal[q]
                    pivot -= row[m, i] ** 2
            diagonal[m] = sqrt(pivot)
            constant[m] = constant[below] + odds - log(diagonal[m])
            _inverse_diagonal(m, k, row, diagonal, inverse, variance[m])
    return row, diagonal, constant, variance


@compiled
def _inverse_diagonal(
    m: int, k: int, row: Array, diagonal: Array, inverse: Array, out: Array
) -> None:
    """Diagonal of the inverse of L L', from the columns of the inverse of L."""
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


@compiled
def _weight_patterns(
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


@compiled
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


@compiled
def _choose(w: Array, uniform: float) -> int:
    """Pick the pattern at which the cumulative weight reaches `uniform`."""
    cumulative = 0.0
    for m in range(w.size):
        cumulative += w[m]
        if cumulative >= uniform:
            return m
    return int(w.size) - 1


@compiled
def _load(m: int, z: Array, x: Array) -> None:
    """Collect a pattern's forward substitution from the smaller patterns that contain its parts."""
    for i in range(x.size):
        if m >> i & 1:
            x[i] = z[m & ((2 << i) - 1)]


@compiled
def _add_moments(
    m: int, weight: float, root: Array, x: Array, sd: Array, moments: Array, f: int
) -> None:
    """Add the contribution of a pattern, whose means are `root` times `x`, to feature f."""
    for i in range(x.size):
        if m >> i & 1:
            mean = root[i] * x[i]
            moments[0, f, i] += weight
            moments[1, f, i] += weight * mean
            moments[2, f, i] += weight * (mean * mean + sd[i] * sd[i])
            moments[3, f, i] += weight * 0.5 * erfc(-mean / (sd[i] * sqrt(2.0)))
        else:
            moments[3, f, i] += 0.5 * weight


@compiled
def enumerate_patterns(
    projected: Array,
    gram: Array,
    slab: Array,
    inclusion: Array,
    noise: float,
    normal: Array,
    uniform: Array,
) -> tuple[Array, Array]:
    """Compute the posterior of a block's loadings given one draw of all other parameters.

    All patterns of factors are enumerated, so that moments are exact up to `NEGLIGIBLE`.

    Parameters
    ----------
    projected : ndarray, shape (feature, factor)
        Scores times features, H'y.
    gram : ndarray, shape (factor, factor)
        Cross-products of the scores.
    slab, inclusion : ndarray, shape (factor,)
        Variance of a loading that is not zero, in units of the noise variance, and probability
        of not being zero.
    noise : float
        Noise SD of the block.
    normal : ndarray, shape (feature, factor)
        Standard normal numbers for the draw of the loadings.
    uniform : ndarray, shape (feature,)
        Uniform numbers for the draw of the pattern.

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
        _weight_patterns(root * projected[f], half_precision, row, diagonal, constant, z, w)
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
