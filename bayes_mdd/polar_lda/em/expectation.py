"""The E-step: compositions of all subjects under given parameters."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from itertools import pairwise
from operator import iadd
from typing import NamedTuple

import numpy as np

from bayes_mdd.parallel.fan_out import fan_out_in_turn
from bayes_mdd.polar_lda.em.corpus import Corpus
from bayes_mdd.polar_lda.em.kernels import infer_subjects
from bayes_mdd.polar_lda.em.parameters import EMOptions, LDAParameters
from bayes_mdd.types import Array

#: Subjects are split into parts of about this many words, whatever the number of threads, so that
#: sums over subjects are always added in the same order.
WORDS_PER_PART = 200_000


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
        Number of threads; results do not depend on it.
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
    parts = _split_subjects(corpus)

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

    jobs = min(n_jobs, len(parts))
    if jobs == 1:
        done: Iterable[Array] = map(_infer, parts)
    else:
        # The kernel releases the global interpreter lock; threads write into shared arrays.
        done = fan_out_in_turn(_infer, ((p,) for p in parts), n_jobs=jobs, where="here")
    expected = reduce(iadd, done)
    return Expectation(gamma, bound, expected)


def _split_subjects(corpus: Corpus) -> list[slice]:
    """Split the subjects into consecutive parts with about equally many words."""
    n = min(corpus.n_subjects, 1 + len(corpus.word) // WORDS_PER_PART)
    ends = np.searchsorted(corpus.start, np.linspace(0, len(corpus.word), n + 1))
    ends = np.unique(ends)
    return [slice(int(a), int(b)) for a, b in pairwise(ends)]
