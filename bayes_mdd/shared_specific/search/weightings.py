"""Weightings of features by smoothness, and what the searches with them have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayes_mdd.shared_specific.search.parallel_analysis import orthonormal
from bayes_mdd.types import Array, IntArray

#: Numbers of the smoothest features that form nested sets; the last set holds all features.
NESTED = (15, 36, 80, 170, 370, 800, 1750)
#: Exponents of the smoothness by which amplitudes are weighted.
EXPONENTS = (0.15, 0.25, 0.35, 0.5)
#: SDs by which a component must exceed the mean of the copies' maximum: about its 98 % point.
EXCESS = 2.6
#: Log ratio that is left for errors that are not quite independent: where all features count, the
#: null distribution has an SD of 0.01 only.
MISFIT = 0.05
#: Rounds of the matched filter.
FILTER_ROUNDS = 4


@dataclass(frozen=True, eq=False)
class Bins:
    """Features by smoothness.

    Parameters
    ----------
    of : ndarray of int, shape (feature,)
        Bin of each feature; bin 0 is the smoothest.
    weights : ndarray, shape (weighting, bin)
        Weights of squared features.
    """

    of: IntArray
    weights: Array

    @property
    def size(self) -> IntArray:
        """Number of features of each bin."""
        return np.bincount(self.of)


def bin_features(smoothness: Array) -> Bins:
    """Sort features into bins by smoothness, and list the weightings.

    Parameters
    ----------
    smoothness : ndarray, shape (feature,)
        Product of the variances of the two directions of a feature.

    Returns
    -------
    Bins
        With nested sets and powers of the smoothness as weightings.
    """
    limits = [n for n in NESTED if n < smoothness.size]
    order = np.argsort(-smoothness, kind="stable")
    of = np.zeros(smoothness.size, dtype=np.int64)
    for k, limit in enumerate(limits):
        of[order[limit:]] = k + 1
    n = len(limits) + 1
    log_mean = np.array([np.log(smoothness[of == b]).mean() for b in range(n)])
    powers = np.exp(2 * np.array(EXPONENTS)[:, None] * (log_mean - log_mean[0]))
    return Bins(of, np.vstack([np.tril(np.ones((n, n))), powers]))


def group_subjects(arm: NDArray[np.integer], taken: Array) -> list[tuple[IntArray, Array]]:
    """List the groups in which components are sought: all subjects, and each arm.

    Parameters
    ----------
    arm : ndarray of int, shape (subject,)
        Arm of each subject.
    taken : ndarray, shape (subject, m)
        Orthonormal basis of what is projected out.

    Returns
    -------
    list of tuple
        Positions of the subjects, and what is projected out among them.
    """
    groups = [(np.arange(len(arm)), taken)]
    for a in np.unique(arm) if arm.max() > 0 else ():
        at = np.flatnonzero(arm == a)
        inside = orthonormal(taken[at], np.ones((at.size, 1)))
        if inside.shape[1] < at.size - 2:
            groups.append((at, inside))
    return groups


def largest_excess(seen: Array, null: Array, *, few: bool = False) -> int | None:
    """Find the statistic that exceeds its null distribution by most.

    Parameters
    ----------
    seen : ndarray, shape (statistic,)
        Statistics of the features.
    null : ndarray, shape (copy, statistic)
        Statistics of sign-flipped copies.
    few : bool, default False
        Compare each copy with the others, as the features are: with few copies, mean and SD of all
        are closer to each of them than to further ones.

    Returns
    -------
    int or None
        Position of the statistic; None if the largest excess is no larger than by chance.
    """
    mean, sd = null.mean(axis=0), null.std(axis=0)
    centre, spread = mean, sd
    if few:
        n = len(null)
        centre = (null.sum(axis=0) - null) / (n - 1)
        spread = np.stack([np.delete(null, i, axis=0).std(axis=0, ddof=1) for i in range(n)])
    top = ((null - centre) / spread).max(axis=1)
    excess = (seen - mean - MISFIT) / sd
    best = int(excess.argmax())
    return None if excess[best] <= top.mean() + EXCESS * top.std() else best


def flip_signs(part: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Give every entry a random sign.

    Parameters
    ----------
    part : ndarray of float32
        Features.
    rng : numpy.random.Generator
        For the signs.

    Returns
    -------
    ndarray of float32
        Same shape as `part`.
    """
    packed = np.frombuffer(rng.bytes(-(-part.size // 8)), dtype=np.uint8)
    signs = np.unpackbits(packed, count=part.size).reshape(part.shape).astype(bool)
    return np.where(signs, part, -part)


def matched_filter(
    own: Array, weights: Array, bins: Bins, free: int, leading: Callable[[Array], Array]
) -> tuple[Array, Array]:
    """Weight bins by the component's own ratio of signal to noise.

    Parameters
    ----------
    own : ndarray, shape (subject, feature)
        Features with design and components found before projected out.
    weights : ndarray, shape (feature,)
        Weights of features to begin with.
    bins : Bins
        Bins of the features.
    free : int
        Number of subjects minus the number of columns that were projected out.
    leading : callable
        Finds the leading eigenvector of weighted features, in which these columns are out.

    Returns
    -------
    scores : ndarray, shape (subject,)
        With norm 1.
    weights : ndarray, shape (feature,)
        Weights of features.
    """
    size = bins.size
    scores = np.zeros(len(own))
    for _ in range(FILTER_ROUNDS):
        scores = leading(own * weights)
        power = (scores @ own) ** 2
        signal = np.bincount(bins.of, power) / size
        total = np.bincount(bins.of, (own**2).sum(axis=0)) / size
        noise = (total - signal) / (free - 1)
        ratio = np.maximum(signal / noise - 1.0, 0.0)
        if ratio.max() <= 0:
            break
        weights = np.sqrt(ratio / (ratio + 1.0))[bins.of]
    return scores, weights
