"""MATLAB files: connectomes of QSIRecon and DSI Studio.

References
----------
Cieslak et al. (2021), QSIPrep: an integrative platform for preprocessing and reconstructing
diffusion MRI data. Nature Methods 18.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bayes_mdd.errors import DataContractError, UnreadableFileError, some
from bayes_mdd.features.derivatives.connectomes import (
    STRUCTURAL,
    mirror_triangles,
    weighting_units,
)
from bayes_mdd.features.derivatives.file_names import FileName
from bayes_mdd.features.derivatives.interface import Format, FormatRequest, Reading, SubjectValues
from bayes_mdd.features.derivatives.subjects import one_file_per_subject, read_subjects
from bayes_mdd.files.mat import read_mat, read_mat_names
from bayes_mdd.types import Array

_LABELS = "_region_labels"
_CONNECTIVITY = re.compile(r"(?:atlas_)?(?P<rest>.+)_connectivity")


def load_mat(path: Path) -> dict[str, Any]:
    """Read the arrays of a MATLAB file of version 4 to 7.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    dict
        Array by name.

    Raises
    ------
    UnreadableFileError
        If the file is missing, annexed, empty, damaged or of version 7.3 (HDF5).
    """
    return dict(read_mat(path))


def _keys(path: Path) -> tuple[str, ...]:
    try:
        return read_mat_names(path)
    except UnreadableFileError:
        return ()


def find_files_with_arrays(
    files: Sequence[FileName], kind: str, is_format: Callable[[frozenset[str]], bool]
) -> dict[str, list[FileName]]:
    """Find the files with the arrays of a format, and similarly named files that are unreadable.

    The latter are included so that they are reported rather than ignored.

    Parameters
    ----------
    files : sequence of FileName
        All files.
    kind : str
        Kind of data in these files.
    is_format : callable
        Whether names of arrays are those of the format.

    Returns
    -------
    dict
        Files by kind; empty if there are none.
    """
    keys = {n: _keys(n.path) for n in files if n.path.suffix == ".mat"}
    found = [n for n, own in keys.items() if is_format(frozenset(own))]
    if not found:
        return {}
    endings = {(n.suffix, n.extension) for n in found}
    damaged = [n for n, own in keys.items() if not own and (n.suffix, n.extension) in endings]
    return {kind: [n for n in keys if n in found or n in damaged]}


def parse_names(cells: Any) -> tuple[str, ...]:
    r"""Convert a cell array, a character array or a DSI Studio byte string to names.

    Parameters
    ----------
    cells : array
        As returned by scipy.

    Returns
    -------
    tuple of str
        One name per entry.

    Raises
    ------
    UnreadableFileError
        If a byte string is not UTF-8.

    Examples
    --------
    >>> parse_names(np.frombuffer(b"left\nright\n", dtype=np.uint8))
    ('left', 'right')
    """
    array = np.asarray(cells)
    if array.dtype.kind in "ui":
        try:
            text = bytes(array.ravel().astype(np.uint8)).decode()
        except UnicodeDecodeError as error:
            raise UnreadableFileError(
                f"its names of regions are not UTF-8 text ({error.reason} at {error.start}): the "
                "file is damaged; copy or create it again."
            ) from error
        return tuple(text.split("\n")[:-1])
    out = [str(np.asarray(c).ravel()[0]) if np.size(c) else "" for c in array.ravel().tolist()]
    if len(out) == 1 and "\n" in out[0]:
        return tuple(line for line in out[0].split("\n") if line)
    return tuple(text.strip() for text in out)


# QSIRecon: files with several weightings (and atlases)


def _find_qsirecon(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    def is_format(keys: frozenset[str]) -> bool:
        labels = any(k.endswith(_LABELS) for k in keys)
        return labels and any(map(_CONNECTIVITY.fullmatch, keys))

    return find_files_with_arrays(files, STRUCTURAL, is_format)


def _read_qsirecon(request: FormatRequest) -> Reading:
    files = one_file_per_subject(request.files)
    chosen: dict[str, tuple[str, str]] = {}

    def read(name: FileName) -> SubjectValues:
        arrays = load_mat(name.path)
        atlas, key, weighting = choose_weighting(arrays, request, name.path)
        chosen[name.subject_id] = (atlas, weighting)
        labels = parse_names(arrays[f"{atlas}{_LABELS}"])
        matrix = _checked_matrix(np.asarray(arrays[key]), labels, name.path, weighting)
        return SubjectValues(labels, matrix)

    by_subject, facts, notes = mirror_triangles(read_subjects(files, read))
    if len(set(chosen.values())) > 1:
        listed = some(dict.fromkeys(f"{a} {w}" for a, w in chosen.values()))
        raise DataContractError(
            "connectomes",
            [f"the cohort mixes {listed}: choose one with atlas= and weighting=."],
        )
    atlas, weighting = next(iter(chosen.values()))
    return Reading(
        kind=STRUCTURAL,
        shape="matrix",
        by_subject=by_subject,
        units=weighting_units(weighting),
        files=[n.path for n in files.values()],
        # The variable `command` describes one of the weightings only and is not recorded.
        facts={"atlas_in_file": atlas, "weighting_in_file": weighting, **facts},
        notes=notes,
    )


def choose_weighting(
    arrays: Mapping[str, Any], request: FormatRequest, path: Path
) -> tuple[str, str, str]:
    """Find the atlas and the weighting to read.

    Parameters
    ----------
    arrays : mapping
        Arrays of the file.
    request : Request
        The requested atlas and weighting.
    path : Path
        The file, for messages.

    Returns
    -------
    tuple
        Prefix of the atlas, key of the matrix, and name of the weighting.

    Raises
    ------
    UnreadableFileError
        If none or several match; the message lists the choices.
    """
    prefixes = sorted(k.removesuffix(_LABELS) for k in arrays if k.endswith(_LABELS))
    choices: dict[tuple[str, str], str] = {}
    for key in arrays:
        # The name of an atlas may be the beginning of another: the longest prefix counts.
        own = [p for p in prefixes if key.startswith(f"{p}_") and key.endswith("_connectivity")]
        if own:
            prefix = max(own, key=len)
            choices[prefix, key[len(prefix) + 1 :].removesuffix("_connectivity")] = key
    wanted = None if request.atlas is None else str(request.atlas)
    atlases = {p: p.removeprefix("atlas_") for p, _ in choices}
    if wanted in atlases.values():
        choices = {k: v for k, v in choices.items() if atlases[k[0]] == wanted}
    if request.weighting is not None:
        exact = {k: v for k, v in choices.items() if k[1] == request.weighting}
        choices = exact or {k: v for k, v in choices.items() if request.weighting in k[1]}
    if not choices:
        wanted = "" if request.weighting is None else f" with weighting {request.weighting!r}"
        raise UnreadableFileError(f"{path.name} has no matrix *_connectivity{wanted}.")
    if len(choices) > 1:
        listed = "; ".join(f"atlas={atlases.get(a, a)!r}, weighting={w!r}" for a, w in choices)
        raise UnreadableFileError(f"{path.name} has several matrices: choose {listed}.")
    (prefix, weighting), key = next(iter(choices.items()))
    return prefix, key, weighting


def _checked_matrix(matrix: Any, labels: Sequence[str], path: Path, weighting: str) -> Array:
    values = np.array(matrix, dtype=np.float64)
    if values.shape != (len(labels), len(labels)):
        raise UnreadableFileError(
            f"{path.name}: the matrix of {weighting or 'connectivity'} is "
            f"{' x '.join(map(str, values.shape))}, its label list has {len(labels)}: regions "
            "without streamlines were lost (the largest label determines the size in "
            "tck2connectome), so rows and names cannot be matched. Recompute the matrix with all "
            "labels."
        )
    if "length" in weighting.lower():
        values[values == 0] = np.nan  # no streamline, hence no length
    return values


# DSI Studio


def _find_dsi(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    return find_files_with_arrays(files, STRUCTURAL, lambda keys: keys >= {"connectivity", "name"})


def _read_dsi(request: FormatRequest) -> Reading:
    files = one_file_per_subject(request.files)

    def read(name: FileName) -> SubjectValues:
        arrays = load_mat(name.path)
        labels = parse_names(arrays["name"])
        weighting = request.weighting or ""
        matrix = _checked_matrix(arrays["connectivity"], labels, name.path, weighting)
        return SubjectValues(labels, matrix)

    by_subject, facts, notes = mirror_triangles(read_subjects(files, read))
    return Reading(
        kind=STRUCTURAL,
        shape="matrix",
        by_subject=by_subject,
        units=weighting_units(request.weighting),
        files=[n.path for n in files.values()],
        facts=facts,
        notes=notes,
    )


FORMATS = (
    Format(
        name="qsirecon_connectivity",
        handles_atlas=True,
        title="connectomes of QSIRecon or QSIPrep (*_connectivity.mat)",
        find=_find_qsirecon,
        read=_read_qsirecon,
    ),
    Format(
        name="dsistudio_connectivity",
        title="connectomes of DSI Studio (*.connectivity.mat)",
        find=_find_dsi,
        read=_read_dsi,
    ),
)
