"""Which columns hold numbers, and the cells of these columns that are not plain numbers."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from bayes_mdd.cohort.tables import is_number
from bayes_mdd.dims import MISSING
from bayes_mdd.errors import some

#: Columns that must be numeric.
NUMBER_COLUMNS: Final = ("age", "mean_fd")
#: A column whose cells are numbers in at least this share is a column of numbers.
LEAST_SHARE: Final = 0.5
#: Number of cells that a message lists.
SHOWN: Final = 20

_UNITS: Final = (
    r"y|yo|yrs?|years?|yrs?\.? ?old|years? ?old|y\.?o\.?|m|mo|mos|mths?|months?|w|wks?|weeks?"
    r"|d|days?|h|hrs?|hours?|mins?|mm|cm|um|\u00b5m|\u03bcm|kg|g|mg|ml|l|cc|mm3|cm3|%|points?|pts"
    r"|jahre?|monate?|anni|jaar"
)
#: A number with a decimal comma, a typographic minus, a unit, or characters without width.
_NEARLY: Final = re.compile(
    r"[+\-\u2212\u2013]? ?(?:0|[1-9]\d*|[1-9]\d{0,2}(?:[ ,.\u2019']\d{3})+)?(?:[.,]\d*)?"
    rf"(?: ?(?:{_UNITS})\.?)?",
    re.IGNORECASE,
)


def is_nearly_number(cell: str) -> bool:
    """Test whether a cell is a number that is not written as one.

    Parameters
    ----------
    cell : str
        Text of a table cell.

    Returns
    -------
    bool
        True for numbers with a decimal comma, a unit, a typographic minus sign or characters
        without width. False for bounds such as ``89+`` and for codes such as ``007``.

    Examples
    --------
    >>> [is_nearly_number(c) for c in ("12,5", "12 yrs", "1,250", "89+", "3T", "007")]
    [True, True, True, False, False, False]
    """
    text = unicodedata.normalize("NFKC", cell)
    text = "".join(c for c in text if unicodedata.category(c) != "Cf").strip()
    return any(c.isdigit() for c in text) and _NEARLY.fullmatch(text) is not None


def is_number_column(cells: pd.Series, name: str, meaning: Mapping[str, Any]) -> bool:
    """Test whether a column holds numbers.

    Parameters
    ----------
    cells : pandas.Series of str
        The cells.
    name : str
        Name of the column.
    meaning : mapping
        What the sidecar says about the column.

    Returns
    -------
    bool
        True if the sidecar states Units, if the column must be numeric, or if at least half of
        the known cells are numbers, however they are written. False if the sidecar states Levels.
    """
    if "Levels" in meaning:
        return False
    if name in NUMBER_COLUMNS or "Units" in meaning:
        return True
    known = cells[(cells != MISSING) & (cells != "")]
    if known.empty or _are_codes(known):
        return False
    numbers = known.map(lambda cell: is_number(cell) or is_nearly_number(cell))
    return bool(numbers.mean() >= LEAST_SHARE)


def _are_codes(known: pd.Series) -> bool:
    """Test for codes of one width with leading zeros, such as 0012 and 1034."""
    widths = known.str.len()
    return bool(
        known.str.fullmatch(r"\d+").all()
        and bool((widths == widths.iloc[0]).all())
        and widths.iloc[0] > 2
        and known.str.startswith("0").any()
    )


def convert_numbers(
    cells: pd.Series, name: str, ids: pd.Series, *, stated: bool
) -> tuple[pd.Series, list[str]]:
    """Convert a column of numbers to floats; name the cells that are not plain numbers.

    Parameters
    ----------
    cells : pandas.Series of str
        The cells.
    name : str
        Name of the column.
    ids : pandas.Series of str
        Participant of each cell.
    stated : bool
        Whether the column must hold numbers: its name or the sidecar says so.

    Returns
    -------
    values : pandas.Series
        Floats, NaN where ``n/a``; the cells unchanged if there are problems.
    problems : list of str
        One problem with all cells that are not plain numbers; empty if there are none.
    """
    known = cells[cells != MISSING]
    numbers = known.map(is_number).astype(bool)
    if numbers.all():
        return pd.to_numeric(cells.where(cells != MISSING)).astype(float), []
    wrong = known[~numbers]
    pairs = (f"{i} ({c!r})" for i, c in zip(ids.loc[wrong.index], wrong, strict=True))
    listed = some(pairs, SHOWN)
    if stated:
        begin = f"column '{name}' must contain numbers or {MISSING}; found other text for {listed}."
    else:
        begin = (
            f"column '{name}' holds numbers, but {len(wrong)} of {len(known)} cells are not plain "
            f"numbers: {listed}."
        )
    return cells, [
        f"{begin} Write a number (decimal point, no unit or sign such as + or >) or {MISSING} in "
        f"these cells, or list the values as Levels of '{name}' in participants.json if they are "
        "categories."
    ]
