"""Stacks of matrices in MATLAB files: results of CONN, matrices of NBS.

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
from bayes_mdd.features.derivatives.formats.mat import holding, load_mat, texts
from bayes_mdd.features.derivatives.names import FileName
from bayes_mdd.features.derivatives.nodes import labelled_names
from bayes_mdd.features.derivatives.values import Format, Measured, Reading, Request
from bayes_mdd.features.loading import Floats, UnreadableFileError
from bayes_mdd.features.matrices import FISHER_Z

# CONN: Z of all people in one array, or one file a person


def _conn(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    return holding(files, FUNCTIONAL, lambda keys: keys >= {"Z", "names"})


def _read_conn(request: Request) -> Reading:
    held = {n: load_mat(n.path) for n in request.files}
    people: dict[str, Measured] = {}
    for name, arrays in held.items():
        z, names = np.asarray(arrays["Z"], dtype=np.float64), texts(arrays["names"])
        targets = texts(arrays["names2"]) if "names2" in arrays else names
        place = [targets.index(n) if n in targets else -1 for n in names]
        if min(place) < 0 or z.shape[:2] != (len(names), len(targets)):
            raise UnreadableFileError(
                f"{name.path.name}: Z is {' x '.join(map(str, z.shape))}, with {len(names)} names "
                f"and {len(targets)} names2: expected every name among names2."
            )
        square = z[:, place]  # columns beyond the sources are targets only
        if z.ndim == 2:
            people[name.person] = Measured(names, square)
        else:
            people |= _layers(square, names, request, name.path)
    return Reading(
        kind=FUNCTIONAL,
        shape="matrix",
        people=people,
        units=FISHER_Z,
        files=[n.path for n in request.files],
        facts={"measure": "correlation (CONN)"},
    )


# NBS: a stack whose third axis is the person


def _nbs(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    return holding(files, FUNCTIONAL, lambda keys: keys == {"Mat"})


def _read_nbs(request: Request) -> Reading:
    if len(request.files) > 1:
        shown = some(n.path.name for n in request.files)
        raise DataContractError("NBS", [f"several stacks ({shown}): give the one file."])
    path = request.files[0].path
    stack = np.asarray(load_mat(path)["Mat"], dtype=np.float64)
    if stack.ndim != 3 or stack.shape[0] != stack.shape[1]:
        raise UnreadableFileError(
            f"{path.name}: Mat is {' x '.join(map(str, stack.shape))}: expected region x region x "
            "person."
        )
    names = labelled_names(len(stack), path, request)
    return Reading(
        kind=FUNCTIONAL,
        shape="matrix",
        people=_layers(stack, names, request, path),
        files=[path],
    )


def _layers(
    stack: Floats, names: tuple[str, ...], request: Request, path: Path
) -> dict[str, Measured]:
    """Give every layer its person; the file has no ids, so the caller must."""
    n = stack.shape[2]
    if request.subjects is None or len(request.subjects) != n:
        given = "none were given" if request.subjects is None else f"{len(request.subjects)} given"
        raise UnreadableFileError(
            f"{path.name} holds {n} people without ids ({given}): say who they are, in the order "
            "of the layers, with subjects=[...]."
        )
    return {str(w): Measured(names, stack[:, :, i]) for i, w in enumerate(request.subjects)}


FORMATS = (
    Format(name="conn", title="results of CONN (.mat with Z, names)", find=_conn, read=_read_conn),
    Format(
        name="nbs",
        title="stack of matrices of NBS (.mat with Mat, person third)",
        find=_nbs,
        read=_read_nbs,
    ),
)
