"""Search for components: in all features together, then within arms, then block by block."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayes_mdd.shared_specific.search.parallel_analysis import (
    arm_component,
    block_component,
    complement,
    leading_component,
    orthonormal,
)
from bayes_mdd.types import Array

#: Largest number of features, evenly spaced, from which the rotation is computed.
MAX_FEATURES = 5000


def varimax(loadings: Array, *, iterations: int = 200, tolerance: float = 1e-8) -> Array:
    """Find the rotation after which each feature has few large loadings.

    Parameters
    ----------
    loadings : ndarray, shape (feature, factor)
        Loadings in any rotation.
    iterations : int, default 200
        Largest number of steps.
    tolerance : float, default 1e-8
        Relative growth of the criterion below which to stop.

    Returns
    -------
    ndarray, shape (factor, factor)
        Orthogonal matrix R; the rotated loadings are ``loadings @ R``.

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


def find_components(
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
    """Find the components that exceed the parallel-analysis threshold, one after the other.

    Components of all features together are rotated by varimax. The residuals are then searched
    within each arm and block by block (see
    `bayes_mdd.shared_specific.search.parallel_analysis`).

    Parameters
    ----------
    y : ndarray, shape (subject, feature)
        Features with the design projected out and equal noise.
    code : ndarray of int, shape (feature,)
        Block of each feature.
    arm : ndarray of int, shape (subject,)
        Arm of each subject.
    design : ndarray, shape (subject, m)
        Orthonormal basis of the design.
    n_factors : int
        Largest number of components.
    rng : numpy.random.Generator
        For the null distributions.
    weight : float, default 1.0
        Effective over actual number of features.
    max_features : int, default 5000
        Largest number of features, evenly spaced, from which the rotation is computed.

    Returns
    -------
    ndarray, shape (subject, component)
        Scores.
    """
    found = _pooled_components(y, design, n_factors, rng, max_features, weight)
    while found.shape[1] < n_factors:
        taken = orthonormal(design, found)
        residual = complement(y, taken)
        component = None
        if arm.max() > 0:
            component = arm_component(residual, arm, taken, rng, weight)
        if component is None:
            component = block_component(residual, code, rng, len(y) - taken.shape[1], weight)
        if component is None:
            break
        found = np.column_stack([found, component * np.sqrt(len(y))])
    return found


def _pooled_components(
    y: Array,
    design: Array,
    n_factors: int,
    rng: np.random.Generator,
    max_features: int,
    weight: float,
) -> Array:
    """Components of all features together, rotated to few large loadings."""
    taken, residual = design, y
    found: list[Array] = []
    while len(found) < n_factors:
        component, _ = leading_component(residual, taken, rng, weight)
        if component is None:
            break
        found.append(component)
        taken = orthonormal(taken, component[:, None])
        residual = complement(y, taken)
    scores = np.asarray(np.reshape(found, (len(found), len(y))).T * np.sqrt(len(y)))
    if len(found) < 2:
        return scores
    loadings = y.T @ scores / len(y)
    return np.asarray(scores @ varimax(loadings[:: max(1, len(loadings) // max_features)]))
