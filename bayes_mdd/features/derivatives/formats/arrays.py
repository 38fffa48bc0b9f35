"""Arrays of any tool: matrices, or stacks of matrices or series (``.npy``, ``.npz``, ``.mat``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.assemble import FUNCTIONAL
from bayes_mdd.features.derivatives.connectomes import (
    STRUCTURAL,
    find_region_names,
    mirror_triangles,
    weighting_units,
)
from bayes_mdd.features.derivatives.file_names import FileName
from bayes_mdd.features.derivatives.formats.mat import load_mat, parse_names
from bayes_mdd.features.derivatives.interface import Format, FormatRequest, Reading, SubjectValues
from bayes_mdd.features.derivatives.layer_ids import find_layer_ids
from bayes_mdd.features.derivatives.region_labels import names_of_columns
from bayes_mdd.features.derivatives.subjects import one_file_per_subject, read_subjects
from bayes_mdd.features.loading import UnreadableFileError
from bayes_mdd.files.arrays import read_npy, read_npz
from bayes_mdd.files.repeats import find_repeats
from bayes_mdd.types import Array

_EXTENSIONS = (".npy", ".npz", ".mat")
#: Names of arrays with ids and with region names, without case and underscores.
_ID_NAMES = (
    *("subject", "subjects", "subjectid", "subjectids", "subjid", "subid", "sub", "id", "ids"),
    *("participant", "participants", "participantid", "participantids"),
)
_REGION_NAMES = (
    *("region", "regions", "regionnames", "regionlabels", "names", "labels", "roi", "rois"),
    *("roinames", "nodes", "nodenames", "parcels"),
)


@dataclass(frozen=True)
class ArrayFile:
    """The array with the data of a file, and the names that come with it.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        Name of the array.
    values : ndarray
        Two- or three-dimensional.
    ids, regions : tuple of str or None
        Ids of the subjects and names of the regions; None if the file has none.
    """

    path: Path
    name: str
    values: Array
    ids: tuple[str, ...] | None = None
    regions: tuple[str, ...] | None = None


def load_arrays(path: Path, wanted: str | None = None) -> ArrayFile:
    """Load the data of a ``.npy``, ``.npz`` or ``.mat`` file.

    Parameters
    ----------
    path : Path
        The file.
    wanted : str, optional
        Name of the array, where a file holds several.

    Returns
    -------
    ArrayFile
        The only array of numbers with two or three dimensions, or the one that is wanted.

    Raises
    ------
    UnreadableFileError
        If the file cannot be read, or there is no such array or several.
    """
    held: Mapping[str, Any] = (
        {path.stem: read_npy(path)}
        if path.suffix == ".npy"
        else read_npz(path)
        if path.suffix == ".npz"
        else load_mat(path)
    )
    names = {k: _plain(k) for k in held}
    ids = next((held[k] for k, p in names.items() if p in _ID_NAMES), None)
    regions = next((held[k] for k, p in names.items() if p in _REGION_NAMES), None)
    numeric = {k: np.asarray(v) for k, v in held.items() if np.asarray(v).dtype.kind in "fiu"}
    data = {k: v for k, v in numeric.items() if v.ndim in (2, 3) and min(v.shape) > 1}
    data = {k: v for k, v in data.items() if names[k] not in (*_ID_NAMES, *_REGION_NAMES)}
    if wanted is not None and wanted in data:
        data = {wanted: data[wanted]}
    if len(data) != 1:
        shapes = some(f"{k} ({' x '.join(map(str, v.shape))})" for k, v in data.items())
        if data:
            raise UnreadableFileError(
                f"{path.name} has {len(data)} arrays of numbers with two or three dimensions: "
                f"{shapes}. Choose one with weighting=... (--weighting)."
            )
        found = some(f"{k} {np.shape(v)}" for k, v in held.items()) or "nothing"
        raise UnreadableFileError(
            f"{path.name} has no array of numbers with two or three dimensions; found {found}. "
            "Store "
            "the matrix in it, or remove the file."
        )
    name, values = next(iter(data.items()))
    return ArrayFile(
        path,
        name,
        values.astype(np.float64),
        None if ids is None else _names(ids),
        None if regions is None else _names(regions),
    )


def _plain(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())


def _names(array: Any) -> tuple[str, ...]:
    values = np.asarray(array)
    if values.dtype.kind in "iuf":
        return tuple(f"{v:g}" if values.dtype.kind == "f" else str(v) for v in values.ravel())
    if values.dtype.kind == "U":
        return tuple(str(v).strip() for v in values.ravel())
    return parse_names(array)


def _find(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    own = [n for n in files if n.extension in _EXTENSIONS or n.path.suffix in _EXTENSIONS]
    return {"": own} if own else {}


def _read(request: FormatRequest) -> Reading:
    files = list(request.files)
    if len(files) == 1:
        held = load_arrays(files[0].path, request.weighting)
        if held.values.ndim == 3:
            return _read_stack(held, request)
    loaded: dict[str, ArrayFile] = {}

    def read(name: FileName) -> SubjectValues:
        held = load_arrays(name.path, request.weighting)
        loaded[name.subject_id] = held
        if held.values.ndim != 2:
            shape = " x ".join(map(str, held.values.shape))
            raise UnreadableFileError(
                f"{name.path.name} is {shape}, a stack of several participants: give its path "
                "alone."
            )
        return _named(held, request)

    by_subject = read_subjects(one_file_per_subject(files), read)
    shapes = {own.values.shape[0] == own.values.shape[1] for own in by_subject.values()}
    if len(shapes) > 1:
        raise DataContractError(
            "arrays", ["some files are square matrices, others are not: give one kind."]
        )
    return _reading(request, by_subject, [n.path for n in files], [])


def _read_stack(held: ArrayFile, request: FormatRequest) -> Reading:
    stack = subjects_first(held, request)
    notes: list[str] = []
    if held.ids is None or request.subjects is not None:
        ids, notes = find_layer_ids(len(stack), held.path, request)
    elif len(held.ids) == len(stack):
        ids = list(held.ids)
    else:
        raise UnreadableFileError(
            f"{held.path.name} holds {len(stack)} participants, but {len(held.ids)} ids."
        )
    if len(set(ids)) < len(ids):
        repeated = sorted(find_repeats(ids))
        raise UnreadableFileError(f"{held.path.name} repeats the id(s) {some(repeated)}.")
    by_subject = {
        i: _named(ArrayFile(held.path, held.name, m, None, held.regions), request)
        for i, m in zip(ids, stack, strict=True)
    }
    return _reading(request, by_subject, [held.path], notes)


def subjects_first(held: ArrayFile, request: FormatRequest) -> Array:
    """Put the axis of the subjects first.

    Parameters
    ----------
    held : ArrayFile
        (subject, region, region), (region, region, subject) or (subject, time, region).
    request : FormatRequest
        Its subjects and regions tell the axes where their lengths are equal.

    Returns
    -------
    ndarray, shape (subject, region or time, region)
        The same values.

    Raises
    ------
    UnreadableFileError
        If the axes cannot be told apart.

    Examples
    --------
    >>> stack = np.ones((3, 3, 5))
    >>> request = FormatRequest(kind="", files=(), all_files=(), spec=None)
    >>> subjects_first(ArrayFile(Path("x.npy"), "x", stack), request).shape
    (5, 3, 3)
    """
    values = held.values
    a, b, c = values.shape
    first, last = values, np.moveaxis(values, 2, 0)
    square_first, square_last = b == c, a == b
    if square_first and square_last:
        both = [
            stack
            for stack in (first, last)
            if np.allclose(stack, stack.swapaxes(1, 2), equal_nan=True)
        ]
        if len(both) == 1:
            return both[0]
        raise UnreadableFileError(
            f"{held.path.name} is {a} x {b} x {c}: as many participants as regions, so that the "
            "axis of the participants cannot be told. Write one file per participant, or add or "
            "remove a participant."
        )
    if square_first:
        return first
    if square_last:
        return last
    # Series: (subject, time, region), if the last axis has the regions.
    n_regions = _count(held, request)
    if n_regions == c != b:
        return first
    if n_regions == b != c:
        return first.swapaxes(1, 2)
    raise UnreadableFileError(
        f"{held.path.name} is {a} x {b} x {c}: expected (participant, region, region) or (region, "
        "region, participant); for series (participant, time, region), give a region table with "
        "label (regions=..., --regions)."
    )


def _count(held: ArrayFile, request: FormatRequest) -> int | None:
    if held.regions is not None:
        return len(held.regions)
    return None if request.regions is None else len(request.regions)


def _named(held: ArrayFile, request: FormatRequest) -> SubjectValues:
    rows, n = held.values.shape
    if held.regions is not None:
        if len(held.regions) != n:
            raise UnreadableFileError(
                f"{held.path.name} has {n} columns, but {len(held.regions)} region names."
            )
        return SubjectValues(held.regions, held.values)
    if rows == n:
        return SubjectValues(find_region_names(n, held.path, request), held.values)
    return SubjectValues(names_of_columns(n, rows, held.path, request.regions), held.values)


def _reading(
    request: FormatRequest,
    by_subject: Mapping[str, SubjectValues],
    files: Sequence[Path],
    notes: Sequence[str],
) -> Reading:
    first = next(iter(by_subject.values())).values
    series = first.shape[0] != first.shape[1]
    if series and request.kind not in ("", FUNCTIONAL):
        raise DataContractError(
            "arrays",
            [f"{files[0].name} holds series, which give no {request.kind}: expected matrices."],
        )
    signed = any(bool((own.values < 0).any()) for own in by_subject.values())
    ones = all(np.allclose(np.diag(own.values), 1) for own in by_subject.values() if not series)
    kind = request.kind or (FUNCTIONAL if series or signed or ones else STRUCTURAL)
    facts: Mapping[str, Any] = {}
    mirrored: list[str] = []
    if kind == STRUCTURAL:
        by_subject, facts, mirrored = mirror_triangles(by_subject)
    return Reading(
        kind=kind,
        shape="series" if series else "matrix",
        by_subject=by_subject,
        units="" if kind == FUNCTIONAL else weighting_units(request.weighting),
        files=files,
        facts=facts,
        notes=[*notes, *mirrored],
    )


FORMATS = (
    Format(
        name="arrays",
        title="matrices or stacks of them as arrays (.npy, .npz, .mat: participant x region x "
        "region)",
        find=_find,
        read=_read,
        has_series=True,
    ),
)
