r"""Approximate posterior of outcomes over visits: patients without an outcome enter through theirs.

Ratings of patient i are Gaussian over the visits, with coefficients of their own at every visit,

.. math:: y_i \sim N(B^\top z_i,\; R_{A_i} + C_i V_i C_i^\top), \qquad C_i = \beta + A_i \theta

(visit, factor), of which only the observed visits count. The covariances R of the arms are
estimated by an EM algorithm in which coefficients are integrated out. Coefficients of earlier
visits have wide priors and are integrated out, too, which leaves a Gaussian likelihood of the
coefficients at the endpoint; with it the mixture over patterns of moderation is conjugate, as
without visits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayes_mdd.response.mixture import (
    NOISE_SHAPE,
    Mixture,
    Scales,
    integrate_patterns,
    pattern_prior,
)
from bayes_mdd.response.trial import Trial
from bayes_mdd.response.visit_covariance import arm_covariances
from bayes_mdd.response.visits import VisitData
from bayes_mdd.types import Array, BoolArray

#: Prior SD of the drug effect, and of slopes on factors, at visits before the endpoint. They must
#: be wide: a SD of 0.5 biased the moderation at the endpoint by -0.03 SD with 200 patients, through
#: the correlation between visits.
EARLY_DRUG_SD, EARLY_SLOPE_SD = 3.0, 3.0
#: Largest number of EM iterations, and largest relative change of the covariances at the end.
ITERATIONS, TOLERANCE = 100, 1e-4


@dataclass(frozen=True, eq=False)
class VisitFit:
    """Gaussian likelihood of the coefficients at the endpoint, and how ratings are related.

    Everything is in residual SD of the outcome (`unit`).

    Parameters
    ----------
    unit : float
        Residual SD of the outcome, in points.
    gram : ndarray, shape (coefficient, coefficient)
        Precision of the coefficients at the endpoint.
    cross : ndarray, shape (coefficient,)
        Precision times estimate.
    n_outcomes : int
        Number of patients with an outcome.
    covariance : ndarray, shape (2, visit, visit)
        Noise covariance of default and other arm.
    early_root : ndarray, shape (early coefficient, early coefficient)
        Matrix R with covariance R R' of the coefficients of earlier visits given those of the
        endpoint.
    early_mean : ndarray, shape (early coefficient,)
        Their mean where the coefficients of the endpoint are 0.
    early_slope : ndarray, shape (early coefficient, coefficient)
        Change of their mean per unit of the coefficients of the endpoint.
    design_sd : ndarray, shape (column,)
        Prior SD of the design.
    n_factors : int
        Number of factors.
    iterations : int
        Of the EM algorithm.
    """

    unit: float
    gram: Array
    cross: Array
    n_outcomes: int
    covariance: Array
    early_root: Array
    early_mean: Array
    early_slope: Array
    design_sd: Array
    n_factors: int
    iterations: int

    def integrate(self, scales: Scales, shift: Array | None = None) -> Mixture:
        """Integrate the posterior over all patterns of moderation.

        Parameters
        ----------
        scales : Scales
            Prior scales.
        shift : ndarray of shape (coefficient,), optional
            In points, added to the estimate of the coefficients.

        Returns
        -------
        Mixture
            In points.
        """
        prior = pattern_prior(self.design_sd, self.n_factors, scales)
        cross = self.cross
        if shift is not None:
            cross = cross + self.gram @ (shift / self.unit)
        # The variance is in units of its estimate: each degree of freedom left counts one.
        best, _, rank, _ = np.linalg.lstsq(self.gram, cross, rcond=1e-10)
        square = max(self.n_outcomes - int(rank), 1) + float(best @ cross)
        shape = NOISE_SHAPE + self.n_outcomes / 2
        probability, mean, root, rate = integrate_patterns(self.gram, cross, square, shape, prior)
        return Mixture(
            weight=probability,
            pattern=prior.pattern,
            mean=mean * self.unit,
            root=root,
            shape=shape,
            rate=rate * self.unit**2,
            arm_scale=np.sqrt(self.covariance[:, -1, -1]),
            n_factors=self.n_factors,
        )

    def draw_early(self, endpoint: Array, rng: np.random.Generator) -> Array:
        """Draw the coefficients of the earlier visits.

        Parameters
        ----------
        endpoint : ndarray, shape (draw, coefficient)
            Draws of those at the endpoint, in points.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        ndarray, shape (draw, early visit, coefficient)
            In points.
        """
        n, q = endpoint.shape
        noise = rng.standard_normal((n, self.early_mean.size)) @ self.early_root.T
        mean = self.early_mean * self.unit + endpoint @ self.early_slope.T
        return np.asarray((mean + self.unit * noise).reshape(n, self.early_mean.size // q, q))


def fit_visits(data: VisitData, scales: Scales) -> VisitFit:
    """Estimate how ratings are related, and what they say about the endpoint.

    Parameters
    ----------
    data : VisitData
        Ratings, arms and scores.
    scales : Scales
        Prior scales.

    Returns
    -------
    VisitFit
        Likelihood of the coefficients at the endpoint.
    """
    trial = data.prepared.trial
    unit = trial.residual_sd()
    rows = ~np.isnan(data.values).all(axis=1)
    trial, values = trial.take(rows), data.values[rows] / unit
    seen = ~np.isnan(values)
    y, z = np.where(seen, values, 0.0), trial.columns
    (n, t), q = y.shape, z.shape[1]
    arm = trial.other.astype(int)
    number = np.array([(arm == 0).sum(), (arm == 1).sum()], dtype=float)
    prior = _prior_precision(trial, scales, t)
    covariance = np.repeat(_start(values, z)[None], 2, axis=0)
    added = np.zeros((n, t, t))
    squares = (z[:, :, None] * z[:, None, :]).reshape(n, q * q)
    k = trial.n_factors
    iteration, change = 0, np.inf
    while iteration < ITERATIONS and change > TOLERANCE:
        iteration += 1
        weight = _observed_precision(covariance[arm] + added, seen)
        gram, cross = _normal_equations(weight, squares, y, z)
        spread = np.linalg.inv(gram + np.diag(prior.ravel()))
        mean = (spread @ cross).reshape(t, q)
        left = seen * (y - z @ mean.T)
        around = np.einsum("ia,vawb->ivwb", z, spread.reshape(t, q, t, q), optimize=True)
        products = left[:, :, None] * left[:, None, :] + np.einsum("ivwb,ib->ivw", around, z)
        # Expected products of the noise of all visits, given what was observed.
        own = covariance[arm]
        gain = own @ weight
        expected = gain @ products @ np.swapaxes(gain, 1, 2) + own - gain @ own
        summed = np.stack([expected[arm == a].sum(axis=0) for a in (0, 1)])
        new = arm_covariances(summed, number, data.weeks)
        change = float(np.abs(new - covariance).max() / np.abs(new).max())
        covariance = new
        if k and trial.covariance.any():
            slope = mean[:, -2 * k - 1 : -k - 1] + trial.code[:, None, None] * mean[:, -k:]
            added = slope @ trial.covariance @ np.swapaxes(slope, 1, 2)
    weight = _observed_precision(covariance[arm] + added, seen)
    gram, cross = _normal_equations(weight, squares, y, z)
    return VisitFit(
        unit=unit,
        **_without_early(gram, cross, prior, q),
        n_outcomes=int(seen[:, -1].sum()),
        covariance=covariance,
        design_sd=trial.design_sd,
        n_factors=k,
        iterations=iteration,
    )


def _prior_precision(trial: Trial, scales: Scales, n_visits: int) -> Array:
    """Prior precisions (visit, coefficient), with one normal distribution for moderation."""
    k, n = trial.n_factors, trial.design.shape[1]
    sd = np.empty((n_visits, n + 2 * k + 1))
    sd[:, :n] = trial.design_sd
    sd[:, n:] = EARLY_SLOPE_SD
    sd[:, n + k] = EARLY_DRUG_SD
    sd[-1, n : n + k] = scales.prognosis
    sd[-1, n + k + 1 :] = scales.moderation
    return sd**-2.0


def _start(values: Array, z: Array) -> Array:
    """Residual variances of the visits, with correlations of 0.5."""
    sd = np.ones(values.shape[1])
    for v, column in enumerate(values.T):
        known = ~np.isnan(column)
        if known.sum() > 2:
            sd[v] = max(float(np.std(column[known])), 0.1)
    return np.asarray(0.5 * sd[:, None] * sd * (1 + np.eye(sd.size)))


def _observed_precision(covariance: Array, seen: BoolArray) -> Array:
    """Inverse covariance of the observed visits, 0 elsewhere."""
    both = seen[:, :, None] & seen[:, None, :]
    none = np.eye(seen.shape[1]) * ~seen[:, None, :]
    return np.asarray(np.where(both, np.linalg.inv(np.where(both, covariance, 0.0) + none), 0.0))


def _normal_equations(weight: Array, squares: Array, y: Array, z: Array) -> tuple[Array, Array]:
    """Precision and cross product of all coefficients, visit by visit."""
    (n, t), q = y.shape, z.shape[1]
    gram = (weight.reshape(n, t * t).T @ squares).reshape(t, t, q, q)
    cross = np.einsum("ivw,iw,ia->va", weight, y, z, optimize=True)
    return gram.transpose(0, 2, 1, 3).reshape(t * q, t * q), cross.ravel()


def _without_early(gram: Array, cross: Array, prior: Array, q: int) -> dict[str, Array]:
    """Integrate out the coefficients of the visits before the endpoint."""
    m = gram.shape[0] - q
    early = gram[:m, :m] + np.diag(prior.ravel()[:m])
    inverse = np.linalg.inv(early)
    mean = inverse @ cross[:m]
    slope = -inverse @ gram[:m, m:]
    reduced = gram[m:, m:] + gram[m:, :m] @ slope
    return {
        "gram": (reduced + reduced.T) / 2,
        "cross": cross[m:] - gram[m:, :m] @ mean,
        "early_root": np.linalg.cholesky((inverse + inverse.T) / 2) if m else inverse,
        "early_mean": mean,
        "early_slope": slope,
    }
