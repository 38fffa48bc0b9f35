"""Square text matrices without region names: MRtrix, BrainNet Viewer, GRETNA, NBS.

References
----------
Tournier et al. (2019), MRtrix3. NeuroImage 202.
Xia et al. (2013), BrainNet Viewer. PLoS ONE 8.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.assemble import FUNCTIONAL
from bayes_mdd.features.derivatives.connectomes import (
    STRUCTURAL,
    find_region_names,
    mirror_triangles,
    weighting_units,
)
from bayes_mdd.features.derivatives.file_names import FileName
from bayes_mdd.features.derivatives.interface import Format, FormatRequest, Reading, SubjectValues
from bayes_mdd.features.derivatives.matrix_measures import stated_measure
from bayes_mdd.features.derivatives.subjects import one_file_per_subject, read_subjects
from bayes_mdd.features.derivatives.text_tables import parse_numbers, read_cells
from bayes_mdd.features.loading import UnreadableFileError
from bayes_mdd.types import Array

#: Endings of text matrices.
EXTENSIONS = (".csv", ".tsv", ".txt")


def _square(path: Path) -> Array | None:
    """Read a square matrix without header; None if the file is anything else."""
    try:
        if not read_cells(path, lines=1).numeric:
            return None
        cells = read_cells(path)
        if len(cells.rows) != len(cells.header) or len(cells.rows) < 2 or not cells.numeric:
            return None
        return parse_numbers(path, cells.rows)
    except UnreadableFileError:
        return None


def looks_functional(matrix: Array) -> bool:
    """Whether values look like correlations: signed, or at most 1 with a diagonal of 1.

    Parameters
    ----------
    matrix : ndarray, shape (region, region)
        Any square matrix; unknown values are NaN.

    Returns
    -------
    bool
        False where values may be counts or lengths.
    """
    off = matrix[~np.eye(len(matrix), dtype=bool)]
    known = off[np.isfinite(off)]
    diagonal = np.diag(matrix)
    return bool((known < 0).any()) or bool(
        np.allclose(diagonal, 1) and known.size and known.max() <= 1
    )


def sort_matrices(
    files: Sequence[FileName], matrix_of: Callable[[FileName], Array | None]
) -> dict[str, list[FileName]]:
    """Choose the files that hold square matrices, and tell which kind of data they are.

    Parameters
    ----------
    files : sequence of FileName
        Files of a folder.
    matrix_of : callable
        Reads a matrix, shape (region, region); None if a file is anything else.

    Returns
    -------
    dict of str to list of FileName
        The files by kind; empty where there are none.
    """
    found: list[FileName] = []
    functional: list[bool] = []
    for name in files:
        matrix = matrix_of(name)
        if matrix is not None:
            # Covariances may be positive throughout; their names tell them from connectomes.
            functional.append(looks_functional(matrix) or bool(stated_measure(name)))
            found.append(name)
    if not found:
        return {}
    # Files of other subjects with the same ending are damaged matrices, and are reported as such.
    endings = {(n.suffix, n.extension) for n in found}
    read = {n.path for n in found}
    found += [
        n
        for n in files
        if "sub" in n.entities and (n.suffix, n.extension) in endings and n.path not in read
    ]
    # A single functional matrix decides for all: counts and lengths are never negative.
    return {FUNCTIONAL if any(functional) else STRUCTURAL: found}


def _find(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    return sort_matrices(
        files, lambda name: _square(name.path) if name.extension in EXTENSIONS else None
    )


def _read(request: FormatRequest) -> Reading:
    files = one_file_per_subject(request.files)

    def read(name: FileName) -> SubjectValues:
        cells = read_cells(name.path)
        matrix = parse_numbers(name.path, cells.rows)
        n = len(matrix)
        if matrix.shape != (n, n):
            raise UnreadableFileError(
                f"{name.path.name} is {n} x {matrix.shape[1]}: expected a square matrix."
            )
        names = find_region_names(n, name.path, request)
        if "length" in (request.weighting or ""):
            matrix[matrix == 0] = np.nan
        return SubjectValues(names, matrix)

    functional = request.kind == FUNCTIONAL
    by_subject = read_subjects(files, read)
    facts: Mapping[str, Any] = {}
    notes: list[str] = []
    if not functional:
        by_subject, facts, notes = mirror_triangles(by_subject)
    return Reading(
        kind=request.kind,
        shape="matrix",
        by_subject=by_subject,
        units="" if functional else weighting_units(request.weighting),
        files=[n.path for n in files.values()],
        facts=facts,
        notes=notes,
    )


# BrainNet Viewer: .edge with one .node


def _find_brainnet(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    edges = [n for n in files if n.extension == ".edge"]
    if not edges:
        return {}
    matrices = [_square(n.path) for n in edges]
    functional = any(looks_functional(m) for m in matrices if m is not None)
    return {FUNCTIONAL if functional else STRUCTURAL: edges}


def _read_brainnet(request: FormatRequest) -> Reading:
    files = one_file_per_subject(request.files)
    regions = None if request.regions is not None else _read_nodes(request)

    def read(name: FileName) -> SubjectValues:
        matrix = _square(name.path)
        if matrix is None:
            raise UnreadableFileError(f"{name.path.name} is not a square matrix of numbers.")
        if regions is None:
            return SubjectValues(find_region_names(len(matrix), name.path, request), matrix)
        if len(matrix) != len(regions):
            raise UnreadableFileError(
                f"{name.path.name} is {len(matrix)} x {len(matrix)}, the .node file has "
                f"{len(regions)} nodes: the two files do not belong together."
            )
        return SubjectValues(tuple(regions["region"]), matrix)

    functional = request.kind == FUNCTIONAL
    return Reading(
        kind=request.kind,
        shape="matrix",
        by_subject=read_subjects(files, read),
        units="" if functional else weighting_units(request.weighting),
        files=[n.path for n in files.values()],
        regions=regions,
    )


def _read_nodes(request: FormatRequest) -> pd.DataFrame:
    paths = [n.path for n in request.all_files if n.extension == ".node"]
    if len(paths) != 1:
        found = some(p.name for p in paths) or "none"
        raise DataContractError(
            "BrainNet Viewer", [f"exactly one .node file must name the nodes; found {found}."]
        )
    path = paths[0]
    cells = read_cells(path)
    if len(cells.header) != 6:
        raise UnreadableFileError(
            f"{path.name} has {len(cells.header)} columns: expected x, y, z, color, size, label."
        )
    labels = [row[5] for row in cells.rows]
    repeated = [k for k, n in Counter(labels).items() if n > 1 or k == "-"]
    if repeated:
        raise UnreadableFileError(
            f"{path.name} has several nodes named {some(repeated)}: names must be unique; give a "
            "region table with a column label instead (regions=...)."
        )
    coordinates = parse_numbers(path, [row[:3] for row in cells.rows])
    table = pd.DataFrame(coordinates, columns=["x", "y", "z"])
    modules = [f"module {row[3]}" for row in cells.rows]
    return table.assign(region=labels, network=modules)[["region", "network", "x", "y", "z"]]


FORMATS = (
    Format(
        name="brainnet",
        title="matrices of BrainNet Viewer (.edge, with one .node)",
        find=_find_brainnet,
        read=_read_brainnet,
    ),
    Format(
        name="square_text",
        title="square matrices as text without names (MRtrix tck2connectome, GRETNA, NBS)",
        find=_find,
        read=_read,
        yields_to=("fsl_netmats", "fsl_dual_regression", "fsl_probtrackx", "cpac_correlations"),
    ),
)
