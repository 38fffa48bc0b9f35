"""Rotation of components so that directions that vary in one arm only are apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayes_mdd.shared_specific.search.components import MAX_FEATURES, varimax
from bayes_mdd.types import Array

#: Permutations of the arms, and level at which a direction counts as one of an arm.
PERMUTATIONS, LEVEL = 200, 0.05
#: Variances of scores without their error below this fraction of the largest are raised to it.
LEAST_VARIANCE = 0.1


def rotate_by_arm(
    unbiased: Array,
    error: Array,
    arm: NDArray[np.integer],
    edges: Array,
    subject_scale: Array,
    rng: np.random.Generator,
) -> Array:
    """Rotate scores: directions of one arm first, the others by varimax of their edges.

    The errors of scores have the same covariance in all arms, so it cancels in the difference of
    the arms' covariances. In scores whose variance without error is 1, that difference is 2 in size
    along a direction of one of two arms, and 0 along a shared one. The largest is kept while fewer
    than `LEVEL` of `PERMUTATIONS` permutations of the arms, within the span that remains, give a
    larger one.

    Parameters
    ----------
    unbiased : ndarray, shape (subject, component)
        Scores, from `estimate_jointly`.
    error : ndarray, shape (component, component)
        Covariance of their errors.
    arm : ndarray of int, shape (subject,)
        Arm of each subject. Of more than two arms each is compared with all others.
    edges : ndarray, shape (subject, edge)
        Edges, for varimax.
    subject_scale : ndarray, shape (subject,)
        Noise scale of each subject; scores are relative to it.
    rng : numpy.random.Generator
        For the permutations.

    Returns
    -------
    ndarray, shape (subject, component)
        Rotated scores with mean square 1.
    """
    n, k = unbiased.shape
    values, vectors = np.linalg.eigh(unbiased.T @ unbiased / n - error)
    white = unbiased @ (vectors / np.sqrt(np.maximum(values, LEAST_VARIANCE * values.max())))
    found: list[Array] = []
    basis = np.eye(k)
    while basis.shape[1] and arm.max() > 0:
        z = white @ basis
        size, direction = _extreme(z, arm)
        null = [_extreme(z, rng.permutation(arm))[0] for _ in range(PERMUTATIONS)]
        if np.mean(np.array(null) >= size) > LEVEL:
            break
        found.append(basis @ direction)
        basis = np.linalg.qr(np.column_stack(found), mode="complete")[0][:, len(found) :]
    rest = white @ basis
    if rest.shape[1] > 1:
        some_edges = edges[:, :: max(1, edges.shape[1] // MAX_FEATURES)]
        rest = rest @ varimax(some_edges.T @ (rest * subject_scale[:, None]) / n)
    rotated = np.column_stack([white @ np.array(found).T, rest]) if found else rest
    return np.asarray(rotated / np.sqrt((rotated**2).mean(axis=0)))


def _extreme(z: Array, arm: NDArray[np.integer]) -> tuple[float, Array]:
    """Size and direction of the largest difference between an arm's covariance and the others'."""
    best, direction = 0.0, np.zeros(z.shape[1])
    arms = np.unique(arm)
    for a in arms if arms.size > 2 else arms[:1]:
        own, others = z[arm == a], z[arm != a]
        values, vectors = np.linalg.eigh(own.T @ own / len(own) - others.T @ others / len(others))
        at = int(np.abs(values).argmax())
        if abs(values[at]) > best:
            best, direction = float(abs(values[at])), vectors[:, at]
    return best, direction
