"""Square matrices, one a person, to edges; anything doubtful about them is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from bayes_mdd.dims import EDGE_SEPARATOR
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.blocks import edge_index
from bayes_mdd.features.loading import (
    Floats,
    Grouped,
    UnreadableFileError,
    order_problem,
    read_npy,
    read_npz,
    read_text_table,
)

#: Largest difference between M[a, b] and M[b, a] that passes as rounding.
SYMMETRY_TOLERANCE = 1e-5
#: How far from 1 the diagonal of a correlation matrix may lie (float16 files).
DIAGONAL_TOLERANCE = 1e-3
R, FISHER_Z = "r", "fisher_z"


def read_matrix(path: Path, *, order_stated: bool) -> tuple[Floats, tuple[str, ...] | None]:
    """Read one matrix and the names of its regions.

    Parameters
    ----------
    path : Path
        ``.tsv`` or ``.csv`` (header and first column are names), ``.npz`` (``matrix``,
        ``region``) or ``.npy`` (no names).
    order_stated : bool
        Whether ``features.json`` states that matrices without names follow ``regions.tsv``.

    Returns
    -------
    tuple
        The matrix and the names, None for ``.npy``.

    Raises
    ------
    UnreadableFileError
        If the file cannot be read, or names are needed and absent.
    """
    if path.suffix == ".npy":
        if not order_stated:
            raise UnreadableFileError(
                ".npy matrices carry no names of regions: if they follow regions.tsv, say so in "
                'features.json with "order": "regions.tsv"; otherwise give .tsv or .npz files.'
            )
        return read_npy(path), None
    if path.suffix == ".npz":
        held = read_npz(path, ("matrix", "region"))
        return held["matrix"], tuple(map(str, held["region"].ravel()))
    table = read_text_table(path, named_rows=True)
    if len(table.values) == len(table.columns) and table.rows != table.columns:
        raise UnreadableFileError(
            f"{path.name}: names of rows and columns differ; the first column must repeat the "
            "header."
        )
    return table.values, table.columns


def read_matrix_edges(
    files: Mapping[str, Path], regions: pd.DataFrame, *, units: str, order_stated: bool
) -> Floats:
    """Read one matrix a person into a table of edges.

    Parameters
    ----------
    files : mapping of str to Path
        The file of every person.
    regions : pandas.DataFrame
        Region table; its order is the order of the result.
    units : str
        Units of the files: ``r``, ``fisher_z`` or other text.
    order_stated : bool
        See `read_matrix`.

    Returns
    -------
    numpy.ndarray
        People by edges (upper triangle), in the units of the files.

    Raises
    ------
    DataContractError
        All problems of all files.
    """
    names = tuple(map(str, regions["region"]))
    upper = edge_index(len(names))
    found, gaps = Grouped(), Grouped()
    edges = np.full((len(files), len(upper[0])), np.nan)
    for row, (subject, path) in enumerate(files.items()):
        try:
            matrix, own = read_matrix(path, order_stated=order_stated)
        except UnreadableFileError as error:
            found.add(subject, str(error))
            continue
        problem = _shape_problem(matrix, own, names)
        if problem is not None:
            found.add(subject, problem)
            continue
        empty = _empty_regions(matrix)
        for i in np.flatnonzero(empty):
            gaps.add(subject, names[i])
        for text in _content_problems(matrix, ~empty, names, units):
            found.add(subject, text)
        edges[row] = matrix[upper]
    problems = [*found.problems(), *gap_problems(gaps)]
    if problems:
        raise DataContractError("matrices", problems)
    return edges


def gap_problems(gaps: Grouped) -> list[str]:
    """Say which regions have no data, in how many people.

    Parameters
    ----------
    gaps : Grouped
        Region names as problems.

    Returns
    -------
    list of str
        At most one problem.
    """
    if not gaps.who:
        return []
    each = [f"'{region}' in {len(who)} ({some(who, 3)})" for region, who in gaps.who.items()]
    return [
        f"{len(each)} region(s) have no data (n/a or 0 all along, or no variation): "
        f"{some(each, 10)}. Leave the region out everywhere (regions.tsv and all files) or leave "
        "those people out of participants.tsv; nothing is filled in."
    ]


def _shape_problem(
    matrix: Floats, own: tuple[str, ...] | None, names: tuple[str, ...]
) -> str | None:
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        shape = " x ".join(map(str, matrix.shape))
        return (
            f"the matrix is {shape}: expected a square one, regions by regions (is it truncated?)."
        )
    if matrix.dtype.kind != "f":
        return f"the matrix holds {matrix.dtype}: expected numbers."
    if own is None and len(matrix) != len(names):
        return (
            f"the matrix is {len(matrix)} x {len(matrix)}, regions.tsv has {len(names)} regions: "
            "give matrices with names, so that the missing ones show."
        )
    if own is not None and len(own) != len(matrix):
        return f"the matrix is {len(matrix)} x {len(matrix)} but names {len(own)} regions."
    return None if own is None else order_problem(own, names)


def _empty_regions(matrix: Floats) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Mark regions whose row and column hold nothing but n/a or 0 (the diagonal aside)."""
    void = np.isnan(matrix) | (matrix == 0)
    np.fill_diagonal(void, True)
    if void.all():  # an all-zero matrix is said as such, not as missing regions
        return np.zeros(len(matrix), dtype=bool)
    empty: np.ndarray[tuple[int], np.dtype[np.bool_]] = void.all(axis=0) & void.all(axis=1)
    return empty


