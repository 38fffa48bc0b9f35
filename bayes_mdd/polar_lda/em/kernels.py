r"""The E-step, compiled: one fixed point in K numbers a person.

With :math:`p_{kj}` the probability of word j in factor k and :math:`\gamma` a person's
variational Dirichlet, the update is

.. math::
    \phi_{kj} \propto p_{kj} e^{\psi(\gamma_k)}, \qquad
    \gamma_k \leftarrow \alpha + \sum_j c_j \phi_{kj} = F_k(\gamma).

:math:`\phi` never has to be kept: it follows from :math:`\gamma`. The last stretch to the fixed
point is therefore done by Newton's method on :math:`F(\gamma) - \gamma`, which needs a handful
of passes over the words where plain iteration needs dozens.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bayes_mdd.polar_lda.em.special import digamma, eliminate, trigamma
from bayes_mdd.polar_lda.em.sweep import add_expected, sweep_until_rest
from bayes_mdd.types import Array, IntArray


__all__ = ["digamma", "infer_people", "trigamma"]

#: Plain passes before Newton may begin: it shall finish in the basin plain iteration chose.
PLAIN_PASSES = 8
#: ... and where a person begins at an earlier fixed point, two passes to see the bound's change.
WARM_PASSES = 2
#: ... and the relative change of the bound that plain iteration must have come down to.
NEWTON_BELOW = 1e-4
#: Passes Newton may take before plain iteration has to finish the job.
NEWTON_PASSES = 30
#: A fixed point: no expected count moves by more than this share of the person's tokens.
FIXED = 1e-9


@njit(cache=True, nogil=True)
def _pass(
    word: IntArray,
    count: Array,
    table: Array,
    gamma: Array,
    alpha: float,
    new: Array,
    jacobian: Array,
    newton: bool,
) -> float:
    """One pass over a person's words: F(gamma) into `new`, its Jacobian, and the bound there."""
    n_factors = len(gamma)
    psi = np.empty(n_factors)
    for k in range(n_factors):
        psi[k] = digamma(gamma[k])
    top = psi.max()
    weight = np.exp(psi - top)
    expected = np.zeros(n_factors)
    phi = np.empty(n_factors)
    jacobian[:] = 0.0
    log_evidence = 0.0
    for t in range(len(word)):
        j = word[t]
        total = 0.0
        for k in range(n_factors):
            phi[k] = table[j, k] * weight[k]
            total += phi[k]
        share = 1.0 / total
        c = count[t]
        log_evidence += c * math.log(total)
        for k in range(n_factors):
            phi[k] *= share
            expected[k] += c * phi[k]
        if newton:
            for k in range(n_factors):
                for m in range(k):
                    jacobian[k, m] -= c * phi[k] * phi[m]
    tokens = 0.0
    for k in range(n_factors):
        new[k] = alpha + expected[k]
        tokens += expected[k]
    if newton:
        _finish_jacobian(jacobian, gamma)
    return _bound(new, alpha, psi, log_evidence + tokens * top)


@njit(cache=True, nogil=True)
def _finish_jacobian(jacobian: Array, gamma: Array) -> None:
    """Mirror the lower triangle, set the diagonal (rows sum to 0), scale columns by psi'."""
    n_factors = len(gamma)
    for k in range(n_factors):
        for m in range(k):
            jacobian[m, k] = jacobian[k, m]
    for k in range(n_factors):
        diagonal = 0.0
        for m in range(n_factors):
            if m != k:
                diagonal -= jacobian[k, m]
        jacobian[k, k] = diagonal
    for m in range(n_factors):
        slope = trigamma(gamma[m])
        for k in range(n_factors):
            jacobian[k, m] *= slope


@njit(cache=True, nogil=True)
def _bound(gamma: Array, alpha: float, psi_before: Array, log_evidence: float) -> float:
    """Evidence lower bound of a person at `gamma`, with phi made from the gamma before."""
    n_factors = len(gamma)
    total = gamma.sum()
    value = math.lgamma(n_factors * alpha) - n_factors * math.lgamma(alpha) - math.lgamma(total)
    for k in range(n_factors):
        # (alpha - 1) e - (gamma - 1) e + n (e - psi before), with n = gamma - alpha the
        # expected tokens: the terms in e = E[log theta] cancel.
        value += math.lgamma(gamma[k]) - (gamma[k] - alpha) * psi_before[k]
    return value + log_evidence


@njit(cache=True, nogil=True)
def _newton_step(gamma: Array, new: Array, jacobian: Array, alpha: float) -> bool:
    """Overwrite `new` by the Newton iterate if that is admissible."""
    n_factors = len(gamma)
    matrix = -jacobian
    step = new - gamma
    for k in range(n_factors):
        matrix[k, k] += 1.0
    if not eliminate(matrix, step):
        return False
    for k in range(n_factors):
        if not gamma[k] + step[k] > alpha * (1.0 + 1e-12):
            return False
    for k in range(n_factors):
        new[k] = gamma[k] + step[k]
    return True


