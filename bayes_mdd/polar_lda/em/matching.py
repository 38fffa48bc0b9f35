"""Matching the factors of two solutions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from bayes_mdd.types import Array


def correlate_rows(a: Array, b: Array) -> Array:
    """Correlation of every row of `a` with every row of `b`.

    Parameters
    ----------
    a : ndarray, shape (m, n)
        Rows; a constant row has correlation 0 with every other.
    b : ndarray, shape (k, n)
        Rows to correlate them with.

    Returns
    -------
    ndarray, shape (m, k)
        Pearson correlations.
    """
    x, y = (r - r.mean(axis=1, keepdims=True) for r in (np.asarray(a), np.asarray(b)))
    size = np.sqrt((x**2).sum(axis=1))[:, None] * np.sqrt((y**2).sum(axis=1))[None, :]
    return np.asarray(x @ y.T / np.where(size > 0, size, np.inf))


def match_factors(maps: Array, reference: Array) -> tuple[NDArray[np.int64], Array]:
    """Pair the factors of two solutions so that the sum of their map correlations is largest.

    Parameters
    ----------
    maps : ndarray, shape (factor, edge)
        Maps to reorder.
    reference : ndarray, shape (factor, edge)
        Maps in the order to obtain.

    Returns
    -------
    order : ndarray of int, shape (factor,)
        ``maps[order]`` is in the order of the reference.
    correlation : ndarray, shape (factor,)
        Correlation of each reference map with its partner.

    References
    ----------
    .. [1] Kuhn, H. W. (1955). The Hungarian method for the assignment problem. Naval Research
       Logistics Quarterly, 2, 83-97.

    Examples
    --------
    >>> maps = np.eye(3)[[2, 0, 1]]
    >>> match_factors(maps, np.eye(3))[0].tolist()
    [1, 2, 0]
    """
    similarity = correlate_rows(reference, maps)
    rows, order = linear_sum_assignment(similarity, maximize=True)
    return order.astype(np.int64), similarity[rows, order]


def correlate_solutions(maps: Array) -> Array:
    """Average the map correlations of each pair of solutions after matching.

    Parameters
    ----------
    maps : ndarray, shape (run, factor, edge)
        Maps of several runs.

    Returns
    -------
    ndarray, shape (run, run)
        Averaged over factors; 1 on the diagonal.
    """
    n = len(maps)
    found = np.eye(n)
    for i in range(n):
        for j in range(i):
            found[i, j] = found[j, i] = match_factors(maps[i], maps[j])[1].mean()
    return found