def _content_problems(
    matrix: Floats,
    keep: np.ndarray[tuple[int], np.dtype[np.bool_]],
    names: tuple[str, ...],
    units: str,
) -> list[str]:
    kept = np.flatnonzero(keep)
    block = matrix[np.ix_(kept, kept)]
    own = tuple(names[i] for i in kept)
    off = block[~np.eye(len(block), dtype=bool)]
    if off.size and not np.nan_to_num(off).any():
        return ["every value off the diagonal is 0 or n/a: this is no connectivity matrix."]
    if not np.isfinite(off).all():
        return [_not_finite(block, own)]
    problem = symmetry_problem(block, own)
    if problem is not None:
        return [problem]
    doubts = _units_problem(block, units)
    if doubts is not None:
        return [doubts]
    return _one_problems(block, own) if units == R else []


def _pair(flags: np.ndarray[tuple[int, int], np.dtype[np.bool_]], names: tuple[str, ...]) -> str:
    a, b = (int(i) for i in np.argwhere(flags)[0])
    return f"{names[a]}{EDGE_SEPARATOR}{names[b]}"


def _not_finite(matrix: Floats, names: tuple[str, ...]) -> str:
    bad = ~np.isfinite(matrix)
    np.fill_diagonal(bad, False)
    return (
        f"{int(bad.sum())} missing or infinite value(s), the first at {_pair(bad, names)}: every "
        "edge is needed; make the matrix again or leave the person out."
    )


def symmetry_problem(matrix: Floats, names: tuple[str, ...]) -> str | None:
    """Say how a matrix is not symmetric; one triangle of zeros is said as such.

    Parameters
    ----------
    matrix : numpy.ndarray
        Square.
    names : tuple of str
        Names of its rows.

    Returns
    -------
    str or None
        What is wrong and what to do, or None.
    """
    for part, other, triangle in (
        ("upper", "lower", np.tril(matrix, -1)),
        ("lower", "upper", np.triu(matrix, 1)),
    ):
        if not triangle.any():
            return (
                f"only the {part} triangle is filled, the {other} one is 0: write the full "
                "symmetric matrix (M + M.T with the diagonal once; in MRtrix, -symmetric)."
            )
    gap = np.abs(matrix - matrix.T)
    np.fill_diagonal(gap, 0.0)
    scale = max(1.0, float(np.abs(matrix[gap > 0]).max(initial=0.0)))
    if gap.max(initial=0.0) > SYMMETRY_TOLERANCE * scale:
        return (
            f"the matrix is not symmetric, most at {_pair(gap == gap.max(), names)} (off by "
            f"{gap.max():.3g}): expected M[a, b] = M[b, a]."
        )
    return None


def _units_problem(matrix: Floats, units: str) -> str | None:
    """Hold the stated units against the diagonal and the range; they tell r from Fisher z."""
    diagonal = np.diag(matrix)
    known = diagonal[~np.isnan(diagonal)]
    ones = bool(known.size) and bool((np.abs(known - 1) < DIAGONAL_TOLERANCE).all())
    blank = bool((np.abs(known) < DIAGONAL_TOLERANCE).all())  # taken out by the tool, or absent
    largest = float(np.abs(matrix[edge_index(len(matrix))]).max(initial=0.0))
    if units == FISHER_Z and ones and largest <= 1:
        return (
            "the diagonal is 1 and nothing exceeds 1, as in correlations (r), but features.json "
            'says "units": "fisher_z": correct one of them.'
        )
    if units == R and largest > 1 + 1e-6:
        return (
            "values beyond 1 off the diagonal, as in Fisher z, but features.json says "
            '"units": "r": correct one of them.'
        )
    if units == R and not ones and not blank:
        return (
            'the diagonal is neither 1 nor 0, but features.json says "units": "r": correct '
            "the units (fisher_z, or the name of another measure) or the matrix."
        )
    return None


def _one_problems(matrix: Floats, names: tuple[str, ...]) -> list[str]:
    one = np.triu(np.abs(matrix) >= 1, 1)
    if not one.any():
        return []
    return [
        f"|r| = 1 at {int(one.sum())} edge(s), the first {_pair(one, names)}: Fisher z would be "
        "infinite. Two regions hold the same signal; leave one of them out."
    ]
