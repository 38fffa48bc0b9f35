"""Compiled numerics that Numba lacks or takes long to link."""

from __future__ import annotations

import math

import numpy as np

from bayes_mdd.kernels import compiled
from bayes_mdd.types import Array


@compiled
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


@compiled
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


@compiled
def solve_in_place(matrix: Array, right: Array) -> bool:
    """Solve a small linear system in place (Gaussian elimination with row pivots).

    It compiles in a tenth of the time that linking LAPACK takes.

    Parameters
    ----------
    matrix : ndarray, shape (n, n)
        Coefficients; overwritten.
    right : ndarray, shape (n,)
        Right-hand side; overwritten by the solution.

    Returns
    -------
    bool
        False if the system is singular.
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
