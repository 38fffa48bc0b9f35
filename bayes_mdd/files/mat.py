"""Reading of MATLAB files of version 4 to 7, without foreign code for versions 5 to 7.

The reader of SciPy can end the process on damaged files of version 5 (it trusts the lengths of
elements). This reader checks every length before it is used. Values are as from
``scipy.io.loadmat``: numbers in the stored type, character arrays as strings, cell arrays as
object arrays, structures as structured object arrays.

References
----------
The MathWorks, MAT-File Format (the layout of levels 4 and 5 is published).
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from bayes_mdd.errors import UnreadableFileError
from bayes_mdd.files.mat_elements import COMPRESSED, MATRIX, Damaged, MatElement, Skipped, read_tag
from bayes_mdd.files.mat_values import HEAD, MAX_SPARSE, element_name, read_element
from bayes_mdd.files.regular import open_regular, own_errors, require_file
from bayes_mdd.files.sizes import check_expansion, expansion_limit

_HEADER = 128
#: Version 4: bytes of a header, of a value by its type, and the longest name of a variable.
_HEADER_4, _WIDTHS_4, _LONGEST_NAME = 20, (8, 4, 4, 2, 2, 1), 4096
#: Version 4: class of a sparse matrix, whose complex parts are columns.
_SPARSE_4 = 2
#: Version 4: largest code of type, class and byte order.
_MOST_4 = 5000


def read_mat(path: str | Path, names: Container[str] | None = None) -> dict[str, npt.NDArray[Any]]:
    """Read the variables of a MATLAB file.

    Parameters
    ----------
    path : str or Path
        A ``.mat`` file of version 4 to 7 (7.3 is HDF5 and refused).
    names : container of str, optional
        Names of the variables to read. Default: all. Objects and functions are left out.

    Returns
    -------
    dict
        Array by name.

    Raises
    ------
    UnreadableFileError
        If the file is missing, truncated, damaged or of version 7.3.
    """
    path = Path(path)
    size = require_file(path)
    found: dict[str, npt.NDArray[Any]] = {}
    with open_regular(path) as stream, own_errors(path, "a MATLAB file", "truncated?"):
        if _version(stream, path) == 4:
            return _read_version_4(stream, size)
        order = _byte_order(stream)
        unpacked = 0
        for raw in _elements(stream, size, order, expansion_limit(size)):
            unpacked += len(raw)
            check_expansion(path.name, size, unpacked)
            element = MatElement(raw, order)
            if names is not None and element_name(element) not in names:
                continue
            try:
                name, value = read_element(element)
            except Skipped:
                continue
            if name in found:
                raise Damaged(f"variable {name!r} occurs twice")
            found[name] = value
    return {k: v for k, v in found.items() if k and not k.startswith("__")}


def read_mat_names(path: str | Path) -> tuple[str, ...]:
    """List the variables of a MATLAB file without reading their values.

    Parameters
    ----------
    path : str or Path
        A ``.mat`` file of version 4 to 7.

    Returns
    -------
    tuple of str
        Names of the variables.

    Raises
    ------
    UnreadableFileError
        If the file is missing, truncated, damaged or of version 7.3.
    """
    path = Path(path)
    size = require_file(path)
    with open_regular(path) as stream, own_errors(path, "a MATLAB file", "truncated?"):
        if _version(stream, path) == 4:
            return tuple(_read_version_4(stream, size))
        order = _byte_order(stream)
        found = [
            element_name(MatElement(raw, order)) for raw in _elements(stream, size, order, HEAD)
        ]
    return tuple(n for n in found if n and not n.startswith("__"))


def _version(stream: BinaryIO, path: Path) -> int:
    head = stream.read(_HEADER)
    stream.seek(0)
    if head.startswith(b"\x89HDF\r\n\x1a\n") or head.startswith(b"MATLAB 7.3"):
        raise UnreadableFileError(f"{path.name} is a MATLAB 7.3 file: save it with '-v7'.")
    if 0 in head[:4]:
        return 4
    if len(head) < _HEADER or head[126:128] not in (b"IM", b"MI"):
        raise Damaged("it has no MATLAB header")
    return 5


def _byte_order(stream: BinaryIO) -> str:
    return "<" if stream.read(_HEADER)[126:128] == b"IM" else ">"


def _elements(stream: BinaryIO, size: int, order: str, most: int) -> Iterator[bytes]:
    """Yield the elements of a file, decompressed; of each at most `most` bytes."""
    while (start := stream.tell()) < size:
        kind, length, _ = read_tag(stream.read(8), order)
        if kind not in (COMPRESSED, MATRIX) or length > size - start - 8:
            raise Damaged(f"element at byte {start} is not complete")
        if kind == MATRIX:
            stream.seek(start)
            yield stream.read(min(length + 8, most))
        else:
            # Compressed data of more than `most` bytes expand to more than `most`.
            unpacker = zlib.decompressobj()
            raw = unpacker.decompress(stream.read(min(length, most)), most)
            if not unpacker.eof and len(raw) < most:
                raise Damaged(f"compressed element at byte {start} is truncated")
            yield raw
        stream.seek(start + 8 + length)


def _read_version_4(stream: BinaryIO, size: int) -> dict[str, npt.NDArray[Any]]:
    """Read by SciPy, whose reader of this version is written in Python."""
    from scipy.io import loadmat

    _check_version_4(stream, size)
    stream.seek(0)
    found = loadmat(io.BytesIO(stream.read(size)), spmatrix=False)
    return {k: _dense(v) for k, v in found.items() if not k.startswith("__")}


def _check_version_4(stream: BinaryIO, size: int) -> None:
    """Follow the headers of all variables to the end of the file."""
    at = 0
    while at < size:
        stream.seek(at)
        head = stream.read(_HEADER_4)
        if len(head) < _HEADER_4:
            raise Damaged(f"variable at byte {at} is not complete")
        # The first number is small in the byte order of the file.
        order = "<" if 0 <= struct.unpack("<i", head[:4])[0] <= _MOST_4 else ">"
        kind, rows, columns, parts, name = struct.unpack(f"{order}5i", head)
        code = kind // 10 % 10
        known = 0 <= kind <= _MOST_4 and code < len(_WIDTHS_4) and parts in (0, 1)
        if not (known and rows >= 0 and columns >= 0 and 0 < name <= _LONGEST_NAME):
            raise Damaged(f"it has no variable of version 4 at byte {at}")
        copies = 1 + (parts and kind % 10 != _SPARSE_4)
        at += _HEADER_4 + name + rows * columns * _WIDTHS_4[code] * copies
        if at > size:
            raise Damaged(f"a variable of {rows} x {columns} values is not complete")


def _dense(value: Any) -> npt.NDArray[Any]:
    if not hasattr(value, "toarray"):
        return np.asarray(value)
    if np.prod(value.shape, dtype=np.float64) > MAX_SPARSE:
        raise Damaged(f"a sparse matrix has the dimensions {value.shape}")
    return np.asarray(value.toarray())
