"""Plausible values of the columns of numbers that are known by their names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from bayes_mdd.cohort.number_columns import SHOWN
from bayes_mdd.errors import some
from bayes_mdd.specs.column_names import is_motion_name, split_name


@dataclass(frozen=True)
class Range:
    """Plausible values of a quantity.

    Parameters
    ----------
    low, high : float
        Limits, both included unless `above` is True.
    unit : str
        Unit of the limits; empty if the quantity has none.
    above : bool
        Whether values must be greater than `low`.
    """

    low: float
    high: float
    unit: str = ""
    above: bool = False

    def holds(self, values: pd.Series) -> pd.Series:
        """Test which values lie in the range.

        Parameters
        ----------
        values : pandas.Series of float
            The values.

        Returns
        -------
        pandas.Series of bool
            True for values in the range.
        """
        low = values > self.low if self.above else values >= self.low
        return low & (values <= self.high)

    def __str__(self) -> str:
        start = f"above {self.low:g} and at most" if self.above else f"{self.low:g} to"
        return f"{start} {self.high:g} {self.unit}".strip()


_AGE: Final = Range(0, 120, "years", above=True)
_MOTION: Final = Range(0, 10, "mm", above=True)
#: Plausible values by the words of a column name, without those of `_NEUTRAL`.
_RANGES: Final[Mapping[frozenset[str], Range]] = {
    frozenset(words.split()): limits
    for names, limits in (
        (("age",), _AGE),
        (("age onset", "onset"), Range(0, 120, "years")),
        (("education", "edu", "educ", "schooling"), Range(0, 40, "years")),
        (("iq", "fsiq", "viq", "piq"), Range(30, 200)),
        (("bmi",), Range(8, 100)),
        (("etiv", "volumes kept"), Range(0, np.inf, above=True)),
        (("hamd", "hdrs", "ham d", "hrsd", "hamilton"), Range(0, 80)),
        (("madrs",), Range(0, 60)),
        (("bdi", "bdi ii"), Range(0, 63)),
        (("phq", "qids", "qids sr"), Range(0, 27)),
    )
    for words in names
}
#: Words of a column name that leave the quantity as it is.
_NEUTRAL: Final = frozenset(
    (
        *("at", "of", "in", "the", "scan", "mri", "fmri", "baseline", "bl", "pre", "session"),
        *("years", "year", "yrs", "yr", "y", "months", "month", "mo", "days", "day", "weeks"),
        *("total", "score", "sum", "item", "items", "first", "interview", "visit"),
    )
)
#: Ages in one unit that equal one year.
_PER_YEAR: Final = {
    **dict.fromkeys(("year", "years", "yr", "yrs", "y", "a"), 1.0),
    **dict.fromkeys(("month", "months", "mo", "mos"), 12.0),
    **dict.fromkeys(("week", "weeks", "wk", "wks"), 52.2),
    **dict.fromkeys(("day", "days", "d"), 365.25),
}
_MILLIMETRES: Final = ("mm", "millimeter", "millimeters", "millimetre", "millimetres")
_OTHER_LENGTHS: Final = frozenset(
    f"{prefix}{word}"
    for prefix, words in {
        "": ("um", "\u03bcm", "\u00b5m", "micron", "microns", "cm", "m", "in", "inch", "inches"),
        "micro": ("meter", "meters", "metre", "metres"),
        "centi": ("meter", "meters", "metre", "metres"),
    }.items()
    for word in words
)
#: Usual codes for a missing value.
_CODES: Final = frozenset(
    (
        *(-1, -7, -8, -9, -77, -88, -99, -777, -888, -999, -9999, -99999),
        *(77, 88, 99, 777, 888, 999, 7777, 8888, 9999, 99999),
    )
)
#: An age of 88 or 99 is taken for a code if nobody else comes as near as this (years).
_GAP: Final = 10.0


def range_problems(values: pd.Series, name: str, meaning: Mapping[str, Any]) -> list[str]:
    """Name implausible values and codes for missing values in a column of numbers.

    Parameters
    ----------
    values : pandas.Series of float
        One value per participant, indexed by ``participant_id``.
    name : str
        Name of the column, from which the quantity is recognised.
    meaning : mapping
        What the sidecar says about the column. ``Minimum`` and ``Maximum`` replace the range of
        the quantity, and values between them are never taken for codes; ``Units`` state the unit
        of ages.

    Returns
    -------
    list of str
        One problem per column with every value in question; empty if there is none.

    Examples
    --------
    >>> age = pd.Series([24.5, 61.0, 999.0], index=["sub-1", "sub-2", "sub-3"])
    >>> range_problems(age, "age", {})[0][:66]
    "column 'age': implausible values of sub-3 (999); expected above 0 "
    >>> range_problems(age, "age", {"Maximum": 999})
    []
    """
    known = values.dropna()
    if known.empty:
        return []
    low, high, problems = _stated_limits(name, meaning)
    expected, more = _expected(name, str(meaning.get("Units", "")))
    if problems or more:
        return problems + more
    if low is not None or high is not None:
        limits = Range(
            expected.low if low is None and expected else -np.inf if low is None else low,
            expected.high if high is None and expected else np.inf if high is None else high,
            above=low is None and expected is not None and expected.above,
        )
        return _outside(known, ~limits.holds(known), name, limits)
    if expected is not None:
        wrong = ~expected.holds(known)
        if expected is _AGE:
            wrong |= _coded_age(known, wrong)
        return _outside(known, wrong, name, expected)
    return _codes(known, name)


def _stated_limits(
    name: str, meaning: Mapping[str, Any]
) -> tuple[float | None, float | None, list[str]]:
    """Limits that the sidecar states."""
    found: list[float | None] = []
    problems = []
    for keys in (("Minimum", "MinValue"), ("Maximum", "MaxValue")):
        key = next((k for k in keys if meaning.get(k) is not None), None)
        value = None if key is None else meaning[key]
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            problems.append(
                f"participants.json: {key} of '{name}' must be a number, got {value!r}."
            )
            value = None
        found.append(None if value is None else float(value))
    return found[0], found[1], problems


def _expected(name: str, units: str) -> tuple[Range | None, list[str]]:
    """Plausible range of a column; None if the quantity or its unit is unknown."""
    unit = units.strip().lower().rstrip(".")
    words = split_name(name)
    if is_motion_name(name) and set(words) <= {"mean", "fd", "framewise", "displacement", "mm"}:
        if name == "mean_fd" and unit in _OTHER_LENGTHS:
            return None, [f"column 'mean_fd' is in {units}: convert it to mm (Units: mm)."]
        return (None if unit and unit not in _MILLIMETRES else _MOTION), []
    limits = _RANGES.get(frozenset(w for w in words if w not in _NEUTRAL))
    if limits is not _AGE:
        return limits, []
    if unit and unit not in _PER_YEAR:
        return None, []
    named = next((_PER_YEAR[w] for w in words if w in _PER_YEAR), 1.0)
    factor = _PER_YEAR[unit] if unit else named
    if factor == 1.0:
        return _AGE, []
    return Range(0, 120 * factor, unit or "in the unit of its name", above=True), []


def _coded_age(ages: pd.Series, wrong: pd.Series) -> pd.Series:
    """Ages of 88 and 99 that are far above all others."""
    others = ages[~ages.isin([88.0, 99.0]) & ~wrong]
    highest = float(others.max()) if len(others) else np.inf
    return ages.isin([88.0, 99.0]) & (ages - highest > _GAP)


def _codes(known: pd.Series, name: str) -> list[str]:
    """Codes for missing values in a column of an unknown quantity: far from all other values."""
    coded = known.isin(_CODES)
    others = known[~coded]
    if not coded.any() or others.nunique() < 2:
        return []
    low, high = float(others.min()), float(others.max())
    distance = pd.concat([low - known, known - high], axis=1).max(axis=1)
    return _outside(known, coded & (distance > high - low), name, Range(low, high))


def _outside(known: pd.Series, wrong: pd.Series, name: str, limits: Range) -> list[str]:
    if not wrong.any():
        return []
    listed = some((f"{i} ({v:g})" for i, v in known[wrong].items()), SHOWN)
    return [
        f"column '{name}': implausible values of {listed}; expected {limits}. "
        f"{_explain(known, known[wrong], limits)}Correct these cells, write n/a where the value "
        f"is unknown, or state Minimum and Maximum of '{name}' in participants.json if they are "
        "right."
    ]


def _explain(known: pd.Series, wrong: pd.Series, limits: Range) -> str:
    """Say what the implausible values may be."""
    if limits is _MOTION and float(known.median()) > limits.high:
        return "Are these micrometres? Divide by 1000. "
    codes = sorted({float(v) for v in wrong if v in _CODES})
    rest = wrong[~wrong.isin(codes)]
    said = ""
    if codes:
        are = "is a usual code" if len(codes) == 1 else "are usual codes"
        said = f"{' and '.join(f'{c:g}' for c in codes)} {are} for a missing value. "
    if limits is _AGE and len(rest):
        if rest.between(1900, 2100).all():
            said += "Are these years of birth? "
        elif rest.between(120, 1440).any():
            said += "Are these months? Divide by 12. "
    return said
