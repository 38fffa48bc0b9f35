"""Stacks of matrices in MATLAB files: NBS matrices.

References
----------
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
from bayes_mdd.features.derivatives.formats.mat import find_files_with_arrays, load_mat
from bayes_mdd.features.derivatives.interface import Format, FormatRequest, Reading, SubjectValues
from bayes_mdd.features.loading import UnreadableFileError
from bayes_mdd.types import Array

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
        by_subject=assign_layers(stack, names, request, path),
        files=[path],
    )


def assign_layers(
    stack: Array, names: tuple[str, ...], request: FormatRequest, path: Path
) -> dict[str, SubjectValues]:
    """Assign subject ids to the layers of a stack, which has none.

    Parameters
    ----------
    stack : ndarray, shape (region, region, subject)
        The matrices.
    names : tuple of str
        The regions.
    request : FormatRequest
        Its ``subjects`` are the ids, in the order of the layers.
    path : Path
        The file, for messages.

    Returns
    -------
    dict
        Matrix by subject.

    Raises
    ------
    UnreadableFileError
        If the ids are not given, or their number differs from that of the layers.
    """
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
        name="nbs",
        title="stack of matrices of NBS (.mat with Mat: region, region, participant)",
        find=_find_nbs,
        read=_read_nbs,
    ),
)
