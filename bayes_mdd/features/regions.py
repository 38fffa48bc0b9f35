"""The region table: names, networks and coordinates, in the order of the atlas."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from bayes_mdd.cohort.tables import read_table
from bayes_mdd.dims import MISSING
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.sides import side_problems, stated_sides

REQUIRED = ("region", "network")
COORDINATES = ("x", "y", "z")


def read_regions(path: str | Path) -> pd.DataFrame:
    """Read and check a region table.

    Parameters
    ----------
    path : str or Path
        Tab-separated, one row per region: ``region``, ``network`` and, if known, ``x``, ``y``,
        ``z`` (MNI, mm), ``hemisphere`` and ``label`` (value in the atlas image).

    Returns
    -------
    pandas.DataFrame
        Text columns as text, coordinates as float, ``label`` as int; rows in file order.

    Raises
    ------
    DataContractError
        If the file cannot be read or breaks the contract. The error lists all problems.
    """
    path = Path(path)
    raw = read_table(path)
    return check_regions(raw.mask(raw == MISSING), what=path.name)


def check_regions(regions: pd.DataFrame, *, what: str = "regions table") -> pd.DataFrame:
    """Check a region table and convert its columns to their types.

    Parameters
    ----------
    regions : pandas.DataFrame
        Columns ``region``, ``network`` and optional ``x``, ``y``, ``z``, ``hemisphere``,
        ``label``.
    what : str
        Name of the table in error messages.

    Returns
    -------
    pandas.DataFrame
        A new table, rows indexed from 0.

    Raises
    ------
    DataContractError
        If columns are missing, names are missing or repeated, numeric columns contain other text,
        or the hemisphere in most region names contradicts the sign of x.

    Examples
    --------
    >>> check_regions(pd.DataFrame({"region": ["a", "b"], "network": ["N", "N"], "x": ["1", "2"]}))
      region network    x
    0      a       N  1.0
    1      b       N  2.0
    """
    missing = [c for c in REQUIRED if c not in regions.columns]
    if missing:
        raise DataContractError(
            what,
            [
                f"missing column(s) {', '.join(missing)}; found {some(regions.columns, 12)}. "
                "Expected region and network, optionally x, y, z, hemisphere, label."
            ],
        )
    table = regions.reset_index(drop=True)
    problems = [*_name_problems(table), *_number_problems(table)]
    problems = problems or _side_problems(table)
    if problems:
        raise DataContractError(what, problems)
    for name in table.columns:
        if name in COORDINATES:
            table[name] = pd.to_numeric(table[name]).astype(np.float64)
        elif name == "label":
            table[name] = pd.to_numeric(table[name]).astype(np.int64)
        elif name in (*REQUIRED, "hemisphere"):
            table[name] = table[name].fillna(MISSING).astype(str)
    return table


def _name_problems(table: pd.DataFrame) -> list[str]:
    problems = []
    if table.empty:
        problems.append("the table has no rows: expected one row per region.")
    for name in REQUIRED:
        column = table[name]
        blank = column.isna() | (column.astype(str).str.strip() == "")
        if blank.any():
            rows = some(int(i) + 2 for i in np.flatnonzero(blank.to_numpy()))
            problems.append(f"column {name} is empty or n/a in line(s) {rows}: fill it in.")
    repeated = table["region"][table["region"].duplicated()].dropna().unique()
    if len(repeated):
        problems.append(
            f"region names must be unique; repeated: {some(repeated)}. Rename one of each, or "
            "remove the row."
        )
    if "label" in table:
        labels = table["label"][table["label"].notna() & table["label"].duplicated(keep=False)]
        for label, same in labels.groupby(labels, sort=False):
            problems.append(
                f"label {label} stands for {some(table.loc[same.index, 'region'])}: each label "
                "of the image is one region; correct the label, or remove the row."
            )
    return problems


def _number_problems(table: pd.DataFrame) -> list[str]:
    problems = []
    for name in (*COORDINATES, "label"):
        if name not in table.columns:
            continue
        number = pd.to_numeric(table[name], errors="coerce")
        bad = number.isna() & table[name].notna() | np.isinf(number.astype(np.float64))
        expected = "numbers (mm)"
        if name == "label":
            bad |= number.isna() | (number.astype(np.float64) % 1 != 0)
            expected = "whole numbers (values of the atlas image)"
        if bad.any():
            listed = some(table.loc[bad, "region"])
            problems.append(
                f"column {name} must contain {expected}; found other values for {listed}."
            )
    return problems


def _side_problems(table: pd.DataFrame) -> list[str]:
    """Compare the hemisphere with the sign of x, which reveals a wrong order or a flip."""
    if "x" not in table:
        return []
    x = pd.to_numeric(table["x"]).to_numpy(dtype=np.float64)
    return side_problems(table["region"].astype(str).tolist(), x, stated_sides(table))
