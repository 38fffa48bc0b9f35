"""Paired comparisons of methods on common folds, which share training patients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from bayes_mdd.types import Array

#: Probability of paired intervals.
PROBABILITY = 0.95


@dataclass(frozen=True)
class Difference:
    """Mean difference of two methods.

    Parameters
    ----------
    mean, lower, upper : float
        With the interval of the corrected resampled t test.
    folds : int
        Number of folds that both methods share.
    """

    mean: float
    lower: float
    upper: float
    folds: int

    @property
    def holds_zero(self) -> bool:
        """Whether the interval contains 0, or there is none."""
        return not (self.lower > 0 or self.upper < 0)


def compare_folds(first: Array, second: Array, ratio: float) -> Difference:
    """Compare two methods by the corrected resampled t test.

    Parameters
    ----------
    first, second : ndarray, shape (fold,)
        A measure of each method in each fold; NaN where not known.
    ratio : float
        Test patients per training patient.

    Returns
    -------
    Difference
        First minus second.

    Notes
    -----
    Folds share most of their training patients, so that their differences are correlated. The
    variance of the mean of J differences is taken as (1/J + ratio) times their variance
    (Nadeau and Bengio 2003), with J - 1 degrees of freedom.

    Examples
    --------
    >>> compare_folds(np.array([0.6, 0.7, 0.8]), np.array([0.5, 0.5, 0.5]), 0.25).holds_zero
    True
    """
    difference = first - second
    difference = difference[np.isfinite(difference)]
    n = difference.size
    if n < 2:
        mean = float(difference.mean()) if n else float("nan")
        return Difference(mean, float("nan"), float("nan"), n)
    mean = float(difference.mean())
    error = float(np.sqrt((1 / n + ratio) * difference.var(ddof=1)))
    half = float(stats.t.ppf((1 + PROBABILITY) / 2, n - 1)) * error
    return Difference(mean, mean - half, mean + half, n)


def adjust_holm(p_values: Array) -> Array:
    """Adjust p values for their number by the method of Holm.

    Parameters
    ----------
    p_values : ndarray
        P values; NaN where there is none.

    Returns
    -------
    ndarray
        Adjusted p values.

    Examples
    --------
    >>> adjust_holm(np.array([0.01, 0.04, np.nan])).round(3).tolist()
    [0.02, 0.04, nan]
    """
    adjusted = np.full(p_values.size, np.nan)
    known = np.flatnonzero(np.isfinite(p_values))
    order = known[np.argsort(p_values[known], kind="stable")]
    factor = np.arange(order.size, 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(factor * p_values[order]), 1.0)
    return adjusted
