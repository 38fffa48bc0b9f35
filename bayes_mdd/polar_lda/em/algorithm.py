"""Variational EM of polar LDA."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np
from joblib import Parallel, delayed
from scipy.optimize import brentq
from scipy.special import polygamma, psi

from bayes_mdd.errors import SpecError
from bayes_mdd.polar_lda.em.corpus import Corpus
from bayes_mdd.polar_lda.em.kernels import infer_people
from bayes_mdd.types import Array

#: What the published program writes for a probability it found to be zero.
LOG_ZERO = -100.0
#: ... and the largest log rho it allows, so that log(1 - rho) stays finite.
LOG_RHO_MAX = -1e-6
#: After the first ones, one E-step in so many begins anew.
FRESH_EVERY = 5
#: Documents of a corpus with more words than this are dealt out to threads.
WORDS_PER_TASK = 200_000


@dataclass(frozen=True, kw_only=True)
class EMOptions:
    """When EM and its E-step stop.

    Parameters
    ----------
    max_iterations : int, default 101
        EM iterations at most. The published program's ``em max iter 100`` runs 101.
    tolerance : float, default 1e-12
        Relative change of the bound at which EM stops, not before the third iteration.
    inner_iterations : int, default 1000
        Passes of the E-step over a person's words at most.
    inner_tolerance : float, default 1e-12
        Relative change of a person's bound at which the E-step stops.
    estimate_alpha : bool, default True
        Whether the symmetric Dirichlet parameter is learned.
    e_step : {"newton", "published"}, default "newton"
        How compositions are inferred. "newton" solves for the fixed point exactly and never lets
        the bound fall. "published" walks the path of the published program, edge by edge, and
        lets the bound dip where that program does: slower, and equal to it digit for digit.
    fresh_iterations : int, default 30
        With "newton": how many E-steps begin with all factors alike before most of them go on
        from where the last one ended.
    """

    max_iterations: int = 101
    tolerance: float = 1e-12
    inner_iterations: int = 1000
    inner_tolerance: float = 1e-12
    estimate_alpha: bool = True
    e_step: Literal["newton", "published"] = "newton"
    fresh_iterations: int = 30


@dataclass(frozen=True, eq=False)
class LDAParameters:
    """The point parameters of the model.

    Parameters
    ----------
    beta : ndarray, shape (factor, edge)
        Probability of an edge in a factor; rows sum to 1.
    rho : ndarray, shape (factor, edge)
        Probability that a token of that edge is hyper-connected.
    alpha : float
        Of the symmetric Dirichlet prior of compositions.
    """

    beta: Array
    rho: Array
    alpha: float

    @property
    def table(self) -> Array:
        """Probability of each signed word in each factor, shape (word, factor)."""
        both = np.stack([self.beta * (1 - self.rho), self.beta * self.rho], axis=-1)
        return np.ascontiguousarray(both.reshape(len(self.beta), -1).T)


@dataclass(frozen=True, eq=False)
class Solution:
    """Where EM ended.

    Parameters
    ----------
    parameters : LDAParameters
        After the last M-step.
    gamma : ndarray, shape (person, factor)
        Variational Dirichlet of each person, from the E-step before the last M-step.
    history : ndarray, shape (iteration,)
        Evidence lower bound of every E-step.
    """

    parameters: LDAParameters
    gamma: Array
    history: Array

    @property
    def elbo(self) -> float:
        """Bound of the last E-step."""
        return float(self.history[-1])


def e_step(
    corpus: Corpus,
    parameters: LDAParameters,
    options: EMOptions,
    *,
    gamma: Array | None = None,
    n_jobs: int = 1,
    collect: bool = True,
) -> tuple[Array, Array, Array]:
    """Infer the compositions of all people.

    Parameters
    ----------
    corpus : Corpus
        The documents.
    parameters : LDAParameters
        The model.
    options : EMOptions
        When to stop.
    gamma : ndarray, shape (person, factor), optional
        Where to begin; default the published start, all factors alike.
    n_jobs : int, default 1
        Threads.
    collect : bool, default True
        Whether expected tokens are wanted.

    Returns
    -------
    gamma : ndarray, shape (person, factor)
        Variational Dirichlet parameters.
    bound : ndarray, shape (person,)
        Evidence lower bound of each person.
    expected : ndarray, shape (word, factor)
        Expected tokens; empty when not wanted.
    """
    table = parameters.table
    k = table.shape[1]
    warm = gamma is not None
    if gamma is None:
        gamma = parameters.alpha + np.repeat(corpus.length[:, None] / k, k, axis=1)
    else:
        gamma = gamma.copy()
    bound = np.empty(corpus.n_people)
    parts = _deal(corpus, n_jobs)
    published = options.e_step == "published"

    def _work(people: slice) -> Array:
        expected = np.zeros(table.shape if collect else (0, k))
        begin = corpus.start[people.start : people.stop + 1]
        infer_people(
            begin,
            corpus.word,
            corpus.count,
            table,
            parameters.alpha,
            options.inner_iterations,
            options.inner_tolerance,
            gamma[people],
            bound[people],
            expected,
            warm,
            published,
        )
        return expected

    if len(parts) == 1:
        expected = _work(parts[0])
    else:
        # The kernel releases the lock, and threads share the documents.
        done = Parallel(n_jobs=len(parts), require="sharedmem")(delayed(_work)(p) for p in parts)
        expected = sum(done[1:], start=done[0])
    return gamma, bound, expected


def _deal(corpus: Corpus, n_jobs: int) -> list[slice]:
    """Divide the people into runs with about equally many words."""
    n = min(n_jobs, corpus.n_people, 1 + len(corpus.word) // WORDS_PER_TASK)
    ends = np.searchsorted(corpus.start, np.linspace(0, len(corpus.word), n + 1))
    ends = np.unique(ends)
    return [slice(int(a), int(b)) for a, b in pairwise(ends)]


def m_step(expected: Array, alpha: float) -> LDAParameters:
    """Turn expected tokens into parameters, with the clips of the published program.

    Parameters
    ----------
    expected : ndarray, shape (word, factor)
        Expected tokens of each signed word from each factor.
    alpha : float
        Carried over.

    Returns
    -------
    LDAParameters
        An edge without tokens in a factor has beta exp(-100) and rho 1/2.
    """
    hypo, hyper = expected[0::2].T, expected[1::2].T
    return parameters_from_tokens(hypo + hyper, hyper, alpha)


def parameters_from_tokens(total: Array, hyper: Array, alpha: float) -> LDAParameters:
    """Do the same from tokens of each edge and those of them that are hyper-connected.

    Parameters
    ----------
    total, hyper : ndarray, shape (factor, edge)
        Expected tokens, of either polarity and of the positive one.
    alpha : float
        Carried over.

    Returns
    -------
    LDAParameters
        The parameters.
    """
    zero = np.exp(LOG_ZERO)
    beta = np.where(total > 0, total / total.sum(axis=1, keepdims=True), zero)
    with np.errstate(invalid="ignore", divide="ignore"):
        rho = np.where(hyper > 0, hyper / total, zero)
    rho = np.where(total > 0, np.minimum(rho, np.exp(LOG_RHO_MAX)), 0.5)
    return LDAParameters(np.ascontiguousarray(beta), np.ascontiguousarray(rho), alpha)


def estimate_alpha(gamma: Array) -> float:
    """Maximise the bound over the symmetric Dirichlet parameter.

    Newton's method in log alpha from 100, as published; where that leaves its domain, the root
    of the derivative is bracketed instead.

    Parameters
    ----------
    gamma : ndarray, shape (person, factor)
        Variational Dirichlet parameters.

    Returns
    -------
    float
        The maximiser.
    """
    people, k = gamma.shape
    if k == 1:
        return 1.0
    total = float((psi(gamma) - psi(gamma.sum(axis=1, keepdims=True))).sum())

    def _slope(a: float) -> float:
        return float(people * k * (psi(k * a) - psi(a)) + total)

    log_a = np.log(100.0)
    for _ in range(1000):
        a = float(np.exp(log_a))
        first = _slope(a)
        if abs(first) <= 1e-5:
            return a
        second = people * (k * k * polygamma(1, k * a) - k * polygamma(1, a))
        log_a -= first / (second * a + first)
        if not abs(log_a) < 30:
            break
    return float(np.exp(brentq(lambda x: _slope(np.exp(x)), -30.0, 30.0, xtol=1e-12)))


def run_em(
    corpus: Corpus,
    start: LDAParameters,
    options: EMOptions,
    *,
    gamma: Array | None = None,
    n_jobs: int = 1,
) -> Solution:
    """Alternate E- and M-steps from one start.

    A person's bound has several maxima, and people who always go on from where they were get stuck
    in poor ones. So E-steps begin anew with all factors alike: all of them with
    ``e_step="published"``; with "newton" the first ones and every `FRESH_EVERY`-th after, people
    keeping their earlier composition where the new one would let the bound fall.

    Parameters
    ----------
    corpus : Corpus
        The documents.
    start : LDAParameters
        Where to begin.
    options : EMOptions
        When to stop.
    gamma : ndarray, shape (person, factor), optional
        Compositions to go on from, where `start` is an earlier solution.
    n_jobs : int, default 1
        Threads.

    Returns
    -------
    Solution
        The last parameters, compositions and the bound of every iteration.
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
    before: Array | None,
    iteration: int,
    history: list[float],
    *,
    n_jobs: int,
) -> tuple[Array, Array, Array]:
    """Begin anew or go on, as `run_em` says."""
    if before is None or options.e_step == "published":
        return e_step(corpus, parameters, options, n_jobs=n_jobs)
    if not history or (iteration >= options.fresh_iterations and iteration % FRESH_EVERY):
        return e_step(corpus, parameters, options, gamma=before, n_jobs=n_jobs)
    fresh, bound, expected = e_step(corpus, parameters, options, n_jobs=n_jobs)
    if bound.sum() >= history[-1]:
        return fresh, bound, expected
    warm, warm_bound, _ = e_step(
        corpus, parameters, options, gamma=before, n_jobs=n_jobs, collect=False
    )
    best = np.where((warm_bound > bound)[:, None], warm, fresh)
    return e_step(corpus, parameters, options, gamma=best, n_jobs=n_jobs)
