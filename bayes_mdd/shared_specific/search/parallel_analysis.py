"""Parallel analysis: components of all subjects, of one arm, or of one block that exceed noise.

The null distribution comes from copies of the features with random signs, which keep the size of
every entry and destroy components. Components are sought one after the other (deflation): the null
of the next one is made of the residuals of those found so far, projected onto the same complement
of design and components, and scaled to the same total variance. A null of the features themselves
would contain the variance of the strong components and hide weak ones.

References
----------
.. [1] Dobriban, E. & Owen, A. B. (2019). Deterministic parallel analysis: an improved method for
   selecting factors and principal components. Journal of the Royal Statistical Society B, 81,
   163-183.
.. [2] Hong, D., Sheng, Y. & Dobriban, E. (2020). Selecting the number of components in PCA via
   random signflips. arXiv:2012.02985.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayes_mdd.shared_specific.search.effective_features import draw_top, effective_count
from bayes_mdd.shared_specific.whitening.leading import leading_pairs, leading_value
from bayes_mdd.types import Array

#: Number of sign-flipped copies of the residuals that a component must exceed.
FLIPS = 40
#: Ratio by which it must exceed them. What is left of components found before reaches 1.04 in
#: simulations, weak true components begin at 1.15, and the scores of a component in between could
#: not be estimated.
MARGIN = 1.07
#: A component that exceeds the first copy by this ratio is accepted without further copies.
CLEAR_MARGIN = 1.25
#: Extra margin for correlated noise, whose leading eigenvalue exceeds that of the same effective
#: number of independent features by up to 30 % (errors of regions: 0.27 in 24 simulations),
#: because few of its directions hold most of its variance. It applies in part where the effective
#: number is more than half the actual one.
CORRELATION_MARGIN = 0.3
#: Smallest ratio of the largest eigenvalue of a block to that of sign-flipped features. The
#: residuals of components found before reach 1.4 in the blocks that carry them.
BLOCK_THRESHOLD = 1.5
#: Number of sign-flipped copies of each block.
BLOCK_FLIPS = 20


def complement(y: Array, taken: Array) -> Array:
    """Project columns out of features.

    Parameters
    ----------
    y : ndarray, shape (subject, feature)
        Features.
    taken : ndarray, shape (subject, m)
        Orthonormal columns.

    Returns
    -------
    ndarray
        Same shape as `y`.
    """
    return np.asarray(y - taken @ (taken.T @ y))


def orthonormal(*columns: Array) -> Array:
    """Orthonormal basis of the columns of matrices; dependent columns are dropped.

    Parameters
    ----------
    *columns : ndarray, shape (subject, any)
        Matrices with the same rows.

    Returns
    -------
    ndarray, shape (subject, rank)
        The basis.
    """
    u, s, _ = np.linalg.svd(np.column_stack(columns), full_matrices=False)
    return np.asarray(u[:, s > 1e-10 * s.max(initial=1e-300)])


def leading_component(
    residual: Array, taken: Array, rng: np.random.Generator, weight: float = 1.0
) -> tuple[Array | None, float]:
    """Find the leading component of residuals, if it exceeds the threshold.

    Parameters
    ----------
    residual : ndarray, shape (subject, feature)
        Features with `taken` projected out.
    taken : ndarray, shape (subject, m)
        Orthonormal basis of the design and the components found before.
    rng : numpy.random.Generator
        For the signs.
    weight : float, default 1.0
        Effective over actual number of features. Below 1 the null is noise with the effective
        number of features: random signs would remove the correlations of the noise.

    Returns
    -------
    scores : ndarray of shape (subject,) or None
        Scores of the component, with norm 1.
    ratio : float
        Its eigenvalue over the threshold; 0 without a component.
    """
    values, vectors = leading_pairs(residual, 1)
    total, free = float((residual**2).sum()), len(residual) - taken.shape[1]
    top, threshold = float(values[-1]), 0.0
    for flip in range(FLIPS):
        noise = (
            _top_of_flipped(residual, taken, rng)
            if weight == 1.0
            else _correlation_margin(weight)
            * draw_top(weight * residual.shape[1], free, rng)
            * total
            / free
        )
        threshold = max(threshold, MARGIN * noise)
        if top <= threshold or (flip == 0 and top > CLEAR_MARGIN * threshold):
            break
    if not top > threshold:
        return None, 0.0
    return np.asarray(vectors[:, -1]), top / threshold


def arm_component(
    y: Array,
    arm: NDArray[np.integer],
    taken: Array,
    rng: np.random.Generator,
    weight: float = 1.0,
) -> Array | None:
    """Find the component within one arm that exceeds its threshold by most.

    The contrast of a component that only one of two arms has is twice as large within that arm.

    Parameters
    ----------
    y : ndarray, shape (subject, feature)
        Features with `taken` projected out.
    arm : ndarray of int, shape (subject,)
        Arm of each subject.
    taken : ndarray, shape (subject, m)
        Orthonormal basis of the design and the components found before.
    rng : numpy.random.Generator
        For the signs.
    weight : float, default 1.0
        As in `leading_component`.

    Returns
    -------
    ndarray of shape (subject,) or None
        Scores of all subjects, with norm 1.
    """
    best, scores = 0.0, None
    # In order of appearance, so that random signs do not depend on the names of arms.
    for a in dict.fromkeys(arm.tolist()):
        at = arm == a
        # The mean of an arm is a component of all subjects, not one within the arm.
        inside = orthonormal(taken[at], np.ones((at.sum(), 1)))
        if inside.shape[1] >= at.sum() - 1:
            continue
        residual = complement(y[at], inside)
        found, ratio = leading_component(residual, inside, rng, weight)
        if found is not None and ratio > best:
            best, scores = ratio, y @ (residual.T @ found)
    return None if scores is None else np.asarray(scores / np.linalg.norm(scores))


def block_component(
    residual: Array,
    code: NDArray[np.integer],
    rng: np.random.Generator,
    free: int,
    weight: float = 1.0,
) -> Array | None:
    """Find the component of a single block that is strongest, if it exceeds the threshold.

    Parameters
    ----------
    residual : ndarray, shape (subject, feature)
        Features with design and components found before projected out.
    code : ndarray of int, shape (feature,)
        Block of each feature.
    rng : numpy.random.Generator
        For the signs.
    free : int
        Number of subjects minus the rank of design and components.
    weight : float, default 1.0
        As in `leading_component`; the effective number of features is estimated for each block.
        Below 1 a block must also exceed the median block: correlated errors are alike in all
        blocks, and a component of most blocks has been found before.

    Returns
    -------
    ndarray of shape (subject,) or None
        Scores, with norm 1.
    """
    threshold, ratio = BLOCK_THRESHOLD, []
    parts = [residual[:, code == b] for b in np.unique(code)]
    for part in parts:
        if weight == 1.0:
            null = np.array([leading_value(_flipped(part, rng)) for _ in range(BLOCK_FLIPS)])
        else:
            null = _correlated_tops(part, free, rng)
        threshold = max(threshold, float(null.max() / null.mean()))
        ratio.append(leading_value(part) / null.mean())
    best = int(np.argmax(ratio))
    if weight < 1.0:
        threshold *= max(_correlation_margin(weight), float(np.median(ratio)))
    if ratio[best] <= threshold:
        return None
    return np.asarray(leading_pairs(parts[best], 1)[1][:, -1])


def _correlated_tops(part: Array, free: int, rng: np.random.Generator) -> Array:
    """Largest eigenvalues of noise with effective number of features and variance of a block."""
    basis = np.linalg.svd(part, full_matrices=False)[0][:, :free]
    inside = basis.T @ part
    similarity = np.zeros((free, free))
    similarity[: len(inside), : len(inside)] = inside @ inside.T
    count = effective_count(similarity, part.shape[1], 1)
    mean = float((part**2).sum()) / free
    return np.array([draw_top(count, free, rng) * mean for _ in range(BLOCK_FLIPS)])


def _correlation_margin(weight: float) -> float:
    return 1.0 + CORRELATION_MARGIN * min(1.0, 1.0 / weight - 1.0)


def _top_of_flipped(residual: Array, taken: Array, rng: np.random.Generator) -> float:
    noise = complement(_flipped(residual, rng), taken)
    return float(leading_value(noise) * (residual**2).sum() / (noise**2).sum())


def _flipped(y: Array, rng: np.random.Generator) -> Array:
    return np.where(rng.integers(0, 2, size=y.shape, dtype=np.uint8) > 0, y, -y)
