"""Stability of factors: in random halves of the subjects, and in a model with one factor more."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import FACTOR
from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.polar_lda.em.corpus import Corpus, read_corpus
from bayes_mdd.polar_lda.em.dims import EDGE, PERSON
from bayes_mdd.polar_lda.em.matching import correlate_rows, match_factors
from bayes_mdd.polar_lda.em.parameters import EMOptions
from bayes_mdd.polar_lda.em.restarts import choose, random_starts, run_all
from bayes_mdd.streams import PolarLDAStream, spawn
from bayes_mdd.types import Array

#: EM of a half.
SPLIT_EM = EMOptions(max_iterations=300, tolerance=1e-8)


def split_half(
    counts: object,
    n_factors: int = 3,
    *,
    n_splits: int = 10,
    n_restarts: int = 5,
    seed: int = 1,
    n_jobs: int | None = None,
) -> pd.DataFrame:
    """Fit random halves of the subjects separately and compare their factors.

    Parameters
    ----------
    counts : ndarray or scipy sparse array of signed integers, shape (subject, edge)
        As for `fit_counts`.
    n_factors : int, default 3
        Number of factors.
    n_splits : int, default 10
        Number of random splits.
    n_restarts : int, default 5
        Random starts of each half.
    seed : int, default 1
        Seed of splits and starts.
    n_jobs : int, optional
        Restarts at once. Default all cores.

    Returns
    -------
    DataFrame
        One row per split and pair of matched factors: ``split``, ``pair`` (highest correlation
        first) and ``map_correlation``.

    Raises
    ------
    DataContractError
        If the counts are invalid.
    SpecError
        If there are more factors than subjects in a half.
    """
    corpus = read_corpus(counts, absent_edges="keep")
    if corpus.n_subjects // 2 < n_factors:
        raise SpecError(
            f"{n_factors} factors cannot be estimated from half of {corpus.n_subjects} "
            "participants. Reduce n_factors."
        )
    rows = []
    for i, stream in enumerate(spawn(seed, PolarLDAStream.SPLITS, n_splits)):
        order = np.random.default_rng(stream).permutation(corpus.n_subjects)
        halves = order[: len(order) // 2], order[len(order) // 2 :]
        maps = [_fit_maps(corpus.take(h), n_factors, n_restarts, seed + i, n_jobs) for h in halves]
        found = np.sort(match_factors(maps[1], maps[0])[1])[::-1]
        rows += [{"split": i, "pair": k, "map_correlation": r} for k, r in enumerate(found)]
    return pd.DataFrame(rows)


def nestedness(coarse: xr.Dataset, fine: xr.Dataset) -> pd.DataFrame:
    """Compare a model with one of K + 1 factors, two of which are merged.

    If the model with K + 1 factors refines the one with K, averaging the right two of its factors
    yields the K factors.

    Parameters
    ----------
    coarse, fine : Dataset
        Results of `fit_counts` for K and K + 1 factors, on the same subjects.

    Returns
    -------
    DataFrame
        One row per pair of factors of `fine`, best first: ``merged`` (their names),
        ``map_correlation`` and ``composition_correlation`` (mean over the K matched factors).

    Raises
    ------
    DataContractError
        If the models do not have K and K + 1 factors, or differ in subjects or edges.
    """
    k = coarse.sizes[FACTOR]
    same = all(coarse.sizes[d] == fine.sizes[d] for d in (PERSON, EDGE))
    if fine.sizes[FACTOR] != k + 1 or not same:
        raise DataContractError(
            "nestedness",
            [
                f"the models have {k} and {fine.sizes[FACTOR]} factors (same number of "
                f"participants and edges: {same}); expected K and K + 1 on the same participants "
                "and edges."
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
    """Replace two rows by their mean, as the last row."""
    rest = [i for i in range(len(rows)) if i not in pair]
    return np.vstack([rows[rest], rows[list(pair)].mean(axis=0)])


def _fit_maps(
    corpus: Corpus, n_factors: int, n_restarts: int, seed: int, n_jobs: int | None
) -> Array:
    """Fit from random starts and return the maps with the highest bound."""
    starts = random_starts(n_factors, corpus.n_edges, n_restarts, seed)
    solutions = run_all(corpus, starts, SPLIT_EM, n_jobs=n_jobs)
    return solutions[choose(solutions)[0]].parameters.maps
