"""AFNI: network matrices of 3dNetCorr (``.netcc``) and 3dTrackID (``.grid``).

References
----------
Taylor and Saad (2013), FATCAT: (An Efficient) Functional And Tractographic Connectivity Analysis
Toolbox. Brain Connectivity 3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.assemble import FUNCTIONAL
from bayes_mdd.features.derivatives.connectomes import STRUCTURAL
from bayes_mdd.features.derivatives.file_names import FileName
from bayes_mdd.features.derivatives.interface import Format, FormatRequest, Reading, SubjectValues
from bayes_mdd.features.derivatives.region_labels import names_of_labels
from bayes_mdd.features.derivatives.subjects import one_file_per_subject, read_subjects
from bayes_mdd.features.derivatives.text_tables import parse_numbers
from bayes_mdd.features.loading import UnreadableFileError
from bayes_mdd.features.matrix_units import FISHER_Z, R
from bayes_mdd.files.text import MAX_TABLE, read_text
from bayes_mdd.types import Array

_REGIONS = re.compile(r"#\s*(\d+)\s*#\s*Number[ _]of[ _]network[ _]ROIs?\s*")
_MATRICES = re.compile(r"#\s*(\d+)\s*#\s*Number[ _]of[ _]\w+[ _]matrices\s*")
#: Matrices of 3dNetCorr by their units and measures.
_FUNCTIONAL: Mapping[str, tuple[str, str]] = {
    "CC": (R, "correlation"),
    "FZ": (FISHER_Z, "correlation"),
    "PC": (R, "partial correlation"),
}
#: Units of matrices of 3dTrackID.
_STRUCTURAL = {
    "NT": "streamlines",
    "fNT": "share of streamlines",
    "PV": "mm3",
    "BL": "mm",
    "sBL": "mm",
    "FA": "fractional anisotropy (0-1)",
    "sFA": "fractional anisotropy (0-1)",
}


@dataclass(frozen=True)
class NetworkFile:
    """Content of a ``.netcc`` or ``.grid`` file.

    Parameters
    ----------
    labels : tuple of str
        Labels of the regions; their numbers, if they have no other.
    numbers : tuple of str
        Values of the regions in the image.
    matrices : mapping of str to ndarray
        (region, region) by name.
    """

    labels: tuple[str, ...]
    numbers: tuple[str, ...]
    matrices: Mapping[str, Array]


def read_network_file(path: Path) -> NetworkFile:
    """Read a ``.netcc`` or ``.grid`` file.

    Parameters
    ----------
    path : Path
        As 3dNetCorr or 3dTrackID wrote it.

    Returns
    -------
    NetworkFile
        All its matrices.

    Raises
    ------
    UnreadableFileError
        If the file has another form or is truncated.
    """
    lines = [line for line in read_text(path, limit=MAX_TABLE).splitlines() if line.strip()]
    first = _REGIONS.fullmatch(lines[0].strip()) if lines else None
    second = _MATRICES.fullmatch(lines[1].strip()) if len(lines) > 1 else None
    if first is None or second is None:
        raise UnreadableFileError(
            f"{path.name} does not begin with the numbers of regions and matrices: expected a file "
            "of 3dNetCorr or 3dTrackID."
        )
    n, expected = int(first[1]), int(second[1])
    named = len(lines) > 2 and "WITH_ROI_LABELS" in lines[2]
    head = lines[3:5] if named else lines[2:3]
    cells = [line.replace("|", " ").split() for line in head]
    if len(cells) < 1 + named or any(len(c) != n for c in cells):
        raise UnreadableFileError(f"{path.name} has no label for each of its {n} regions.")
    matrices: dict[str, list[list[str]]] = {}
    name = ""
    for line in lines[5 if named else 3 :]:
        if line.lstrip().startswith("#"):
            name = line.strip().lstrip("#").strip()
            matrices[name] = []
        elif name:
            matrices[name].append(line.split())
    damaged = [k for k, rows in matrices.items() if [len(r) for r in rows] != [n] * n]
    if damaged or len(matrices) != expected:
        raise UnreadableFileError(
            f"{path.name} has {len(matrices)} of {expected} matrices"
            + (f"; not {n} x {n}: {some(damaged)}" if damaged else "")
            + ": the file is truncated."
        )
    return NetworkFile(
        tuple(cells[0]),
        tuple(cells[-1]),
        {k: parse_numbers(path, rows) for k, rows in matrices.items()},
    )


def _choose(found: NetworkFile, request: FormatRequest, path: Path) -> str:
    names = list(found.matrices)
    usual = "FZ" if request.units == FISHER_Z and "FZ" in names else "CC"
    wanted = request.weighting or (usual if usual in names else None)
    if wanted is None and len(names) == 1:
        return names[0]
    if wanted not in names:
        asked = "" if wanted is None else f", not {wanted}"
        raise UnreadableFileError(
            f"{path.name} has the matrices {some(names, 12)}{asked}: choose one with weighting=... "
            "(--weighting)."
        )
    return wanted


def _read(request: FormatRequest) -> Reading:
    files = one_file_per_subject(request.files)
    chosen: dict[str, str] = {}

    def read(name: FileName) -> SubjectValues:
        found = read_network_file(name.path)
        chosen[name.subject_id] = key = _choose(found, request, name.path)
        names = names_of_labels(found.labels, request.regions)
        if names == found.labels:
            numbered = names_of_labels(found.numbers, request.regions)
            names = names if numbered == found.numbers else numbered
        return SubjectValues(names, found.matrices[key])

    by_subject = read_subjects(files, read)
    if len(set(chosen.values())) > 1:
        listed = some(sorted(set(chosen.values())))
        raise DataContractError(
            "matrices", [f"the cohort mixes {listed}: choose one with weighting=... (--weighting)."]
        )
    matrix = next(iter(chosen.values()))
    units, measure = _FUNCTIONAL.get(matrix, ("", ""))
    if request.kind != FUNCTIONAL:
        units, measure = _STRUCTURAL.get(matrix, f"{matrix} (3dTrackID)"), ""
    return Reading(
        kind=request.kind,
        shape="matrix",
        by_subject=by_subject,
        units=units,
        files=[n.path for n in files.values()],
        facts={"matrix_in_file": matrix} | ({"measure": measure} if measure else {}),
    )


def _find(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    found = {
        kind: [n for n in files if n.extension == extension]
        for kind, extension in ((FUNCTIONAL, ".netcc"), (STRUCTURAL, ".grid"))
    }
    return {kind: names for kind, names in found.items() if names}


FORMATS = (
    Format(
        name="netcc",
        title="network matrices of AFNI's 3dNetCorr (.netcc) and 3dTrackID (.grid)",
        find=_find,
        read=_read,
    ),
)
