"""Checks of the values of an outcome."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from bayes_mdd.dims import ARM, MISSING
from bayes_mdd.errors import some
from bayes_mdd.specs.response import ResponseSpec

#: Largest number of categories of an ordinal outcome.
MOST_LEVELS = 10
#: Column with the number of trials of a binomial outcome.
N_TRIALS = "n_trials"


#: Outcomes at or below which a patient is in remission, by scale.
REMISSION = {"hamd17": 7.0, "madrs": 10.0}


def remission_limit(spec: ResponseSpec) -> float | None:
    """Look up which outcome is a remission.

    Parameters
    ----------
    spec : ResponseSpec
        Column and direction of the outcome.

    Returns
    -------
    float or None
        Largest total that is a remission; None where the column is no total of a known scale.
    """
    name = spec.outcome.lower().replace("-", "").replace("_", "")
    no_total = any(word in name for word in ("change", "percent", "improve", "diff", "ratio"))
    if no_total or spec.higher_is_better or spec.kind not in ("gaussian", "student"):
        return None
    return next((limit for scale, limit in REMISSION.items() if scale in name), None)


def as_numbers(values: pd.Series) -> pd.Series:
    """Read a column of numbers that holds n/a, or has a type that allows for missing values.

    Parameters
    ----------
    values : Series
        A column.

    Returns
    -------
    Series
        As floats with NaN where missing; unchanged if any value is text.
    """
    given = values.astype(object)
    given = given.where(~given.astype(str).str.strip().isin([MISSING, "", "nan", "<NA>"]))
    number = pd.to_numeric(given, errors="coerce").astype(float)
    return number if bool((number.isna() == given.isna()).all()) else values


def check_outcome(spec: ResponseSpec, table: pd.DataFrame) -> list[str]:
    """Check the outcome of the patients with an arm.

    Parameters
    ----------
    spec : ResponseSpec
        Column and kind of the outcome.
    table : DataFrame
        With ``arm`` and the outcome; NaN where not observed.

    Returns
    -------
    list of str
        Problems; empty if there are none.
    """
    values = table[spec.outcome]
    if not pd.api.types.is_numeric_dtype(values):
        text = values[pd.to_numeric(values, errors="coerce").isna() & values.notna()]
        return [
            f"'{spec.outcome}' is not a number for {some(text.index)} ({some(text.unique(), 3)}): "
            "correct it, or write n/a."
        ]
    number = values.to_numpy(dtype=float)
    if infinite := list(table.index[np.isinf(number)]):
        return [f"'{spec.outcome}' is infinite for {some(infinite)}: correct it, or write n/a."]
    seen = values.dropna()
    problems = [
        f"nobody in arm '{arm}' has a value of '{spec.outcome}': two arms with outcomes are "
        "needed; "
        "choose another outcome or endpoint, or add the ratings."
        for arm in sorted(set(table[ARM]))
        if values[table[ARM] == arm].isna().all()
    ]
    if problems:
        return problems
    if seen.nunique() < 2:
        return [
            f"'{spec.outcome}' is {seen.iloc[0]:g} for everyone, so there is nothing to explain: "
            "choose another outcome or endpoint."
        ]
    return _constant_arms(spec, table) or _kind_problems(spec, table, seen)


def _constant_arms(spec: ResponseSpec, table: pd.DataFrame) -> list[str]:
    """Find arms without any variation: each arm has a noise of its own."""
    if spec.kind not in ("gaussian", "student"):
        return []
    by_arm = {
        arm: table.loc[table[ARM] == arm, spec.outcome].dropna() for arm in sorted(set(table[ARM]))
    }
    return [
        f"'{spec.outcome}' is {values.iloc[0]:g} for everyone in arm '{arm}', so that the noise of "
        "this arm cannot be estimated: check the column, or choose another outcome or endpoint."
        for arm, values in by_arm.items()
        if values.size > 1 and values.nunique() < 2
    ]


def check_range(
    spec: ResponseSpec, table: pd.DataFrame, attrs: Mapping[Hashable, Any]
) -> list[str]:
    """Check that outcome and baseline lie within the range of their scale, where it is known.

    Parameters
    ----------
    spec : ResponseSpec
        Names of the columns.
    table : DataFrame
        With the outcome; NaN where not observed.
    attrs : mapping
        Attributes of a table from `read_outcomes`: ``outcome``, ``baseline``, ``range``, ``scale``.

    Returns
    -------
    list of str
        Problems; empty if there are none.
    """
    bounds = attrs.get("range")
    if bounds is None:
        return []
    low, high = map(float, bounds)
    scale = attrs.get("scale", "its scale")
    problems = []
    for name, what in ((spec.outcome, "outcome"), (spec.baseline, "baseline")):
        known = name is not None and name == attrs.get(what)
        if not known or not pd.api.types.is_numeric_dtype(table[name]):
            continue
        number = table[name].to_numpy(dtype=float)
        wrong = np.isfinite(number) & ((number < low) | (number > high))
        if wrong.any():
            problems.append(
                f"'{name}' lies outside {scale} ({low:g} to {high:g}) for "
                f"{some(table.index[wrong])}: correct it, or write n/a."
            )
    return problems


def _kind_problems(spec: ResponseSpec, table: pd.DataFrame, seen: pd.Series) -> list[str]:
    name, levels = spec.outcome, sorted(seen.unique())
    whole = bool((seen == seen.round()).all())
    if spec.kind == "binary" and not set(levels) <= {0, 1}:
        return [f"'{name}' is binary and must be 0 or 1, found {some(levels)}."]
    if spec.kind == "ordinal":
        if not whole:
            odd = seen.index[seen != seen.round()]
            return [f"'{name}' is ordinal and must be whole, but is not for {some(odd)}."]
        if len(levels) > MOST_LEVELS:
            return [
                f"'{name}' has {len(levels)} levels, at most {MOST_LEVELS} are supported as "
                "ordinal: use kind 'gaussian' or 'student'."
            ]
    if spec.kind == "binomial":
        if N_TRIALS not in table:
            return [f"a binomial outcome needs the column '{N_TRIALS}', the number of trials."]
        trials = as_numbers(table.loc[seen.index, N_TRIALS])
        if not pd.api.types.is_numeric_dtype(trials):
            return [f"'{N_TRIALS}' must be a number, found {some(trials.unique(), 3)}."]
        wrong = (seen != seen.round()) | (seen < 0) | ~(seen <= trials) | (trials != trials.round())
        bad = seen.index[wrong]
        if len(bad):
            return [
                f"'{name}' must be a whole number between 0 and '{N_TRIALS}', but is not for "
                f"{some(bad)}."
            ]
    return []
