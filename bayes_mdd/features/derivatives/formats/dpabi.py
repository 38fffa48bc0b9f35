"""DPABI and DPARSF: regional time series and their correlations, as text or MATLAB files.

References
----------
Yan et al. (2016), DPABI: Data processing and analysis for (resting-state) brain imaging.
Neuroinformatics 14.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.assemble import FUNCTIONAL
from bayes_mdd.features.derivatives.file_names import FileName
from bayes_mdd.features.derivatives.formats.dpabi_regions import find_columns
from bayes_mdd.features.derivatives.formats.mat import load_mat
from bayes_mdd.features.derivatives.interface import Format, FormatRequest, Reading, SubjectValues
from bayes_mdd.features.derivatives.subjects import one_file_per_subject, read_subjects
from bayes_mdd.features.derivatives.text_tables import parse_numbers, read_cells
from bayes_mdd.features.loading import UnreadableFileError
from bayes_mdd.features.matrices import FISHER_Z, R
from bayes_mdd.features.tool_names import DPABI
from bayes_mdd.types import Array

_SERIES = "ROISignals"
#: File name of the matrices by their units.
_MATRICES = {R: "ROICorrelation", FISHER_Z: "ROICorrelation_FisherZ"}
_ARRAYS = (".mat", ".txt")


def _own(files: Sequence[FileName], *suffixes: str) -> list[FileName]:
    return [n for n in files if n.tool == DPABI and n.suffix in suffixes and n.extension in _ARRAYS]


def _find_matrices(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    found = _own(files, *_MATRICES.values())
    return {FUNCTIONAL: found} if found else {}


def _find_series(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    found = _own(files, _SERIES)
    return {FUNCTIONAL: found} if found else {}


def _without_copies(files: Sequence[FileName]) -> list[FileName]:
    """Drop the text copy where the same array is there as a MATLAB file."""
    binary = {n.path.with_suffix("") for n in files if n.extension == ".mat"}
    return [n for n in files if n.extension == ".mat" or n.path.with_suffix("") not in binary]


def _load(name: FileName) -> Array:
    if name.extension == ".mat":
        arrays = load_mat(name.path)
        if name.suffix not in arrays:
            raise UnreadableFileError(
                f"{name.path.name} has no array {name.suffix}; found {some(arrays) or 'none'}."
            )
        values = np.asarray(arrays[name.suffix])
        if values.ndim != 2 or values.dtype.kind not in "fiu":
            raise UnreadableFileError(
                f"{name.path.name}: {name.suffix} is not a matrix of numbers."
            )
        return values.astype(np.float64)
    return parse_numbers(name.path, read_cells(name.path).rows)


def _read_matrices(request: FormatRequest) -> Reading:
    by_units = {
        units: _without_copies(_own(request.files, suffix)) for units, suffix in _MATRICES.items()
    }
    units, others = _choose_units(by_units, request.units)
    files = one_file_per_subject(by_units[units])

    def read(name: FileName) -> SubjectValues:
        matrix = _load(name)
        if matrix.shape[0] != matrix.shape[1]:
            raise UnreadableFileError(
                f"{name.path.name} is {' x '.join(map(str, matrix.shape))}: expected a square "
                "matrix."
            )
        columns = find_columns(len(matrix), name, request)
        return SubjectValues(columns.names, matrix[np.ix_(columns.index, columns.index)])

    facts: dict[str, Any] = {"measure": "correlation", "estimator": "empirical"}
    if others:
        facts["other_scalings"] = [_MATRICES[u] for u in others]
    return Reading(
        kind=FUNCTIONAL,
        shape="matrix",
        by_subject=read_subjects(files, read),
        units=units,
        files=[n.path for n in files.values()],
        facts=facts,
        notes=_only_elsewhere(files, {u: by_units[u] for u in others}),
    )


def _choose_units(
    by_units: Mapping[str, Sequence[FileName]], wanted: str | None
) -> tuple[str, list[str]]:
    """Choose r or Fisher z; both are there by default, and either gives the same features."""
    found = [units for units, files in by_units.items() if files]
    if wanted is not None and wanted in by_units and wanted not in found:
        raise DataContractError(
            "DPABI",
            [
                f"units={wanted!r} needs files {_MATRICES[wanted]}_<id>; found only "
                f"{_MATRICES[found[0]]}_<id>. Omit units."
            ],
        )
    units = wanted if wanted is not None and wanted in by_units else found[0]
    return units, [u for u in found if u != units]


def _only_elsewhere(
    files: Mapping[str, FileName], others: Mapping[str, Sequence[FileName]]
) -> list[str]:
    notes = []
    for units, own in others.items():
        extra = sorted({n.subject_id for n in own} - set(files))
        if extra:
            notes.append(
                f"{some(extra)}: {_MATRICES[units]} only, not read. Choose these files with "
                f"units={units!r}, or compute the missing ones."
            )
    return notes


def _read_series(request: FormatRequest) -> Reading:
    files = one_file_per_subject(_without_copies(request.files))

    def read(name: FileName) -> SubjectValues:
        series = _load(name)
        columns = find_columns(series.shape[1], name, request)
        return SubjectValues(columns.names, series[:, columns.index])

    return Reading(
        kind=FUNCTIONAL,
        shape="series",
        by_subject=read_subjects(files, read),
        files=[n.path for n in files.values()],
        facts={"censoring": "not known (DPABI)"},
    )


FORMATS = (
    Format(
        name="dpabi_matrix",
        title="correlations of DPABI or DPARSF (ROICorrelation_*, ROICorrelation_FisherZ_*)",
        find=_find_matrices,
        read=_read_matrices,
        tools=(DPABI,),
    ),
    Format(
        name="dpabi_series",
        title="regional time series of DPABI or DPARSF (ROISignals_*)",
        find=_find_series,
        read=_read_series,
        has_series=True,
        yields_to=("dpabi_matrix",),
        tools=(DPABI,),
    ),
)
