"""Numbers out of files: text tables with names, npy and npz; every failure in plain words."""

from __future__ import annotations

import csv
import zipfile
import zlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bayes_mdd.dims import MISSING
from bayes_mdd.errors import some

type Floats = npt.NDArray[np.float64]

_BROKEN = (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error)


class UnreadableFileError(ValueError):
    """One file cannot be read; the caller collects these and raises one error for all."""


@dataclass
class Grouped:
    """Problems of many people, where equal ones are said once with everybody they concern."""

    who: dict[str, list[str]] = field(default_factory=dict)

    def add(self, subject: str, problem: str) -> None:
        """Note one problem of one person.

        Parameters
        ----------
        subject : str
            The person.
        problem : str
            What is wrong, what was expected, what to do.
        """
        self.who.setdefault(problem, []).append(subject)

    def problems(self) -> list[str]:
        """List the problems, each with the people it concerns.

        Returns
        -------
        list of str
            In the order in which they were first met.
        """
        return [f"{some(subjects)}: {text}" for text, subjects in self.who.items()]


@dataclass(frozen=True)
class TextTable:
    """A numeric table with names: of its columns and, where it has them, of its rows."""

    columns: tuple[str, ...]
    rows: tuple[str, ...] | None
    values: Floats


def require_file(path: Path) -> None:
    """Refuse a file that is absent, empty, or only a link to content that is elsewhere.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    UnreadableFileError
        With what to do about it.
    """
    if path.is_symlink() and not path.exists():
        raise UnreadableFileError(
            f"{path.name} is a link to content that is not here (annexed?): run 'datalad get'."
        )
    if not path.is_file():
        raise UnreadableFileError(f"{path.name} is missing or not a file.")
    if path.stat().st_size == 0:
        raise UnreadableFileError(f"{path.name} is empty: copy or make it again.")


def read_text_table(path: Path, *, named_rows: bool, corner: str | None = None) -> TextTable:
    """Read a tab- or comma-separated table of numbers with a header.

    Parameters
    ----------
    path : Path
        ``.csv`` is read with commas, everything else with tabs. ``n/a`` is missing.
    named_rows : bool
        Whether the first column holds names.
    corner : str, optional
        What the first cell of the header must be.

    Returns
    -------
    TextTable
        Missing values are NaN.

    Raises
    ------
    UnreadableFileError
        If lines differ in length, a cell is no number, or the file is no text.
    """
    require_file(path)
    separator = "," if path.suffix == ".csv" else "\t"
    start = 1 if named_rows else 0
    names: list[str] = []
    numbers: list[Floats] = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            lines = csv.reader(stream, delimiter=separator)
            header = [cell.strip() for cell in next(lines, [])]
            columns = tuple(header[start:])
            _check_header(path, columns, separator)
            if corner is not None and header[0] != corner:
                raise UnreadableFileError(
                    f"{path.name} starts with column '{header[0]}': expected '{corner}'."
                )
            for cells in filter(None, lines):
                if len(cells) != len(header):
                    raise UnreadableFileError(
                        f"{path.name} line {lines.line_num} has {len(cells)} cells, the header "
                        f"{len(header)}: the file is truncated or wrongly separated."
                    )
                names.extend(cell.strip() for cell in cells[:start])
                numbers.append(_numbers(cells[start:], path, lines.line_num))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UnreadableFileError(f"{path.name} cannot be read as text: {error}.") from error
    values = np.array(numbers, dtype=np.float64).reshape(len(numbers), len(columns))
    return TextTable(columns, tuple(names) if named_rows else None, values)


def _check_header(path: Path, columns: tuple[str, ...], separator: str) -> None:
    mark = {",": "commas", "\t": "tabs"}[separator]
    if not any(columns):
        raise UnreadableFileError(f"{path.name} has no columns separated by {mark}.")
    if not all(columns):
        raise UnreadableFileError(
            f"{path.name} has a column without a name: give every column one (a separator at "
            "the end of the header also makes one)."
        )
    if all(_is_number(c) and not c.isdigit() for c in columns):
        raise UnreadableFileError(
            f"{path.name} has numbers where names of columns were expected: add a header."
        )
    counts = Counter(columns)
    if len(counts) < len(columns):
        twice = [name for name, n in counts.items() if n > 1]
        raise UnreadableFileError(f"{path.name} repeats column name(s) {some(twice)}.")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.strip().lower() not in ("nan", "inf", "infinity")


