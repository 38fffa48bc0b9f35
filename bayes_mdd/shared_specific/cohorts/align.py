"""Factors of several cohorts brought to common patterns: which belong together, sign, rotation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from bayes_mdd.shared_specific.cohorts.estimates import CohortEstimates, rotate
from bayes_mdd.types import Array, BoolArray, IntArray

#: Smallest absolute correlation of two maps, corrected for their errors, that is called a match.
LEAST_ALIKE: Final = 0.5
#: Least part of the variance of a map over features that is not error, in that correction.
LEAST_RELIABLE: Final = 0.25
#: By how much the mean correlation of a cohort's maps with the patterns must rise for a rotation.
LEAST_GAIN: Final = 0.05
ROUNDS: Final = 20


@dataclass(frozen=True, eq=False)
class Aligned:
    """Factors of all cohorts in the order of the patterns.

    Parameters
    ----------
    cohorts : sequence of CohortEstimates
        Estimates with factors, signs and rotation aligned.
    position : ndarray of int, shape (cohort, pattern)
        Position of the factor in its cohort; -1 where it was not found.
    alike : ndarray, shape (cohort, pattern)
        Correlation with the pattern of the other cohorts, corrected for errors; NaN where not
        found, or found in one cohort only.
    rotated : ndarray of bool, shape (cohort,)
        Whether the factors of a cohort were rotated among themselves.
    """

    cohorts: Sequence[CohortEstimates]
    position: IntArray
    alike: Array
    rotated: BoolArray


def align_cohorts(cohorts: Sequence[CohortEstimates], *, least: float = LEAST_ALIKE) -> Aligned:
    """Group the factors of all cohorts into patterns.

    Parameters
    ----------
    cohorts : sequence of CohortEstimates
        With the same features in the same order and unit.
    least : float, default 0.5
        Smallest absolute correlation of two maps, corrected for errors, that is called a match.

    Returns
    -------
    Aligned
        Patterns in descending order of the number of cohorts that have them, then of their
        variance. The order of the cohorts does not matter.
    """
    owner: IntArray = np.repeat(np.arange(len(cohorts)), [c.n_factors for c in cohorts])
    within = np.concatenate([np.arange(c.n_factors) for c in cohorts])
    maps = np.concatenate([c.loading for c in cohorts])
    errors = np.concatenate([c.loading_se for c in cohorts])
    alike = correlate(maps, errors, maps, errors)
    groups = _group(np.abs(alike), owner, least)
    size = np.concatenate([c.size for c in cohorts])
    groups.sort(key=lambda g: (-len(g), -float(size[g].mean()), int(min(g))))
    position = np.full((len(cohorts), len(groups)), -1)
    sign = np.ones((len(cohorts), len(groups)))
    for p, group in enumerate(groups):
        signs = _signs(alike[np.ix_(group, group)])
        for at, s in zip(group, signs, strict=True):
            position[owner[at], p], sign[owner[at], p] = within[at], s
    ordered = [c.take(position[i], sign[i]) for i, c in enumerate(cohorts)]
    ordered, rotated = _rotate_all(ordered)
    return Aligned(ordered, position, _agreement(ordered), rotated)


def correlate(a: Array, a_se: Array, b: Array, b_se: Array) -> Array:
    """Correlate estimated maps, corrected for their errors.

    Parameters
    ----------
    a, a_se : ndarray, shape (m, feature)
        Maps and standard errors.
    b, b_se : ndarray, shape (k, feature)
        Maps of other cohorts.

    Returns
    -------
    ndarray, shape (m, k)
        Between -1 and 1.

    Examples
    --------
    >>> x = np.array([[1.0, 2.0, 3.0, 4.0]])
    >>> correlate(x, 0 * x, -x, 0 * x)
    array([[-1.]])
    """
    x, y = (m - m.mean(axis=1, keepdims=True) for m in (a, b))
    true = []
    for m, se in ((x, a_se), (y, b_se)):
        total = (m**2).mean(axis=1)
        error = (se**2).mean(axis=1)
        true.append(np.maximum(total - error, LEAST_RELIABLE * total))
    scale = np.sqrt(true[0][:, None] * true[1][None, :])
    found = x @ y.T / x.shape[1] / np.where(scale > 0, scale, np.inf)
    return np.asarray(np.clip(found, -1.0, 1.0))


def _group(alike: Array, owner: IntArray, least: float) -> list[list[int]]:
    """Average linkage; a group holds at most one factor of a cohort."""
    groups = [[i] for i in range(len(owner))]
    while True:
        best, pair = least, None
        for i, one in enumerate(groups):
            for j in range(i + 1, len(groups)):
                other = groups[j]
                if set(owner[one]) & set(owner[other]):
                    continue
                value = float(alike[np.ix_(one, other)].mean())
                if value > best:
                    best, pair = value, (i, j)
        if pair is None:
            return groups
        i, j = pair
        groups[i] = groups[i] + groups.pop(j)


def _signs(alike: Array) -> Array:
    """Signs that make the maps of a group point the same way as its leading direction."""
    leading = np.linalg.eigh(alike)[1][:, -1]
    signs = np.where(leading < 0, -1.0, 1.0)
    # The sign of a pattern is arbitrary: that of the member with the most in common.
    return np.asarray(signs * signs[int(np.abs(leading).argmax())])


def _consensus(cohorts: Sequence[CohortEstimates]) -> Array:
    """Mean map of each pattern, weighted by precision."""
    total = np.zeros(cohorts[0].loading.shape)
    weight = np.zeros(cohorts[0].loading.shape[0])
    for c in cohorts:
        precision = np.where(c.found, 1.0 / np.maximum((c.loading_se**2).mean(axis=1), 1e-12), 0.0)
        total += np.where(c.found[:, None], precision[:, None] * c.loading, 0.0)
        weight += precision
    return np.asarray(total / np.maximum(weight, 1e-300)[:, None])


def _rotate_all(
    cohorts: Sequence[CohortEstimates],
) -> tuple[list[CohortEstimates], BoolArray]:
    """Rotate the factors of cohorts among themselves where that makes the maps agree."""
    current = list(cohorts)
    for _ in range(ROUNDS):
        mean = _consensus(current)
        mean = mean - mean.mean(axis=1, keepdims=True)
        current = [_procrustes(c, mean) for c in cohorts]
    before, after = _agreement(cohorts), _agreement(current)
    gain = [
        float(np.nanmean(a) - np.nanmean(b)) if np.isfinite(b).sum() > 1 else 0.0
        for a, b in zip(after, before, strict=True)
    ]
    rotated = np.array([g > LEAST_GAIN for g in gain])
    # Rotations are towards a common mean: all cohorts take part, or none.
    if not rotated.any():
        return list(cohorts), rotated
    return current, np.array(
        [not np.allclose(c.loading, o.loading) for c, o in zip(current, cohorts, strict=True)]
    )


def _procrustes(cohort: CohortEstimates, mean: Array) -> CohortEstimates:
    """Rotate the factors that a cohort has towards mean maps."""
    on = np.flatnonzero(cohort.found)
    if on.size < 2:
        return cohort
    own = cohort.loading[on] - cohort.loading[on].mean(axis=1, keepdims=True)
    u, _, vt = np.linalg.svd(own @ mean[on].T)
    return rotate(cohort, on, u @ vt)


def _agreement(cohorts: Sequence[CohortEstimates]) -> Array:
    """Correlation of each cohort's map of a pattern with the mean of the others."""
    n_patterns = cohorts[0].loading.shape[0]
    out = np.full((len(cohorts), n_patterns), np.nan)
    for i, c in enumerate(cohorts):
        others = [o for j, o in enumerate(cohorts) if j != i]
        if not others:
            continue
        mean = _consensus(others)
        for p in np.flatnonzero(c.found & np.any([o.found for o in others], axis=0)):
            se2 = 1.0 / sum(
                1.0 / np.maximum(o.loading_se[p] ** 2, 1e-12) for o in others if o.found[p]
            )
            pair = correlate(c.loading[[p]], c.loading_se[[p]], mean[[p]], np.sqrt(se2)[None])
            out[i, p] = pair[0, 0]
    return out
