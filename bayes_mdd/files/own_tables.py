"""Reading of tables that the package wrote itself, in folders that users can change."""

from __future__ import annotations

import io
from collections.abc import Collection
from pathlib import Path

import pandas as pd

from bayes_mdd.errors import RunFolderError, UnreadableFileError, some
from bayes_mdd.files.regular import own_errors
from bayes_mdd.files.text import read_text

#: Most columns of a table of the package; pandas needs minutes for a million.
MAX_COLUMNS = 10_000


def read_own_table(
    path: Path, columns: Collection[str] = (), numbers: Collection[str] = (), *, again: str
) -> pd.DataFrame:
    """Read a tab-separated table that a command wrote.

    Parameters
    ----------
    path : Path
        The table; missing values are ``n/a``.
    columns : collection of str
        Columns that it must have.
    numbers : collection of str
        Columns that hold numbers, where the table has them.
    again : str
        The command that writes it, for the message.

    Returns
    -------
    DataFrame
        As written.

    Raises
    ------
    RunFolderError
        If the file cannot be read, lacks columns, or holds text in place of numbers.
    """
    try:
        text = read_text(path)
        refuse_wide(text, path.name)
        with own_errors(path, "a table"):
            table = pd.read_csv(
                io.StringIO(text), sep="\t", na_values=["n/a"], keep_default_na=False
            )
        _check(path.name, table, columns, numbers)
    except UnreadableFileError as error:
        raise RunFolderError(f"{path} cannot be read: {error} Run `{again}` again.") from error
    return table


def refuse_wide(text: str, name: str) -> None:
    """Refuse a table with far more columns than any table of the package has.

    Parameters
    ----------
    text : str
        Content of a tab-separated table.
    name : str
        Name of the file.

    Raises
    ------
    UnreadableFileError
        If its first line has more than `MAX_COLUMNS` cells.
    """
    columns = text.count("\t", 0, text.find("\n") % (len(text) + 1)) + 1
    if columns > MAX_COLUMNS:
        raise UnreadableFileError(f"{name} has {columns:,} columns: is it the right file?")


def _check(
    name: str, table: pd.DataFrame, columns: Collection[str], numbers: Collection[str]
) -> None:
    if missing := [c for c in columns if c not in table]:
        raise UnreadableFileError(
            f"{name} lacks the column(s) {some(missing)} (found {some(table.columns, 12)})."
        )
    text = [c for c in numbers if c in table and not pd.api.types.is_numeric_dtype(table[c])]
    if text := [c for c in text if table[c].notna().any()]:
        raise UnreadableFileError(f"{name} holds text in the column(s) {some(text)} of numbers.")
