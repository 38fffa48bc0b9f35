"""Planned allocation to the arms: what may be declared, and whether the data agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from scipy.stats import binomtest

from bayes_mdd.dims import ARM
from bayes_mdd.errors import some

#: Probability of the other arm, or by arm, or by stratum.
type Allocation = float | Mapping[str, float]
#: Below this p-value the numbers of patients contradict the declared allocation.
FAR = 1e-4


def allocation_problems(value: Any, arms: Sequence[str], levels: Sequence[str]) -> list[str]:
    """Check a declared allocation.

    Parameters
    ----------
    value : object
        Declared ``AllocationProbability``.
    arms : sequence of str
        Arms of the patients.
    levels : sequence of str
        Strata; empty if there are none.

    Returns
    -------
    list of str
        Problems; empty if there are none.

    Examples
    --------
    >>> allocation_problems(50, ["SNRI", "SSRI"], [])[0][:77]
    'AllocationProbability in participants.json must lie strictly between 0 and 1,'
    """
    if isinstance(value, Mapping):
        return _mapping_problems(value, arms, levels)
    if not _is_probability(value):
        return [
            "AllocationProbability in participants.json must lie strictly between 0 and 1, got "
            f"{value!r}: write the planned probability of the arm that is not the default."
        ]
    if len(arms) > 2:
        return [
            f"there are {len(arms)} arms ({some(arms)}): state AllocationProbability for each of "
            "them."
        ]
    return []


def _is_probability(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1


def _mapping_problems(
    value: Mapping[Any, Any], arms: Sequence[str], levels: Sequence[str]
) -> list[str]:
    keys = {str(k) for k in value}
    if wrong := [f"{k}: {v!r}" for k, v in value.items() if not _is_probability(v)]:
        return [f"AllocationProbability must lie strictly between 0 and 1, got {some(wrong)}."]
    if keys == {*arms}:
        total = sum(float(v) for v in value.values())
        if abs(total - 1) > 1e-6:
            return [f"AllocationProbability of the arms must sum to 1, got {total:g}."]
        return []
    if levels and len(arms) == 2:
        if not {*levels} <= keys:
            return [
                "AllocationProbability lacks the strata "
                f"{some(s for s in levels if s not in keys)}; it has {some(sorted(keys))}."
            ]
        return []
    strata = f", or the strata ({some(levels)})" if levels else ""
    return [
        f"AllocationProbability must name the arms ({some(arms)}){strata}, got "
        f"{some(sorted(keys))}."
    ]


def propensity_of(
    allocation: Allocation, arms: Sequence[str], default: str, stratum: pd.Series | None
) -> float | pd.Series:
    """Give the planned probability of the other arm.

    Parameters
    ----------
    allocation : float or mapping
        As declared.
    arms : sequence of str
        The two arms.
    default : str
        The default arm.
    stratum : pandas.Series or None
        Stratum of each patient.

    Returns
    -------
    float or pandas.Series
        One for all patients, or one for each.
    """
    if not isinstance(allocation, Mapping):
        return float(allocation)
    by_key = {str(k): float(v) for k, v in allocation.items()}
    if set(by_key) == set(arms) or stratum is None:
        return by_key[next(a for a in arms if a != default)]
    return stratum.map(by_key).astype(float)


def far_allocation(table: pd.DataFrame, default: str, propensity: pd.Series) -> list[str]:
    """Compare the arms with their planned allocation.

    Parameters
    ----------
    table : pandas.DataFrame
        With ``arm``.
    default : str
        The default arm.
    propensity : pandas.Series
        Planned probability of the other arm.

    Returns
    -------
    list of str
        One note per planned probability that the numbers contradict (binomial p < 1e-4).
    """
    notes = []
    other = table[ARM] != default
    for planned, rows in other.groupby(propensity):
        found = binomtest(int(rows.sum()), len(rows), float(str(planned)))
        if found.pvalue < FAR:
            notes.append(
                f"{int(rows.sum())} of {len(rows)} patients did not receive the default arm "
                f"{default}, but {float(str(planned)):.0%} were planned (p < 0.0001): check "
                "AllocationProbability, or whether patients are absent from participants.tsv."
            )
    return notes
