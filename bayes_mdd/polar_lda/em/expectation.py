"""The E-step: compositions of all subjects under given parameters."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed

from bayes_mdd.polar_lda.em.corpus import Corpus
from bayes_mdd.polar_lda.em.kernels import infer_subjects
from bayes_mdd.polar_lda.em.parameters import EMOptions, LDAParameters
from bayes_mdd.types import Array

#: One thread is used per this many words of a corpus, as far as there are jobs.
WORDS_PER_THREAD = 200_000


class Expectation(NamedTuple):
    """Result of an E-step.

    Parameters
    ----------
    gamma : ndarray, shape (subject, factor)
        Variational Dirichlet parameters.
    bound : ndarray, shape (subject,)
        Evidence lower bound of each subject.
    expected : ndarray, shape (word, factor)
        Expected tokens of each word from each factor; empty when not collected.
    """

    gamma: Array
    bound: Array
    expected: Array


def e_step(
    corpus: Corpus,
    parameters: LDAParameters,
    options: EMOptions,
    *,
    gamma: Array | None = None,
    n_jobs: int = 1,
    collect: bool = True,
) -> Expectation:
    """Infer the compositions of all subjects.

    Parameters
    ----------
    corpus : Corpus
        The documents.
    parameters : LDAParameters
        The model.
    options : EMOptions
        Method and stopping rule.
    gamma : ndarray, shape (subject, factor), optional
        Initial values. Default: equal factors, as published.
    n_jobs : int, default 1
        Number of threads.
    collect : bool, default True
        Whether expected tokens are collected.

    Returns
    -------
    Expectation
        Compositions, bounds and expected tokens.
    """
    table = parameters.table
    k = table.shape[1]
    warm = gamma is not None
    if gamma is None:
        gamma = parameters.alpha + np.repeat(corpus.length[:, None] / k, k, axis=1)
    else:
        gamma = gamma.copy()
    bound = np.empty(corpus.n_subjects)
    parts = _split_subjects(corpus, n_jobs)

    def _infer(subjects: slice) -> Array:
        expected = np.zeros(table.shape if collect else (0, k))
        infer_subjects(
            corpus.start[subjects.start : subjects.stop + 1],
            corpus.word,
            corpus.count,
            table,
            parameters.alpha,
            options.inner_iterations,
            options.inner_tolerance,
            gamma[subjects],
            bound[subjects],
            expected,
            warm,
            options.e_step == "published",
        )
        return expected

    if len(parts) == 1:
        expected = _infer(parts[0])
    else:
        # The kernel releases the global interpreter lock; threads write into shared arrays.
        done = Parallel(n_jobs=len(parts), require="sharedmem")(delayed(_infer)(p) for p in parts)
        expected = sum(done[1:], start=done[0])
    return Expectation(gamma, bound, expected)


def _split_subjects(corpus: Corpus, n_jobs: int) -> list[slice]:
    """Split the subjects into consecutive parts with about equally many words."""
    n = min(n_jobs, corpus.n_subjects, 1 + len(corpus.word) // WORDS_PER_THREAD)
    ends = np.searchsorted(corpus.start, np.linspace(0, len(corpus.word), n + 1))
    ends = np.unique(ends)
    return [slice(int(a), int(b)) for a, b in pairwise(ends)]
