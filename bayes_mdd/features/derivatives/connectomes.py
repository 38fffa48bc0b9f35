"""Connectomes without region names: names by label, units, triangular matrices."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bayes_mdd.errors import some
from bayes_mdd.features.companions import same_recording
from bayes_mdd.features.derivatives.interface import FormatRequest, SubjectValues
from bayes_mdd.features.derivatives.text_tables import read_cells
from bayes_mdd.features.file_names import parse_name
from bayes_mdd.features.loading import UnreadableFileError
from bayes_mdd.files.text import read_text
from bayes_mdd.types import Array

STRUCTURAL = "structural_connectivity"


def weighting_units(weighting: str | None) -> str:
    """Return the unit of a connectome weighting.

    Parameters
    ----------
    weighting : str or None
        For example ``sift_invnodevol_radius2_count`` or ``radius2_meanlength``.

    Returns
    -------
    str
        ``mm``, ``streamlines``, ...; ``not stated`` where it is unknown.

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


def mirror_triangles(
    by_subject: Mapping[str, SubjectValues],
) -> tuple[dict[str, SubjectValues], dict[str, Any], list[str]]:
    """Fill the lower triangle of connectomes that have only the upper one. Values are not halved.

    Parameters
    ----------
    by_subject : mapping of str to SubjectValues
        Matrices in the region order of the files, before any reordering.

    Returns
    -------
    tuple
        Full matrices, the entry for ``provenance``, and the note for the user.

    Examples
    --------
    >>> half = SubjectValues(("a", "b"), np.array([[1.0, 3.0], [0.0, 0.0]]))
    >>> mirror_triangles({"sub-1": half})[0]["sub-1"].values.tolist()
    [[1.0, 3.0], [3.0, 0.0]]
    """
    upper = [subject for subject, own in by_subject.items() if _is_upper(own.values)]
    if not upper:
        return dict(by_subject), {}, []
    full = dict(by_subject)
    for subject in upper:
        names, half = by_subject[subject].names, by_subject[subject].values
        full[subject] = SubjectValues(names, np.triu(half) + np.triu(half, 1).T)
    note = (
        f"{some(upper)}: only the upper triangle is filled (MRtrix without -symmetric); it was "
        "mirrored."
    )
    return full, {"mirrored_upper_triangle": upper}, [note]


def _is_upper(matrix: Array) -> bool:
    plain = np.nan_to_num(matrix)
    return bool(np.triu(plain, 1).any() and not np.tril(plain, -1).any())


def find_region_names(n: int, path: Path, request: FormatRequest) -> tuple[str, ...]:
    """Find the region names of a matrix without names; row k is label k.

    Parameters
    ----------
    n : int
        Number of rows of the matrix.
    path : Path
        File of the matrix. A list of names (``*labels*.txt``) may be in the same folder.
    request : Request
        The column ``label`` of its region table gives the number of each region.

    Returns
    -------
    tuple of str
        One name per row.

    Raises
    ------
    UnreadableFileError
        If the names are unknown, or the labels do not match the matrix.
    """
    if request.regions is not None and "label" in request.regions:
        return _names_by_label(n, path, request)
    lists = sorted(
        f for f in path.parent.glob("*") if "label" in f.name.lower() and f.suffix == ".txt"
    )
    lists = _own_lists(path, [f for f in lists if not f.name.startswith(".")])
    found = {f: _read_name_list(f) for f in lists}
    fitting = {names for names in found.values() if len(names) == n}
    if len(fitting) == 1:
        return fitting.pop()
    listed = some(f"{f.name} ({len(names)} names)" for f, names in found.items())
    raise UnreadableFileError(
        f"{path.name} is {n} x {n} and has no region names"
        + (f"; in the same folder: {listed}" if found else "")
        + ". Give a region table (regions=...) with a column label: the row number of each region, "
        "starting at 1."
    )


def _own_lists(path: Path, lists: list[Path]) -> list[Path]:
    """Leave out lists of other recordings; prefer those of this one to lists for all subjects."""
    name = parse_name(path)
    parsed = [parse_name(f, f.parent) for f in lists]
    own = [f for f in parsed if "sub" in f.entities and same_recording(f, name)]
    return [f.path for f in own or parsed if f in own or "sub" not in f.entities]


def _names_by_label(n: int, path: Path, request: FormatRequest) -> tuple[str, ...]:
    assert request.regions is not None
    by_label = dict(zip(request.regions["label"], request.regions["region"], strict=True))
    labels = sorted(by_label)
    if len(by_label) != len(request.regions):
        raise UnreadableFileError("the region table repeats a label: correct column label.")
    if labels[0] < 1:
        raise UnreadableFileError(
            "the region table has a label below 1: rows are numbered from 1, and 0 is background."
        )
    if labels[-1] > n:
        lost = [by_label[k] for k in labels if k > n]
        raise UnreadableFileError(
            f"{path.name} is {n} x {n}, but the largest label of the region table is {labels[-1]} "
            f"(not in the matrix: {some(lost)}). tck2connectome silently omits the last labels if "
            "no streamline reaches them. Recompute the matrix with all labels."
        )
    if len(by_label) < n:
        unnamed = [k for k in range(1, n + 1) if k not in by_label]
        raise UnreadableFileError(
            f"{path.name} is {n} x {n}, the region table lacks the label(s) {some(unnamed)}: give "
            "a region for each row (another atlas?)."
        )
    return tuple(str(by_label[k]) for k in range(1, n + 1))


def _read_name_list(path: Path) -> tuple[str, ...]:
    """Read one name per line; spaces and commas may be part of a name."""
    try:
        cells = read_cells(path)
    except UnreadableFileError:
        return tuple(line.strip() for line in read_text(path).splitlines() if line)
    if len(cells.header) == 1:
        return tuple(row[0] for row in cells.rows)
    return tuple(" ".join(row) for row in cells.rows)
