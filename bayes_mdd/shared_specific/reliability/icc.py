r"""Reliability from draws of the variances of the mean M and of the half difference D of two scans.

M = (A + B) / 2 and D = (A - B) / 2 of two halves of a scan, or of two sessions, have the same
error. With the variance T of what A and B have in common and the error variance E of one of them,
:math:`V_M = T + E / 2` and :math:`V_D = E / 2`. Hence

.. math:: \frac{T}{T + E / 2} = 1 - \frac{V_D}{V_M}, \qquad
   \frac{T}{T + E} = \frac{V_M - V_D}{V_M + V_D} .

These are reliabilities of a factor: its stable variance against its changing variance. Sampling
error is part of the noise of the model and not of the factor.
"""

from __future__ import annotations

import numpy as np

from bayes_mdd.types import Array, IntArray

#: Reliabilities below this are set to it, so that draws with a small V_M do not dominate means.
LOWEST = -1.0


def arm_variance(sharing: Array, noise_scale: Array, arm: IntArray) -> Array:
    """Variance of each factor in each arm, in the units of the whitened features.

    Scores are relative to the noise scale of their row, which is smaller for half differences than
    for means; shares of arms can only be compared after multiplication by its mean square.

    Parameters
    ----------
    sharing : ndarray, shape (..., arm)
        Draws of the shares of a factor's variance; the rows of half differences are an arm.
    noise_scale : ndarray, shape (row,)
        Noise scale of each row.
    arm : ndarray of int, shape (row,)
        Arm of each row.

    Returns
    -------
    ndarray, shape (..., arm)
        Up to a factor common to all arms.
    """
    n_arms = sharing.shape[-1]
    size = np.maximum(np.bincount(arm, minlength=n_arms), 1)
    return np.asarray(sharing * (np.bincount(arm, noise_scale**2, minlength=n_arms) / size))


def pooled_variance(variance: Array, size: IntArray) -> Array:
    """Average the variances of arms, weighted by their numbers of subjects.

    Parameters
    ----------
    variance : ndarray, shape (..., arm)
        From `arm_variance`, without the arm of half differences.
    size : ndarray of int, shape (arm,)
        Number of subjects of each arm.

    Returns
    -------
    ndarray, shape (...)
        Within-arm variance of the cohort.
    """
    return np.asarray(variance @ (size / size.sum()))


def reliability_of_mean(mean_variance: Array, difference_variance: Array) -> Array:
    """Reliability of the mean of two halves or of two sessions.

    Parameters
    ----------
    mean_variance : ndarray
        Draws of the variance of M.
    difference_variance : ndarray
        Draws of the variance of D; broadcast against `mean_variance`.

    Returns
    -------
    ndarray
        1 - V_D / V_M, at least -1.

    Examples
    --------
    >>> reliability_of_mean(np.array([1.5, 1.0]), np.array([0.5, 1.0])).round(2)
    array([0.67, 0.  ])
    """
    return _ratio(mean_variance - difference_variance, mean_variance)


def icc_of_one(mean_variance: Array, difference_variance: Array) -> Array:
    """Intraclass correlation of one half or of one session.

    Parameters
    ----------
    mean_variance : ndarray
        Draws of the variance of M.
    difference_variance : ndarray
        Draws of the variance of D; broadcast against `mean_variance`.

    Returns
    -------
    ndarray
        (V_M - V_D) / (V_M + V_D), between -1 and 1.

    Examples
    --------
    >>> icc_of_one(np.array([1.5, 1.0]), np.array([0.5, 1.0]))
    array([0.5, 0. ])
    """
    return _ratio(mean_variance - difference_variance, mean_variance + difference_variance)


def reliability_by_arm(sharing: Array, noise_scale: Array, arm: IntArray, within: int) -> Array:
    """Reliability of each factor in each arm, from the arm of half differences.

    Parameters
    ----------
    sharing : ndarray, shape (..., arm)
        Draws of the shares of a factor's variance.
    noise_scale : ndarray, shape (row,)
        Noise scale of each row.
    arm : ndarray of int, shape (row,)
        Arm of each row.
    within : int
        Position of the arm of half differences.

    Returns
    -------
    ndarray, shape (..., arm - 1)
        1 - (share of D x mean squared noise scale of D) / (the same of the arm), at least -1, in
        the order of the other arms.
    """
    variance = arm_variance(sharing, noise_scale, arm)
    return reliability_of_mean(np.delete(variance, within, axis=-1), variance[..., [within]])


def _ratio(above: Array, below: Array) -> Array:
    """Quotient, at least -1; that where the denominator is zero."""
    above, below = np.broadcast_arrays(above, below)
    out = np.full(above.shape, LOWEST)
    return np.asarray(np.maximum(np.divide(above, below, out=out, where=below > 0), LOWEST))
