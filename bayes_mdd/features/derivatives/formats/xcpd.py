"""XCP-D: matrices, time series, ALFF, ReHo and coverage as text, in three generations of names.

References
----------
Mehta et al. (2024), XCP-D: A robust pipeline for the post-processing of fMRI data. Imaging
Neuroscience 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bayes_mdd.errors import DataContractError
from bayes_mdd.features.assemble import FUNCTIONAL
from bayes_mdd.features.derivatives.cells import numbers, read_cells
from bayes_mdd.features.derivatives.coverage import TEXT, Coverage, same_recording
from bayes_mdd.features.derivatives.names import FileName
from bayes_mdd.features.derivatives.subjects import makers, one_per_person, read_people
from bayes_mdd.features.derivatives.values import Format, Measured, Reading, Request
from bayes_mdd.features.loading import UnreadableFileError
from bayes_mdd.features.matrices import R

#: Columns that make a ``*_timeseries.tsv`` a confounds table of fMRIPrep, of whichever year.
_CONFOUNDS = frozenset(
    ("framewise_displacement", "FramewiseDisplacement", "trans_x", "csf", "CSF", "RotX", "dvars")
)
#: Versions whose regional ReHo tables do not match their images (XCP-D issue 1170).
_BAD_REHO = ("0.7.3",)
_UNITS = {"alff": "ALFF (as in XCP-D)", "falff": "fALFF", "reho": "Kendall's W"}


def _matrices(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    return _as_kind(FUNCTIONAL, [n for n in files if n.suffix == "relmat" and n.extension in TEXT])


def _as_kind(kind: str, files: list[FileName]) -> dict[str, list[FileName]]:
    return {kind: files} if files else {}


def _series(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    named = [
        n
        for n in files
        if n.suffix == "timeseries"
        and n.extension in TEXT
        and n.entities.get("desc") != "confounds"
    ]
    return _as_kind(FUNCTIONAL, [n for n in named if not is_confounds(n.path)])


def is_confounds(path: Path) -> bool:
    """Whether a table holds confounds of fMRIPrep; its name does not always say so.

    Parameters
    ----------
    path : Path
        A ``.tsv`` file.

    Returns
    -------
    bool
        False also where the file cannot be read: that is said when it is needed.
    """
    try:
        return bool(_CONFOUNDS & set(read_cells(path, lines=1).header))
    except UnreadableFileError:
        return False


def _regional(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    found: dict[str, list[FileName]] = {}
    for name in files:
        if name.extension not in TEXT:
            continue
        kind = name.suffix if name.suffix in _UNITS else name.entities.get("stat", "")
        if kind in _UNITS and name.suffix in (kind, "bold", "timeseries"):
            found.setdefault(kind, []).append(name)
    return found


def _read_matrices(request: Request) -> Reading:
    files = one_per_person(request.files)
    coverage = Coverage(request)
    people = read_people(files, lambda n: coverage.applied(n, _matrix(n)))
    return Reading(
        kind=FUNCTIONAL,
        shape="matrix",
        people=people,
        units=R,
        files=[n.path for n in files.values()],
        facts={"measure": "correlation", "estimator": "empirical", **coverage.facts},
    )


def _matrix(name: FileName) -> Measured:
    cells = read_cells(name.path)
    columns = cells.header[1:]
    rows = tuple(r[0] for r in cells.body)
    if rows != columns:
        raise UnreadableFileError(
            f"{name.path.name}: the {len(rows)} names of rows are not those of the {len(columns)} "
            "columns; expected a square matrix with names in the first line and column."
        )
    return Measured(columns, numbers(name.path, [r[1:] for r in cells.body]))


def _read_series(request: Request) -> Reading:
    files = one_per_person(request.files)
    coverage = Coverage(request)
    censored: dict[str, str] = {}

    def read(name: FileName) -> Measured:
        series = _named_columns(name)
        series, said = _censored(name, series, request.everything)
        censored[name.person] = said
        return coverage.applied(name, series)

    people = read_people(files, read)
    return Reading(
        kind=FUNCTIONAL,
        shape="series",
        people=people,
        files=[n.path for n in files.values()],
        facts={"censoring": _common(censored), **coverage.facts},
    )


def _common(said: Mapping[str, str]) -> str | Mapping[str, str]:
    return next(iter(said.values())) if len(set(said.values())) == 1 else said


def _named_columns(name: FileName) -> Measured:
    cells = read_cells(name.path)
    if cells.numeric and not all(c.isdigit() for c in cells.header):
        raise UnreadableFileError(
            f"{name.path.name} has numbers where names of regions were expected: give a table "
            "with a header."
        )
    return Measured(cells.header, numbers(name.path, cells.body).reshape(-1, len(cells.header)))


def _censored(
    name: FileName, series: Measured, everything: Sequence[FileName]
) -> tuple[Measured, str]:
    """Take out the volumes that XCP-D flagged where it left them (interpolated) in the series."""
    beside = [n for n in everything if n.suffix == "outliers" and same_recording(n, name)]
    if not beside:
        return series, "not known (no outliers.tsv beside the series)"
    cells = read_cells(beside[0].path)
    start = 1 if cells.numeric is False else 0
    flags = numbers(beside[0].path, cells.rows[start:])[:, 0] > 0
    rows, kept = len(series.values), int((~flags).sum())
    if rows == kept:
        return series, "by XCP-D"
    if rows == len(flags):
        return Measured(series.names, series.values[~flags]), "flagged volumes taken out here"
    raise UnreadableFileError(
        f"{name.path.name} has {rows} volumes, {beside[0].path.name} {len(flags)} of which {kept} "
        "are kept: the two files do not belong together."
    )


def _read_regional(request: Request) -> Reading:
    files = one_per_person(request.files)
    if request.kind == "reho":
        _refuse_bad_versions(request.files)
    coverage = Coverage(request)

    def read(name: FileName) -> Measured:
        table = _named_columns(name)
        if len(table.values) != 1:
            raise UnreadableFileError(
                f"{name.path.name} has {len(table.values)} rows of values: expected exactly 1."
            )
        return coverage.applied(name, Measured(table.names, table.values[0]))

    people = read_people(files, read)
    return Reading(
        kind=request.kind,
        shape="regional",
        people=people,
        units=_UNITS[request.kind],
        files=[n.path for n in files.values()],
        zero_is_missing=True,
        facts=coverage.facts,
    )


def _refuse_bad_versions(files: Sequence[FileName]) -> None:
    for folder in sorted({p for n in files for p in n.path.parents[:4]}):
        for maker in makers(folder):
            name, _, version = maker.rpartition(" ")
            if "xcp" in name.lower() and version in _BAD_REHO:
                raise DataContractError(
                    str(folder),
                    [
                        f"XCP-D {version} wrote ReHo tables whose labels do not match the images "
                        "(PennLINC/xcp_d issue 1170): run a later version."
                    ],
                )


FORMATS = (
    Format(
        name="xcpd_relmat",
        title="correlation matrices with names (XCP-D *_relmat.tsv, *_conmat.tsv)",
        find=_matrices,
        read=_read_matrices,
    ),
    Format(
        name="xcpd_timeseries",
        title="regional time series (XCP-D *_timeseries.tsv)",
        find=_series,
        read=_read_series,
        yields_to=("xcpd_relmat",),
    ),
    Format(
        name="xcpd_regional",
        title="ALFF, fALFF or ReHo of regions (XCP-D *_stat-alff_bold.tsv, *_reho.tsv)",
        find=_regional,
        read=_read_regional,
    ),
)
