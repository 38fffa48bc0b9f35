"""Numerics that Numba has not, or takes long to link."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from bayes_mdd.types import Array


@njit(cache=True, nogil=True)
def digamma(x: float) -> float:
    """Logarithmic derivative of the gamma function, for x > 0.

    Parameters
    ----------
    x : float
        Above 0.

    Returns
    -------
    float
        To about 1e-14.
    """
    shift = 0.0
    while x < 10.0:
        shift -= 1.0 / x
        x += 1.0
    inverse = 1.0 / (x * x)
    series = inverse * (
        1.0 / 12.0
        - inverse
        * (
            1.0 / 120.0
            - inverse
            * (
                1.0 / 252.0
                - inverse * (1.0 / 240.0 - inverse * (1.0 / 132.0 - inverse * 691.0 / 32760.0))
            )
        )
    )
    return shift + math.log(x) - 0.5 / x - series


@njit(cache=True, nogil=True)
def trigamma(x: float) -> float:
    """Second logarithmic derivative of the gamma function, for x > 0.

    Parameters
    ----------
    x : float
        Above 0.

    Returns
    -------
    float
        To about 1e-13.
    """
    shift = 0.0
    while x < 10.0:
        shift += 1.0 / (x * x)
        x += 1.0
    inverse = 1.0 / (x * x)
    series = inverse * (
        1.0 / 6.0
        - inverse
        * (1.0 / 30.0 - inverse * (1.0 / 42.0 - inverse * (1.0 / 30.0 - inverse * 5 / 66)))
    )
    return shift + 1.0 / x + 0.5 * inverse + series / x


@njit(cache=True, nogil=True)
def eliminate(matrix: Array, right: Array) -> bool:
    """Solve a small system in place (Gauss, row pivots).

    Compiles in a tenth of the time that linking LAPACK takes.

    Parameters
    ----------
    matrix : ndarray, shape (n, n)
        Overwritten.
    right : ndarray, shape (n,)
        Becomes the solution.

    Returns
    -------
    bool
        False where the system is singular.
    """
    n = len(right)
    for k in range(n):
        pivot = k + np.argmax(np.abs(matrix[k:, k]))
        if abs(matrix[pivot, k]) < 1e-10:
            return False
        for m in range(n):
            matrix[k, m], matrix[pivot, m] = matrix[pivot, m], matrix[k, m]
        right[k], right[pivot] = right[pivot], right[k]
        for i in range(k + 1, n):
            ratio = matrix[i, k] / matrix[k, k]
            for m in range(k, n):
                matrix[i, m] -= ratio * matrix[k, m]
            right[i] -= ratio * right[k]
    for k in range(n - 1, -1, -1):
        for m in range(k + 1, n):
            right[k] -= matrix[k, m] * right[m]
        right[k] /= matrix[k, k]
    return True
