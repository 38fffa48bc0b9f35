"""HALFpipe: connectivity matrices and regional time series without region names.

References
----------
Waller et al. (2022), ENIGMA HALFpipe: Interactive, reproducible, and efficient analysis for
resting-state and task-based fMRI data. Human Brain Mapping 43.
"""

from __future__ import annotations

from collections.abc import Sequence

from bayes_mdd.features.assemble import FUNCTIONAL
from bayes_mdd.features.derivatives.connectomes import find_region_names
from bayes_mdd.features.derivatives.file_names import FileName
from bayes_mdd.features.derivatives.interface import Format, FormatRequest, Reading, SubjectValues
from bayes_mdd.features.derivatives.matrix_measures import CORRELATION, stated_measure
from bayes_mdd.features.derivatives.subjects import one_file_per_subject, read_subjects
from bayes_mdd.features.derivatives.text_tables import parse_numbers, read_cells
from bayes_mdd.features.loading import UnreadableFileError
from bayes_mdd.features.matrices import R
from bayes_mdd.features.tool_names import HALFPIPE


def _find_matrices(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    found = [n for n in files if n.tool == HALFPIPE and n.suffix == "matrix"]
    return {FUNCTIONAL: found} if found else {}


def _find_series(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    found = [n for n in files if n.tool == HALFPIPE and n.suffix == "timeseries"]
    return {FUNCTIONAL: found} if found else {}


def _read_matrices(request: FormatRequest) -> Reading:
    files = one_file_per_subject(request.files)
    measures = {stated_measure(n) for n in files.values()}
    return Reading(
        kind=FUNCTIONAL,
        shape="matrix",
        by_subject=read_subjects(files, lambda n: _read_matrix(n, request)),
        units=R if measures == {CORRELATION} else "",
        files=[n.path for n in files.values()],
        facts={"measure": CORRELATION} if measures == {CORRELATION} else {},
    )


def _read_matrix(name: FileName, request: FormatRequest) -> SubjectValues:
    values = _read_numbers(name, request)
    shape = values.values.shape
    if len(shape) != 2 or shape[0] != shape[1]:
        raise UnreadableFileError(
            f"{name.path.name} is {' x '.join(map(str, shape))}: expected a square matrix."
        )
    return values


def _read_numbers(name: FileName, request: FormatRequest) -> SubjectValues:
    """Read a table without names, or with a header of names."""
    cells = read_cells(name.path)
    named = not cells.numeric
    numbers = parse_numbers(name.path, cells.body if named else cells.rows)
    if named:
        return SubjectValues(cells.header, numbers)
    return SubjectValues(find_region_names(numbers.shape[1], name.path, request), numbers)


def _read_series(request: FormatRequest) -> Reading:
    files = one_file_per_subject(request.files)
    return Reading(
        kind=FUNCTIONAL,
        shape="series",
        by_subject=read_subjects(files, lambda n: _read_numbers(n, request)),
        files=[n.path for n in files.values()],
        facts={"censoring": "not known (HALFpipe)"},
    )


FORMATS = (
    Format(
        name="halfpipe_matrix",
        title="connectivity matrices of HALFpipe (*_desc-correlation_matrix.tsv)",
        find=_find_matrices,
        read=_read_matrices,
        tools=(HALFPIPE,),
    ),
    Format(
        name="halfpipe_series",
        title="regional time series of HALFpipe (*_feature-*_timeseries.tsv)",
        find=_find_series,
        read=_read_series,
        has_series=True,
        yields_to=("halfpipe_matrix",),
        tools=(HALFPIPE,),
    ),
)
