"""Text tables of other tools, with any separator and with or without a header."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bayes_mdd.errors import UnreadableFileError, some
from bayes_mdd.files.text import MAX_TABLE, read_text
from bayes_mdd.types import Array

#: Marks of missing numbers; not applied to names and ids.
MISSING_MARKS = frozenset(("", "n/a", "na", "nan", "NaN", "NA", "N/A", "."))
_SEPARATORS = {"\t": "tabs", ",": "commas", ";": "semicolons", " ": "spaces"}


@dataclass(frozen=True)
class Cells:
    """A text table as cells.

    Parameters
    ----------
    path : Path
        The file.
    rows : tuple of tuple of str
        All lines except comments and blank lines, with the same number of cells each.
    separator : str
        Tab, comma, semicolon, or space for any white space.
    """

    path: Path
    rows: tuple[tuple[str, ...], ...]
    separator: str

    @property
    def header(self) -> tuple[str, ...]:
        """The first line."""
        return self.rows[0]

    @property
    def body(self) -> tuple[tuple[str, ...], ...]:
        """The lines after the first."""
        return self.rows[1:]

    @property
    def numeric(self) -> bool:
        """Whether the table has no header: all cells of the first line are numbers or missing."""
        return all(parse_number(c) is not None for c in self.rows[0])


def read_cells(path: Path, *, lines: int | None = None) -> Cells:
    """Read a text table and detect its separator.

    Byte order marks, CRLF, blank lines, ``#`` lines, trailing separators and ``.gz`` are accepted.
    Cells remain text, so that ids keep leading zeros.

    Parameters
    ----------
    path : Path
        The file.
    lines : int, optional
        Number of lines to read, to identify a file. Default: all.

    Returns
    -------
    Cells
        The separator is the first of tab, comma, semicolon and white space that splits all lines
        into the same number of cells, at least two.

    Raises
    ------
    UnreadableFileError
        If the file is missing, annexed, empty, not text or truncated, or its lines differ in
        length.
    """
    text = read_text(path, limit=MAX_TABLE, lines=lines)
    found = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not found:
        raise UnreadableFileError(f"{path.name} has no rows: copy or create it again.")
    if lines is not None:
        found = found[:lines]
    for separator in _SEPARATORS:
        # Rows of at least two cells hold the separator.
        if separator.strip(" ") and separator not in found[0]:
            continue
        rows = _split(found, separator)
        if rows is not None and len(rows[0]) > 1 and len({len(r) for r in rows}) == 1:
            return Cells(path, rows, separator)
    return _single_or_ragged(path, found)


def _split(lines: Sequence[str], separator: str) -> tuple[tuple[str, ...], ...] | None:
    if separator == " ":
        return tuple(tuple(line.split()) for line in lines)
    try:
        rows = [[c.strip() for c in row] for row in csv.reader(lines, delimiter=separator)]
    except csv.Error:
        return None
    # Empty cells to the right of the last column come from trailing separators.
    width = min(len(rows[0]), max(1, max(map(_last_cell, rows))))
    return tuple(tuple(r[:width] if not any(r[width:]) else r) for r in rows)


def _last_cell(row: Sequence[str]) -> int:
    """Count the cells up to the last one that is not empty."""
    return next((i for i in range(len(row), 0, -1) if row[i - 1]), 0)


def _single_or_ragged(path: Path, lines: Sequence[str]) -> Cells:
    """Read a table with a single column; refuse any other as damaged."""
    counts = {s: [line.count(s) for line in lines] for s in ("\t", ",", ";")}
    separator = next((s for s, n in counts.items() if n[0]), " ")
    rows = _split(lines, separator) or ()
    widths = [len(r) for r in rows]
    if rows and set(widths) == {1}:
        return Cells(path, rows, separator)
    expected = widths[0] if widths else 0
    odd = next((i for i, w in enumerate(widths) if w != expected), 0)
    raise UnreadableFileError(
        f"{path.name} row {odd + 1} has {widths[odd] if widths else 0} cells, the first {expected} "
        f"(split at {_SEPARATORS[separator]}): the file is truncated or has mixed separators."
    )


_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d+)?|[+-]?[iI]nf(?:inity)?", re.ASCII)


def parse_number(cell: str) -> float | None:
    """Convert a cell to a number.

    Parameters
    ----------
    cell : str
        Text.

    Returns
    -------
    float or None
        NaN for a mark of a missing value, None for other text.

    Examples
    --------
    >>> [parse_number(c) for c in ("1e-3", "n/a", "left")]
    [0.001, nan, None]
    """
    if cell in MISSING_MARKS:
        return float("nan")
    return float(cell.replace("D", "e").replace("d", "e")) if _NUMBER.fullmatch(cell) else None


def parse_numbers(path: Path, rows: Sequence[Sequence[str]]) -> Array:
    """Convert cells to numbers.

    Parameters
    ----------
    path : Path
        The file, for messages.
    rows : sequence of sequence of str
        Cells, in rows of the same length; at least one.

    Returns
    -------
    ndarray
        NaN where a value is missing.

    Raises
    ------
    UnreadableFileError
        If there are no rows, or a cell is neither a number nor a mark of a missing value.
    """
    if not rows:
        raise UnreadableFileError(f"{path.name} has a header and no rows: copy or create it again.")
    try:
        return np.array(rows, dtype=np.float64)
    except ValueError:
        pass
    values = [[parse_number(cell) for cell in row] for row in rows]
    bad = [
        cell
        for row, converted in zip(rows, values, strict=True)
        for cell, value in zip(row, converted, strict=True)
        if value is None
    ]
    if bad:
        raise UnreadableFileError(
            f"{path.name} has {some(map(repr, dict.fromkeys(bad)), 3)} where a number was "
            "expected. "
            "Correct these cells, or write n/a where the value is missing."
        )
    return np.array(values, dtype=np.float64)
