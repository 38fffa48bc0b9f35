"""Conversion of the text cells of one column to numbers or levels, with all its problems."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from bayes_mdd.cohort.levels import CATEGORY_COLUMNS, level_problems
from bayes_mdd.cohort.number_columns import NUMBER_COLUMNS, convert_numbers, is_number_column
from bayes_mdd.cohort.plausible import range_problems
from bayes_mdd.dims import MISSING
from bayes_mdd.errors import some

#: Columns that are text even where all cells look like numbers.
TEXT_COLUMNS: Final = CATEGORY_COLUMNS | {"participant_id", "session_id"}


def convert_column(
    cells: pd.Series, ids: pd.Series, sidecar: Mapping[str, Any]
) -> tuple[pd.Series, list[str]]:
    """Convert a column of text cells, and check its values.

    Parameters
    ----------
    cells : pandas.Series of str
        The cells, named like the column.
    ids : pandas.Series of str
        Participant of each cell.
    sidecar : mapping
        Content of ``participants.json``.

    Returns
    -------
    values : pandas.Series
        Floats with NaN for ``n/a`` if the column holds numbers (see
        `bayes_mdd.cohort.number_columns.is_number_column`), else text.
    problems : list of str
        Cells of a column of numbers that are not plain numbers, implausible numbers, values that
        are not among the Levels, levels in several spellings, empty cells.

    Examples
    --------
    >>> ids = pd.Series(["sub-1", "sub-2", "sub-3"])
    >>> cells = pd.Series(["12", "16", "20+"], name="education")
    >>> convert_column(cells, ids, {})[1][0][:75]
    "column 'education' holds numbers, but 1 of 3 cells are not plain numbers: s"
    """
    name = str(cells.name)
    meaning = sidecar.get(name)
    meaning = meaning if isinstance(meaning, Mapping) else {}
    if name not in TEXT_COLUMNS and is_number_column(cells, name, meaning):
        stated = name in NUMBER_COLUMNS or "Units" in meaning
        values, problems = convert_numbers(cells, name, ids, stated=stated)
        if not problems:
            problems = range_problems(values.set_axis(pd.Index(ids)), name, meaning)
        return values, problems
    problems = level_problems(cells.set_axis(pd.Index(ids)), sidecar)
    empty = ids[cells == ""]
    if len(empty):
        problems.append(
            f"column '{name}' is empty for {some(empty)}: write {MISSING} for missing values."
        )
    return cells, problems


def table_problems(participants: pd.DataFrame) -> list[str]:
    """Check the columns of a participants table that was not read from text.

    Parameters
    ----------
    participants : pandas.DataFrame
        Indexed by participant; columns of numbers and of text.

    Returns
    -------
    list of str
        Implausible numbers, and levels in several spellings.
    """
    problems = []
    for name in participants.columns:
        column = participants[name].rename(str(name))
        if pd.api.types.is_bool_dtype(column):
            continue
        if pd.api.types.is_numeric_dtype(column):
            problems += range_problems(column.astype(float), str(name), {})
        else:
            text = column.where(column.notna(), MISSING).astype(str)
            problems += level_problems(text, {})
    return problems
