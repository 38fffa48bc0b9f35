"""Files of CAT12 with values of regions: XML per subject, and text tables."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from bayes_mdd.errors import some
from bayes_mdd.features.derivatives.text_tables import (
    MISSING_MARKS,
    Cells,
    parse_numbers,
    read_cells,
)
from bayes_mdd.features.loading import UnreadableFileError
from bayes_mdd.features.tool_names import CAT_MEASURES
from bayes_mdd.files.repeats import find_repeats
from bayes_mdd.files.text import read_text
from bayes_mdd.types import Array

#: Columns with region names, in order of preference.
_NAME_COLUMNS = ("ROIname", "names", "ROIabbr", "name")
_ID_HEADERS = ("names", "name")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?")


@dataclass(frozen=True)
class RegionValues:
    """Values of the regions of one atlas.

    Parameters
    ----------
    names : tuple of str
        Regions.
    values : ndarray, shape (region,)
        NaN: not measured.
    """

    names: tuple[str, ...]
    values: Array


def plain_measure(measure: str) -> str:
    """Return the name of a measure without ``mean_``, which old versions wrote.

    Parameters
    ----------
    measure : str
        As in the file.

    Returns
    -------
    str
        For example ``thickness``.
    """
    return measure.removeprefix("mean_")


def kind_of(measure: str) -> str:
    """Return the kind of data of a CAT12 measure.

    Parameters
    ----------
    measure : str
        For example ``Vgm``.

    Returns
    -------
    str
        For example ``volume``; the measure itself where there is no other name.

    Examples
    --------
    >>> kind_of("Vgm"), kind_of("mean_thickness"), kind_of("toroGI20mm")
    ('volume', 'thickness', 'toroGI20mm')
    """
    plain = plain_measure(measure)
    return CAT_MEASURES.get(plain, plain)


def read_roi_xml(path: Path) -> dict[tuple[str, str], RegionValues]:
    """Read ``catROI_<id>.xml`` or ``catROIs_<id>.xml``.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    dict
        Values by atlas and measure.

    Raises
    ------
    UnreadableFileError
        If the file is not such a table, or names and values differ in number.
    """
    text = read_text(path)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise UnreadableFileError(f"{path.name} declares XML entities, which CAT12 does not write.")
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:
        raise UnreadableFileError(
            f"{path.name} cannot be read as XML (truncated?): {error}."
        ) from error
    found: dict[tuple[str, str], RegionValues] = {}
    for atlas in root:
        names, data = atlas.find("names"), atlas.find("data")
        if names is None or data is None:
            continue
        regions = tuple((item.text or "").strip() for item in names)
        for measure in data:
            values = _parse_vector(measure, path)
            if len(values) != len(regions):
                raise UnreadableFileError(
                    f"{path.name}: {atlas.tag} has {len(regions)} names and {len(values)} values "
                    f"of {measure.tag}: run CAT12 again for this participant."
                )
            found[atlas.tag, measure.tag] = RegionValues(regions, values)
    if not found:
        raise UnreadableFileError(
            f"{path.name} has no atlas with names and data: expected region values of CAT12 12.1 "
            "or later."
        )
    return found


def _parse_vector(element: ElementTree.Element, path: Path) -> Array:
    """Parse a MATLAB vector, ``[1.2;NaN;3]``, or one item per value."""
    items = [(item.text or "").strip() for item in element]
    words = items or re.split(r"[;,\s]+", (element.text or "").strip().strip("[]").strip())
    words = [w for w in words if w]
    return parse_numbers(path, [words])[0] if words else np.empty(0)


def is_group_table(cells: Cells) -> bool:
    """Whether a table has one row per subject and one column per region.

    Parameters
    ----------
    cells : Cells
        The table, or its first line.

    Returns
    -------
    bool
        False for tables of one subject with one row per region.
    """
    return cells.header[0].lower() in _ID_HEADERS and not measure_columns(cells)


def measure_columns(cells: Cells) -> list[str]:
    """Find the measures of a table with one row per region.

    Parameters
    ----------
    cells : Cells
        The table, or its first line.

    Returns
    -------
    list of str
        Columns with measures; empty for tables of another layout.
    """
    if not any(c in cells.header for c in _NAME_COLUMNS):
        return []
    return [c for c in cells.header if plain_measure(c) in CAT_MEASURES]


def read_subject_table(path: Path) -> dict[tuple[str, str], RegionValues]:
    """Read a table of one subject, with one row per region.

    Parameters
    ----------
    path : Path
        A text table with the columns of an order of names (``names``, ``ROIname``) and measures.

    Returns
    -------
    dict
        Values by atlas (empty, as the table does not state it) and measure.

    Raises
    ------
    UnreadableFileError
        If the table has another layout.
    """
    cells = read_cells(path)
    measures = measure_columns(cells)
    if not measures:
        raise UnreadableFileError(
            f"{path.name} has the columns {some(cells.header)}: expected names and measures of "
            f"CAT12 ({', '.join(CAT_MEASURES)})."
        )
    column = next(cells.header.index(c) for c in _NAME_COLUMNS if c in cells.header)
    names = tuple(row[column] for row in cells.body)
    return {
        ("", m): RegionValues(
            names,
            parse_values(path, [[row[cells.header.index(m)]] for row in cells.body], cells)[:, 0],
        )
        for m in measures
    }


def read_group_table(path: Path) -> tuple[tuple[str, ...], Mapping[str, Array]]:
    """Read a table with one row per subject and one column per region.

    Parameters
    ----------
    path : Path
        The table; the first column has the names of the files, without ``catROI_``.

    Returns
    -------
    tuple
        The regions, and the values by the id in the table.

    Raises
    ------
    UnreadableFileError
        If ids repeat, cells are not numbers, or there are none.
    """
    cells = read_cells(path)
    ids = [row[0] for row in cells.body]
    if not ids or len(cells.header) < 2:
        raise UnreadableFileError(
            f"{path.name} has no row of a participant, or no column of a region: export it again."
        )
    repeated = sorted(find_repeats(ids))
    if repeated or "" in ids:
        raise UnreadableFileError(
            f"{path.name} repeats {some(repeated)}: keep one row per participant."
            if repeated
            else f"{path.name} has rows without an id."
        )
    values = parse_values(path, [row[1:] for row in cells.body], cells)
    return cells.header[1:], dict(zip(ids, values, strict=True))


def parse_values(path: Path, rows: Sequence[Sequence[str]], cells: Cells) -> Array:
    """Convert cells to numbers; decimal commas are accepted where commas do not separate.

    Parameters
    ----------
    path : Path
        The file, for messages.
    rows : sequence of sequence of str
        Cells.
    cells : Cells
        The table they come from.

    Returns
    -------
    ndarray
        NaN where a value is missing.

    Raises
    ------
    UnreadableFileError
        If a cell is not a number.
    """
    with_commas = cells.separator != "," and any(
        _DECIMAL_COMMA.fullmatch(c) for r in rows for c in r
    )
    if with_commas:
        rows = [[c if c in MISSING_MARKS else c.replace(",", ".") for c in row] for row in rows]
    return parse_numbers(path, rows)
