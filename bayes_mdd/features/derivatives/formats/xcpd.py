"""XCP-D: matrices, time series, ALFF and ReHo as text, named as in any version.

References
----------
Mehta et al. (2024), XCP-D: A robust pipeline for the post-processing of fMRI data. Imaging
Neuroscience 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.assemble import FUNCTIONAL
from bayes_mdd.features.companions import find_companion
from bayes_mdd.features.derivatives.confounds import MotionTables
from bayes_mdd.features.derivatives.coverage import TEXT, CoverageTables
from bayes_mdd.features.derivatives.file_names import FileName
from bayes_mdd.features.derivatives.interface import Format, FormatRequest, Reading, SubjectValues
from bayes_mdd.features.derivatives.subjects import (
    one_file_per_subject,
    read_generators,
    read_subjects,
)
from bayes_mdd.features.derivatives.text_tables import parse_numbers, read_cells
from bayes_mdd.features.loading import UnreadableFileError
from bayes_mdd.features.matrices import R
from bayes_mdd.features.repetition_time import (
    REPETITION_TIME,
    RepetitionTime,
    describe_repetition_times,
    find_repetition_time,
)

#: Columns that identify a ``*_timeseries.tsv`` as a confounds table of any fMRIPrep version.
_CONFOUNDS = frozenset(
    ("framewise_displacement", "FramewiseDisplacement", "trans_x", "csf", "CSF", "RotX", "dvars")
)
#: Versions whose regional ReHo tables do not match their images (XCP-D issue 1170).
_WRONG_REHO = ("0.7.3",)
_NOT_KNOWN = "not known (no outliers.tsv beside the series)"
_UNITS = {"alff": "ALFF (as in XCP-D)", "falff": "fALFF", "reho": "Kendall's W"}


def _find_matrices(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    return _as_kind(FUNCTIONAL, [n for n in files if n.suffix == "relmat" and n.extension in TEXT])


def _as_kind(kind: str, files: list[FileName]) -> dict[str, list[FileName]]:
    return {kind: files} if files else {}


def _find_series(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    named = [
        n
        for n in files
        if n.suffix == "timeseries"
        and n.extension in TEXT
        and n.entities.get("desc") != "confounds"
    ]
    return _as_kind(FUNCTIONAL, [n for n in named if not is_confounds(n.path)])


def is_confounds(path: Path) -> bool:
    """Whether a table holds fMRIPrep confounds, which its name does not always state.

    Parameters
    ----------
    path : Path
        A ``.tsv`` file.

    Returns
    -------
    bool
        False also for unreadable files, which are reported when they are read.
    """
    try:
        return bool(_CONFOUNDS & set(read_cells(path, lines=1).header))
    except UnreadableFileError:
        return False


def _find_regional(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    found: dict[str, list[FileName]] = {}
    for name in files:
        if name.extension not in TEXT:
            continue
        kind = name.suffix if name.suffix in _UNITS else name.entities.get("stat", "")
        if kind in _UNITS and name.suffix in (kind, "bold", "timeseries"):
            found.setdefault(kind, []).append(name)
    return found


def _read_matrices(request: FormatRequest) -> Reading:
    files = one_file_per_subject(request.files)
    coverage, motion = CoverageTables(request), MotionTables(request.all_files)

    def read(name: FileName) -> SubjectValues:
        motion.add(name)
        return coverage.mask(name, _read_matrix(name))

    by_subject = read_subjects(files, read)
    return Reading(
        kind=FUNCTIONAL,
        shape="matrix",
        by_subject=by_subject,
        units=R,
        files=[n.path for n in files.values()],
        covariates=motion.covariates(),
        facts={"measure": "correlation", "estimator": "empirical", **coverage.facts},
        notes=[*coverage.notes(), *motion.notes()],
    )


def _read_matrix(name: FileName) -> SubjectValues:
    cells = read_cells(name.path)
    columns = cells.header[1:]
    rows = tuple(r[0] for r in cells.body)
    if rows != columns:
        raise UnreadableFileError(
            f"{name.path.name}: the {len(rows)} row names differ from the {len(columns)} column "
            "names; expected a square matrix with names in the first row and column."
        )
    return SubjectValues(columns, parse_numbers(name.path, [r[1:] for r in cells.body]))


def _read_series(request: FormatRequest) -> Reading:
    files = one_file_per_subject(request.files)
    coverage, motion = CoverageTables(request), MotionTables(request.all_files)
    censoring: dict[str, str] = {}
    repetition: dict[str, RepetitionTime] = {}

    def read(name: FileName) -> SubjectValues:
        motion.add(name)
        repetition[name.subject_id] = find_repetition_time(name, None)
        series, censored = _censor(name, _read_columns(name), request.all_files)
        censoring[name.subject_id] = censored
        return coverage.mask(name, series)

    by_subject = read_subjects(files, read)
    times, facts, notes = describe_repetition_times(repetition)
    return Reading(
        kind=FUNCTIONAL,
        shape="series",
        by_subject=by_subject,
        files=[n.path for n in files.values()],
        covariates=motion.covariates() | ({REPETITION_TIME: times} if times else {}),
        facts={"censoring": _common_value(censoring), **coverage.facts, **facts},
        notes=[*coverage.notes(), *motion.notes(), *_uncensored(censoring), *notes],
    )


def _uncensored(censoring: Mapping[str, str]) -> list[str]:
    """Report the subjects without a table of outliers, where others have one."""
    without = [s for s, how in censoring.items() if how == _NOT_KNOWN]
    if not without or len(without) == len(censoring):
        return []
    return [
        f"{some(without)}: no outliers.tsv belongs to the series, so that interpolated volumes may "
        "have been used."
    ]


def _common_value(values: Mapping[str, str]) -> str | Mapping[str, str]:
    """Return the value that all subjects share, or the values by subject."""
    return next(iter(values.values())) if len(set(values.values())) == 1 else values


def _read_columns(name: FileName) -> SubjectValues:
    cells = read_cells(name.path)
    if cells.numeric and not all(c.isdigit() for c in cells.header):
        raise UnreadableFileError(
            f"{name.path.name} has numbers where region names were expected: give a table with a "
            "header."
        )
    return SubjectValues(
        cells.header, parse_numbers(name.path, cells.body).reshape(-1, len(cells.header))
    )


def _censor(
    name: FileName, series: SubjectValues, all_files: Sequence[FileName]
) -> tuple[SubjectValues, str]:
    """Remove the volumes that XCP-D flagged, if they are still (interpolated) in the series."""
    tables = [n for n in all_files if n.suffix == "outliers" and n.extension in TEXT]
    outliers = find_companion(name, tables, "table of outliers")
    if outliers is None:
        return series, _NOT_KNOWN
    cells = read_cells(outliers.path)
    start = 1 if cells.numeric is False else 0
    flags = parse_numbers(outliers.path, cells.rows[start:])[:, 0] > 0
    rows, kept = len(series.values), int((~flags).sum())
    if rows == kept:
        return series, "by XCP-D"
    if rows == len(flags):
        return SubjectValues(
            series.names, series.values[~flags]
        ), "flagged volumes removed on reading"
    raise UnreadableFileError(
        f"{name.path.name} has {rows} volumes, {outliers.path.name} has {len(flags)}, of which "
        f"{kept} are kept: the two files do not belong together."
    )


def _read_regional(request: FormatRequest) -> Reading:
    files = one_file_per_subject(request.files)
    if request.kind == "reho":
        _check_reho_version(request.files)
    coverage, motion = CoverageTables(request), MotionTables(request.all_files)

    def read(name: FileName) -> SubjectValues:
        motion.add(name)
        table = _read_columns(name)
        if len(table.values) != 1:
            raise UnreadableFileError(
                f"{name.path.name} has {len(table.values)} rows of values: expected exactly 1."
            )
        return coverage.mask(name, SubjectValues(table.names, table.values[0]))

    by_subject = read_subjects(files, read)
    return Reading(
        kind=request.kind,
        shape="regional",
        by_subject=by_subject,
        units=_UNITS[request.kind],
        files=[n.path for n in files.values()],
        zero_is_missing=True,
        covariates=motion.covariates(),
        facts=coverage.facts,
        notes=[*coverage.notes(), *motion.notes()],
    )


def _check_reho_version(files: Sequence[FileName]) -> None:
    for folder in sorted({p for n in files for p in n.path.parents[:4]}):
        for generator in read_generators(folder):
            name, _, version = generator.rpartition(" ")
            if "xcp" in name.lower() and version in _WRONG_REHO:
                raise DataContractError(
                    str(folder),
                    [
                        f"XCP-D {version} wrote ReHo tables whose labels do not match the images "
                        "(PennLINC/xcp_d issue 1170): use a later version."
                    ],
                )


FORMATS = (
    Format(
        name="xcpd_relmat",
        title="correlation matrices with region names (XCP-D *_relmat.tsv, *_conmat.tsv)",
        find=_find_matrices,
        read=_read_matrices,
    ),
    Format(
        name="xcpd_timeseries",
        title="regional time series (XCP-D *_timeseries.tsv)",
        find=_find_series,
        read=_read_series,
        has_series=True,
        yields_to=("xcpd_relmat",),
    ),
    Format(
        name="xcpd_regional",
        title="ALFF, fALFF or ReHo of regions (XCP-D *_stat-alff_bold.tsv, *_reho.tsv)",
        find=_find_regional,
        read=_read_regional,
    ),
)
