"""FreeSurfer: group tables of ``aparcstats2table`` and ``asegstats2table``.

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
from bayes_mdd.features.derivatives.file_names import FileName
from bayes_mdd.features.derivatives.interface import Format, FormatRequest, Reading, SubjectValues
from bayes_mdd.features.derivatives.text_tables import parse_numbers, read_cells
from bayes_mdd.features.loading import Floats, UnreadableFileError

_CORNER = re.compile(r"(?P<side>[lr]h)\.(?P<parcellation>.+)\.(?P<measure>[A-Za-z]+)")
_ASEG = re.compile(r"Measure:(?P<measure>[A-Za-z]+)")
_KINDS = {"thickness": "thickness", "area": "area", "volume": "volume", "meancurv": "curvature"}
_UNITS = {"thickness": "mm", "area": "mm2", "volume": "mm3", "curvature": "1/mm"}
#: Columns that are not regions: whole-brain measures, and tissue that is absent (constant 0) in
#: healthy brains.
_NOT_REGIONS = re.compile(
    r"(?:[lr]h_?)?(?:MeanThickness|WhiteSurfArea|PialSurfArea|CortexVol|Cortex|SurfaceHoles"
    r"|(?:Cerebral|Cortical)WhiteMatter(?:Vol)?)|eTIV|EstimatedTotalIntraCranialVol"
    r"|(?:BrainSeg|SupraTentorial|SubCortGray|TotalGray|Mask)(?:Vol)?(?:NotVent\w*)?"
    r"|.*-to-eTIV|5th-Ventricle|.*hypointensities|unknown|Unknown|VentricleChoroidVol"
)
_HEAD_SIZE = ("eTIV", "EstimatedTotalIntraCranialVol")
#: Current name of each region by its name in older versions.
_RENAMED = {
    "Left-Thalamus-Proper": "Left-Thalamus",
    "Right-Thalamus-Proper": "Right-Thalamus",
    "lhCorticalWhiteMatterVol": "lhCerebralWhiteMatterVol",
    "rhCorticalWhiteMatterVol": "rhCerebralWhiteMatterVol",
    "CorticalWhiteMatterVol": "CerebralWhiteMatterVol",
}


def _corner(path: Path) -> tuple[str, str] | None:
    """Read parcellation and measure from the first cell; file names do not state them."""
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


def _read(request: FormatRequest) -> Reading:
    files = _select_parcellation(request)
    columns: dict[str, dict[str, float]] = {}
    head_size: dict[str, float] = {}
    not_regions: set[str] = set()
    for name in files:
        ids, labels, values = _table(name.path)
        for label, column in zip(labels, values.T, strict=True):
            column_by_subject = dict(zip(ids, column.tolist(), strict=True))
            if label in _HEAD_SIZE:
                head_size.update(column_by_subject)
            if _NOT_REGIONS.fullmatch(label):
                not_regions.add(label)
                continue
            _merge(columns.setdefault(label, {}), column_by_subject, label)
    subjects = list(dict.fromkeys(subject for column in columns.values() for subject in column))
    names = tuple(columns)
    return Reading(
        kind=request.kind,
        shape="regional",
        by_subject={
            s: SubjectValues(names, np.array([columns[n].get(s, np.nan) for n in names]))
            for s in subjects
        },
        units=_UNITS.get(request.kind, request.kind),
        files=[n.path for n in files],
        zero_is_missing=True,
        covariates={"etiv": head_size} if head_size else {},
        facts={"columns_that_are_no_regions": sorted(not_regions)} if not_regions else {},
    )


def _select_parcellation(request: FormatRequest) -> list[FileName]:
    """Keep the tables of one parcellation (both hemispheres)."""
    by_parcellation: dict[str, list[FileName]] = {}
    for name in request.files:
        corner = _corner(name.path)
        by_parcellation.setdefault(corner[0] if corner else "", []).append(name)
    wanted = None if request.atlas is None else str(request.atlas)
    if wanted in by_parcellation:
        return by_parcellation[wanted]
    if len(by_parcellation) > 1 or wanted is not None:
        raise DataContractError(
            "FreeSurfer tables",
            [
                f"use the parcellation(s) {', '.join(sorted(by_parcellation))}: choose one with "
                "atlas=..."
            ],
        )
    return next(iter(by_parcellation.values()))


def _table(path: Path) -> tuple[list[str], list[str], Floats]:
    cells = read_cells(path)
    ids = [row[0] for row in cells.body]
    repeated = [i for i, n in Counter(ids).items() if n > 1]
    if repeated:
        raise UnreadableFileError(
            f"{path.name} repeats {some(repeated)}: keep one row per participant."
        )
    corner = _CORNER.fullmatch(cells.header[0])
    ending = f"_{corner['measure']}" if corner else ""
    labels = [c.removesuffix(ending) for c in cells.header[1:]]
    labels = [_RENAMED.get(label, label) for label in labels]
    return ids, labels, parse_numbers(path, [row[1:] for row in cells.body])


def _merge(column: dict[str, float], new: dict[str, float], label: str) -> None:
    """Merge two columns of one region: versions may use different names, each partly filled."""
    for subject, value in new.items():
        known = column.get(subject, np.nan)
        if np.isnan(known) or known == value:
            column[subject] = value
        elif not np.isnan(value):
            raise DataContractError(
                "FreeSurfer tables",
                [f"{subject} has two values of {label} ({known:g} and {value:g}): keep one table."],
            )


FORMATS = (
    Format(
        name="freesurfer_table",
        handles_atlas=True,
        title="tables of aparcstats2table or asegstats2table",
        find=_find,
        read=_read,
    ),
)
