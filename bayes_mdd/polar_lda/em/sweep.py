"""The E-step in the order of the published program, compiled.

Its bound stops improving long before its expected counts do while the factors are still alike, so
where it stops depends on the path. To repeat a published run to the last digit, this kernel walks
the same path: edge by edge, with the expected counts brought up to date after each edge.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bayes_mdd.polar_lda.em.special import digamma
from bayes_mdd.types import Array, IntArray




@njit(cache=True, nogil=True)
def sweep_until_rest(
    word: IntArray,
    count: Array,
    table: Array,
    alpha: float,
    limit: int,
    tol: float,
    gamma: Array,
    phi: Array,
) -> float:
    """Sweep over a person's edges until the bound rests.

    Parameters
    ----------
    word, count : ndarray, shape (word,)
        The person's document.
    table : ndarray, shape (vocabulary, factor)
        Probability of each word in each factor.
    alpha : float
        Of the symmetric Dirichlet prior.
    limit : int
        Largest number of sweeps.
    tol : float
        Relative change of the bound at which sweeps stop.
    gamma : ndarray, shape (factor,)
        Where to begin; becomes the result.
    phi : ndarray, shape (word, factor)
        Share of each factor in each word's tokens, to begin with; becomes the result.

    Returns
    -------
    float
        Evidence lower bound.
    """
    psi = np.empty_like(gamma)
    for k in range(len(gamma)):
        psi[k] = digamma(gamma[k])
    before = 0.0
    for i in range(limit):
        _sweep(word, count, table, gamma, psi, phi)
        now = _bound(word, count, table, alpha, gamma, psi, phi)
        if i > 0 and (before - now) / before <= tol:
            return now
        before = now
    return before


@njit(cache=True, nogil=True)
def add_expected(word: IntArray, count: Array, phi: Array, expected: Array) -> None:
    """Add a person's expected tokens of each word from each factor.

    Parameters
    ----------
    word, count : ndarray, shape (word,)
        The person's document.
    phi : ndarray, shape (word, factor)
        Share of each factor in each word's tokens.
    expected : ndarray, shape (vocabulary, factor)
        What is added to.
    """
    for t in range(len(word)):
        for k in range(phi.shape[1]):
            expected[word[t], k] += count[t] * phi[t, k]


@njit(cache=True, nogil=True)
def _sweep(word: IntArray, count: Array, table: Array, gamma: Array, psi: Array, phi: Array) -> None:
    """Once over the edges, with gamma and its digamma refreshed after each."""
    n_factors = len(gamma)
    new = np.empty(n_factors)
    for t in range(len(word)):
        j = word[t]
        top = psi.max()
        total = 0.0
        for k in range(n_factors):
            new[k] = table[j, k] * math.exp(psi[k] - top)
            total += new[k]
        for k in range(n_factors):
            share = new[k] / total
            gamma[k] += count[t] * (share - phi[t, k])
            phi[t, k] = share
            psi[k] = digamma(gamma[k])


@njit(cache=True, nogil=True)
def _bound(
    word: IntArray, count: Array, table: Array, alpha: float, gamma: Array, psi: Array, phi: Array
) -> float:
    n_factors = len(gamma)
    total = gamma.sum()
    psi_total = digamma(total)
    value = math.lgamma(n_factors * alpha) - n_factors * math.lgamma(alpha) - math.lgamma(total)
    for k in range(n_factors):
        value += (alpha - gamma[k]) * (psi[k] - psi_total) + math.lgamma(gamma[k])
    for t in range(len(word)):
        for k in range(n_factors):
            if phi[t, k] > 0.0:
                log_ratio = math.log(table[word[t], k] / phi[t, k])
                value += count[t] * phi[t, k] * (psi[k] - psi_total + log_ratio)
    return value
