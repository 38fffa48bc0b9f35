"""Search for components of whitened features: smooth traits, and directions of one arm.

Traits are smooth, so that in thousands of isotropic dimensions they are diluted. Features are
therefore sorted into bins by smoothness, and components are sought at several weightings of the
bins.
Since errors of whitened features are independent, random signs give a valid null distribution
under every weighting, and one set of sign-flipped copies serves all of them: the threshold is that
of the maximum over weightings and over groups of subjects.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayes_mdd.shared_specific.search.curvature import curvature_part, is_one_subject
from bayes_mdd.shared_specific.search.few_copies import FewCopies
from bayes_mdd.shared_specific.search.joint_components import estimate_jointly
from bayes_mdd.shared_specific.search.one_arm import rotate_by_arm
from bayes_mdd.shared_specific.search.parallel_analysis import complement, orthonormal
from bayes_mdd.shared_specific.search.weightings import (
    Bins,
    bin_features,
    flip_signs,
    group_subjects,
    largest_excess,
    matched_filter,
)
from bayes_mdd.shared_specific.whitening.leading import (
    ALL_UP_TO,
    leading_pairs,
)
from bayes_mdd.types import Array, IntArray

#: Number of sign-flipped copies.
FLIPS = 60
#: Rounds of joint estimation: after each component, and before and after the rotation by arm.
JOINT_ROUNDS, FINAL_ROUNDS = 15, 25


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
        [_statistics([flip_signs(p, rng) for p in parts], bins, groups, free) for _ in range(FLIPS)]
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
