"""Reading of numeric files: text tables with names, .npy and .npz."""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bayes_mdd.dims import MISSING
from bayes_mdd.errors import UnreadableFileError, some
from bayes_mdd.files import arrays
from bayes_mdd.files.regular import brief, require_file
from bayes_mdd.files.text import MAX_TABLE, read_text

__all__ = [
    "Floats",
    "GroupedProblems",
    "TextTable",
    "UnreadableFileError",
    "order_problem",
    "read_npy",
    "read_npz",
    "read_text_table",
    "require_file",
]

type Floats = npt.NDArray[np.float64]


@dataclass
class GroupedProblems:
    """Problems of many subjects; a problem that several subjects share is reported once.

    Parameters
    ----------
    subjects : dict
        Subjects by problem.
    """

    subjects: dict[str, list[str]] = field(default_factory=dict)

    def add(self, subject: str, problem: str) -> None:
        """Add a problem of one subject.

        Parameters
        ----------
        subject : str
            Id of the subject.
        problem : str
            What is wrong, what was expected and what to do.
        """
        self.subjects.setdefault(problem, []).append(subject)

    def problems(self) -> list[str]:
        """List the problems, each with the subjects it concerns.

        Returns
        -------
        list of str
            In the order in which they were added first.
        """
        return [f"{some(subjects)}: {text}" for text, subjects in self.subjects.items()]


@dataclass(frozen=True)
class TextTable:
    """A numeric table with column names and, if available, row names."""

    columns: tuple[str, ...]
    rows: tuple[str, ...] | None
    values: Floats


def read_text_table(path: Path, *, named_rows: bool, corner: str | None = None) -> TextTable:
    """Read a tab- or comma-separated table of numbers with a header.

    Parameters
    ----------
    path : Path
        ``.csv`` files are comma-separated, all others tab-separated. ``n/a`` is missing.
    named_rows : bool
        Whether the first column contains names.
    corner : str, optional
        Required text of the first cell of the header.

    Returns
    -------
    TextTable
        Missing values are NaN.

    Raises
    ------
    UnreadableFileError
        If lines differ in length, a cell is not a number, or the file is not text.
    """
    text = read_text(path, limit=MAX_TABLE)
    separator = "," if path.suffix == ".csv" else "\t"
    start = 1 if named_rows else 0
    names: list[str] = []
    numbers: list[Floats] = []
    bad: list[str] = []
    try:
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        header = [cell.strip() for cell in next(lines, [])]
        columns = tuple(header[start:])
        _check_header(path, columns, separator)
        if corner is not None and header[0] != corner:
            raise UnreadableFileError(
                f"{path.name} starts with column '{header[0]}': expected '{corner}'. Make it the "
                "first column."
            )
        for cells in filter(None, lines):
            if len(cells) != len(header):
                raise UnreadableFileError(
                    f"{path.name} line {lines.line_num} has {len(cells)} cells, but the header "
                    f"has {len(header)}: the file is truncated or has another separator; copy it "
                    "again, or save it with one separator."
                )
            names.extend(cell.strip() for cell in cells[:start])
            row, wrong = _numbers(cells[start:])
            numbers.append(row)
            bad += [f"line {lines.line_num} {columns[i]} ({cells[start + i]!r:.40})" for i in wrong]
    except csv.Error as error:
        raise UnreadableFileError(f"{path.name} cannot be read as text: {brief(error)}.") from error
    if bad:
        raise UnreadableFileError(
            f"{path.name} has other text where a number was expected: {some(bad)}. Correct these "
            f"cells, or write {MISSING} where the value is missing."
        )
    values = np.array(numbers, dtype=np.float64).reshape(len(numbers), len(columns))
    return TextTable(columns, tuple(names) if named_rows else None, values)


