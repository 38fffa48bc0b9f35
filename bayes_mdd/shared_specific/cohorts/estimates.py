"""The estimates of one cohort in the unit that all cohorts have in common."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bayes_mdd.types import Array, BoolArray, IntArray


@dataclass(frozen=True, eq=False)
class CohortEstimates:
    """Estimates of one cohort; factors that it did not find are rows of zeros.

    Parameters
    ----------
    name : str
        The cohort.
    n : ndarray, shape (arm,)
        Participants.
    found : ndarray of bool, shape (factor,)
        Which factors it has.
    loading, loading_se : ndarray, shape (factor, feature)
        Estimates for scores of variance 1 in an average arm, and their standard errors.
    size : ndarray, shape (factor,)
        Mean square of the true loadings over features.
    observed, dof, error : ndarray, shape (arm, factor)
        Likelihood of the variance by arm, see `bayes_mdd.shared_specific.cohorts.size`.
    covariance : ndarray, shape (arm, factor, factor)
        Of the scores within arms.
    noise : float
        Mean residual variance of the features.
    limit : ndarray, shape (carrier,)
        Smallest share of the variance that is found in one half of cohorts: of a factor of all
        arms, then of each arm.
    symptoms : tuple of str
        Names of symptom dimensions.
    weight, weight_se : ndarray, shape (factor, symptom)
        Symptom weights, in SD of the symptom over all cohorts.
    reliability, reliability_sd : ndarray, shape (factor,)
        On the logit scale; NaN where not known.
    leverage : ndarray, shape (factor,)
        Largest share of one participant.
    """

    name: str
    n: Array
    found: BoolArray
    loading: Array
    loading_se: Array
    size: Array
    observed: Array
    dof: Array
    error: Array
    covariance: Array
    noise: float
    limit: Array
    symptoms: tuple[str, ...]
    weight: Array
    weight_se: Array
    reliability: Array
    reliability_sd: Array
    leverage: Array

    @property
    def n_factors(self) -> int:
        """Number of factors, found or not."""
        return int(self.found.size)

    def take(self, position: IntArray, sign: Array) -> CohortEstimates:
        """Bring the factors to the order and sign of patterns.

        Parameters
        ----------
        position : ndarray of int, shape (pattern,)
            Factor of each pattern; -1 for none.
        sign : ndarray, shape (pattern,)
            1 or -1.

        Returns
        -------
        CohortEstimates
            One row per pattern.
        """
        on = position >= 0

        def _rows(values: Array, missing: float = 0.0) -> Array:
            out = np.full((position.size, *values.shape[1:]), missing)
            out[on] = values[position[on]]
            return out

        both = np.ix_(np.arange(self.covariance.shape[0]), position[on], position[on])
        covariance = np.tile(np.eye(position.size), (self.covariance.shape[0], 1, 1))
        at = np.flatnonzero(on)
        covariance[np.ix_(np.arange(len(covariance)), at, at)] = (
            self.covariance[both] * sign[on][:, None] * sign[on][None, :]
        )
        return replace(
            self,
            found=on,
            loading=sign[:, None] * _rows(self.loading),
            loading_se=_rows(self.loading_se),
            size=_rows(self.size),
            observed=_rows(self.observed.T).T,
            dof=_rows(self.dof.T).T,
            error=_rows(self.error.T).T,
            covariance=covariance,
            weight=sign[:, None] * _rows(self.weight),
            weight_se=_rows(self.weight_se),
            reliability=_rows(self.reliability, np.nan),
            reliability_sd=_rows(self.reliability_sd, np.nan),
            leverage=_rows(self.leverage, np.nan),
        )


def rotate(cohort: CohortEstimates, on: IntArray, rotation: Array) -> CohortEstimates:
    """Rotate factors of a cohort among themselves.

    Scores H become H R and maps R' L, so that H L stays as it is; scores are scaled to variance 1
    within an average arm again.

    Parameters
    ----------
    cohort : CohortEstimates
        Estimates.
    on : ndarray of int, shape (k,)
        Factors that take part.
    rotation : ndarray, shape (k, k)
        Orthogonal R.

    Returns
    -------
    CohortEstimates
        The same variance of the features, divided among the factors in another way.
    """
    arms = np.arange(len(cohort.covariance))
    inside = rotation.T @ cohort.covariance[np.ix_(arms, on, on)] @ rotation
    unit = np.sqrt(np.diagonal(inside, axis1=1, axis2=2).mean(axis=0))
    mix = rotation**2
    loading, se = cohort.loading.copy(), cohort.loading_se.copy()
    loading[on] = unit[:, None] * (rotation.T @ cohort.loading[on])
    se[on] = unit[:, None] * np.sqrt(mix.T @ cohort.loading_se[on] ** 2)
    size = cohort.size.copy()
    size[on] = true_size(loading[on], se[on])
    covariance = cohort.covariance.copy()
    covariance[np.ix_(arms, on, on)] = inside / np.outer(unit, unit)
    error, dof, observed = cohort.error.copy(), cohort.dof.copy(), cohort.observed.copy()
    relative = cohort.error[:, on] / np.maximum(cohort.size[on], 1e-300)
    error[:, on] = size[on] * (relative @ mix)
    dof[:, on] = cohort.dof[:, on] @ mix
    variance = np.diagonal(inside, axis1=1, axis2=2) / unit**2
    observed[:, on] = size[on] * variance + error[:, on]
    weight, weight_se = cohort.weight.copy(), cohort.weight_se.copy()
    weight[on] = rotation.T @ cohort.weight[on] / unit[:, None]
    weight_se[on] = np.sqrt(mix.T @ cohort.weight_se[on] ** 2) / unit[:, None]
    mixed = [cohort.reliability.copy(), cohort.reliability_sd.copy(), cohort.leverage.copy()]
    for value in mixed:
        value[on] = mix.T @ value[on]
    return replace(
        cohort,
        loading=loading,
        loading_se=se,
        size=size,
        covariance=covariance,
        error=error,
        dof=dof,
        observed=observed,
        weight=weight,
        weight_se=weight_se,
        reliability=mixed[0],
        reliability_sd=mixed[1],
        leverage=mixed[2],
    )


def true_size(loading: Array, se: Array) -> Array:
    """Mean square of loadings over features without that of their errors.

    Parameters
    ----------
    loading, se : ndarray, shape (factor, feature)
        Estimates and standard errors.

    Returns
    -------
    ndarray, shape (factor,)
        Above 0.
    """
    total, error = (loading**2).mean(axis=1), (se**2).mean(axis=1)
    return np.asarray(np.maximum(total - error, 1e-3 * error + 1e-12))
