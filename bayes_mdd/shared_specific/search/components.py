"""The search for patterns: of all features together, then within arms, then block by block."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayes_mdd.shared_specific.search.parallel_analysis import (
    arm_pattern,
    block_pattern,
    complement,
    orthonormal,
    top_pattern,
)
from bayes_mdd.types import Array

#: The rotation is found on at most so many features, evenly spaced.
MAX_FEATURES = 5000


def varimax(loadings: Array, *, iterations: int = 200, tolerance: float = 1e-8) -> Array:
    """Rotate loadings so that each feature has few large ones.

    Parameters
    ----------
    loadings : ndarray, shape (feature, factor)
        Loadings in any rotation.
    iterations : int, default 200
        At most so many steps.
    tolerance : float, default 1e-8
        Relative growth of the criterion below which to stop.

    Returns
    -------
    ndarray, shape (factor, factor)
        The orthogonal matrix to multiply `loadings` with from the right.

    References
    ----------
    .. [1] Kaiser, H. F. (1958). The varimax criterion for analytic rotation in factor analysis.
       Psychometrika, 23, 187-200.
    """
    rotation = np.eye(loadings.shape[1])
    criterion = 0.0
    for _ in range(iterations):
        rotated = loadings @ rotation
        u, s, vt = np.linalg.svd(
            loadings.T @ (rotated**3 - rotated * (rotated**2).mean(axis=0, keepdims=True))
        )
        rotation = u @ vt
        if s.sum() <= criterion * (1 + tolerance):
            break
        criterion = s.sum()
    return rotation


def find_patterns(
    y: Array,
    code: NDArray[np.integer],
    arm: NDArray[np.integer],
    design: Array,
    n_factors: int,
    rng: np.random.Generator,
    *,
    weight: float = 1.0,
    max_features: int = MAX_FEATURES,
) -> Array:
    """Find the patterns of people that stand out of noise, one after the other.

    Components of all features together that stand out are rotated by varimax. What is left is
    searched within each arm and then block by block (see
    `bayes_mdd.shared_specific.search.parallel_analysis`).

    Parameters
    ----------
    y : ndarray, shape (subject, feature)
        Features without the design, equally noisy.
    code : ndarray of int, shape (feature,)
        Block of each feature.
    arm : ndarray of int, shape (subject,)
        Arm of each person.
    design : ndarray, shape (subject, m)
        Orthonormal columns that span the design.
    n_factors : int
        Patterns to find at most.
    rng : numpy.random.Generator
        For the nulls.
    weight : float, default 1.0
        Effective over actual number of features.
    max_features : int, default 5000
        The rotation is found on at most so many features, evenly spaced.

    Returns
    -------
    ndarray, shape (subject, pattern)
        Scores.
    """
    found = _pooled_patterns(y, design, n_factors, rng, max_features, weight)
    while found.shape[1] < n_factors:
        taken = orthonormal(design, found)
        left = complement(y, taken)
        pattern = None
        if arm.max() > 0:
            pattern = arm_pattern(left, arm, taken, rng, weight)
        if pattern is None:
            pattern = block_pattern(left, code, rng, len(y) - taken.shape[1], weight)
        if pattern is None:
            break
        found = np.column_stack([found, pattern * np.sqrt(len(y))])
    return found


def _pooled_patterns(
    y: Array,
    design: Array,
    n_factors: int,
    rng: np.random.Generator,
    max_features: int,
    weight: float,
) -> Array:
    """Components that stand out one after the other, in a rotation with few large loadings."""
    taken, left = design, y
    found: list[Array] = []
    while len(found) < n_factors:
        pattern, _ = top_pattern(left, taken, rng, weight)
        if pattern is None:
            break
        found.append(pattern)
        taken = orthonormal(taken, pattern[:, None])
        left = complement(y, taken)
    scores = np.asarray(np.reshape(found, (len(found), len(y))).T * np.sqrt(len(y)))
    if len(found) < 2:
        return scores
    loadings = y.T @ scores / len(y)
    return np.asarray(scores @ varimax(loadings[:: max(1, len(loadings) // max_features)]))
