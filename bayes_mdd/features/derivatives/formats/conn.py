"""CONN: ROI-to-ROI results of the first level, one file per subject or one for all.

References
----------
Whitfield-Gabrieli and Nieto-Castanon (2012), Conn: a functional connectivity toolbox. Brain
Connectivity 2.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.assemble import FUNCTIONAL
from bayes_mdd.features.derivatives.file_names import FileName, differing_entities
from bayes_mdd.features.derivatives.formats.mat import find_files_with_arrays, load_mat, parse_names
from bayes_mdd.features.derivatives.formats.stacks import assign_layers
from bayes_mdd.features.derivatives.interface import Format, FormatRequest, Reading, SubjectValues
from bayes_mdd.features.derivatives.subjects import one_file_per_subject, read_subjects
from bayes_mdd.features.loading import UnreadableFileError
from bayes_mdd.features.matrices import FISHER_Z
from bayes_mdd.features.tool_names import CONN
from bayes_mdd.types import Array

#: Ids in file names are positions in the project.
_NUMBER = re.compile(r"Subject(\d+)")
_HINT = (
    "CONN numbers the subjects in the order of the project: give their ids in that order with "
    "subjects=[...] (--subjects), or, if the numbers are the ids, ids='Subject(\\d+)'."
)


def _find(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    others = [n for n in files if n.tool != CONN or n.suffix == "resultsROI"]
    return find_files_with_arrays(others, FUNCTIONAL, lambda keys: keys >= {"Z", "names"})


def _read(request: FormatRequest) -> Reading:
    stacks = [n for n in request.files if n.tool == CONN and not _has_own_subject(n)]
    single = [n for n in request.files if n not in stacks]
    other = [n for n in single if n.tool != CONN]
    if len(other) == 1 and len(single) == 1 and _is_stack(other[0]):
        stacks, single = [*stacks, *other], []
    if len(stacks) > 1 and not single:
        _refuse_several_stacks(stacks)
    notes: list[str] = []
    if single:
        by_subject = read_subjects(
            _with_subject_ids(one_file_per_subject(single), request.subjects), _read_one
        )
        notes = _compare_counts(stacks, single, len(by_subject))
    else:
        names, square = _load(stacks[0].path)
        by_subject = assign_layers(_as_stack(square), names, request, stacks[0].path)
    read = single or stacks
    return Reading(
        kind=FUNCTIONAL,
        shape="matrix",
        by_subject=by_subject,
        units=FISHER_Z,
        files=[n.path for n in read],
        facts={
            "measure": "correlation (CONN)",
            **({"stacks_not_read": [n.path.name for n in stacks]} if single and stacks else {}),
        },
        notes=notes,
        id_hint=_HINT if any(n.tool == CONN for n in single) else "",
    )


def _has_own_subject(name: FileName) -> bool:
    """Whether the name states a subject; an id found by a pattern counts as well."""
    return bool(name.own_id) or "sub" in name.entities


def _is_stack(name: FileName) -> bool:
    try:
        return np.asarray(load_mat(name.path).get("Z")).ndim == 3
    except UnreadableFileError:
        return False


def _refuse_several_stacks(stacks: Sequence[FileName]) -> None:
    differ = differing_entities(stacks)
    choices = "; ".join(f"{k}: {', '.join(v)}" for k, v in differ.items())
    key, values = next(iter(differ.items()), ("condition", ["001"]))
    raise DataContractError(
        "CONN",
        [
            f"several files hold all participants ({some(n.path.name for n in stacks)}). They "
            f"differ in {choices}. Choose one with entities={{{key!r}: {values[0]!r}}}."
        ],
    )


def _with_subject_ids(
    files: dict[str, FileName], subjects: Sequence[str] | None
) -> dict[str, FileName]:
    """Replace the numbers in file names by the ids that the caller gives in project order."""
    numbers = {s: int(m[1]) for s in files if (m := _NUMBER.fullmatch(s))}
    if subjects is None or len(numbers) < len(files):
        return files
    beyond = [s for s, k in numbers.items() if not 1 <= k <= len(subjects)]
    if beyond:
        raise DataContractError(
            "CONN",
            [
                f"subjects= lists {len(subjects)} ids, but there are files of {some(beyond)}: list "
                "the ids of all subjects of the project, in its order."
            ],
        )
    return {
        str(subjects[k - 1]): replace(files[s], own_id=str(subjects[k - 1]))
        for s, k in numbers.items()
    }


def _compare_counts(
    stacks: Sequence[FileName], single: Sequence[FileName], n_read: int
) -> list[str]:
    """Note files of all subjects of the same condition that hold another number of subjects."""
    conditions = {n.entities.get("condition") for n in single}
    notes = []
    for name in stacks:
        if name.entities.get("condition") not in conditions:
            continue
        try:
            n_layers = _as_stack(_load(name.path)[1]).shape[2]
        except UnreadableFileError:
            continue
        if n_layers != n_read:
            notes.append(
                f"{name.path.name} holds {n_layers} participants, but there are {n_read} files "
                "resultsROI_Subject...: those were read."
            )
    return notes


def _load(path: Path) -> tuple[tuple[str, ...], Array]:
    """Read the regions and their Fisher z, without targets that are not sources."""
    arrays = load_mat(path)
    if not {"Z", "names"} <= set(arrays):
        raise UnreadableFileError(
            f"{path.name} has no arrays Z and names: expected ROI-to-ROI results of CONN."
        )
    z, names = np.asarray(arrays["Z"], dtype=np.float64), parse_names(arrays["names"])
    targets = parse_names(arrays["names2"]) if "names2" in arrays else names
    position = [targets.index(n) if n in targets else -1 for n in names]
    if not names or min(position) < 0 or z.shape[:2] != (len(names), len(targets)):
        raise UnreadableFileError(
            f"{path.name}: Z is {' x '.join(map(str, z.shape))}, with {len(names)} names "
            f"and {len(targets)} names2: expected every name among names2."
        )
    return names, z[:, position]


def _as_stack(square: Array) -> Array:
    return square if square.ndim == 3 else square[:, :, np.newaxis]


def _read_one(name: FileName) -> SubjectValues:
    names, square = _load(name.path)
    if square.ndim == 3 and square.shape[2] != 1:
        raise UnreadableFileError(
            f"{name.path.name} holds {square.shape[2]} participants, expected one: give the path "
            "of this file, with subjects=[...] in the order of its layers."
        )
    return SubjectValues(names, _as_stack(square)[:, :, 0])


FORMATS = (
    Format(
        name="conn",
        title="first-level results of CONN (resultsROI_*.mat with Z, names)",
        find=_find,
        read=_read,
        tools=(CONN,),
    ),
)
