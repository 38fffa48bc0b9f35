"""Whether factors come back: over restarts, in halves of the people, and in a finer model."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import FACTOR
from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.polar_lda.em.algorithm import EMOptions, Solution
from bayes_mdd.polar_lda.em.corpus import Corpus, read_corpus
from bayes_mdd.polar_lda.em.fitting import PERSON
from bayes_mdd.polar_lda.em.matching import correlate_rows, match_factors
from bayes_mdd.polar_lda.em.restarts import choose, factor_maps, random_starts, run_all
from bayes_mdd.types import Array


def split_half(
    counts: object,
    n_factors: int = 3,
    *,
    n_splits: int = 10,
    n_restarts: int = 5,
    seed: int = 1,
    n_jobs: int | None = None,
) -> pd.DataFrame:
    """Fit random halves of the people apart and compare their factors.

    Parameters
    ----------
    counts : ndarray or scipy sparse array of signed integers, shape (person, edge)
        As for `fit_counts`.
    n_factors : int, default 3
        Number of factors.
    n_splits : int, default 10
        Random halvings.
    n_restarts : int, default 5
        Random starts of each half.
    seed : int, default 1
        Of halvings and starts.
    n_jobs : int, optional
        Restarts at once. Default all cores.

    Returns
    -------
    DataFrame
        One row a split and pair of matched factors: ``split``, ``pair`` (best first) and
        ``map_correlation``.

    Raises
    ------
    DataContractError
        If the counts cannot serve.
    SpecError
        If half of the people are fewer than the factors.
    """
    corpus = read_corpus(counts, absent_edges="keep")
    if corpus.n_people // 2 < n_factors:
        raise SpecError(
            f"{n_factors} factors cannot be learned from half of {corpus.n_people} people."
        )
    rows = []
    for i, stream in enumerate(np.random.SeedSequence(seed).spawn(n_splits)):
        order = np.random.default_rng(stream).permutation(corpus.n_people)
        halves = order[: len(order) // 2], order[len(order) // 2 :]
        maps = [
            factor_maps(
                fit_best(corpus.take(h), n_factors, n_restarts, seed + i, n_jobs).parameters
            )
            for h in halves
        ]
        found = np.sort(match_factors(maps[1], maps[0])[1])[::-1]
        rows += [{"split": i, "pair": k, "map_correlation": r} for k, r in enumerate(found)]
    return pd.DataFrame(rows)


def nestedness(coarse: xr.Dataset, fine: xr.Dataset) -> pd.DataFrame:
    """Compare a model with one of a factor more, two of whose factors are merged.

    If a model of K + 1 factors refines that of K, averaging the right two of its factors gives
    the K factors back.

    Parameters
    ----------
    coarse, fine : Dataset
        What `fit_counts` returned for K and K + 1 factors, on the same people.

    Returns
    -------
    DataFrame
        One row a pair of factors of `fine`, best first: ``merged`` (their names),
        ``map_correlation`` and ``composition_correlation`` (mean over the K matched factors).

    Raises
    ------
    DataContractError
        If the models are not of K and K + 1 factors on the same people and edges.
    """
    k = coarse.sizes[FACTOR]
    same = all(coarse.sizes[d] == fine.sizes[d] for d in (PERSON, "edge"))
    if fine.sizes[FACTOR] != k + 1 or not same:
        raise DataContractError(
            "nestedness",
            [
                f"models have {k} and {fine.sizes[FACTOR]} factors (people, edges alike: {same}): "
                "expected K and K + 1 on the same people and edges."
            ],
        )
    known = coarse["map"].values, coarse["composition"].values.T
    own = fine["map"].values, fine["composition"].values.T
    names = [str(f) for f in fine[FACTOR].values]
    rows = []
    for pair in combinations(range(k + 1), 2):
        maps, loadings = (_merge(x, pair) for x in own)
        order, found = match_factors(maps, known[0])
        alike = np.diag(correlate_rows(known[1], loadings[order]))
        rows.append(
            {
                "merged": "+".join(names[i] for i in pair),
                "map_correlation": float(found.mean()),
                "composition_correlation": float(alike.mean()),
            }
        )
    return pd.DataFrame(rows).sort_values("map_correlation", ascending=False, ignore_index=True)


def _merge(rows: Array, pair: tuple[int, ...]) -> Array:
    rest = [i for i in range(len(rows)) if i not in pair]
    return np.vstack([rows[rest], rows[list(pair)].mean(axis=0)])


def fit_best(
    corpus: Corpus, n_factors: int, n_restarts: int, seed: int, n_jobs: int | None = None
) -> Solution:
    """Fit documents from random starts and keep the highest bound.

    Parameters
    ----------
    corpus : Corpus
        The documents; an edge may be absent.
    n_factors, n_restarts, seed : int
        As for `fit_counts`.
    n_jobs : int, optional
        Restarts at once. Default all cores.

    Returns
    -------
    Solution
        The best one.
    """
    starts = random_starts(n_factors, corpus.n_edges, n_restarts, seed)
    solutions = run_all(
        corpus, starts, EMOptions(max_iterations=300, tolerance=1e-8), n_jobs=n_jobs
    )
    return solutions[choose(solutions)[0]]
