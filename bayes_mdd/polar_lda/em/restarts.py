"""Several random starts, and which of them is reported."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from joblib import Parallel, cpu_count, delayed

from bayes_mdd.polar_lda.em.algorithm import (
    EMOptions,
    LDAParameters,
    Solution,
    parameters_from_tokens,
    run_em,
)
from bayes_mdd.polar_lda.em.corpus import Corpus
from bayes_mdd.polar_lda.em.matching import agreement, match_factors
from bayes_mdd.types import Array

#: So many restarts, those with the highest bounds, are run until they rest ...
POLISHED = 3
#: ... the others until the bound changes by this much more an iteration.
ROUGH = 100.0


def random_starts(n_factors: int, n_edges: int, n: int, seed: int) -> list[LDAParameters]:
    """Draw starting points as published: beta nearly flat, rho around 1/2, alpha 1 / K.

    Parameters
    ----------
    n_factors, n_edges : int
        Sizes.
    n : int
        Number of starts.
    seed : int
        Start i is the same whatever `n`.

    Returns
    -------
    list of LDAParameters
        The starts.
    """
    starts = []
    for stream in np.random.SeedSequence(seed).spawn(n):
        rng = np.random.default_rng(stream)
        hyper, hypo = 0.5 * (1 / n_edges + rng.uniform(size=(2, n_factors, n_edges)))
        starts.append(parameters_from_tokens(hyper + hypo, hyper, 1.0 / n_factors))
    return starts


def run_all(
    corpus: Corpus, starts: list[LDAParameters], options: EMOptions, *, n_jobs: int | None = None
) -> list[Solution]:
    """Run EM from several starts, at once where there are cores.

    Parameters
    ----------
    corpus : Corpus
        The documents.
    starts : list of LDAParameters
        Where to begin.
    options : EMOptions
        When to stop.
    n_jobs : int, optional
        Default all cores.

    Returns
    -------
    list of Solution
        One a start, in order; the same whatever `n_jobs`.
    """
    jobs = count_jobs(n_jobs)
    if len(starts) == 1:
        return [run_em(corpus, starts[0], options, n_jobs=jobs)]
    # Threads: the kernels release the lock, and the documents are not copied.
    return list(
        Parallel(n_jobs=jobs, prefer="threads")(delayed(run_em)(corpus, s, options) for s in starts)
    )


def run_restarts(
    corpus: Corpus, starts: list[LDAParameters], options: EMOptions, *, n_jobs: int | None
) -> list[Solution]:
    """Run all starts near to rest, and those with the highest bounds until they rest.

    Parameters
    ----------
    corpus : Corpus
        The documents.
    starts : list of LDAParameters
        Where to begin.
    options : EMOptions
        When to stop.
    n_jobs : int, optional
        Default all cores.

    Returns
    -------
    list of Solution
        One a start, in order.
    """
    if options.e_step == "published" or len(starts) == 1:
        return run_all(corpus, starts, options, n_jobs=n_jobs)
    rough = replace(options, tolerance=options.tolerance * ROUGH)
    solutions = run_all(corpus, starts, rough, n_jobs=n_jobs)
    leading = np.argsort([-s.elbo for s in solutions], kind="stable")[:POLISHED]
    left = options.max_iterations - max(len(solutions[i].history) for i in leading)
    if left < 1:
        return solutions
    finer = replace(options, max_iterations=left)
    again = Parallel(n_jobs=count_jobs(n_jobs), prefer="threads")(
        delayed(run_em)(corpus, solutions[i].parameters, finer, gamma=solutions[i].gamma)
        for i in leading
    )
    for i, polished in zip(leading, again, strict=True):
        if polished.elbo >= solutions[i].elbo:
            history = np.concatenate([solutions[i].history, polished.history])
            solutions[i] = replace(polished, history=history)
    return solutions


def choose(solutions: list[Solution], by: str = "elbo") -> tuple[int, tuple[Array, Array]]:
    """Choose one of several solutions.

    Parameters
    ----------
    solutions : list of Solution
        From several starts.
    by : {"elbo", "correlation"}, default "elbo"
        Highest bound, or highest mean map correlation with the others.

    Returns
    -------
    chosen : int
        Position.
    table : tuple of ndarray
        Bound, and mean map correlation with the others (NaN for one solution), of each.
    """
    elbo = np.array([s.elbo for s in solutions])
    n = len(solutions)
    if n == 1:
        return 0, (elbo, np.array([np.nan]))
    alike = agreement(np.stack([factor_maps(s.parameters) for s in solutions]))
    others = (alike.sum(axis=1) - 1) / (n - 1)
    return int(np.argmax(elbo if by == "elbo" else others)), (elbo, others)


def factor_maps(parameters: LDAParameters) -> Array:
    """Hyper- minus hypo-connected probability of each edge, shape (factor, edge).

    Parameters
    ----------
    parameters : LDAParameters
        The model.

    Returns
    -------
    ndarray, shape (factor, edge)
        Positive where the factor's tokens are mostly hyper-connected.
    """
    return np.asarray(parameters.beta * (2 * parameters.rho - 1))


def match_restarts(solutions: list[Solution], maps: Array) -> Array:
    """Correlate each restart's best match with each map of the chosen one.

    Parameters
    ----------
    solutions : list of Solution
        From several starts.
    maps : ndarray, shape (factor, edge)
        Of the chosen one.

    Returns
    -------
    ndarray, shape (restart, factor)
        Correlations.
    """
    return np.stack([match_factors(factor_maps(s.parameters), maps)[1] for s in solutions])


def count_jobs(n_jobs: int | None) -> int:
    """Say how many jobs run at once.

    Parameters
    ----------
    n_jobs : int or None
        None or -1: all cores.

    Returns
    -------
    int
        At least 1.
    """
    return int(cpu_count()) if n_jobs in (None, -1) else int(n_jobs or 1)
