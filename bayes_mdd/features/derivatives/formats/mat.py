"""MATLAB files: connectomes of QSIRecon and DSI Studio.

References
----------
Cieslak et al. (2021), QSIPrep: an integrative platform for preprocessing and reconstructing
diffusion MRI data. Nature Methods 18.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.derivatives.names import FileName
from bayes_mdd.features.derivatives.nodes import (
    STRUCTURAL,
    mirrored,
    weighting_units,
)
from bayes_mdd.features.derivatives.subjects import one_per_person, read_people
from bayes_mdd.features.derivatives.values import Format, Measured, Reading, Request
from bayes_mdd.features.loading import Floats, UnreadableFileError, require_file

_LABELS = "_region_labels"
_CONNECTIVITY = re.compile(r"(?:atlas_)?(?P<rest>.+)_connectivity")


def load_mat(path: Path) -> dict[str, Any]:
    """Read the arrays of a MATLAB file of version 5 to 7.2.

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
        If it is absent, annexed, empty, truncated, or of version 7.3 (HDF5).
    """
    from scipy.io import loadmat

    require_file(path)
    try:
        return {k: v for k, v in loadmat(path).items() if not k.startswith("__")}
    except NotImplementedError as error:
        raise UnreadableFileError(
            f"{path.name} is a MATLAB 7.3 file: save it with '-v7' and read it again."
        ) from error
    except (OSError, ValueError, TypeError, EOFError, KeyError, zlib.error) as error:
        raise UnreadableFileError(
            f"{path.name} cannot be read as a MATLAB file (truncated?): {error}."
        ) from error


def _keys(path: Path) -> tuple[str, ...]:
    from scipy.io import whosmat

    try:
        require_file(path)
        return tuple(name for name, _, _ in whosmat(path))
    except (OSError, ValueError, TypeError, EOFError, NotImplementedError, zlib.error):
        return ()


def holding(
    files: Sequence[FileName], kind: str, fits: Callable[[frozenset[str]], bool]
) -> dict[str, list[FileName]]:
    """Find the files with fitting arrays; one of their like that cannot be read comes along.

    Parameters
    ----------
    files : sequence of FileName
        All files.
    kind : str
        Kind of data of those that fit.
    fits : callable
        Whether names of arrays are those of the format.

    Returns
    -------
    dict
        Kind to files, empty where none fits.
    """
    keys = {n: _keys(n.path) for n in files if n.path.suffix == ".mat"}
    found = [n for n, own in keys.items() if fits(frozenset(own))]
    if not found:
        return {}
    like = {(n.suffix, n.extension) for n in found}
    broken = [n for n, own in keys.items() if not own and (n.suffix, n.extension) in like]
    return {kind: [n for n in keys if n in found or n in broken]}


def texts(cells: Any) -> tuple[str, ...]:
    r"""Read names out of a cell array, a character array or a DSI Studio byte string.

    Parameters
    ----------
    cells : array
        As scipy gives it.

    Returns
    -------
    tuple of str
        One name an entry.

    Examples
    --------
    >>> texts(np.frombuffer(b"left\nright\n", dtype=np.uint8))
    ('left', 'right')
    """
    array = np.asarray(cells)
    if array.dtype.kind in "ui":
        return tuple(bytes(array.ravel().astype(np.uint8)).decode().split("\n")[:-1])
    flat = [c for c in array.ravel().tolist()]
    out = [str(np.asarray(c).ravel()[0]) if np.size(c) else "" for c in flat]
    if len(out) == 1 and "\n" in out[0]:
        return tuple(line for line in out[0].split("\n") if line)
    return tuple(text.strip() for text in out)


# QSIRecon: several weightings (and atlases) in one file


def _qsirecon(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    def fits(keys: frozenset[str]) -> bool:
        labels = any(k.endswith(_LABELS) for k in keys)
        return labels and any(map(_CONNECTIVITY.fullmatch, keys))

    return holding(files, STRUCTURAL, fits)


def _read_qsirecon(request: Request) -> Reading:
    files = one_per_person(request.files)
    chosen: dict[str, tuple[str, str]] = {}

    def read(name: FileName) -> Measured:
        held = load_mat(name.path)
        atlas, key, weighting = choose_weighting(held, request, name.path)
        chosen[name.person] = (atlas, weighting)
        labels = texts(held[f"{atlas}{_LABELS}"])
        return Measured(labels, _sized(np.asarray(held[key]), labels, name.path, weighting))

    people, facts, notes = mirrored(read_people(files, read))
    if len(set(chosen.values())) > 1:
        listed = some(dict.fromkeys(f"{a} {w}" for a, w in chosen.values()))
        raise DataContractError(
            "connectomes", [f"the cohort mixes {listed}: say which with atlas= and weighting=."]
        )
    atlas, weighting = next(iter(chosen.values()))
    return Reading(
        kind=STRUCTURAL,
        shape="matrix",
        people=people,
        units=weighting_units(weighting),
        files=[n.path for n in files.values()],
        # `command` of the file belongs to one of its weightings only, so it is not taken along.
        facts={"atlas_in_file": atlas, "weighting_in_file": weighting, **facts},
        notes=notes,
    )


def choose_weighting(held: Mapping[str, Any], request: Request, path: Path) -> tuple[str, str, str]:
    """Find the atlas and the weighting to take.

    Parameters
    ----------
    held : mapping
        Arrays of the file.
    request : Request
        What was asked for.
    path : Path
        For messages.

    Returns
    -------
    tuple
        Prefix of the atlas, key of the matrix, name of the weighting.

    Raises
    ------
    UnreadableFileError
        If there are several; the choices are named.
    """
    prefixes = sorted(k.removesuffix(_LABELS) for k in held if k.endswith(_LABELS))
    by: dict[tuple[str, str], str] = {}
    for key in held:
        # The longest prefix is the atlas: one name of an atlas may begin another.
        own = [p for p in prefixes if key.startswith(f"{p}_") and key.endswith("_connectivity")]
        if own:
            prefix = max(own, key=len)
            by[prefix, key[len(prefix) + 1 :].removesuffix("_connectivity")] = key
    wanted = None if request.atlas is None else str(request.atlas)
    atlases = {p: p.removeprefix("atlas_") for p, _ in by}
    if wanted in atlases.values():
        by = {k: v for k, v in by.items() if atlases[k[0]] == wanted}
    if request.weighting is not None:
        exact = {k: v for k, v in by.items() if k[1] == request.weighting}
        by = exact or {k: v for k, v in by.items() if request.weighting in k[1]}
    if len(by) != 1:
        listed = [f"atlas={atlases.get(a, a)!r}, weighting={w!r}" for a, w in by]
        what = "; ".join(listed) or f"none with weighting {request.weighting!r}"
        raise UnreadableFileError(f"{path.name} holds {what}: say which one.")
    (prefix, weighting), key = next(iter(by.items()))
    return prefix, key, weighting


def _sized(matrix: Any, labels: Sequence[str], path: Path, weighting: str) -> Floats:
    values = np.array(matrix, dtype=np.float64)
    if values.shape != (len(labels), len(labels)):
        raise UnreadableFileError(
            f"{path.name}: the matrix of {weighting or 'connectivity'} is "
            f"{' x '.join(map(str, values.shape))}, its label list has {len(labels)}: a region got "
            "no streamline and was lost (tck2connectome sizes by the largest label), so rows and "
            "names cannot be matched. Make it again with the full list of labels."
        )
    if "length" in weighting.lower():
        values[values == 0] = np.nan  # no streamline has no length; 0 mm would be a short one
    return values


# DSI Studio


def _dsi(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    return holding(files, STRUCTURAL, lambda keys: keys >= {"connectivity", "name"})


def _read_dsi(request: Request) -> Reading:
    files = one_per_person(request.files)

    def read(name: FileName) -> Measured:
        held = load_mat(name.path)
        labels = texts(held["name"])
        weighting = request.weighting or ""
        return Measured(labels, _sized(held["connectivity"], labels, name.path, weighting))

    people, facts, notes = mirrored(read_people(files, read))
    return Reading(
        kind=STRUCTURAL,
        shape="matrix",
        people=people,
        units=weighting_units(request.weighting),
        files=[n.path for n in files.values()],
        facts=facts,
        notes=notes,
    )


FORMATS = (
    Format(
        name="qsirecon_connectivity",
        finds_atlas=True,
        title="connectomes of QSIRecon or QSIPrep (*_connectivity.mat)",
        find=_qsirecon,
        read=_read_qsirecon,
    ),
    Format(
        name="dsistudio_connectivity",
        title="connectomes of DSI Studio (*.connectivity.mat)",
        find=_dsi,
        read=_read_dsi,
    ),
)
