"""Reading of NumPy files: the declared shape is held against the size before memory is taken."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from bayes_mdd.errors import UnreadableFileError, some
from bayes_mdd.files.regular import open_regular, own_errors, require_file
from bayes_mdd.files.sizes import check_expansion

type AnyArray = npt.NDArray[Any]

#: Largest number of arrays in an archive.
MAX_ARRAYS = 10_000
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_MAX_DIMS = 32
_ADVICE = "truncated, or contains objects"


def read_npy(path: str | Path) -> AnyArray:
    """Read one array.

    Parameters
    ----------
    path : str or Path
        A ``.npy`` file.

    Returns
    -------
    numpy.ndarray
        The array, in the stored type.

    Raises
    ------
    UnreadableFileError
        If the file is not one array of numbers or text with the declared shape.
    """
    path = Path(path)
    size = require_file(path)
    with (
        open_regular(path) as stream,
        own_errors(path, "a .npy array", _ADVICE),
    ):
        if stream.read(4) == b"PK\x03\x04":
            raise UnreadableFileError(f"{path.name} is an .npz archive: rename it to .npz.")
        stream.seek(0)
        return _read_array(stream, size, "the array")


def read_npz(path: str | Path, keys: Iterable[str] | None = None) -> dict[str, AnyArray]:
    """Read arrays of an archive.

    Parameters
    ----------
    path : str or Path
        A ``.npz`` file.
    keys : iterable of str, optional
        Names of the arrays to read; others are not read. Default: all.

    Returns
    -------
    dict
        Array by name, in the stored type.

    Raises
    ------
    UnreadableFileError
        If the file is not an archive of arrays, or lacks one of `keys`.
    """
    path = Path(path)
    size = require_file(path)
    with (
        open_regular(path) as stream,
        own_errors(path, "an .npz archive", _ADVICE),
        zipfile.ZipFile(stream) as archive,
    ):
        members = _members(archive, path.name)
        wanted = list(members) if keys is None else list(keys)
        missing = [k for k in wanted if k not in members]
        if missing:
            raise UnreadableFileError(
                f"{path.name} lacks {some(missing)}: expected the arrays {', '.join(wanted)}; "
                f"found {some(members, 8)}."
            )
        check_expansion(path.name, size, sum(members[k].file_size for k in wanted))
        arrays = {}
        for key in wanted:
            with (
                own_errors(path, f"an array of an .npz archive ({key})", _ADVICE),
                archive.open(members[key]) as member,
            ):
                arrays[key] = _read_array(member, members[key].file_size, "the array")
        return arrays


def _members(archive: zipfile.ZipFile, name: str) -> dict[str, zipfile.ZipInfo]:
    entries = archive.infolist()
    members = {i.filename.removesuffix(".npy"): i for i in entries}
    if len(members) < len(entries):
        raise UnreadableFileError(f"{name} contains several arrays of one name.")
    if len(members) > MAX_ARRAYS:
        raise UnreadableFileError(f"{name} contains {len(members)} arrays: is it the right file?")
    if any(i.compress_type not in _METHODS or i.flag_bits & 1 for i in entries):
        raise UnreadableFileError(f"{name} is encrypted or compressed with another method.")
    return members


def _read_array(stream: Any, size: int, name: str) -> AnyArray:
    """Read one array of `size` bytes, header included."""
    shape, fortran, dtype = _read_header(stream)
    if dtype.hasobject:
        raise ValueError(f"{name} contains objects: store numbers or text only")
    if len(shape) > _MAX_DIMS or any(n < 0 for n in shape):
        raise ValueError(f"{name} declares the shape {shape}")
    expected = math.prod(shape) * dtype.itemsize
    found = size - stream.tell()
    if expected != found:
        state = "truncated" if found < expected else "damaged, or holds more than one array"
        raise ValueError(
            f"{name} declares {expected} bytes (shape {shape}, {dtype}) and contains {found}: it "
            f"is {state}"
        )
    # A new copy, because an array over bytes is read-only.
    flat = np.frombuffer(stream.read(found), dtype=dtype, count=math.prod(shape)).copy()
    if dtype.kind == "U" and not _is_text(flat):
        raise ValueError(f"{name} contains text that is not Unicode")
    return flat.reshape(shape, order="F" if fortran else "C")


def _is_text(flat: AnyArray) -> bool:
    codes = flat.view(np.dtype(np.uint32).newbyteorder(flat.dtype.byteorder))
    return not ((codes > 0x10FFFF) | ((codes >= 0xD800) & (codes < 0xE000))).any()


def _read_header(stream: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(stream)
    if version in ((2, 0), (3, 0)):
        # The third version differs in the encoding of names of fields only.
        return np.lib.format.read_array_header_2_0(stream)
    raise ValueError(f"version {version} of the format is not known")
