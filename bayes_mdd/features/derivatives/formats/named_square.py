"""Square text matrices with region names, as pandas, R, MATLAB and spreadsheets write them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bayes_mdd.features.assemble import FUNCTIONAL
from bayes_mdd.features.derivatives.connectomes import mirror_triangles, weighting_units
from bayes_mdd.features.derivatives.file_names import FileName
from bayes_mdd.features.derivatives.formats.square import EXTENSIONS, sort_matrices
from bayes_mdd.features.derivatives.interface import Format, FormatRequest, Reading, SubjectValues
from bayes_mdd.features.derivatives.subjects import one_file_per_subject, read_subjects
from bayes_mdd.features.derivatives.text_tables import (
    Cells,
    parse_number,
    parse_numbers,
    read_cells,
)
from bayes_mdd.features.loading import UnreadableFileError
from bayes_mdd.types import Array


def _row_names_fit(rows: Sequence[str], columns: Sequence[str]) -> bool:
    """Whether the first column repeats the header, or numbers the rows from 0 or 1."""
    n = len(columns)
    numbers = ([str(i) for i in range(n)], [str(i) for i in range(1, n + 1)])
    return list(rows) == list(columns) or list(rows) in numbers


def _read_matrix(path: Path) -> SubjectValues | None:
    """Read a matrix with names; None if the file is anything else."""
    if read_cells(path, lines=1).numeric:
        return None
    return _to_matrix(path, read_cells(path))


def _to_matrix(path: Path, cells: Cells) -> SubjectValues | None:
    n = len(cells.body)
    named_rows = len(cells.header) == n + 1
    if n < 2 or len(cells.header) - named_rows != n:
        return None
    names = cells.header[1:] if named_rows else cells.header
    if named_rows and not _row_names_fit([row[0] for row in cells.body], names):
        return None
    body = [row[1:] if named_rows else row for row in cells.body]
    if any(parse_number(name) is not None for name in names) or any(
        parse_number(cell) is None for row in body for cell in row
    ):
        return None
    matrix = parse_numbers(path, body)
    # Without names of the rows, a series of as many volumes as regions has the same shape.
    if not named_rows and not np.allclose(matrix, matrix.T, atol=1e-3, equal_nan=True):
        return None
    return SubjectValues(tuple(names), matrix)


def _matrix_of(name: FileName) -> Array | None:
    if name.extension not in EXTENSIONS:
        return None
    try:
        values = _read_matrix(name.path)
    except UnreadableFileError:
        return None
    return None if values is None else values.values


def _find(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    return sort_matrices(files, _matrix_of)


def _read(request: FormatRequest) -> Reading:
    files = one_file_per_subject(request.files)

    def read(name: FileName) -> SubjectValues:
        values = _read_matrix(name.path)
        if values is None:
            raise UnreadableFileError(
                f"{name.path.name} is no square matrix of numbers with region names in the first "
                "row (and, if any, the same names in the first column)."
            )
        return values

    by_subject = read_subjects(files, read)
    facts: Mapping[str, Any] = {}
    notes: list[str] = []
    functional = request.kind == FUNCTIONAL
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


FORMATS = (
    Format(
        name="named_square_text",
        title="square matrices as text with region names (pandas, R, MATLAB, spreadsheets)",
        find=_find,
        read=_read,
        yields_to=(
            "xcpd_relmat",
            "cpac_correlations",
            "halfpipe_matrix",
            "series_1d",
            "freesurfer_table",
            "afq_profiles",
            "fsl_netmats",
        ),
    ),
)
