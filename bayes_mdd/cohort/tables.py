"""Reading of tables and JSON sidecars as in BIDS: cells are text, ``n/a`` is missing."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bayes_mdd.dims import MISSING
from bayes_mdd.errors import DataContractError, UnreadableFileError, some
from bayes_mdd.files import text as text_files
from bayes_mdd.files.repeats import find_repeats
from bayes_mdd.files.structured import parse_json

#: A decimal number. Leading zeros ("001") make a code; "nan" and "inf" are not numbers, nor are
#: digits of other scripts, which pandas does not read.
NUMBER = re.compile(r"[+-]?(?:0|[1-9]\d*)?(?:\.\d*)?(?:[eE][+-]?\d+)?", re.ASCII)


def is_number(cell: str) -> bool:
    """Test whether a cell is a finite number and not a code such as ``001``.

    Parameters
    ----------
    cell : str
        Text of a table cell.

    Returns
    -------
    bool
        True if the cell is a number.

    Examples
    --------
    >>> [is_number(c) for c in ("1", "-2.5e3", "001", "nan", ".", "1e999")]
    [True, True, False, False, False, False]
    """
    written = any(c.isdigit() for c in cell) and NUMBER.fullmatch(cell) is not None
    return written and math.isfinite(float(cell))


def read_text(path: Path) -> str:
    """Read a text file.

    Parameters
    ----------
    path : Path
        UTF-8 text, with or without byte order mark.

    Returns
    -------
    str
        Content of the file.

    Raises
    ------
    DataContractError
        If the file is missing, empty, not UTF-8 text, or a link to content that was not
        downloaded (git-annex).
    """
    try:
        text = text_files.read_text(path, empty=True)
    except UnreadableFileError as error:
        raise DataContractError(str(path), [_problem(path, error)]) from error
    if not text.strip():
        empty = "the file is empty; expected a header and rows."
        if path.suffix == ".json":
            empty = f"{path.name} is empty; expected a JSON object, or no such file."
        raise DataContractError(str(path), [empty])
    return text


def _problem(path: Path, error: UnreadableFileError) -> str:
    """Word a problem of a table without its name, and with the reason of the system.

    Problems of a sidecar are reported with those of its table, and name the sidecar.
    """
    if path.suffix == ".json":
        return str(error)
    reason = getattr(error.__cause__, "strerror", None)
    if reason and not path.is_symlink():
        return f"cannot be read ({reason}); check its name and permissions."
    return str(error).removeprefix(f"{path.name} ")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON sidecar.

    Parameters
    ----------
    path : Path
        The sidecar; the file need not exist.

    Returns
    -------
    dict
        Its content; empty if the file does not exist.

    Raises
    ------
    DataContractError
        If the file exists but is not a JSON object.
    """
    if not (path.exists() or path.is_symlink()):
        return {}
    try:
        content = parse_json(read_text(path), path.name)
    except UnreadableFileError as error:
        raise DataContractError(str(path), [_problem(path, error)]) from error
    if not isinstance(content, dict):
        raise DataContractError(
            str(path),
            [
                f"{path.name}: expected a JSON object, got {type(content).__name__}: write "
                '{"column": {...}}.'
            ],
        )
    return content


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a TSV or CSV file as text cells.

    Byte order mark, CRLF line ends, trailing tabs, blank lines and padded cells are accepted.
    Nothing is converted: ids keep leading zeros, and an arm named ``None`` remains text.

    Parameters
    ----------
    path : str or Path
        Comma-separated if the name ends in ``.csv`` and the header has no tab, else tab-separated.

    Returns
    -------
    pandas.DataFrame
        All cells are text; ``n/a`` stays ``n/a``. The index is the line number in the file.

    Raises
    ------
    DataContractError
        If the file cannot be read, is empty, has a repeated or unnamed column, or has rows that
        differ in length from the header (a truncated file ends in such a row).
    """
    path = Path(path)
    lines = [
        (number, line)
        for number, line in enumerate(read_text(path).splitlines(), start=1)
        if line.strip()
    ]
    comma = path.suffix.lower() == ".csv" and "\t" not in lines[0][1]
    reader = csv.reader((line for _, line in lines), delimiter="," if comma else "\t")
    try:
        rows = [[cell.strip() for cell in row] for row in reader]
    except csv.Error as error:
        raise DataContractError(str(path), [f"cannot be read as a table ({error})."]) from error
    rows = _without_trailing(rows)
    header, body = rows[0], rows[1:]
    if problem := separator_problem(header, "commas" if comma else "tabs"):
        raise DataContractError(str(path), [problem])
    problems = _header_problems(header)
    numbers = [number for number, _ in lines]
    if len(rows) != len(lines):
        problems.append("a quoted cell spans several lines: remove the quotation mark.")
    else:
        problems += [
            f"line {number} has {len(row)} cell(s), but the header has {len(header)}: "
            "the file is truncated or the line is damaged; copy the file again, or complete the "
            "line."
            for number, row in zip(numbers[1:], body, strict=True)
            if len(row) != len(header)
        ]
    if problems:
        raise DataContractError(str(path), problems)
    return pd.DataFrame(body, columns=header, index=numbers[1:], dtype=str)


def separator_problem(header: Sequence[str], expected: str) -> str | None:
    """Recognise a table with another separator by a header of one cell.

    Parameters
    ----------
    header : sequence of str
        Cells of the header.
    expected : {"tabs", "commas"}
        The separator that was used.

    Returns
    -------
    str or None
        The problem; None if there is none.

    Examples
    --------
    >>> separator_problem(["participant_id;age;sex"], "tabs")
    'columns are separated by semicolons, expected tabs: save the table with tabs.'
    """
    if len(header) != 1:
        return None
    marks = {";": "semicolons", ",": "commas", "|": "bars", "\t": "tabs"}
    counts = {mark: header[0].count(mark) for mark in marks if marks[mark] != expected}
    mark = max(counts, key=lambda m: counts[m])
    if not counts[mark]:
        return None
    advice = f"save the table with {expected}"
    if marks[mark] == "commas":
        advice += ", or name it .csv"
    return f"columns are separated by {marks[mark]}, expected {expected}: {advice}."


def _without_trailing(rows: list[list[str]]) -> list[list[str]]:
    """Drop empty cells to the right of the last named column (trailing tabs)."""
    width = len(rows[0])
    while width > 1 and not rows[0][width - 1]:
        width -= 1
    return [row[:width] if not any(row[width:]) else row for row in rows]


def _header_problems(header: list[str]) -> list[str]:
    repeated = sorted(name for name in find_repeats(header) if name)
    problems = [f"column {name!r} occurs more than once: rename one." for name in repeated]
    if "" in header:
        problems.append(f"column {header.index('') + 1} has no name: add one to the header.")
    return problems


def id_problems(table: pd.DataFrame, keys: list[str]) -> list[str]:
    """List missing and repeated ids.

    Parameters
    ----------
    table : pandas.DataFrame
        As `read_table` returns it.
    keys : list of str
        Columns that must be unique together.

    Returns
    -------
    list of str
        The problems; empty if there are none.
    """
    problems = []
    for key in keys:
        empty = table.index[table[key].isin(["", MISSING])]
        if len(empty):
            problems.append(
                f"{key} is missing in line(s) {some(empty)}: every row needs one; fill it in, or "
                "remove the row(s)."
            )
    repeated = table[
        table.duplicated(keys, keep=False) & ~table[keys].isin(["", MISSING]).any(axis=1)
    ]
    for label, rows in repeated.groupby(keys, sort=False):
        name = " ".join(map(str, label if isinstance(label, tuple) else (label,)))
        problems.append(
            f"{name} occurs {len(rows)} times (lines {some(rows.index)}): "
            f"{' + '.join(keys)} must be unique; remove or rename the repeated rows."
        )
    return problems
