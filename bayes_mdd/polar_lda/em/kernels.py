"""The compiled E-step of several subjects."""

from __future__ import annotations

import numpy as np

from bayes_mdd.kernels import compiled
from bayes_mdd.polar_lda.em.newton import add_expected_at, solve
from bayes_mdd.polar_lda.em.problem import Problem
from bayes_mdd.polar_lda.em.sweep import add_expected, sweep_until_converged
from bayes_mdd.types import Array, IntArray


@compiled
def infer_subjects(
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
    """Compute the E-step of several subjects; results go into `gamma`, `bound` and `expected`.

    Parameters
    ----------
    start, word, count : ndarray
        The documents (see `Corpus`).
    table : ndarray, shape (word, factor)
        Probability of each word in each factor.
    alpha : float
        Parameter of the symmetric Dirichlet prior.
    limit : int
        Maximum number of plain passes (or sweeps) over the words of a subject.
    tol : float
        Relative change of the bound at which plain iteration (or sweeping) stops.
    gamma : ndarray, shape (subject, factor)
        Initial values; overwritten by the fixed point.
    bound : ndarray, shape (subject,)
        Overwritten by the evidence lower bound of each subject.
    expected : ndarray, shape (word, factor)
        Increased by the expected tokens of each word from each factor. An empty array: not
        collected.
    warm : bool
        Whether `gamma` is an earlier fixed point. Not read with `published`, where the shares of
        all factors start equal.
    published : bool
        Whether to sweep in the order of the published program (see `sweep`).
    """
    n_factors = table.shape[1]
    for i in range(len(start) - 1):
        words = word[start[i] : start[i + 1]]
        counts = count[start[i] : start[i + 1]]
        problem = Problem(words, counts, table, alpha, limit, tol)
        if published:
            phi = np.full((len(words), n_factors), 1.0 / n_factors)
            bound[i] = sweep_until_converged(problem, gamma[i], phi)
            if len(expected) > 0:
                add_expected(problem, phi, expected)
        else:
            bound[i] = solve(problem, gamma[i], warm)
            if len(expected) > 0:
                add_expected_at(problem, gamma[i], expected)
