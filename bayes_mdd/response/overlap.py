"""What observational arms need beside a gain: overlap, balance, and how strong a confounder."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayes_mdd.response.held_out import HeldOut
from bayes_mdd.response.value import Gain
from bayes_mdd.types import Array, BoolArray

#: Edges of the groups of estimated probability.
EDGES = np.linspace(0, 1, 11)
#: Logarithm of the risk ratio that corresponds to one SD of a continuous outcome.
LOG_RATIO_PER_SD = 0.91


@dataclass(frozen=True, eq=False)
class Overlap:
    """How comparable the arms of an observational study are.

    Parameters
    ----------
    overlap : DataFrame
        Patients of each arm by probability of the other drug: ``low``, ``high``, ``default``,
        ``other``.
    clipped : int
        Patients whose estimated probability was moved to 0.05 or 0.95.
    balance : DataFrame
        Indexed by column: difference between the arms in SD, ``before`` and ``after`` weighting.
    e_values : DataFrame
        Indexed by "average effect" and "gain over the declared default": ``estimate`` in points,
        ``e_value`` of the estimate and ``e_value_limit`` of the nearer end of its 90% interval.
    """

    overlap: pd.DataFrame
    clipped: int
    balance: pd.DataFrame
    e_values: pd.DataFrame


def describe_overlap(
    held: HeldOut, other: BoolArray, columns: pd.DataFrame, gain: Gain, residual_sd: float
) -> Overlap:
    """Describe how comparable the arms are.

    Parameters
    ----------
    held : HeldOut
        Held-out predictions of one division.
    other : ndarray of bool, shape (subject,)
        Whether the other drug was received.
    columns : DataFrame
        What the outcome is adjusted for, one row per subject.
    gain : Gain
        Gain of the rule over the declared default.
    residual_sd : float
        Of the outcome, in points.

    Returns
    -------
    Overlap
        Tables.

    References
    ----------
    .. [1] VanderWeele, T. J. & Ding, P. (2017). Sensitivity analysis in observational research:
       introducing the E-value. Annals of Internal Medicine, 167, 268-274.
    """
    propensity = held.propensity
    group = np.clip(np.digitize(propensity, EDGES) - 1, 0, EDGES.size - 2)
    counts = {
        name: np.bincount(group[arm], minlength=EDGES.size - 1)
        for name, arm in (("default", ~other), ("other", other))
    }
    average = Gain.of(held.effect)
    names = {"average effect": average, "gain over the declared default": gain}
    return Overlap(
        overlap=pd.DataFrame({"low": EDGES[:-1], "high": EDGES[1:], **counts}),
        clipped=int(held.clipped[0].sum()),
        balance=_balance(columns, other, propensity),
        e_values=pd.DataFrame.from_dict(
            {name: _e_values(value, residual_sd) for name, value in names.items()}, orient="index"
        ),
    )


def e_value(standardised: float) -> float:
    """Strength of confounding that would explain a difference away.

    Parameters
    ----------
    standardised : float
        Difference in SD of the outcome.

    Returns
    -------
    float
        Risk ratio that an unmeasured confounder would need with both drug and outcome; 1 if there
        is no difference.

    Examples
    --------
    >>> round(e_value(0.5), 2), e_value(0.0)
    (2.53, 1.0)
    """
    ratio = float(np.exp(LOG_RATIO_PER_SD * abs(standardised)))
    return ratio + float(np.sqrt(ratio * (ratio - 1)))


def _e_values(found: Gain, sd: float) -> dict[str, float]:
    low, high = (found.value + s * 1.645 * found.error for s in (-1, 1))
    nearer = 0.0 if low <= 0 <= high else min(abs(low), abs(high))
    return {
        "estimate": found.value,
        "e_value": e_value(found.value / sd),
        "e_value_limit": e_value(nearer / sd),
    }


def _balance(columns: pd.DataFrame, other: BoolArray, propensity: Array) -> pd.DataFrame:
    x = columns.to_numpy(dtype=float)
    sd = x.std(axis=0)
    sd = np.where(sd > 0, sd, 1.0)
    even = np.ones(other.size)
    inverse = np.where(other, 1 / propensity, 1 / (1 - propensity))
    rows = {"before": even, "after": inverse}
    found = {name: _difference(x, other, weight) / sd for name, weight in rows.items()}
    return pd.DataFrame(found, index=[str(c) for c in columns])


def _difference(x: Array, other: BoolArray, weight: Array) -> Array:
    on_other, on_default = (
        np.average(x[arm], axis=0, weights=weight[arm]) for arm in (other, ~other)
    )
    return np.asarray(on_other - on_default)
