"""Leading eigenvalues of the similarity of subjects: exact for few subjects, Lanczos for many."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

from bayes_mdd.types import Array

#: Rows up to which all eigenvalues are computed. The time of that grows with their cube.
ALL_UP_TO = 400
#: Relative precision of eigenvalues of more rows.
TOLERANCE = 1e-7
#: The same where eigenvalues are only compared with those of noise.
ROUGH = 1e-3


def leading_pairs(y: Array, count: int) -> tuple[Array, Array]:
    """Leading eigenvalues and eigenvectors of ``y @ y.T``.

    Parameters
    ----------
    y : ndarray, shape (row, feature)
        Features.
    count : int
        Number of eigenvalues.

    Returns
    -------
    values : ndarray, shape (count,)
        In ascending order.
    vectors : ndarray, shape (row, count)
        Orthonormal.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.random.default_rng(0).normal(size=(500, 600)) + 0.5
    >>> value, vector = leading_pairs(y, 1)
    >>> bool(np.allclose(y @ (y.T @ vector), value * vector, atol=1e-3 * value))
    True
    """
    if len(y) <= ALL_UP_TO or count >= len(y) - 1:
        values, vectors = np.linalg.eigh(y @ y.T)
        return values[-count:], vectors[:, -count:]
    return _lanczos(lambda v: y @ (y.T @ v), len(y), count)


def leading_value(y: Array) -> float:
    """Largest eigenvalue of ``y @ y.T``.

    Parameters
    ----------
    y : ndarray, shape (row, feature)
        Features.

    Returns
    -------
    float
        The eigenvalue.
    """
    if len(y) <= ALL_UP_TO:
        return float(np.linalg.eigvalsh(y @ y.T)[-1])
    if y.shape[1] <= ALL_UP_TO:
        return float(np.linalg.eigvalsh(y.T @ y)[-1])
    return float(_lanczos(lambda v: y @ (y.T @ v), len(y), 1)[0][0])


def rough_leading_value(y: Array | NDArray[np.float32], weights: Array) -> float:
    """Largest eigenvalue of ``(y * weights) @ y.T``, to three digits.

    Parameters
    ----------
    y : ndarray, shape (row, feature)
        Features, also in single precision.
    weights : ndarray, shape (feature,)
        Weights of squared features.

    Returns
    -------
    float
        The eigenvalue.
    """
    if y.shape[1] <= ALL_UP_TO:
        root = y * np.sqrt(weights).astype(y.dtype)
        return float(np.linalg.eigvalsh((root.T @ root).astype(float))[-1])
    return float(_lanczos(partial(_weighted_product, y, weights), len(y), 1, ROUGH)[0][0])


def _weighted_product(y: Array | NDArray[np.float32], weights: Array, v: Array) -> Array:
    """Multiply by ``(y * weights) @ y.T`` in the precision of `y`."""
    column = y.T @ v.reshape(-1, 1).astype(y.dtype)
    return np.asarray((y @ (weights.astype(y.dtype)[:, None] * column))[:, 0], dtype=float)


def leading_of_similarity(similarity: Array, count: int) -> Array:
    """Leading eigenvalues of a symmetric matrix without negative ones.

    Parameters
    ----------
    similarity : ndarray, shape (row, row)
        The matrix.
    count : int
        Number of eigenvalues.

    Returns
    -------
    ndarray, shape (count,)
        In descending order.
    """
    if not count:
        return np.zeros(0)
    return _lanczos(lambda v: similarity @ v, len(similarity), count)[0][::-1]


def _lanczos(
    product: Callable[[Array], Array], n: int, count: int, tolerance: float = TOLERANCE
) -> tuple[Array, Array]:
    """Leading eigenpairs in ascending order, from a start that is the same in every run."""
    operator = LinearOperator((n, n), matvec=product, dtype=float)
    start = np.random.default_rng(0).standard_normal(n)
    try:
        values, vectors = eigsh(operator, k=count, v0=start, tol=tolerance, ncv=max(20, 4 * count))
    except ArpackNoConvergence as error:
        # What has converged so far is the leading part, of close eigenvalues.
        values, vectors = error.eigenvalues, error.eigenvectors
        if len(values) < count:
            raise
    order = np.argsort(values)
    return np.asarray(values[order]), np.asarray(vectors[:, order])
