r"""Halves of a scan that are not equally noisy.

With features A and B of the two halves, M = (A + B) / 2 and D = (A - B) / 2 are uncorrelated only
if both halves have the same noise variance. Motion and scrubbing make them differ. With noise
variances :math:`v_A` and :math:`v_B` of a subject,

.. math:: \beta = \frac{\mathrm{cov}(M, D)}{\mathrm{var}(D)} = \frac{v_A - v_B}{v_A + v_B},
   \qquad
   M - \beta D = \frac{v_B A + v_A B}{v_A + v_B},
   \qquad
   \sqrt{1 - \beta^2}\, D = \frac{\sqrt{v_A v_B}}{v_A + v_B} (A - B).

The first is the precision-weighted mean of the halves. The second is uncorrelated with it and has
the covariance of its error, :math:`v_A v_B / (v_A + v_B)`. Thousands of features of one subject
determine :math:`\beta`.
"""

from __future__ import annotations

import numpy as np

from bayes_mdd.types import Array, IntArray

#: Largest absolute imbalance that is corrected: noise variances in a ratio of 9 to 1.
IMBALANCE_MAX = 0.8


def noise_imbalance(mean: Array, difference: Array, code: IntArray) -> Array:
    """Estimate by how much the first half of each subject is noisier than the second.

    Parameters
    ----------
    mean : ndarray, shape (subject, feature)
        Whitened features, (first + second half) / 2.
    difference : ndarray, shape (subject, feature)
        Whitened features, (first - second half) / 2.
    code : ndarray of int, shape (feature,)
        Block of each feature; the features of a block have the same noise.

    Returns
    -------
    ndarray, shape (subject,)
        (first - second) / (first + second) noise variance, between -0.8 and 0.8.
    """
    mean = mean - mean.mean(axis=0)
    difference = difference - difference.mean(axis=0)
    precision = _block_precision(difference, code)
    product = (mean * difference) @ precision
    square = difference**2 @ precision
    # A subject whose halves are equal has no noise to compare.
    ratio = np.divide(product, square, out=np.zeros_like(product), where=square > 0)
    return np.clip(ratio, -IMBALANCE_MAX, IMBALANCE_MAX)


def balance_halves(mean: Array, difference: Array, code: IntArray) -> tuple[Array, Array]:
    """Make the mean and the difference of two halves uncorrelated within each subject.

    Parameters
    ----------
    mean : ndarray, shape (subject, feature)
        Whitened features, (first + second half) / 2.
    difference : ndarray, shape (subject, feature)
        Whitened features, (first - second half) / 2. A row of NaN: no halves; the row of `mean`
        stays as it is.
    code : ndarray of int, shape (feature,)
        Block of each feature; the features of a block have the same noise.

    Returns
    -------
    mean : ndarray, shape (subject, feature)
        Precision-weighted mean of the halves.
    difference : ndarray, shape (subject, feature)
        With the covariance of the error of `mean`. Its mean over subjects before scaling is
        removed.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> first, second = 2 * rng.normal(size=(40, 2000)), rng.normal(size=(40, 2000))
    >>> m, d = balance_halves((first + second) / 2, (first - second) / 2, np.zeros(2000, int))
    >>> [round(float(x.var()), 1) for x in (m, d)]  # 4 x 1 / (4 + 1)
    [0.8, 0.8]
    """
    known = np.isfinite(difference).all(axis=1)
    mean, difference = mean.copy(), difference.copy()
    if not known.any():
        return mean, difference
    centred = difference[known] - difference[known].mean(axis=0)
    beta = noise_imbalance(mean[known], centred, code)[:, None]
    mean[known] -= beta * centred
    difference[known] = np.sqrt(1 - beta**2) * centred
    return mean, difference


def _block_precision(difference: Array, code: IntArray) -> Array:
    """Inverse noise variance of the block of each feature; zero where a block does not vary."""
    size = np.maximum(np.bincount(code), 1)
    variance = np.bincount(code, difference.var(axis=0)) / size
    precision = np.divide(1.0, variance, out=np.zeros_like(variance), where=variance > 0)
    return np.asarray(precision[code])
