"""Text tables as other tools write them: whatever separates the cells, a header or none."""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from bayes_mdd.errors import some
from bayes_mdd.features.loading import Floats, UnreadableFileError, require_file

#: Marks of a missing number; names and ids are never looked up here.
MISSING_MARKS = frozenset(("", "n/a", "na", "nan", "NaN", "NA", "N/A", "."))
_SPLIT = {"\t": "tabs", ",": "commas", ";": "semicolons", " ": "spaces"}


@dataclass(frozen=True)
class Cells:
    """A text table as cells.

    Parameters
    ----------
    path : Path
        The file.
    rows : tuple of tuple of str
        All lines but comments and blank ones, each of the same number of cells.
    separator : str
        Tab, comma, semicolon or space (any white space).
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
        """Whether there is no header: every cell of the first line is a number or missing."""
        return all(number_or_none(c) is not None for c in self.rows[0])


def read_cells(path: Path, *, lines: int | None = None) -> Cells:
    """Read a text table, finding out how its cells are separated.

    Byte order mark, CRLF, blank lines, ``#`` lines, trailing separators and ``.gz`` are taken in
    stride. Cells stay text, so that ids keep their zeros.

    Parameters
    ----------
    path : Path
        The file.
    lines : int, optional
        Look at so many lines only (to find out what a file is).

    Returns
    -------
    Cells
        The separator is the first of tab, comma, semicolon and white space that gives every line
        the same number of cells, two or more.

    Raises
    ------
    UnreadableFileError
        If the file is absent, annexed, empty, no text, truncated, or its lines differ in length.
    """
    text = _text(path) if lines is None else _head(path, lines)
    found = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not found:
        raise UnreadableFileError(f"{path.name} has no rows: copy or make it again.")
    if lines is not None:
        found = found[:lines]
    for separator in _SPLIT:
        rows = _split(found, separator)
        if rows is not None and len(rows[0]) > 1 and len({len(r) for r in rows}) == 1:
            return Cells(path, rows, separator)
    return _single_or_ragged(path, found)


def _text(path: Path) -> str:
    return _decoded(path, lambda stream: stream.read())


def _head(path: Path, lines: int) -> str:
    """Read no further than asked for: a folder may hold hundreds of large tables."""

    def read(stream: IO[bytes]) -> bytes:
        held, n = [], 0
        for line in stream:
            held.append(line)
            n += bool(line.strip()) and not line.startswith(b"#")
            if n >= lines:
                break
        return b"".join(held)

    return _decoded(path, read)


def _decoded(path: Path, read: Callable[[IO[bytes]], bytes]) -> str:
    require_file(path)
    try:
        opened: Any = gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # noqa: SIM115
        with opened as stream:
            raw = read(stream)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UnreadableFileError(
            f"{path.name} is truncated or no gzip file ({error}): copy it again."
        ) from error
    except OSError as error:
        raise UnreadableFileError(f"{path.name} cannot be read: {error}.") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableFileError(f"{path.name} is no UTF-8 text ({error}).") from error
    if "\x00" in text:
        raise UnreadableFileError(f"{path.name} holds binary zeros: it is no text table.")
    return text


def _split(lines: Sequence[str], separator: str) -> tuple[tuple[str, ...], ...] | None:
    if separator == " ":
        return tuple(tuple(line.split()) for line in lines)
    try:
        rows = [[c.strip() for c in row] for row in csv.reader(lines, delimiter=separator)]
    except csv.Error:
        return None
    width = len(rows[0])
    # Cells right of the last named (or, without a header, filled) column: trailing separators.
    while width > 1 and not rows[0][width - 1] and not any(any(r[width - 1 :]) for r in rows):
        width -= 1
    return tuple(tuple(r[:width] if not any(r[width:]) else r) for r in rows)


def _single_or_ragged(path: Path, lines: Sequence[str]) -> Cells:
    """One column is a table too; anything else is damaged."""
    counts = {s: [line.count(s) for line in lines] for s in ("\t", ",", ";")}
    separator = next((s for s, n in counts.items() if n[0]), " ")
    rows = _split(lines, separator) or ()
    widths = [len(r) for r in rows]
    if rows and set(widths) == {1}:
        return Cells(path, rows, separator)
    usual = widths[0] if widths else 0
    odd = next((i for i, w in enumerate(widths) if w != usual), 0)
    raise UnreadableFileError(
        f"{path.name} row {odd + 1} has {widths[odd] if widths else 0} cells, the first {usual} "
        f"(split at {_SPLIT[separator]}): the file is truncated or wrongly separated."
    )


_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d+)?|[+-]?[iI]nf(?:inity)?")


def number_or_none(cell: str) -> float | None:
    """Read a cell as a number.

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
    >>> [number_or_none(c) for c in ("1e-3", "n/a", "left")]
    [0.001, nan, None]
    """
    if cell in MISSING_MARKS:
        return float("nan")
    return float(cell.replace("D", "e").replace("d", "e")) if _NUMBER.fullmatch(cell) else None


def numbers(path: Path, rows: Sequence[Sequence[str]]) -> Floats:
    """Turn cells into numbers.

    Parameters
    ----------
    path : Path
        For the message.
    rows : sequence of sequence of str
        Cells, each row of the same length.

    Returns
    -------
    numpy.ndarray
        NaN where a value is missing.

    Raises
    ------
    UnreadableFileError
        If a cell is other text.
    """
    try:
        return np.array(rows, dtype=np.float64)
    except ValueError:
        pass
    values = [[number_or_none(cell) for cell in row] for row in rows]
    bad = [
        cell
        for row, own in zip(rows, values, strict=True)
        for cell, value in zip(row, own, strict=True)
        if value is None
    ]
    if bad:
        raise UnreadableFileError(
            f"{path.name} holds {some(map(repr, dict.fromkeys(bad)), 3)} where a number was "
            "expected."
        )
    return np.array(values, dtype=np.float64)
