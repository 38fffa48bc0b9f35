"""Tract profiles: pyAFQ and AFQ-Browser (long tables), TRACULA (one table per tract).

References
----------
Yeatman et al. (2012), Tract profiles of white matter properties. PLoS ONE 7.
Yendiki et al. (2011), Automated probabilistic reconstruction of white-matter pathways in health
and disease using an atlas of the underlying anatomy. Frontiers in Neuroinformatics 5.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.derivatives.file_names import FileName
from bayes_mdd.features.derivatives.formats.tables import (
    SUBJECT_COLUMNS,
    find_column,
    normalise_name,
    select_session,
    unique_ids,
)
from bayes_mdd.features.derivatives.interface import Format, FormatRequest, Reading, SubjectValues
from bayes_mdd.features.derivatives.text_tables import parse_numbers, read_cells
from bayes_mdd.features.loading import UnreadableFileError
from bayes_mdd.types import Array

_TEXT = (".csv", ".tsv", ".txt")
_TRACT, _NODE = ("tractid", "tract", "tractname"), ("nodeid", "node", "position")
#: TRACULA file names state tract and measure: ``lh.cst_AS.avg33_mni_bbr.FA.txt``.
_TRACULA = re.compile(r"(?P<tract>.+?)\.avg\w*\.(?P<measure>[A-Z]+(?:_Avg)?)\.txt")
_AVERAGE = re.compile(r"(?P<measure>FA|MD|AD|RD)_Avg(?:_\w+)?")
#: Diffusivities above this are in 10^-3 mm2/s, those below in mm2/s (water at 37 C: 0.003).
_MAX_MM2_PER_S = 0.02
_DIFFUSIVITIES = ("md", "rd", "ad")


def _find_profiles(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    found: dict[str, list[FileName]] = {}
    for name in files:
        if name.extension not in _TEXT:
            continue
        try:
            header = read_cells(name.path, lines=1).header
        except UnreadableFileError:
            continue
        keys = [find_column(header, k) for k in (SUBJECT_COLUMNS, _TRACT, _NODE)]
        if None in keys:
            continue
        for i, column in enumerate(header):
            if i not in keys and column and normalise_name(column) != "sessionid":
                found.setdefault(column.lower().removeprefix("dti_"), []).append(name)
    return found


def _read_profiles(request: FormatRequest) -> Reading:
    if len(request.files) > 1:
        shown = some(n.path.name for n in request.files)
        raise DataContractError(
            "tract profiles", [f"several tables ({shown}): give the path of one."]
        )
    cells = select_session(read_cells(request.files[0].path), request.entities)
    keys = [find_column(cells.header, k) or 0 for k in (SUBJECT_COLUMNS, _TRACT, _NODE)]
    measure = [c.lower().removeprefix("dti_") for c in cells.header].index(request.kind)
    values = parse_numbers(cells.path, [[row[measure]] for row in cells.body])[:, 0]
    nodes: dict[tuple[str, str], dict[str, float]] = {}
    for row, value in zip(cells.body, values.tolist(), strict=True):
        subject, tract, node = (row[k] for k in keys)
        own = nodes.setdefault((subject, tract), {})
        if node in own:
            raise UnreadableFileError(
                f"{cells.path.name}: {subject} has node {node} of {tract} twice: choose a session."
            )
        own[node] = value
    tracts = list(dict.fromkeys(tract for _, tract in nodes))
    min_known = request.spec.min_coverage
    by_subject = {}
    for subject in dict.fromkeys(subject for subject, _ in nodes):
        profiles = [np.array(list(nodes.get((subject, t), {}).values())) for t in tracts]
        means = [profile_mean(profile, min_known) for profile in profiles]
        by_subject[subject] = SubjectValues(tuple(tracts), np.array(means))
    return _reading(request, by_subject, {"summary": "mean over nodes", "min_coverage": min_known})


def profile_mean(nodes: Array, min_known: float) -> float:
    """Average a tract profile over nodes without missing values.

    Parameters
    ----------
    nodes : ndarray, shape (node,)
        Values along the tract; NaN where the tract was not found.
    min_known : float
        Smallest share of nodes with a value.

    Returns
    -------
    float
        The mean; NaN if fewer nodes have a value.

    Examples
    --------
    >>> profile_mean(np.array([0.4, np.nan, 0.6, 0.5]), 0.5)
    0.5
    """
    known = nodes[~np.isnan(nodes)]
    if not known.size or known.size < min_known * nodes.size:
        return float("nan")
    return float(known.mean())


def _reading(
    request: FormatRequest, by_subject: Mapping[str, SubjectValues], facts: Mapping[str, object]
) -> Reading:
    return Reading(
        kind=request.kind,
        shape="regional",
        by_subject=by_subject,
        units=_units(request.kind, by_subject),
        files=[n.path for n in request.files],
        facts=facts,
    )


def _units(kind: str, by_subject: Mapping[str, SubjectValues]) -> str:
    """Return the unit; that of diffusivities (1 or 10^-3 mm2/s) is inferred from the values."""
    if kind.startswith("fa"):
        return "fractional anisotropy (0-1)"
    if kind.removesuffix("_avg") not in _DIFFUSIVITIES:
        return "not stated"
    medians = {
        s: float(np.nanmedian(own.values))
        for s, own in by_subject.items()
        if not np.isnan(own.values).all()
    }
    small = [s for s, v in medians.items() if v < _MAX_MM2_PER_S]
    if small and len(small) < len(medians):
        raise DataContractError(
            kind,
            [
                f"the cohort mixes units: {some(small)} in mm2/s, the others in 10^-3 mm2/s. "
                "Convert them to one unit."
            ],
        )
    return "mm2/s" if small else "10^-3 mm2/s"


def _find_tracula_profiles(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    found: dict[str, list[FileName]] = {}
    for name in files:
        if (match := _TRACULA.fullmatch(name.path.name)) and "coord" not in name.path.name:
            found.setdefault(match["measure"].lower(), []).append(name)
    return found


def _read_tracula_profiles(request: FormatRequest) -> Reading:
    min_known = request.spec.min_coverage
    tracts: dict[str, dict[str, float]] = {}
    for name in request.files:
        match = _TRACULA.fullmatch(name.path.name)
        cells = read_cells(name.path)
        if match is None or cells.numeric:
            raise UnreadableFileError(f"{name.path.name} has no header with participant ids.")
        values = parse_numbers(name.path, cells.body)
        # Profiles differ in length and are padded with NaN at the end to the longest of them.
        tracts[match["tract"]] = {
            subject: profile_mean(column[: _length(column)], min_known)
            for subject, column in zip(cells.header, values.T, strict=True)
        }
    by_subject = _by_subject(tracts)
    return _reading(request, by_subject, {"summary": "mean over nodes", "min_coverage": min_known})


def _length(column: Array) -> int:
    known = np.flatnonzero(~np.isnan(column))
    return int(known[-1]) + 1 if known.size else len(column)


def _by_subject(tracts: Mapping[str, Mapping[str, float]]) -> dict[str, SubjectValues]:
    names = tuple(tracts)
    subjects = dict.fromkeys(subject for values in tracts.values() for subject in values)
    return {
        subject: SubjectValues(names, np.array([tracts[t].get(subject, np.nan) for t in names]))
        for subject in subjects
    }


def _find_tracula_tables(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    found: dict[str, list[FileName]] = {}
    for name in files:
        for measure in sorted({m["measure"] for m in _average_columns(name.path)}):
            found.setdefault(measure.lower(), []).append(name)
    return found


def _average_columns(path: Path) -> list[re.Match[str]]:
    if path.suffix not in _TEXT:
        return []
    try:
        header = read_cells(path, lines=1).header
    except UnreadableFileError:
        return []
    if find_column(header, SUBJECT_COLUMNS) is not None:
        return []
    return [m for c in header if (m := _AVERAGE.fullmatch(c))]


def _read_tracula_tables(request: FormatRequest) -> Reading:
    tracts: dict[str, dict[str, float]] = {}
    for name in request.files:
        cells = read_cells(name.path)
        column = _chosen_column(cells.header, request)
        values = parse_numbers(name.path, [[row[column]] for row in cells.body])[:, 0]
        tract = cells.header[0] or name.path.stem
        if tract in tracts:
            raise UnreadableFileError(f"two tables hold the tract {tract}: keep one.")
        tracts[tract] = dict(zip(unique_ids(cells, 0), values.tolist(), strict=True))
    return _reading(request, _by_subject(tracts), {"summary": "as TRACULA averaged"})


def _chosen_column(header: Sequence[str], request: FormatRequest) -> int:
    found = [
        c for c in header if (m := _AVERAGE.fullmatch(c)) and m["measure"].lower() == request.kind
    ]
    if request.weighting in found:
        return header.index(str(request.weighting))
    if len(found) == 1 and request.weighting is None:
        return header.index(found[0])
    raise UnreadableFileError(
        f"there are {', '.join(found)}, which are different averages: choose one with weighting=..."
    )


FORMATS = (
    Format(
        name="afq_profiles",
        title="tract profiles with subjectID, tractID, nodeID (pyAFQ, AFQ-Browser)",
        find=_find_profiles,
        read=_read_profiles,
    ),
    Format(
        name="tracula_profiles",
        title="TRACULA profiles, one file per tract and measure, participants in columns",
        find=_find_tracula_profiles,
        read=_read_tracula_profiles,
    ),
    Format(
        name="tracula_table",
        title="tables of TRACULA's tractstats2table, one file per tract",
        find=_find_tracula_tables,
        read=_read_tracula_tables,
    ),
)
