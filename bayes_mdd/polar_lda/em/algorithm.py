"""Variational EM: E- and M-steps in turn from one start."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bayes_mdd.errors import SpecError
from bayes_mdd.polar_lda.em.corpus import Corpus
from bayes_mdd.polar_lda.em.expectation import Expectation, e_step
from bayes_mdd.polar_lda.em.maximisation import estimate_alpha, m_step
from bayes_mdd.polar_lda.em.parameters import EMOptions, LDAParameters, Solution
from bayes_mdd.types import Array

#: After the first `EMOptions.fresh_iterations`, every this many E-steps start from equal factors.
FRESH_EVERY = 5


def run_em(
    corpus: Corpus,
    start: LDAParameters,
    options: EMOptions,
    *,
    gamma: Array | None = None,
    n_jobs: int = 1,
) -> Solution:
    """Alternate E- and M-steps from one start.

    A subject's bound has several maxima, and compositions that always continue from the previous
    ones get stuck in poor ones. Therefore E-steps start from equal factors: all of them with
    ``e_step="published"``; with "newton" the first ones and every `FRESH_EVERY`-th after them.
    If such an E-step would let the total bound fall, "newton" repeats it from the previous
    composition for those subjects whose bound is then higher.

    Parameters
    ----------
    corpus : Corpus
        The documents.
    start : LDAParameters
        Initial parameters.
    options : EMOptions
        Method and stopping rules.
    gamma : ndarray, shape (subject, factor), optional
        Compositions to continue from, if `start` is an earlier solution.
    n_jobs : int, default 1
        Number of threads.

    Returns
    -------
    Solution
        The last parameters, compositions and the bound of every iteration.

    Raises
    ------
    SpecError
        If no iteration is allowed.
    """
    parameters = start
    history: list[float] = []
    for i in range(options.max_iterations):
        gamma, bound, expected = _next_e_step(
            corpus, parameters, options, gamma, i, history, n_jobs=n_jobs
        )
        history.append(float(bound.sum()))
        parameters = m_step(expected, parameters.alpha)
        if options.estimate_alpha:
            parameters = replace(parameters, alpha=estimate_alpha(gamma))
        if i >= 2 and 0 <= (history[-2] - history[-1]) / history[-2] <= options.tolerance:
            break
    if gamma is None:
        raise SpecError("max_iterations must be at least 1.")
    return Solution(parameters, gamma, np.array(history))


def _next_e_step(
    corpus: Corpus,
    parameters: LDAParameters,
    options: EMOptions,
    previous: Array | None,
    iteration: int,
    history: list[float],
    *,
    n_jobs: int,
) -> Expectation:
    """Start from equal factors or continue, as `run_em` describes."""
    if previous is None or options.e_step == "published":
        return e_step(corpus, parameters, options, n_jobs=n_jobs)
    if not history or (iteration >= options.fresh_iterations and iteration % FRESH_EVERY):
        return e_step(corpus, parameters, options, gamma=previous, n_jobs=n_jobs)
    fresh = e_step(corpus, parameters, options, n_jobs=n_jobs)
    if fresh.bound.sum() >= history[-1]:
        return fresh
    warm = e_step(corpus, parameters, options, gamma=previous, n_jobs=n_jobs, collect=False)
    best = np.where((warm.bound > fresh.bound)[:, None], warm.gamma, fresh.gamma)
    return e_step(corpus, parameters, options, gamma=best, n_jobs=n_jobs)
