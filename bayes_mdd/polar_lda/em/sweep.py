"""The E-step of one subject in the order of the published program, compiled.

While the factors are still similar, the bound stops improving long before the expected counts
converge, so where the E-step stops depends on its path. To reproduce a published run digit for
digit, this kernel follows the path of the published program: edge by edge, with the expected
counts updated after each edge.
"""

from __future__ import annotations

import math

import numpy as np

from bayes_mdd.kernels import compiled
from bayes_mdd.polar_lda.em.problem import Problem, log_weights
from bayes_mdd.polar_lda.em.special import digamma
from bayes_mdd.types import Array


@compiled
def sweep_until_converged(problem: Problem, gamma: Array, phi: Array) -> float:
    """Sweep over the edges of one subject until the bound converges.

    Parameters
    ----------
    problem : Problem
        Document and model.
    gamma : ndarray, shape (factor,)
        Initial variational Dirichlet parameters; overwritten by the result.
    phi : ndarray, shape (n, factor)
        Initial share of each factor in each word's tokens; overwritten by the result.

    Returns
    -------
    float
        Evidence lower bound.
    """
    psi = log_weights(gamma)
    before = 0.0
    for i in range(problem.limit):
        _sweep(problem, gamma, psi, phi)
        now = _bound(problem, gamma, psi, phi)
        if i > 0 and (before - now) / before <= problem.tol:
            return now
        before = now
    return before


@compiled
def add_expected(problem: Problem, phi: Array, expected: Array) -> None:
    """Add a subject's expected tokens of each word from each factor, given `phi`.

    Parameters
    ----------
    problem : Problem
        Document and model.
    phi : ndarray, shape (n, factor)
        Share of each factor in each word's tokens.
    expected : ndarray, shape (vocabulary, factor)
        Increased by the expected tokens.
    """
    for t in range(len(problem.word)):
        for k in range(phi.shape[1]):
            expected[problem.word[t], k] += problem.tokens[t] * phi[t, k]


@compiled
def _sweep(problem: Problem, gamma: Array, psi: Array, phi: Array) -> None:
    """Update phi edge by edge, and gamma and its digamma after each."""
    n_factors = len(gamma)
    new = np.empty(n_factors)
    for t in range(len(problem.word)):
        j = problem.word[t]
        top = psi.max()
        total = 0.0
        for k in range(n_factors):
            new[k] = problem.table[j, k] * math.exp(psi[k] - top)
            total += new[k]
        for k in range(n_factors):
            share = new[k] / total
            gamma[k] += problem.tokens[t] * (share - phi[t, k])
            phi[t, k] = share
            psi[k] = digamma(gamma[k])


@compiled
def _bound(problem: Problem, gamma: Array, psi: Array, phi: Array) -> float:
    n_factors = len(gamma)
    alpha = problem.alpha
    total = gamma.sum()
    psi_total = digamma(total)
    value = math.lgamma(n_factors * alpha) - n_factors * math.lgamma(alpha) - math.lgamma(total)
    for k in range(n_factors):
        value += (alpha - gamma[k]) * (psi[k] - psi_total) + math.lgamma(gamma[k])
    for t in range(len(problem.word)):
        for k in range(n_factors):
            if phi[t, k] > 0.0:
                log_ratio = math.log(problem.table[problem.word[t], k] / phi[t, k])
                value += problem.tokens[t] * phi[t, k] * (psi[k] - psi_total + log_ratio)
    return value
