"""Names of the nodes of matrices that carry none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bayes_mdd.errors import some
from bayes_mdd.features.derivatives.cells import read_cells
from bayes_mdd.features.derivatives.values import Measured, Request
from bayes_mdd.features.loading import Floats, UnreadableFileError

STRUCTURAL = "structural_connectivity"


def weighting_units(weighting: str | None) -> str:
    """Name the unit of a weighting of a connectome.

    Parameters
    ----------
    weighting : str or None
        For example ``sift_invnodevol_radius2_count`` or ``radius2_meanlength``.

    Returns
    -------
    str
        ``mm``, ``streamlines``, ...; ``not stated`` where nothing tells.

    Examples
    --------
    >>> weighting_units("radius2_meanlength"), weighting_units("radius2_count")
    ('mm', 'streamlines')
    """
    name = (weighting or "").lower()
    if "length" in name:
        return "mm"
    if "sift" in name or "invnodevol" in name:
        return f"weighted streamlines ({weighting})"
    if "count" in name or "ncount" in name:
        return "streamlines"
    if "fa" in name.split("_"):
        return "fractional anisotropy (0-1)"
    return weighting or "not stated"


def mirrored(
    people: Mapping[str, Measured],
) -> tuple[dict[str, Measured], dict[str, Any], list[str]]:
    """Fill the lower triangle of connectomes that have only the upper one, never halving it.

    Parameters
    ----------
    people : mapping of str to Measured
        Matrices in the order of their files: after a change of order a triangle is none.

    Returns
    -------
    tuple
        Full matrices, the fact for ``provenance``, and the note for the user.

    Examples
    --------
    >>> half = Measured(("a", "b"), np.array([[1.0, 3.0], [0.0, 0.0]]))
    >>> mirrored({"sub-1": half})[0]["sub-1"].values.tolist()
    [[1.0, 3.0], [3.0, 0.0]]
    """
    upper = [who for who, m in people.items() if _is_upper(m.values)]
    if not upper:
        return dict(people), {}, []
    full = {
        who: Measured(m.names, np.triu(m.values) + np.triu(m.values, 1).T) if who in upper else m
        for who, m in people.items()
    }
    note = (
        f"{some(upper)}: only the upper triangle is filled (MRtrix without -symmetric); it was "
        "mirrored."
    )
    return full, {"mirrored_upper_triangle": upper}, [note]


def _is_upper(matrix: Floats) -> bool:
    plain = np.nan_to_num(matrix)
    return bool(np.triu(plain, 1).any() and not np.tril(plain, -1).any())


def labelled_names(n: int, path: Path, request: Request) -> tuple[str, ...]:
    """Find the names of the rows of a matrix without names: row k is label k.

    Parameters
    ----------
    n : int
        Rows of the matrix.
    path : Path
        Its file; a list of names (``*labels*.txt``) may lie beside it.
    request : Request
        The region table's column ``label`` says which region is which number.

    Returns
    -------
    tuple of str
        One name a row.

    Raises
    ------
    UnreadableFileError
        If nothing tells the names, or the numbers do not fit the matrix.
    """
    if request.regions is not None and "label" in request.regions:
        return _by_label(n, path, request)
    lists = sorted(
        f for f in path.parent.glob("*") if "label" in f.name.lower() and f.suffix == ".txt"
    )
    found = {f: _list_of_names(f) for f in lists if not f.name.startswith(".")}
    fitting = {names for names in found.values() if len(names) == n}
    if len(fitting) == 1:
        return fitting.pop()
    listed = some(f"{f.name} ({len(names)} names)" for f, names in found.items())
    raise UnreadableFileError(
        f"{path.name} is {n} x {n} and carries no names of regions"
        + (f"; beside it {listed}" if found else "")
        + ". Give a region table with a column label: the number of every region's row, from 1 "
        "(regions=...)."
    )


def _by_label(n: int, path: Path, request: Request) -> tuple[str, ...]:
    assert request.regions is not None
    by = dict(zip(request.regions["label"], request.regions["region"], strict=True))
    labels = sorted(by)
    if len(by) != len(request.regions):
        raise UnreadableFileError("the region table gives a label twice: correct column label.")
    if labels[0] < 1:
        raise UnreadableFileError(
            "the region table has a label below 1: rows count from 1, and 0 is background."
        )
    if labels[-1] > n:
        lost = [by[k] for k in labels if k > n]
        raise UnreadableFileError(
            f"{path.name} is {n} x {n}, the region table goes to label {labels[-1]} (beyond: "
            f"{some(lost)}): tck2connectome leaves out the last labels where nobody's streamline "
            "ends, without a word. Make it again with all labels."
        )
    if len(by) < n:
        free = [k for k in range(1, n + 1) if k not in by]
        raise UnreadableFileError(
            f"{path.name} is {n} x {n}, the region table lacks the label(s) {some(free)}: give "
            "every row a region (another atlas?)."
        )
    return tuple(str(by[k]) for k in range(1, n + 1))


def _list_of_names(path: Path) -> tuple[str, ...]:
    """Read one name a line; blanks and commas may be part of it."""
    try:
        cells = read_cells(path)
    except UnreadableFileError:
        return tuple(line.strip() for line in path.read_text("utf-8-sig").splitlines() if line)
    if len(cells.header) == 1:
        return tuple(row[0] for row in cells.rows)
    return tuple(" ".join(row) for row in cells.rows)
