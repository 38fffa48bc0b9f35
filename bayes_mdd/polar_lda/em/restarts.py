"""EM from several random starts, and the choice of the one that is reported."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bayes_mdd.polar_lda.em.algorithm import run_em
from bayes_mdd.polar_lda.em.corpus import Corpus
from bayes_mdd.polar_lda.em.jobs import count_jobs, map_threads
from bayes_mdd.polar_lda.em.matching import correlate_solutions, match_factors
from bayes_mdd.polar_lda.em.maximisation import parameters_from_tokens
from bayes_mdd.polar_lda.em.parameters import EMOptions, LDAParameters, Solution
from bayes_mdd.streams import PolarLDAStream, spawn
from bayes_mdd.types import Array

#: Number of restarts, those with the highest bounds, that are run until the final tolerance.
POLISHED = 3
#: Tolerance of the other restarts, as a multiple of the final one.
ROUGH = 100.0


def random_starts(n_factors: int, n_edges: int, n: int, seed: int) -> list[LDAParameters]:
    """Draw starts as published: beta nearly flat, rho around 1/2, alpha 1 / K.

    Parameters
    ----------
    n_factors, n_edges : int
        Sizes.
    n : int
        Number of starts.
    seed : int
        Start i is the same for every `n`.

    Returns
    -------
    list of LDAParameters
        The starts.
    """
    starts = []
    for stream in spawn(seed, PolarLDAStream.RESTARTS, n):
        rng = np.random.default_rng(stream)
        hyper, hypo = 0.5 * (1 / n_edges + rng.uniform(size=(2, n_factors, n_edges)))
        starts.append(parameters_from_tokens(hyper + hypo, hyper, 1.0 / n_factors))
    return starts


def run_all(
    corpus: Corpus, starts: list[LDAParameters], options: EMOptions, *, n_jobs: int | None = None
) -> list[Solution]:
    """Run EM from several starts.

    Parameters
    ----------
    corpus : Corpus
        The documents.
    starts : list of LDAParameters
        Initial parameters.
    options : EMOptions
        Method and stopping rules.
    n_jobs : int, optional
        Starts at once. Default all cores.

    Returns
    -------
    list of Solution
        One per start, in order; the same for every `n_jobs`.
    """
    if len(starts) == 1:
        return [run_em(corpus, starts[0], options, n_jobs=count_jobs(n_jobs))]
    return map_threads(lambda start: run_em(corpus, start, options), starts, n_jobs)


def run_restarts(
    corpus: Corpus, starts: list[LDAParameters], options: EMOptions, *, n_jobs: int | None
) -> list[Solution]:
    """Run EM roughly from all starts, and to the final tolerance from the best ones.

    Parameters
    ----------
    corpus, starts, options, n_jobs : Corpus, list of LDAParameters, EMOptions, int or None
        As for `run_all`. With ``e_step="published"`` all starts are run to the final tolerance.

    Returns
    -------
    list of Solution
        One per start, in order.
    """
    if options.e_step == "published" or len(starts) == 1:
        return run_all(corpus, starts, options, n_jobs=n_jobs)
    rough = replace(options, tolerance=options.tolerance * ROUGH)
    solutions = run_all(corpus, starts, rough, n_jobs=n_jobs)
    leading = np.argsort([-s.elbo for s in solutions], kind="stable")[:POLISHED]
    remaining = options.max_iterations - max(len(solutions[i].history) for i in leading)
    if remaining < 1:
        return solutions
    final = replace(options, max_iterations=remaining)

    def _continue(solution: Solution) -> Solution:
        return run_em(corpus, solution.parameters, final, gamma=solution.gamma)

    polished = map_threads(_continue, [solutions[i] for i in leading], n_jobs)
    for i, found in zip(leading, polished, strict=True):
        if found.elbo >= solutions[i].elbo:
            history = np.concatenate([solutions[i].history, found.history])
            solutions[i] = replace(found, history=history)
    return solutions


def choose(solutions: list[Solution], by: str = "elbo") -> tuple[int, tuple[Array, Array]]:
    """Choose one of several solutions.

    Parameters
    ----------
    solutions : list of Solution
        From several starts.
    by : {"elbo", "correlation"}, default "elbo"
        Highest bound, or highest mean map correlation with the other solutions.

    Returns
    -------
    chosen : int
        Position.
    table : tuple of ndarray
        Bound of each solution, and its mean map correlation with the others (NaN if there is
        only one).
    """
    elbo = np.array([s.elbo for s in solutions])
    n = len(solutions)
    if n == 1:
        return 0, (elbo, np.array([np.nan]))
    alike = correlate_solutions(np.stack([s.parameters.maps for s in solutions]))
    others = (alike.sum(axis=1) - 1) / (n - 1)
    return int(np.argmax(elbo if by == "elbo" else others)), (elbo, others)


def match_restarts(solutions: list[Solution], maps: Array) -> Array:
    """Correlate the maps of the chosen solution with their best match in each restart.

    Parameters
    ----------
    solutions : list of Solution
        From several starts.
    maps : ndarray, shape (factor, edge)
        Maps of the chosen solution.

    Returns
    -------
    ndarray, shape (restart, factor)
        Correlations.
    """
    return np.stack([match_factors(s.parameters.maps, maps)[1] for s in solutions])
