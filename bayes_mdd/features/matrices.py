"""Connectivity matrices, one per subject: read, checked and reduced to edges."""

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
    GroupedProblems,
    UnreadableFileError,
    order_problem,
    read_npy,
    read_npz,
    read_text_table,
)
from bayes_mdd.features.matrix_units import DIAGONAL_TOLERANCE as DIAGONAL_TOLERANCE
from bayes_mdd.features.matrix_units import FISHER_Z as FISHER_Z
from bayes_mdd.features.matrix_units import R as R
from bayes_mdd.features.matrix_units import judge_units

#: Largest difference between M[a, b] and M[b, a] that counts as rounding error.
SYMMETRY_TOLERANCE = 1e-5


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
    matrix : numpy.ndarray
        Values of the file.
    names : tuple of str or None
        Names of the regions; None for ``.npy``.

    Raises
    ------
    UnreadableFileError
        If the file cannot be read, or lacks the names of the regions and the order is not stated.
    """
    if path.suffix == ".npy":
        if not order_stated:
            raise UnreadableFileError(
                ".npy matrices have no region names: if they follow the order of regions.tsv, "
                'state "order": "regions.tsv" in features.json; otherwise use .tsv or .npz files.'
            )
        return read_npy(path), None
    if path.suffix == ".npz":
        arrays = read_npz(path, ("matrix", "region"))
        return arrays["matrix"], tuple(map(str, arrays["region"].ravel()))
    table = read_text_table(path, named_rows=True)
    if len(table.values) == len(table.columns) and table.rows != table.columns:
        raise UnreadableFileError(
            f"{path.name}: the names of rows and columns differ; the first column must repeat the "
            "header."
        )
    return table.values, table.columns


_EMPTY = (
    "all values off the diagonal are 0 or n/a: this is not a connectivity matrix. Compute it again "
    "or exclude the participant."
)


def read_matrix_edges(
    files: Mapping[str, Path], regions: pd.DataFrame, *, units: str, order_stated: bool
) -> Floats:
    """Read one matrix per subject into a table of edges.

    Parameters
    ----------
    files : mapping of str to Path
        Files by subject.
    regions : pandas.DataFrame
        Region table; its order is the order of the result.
    units : str
        Units of the files: ``r``, ``fisher_z`` or other text.
    order_stated : bool
        See `read_matrix`.

    Returns
    -------
    numpy.ndarray, shape (subject, edge)
        Upper triangles, in the units of the files.

    Raises
    ------
    DataContractError
        If a file cannot be used. The error lists all problems of all files.
    """
    names = tuple(map(str, regions["region"]))
    upper = edge_index(len(names))
    found, gaps = GroupedProblems(), GroupedProblems()
    edges = np.full((len(files), len(upper[0])), np.nan)
    for row, (subject, path) in enumerate(files.items()):
        try:
            matrix, labels = read_matrix(path, order_stated=order_stated)
        except UnreadableFileError as error:
            found.add(subject, str(error))
            continue
        problem = _shape_problem(matrix, labels, names)
        if problem is not None:
            found.add(subject, problem)
            continue
        empty = empty_regions(matrix)
        for i in np.flatnonzero(empty):
            gaps.add(subject, names[i])
        for text in _content_problems(matrix, ~empty, names, units):
            found.add(subject, text)
        edges[row] = matrix[upper]
    problems = [*found.problems(), *gap_problems(gaps)]
    if problems:
        folders = sorted({path.parent.name for path in files.values()})
        raise DataContractError(f"matrices in {some(folders)}", problems)
    return edges


def gap_problems(gaps: GroupedProblems) -> list[str]:
    """Report regions without data and the number of participants concerned.

    Parameters
    ----------
    gaps : GroupedProblems
        Subjects without data, by region.

    Returns
    -------
    list of str
        At most one problem.
    """
    if not gaps.subjects:
        return []
    by_subjects: dict[tuple[str, ...], list[str]] = {}
    for region, subjects in gaps.subjects.items():
        by_subjects.setdefault(tuple(subjects), []).append(f"'{region}'")
    listed = [
        f"{regions[0]} in {len(subjects)} ({some(subjects, 3)})"
        + (f", likewise {some(regions[1:], 10)}" if len(regions) > 1 else "")
        for subjects, regions in by_subjects.items()
    ]
    return [
        f"{len(gaps.subjects)} region(s) have no data (only n/a or 0, or no variation): "
        f"{some(listed, 10)}. Remove these regions from regions.tsv and from all files, or remove "
        "these participants from participants.tsv. Values are never imputed."
    ]


def _shape_problem(
    matrix: Floats, labels: tuple[str, ...] | None, names: tuple[str, ...]
) -> str | None:
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        shape = " x ".join(map(str, matrix.shape))
        return (
            f"the matrix is {shape}: expected a square matrix, regions by regions. Check whether "
            "the file is truncated."
        )
    if matrix.dtype.kind != "f":
        return f"the matrix has dtype {matrix.dtype}: expected numbers. Write the file again."
    if labels is None and len(matrix) != len(names):
        return (
            f"the matrix is {len(matrix)} x {len(matrix)}, but regions.tsv has {len(names)} "
            "regions: use files with region names, which show the missing regions."
        )
    if labels is not None and len(labels) != len(matrix):
        return f"the matrix is {len(matrix)} x {len(matrix)}, but has {len(labels)} region names."
    return None if labels is None else order_problem(labels, names)


def empty_regions(matrix: Floats) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Mark regions whose row and column contain only n/a or 0, apart from the diagonal.

    Parameters
    ----------
    matrix : numpy.ndarray, shape (region, region)
        A connectivity matrix.

    Returns
    -------
    numpy.ndarray of bool, shape (region,)
        True for empty regions; all False if the whole matrix is empty.
    """
    void = np.isnan(matrix) | (matrix == 0)
    np.fill_diagonal(void, True)
    if void.all():  # reported as an empty matrix, not as missing regions
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
    kept_names = tuple(names[i] for i in kept)
    off = block[~np.eye(len(block), dtype=bool)]
    if off.size and not np.nan_to_num(off).any():
        return [_EMPTY]
    if not np.isfinite(off).all():
        return [_not_finite_problem(block, kept_names)]
    problem = symmetry_problem(block, kept_names) or _units_problem(block, units)
    if problem is not None:
        return [problem]
    return perfect_correlation_problems(block, kept_names) if units == R else []


