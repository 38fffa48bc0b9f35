"""Names of regions for data that state the numbers of an atlas image, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from bayes_mdd.errors import UnreadableFileError, some


def names_of_labels(labels: Sequence[str], regions: pd.DataFrame | None) -> tuple[str, ...]:
    """Translate labels in a file, which may be numbers, to the names of a region table.

    Parameters
    ----------
    labels : sequence of str
        Labels of columns or rows.
    regions : pandas.DataFrame or None
        With ``region`` and, for numbers, ``label``.

    Returns
    -------
    tuple of str
        The region of each number that the table has as ``label``; other labels are unchanged.

    Examples
    --------
    >>> table = pd.DataFrame({"region": ["Precentral_L"], "label": [2001]})
    >>> names_of_labels(["2001", "2002"], table)
    ('Precentral_L', '2002')
    """
    if regions is None or "label" not in regions or set(labels) & set(map(str, regions["region"])):
        return tuple(labels)
    by_label = {
        str(int(k)): str(name) for k, name in zip(regions["label"], regions["region"], strict=True)
    }
    return tuple(by_label.get(_plain(label), label) for label in labels)


def _plain(label: str) -> str:
    """Remove leading zeros and decimals from a number; other text is unchanged."""
    try:
        value = float(label)
    except ValueError:
        return label
    return str(int(value)) if value.is_integer() else label


def names_of_columns(
    n: int, rows: int, path: Path, regions: pd.DataFrame | None
) -> tuple[str, ...]:
    """Name the columns of a time series without header by the labels of a region table.

    Parameters
    ----------
    n : int
        Number of columns.
    rows : int
        Number of rows (volumes).
    path : Path
        The file, for messages.
    regions : pandas.DataFrame or None
        With ``label``: the number of the column of each region, starting at 1.

    Returns
    -------
    tuple of str
        One name per column.

    Raises
    ------
    UnreadableFileError
        If the table is missing, or its labels are not the numbers of the columns.
    """
    if regions is None or "label" not in regions:
        raise UnreadableFileError(
            f"{path.name} has {n} columns without names: give a region table (regions=..., "
            "--regions) with a column label: the number of the column of each region, starting "
            "at 1."
        )
    by_label = dict(zip(map(int, regions["label"]), map(str, regions["region"]), strict=True))
    if sorted(by_label) == list(range(1, n + 1)):
        return tuple(by_label[k] for k in range(1, n + 1))
    if len(by_label) == rows != n:
        raise UnreadableFileError(
            f"{path.name} has {rows} rows and {n} columns, the region table {rows} regions: "
            "regions seem to be in rows. Transpose the file (volumes in rows)."
        )
    raise UnreadableFileError(
        f"{path.name} has {n} columns without names, but the region table has the labels "
        f"{some(sorted(by_label))} ({len(by_label)}): give the number of the column of each region "
        f"as label, 1 to {n}."
    )
