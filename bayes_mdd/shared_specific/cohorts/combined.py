"""What the groups of a combined result are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from bayes_mdd.shared_specific.cohorts.align import Aligned
from bayes_mdd.shared_specific.cohorts.hierarchy import SizeDraws
from bayes_mdd.shared_specific.cohorts.size_tables import Sizes
from bayes_mdd.types import Array

COHORT: Final = "cohort"
#: Kind of a combined result, in its attribute ``model``.
KIND_COMBINED: Final = "combined_cohorts"


@dataclass(frozen=True, eq=False)
class Combined:
    """Aligned estimates, and draws of the variance of patterns.

    Parameters
    ----------
    aligned : Aligned
        Estimates of the cohorts.
    sizes : Sizes
        What they tell about variances.
    draws : SizeDraws
        Posterior of these.
    names, arms, patterns : list of str
        Cohorts, arms and patterns.
    noise : float
        Mean residual variance of the features over cohorts.
    """

    aligned: Aligned
    sizes: Sizes
    draws: SizeDraws
    names: list[str]
    arms: list[str]
    patterns: list[str]
    noise: float


def arm_shares(log_variance: Array) -> Array:
    """Compute the shares of the arms.

    Parameters
    ----------
    log_variance : ndarray, shape (..., pattern, arm)
        Log variances.

    Returns
    -------
    ndarray, shape (..., arm, pattern)
        Sum to 1 over arms.
    """
    variance = np.exp(log_variance - log_variance.max(axis=-1, keepdims=True))
    return np.asarray(np.swapaxes(variance / variance.sum(axis=-1, keepdims=True), -1, -2))


def arm_explained(log_variance: Array, prevalence: Array, noise: float) -> Array:
    """Compute the share of an arm's variance, with the patterns that cohorts have besides.

    Parameters
    ----------
    log_variance : ndarray, shape (..., pattern, arm)
        Log variances.
    prevalence : ndarray, shape (..., pattern)
        Shares of cohorts that have each pattern.
    noise : float
        Residual variance.

    Returns
    -------
    ndarray, shape (..., arm, pattern)
        Shares of the variance.
    """
    variance = np.exp(log_variance)
    weighted = variance * prevalence[..., None]
    others = weighted.sum(axis=-2, keepdims=True) - weighted
    return np.asarray(np.swapaxes(variance / (variance + others + noise), -1, -2))
