r"""What a cohort tells about the variance of a factor within an arm, without its prior.

Scores of n subjects that are measured with error variance r have the likelihood

.. math:: \log L(u) = -\frac{\nu}{2}\Big[\log(u + r) + \frac{V}{u + r}\Big]

in the variance u of the true scores; V is the observed variance and :math:`\nu` the degrees of
freedom. It is flat for :math:`u \ll r`, so that an arm without the factor is not told from one with
very little of it. V, and :math:`\nu` where the posterior is wider, are chosen so that prior times L
has mean and SD of :math:`\log(u + r)` in the cohort's posterior.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq

from bayes_mdd.types import Array

#: Grid of log u around log r, or around the posterior mean where that is larger.
BELOW, ABOVE, POINTS = 12.0, 6.0, 721
#: Fewest degrees of freedom that are stored.
LEAST_DOF = 2.0


class SizeLikelihood(NamedTuple):
    """Likelihood of the variance of a factor within one arm.

    Parameters
    ----------
    observed : float
        V, in the squared unit of the features.
    dof : float
        Degrees of freedom.
    error : float
        r, in the same unit.
    """

    observed: float
    dof: float
    error: float


def log_likelihood(
    log_u: Array, observed: Array | float, dof: Array | float, error: Array | float
) -> Array:
    """Evaluate the likelihood.

    Parameters
    ----------
    log_u : ndarray
        Logarithms of the variance.
    observed, dof, error : ndarray
        V, degrees of freedom and r, of shapes that broadcast.

    Returns
    -------
    ndarray
        Log likelihood up to a constant.

    Examples
    --------
    >>> at = np.log(np.array([0.5, 1.0, 2.0]))
    >>> float(at[log_likelihood(at, 1.0, 30.0, 0.0).argmax()])
    0.0
    """
    total = np.exp(log_u) + error
    return np.asarray(-0.5 * dof * (np.log(total) + observed / total))


def fit_size(draws: Array, others: float, dof: float, error: float, prior: Array) -> SizeLikelihood:
    """Find the likelihood that gives the posterior of a cohort.

    Parameters
    ----------
    draws : ndarray, shape (draw,)
        Posterior draws of the variance of the factor in an arm.
    others : float
        Sum of the posterior means of the other arms; 0 with one arm.
    dof : float
        Degrees of freedom of the arm.
    error : float
        r.
    prior : ndarray, shape (2,)
        Parameters of the marginal Dirichlet prior: that of the arm and of all others.

    Returns
    -------
    SizeLikelihood
        `observed` from the mean, and `dof` not larger than given.
    """
    inside = np.log(np.maximum(draws, 0.0) + error)
    mean, spread = float(inside.mean()), float(inside.std())
    top = max(np.log(error), float(np.log(np.maximum(draws.mean(), 1e-300))))
    x = np.linspace(np.log(error) - BELOW, top + ABOVE, POINTS)
    u = np.exp(x)
    before = np.zeros_like(x)
    if others > 0:
        share = u / (u + others)
        before = prior[0] * np.log(share) + prior[1] * np.log1p(-np.minimum(share, 1 - 1e-15))
    target = np.log(u + error)

    def _moments(log_v: float, nu: float) -> tuple[float, float]:
        logp = before + log_likelihood(x, np.exp(log_v), nu, error)
        p = np.exp(logp - logp.max())
        p /= p.sum()
        m = float(p @ target)
        return m, float(np.sqrt(np.maximum(p @ (target - m) ** 2, 0.0)))

    def _location(nu: float) -> float:
        low, high = np.log(error) - 8.0, top + ABOVE - 1.0
        if _moments(low, nu)[0] >= mean:
            return float(low)
        if _moments(high, nu)[0] <= mean:
            return float(high)
        return float(brentq(lambda v: _moments(v, nu)[0] - mean, low, high, xtol=1e-4))

    nu = dof
    if _moments(_location(nu), nu)[1] < spread and mean > np.log(2 * error):
        for _ in range(12):
            ratio = _moments(_location(nu), nu)[1] / spread
            nu = max(LEAST_DOF, nu * ratio**2)
            if abs(ratio - 1) < 0.02 or nu == LEAST_DOF:
                break
    return SizeLikelihood(float(np.exp(_location(nu))), float(min(nu, dof)), error)


def measurement_error(variance: Array, uncertainty: Array, dof: Array) -> float:
    """Find the error variance of scores from their posterior variance.

    Given the map, the score of a subject has the posterior variance u r / (u + r).

    Parameters
    ----------
    variance : ndarray, shape (arm,)
        Variance of the scores of each arm.
    uncertainty : ndarray, shape (arm,)
        Mean posterior variance of the scores of its subjects.
    dof : ndarray, shape (arm,)
        Weights.

    Returns
    -------
    float
        r.

    Examples
    --------
    >>> u = np.array([1.8, 0.2])
    >>> round(measurement_error(u, u * 0.1 / (u + 0.1), np.array([30.0, 30.0])), 6)
    0.1
    """
    target = float(dof @ uncertainty)
    top = float(dof @ variance)
    if target >= 0.95 * top:
        return float(variance.max())

    def _excess(log_r: float) -> float:
        r = np.exp(log_r)
        return float(dof @ (variance * r / (variance + r))) - target

    unit = float(np.log(np.maximum(variance.max(), 1e-300)))
    if _excess(unit - 12.0) >= 0:
        return float(np.exp(unit - 12.0))
    return float(np.exp(brentq(_excess, unit - 12.0, unit + 8.0, xtol=1e-6)))
