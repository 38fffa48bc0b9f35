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

from bayes_mdd.polar_lda.kernels import digamma

Array = NDArray[np.float64]
Ints = NDArray[np.int64]


@njit(cache=True, nogil=True)
def sweep_people(
    start: Ints,
    word: Ints,
    count: Array,
    table: Array,
    alpha: float,
    limit: int,
    tol: float,
    gamma: Array,
    bound: Array,
    expected: Array,
    warm: bool,
) -> None:
    """Do the E-step of several people; arguments as those of `kernels.infer_people`.

    Parameters
    ----------
    start, word, count : ndarray
        The documents (see `Corpus`).
    table : ndarray, shape (word, factor)
        Probability of each word in each factor.
    alpha : float
        Of the symmetric Dirichlet prior.
    limit : int
        Largest number of sweeps over a person's words.
    tol : float
        Relative change of the bound at which sweeps stop.
    gamma : ndarray, shape (person, factor)
        Where to begin; becomes the result.
    bound : ndarray, shape (person,)
        Becomes the evidence lower bound of each person.
    expected : ndarray, shape (word, factor)
        The expected tokens of each word from each factor are added to it. An empty array: not
        wanted.
    warm : bool
        Not read: every sweep begins with all factors alike.
    """
    n_factors = table.shape[1]
    for i in range(len(start) - 1):
        words = word[start[i] : start[i + 1]]
        counts = count[start[i] : start[i + 1]]
        phi = np.full((len(words), n_factors), 1.0 / n_factors)
        bound[i] = _sweep_until_rest(words, counts, table, alpha, limit, tol, gamma[i], phi)
        if len(expected) == 0:
            continue
        for t in range(len(words)):
            for k in range(n_factors):
                expected[words[t], k] += counts[t] * phi[t, k]


@njit(cache=True, nogil=True)
def _sweep_until_rest(
    word: Ints,
    count: Array,
    table: Array,
    alpha: float,
    limit: int,
    tol: float,
    gamma: Array,
    phi: Array,
) -> float:
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
def _sweep(word: Ints, count: Array, table: Array, gamma: Array, psi: Array, phi: Array) -> None:
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
    word: Ints, count: Array, table: Array, alpha: float, gamma: Array, psi: Array, phi: Array
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
