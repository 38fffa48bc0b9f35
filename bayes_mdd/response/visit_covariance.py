r"""Covariance of a patient's ratings over visits, estimated from expected products of residuals.

Up to `MOST_UNSTRUCTURED` visits it is free. Beyond, correlations are those of a patient's own level
and of an autoregression in time,

.. math:: \rho_{vw} = \omega + (1 - \omega) \rho^{|t_v - t_w|}

with a SD for each visit. Each arm has its own covariance, moved towards that of all patients.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from bayes_mdd.types import Array

#: Largest number of visits with a free covariance.
MOST_UNSTRUCTURED = 6
#: Patients as which the covariance of all counts in that of an arm.
BORROWED = 10.0
#: Smallest share of a patient's own level that is not the visit's, so that correlations are < 1.
_LIMIT = 0.02


def arm_covariances(products: Array, number: Array, weeks: Array) -> Array:
    """Estimate the covariance of each arm.

    Parameters
    ----------
    products : ndarray, shape (arm, visit, visit)
        Sums over patients of expected products of residuals.
    number : ndarray, shape (arm,)
        Numbers of patients.
    weeks : ndarray, shape (visit,)
        Time of each visit.

    Returns
    -------
    ndarray, shape (arm, visit, visit)
        Covariances.
    """
    pooled = products.sum(axis=0) / number.sum()
    own = (products + BORROWED * pooled) / (number + BORROWED)[:, None, None]
    if weeks.size <= MOST_UNSTRUCTURED:
        return np.asarray(own)
    correlation = time_correlation(weeks, *_fit_correlation(pooled, weeks))
    sd = np.sqrt(np.diagonal(own, axis1=1, axis2=2))
    return np.asarray(sd[:, :, None] * sd[:, None, :] * correlation)


def time_correlation(weeks: Array, level: float, step: float) -> Array:
    """Correlations of a patient's own level and an autoregression in time.

    Parameters
    ----------
    weeks : ndarray, shape (visit,)
        Time of each visit.
    level : float
        Share of the variance that is a patient's own level.
    step : float
        Autocorrelation of the rest over the mean distance of two successive visits.

    Returns
    -------
    ndarray, shape (visit, visit)
        Correlations.

    Examples
    --------
    >>> time_correlation(np.array([1.0, 2.0]), 0.5, 0.4).round(2)
    array([[1. , 0.7],
           [0.7, 1. ]])
    """
    return np.asarray(level + (1 - level) * step ** visit_gaps(weeks))


def visit_gaps(weeks: Array) -> Array:
    """Distances between visits in units of the mean distance of two successive ones.

    Parameters
    ----------
    weeks : ndarray, shape (visit,)
        Time of each visit, ascending.

    Returns
    -------
    ndarray, shape (visit, visit)
        Distances.
    """
    gap = (weeks[-1] - weeks[0]) / max(weeks.size - 1, 1)
    return np.asarray(np.abs(weeks[:, None] - weeks) / gap)


def _fit_correlation(pooled: Array, weeks: Array) -> tuple[float, float]:
    """Maximise the Gaussian likelihood of a covariance over level and step."""
    sd = np.sqrt(np.diagonal(pooled))
    observed = pooled / (sd[:, None] * sd)

    def deviance(point: Array) -> float:
        value = time_correlation(weeks, point[0], point[1])
        return float(np.linalg.slogdet(value)[1] + np.trace(np.linalg.solve(value, observed)))

    bounds = [(0.0, 1 - _LIMIT), (_LIMIT, 1 - _LIMIT)]
    found = minimize(deviance, np.array([0.3, 0.5]), bounds=bounds, method="L-BFGS-B")
    return float(found.x[0]), float(found.x[1])