def _check_header(path: Path, columns: tuple[str, ...], separator: str) -> None:
    mark = {",": "commas", "\t": "tabs"}[separator]
    if not any(columns):
        raise UnreadableFileError(
            f"{path.name} has no columns separated by {mark}: save it with {mark}"
            f"{', or name it .csv' if mark == 'tabs' else ''}."
        )
    if not all(columns):
        raise UnreadableFileError(
            f"{path.name} has a column without a name: name all columns. A separator at the end of "
            "the header also adds a column."
        )
    if all(_is_number(c) and not c.isdigit() for c in columns):
        raise UnreadableFileError(
            f"{path.name} has numbers where column names were expected: add a header."
        )
    counts = Counter(columns)
    if len(counts) < len(columns):
        repeated = [name for name, n in counts.items() if n > 1]
        raise UnreadableFileError(
            f"{path.name} repeats the column name(s) {some(repeated)}: keep one column of each "
            "name."
        )


def _is_number(text: str) -> bool:
    return _is_float(text) and text.strip().lower() not in ("nan", "inf", "infinity")


def _numbers(cells: list[str]) -> tuple[Floats, list[int]]:
    """Convert one row, and list the positions of cells that are not numbers."""
    try:
        return np.array(cells, dtype=np.float64), []
    except ValueError:
        pass
    try:
        row = np.array([np.nan if c == MISSING else float(c) for c in cells], dtype=np.float64)
    except ValueError:
        wrong = [i for i, c in enumerate(cells) if c != MISSING and not _is_float(c)]
        return np.full(len(cells), np.nan), wrong
    return row, []


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def read_npy(path: Path) -> npt.NDArray[Any]:
    """Read one array.

    Parameters
    ----------
    path : Path
        A ``.npy`` file.

    Returns
    -------
    numpy.ndarray
        Numeric arrays as float64, text as it is.

    Raises
    ------
    UnreadableFileError
        If the file is truncated, pickled or of another format.
    """
    return _as_float_or_text(arrays.read_npy(path), path.name)


def read_npz(path: Path, keys: tuple[str, ...]) -> dict[str, npt.NDArray[Any]]:
    """Read named arrays of an archive.

    Parameters
    ----------
    path : Path
        A ``.npz`` file.
    keys : tuple of str
        Names of the arrays that the archive must contain.

    Returns
    -------
    dict
        One array per key; numbers as float64, names as text.

    Raises
    ------
    UnreadableFileError
        If the file is truncated or lacks a key.
    """
    found = arrays.read_npz(path, keys)
    return {k: _as_float_or_text(array, f"{path.name} [{k}]") for k, array in found.items()}


def _as_float_or_text(array: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
    if array.dtype.kind in "fiub":
        return array.astype(np.float64)
    if array.dtype.kind in "U":
        return array
    raise UnreadableFileError(f"{name} has dtype {array.dtype}: expected real numbers or text.")


def order_problem(found: tuple[str, ...], expected: tuple[str, ...]) -> str | None:
    """Compare the region names of a file with the region table.

    Parameters
    ----------
    found, expected : tuple of str
        Names in a file and in ``regions.tsv``.

    Returns
    -------
    str or None
        The difference in names or order; None if there is none.
    """
    if found == expected:
        return None
    if sorted(found) == sorted(expected):
        at = next(i for i, (a, b) in enumerate(zip(found, expected, strict=True)) if a != b)
        return (
            f"the order of regions differs from regions.tsv: position {at + 1} is '{found[at]}', "
            f"but '{expected[at]}' in regions.tsv. Write the file in the order of regions.tsv."
        )
    absent = [e for e in expected if e not in set(found)]
    extra = [f for f in found if f not in set(expected)]
    parts = [f"has {len(found)} regions, regions.tsv has {len(expected)}"]
    if absent:
        parts.append(f"lacks {some(absent)}")
    if extra:
        parts.append(f"has {some(extra)}, which regions.tsv does not list")
    return (
        "; ".join(parts) + ". All participants need the regions of regions.tsv: write the file "
        "again, "
        "or correct regions.tsv."
    )
