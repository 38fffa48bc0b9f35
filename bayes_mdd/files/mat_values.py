"""Variables of MATLAB files of version 5 to 7: header, and value as an array."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from bayes_mdd.files.mat_elements import (
    INT32,
    MATRIX,
    NUMBERS,
    UINT32,
    AnyArray,
    Damaged,
    MatElement,
    Skipped,
    read_tag,
)

_TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_CELL, _STRUCT, _CHAR, _SPARSE = 1, 2, 4, 5
_NUMERIC = range(6, 16)
_COMPLEX, _LOGICAL = 0x08, 0x02
_MAX_DIMS = 32
#: Bytes of an element that contain its flags, dimensions and name.
HEAD = 4096
#: Deepest nesting of cells and structures, and largest number of their entries.
_MAX_DEPTH = 20
_MAX_ENTRIES = 500_000
#: Largest number of values of a sparse matrix, zeros included.
MAX_SPARSE = 25_000_000


class _Header(NamedTuple):
    kind: int
    complex: bool
    logical: bool
    shape: tuple[int, ...]
    name: str


def _read_header(element: MatElement) -> _Header:
    flags = element.numbers(UINT32)
    if flags.size != 2:
        raise Damaged("the flags of a variable have another length")
    kind = int(flags[0]) & 0xFF
    if kind not in (_CELL, _STRUCT, _CHAR, _SPARSE, *_NUMERIC):
        raise Skipped
    shape = tuple(map(int, element.numbers(INT32, UINT32)))
    if not 2 <= len(shape) <= _MAX_DIMS or min(shape) < 0:
        raise Damaged(f"a variable has the dimensions {shape}")
    _, name = element.take(1, 2, 16)
    marks = int(flags[0]) >> 8
    text = bytes(name).decode("utf-8", "replace")
    return _Header(kind, bool(marks & _COMPLEX), bool(marks & _LOGICAL), shape, text)


def element_name(element: MatElement) -> str:
    """Read the name of a variable.

    Parameters
    ----------
    element : MatElement
        The variable; its first bytes suffice. Its position is not changed.

    Returns
    -------
    str
        The name; empty for objects and functions, which have none.
    """
    head = MatElement(bytes(element.raw[8 : 8 + HEAD]), element.order)
    if read_tag(element.raw[:8], element.order).kind != MATRIX:
        raise Damaged("an element is not a variable")
    try:
        return _read_header(head).name
    except Skipped:
        return ""


def read_element(element: MatElement, depth: int = 0) -> tuple[str, AnyArray]:
    """Read the name and the value of a variable or of an entry of a cell or structure.

    Parameters
    ----------
    element : MatElement
        Positioned at the tag of the variable; afterwards behind it.
    depth : int, default 0
        Number of cells and structures around it.

    Returns
    -------
    tuple
        Name and value.

    Raises
    ------
    Skipped
        If it is or contains an object or a function.
    """
    element.entries += 1
    if depth > _MAX_DEPTH or element.entries > _MAX_ENTRIES:
        raise Damaged("cells or structures are nested too deeply or have too many entries")
    end = element.end
    tag = read_tag(element.raw[element.at : min(element.at + 8, end)], element.order)
    start = element.at + 8
    if tag.kind != MATRIX or tag.small or tag.length > end - start:
        raise Damaged("a variable is not complete")
    if tag.length == 0:
        element.at = start
        return "", np.zeros((0, 0))
    element.at, element.end = start, start + tag.length
    header = _read_header(element)
    value = _reader(header.kind)(element, header, depth)
    element.at, element.end = element.end, end
    return header.name, value


def _reader(kind: int) -> Callable[[MatElement, _Header, int], AnyArray]:
    return {_CELL: _cells, _STRUCT: _structure, _CHAR: _characters, _SPARSE: _sparse}.get(
        kind, _numeric
    )


def _shaped(values: AnyArray, shape: tuple[int, ...]) -> AnyArray:
    if values.size != math.prod(shape):
        raise Damaged(f"a variable of dimensions {shape} has {values.size} values")
    return values.reshape(shape, order="F")


def _numeric(element: MatElement, header: _Header, depth: int) -> AnyArray:
    real = _shaped(element.numbers(), header.shape)
    if header.complex:
        return np.asarray(real + 1j * _shaped(element.numbers(), header.shape))
    # Native and writable, as from SciPy.
    return real.astype(real.dtype.newbyteorder("="), order="F")


def _characters(element: MatElement, header: _Header, depth: int) -> AnyArray:
    kind, data = element.take(*_TEXTS)
    encoding = _TEXTS[kind]
    if encoding.startswith("utf-") and encoding != "utf-8":
        encoding += "-le" if element.order == "<" else "-be"
    text = bytes(data).decode(encoding, "replace")
    count = math.prod(header.shape)
    if count == 0:
        return np.array([], dtype="U1")
    # Some writers leave the data of blank strings out.
    text = text or (" " * count if count < _MAX_ENTRIES else "")
    if len(text) != count:
        raise Damaged(f"text of dimensions {header.shape} has {len(text)} characters")
    letters = np.array(list(text), dtype="U1").reshape(header.shape, order="F")
    rows = letters.reshape(-1, header.shape[-1])
    lines = np.array(["".join(row) for row in rows.tolist()])
    return lines.reshape(header.shape[:-1])


def _entries(element: MatElement, count: int, depth: int) -> list[AnyArray]:
    if count > (element.end - element.at) // 8:
        raise Damaged(f"a cell or structure has {count} entries, more than its length allows")
    return [read_element(element, depth + 1)[1] for _ in range(count)]


def _cells(element: MatElement, header: _Header, depth: int) -> AnyArray:
    return _objects(_entries(element, math.prod(header.shape), depth), header.shape)


def _objects(values: list[AnyArray], shape: tuple[int, ...]) -> AnyArray:
    out = np.empty(len(values), dtype=object)
    for i, value in enumerate(values):
        out[i] = value
    return out.reshape(shape, order="F")


def _structure(element: MatElement, header: _Header, depth: int) -> AnyArray:
    length = element.numbers(INT32, UINT32)
    _, names = element.take(1, 2)
    if length.size != 1 or length[0] < 1 or len(names) % length[0]:
        raise Damaged("the names of the fields of a structure are damaged")
    width = int(length[0])
    raw = (bytes(names[i : i + width]) for i in range(0, len(names), width))
    fields = [name.split(b"\0")[0].decode("latin-1") for name in raw]
    # Some writers repeat a name.
    fields = [f"_{i}_{n}" if n in fields[:i] or not n else n for i, n in enumerate(fields)]
    if len(set(fields)) < len(fields):
        raise Damaged("the names of the fields of a structure are damaged")
    count = math.prod(header.shape)
    values = _entries(element, count * len(fields), depth)
    if not fields:
        return np.empty(header.shape if count <= _MAX_ENTRIES else 0, dtype=object)
    flat = np.empty(count, dtype=[(name, object) for name in fields])
    for k, name in enumerate(fields):
        flat[name] = _objects(values[k :: len(fields)], (count,))
    return flat.reshape(header.shape, order="F")


def _sparse_values(element: MatElement, header: _Header) -> AnyArray:
    """Read the values; those of logical matrices are bytes, whatever type their tag states."""
    if not header.logical:
        return element.numbers()
    kind, data = element.take(*NUMBERS)
    dtype = np.dtype(f"{element.order}{NUMBERS[kind]}")
    full = len(data) % dtype.itemsize == 0 and kind != 9
    return np.frombuffer(data, dtype=dtype if full else np.uint8)


def _sparse(element: MatElement, header: _Header, depth: int) -> AnyArray:
    """Fill a sparse matrix; MATLAB stores connectivity so where most of it is zero."""
    rows, starts = element.numbers(INT32, UINT32), element.numbers(INT32, UINT32)
    values = _sparse_values(element, header)
    if header.complex:
        values = values + 1j * element.numbers()
    if len(header.shape) != 2 or math.prod(header.shape) > MAX_SPARSE:
        raise Damaged(f"a sparse matrix has the dimensions {header.shape}")
    starts, n = starts.astype(np.int64), header.shape[1]
    if starts.size != n + 1 or starts[0] != 0 or (np.diff(starts) < 0).any():
        raise Damaged("the columns of a sparse matrix are damaged")
    used = int(starts[-1])
    if used > min(rows.size, values.size):
        raise Damaged("a sparse matrix is truncated")
    if used and not (rows[:used].min() >= 0 and rows[:used].max() < header.shape[0]):
        raise Damaged("the rows of a sparse matrix are damaged")
    out = np.zeros(header.shape, dtype=values.dtype.newbyteorder("="), order="F")
    np.add.at(out, (rows[:used], np.repeat(np.arange(n), np.diff(starts))), values[:used])
    return out
