"""Search for components of whitened features: smooth traits, and directions of one arm.

Traits are smooth, so that in thousands of isotropic dimensions they are diluted. Features are
therefore sorted into bins by smoothness, and components are sought at several weightings of the
bins.
Since errors of whitened features are independent, random signs give a valid null distribution
under every weighting, and one set of sign-flipped copies serves all of them: the threshold is that
of the maximum over weightings and over groups of subjects.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayes_mdd.shared_specific.search.curvature import curvature_part, is_one_subject
from bayes_mdd.shared_specific.search.joint_components import estimate_jointly
from bayes_mdd.shared_specific.search.one_arm import rotate_by_arm
from bayes_mdd.shared_specific.search.parallel_analysis import complement, orthonormal
from bayes_mdd.shared_specific.whitening.leading import (
    ALL_UP_TO,
    leading_pairs,
    rough_leading_value,
)
from bayes_mdd.types import Array, IntArray

#: Numbers of the smoothest features that form nested sets; the last set holds all features.
NESTED = (15, 36, 80, 170, 370, 800, 1750)
#: Exponents of the smoothness by which amplitudes are weighted.
EXPONENTS = (0.15, 0.25, 0.35, 0.5)
#: Number of sign-flipped copies; of many subjects, whose largest eigenvalues hardly vary.
FLIPS, COPIES_OF_MANY = 60, 16
#: SDs by which a component must exceed the mean of the copies' maximum: about its 98 % point.
EXCESS = 2.6
#: Log ratio that is left for errors that are not quite independent: where all features count, the
#: null distribution has an SD of 0.01 only.
MISFIT = 0.05
#: Rounds of the matched filter.
FILTER_ROUNDS = 4
#: Rounds of joint estimation: after each component, and before and after the rotation by arm.
JOINT_ROUNDS, FINAL_ROUNDS = 15, 25


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


def find_smooth_components(
    x: Array,
    smoothness: Array,
    arm: NDArray[np.integer],
    design: Array,
    edges: Array,
    subject_scale: Array,
    n_factors: int,
    rng: np.random.Generator,
) -> Array:
    """Find the components that exceed noise at some smoothness, and rotate them by arm.

    Parameters
    ----------
    x : ndarray, shape (subject, feature)
        Whitened features between eigenvectors of the mean correlation matrix, over the noise scale
        of the subject.
    smoothness : ndarray, shape (feature,)
        Smoothness of each feature.
    arm : ndarray of int, shape (subject,)
        Arm of each subject.
    design : ndarray, shape (subject, m)
        Orthonormal basis of the design over the noise scale.
    edges : ndarray, shape (subject, edge)
        Edges, for the rotation of shared components.
    subject_scale : ndarray, shape (subject,)
        Noise scale of each subject.
    n_factors : int
        Largest number of components.
    rng : numpy.random.Generator
        For signs and permutations.

    Returns
    -------
    ndarray, shape (subject, component)
        Scores over the noise scale.
    """
    x = complement(x, design)
    bins = bin_features(smoothness)
    scores, other = np.zeros((len(x), 0)), np.zeros((len(x), 0))
    find = _find_component if len(x) <= ALL_UP_TO else FewCopies().find
    while scores.shape[1] < n_factors and other.shape[1] <= n_factors:
        taken = orthonormal(design, scores, other)
        component = find(x, bins, arm, taken, rng)
        if component is None:
            break
        curved = curvature_part(component, scores, taken)
        if curved is None and is_one_subject(component):
            curved = component
        if curved is not None:
            other = np.column_stack([other, curved])
            continue
        together = np.column_stack([scores, component])
        scores = estimate_jointly(x, together, bins.of, design, arm, JOINT_ROUNDS).scores
    if not scores.shape[1]:
        return scores
    found = estimate_jointly(x, scores, bins.of, design, arm, FINAL_ROUNDS)
    rotated = rotate_by_arm(found.unbiased, found.error, arm, edges, subject_scale, rng)
    final = estimate_jointly(x, rotated, bins.of, design, arm, JOINT_ROUNDS, by_arm=True).scores
    # Joint estimation and rotation can collect what one subject has on several components.
    return final[:, [not is_one_subject(column) for column in final.T]]


def extend_scores(
    scores: Array,
    x: Array,
    smoothness: Array,
    arm: NDArray[np.integer],
    design: Array,
    n_factors: int,
    rng: np.random.Generator,
) -> Array:
    """Score further rows on the components of the first ones, and add components of their own.

    Half differences of scans hold no trait, so that they would only dilute the search. Patterns
    that only they have, for example of motion in one half, are sought afterwards: without a factor
    of its own such a pattern would take the place of a trait.

    Parameters
    ----------
    scores : ndarray, shape (first, component)
        From `find_smooth_components` of the first rows.
    x : ndarray, shape (row, feature)
        Features of all rows, as in `find_smooth_components`.
    smoothness : ndarray, shape (feature,)
        Smoothness of each feature.
    arm : ndarray of int, shape (row,)
        Arm of each row.
    design : ndarray, shape (row, m)
        Orthonormal basis of the design of all rows.
    n_factors : int
        Largest number of components in all.
    rng : numpy.random.Generator
        For the signs.

    Returns
    -------
    ndarray, shape (row, component)
        Scores of all rows; `scores` where there are no further rows.
    """
    n, k = scores.shape
    if n == len(x) or not k:
        return np.vstack([scores, np.zeros((len(x) - n, k))])
    bins, x = bin_features(smoothness), complement(x, design)
    found = np.vstack([scores, np.zeros((len(x) - n, k))])
    found = estimate_jointly(x, found, bins.of, design, arm, JOINT_ROUNDS, by_arm=True).scores
    find = _find_component if len(x) - n <= ALL_UP_TO else FewCopies().find
    while found.shape[1] < n_factors:
        taken = orthonormal(design[n:], found[n:])
        own = find(x[n:], bins, np.zeros(len(x) - n, dtype=int), taken, rng)
        if own is None:
            break
        column = np.concatenate([np.zeros(n), own])
        found = np.column_stack([found, column / np.sqrt((column**2).mean())])
        found = estimate_jointly(x, found, bins.of, design, arm, JOINT_ROUNDS, by_arm=True).scores
    return found


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


class FewCopies:
    """Search among many subjects, where copies cost much and hardly differ.

    Copies of the first residuals serve all components that exceed them: strong components make
    them larger. New ones are made before the search ends.
    """

    def __init__(self) -> None:
        self._null: Array | None = None

    def find(
        self,
        x: Array,
        bins: Bins,
        arm: NDArray[np.integer],
        taken: Array,
        rng: np.random.Generator,
    ) -> Array | None:
        """Find the component that exceeds noise by most.

        Parameters
        ----------
        x : ndarray, shape (subject, feature)
            Features.
        bins : Bins
            Bins of the features.
        arm : ndarray of int, shape (subject,)
            Arm of each subject.
        taken : ndarray, shape (subject, m)
            Orthonormal basis of the design and of components found before.
        rng : numpy.random.Generator
            For the signs.

        Returns
        -------
        ndarray of shape (subject,) or None
            Scores with norm 1; None if no component exceeds noise.
        """
        left, groups = complement(x, taken), group_subjects(arm, taken)
        single = left.astype(np.float32)
        seen = _statistics_of_many(single, bins, groups)
        best = None if self._null is None else largest_excess(seen, self._null, few=True)
        if best is None:
            copies = (_flipped(single, rng) for _ in range(COPIES_OF_MANY))
            self._null = np.array([_statistics_of_many(c, bins, groups) for c in copies])
            best = largest_excess(seen, self._null, few=True)
        if best is None:
            return None
        group, weighting = divmod(best, len(bins.weights))
        at, inside = groups[group]
        own = complement(x[at], inside)
        weights = np.sqrt(bins.weights[weighting])[bins.of]
        scores, weights = matched_filter(
            own,
            weights,
            bins,
            len(at) - inside.shape[1],
            lambda y: leading_pairs(y, 1)[1][:, 0],
        )
        if group:
            scores = (left * weights) @ ((own * weights).T @ scores)
        scores = complement(scores[:, None], taken)[:, 0]
        return np.asarray(scores / np.linalg.norm(scores))


def _statistics_of_many(
    left: NDArray[np.float32], bins: Bins, groups: list[tuple[IntArray, Array]]
) -> Array:
    """Log ratio of the largest eigenvalue to the mean of the others, by group and weighting."""
    out = []
    for at, inside in groups:
        columns = inside.astype(np.float32)
        own = left[at] - columns @ (columns.T @ left[at])
        square = np.einsum("np,np->p", own, own).astype(float)
        for weights in bins.weights:
            used = np.flatnonzero(weights[bins.of] > 0)
            some = own if used.size == own.shape[1] else own[:, used]
            w = weights[bins.of[used]]
            top, rank = rough_leading_value(some, w), min(used.size, len(at) - inside.shape[1])
            out.append(np.log(top / ((w @ square[used] - top) / (rank - 1))))
    return np.array(out)


def _find_component(
    x: Array, bins: Bins, arm: NDArray[np.integer], taken: Array, rng: np.random.Generator
) -> Array | None:
    """Scores, with norm 1, of the component that exceeds noise by most; None if none does."""
    left, groups = complement(x, taken), group_subjects(arm, taken)
    free = [np.linalg.qr(t, mode="complete")[0][:, t.shape[1] :] for _, t in groups]
    members = [np.flatnonzero(bins.of == b) for b in range(bins.weights.shape[1])]
    # Single precision suffices for largest eigenvalues and halves the time of many features.
    parts = [np.ascontiguousarray(left[:, at], dtype=np.float32) for at in members]
    seen = _statistics(parts, bins, groups, free)
    null = np.array(
        [_statistics([_flipped(p, rng) for p in parts], bins, groups, free) for _ in range(FLIPS)]
    )
    best = largest_excess(seen, null)
    if best is None:
        return None
    group, weighting = divmod(best, len(bins.weights))
    at, inside = groups[group]
    weights = np.sqrt(bins.weights[weighting])[bins.of]
    own = complement(x[at], inside)
    basis = free[group]
    scores, weights = matched_filter(
        own, weights, bins, basis.shape[1], lambda y: basis @ leading_pairs(basis.T @ y, 1)[1][:, 0]
    )
    if group:
        scores = (left * weights) @ ((own * weights).T @ scores)
    scores = complement(scores[:, None], taken)[:, 0]
    return np.asarray(scores / np.linalg.norm(scores))


def _flipped(part: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Give every entry a random sign."""
    packed = np.frombuffer(rng.bytes(-(-part.size // 8)), dtype=np.uint8)
    signs = np.unpackbits(packed, count=part.size).reshape(part.shape).astype(bool)
    return np.where(signs, part, -part)


def _statistics(
    parts: list[NDArray[np.float32]],
    bins: Bins,
    groups: list[tuple[IntArray, Array]],
    free: list[Array],
) -> Array:
    """Log ratio of the largest eigenvalue to the bulk, by group and weighting.

    The bulk is the lower half of the eigenvalues that are not zero, so that strong components do
    not raise the reference for weak ones.
    """
    gram = np.stack([p @ p.T for p in parts]).astype(float)
    size = bins.size
    out = []
    for (at, _), basis in zip(groups, free, strict=True):
        inside = basis.T @ gram[:, at[:, None], at] @ basis
        values = np.linalg.eigvalsh(np.einsum("wb,bij->wij", bins.weights, inside))[:, ::-1]
        for row, weights in zip(values, bins.weights, strict=True):
            rank = min(int(size[weights > 0].sum()), basis.shape[1])
            out.append(np.log(row[0] / row[rank // 2 : rank].mean()))
    return np.array(out)


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
