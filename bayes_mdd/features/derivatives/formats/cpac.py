"""C-PAC: correlation matrices (``*_correlations.tsv``); its series are ``.1D`` files.

References
----------
Craddock et al. (2013), Towards automated analysis of connectomes: the Configurable Pipeline for the
Analysis of Connectomes (C-PAC). Frontiers in Neuroinformatics 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bayes_mdd.features.assemble import FUNCTIONAL
from bayes_mdd.features.derivatives.connectomes import find_region_names
from bayes_mdd.features.derivatives.file_names import FileName
from bayes_mdd.features.derivatives.interface import Format, FormatRequest, Reading, SubjectValues
from bayes_mdd.features.derivatives.region_labels import names_of_labels
from bayes_mdd.features.derivatives.subjects import one_file_per_subject, read_subjects
from bayes_mdd.features.derivatives.text_tables import parse_number, parse_numbers, read_cells
from bayes_mdd.features.loading import UnreadableFileError
from bayes_mdd.types import Array

_EXTENSIONS = (".tsv", ".csv", ".txt")


def _find(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    found = [n for n in files if n.suffix == "correlations" and n.extension in _EXTENSIONS]
    return {FUNCTIONAL: found} if found else {}


def _read(request: FormatRequest) -> Reading:
    files = one_file_per_subject(request.files)

    def read(name: FileName) -> SubjectValues:
        labels, matrix = read_correlations(name.path)
        if labels is None:
            return SubjectValues(find_region_names(len(matrix), name.path, request), matrix)
        return SubjectValues(names_of_labels(labels, request.regions), matrix)

    descriptions = {n.entities.get("desc", "") for n in files.values()}
    return Reading(
        kind=FUNCTIONAL,
        shape="matrix",
        by_subject=read_subjects(files, read),
        files=[n.path for n in files.values()],
        facts={
            "measure": "partial correlation"
            if any("partial" in d.lower() for d in descriptions)
            else "correlation"
        },
    )


def read_correlations(path: Path) -> tuple[tuple[str, ...] | None, Array]:
    """Read a square table with names in the first row, in the first column too, or nowhere.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    labels : tuple of str or None
        Names of the regions; None if the file has none.
    matrix : ndarray, shape (region, region)
        The values.

    Raises
    ------
    UnreadableFileError
        If the table is not square, or names of rows and columns differ.
    """
    cells = read_cells(path)
    n_rows, width = len(cells.rows), len(cells.header)
    if n_rows == width + 1:  # the first row holds names, which may be numbers
        return _plain(cells.header), parse_numbers(path, cells.body)
    if n_rows != width:
        raise UnreadableFileError(
            f"{path.name} has {n_rows} rows and {width} columns: expected a square matrix, with or "
            "without names."
        )
    named = parse_number(cells.header[0]) is None or cells.header[0] == ""
    if not named:
        return None, parse_numbers(path, cells.rows)
    labels, rows = _plain(cells.header[1:]), _plain([row[0] for row in cells.body])
    if labels != rows:
        raise UnreadableFileError(
            f"{path.name}: the {len(rows)} row names differ from the {len(labels)} column names."
        )
    return labels, parse_numbers(path, [row[1:] for row in cells.body])


def _plain(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(name.lstrip("#").strip() for name in names)


FORMATS = (
    Format(
        name="cpac_correlations",
        title="correlation matrices of C-PAC (*_desc-PearsonNilearn_correlations.tsv)",
        find=_find,
        read=_read,
        yields_to=("xcpd_relmat",),
    ),
)