def _pair(flags: np.ndarray[tuple[int, int], np.dtype[np.bool_]], names: tuple[str, ...]) -> str:
    a, b = (int(i) for i in np.argwhere(flags)[0])
    return f"{names[a]}{EDGE_SEPARATOR}{names[b]}"


def _not_finite_problem(matrix: Floats, names: tuple[str, ...]) -> str:
    bad = ~np.isfinite(matrix)
    np.fill_diagonal(bad, False)
    return (
        f"{int(bad.sum())} missing or infinite value(s), the first at {_pair(bad, names)}: all "
        "edges are needed. Compute the matrix again or exclude the participant."
    )


def symmetry_problem(matrix: Floats, names: tuple[str, ...]) -> str | None:
    """Check that a matrix is symmetric and that both triangles are filled.

    Parameters
    ----------
    matrix : numpy.ndarray, shape (region, region)
        A connectivity matrix.
    names : tuple of str
        Names of the regions.

    Returns
    -------
    str or None
        What is wrong and what to do; None if the matrix is symmetric.
    """
    if not np.nan_to_num(matrix[~np.eye(len(matrix), dtype=bool)]).any():
        return _EMPTY
    for part, other, triangle in (
        ("upper", "lower", np.tril(matrix, -1)),
        ("lower", "upper", np.triu(matrix, 1)),
    ):
        if not triangle.any():
            return (
                f"only the {part} triangle is filled, the {other} triangle is 0: write the full "
                "symmetric matrix (M + M.T, counting the diagonal once; in MRtrix, -symmetric), "
                "or mirror it on conversion (bayes-mdd features --symmetrise mean; "
                "read_derivatives(symmetrise='mean'))."
            )
    gap = np.abs(matrix - matrix.T)
    np.fill_diagonal(gap, 0.0)
    scale = max(1.0, float(np.abs(matrix[gap > 0]).max(initial=0.0)))
    if gap.max(initial=0.0) > SYMMETRY_TOLERANCE * scale:
        return (
            f"the matrix is not symmetric: M[a, b] and M[b, a] differ by up to {gap.max():.3g} "
            f"(at {_pair(gap == gap.max(), names)}). Probabilistic connectomes are: to combine the "
            "two directions, symmetrise them on conversion (bayes-mdd features --symmetrise mean, "
            "or max; read_derivatives(symmetrise='mean')). A correlation matrix should not be: "
            "recompute it."
        )
    return None


def _units_problem(matrix: Floats, units: str) -> str | None:
    """Compare the stated units with the diagonal and the range, which differ for r and z."""
    diagonal = np.diag(matrix)
    known = diagonal[~np.isnan(diagonal)]
    ones = bool(known.size) and bool((np.abs(known - 1) < DIAGONAL_TOLERANCE).all())
    blank = bool((np.abs(known) < DIAGONAL_TOLERANCE).all())  # set to 0 by the tool, or missing
    largest = float(np.abs(matrix[edge_index(len(matrix))]).max(initial=0.0))
    if units == FISHER_Z and ones and largest <= 1:
        return (
            "the diagonal is 1 and no value exceeds 1, as for correlations (r), but features.json "
            'states "units": "fisher_z": correct the matrix or the units.'
        )
    if units == R and largest > 1 + 1e-6:
        return (
            "values off the diagonal exceed 1, as for Fisher z, but features.json states "
            '"units": "r": correct the matrix or the units.'
        )
    if units == R and not ones and not blank:
        return (
            'the diagonal is neither 1 nor 0, but features.json states "units": "r": correct '
            "the units (fisher_z, or the name of another measure) or the matrix."
        )
    found = judge_units(matrix)
    if units == FISHER_Z and found.scale in ("contradiction", "covariance"):
        return (
            f'{found.reason}, unlike in Fisher z, but features.json states "units": "fisher_z": '
            "correct the matrix, or name the measure as units."
        )
    return None


def perfect_correlation_problems(matrix: Floats, names: tuple[str, ...]) -> list[str]:
    """Report correlations of 1 or -1, for which Fisher z is infinite.

    Parameters
    ----------
    matrix : numpy.ndarray, shape (region, region)
        Correlations.
    names : tuple of str
        Names of the regions.

    Returns
    -------
    list of str
        At most one problem.
    """
    perfect = np.triu(np.abs(matrix) >= 1, 1)
    if not perfect.any():
        return []
    return [
        f"|r| = 1 at {int(perfect.sum())} edge(s), the first {_pair(perfect, names)}: Fisher z "
        "would be infinite. Two regions have the same signal; exclude one of them."
    ]
