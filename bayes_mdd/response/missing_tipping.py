"""Where a curve over deltas changes sign, and where a recommendation changes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtri

from bayes_mdd.response.benefit import DecisionRule
from bayes_mdd.types import Array, IntArray

#: Probabilities are kept this far from 0 and 1.
_EDGE = 1e-9


def first_crossing(
    deltas: Array, values: Array, function: Callable[[float], float] | None = None
) -> float:
    """Find the smallest delta at which a curve reaches 0.

    Parameters
    ----------
    deltas : ndarray, shape (delta,)
        Ascending, from 0.
    values : ndarray, shape (delta,)
        The curve.
    function : callable, optional
        The curve at any delta, to find the root. Default: linear interpolation.

    Returns
    -------
    float
        NaN if the curve keeps its sign, or is 0 from the beginning.

    Examples
    --------
    >>> first_crossing(np.array([0.0, 2.0, 4.0]), np.array([3.0, 1.0, -1.0]))
    3.0
    """
    if values[0] == 0:
        return float("nan")
    crossed = np.flatnonzero(np.sign(values[1:]) != np.sign(values[0]))
    if not crossed.size:
        return float("nan")
    j = int(crossed[0])
    low, high = float(deltas[j]), float(deltas[j + 1])
    if function is not None:
        return float(brentq(function, low, high, xtol=1e-4))
    return low + (high - low) * float(values[j] / (values[j] - values[j + 1]))


def margins(benefit: Array, p_benefit: Array, rule: DecisionRule, unit: float) -> Array:
    """Compute how far each patient is inside the region of each recommendation.

    Parameters
    ----------
    benefit, p_benefit : ndarray, shape (...)
        Expected benefit in points, and probability of any.
    rule : DecisionRule
        When a drug is preferred.
    unit : float
        Residual SD of the outcome, in points.

    Returns
    -------
    ndarray, shape (2, ...)
        Of the default and of the other drug; above 0 where it is preferred.
    """
    net = benefit - rule.cost
    z = ndtri(np.clip(p_benefit, _EDGE, 1 - _EDGE)) - ndtri(rule.p_star)
    z_default = ndtri(np.clip(1 - p_benefit, _EDGE, 1 - _EDGE)) - ndtri(rule.p_star)
    other = np.minimum((net - rule.minimum) / unit, z)
    default = np.minimum((-net - rule.minimum) / unit, z_default)
    return np.stack([default, other])


def choices(margin: Array) -> IntArray:
    """Turn margins into recommendations.

    Parameters
    ----------
    margin : ndarray, shape (2, ...)
        From `margins`.

    Returns
    -------
    ndarray of int, shape (...)
        -1 for the default, 1 for the other drug, 0 for no preference.
    """
    return np.where(margin[1] > 0, 1, np.where(margin[0] > 0, -1, 0))


def changed_at(deltas: Array, margin: Array) -> Array:
    """Find the delta at which each patient's recommendation changes.

    Parameters
    ----------
    deltas : ndarray, shape (delta,)
        Ascending, from 0.
    margin : ndarray, shape (2, delta, subject)
        From `margins`.

    Returns
    -------
    ndarray, shape (subject,)
        Interpolated; NaN where it does not change.
    """
    found = np.full(margin.shape[2], np.nan)
    choice = choices(margin)
    for i in range(margin.shape[2]):
        if (choice[:, i] == choice[0, i]).all():
            continue
        # The region that is left, or the one that is entered first.
        at = [first_crossing(deltas, _positive_side(margin[a, :, i])) for a in (0, 1)]
        left = {-1: at[:1], 1: at[1:], 0: at}[int(choice[0, i])]
        found[i] = np.nanmin(left)
    return found


def _positive_side(curve: Array) -> Array:
    """Move values at a boundary beside it."""
    return np.where(curve == 0, -_EDGE, curve)
