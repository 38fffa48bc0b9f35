"""Regions of the columns of DPABI files: by the order key, or by column number."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bayes_mdd.features.derivatives.connectomes import find_region_names
from bayes_mdd.features.derivatives.file_names import FileName
from bayes_mdd.features.derivatives.interface import FormatRequest
from bayes_mdd.features.derivatives.text_tables import read_cells
from bayes_mdd.features.loading import UnreadableFileError

#: Columns of the files that the REST-meta-MDD project shares: several atlases side by side.
_META_MDD_COLUMNS = 1833
_ORDER_KEY_LABEL = "Label in Mask"


@dataclass(frozen=True)
class Columns:
    """Columns to read and their regions.

    Parameters
    ----------
    names : tuple of str
        Regions.
    index : list of int
        Column of each region, from 0.
    """

    names: tuple[str, ...]
    index: list[int]


def find_columns(n: int, name: FileName, request: FormatRequest) -> Columns:
    """Find the regions of the columns of a file.

    Parameters
    ----------
    n : int
        Number of columns.
    name : FileName
        The file. An order key of the same subject (``ROI_OrderKey_<id>.tsv``) may be beside it.
    request : FormatRequest
        The column ``label`` of its region table holds the labels of the mask, as in the order
        key, or the column numbers, starting at 1.

    Returns
    -------
    Columns
        All columns. Where the table lists some of several atlases side by side (its labels do not
        start at 1, or the files have the columns of REST-meta-MDD), those in the table.

    Raises
    ------
    UnreadableFileError
        If the regions are unknown, or the labels do not match the columns.
    """
    table = request.regions
    if table is None or "label" not in table:
        return Columns(find_region_names(n, name.path, request), list(range(n)))
    by_label = {
        int(label): str(region)
        for label, region in zip(table["label"], table["region"], strict=True)
    }
    labels = _order_key(name, n)
    if labels is not None and by_label.keys() <= set(labels):
        found = [i for i, label in enumerate(labels) if label in by_label]
        if len(found) == n:
            return Columns(tuple(by_label[labels[i]] for i in found), found)
    is_part = len(by_label) == len(table) and min(by_label) >= 1 and max(by_label) <= n
    if is_part and len(by_label) < n and (min(by_label) > 1 or n == _META_MDD_COLUMNS):
        kept = sorted(by_label)
        return Columns(tuple(by_label[k] for k in kept), [k - 1 for k in kept])
    return Columns(find_region_names(n, name.path, request), list(range(n)))


def _order_key(name: FileName, n: int) -> list[int] | None:
    """Read the label of each column; None if there is no order key of one label image."""
    path = _order_key_path(name)
    if path is None:
        return None
    try:
        cells = read_cells(path)
    except UnreadableFileError:
        return None
    if _ORDER_KEY_LABEL not in cells.header or len(cells.body) != n:
        return None
    column = cells.header.index(_ORDER_KEY_LABEL)
    labels = [row[column] for row in cells.body]
    if len(set(labels)) != n or not all(label.isdigit() for label in labels):
        return None
    return [int(label) for label in labels]


def _order_key_path(name: FileName) -> Path | None:
    own = name.stem.split(f"{name.suffix}_", 1)[-1]
    for extension in (".tsv", ".csv"):
        path = name.path.with_name(f"ROI_OrderKey_{own}{extension}")
        if path.is_file():
            return path
    return None
