r"""The E-step of one subject by fixed-point iteration and Newton's method, compiled.

With :math:`p_{kj}` the probability of word j in factor k and :math:`\gamma` a subject's
variational Dirichlet parameters, the update is

.. math::
    \phi_{kj} \propto p_{kj} e^{\psi(\gamma_k)}, \qquad
    \gamma_k \leftarrow \alpha + \sum_j c_j \phi_{kj} = F_k(\gamma).

:math:`\phi` follows from :math:`\gamma` and is not stored, so the E-step is a fixed point in K
numbers. Plain iteration comes first; near the fixed point Newton's method on
:math:`F(\gamma) - \gamma` takes over, which needs a handful of passes over the words where plain
iteration needs dozens.
"""

from __future__ import annotations

import math

import numpy as np

from bayes_mdd.kernels import compiled
from bayes_mdd.polar_lda.em.problem import Problem, log_weights
from bayes_mdd.polar_lda.em.special import solve_in_place, trigamma
from bayes_mdd.types import Array

#: Minimum number of plain passes before Newton's method starts, so that it converges to the fixed
#: point in whose basin plain iteration is.
PLAIN_PASSES = 8
#: The same from an earlier fixed point: two passes suffice to measure the change of the bound.
WARM_PASSES = 2
#: Relative change of the bound in plain iteration below which Newton's method starts.
NEWTON_BELOW = 1e-4
#: Maximum number of Newton passes; after them plain iteration finishes.
NEWTON_PASSES = 30
#: At the fixed point no expected count changes by more than this share of the subject's tokens.
FIXED = 1e-9


@compiled
def solve(problem: Problem, gamma: Array, warm: bool) -> float:
    """Find the fixed point of one subject.

    Parameters
    ----------
    problem : Problem
        Document and model.
    gamma : ndarray, shape (factor,)
        Initial values; overwritten by the fixed point.
    warm : bool
        Whether the initial values are an earlier fixed point.

    Returns
    -------
    float
        Evidence lower bound at the fixed point.
    """
    new = np.empty_like(gamma)
    jacobian = np.zeros((len(gamma), len(gamma)))
    passes = WARM_PASSES if warm else PLAIN_PASSES
    bound, done = _iterate(problem, gamma, new, jacobian, passes)
    if done:
        return bound
    best = gamma.copy()
    close = FIXED * problem.tokens.sum()
    for _ in range(NEWTON_PASSES):
        now = _pass(problem, gamma, new, jacobian, True)
        if now < bound - 1e-12 * abs(bound):
            break
        bound = now
        best[:] = new
        if np.abs(new - gamma).max() <= close:
            gamma[:] = new
            return bound
        _newton_step(gamma, new, jacobian, problem.alpha)
        gamma[:] = new
    gamma[:] = best
    bound, done = _iterate(problem, gamma, new, jacobian, problem.limit)
    return bound


@compiled
def add_expected_at(problem: Problem, gamma: Array, expected: Array) -> None:
    """Add a subject's expected tokens of each word from each factor, given `gamma`.

    Parameters
    ----------
    problem : Problem
        Document and model.
    gamma : ndarray, shape (factor,)
        Variational Dirichlet parameters.
    expected : ndarray, shape (vocabulary, factor)
        Increased by the expected tokens.
    """
    n_factors = len(gamma)
    psi = log_weights(gamma)
    weight = np.empty(n_factors)
    phi = np.empty(n_factors)
    top = psi.max()
    for k in range(n_factors):
        weight[k] = math.exp(psi[k] - top)
    for t in range(len(problem.word)):
        j = problem.word[t]
        total = 0.0
        for k in range(n_factors):
            phi[k] = problem.table[j, k] * weight[k]
            total += phi[k]
        share = problem.tokens[t] / total
        for k in range(n_factors):
            expected[j, k] += phi[k] * share


@compiled
def _iterate(
    problem: Problem, gamma: Array, new: Array, jacobian: Array, plain_passes: int
) -> tuple[float, bool]:
    """Iterate until the bound converges (True) or Newton's method may start (False)."""
    bound = -np.inf
    for i in range(problem.limit):
        now = _pass(problem, gamma, new, jacobian, False)
        change = np.inf if i == 0 else (bound - now) / bound
        bound = now
        gamma[:] = new
        if i > 0 and change <= problem.tol:
            return bound, True
        if i + 1 >= plain_passes and change < NEWTON_BELOW:
            return bound, False
    return bound, True


@compiled
def _pass(problem: Problem, gamma: Array, new: Array, jacobian: Array, newton: bool) -> float:
    """One pass over the words: F(gamma) into `new`, its Jacobian if asked for, and the bound."""
    n_factors = len(gamma)
    psi = log_weights(gamma)
    top = psi.max()
    weight = np.exp(psi - top)
    expected = np.zeros(n_factors)
    phi = np.empty(n_factors)
    jacobian[:] = 0.0
    log_likelihood = 0.0
    for t in range(len(problem.word)):
        j = problem.word[t]
        total = 0.0
        for k in range(n_factors):
            phi[k] = problem.table[j, k] * weight[k]
            total += phi[k]
        share = 1.0 / total
        c = problem.tokens[t]
        log_likelihood += c * math.log(total)
        for k in range(n_factors):
            phi[k] *= share
            expected[k] += c * phi[k]
        if newton:
            for k in range(n_factors):
                for m in range(k):
                    jacobian[k, m] -= c * phi[k] * phi[m]
    tokens = 0.0
    for k in range(n_factors):
        new[k] = problem.alpha + expected[k]
        tokens += expected[k]
    if newton:
        _finish_jacobian(jacobian, gamma)
    return _bound(new, problem.alpha, psi, log_likelihood + tokens * top)


@compiled
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


@compiled
def _bound(gamma: Array, alpha: float, psi_before: Array, log_likelihood: float) -> float:
    """Evidence lower bound of a subject at `gamma`, with phi computed from the previous gamma."""
    n_factors = len(gamma)
    total = gamma.sum()
    value = math.lgamma(n_factors * alpha) - n_factors * math.lgamma(alpha) - math.lgamma(total)
    for k in range(n_factors):
        # (alpha - 1) e - (gamma - 1) e + n (e - psi before), with n = gamma - alpha the
        # expected tokens: the terms in e = E[log theta] cancel.
        value += math.lgamma(gamma[k]) - (gamma[k] - alpha) * psi_before[k]
    return value + log_likelihood


@compiled
def _newton_step(gamma: Array, new: Array, jacobian: Array, alpha: float) -> bool:
    """Overwrite `new` by the Newton iterate if that is admissible."""
    n_factors = len(gamma)
    matrix = -jacobian
    step = new - gamma
    for k in range(n_factors):
        matrix[k, k] += 1.0
    if not solve_in_place(matrix, step):
        return False
    for k in range(n_factors):
        if not gamma[k] + step[k] > alpha * (1.0 + 1e-12):
            return False
    for k in range(n_factors):
        new[k] = gamma[k] + step[k]
    return True