def _numbers(cells: list[str], path: Path, line: int) -> Floats:
    try:
        return np.array(cells, dtype=np.float64)
    except ValueError:
        pass
    try:
        return np.array([np.nan if c == MISSING else float(c) for c in cells], dtype=np.float64)
    except ValueError:
        bad = [c for c in cells if c != MISSING and not _is_number(c)]
        raise UnreadableFileError(
            f"{path.name} line {line} holds {some(map(repr, dict.fromkeys(bad)), 3)} where a "
            f"number was expected (the mark of a missing value is {MISSING})."
        ) from None


def read_npy(path: Path) -> npt.NDArray[Any]:
    """Read one array.

    Parameters
    ----------
    path : Path
        A ``.npy`` file.

    Returns
    -------
    numpy.ndarray
        Float64 if it is numeric.

    Raises
    ------
    UnreadableFileError
        If it is truncated, pickled or of another format.
    """
    require_file(path)
    try:
        with path.open("rb") as stream:
            array = np.load(stream, allow_pickle=False)
    except _BROKEN as error:
        raise UnreadableFileError(
            f"{path.name} cannot be read as a .npy array (truncated, or objects in it): {error}."
        ) from error
    if not isinstance(array, np.ndarray):
        raise UnreadableFileError(f"{path.name} is an .npz archive under the name of a .npy file.")
    return _plain(array, path.name)


def read_npz(path: Path, keys: tuple[str, ...]) -> dict[str, npt.NDArray[Any]]:
    """Read named arrays of an archive.

    Parameters
    ----------
    path : Path
        A ``.npz`` file.
    keys : tuple of str
        Arrays it must hold.

    Returns
    -------
    dict
        One array a key; numbers as float64, names as text.

    Raises
    ------
    UnreadableFileError
        If it is truncated or lacks a key.
    """
    require_file(path)
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            missing = [k for k in keys if k not in archive.files]
            if missing:
                raise UnreadableFileError(
                    f"{path.name} lacks {some(missing)}: expected the arrays {', '.join(keys)}; "
                    f"found {some(archive.files, 8)}."
                )
            return {k: _plain(archive[k], f"{path.name} [{k}]") for k in keys}
    except UnreadableFileError:
        raise
    except (*_BROKEN, AttributeError, TypeError) as error:  # the last two: a .npy inside
        raise UnreadableFileError(
            f"{path.name} cannot be read as an .npz archive (truncated, or objects in it): {error}."
        ) from error


def _plain(array: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
    if array.dtype.kind in "fiub":
        return array.astype(np.float64)
    if array.dtype.kind in "U":
        return array
    raise UnreadableFileError(f"{name} holds {array.dtype}: expected real numbers or text.")


def order_problem(found: tuple[str, ...], expected: tuple[str, ...]) -> str | None:
    """Compare region names with the region table; names are never matched by position.

    Parameters
    ----------
    found, expected : tuple of str
        Names in a file and in ``regions.tsv``.

    Returns
    -------
    str or None
        What differs, or None.
    """
    if found == expected:
        return None
    if sorted(found) == sorted(expected):
        at = next(i for i, (a, b) in enumerate(zip(found, expected, strict=True)) if a != b)
        return (
            f"regions stand in another order than in regions.tsv: at place {at + 1} "
            f"'{found[at]}' where regions.tsv has '{expected[at]}'. Write the file in the order "
            "of regions.tsv."
        )
    absent = [e for e in expected if e not in set(found)]
    extra = [f for f in found if f not in set(expected)]
    parts = [f"has {len(found)} regions, regions.tsv {len(expected)}"]
    if absent:
        parts.append(f"lacks {some(absent)}")
    if extra:
        parts.append(f"has {some(extra)}, which regions.tsv does not list")
    return "; ".join(parts) + ". All people need the regions of regions.tsv."
