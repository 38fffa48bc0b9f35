"""Tract profiles: pyAFQ and AFQ-Browser (long), TRACULA (one table a tract).

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
from bayes_mdd.features.derivatives.cells import numbers, read_cells
from bayes_mdd.features.derivatives.formats.tables import (
    PERSON_COLUMNS,
    column_of,
    ids_once,
    of_session,
    plain,
)
from bayes_mdd.features.derivatives.names import FileName
from bayes_mdd.features.derivatives.values import Format, Measured, Reading, Request
from bayes_mdd.features.loading import Floats, UnreadableFileError

_TEXT = (".csv", ".tsv", ".txt")
_TRACT, _NODE = ("tractid", "tract", "tractname"), ("nodeid", "node", "position")
#: TRACULA writes the tract and the measure into the name: ``lh.cst_AS.avg33_mni_bbr.FA.txt``.
_TRACULA = re.compile(r"(?P<tract>.+?)\.avg\w*\.(?P<measure>[A-Z]+(?:_Avg)?)\.txt")
_OVERALL = re.compile(r"(?P<measure>FA|MD|AD|RD)_Avg(?:_\w+)?")
#: A diffusivity above this is in 10^-3 mm2/s, below it in mm2/s (water at body heat: 0.003).
_LARGEST_MM2_S = 0.02
_DIFFUSIVITIES = ("md", "rd", "ad")


def _profiles(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    found: dict[str, list[FileName]] = {}
    for name in files:
        if name.extension not in _TEXT:
            continue
        try:
            header = read_cells(name.path, lines=1).header
        except UnreadableFileError:
            continue
        keys = [column_of(header, k) for k in (PERSON_COLUMNS, _TRACT, _NODE)]
        if None in keys:
            continue
        for i, column in enumerate(header):
            if i not in keys and column and plain(column) != "sessionid":
                found.setdefault(column.lower().removeprefix("dti_"), []).append(name)
    return found


def _read_profiles(request: Request) -> Reading:
    if len(request.files) > 1:
        shown = some(n.path.name for n in request.files)
        raise DataContractError("tract profiles", [f"several tables ({shown}): give the one file."])
    cells = of_session(read_cells(request.files[0].path), request.entities)
    keys = [column_of(cells.header, k) or 0 for k in (PERSON_COLUMNS, _TRACT, _NODE)]
    measure = [c.lower().removeprefix("dti_") for c in cells.header].index(request.kind)
    values = numbers(cells.path, [[row[measure]] for row in cells.body])[:, 0]
    nodes: dict[tuple[str, str], dict[str, float]] = {}
    for row, value in zip(cells.body, values.tolist(), strict=True):
        who, tract, node = (row[k] for k in keys)
        own = nodes.setdefault((who, tract), {})
        if node in own:
            raise UnreadableFileError(
                f"{cells.path.name}: {who} has node {node} of {tract} twice: choose a session."
            )
        own[node] = value
    tracts = list(dict.fromkeys(tract for _, tract in nodes))
    least = request.spec.min_coverage
    people = {}
    for who in dict.fromkeys(who for who, _ in nodes):
        means = [
            profile_mean(np.array(list(nodes.get((who, t), {}).values())), least) for t in tracts
        ]
        people[who] = Measured(tuple(tracts), np.array(means))
    return _reading(request, people, {"summary": "mean over nodes", "min_coverage": least})


def profile_mean(nodes: Floats, least: float) -> float:
    """Average a tract profile over the nodes that are known.

    Parameters
    ----------
    nodes : numpy.ndarray
        Values along the tract; NaN where the tract was not found.
    least : float
        Smallest share of nodes that must be known.

    Returns
    -------
    float
        NaN if fewer are.

    Examples
    --------
    >>> profile_mean(np.array([0.4, np.nan, 0.6, 0.5]), 0.5)
    0.5
    """
    known = nodes[~np.isnan(nodes)]
    if not known.size or known.size < least * nodes.size:
        return float("nan")
    return float(known.mean())


def _reading(
    request: Request, people: Mapping[str, Measured], facts: Mapping[str, object]
) -> Reading:
    return Reading(
        kind=request.kind,
        shape="regional",
        people=people,
        units=_units(request.kind, people),
        files=[n.path for n in request.files],
        facts=facts,
    )


def _units(kind: str, people: Mapping[str, Measured]) -> str:
    """Name the unit; diffusivities come in two, a thousand-fold apart."""
    if kind.startswith("fa"):
        return "fractional anisotropy (0-1)"
    if kind.removesuffix("_avg") not in _DIFFUSIVITIES:
        return "not stated"
    medians = {w: float(np.nanmedian(m.values)) for w, m in people.items() if _known(m)}
    small = [w for w, v in medians.items() if v < _LARGEST_MM2_S]
    if small and len(small) < len(medians):
        raise DataContractError(
            kind,
            [
                f"the cohort mixes units: {some(small)} in mm2/s, the others in 10^-3 mm2/s. Bring "
                "them to one."
            ],
        )
    return "mm2/s" if small else "10^-3 mm2/s"


def _known(measured: Measured) -> bool:
    return bool((~np.isnan(measured.values)).any())


def _along(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    found: dict[str, list[FileName]] = {}
    for name in files:
        if (match := _TRACULA.fullmatch(name.path.name)) and "coord" not in name.path.name:
            found.setdefault(match["measure"].lower(), []).append(name)
    return found


def _read_along(request: Request) -> Reading:
    least = request.spec.min_coverage
    tracts: dict[str, dict[str, float]] = {}
    for name in request.files:
        match = _TRACULA.fullmatch(name.path.name)
        cells = read_cells(name.path)
        if match is None or cells.numeric:
            raise UnreadableFileError(f"{name.path.name} has no header with the people's ids.")
        values = numbers(name.path, cells.body)
        # Shorter subjects are padded with NaN at the end: the longest run of anybody is no norm.
        tracts[match["tract"]] = {
            who: profile_mean(column[: _length(column)], least)
            for who, column in zip(cells.header, values.T, strict=True)
        }
    people = _by_person(tracts)
    return _reading(request, people, {"summary": "mean over nodes", "min_coverage": least})


def _length(column: Floats) -> int:
    known = np.flatnonzero(~np.isnan(column))
    return int(known[-1]) + 1 if known.size else len(column)


def _by_person(tracts: Mapping[str, Mapping[str, float]]) -> dict[str, Measured]:
    names = tuple(tracts)
    people = dict.fromkeys(who for own in tracts.values() for who in own)
    return {
        who: Measured(names, np.array([tracts[t].get(who, np.nan) for t in names]))
        for who in people
    }


def _overall(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    found: dict[str, list[FileName]] = {}
    for name in files:
        for measure in sorted({m["measure"] for m in _overall_columns(name.path)}):
            found.setdefault(measure.lower(), []).append(name)
    return found


def _overall_columns(path: Path) -> list[re.Match[str]]:
    if path.suffix not in _TEXT:
        return []
    try:
        header = read_cells(path, lines=1).header
    except UnreadableFileError:
        return []
    if column_of(header, PERSON_COLUMNS) is not None:
        return []
    return [m for c in header if (m := _OVERALL.fullmatch(c))]


def _read_overall(request: Request) -> Reading:
    tracts: dict[str, dict[str, float]] = {}
    for name in request.files:
        cells = read_cells(name.path)
        column = _chosen_column(cells.header, request)
        values = numbers(name.path, [[row[column]] for row in cells.body])[:, 0]
        tract = cells.header[0] or name.path.stem
        if tract in tracts:
            raise UnreadableFileError(f"two tables are of the tract {tract}: keep one.")
        tracts[tract] = dict(zip(ids_once(cells, 0), values.tolist(), strict=True))
    return _reading(request, _by_person(tracts), {"summary": "as TRACULA averaged"})


def _chosen_column(header: Sequence[str], request: Request) -> int:
    fitting = [
        c for c in header if (m := _OVERALL.fullmatch(c)) and m["measure"].lower() == request.kind
    ]
    if request.weighting in fitting:
        return header.index(str(request.weighting))
    if len(fitting) == 1 and request.weighting is None:
        return header.index(fitting[0])
    raise UnreadableFileError(
        f"there are {', '.join(fitting)}, which are different averages: say which one with "
        "weighting=..."
    )


FORMATS = (
    Format(
        name="afq_profiles",
        title="tract profiles with subjectID, tractID, nodeID (pyAFQ, AFQ-Browser)",
        find=_profiles,
        read=_read_profiles,
    ),
    Format(
        name="tracula_profiles",
        title="TRACULA profiles, a file a tract and measure, people in columns",
        find=_along,
        read=_read_along,
    ),
    Format(
        name="tracula_table",
        title="tables of TRACULA's tractstats2table, a file a tract",
        find=_overall,
        read=_read_overall,
    ),
)
