"""Stacks of matrices in MATLAB files: CONN results and NBS matrices.

References
----------
Whitfield-Gabrieli and Nieto-Castanon (2012), Conn: a functional connectivity toolbox. Brain
Connectivity 2.
Zalesky et al. (2010), Network-based statistic. NeuroImage 53.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.assemble import FUNCTIONAL
from bayes_mdd.features.derivatives.connectomes import find_region_names
from bayes_mdd.features.derivatives.file_names import FileName
from bayes_mdd.features.derivatives.formats.mat import find_files_with_arrays, load_mat, parse_names
from bayes_mdd.features.derivatives.interface import Format, FormatRequest, Reading, SubjectValues
from bayes_mdd.features.loading import UnreadableFileError
from bayes_mdd.features.matrices import FISHER_Z
from bayes_mdd.types import Array

# CONN: Z of all subjects in one array, or one file per subject


def _find_conn(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    return find_files_with_arrays(files, FUNCTIONAL, lambda keys: keys >= {"Z", "names"})


def _read_conn(request: FormatRequest) -> Reading:
    loaded = {n: load_mat(n.path) for n in request.files}
    by_subject: dict[str, SubjectValues] = {}
    for name, arrays in loaded.items():
        z, names = np.asarray(arrays["Z"], dtype=np.float64), parse_names(arrays["names"])
        targets = parse_names(arrays["names2"]) if "names2" in arrays else names
        position = [targets.index(n) if n in targets else -1 for n in names]
        if min(position) < 0 or z.shape[:2] != (len(names), len(targets)):
            raise UnreadableFileError(
                f"{name.path.name}: Z is {' x '.join(map(str, z.shape))}, with {len(names)} names "
                f"and {len(targets)} names2: expected every name among names2."
            )
        square = z[:, position]  # the other columns are targets only
        if z.ndim == 2:
            by_subject[name.subject_id] = SubjectValues(names, square)
        else:
            by_subject |= _layers(square, names, request, name.path)
    return Reading(
        kind=FUNCTIONAL,
        shape="matrix",
        by_subject=by_subject,
        units=FISHER_Z,
        files=[n.path for n in request.files],
        facts={"measure": "correlation (CONN)"},
    )


# NBS: a stack of matrices, with subjects on the third axis


def _find_nbs(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    return find_files_with_arrays(files, FUNCTIONAL, lambda keys: keys == {"Mat"})


def _read_nbs(request: FormatRequest) -> Reading:
    if len(request.files) > 1:
        shown = some(n.path.name for n in request.files)
        raise DataContractError("NBS", [f"several stacks ({shown}): give the path of one file."])
    path = request.files[0].path
    stack = np.asarray(load_mat(path)["Mat"], dtype=np.float64)
    if stack.ndim != 3 or stack.shape[0] != stack.shape[1]:
        raise UnreadableFileError(
            f"{path.name}: Mat is {' x '.join(map(str, stack.shape))}: expected region x region x "
            "subject."
        )
    names = find_region_names(len(stack), path, request)
    return Reading(
        kind=FUNCTIONAL,
        shape="matrix",
        by_subject=_layers(stack, names, request, path),
        files=[path],
    )


def _layers(
    stack: Array, names: tuple[str, ...], request: FormatRequest, path: Path
) -> dict[str, SubjectValues]:
    """Assign subject ids to the layers; the caller must give them, because the file has none."""
    n = stack.shape[2]
    if request.subjects is None or len(request.subjects) != n:
        given = "none" if request.subjects is None else str(len(request.subjects))
        raise UnreadableFileError(
            f"{path.name} holds {n} participants without ids: give their ids, in the order of the "
            f"layers, with subjects=[...] (given: {given})."
        )
    return {str(w): SubjectValues(names, stack[:, :, i]) for i, w in enumerate(request.subjects)}


FORMATS = (
    Format(
        name="conn",
        title="results of CONN (.mat with Z, names)",
        find=_find_conn,
        read=_read_conn,
    ),
    Format(
        name="nbs",
        title="stack of matrices of NBS (.mat with Mat: region, region, participant)",
        find=_find_nbs,
        read=_read_nbs,
    ),
)
