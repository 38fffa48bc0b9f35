"""FreeSurfer: the group tables of ``aparcstats2table`` and ``asegstats2table``.

References
----------
Fischl (2012), FreeSurfer. NeuroImage 62.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.derivatives.cells import numbers, read_cells
from bayes_mdd.features.derivatives.names import FileName
from bayes_mdd.features.derivatives.values import Format, Measured, Reading, Request
from bayes_mdd.features.loading import Floats, UnreadableFileError

_CORNER = re.compile(r"(?P<side>[lr]h)\.(?P<parcellation>.+)\.(?P<measure>[A-Za-z]+)")
_ASEG = re.compile(r"Measure:(?P<measure>[A-Za-z]+)")
_KINDS = {"thickness": "thickness", "area": "area", "volume": "volume", "meancurv": "curvature"}
_UNITS = {"thickness": "mm", "area": "mm2", "volume": "mm3", "curvature": "1/mm"}
#: Columns that stand among the regions and are none: whole-brain numbers, and tissue that is
#: absent (constant 0) in healthy brains.
_NO_REGION = re.compile(
    r"(?:[lr]h_?)?(?:MeanThickness|WhiteSurfArea|PialSurfArea|CortexVol|Cortex|SurfaceHoles"
    r"|(?:Cerebral|Cortical)WhiteMatter(?:Vol)?)|eTIV|EstimatedTotalIntraCranialVol"
    r"|(?:BrainSeg|SupraTentorial|SubCortGray|TotalGray|Mask)(?:Vol)?(?:NotVent\w*)?"
    r"|.*-to-eTIV|5th-Ventricle|.*hypointensities|unknown|Unknown|VentricleChoroidVol"
)
_HEAD_SIZE = ("eTIV", "EstimatedTotalIntraCranialVol")
#: Names that changed between versions: the older ones by the newer.
_RENAMED = {
    "Left-Thalamus-Proper": "Left-Thalamus",
    "Right-Thalamus-Proper": "Right-Thalamus",
    "lhCorticalWhiteMatterVol": "lhCerebralWhiteMatterVol",
    "rhCorticalWhiteMatterVol": "rhCerebralWhiteMatterVol",
    "CorticalWhiteMatterVol": "CerebralWhiteMatterVol",
}


def _corner(path: Path) -> tuple[str, str] | None:
    """Parcellation and measure, by the first cell; the names of these files are anything."""
    try:
        first = read_cells(path, lines=1).header[0]
    except UnreadableFileError:
        return None
    if match := _CORNER.fullmatch(first):
        return match["parcellation"], match["measure"]
    match = _ASEG.fullmatch(first)
    return ("aseg", match["measure"]) if match else None


def _find(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    found: dict[str, list[FileName]] = {}
    for name in files:
        if name.extension in (".txt", ".tsv", ".csv", ".dat", ".table", ""):
            corner = _corner(name.path)
            if corner is not None:
                found.setdefault(_KINDS.get(corner[1], corner[1]), []).append(name)
    return found


def _read(request: Request) -> Reading:
    files = _of_parcellation(request)
    columns: dict[str, dict[str, float]] = {}
    head_size: dict[str, float] = {}
    left_out: set[str] = set()
    for name in files:
        ids, labels, values = _table(name.path)
        for label, column in zip(labels, values.T, strict=True):
            by_person = dict(zip(ids, column.tolist(), strict=True))
            if label in _HEAD_SIZE:
                head_size.update(by_person)
            if _NO_REGION.fullmatch(label):
                left_out.add(label)
                continue
            _merge(columns.setdefault(label, {}), by_person, label)
    people = list(dict.fromkeys(who for held in columns.values() for who in held))
    names = tuple(columns)
    return Reading(
        kind=request.kind,
        shape="regional",
        people={
            who: Measured(names, np.array([columns[n].get(who, np.nan) for n in names]))
            for who in people
        },
        units=_UNITS.get(request.kind, request.kind),
        files=[n.path for n in files],
        zero_is_missing=True,
        covariates={"etiv": head_size} if head_size else {},
        facts={"columns_that_are_no_regions": sorted(left_out)} if left_out else {},
    )


def _of_parcellation(request: Request) -> list[FileName]:
    """Keep the tables of one parcellation: its two sides belong together, two of them do not."""
    by: dict[str, list[FileName]] = {}
    for name in request.files:
        corner = _corner(name.path)
        by.setdefault(corner[0] if corner else "", []).append(name)
    wanted = None if request.atlas is None else str(request.atlas)
    if wanted in by:
        return by[wanted]
    if len(by) > 1 or wanted is not None:
        raise DataContractError(
            "FreeSurfer tables",
            [f"are of the parcellation(s) {', '.join(sorted(by))}: choose one with atlas=..."],
        )
    return next(iter(by.values()))


def _table(path: Path) -> tuple[list[str], list[str], Floats]:
    cells = read_cells(path)
    ids = [row[0] for row in cells.body]
    twice = [i for i, n in Counter(ids).items() if n > 1]
    if twice:
        raise UnreadableFileError(f"{path.name} repeats {some(twice)}: keep one row a person.")
    corner = _CORNER.fullmatch(cells.header[0])
    ending = f"_{corner['measure']}" if corner else ""
    labels = [c.removesuffix(ending) for c in cells.header[1:]]
    labels = [_RENAMED.get(label, label) for label in labels]
    return ids, labels, numbers(path, [row[1:] for row in cells.body])


def _merge(held: dict[str, float], new: dict[str, float], label: str) -> None:
    """Join a column to one of the same region: half-filled ones of two versions are one."""
    for who, value in new.items():
        known = held.get(who, np.nan)
        if np.isnan(known) or known == value:
            held[who] = value
        elif not np.isnan(value):
            raise DataContractError(
                "FreeSurfer tables",
                [f"{who} has two values of {label} ({known:g} and {value:g}): keep one table."],
            )


FORMATS = (
    Format(
        name="freesurfer_table",
        finds_atlas=True,
        title="tables of aparcstats2table or asegstats2table",
        find=_find,
        read=_read,
    ),
)
