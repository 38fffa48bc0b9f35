"""Divisions of the patients into folds."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayes_mdd.baselines.cases import Cases
from bayes_mdd.baselines.methods import Scheme
from bayes_mdd.types import Array, IntArray


def divide(
    cases: Cases, scheme: Scheme, folds: int, repeats: int, rng: np.random.Generator
) -> IntArray:
    """Divide patients into the folds on which methods are compared.

    Parameters
    ----------
    cases : Cases
        The patients.
    scheme : {"repeated", "leave_site_out"}
        Random folds, balanced by arm and outcome; or one fold for each site.
    folds, repeats : int
        Number of folds, and of divisions, of the repeated scheme.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray of int, shape (division, subject)
        Fold of each patient, from 0.
    """
    if scheme == "leave_site_out":
        return cases.site[None].copy()
    stratum = 2 * cases.other.astype(int) + _upper_half(cases)
    return np.stack([_balanced(stratum, folds, rng) for _ in range(repeats)])


def divide_blindly(cases: Cases, scheme: Scheme, folds: int, rng: np.random.Generator) -> IntArray:
    """Divide patients into the folds of permutation tests, without a look at arms or outcomes.

    Parameters
    ----------
    cases : Cases
        The patients.
    scheme : {"repeated", "leave_site_out"}
        As for `divide`.
    folds : int
        Number of folds of the repeated scheme.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray of int, shape (subject,)
        Fold of each patient, from 0.
    """
    if scheme == "leave_site_out":
        return cases.site.copy()
    return _balanced(np.zeros(cases.n, dtype=int), folds, rng)


def _upper_half(cases: Cases) -> IntArray:
    if cases.event is not None:
        return cases.event.astype(np.int64)
    values: Array = cases.target("points")
    return np.asarray(pd.Series(values).rank(method="first") > cases.n / 2, dtype=np.int64)


def _balanced(stratum: IntArray, folds: int, rng: np.random.Generator) -> IntArray:
    """Deal the patients of all strata, one stratum after the other, to folds of equal size."""
    order = np.concatenate(
        [rng.permutation(np.flatnonzero(stratum == s)) for s in np.unique(stratum)]
    )
    fold = np.empty(stratum.size, dtype=np.int64)
    fold[order] = rng.permutation(folds)[np.arange(stratum.size) % folds]
    return fold