@njit(cache=True, nogil=True)
def _iterate(
    word: IntArray,
    count: Array,
    table: Array,
    gamma: Array,
    alpha: float,
    limit: int,
    tol: float,
    new: Array,
    jacobian: Array,
    plain_passes: int,
) -> tuple[float, bool]:
    """Plain iteration until the bound rests, or until Newton may take over."""
    bound = -np.inf
    for i in range(limit):
        now = _pass(word, count, table, gamma, alpha, new, jacobian, False)
        change = np.inf if i == 0 else (bound - now) / bound
        bound = now
        gamma[:] = new
        if i > 0 and change <= tol:
            return bound, True
        if i + 1 >= plain_passes and change < NEWTON_BELOW:
            return bound, False
    return bound, True


@njit(cache=True, nogil=True)
def _solve(
    word: IntArray,
    count: Array,
    table: Array,
    gamma: Array,
    alpha: float,
    limit: int,
    tol: float,
    warm: bool,
) -> float:
    """Bring one person's `gamma` to the fixed point; return the bound there."""
    new = np.empty_like(gamma)
    jacobian = np.zeros((len(gamma), len(gamma)))
    bound, done = _iterate(
        word,
        count,
        table,
        gamma,
        alpha,
        limit,
        tol,
        new,
        jacobian,
        WARM_PASSES if warm else PLAIN_PASSES,
    )
    if done:
        return bound
    best = gamma.copy()
    close = FIXED * count.sum()
    for _ in range(NEWTON_PASSES):
        now = _pass(word, count, table, gamma, alpha, new, jacobian, True)
        if now < bound - 1e-12 * abs(bound):
            break
        bound = now
        best[:] = new
        if np.abs(new - gamma).max() <= close:
            gamma[:] = new
            return bound
        _newton_step(gamma, new, jacobian, alpha)
        gamma[:] = new
    gamma[:] = best
    bound, done = _iterate(word, count, table, gamma, alpha, limit, tol, new, jacobian, limit)
    return bound


@njit(cache=True, nogil=True)
def infer_people(
    start: IntArray,
    word: IntArray,
    count: Array,
    table: Array,
    alpha: float,
    limit: int,
    tol: float,
    gamma: Array,
    bound: Array,
    expected: Array,
    warm: bool,
    published: bool,
) -> None:
    """Do the E-step of several people; all results go into `gamma`, `bound` and `expected`.

    Parameters
    ----------
    start, word, count : ndarray
        The documents (see `Corpus`).
    table : ndarray, shape (word, factor)
        Probability of each word in each factor.
    alpha : float
        Of the symmetric Dirichlet prior.
    limit : int
        Largest number of plain passes (or sweeps) over a person's words.
    tol : float
        Relative change of the bound at which plain iteration (or sweeping) stops.
    gamma : ndarray, shape (person, factor)
        Where to begin; becomes the fixed point.
    bound : ndarray, shape (person,)
        Becomes the evidence lower bound of each person.
    expected : ndarray, shape (word, factor)
        The expected tokens of each word from each factor are added to it. An empty array: not
        wanted.
    warm : bool
        Whether `gamma` is an earlier fixed point. Not read by the published path, on which every
        sweep begins with all factors alike.
    published : bool
        Whether to walk the published path (see `sweep`).
    """
    n_factors = table.shape[1]
    weight = np.empty(n_factors)
    phi = np.empty(n_factors)
    psi = np.empty(n_factors)
    for i in range(len(start) - 1):
        words = word[start[i] : start[i + 1]]
        counts = count[start[i] : start[i + 1]]
        if published:
            shares = np.full((len(words), n_factors), 1.0 / n_factors)
            bound[i] = sweep_until_rest(words, counts, table, alpha, limit, tol, gamma[i], shares)
            if len(expected) > 0:
                add_expected(words, counts, shares, expected)
            continue
        bound[i] = _solve(words, counts, table, gamma[i], alpha, limit, tol, warm)
        if len(expected) == 0:
            continue
        for k in range(n_factors):
            psi[k] = digamma(gamma[i, k])
        top = psi.max()
        for k in range(n_factors):
            weight[k] = math.exp(psi[k] - top)
        for t in range(len(words)):
            j = words[t]
            total = 0.0
            for k in range(n_factors):
                phi[k] = table[j, k] * weight[k]
                total += phi[k]
            share = counts[t] / total
            for k in range(n_factors):
                expected[j, k] += phi[k] * share
