"""Elements of MATLAB files of version 5 to 7: tags, lengths and numbers."""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

type AnyArray = npt.NDArray[Any]

MATRIX, COMPRESSED = 14, 15
INT32, UINT32 = 5, 6
#: Types of numbers by code.
NUMBERS = {
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8",
}  # fmt: skip


class Damaged(ValueError):
    """The file violates the format."""


class Skipped(Exception):
    """The variable is an object or function, which is no data."""


class Tag(NamedTuple):
    """Type and length of an element, and whether its data are in the tag."""

    kind: int
    length: int
    small: bool


def read_tag(raw: bytes | memoryview, order: str) -> Tag:
    """Read the tag of an element.

    Parameters
    ----------
    raw : bytes
        Its eight bytes.
    order : str
        ``"<"`` or ``">"``.

    Returns
    -------
    Tag
        Type, length and whether the last four bytes of the tag are the data.
    """
    if len(raw) < 8:
        raise Damaged("it ends within an element")
    kind, length = struct.unpack(f"{order}II", raw)
    if kind >> 16:
        if kind >> 16 > 4:
            raise Damaged("a short element is longer than four bytes")
        return Tag(kind & 0xFFFF, kind >> 16, True)
    return Tag(kind, length, False)


class MatElement:
    """Position in the bytes of one variable.

    Parameters
    ----------
    raw : bytes
        The element, with its tag.
    order : str
        ``"<"`` or ``">"``.
    """

    def __init__(self, raw: bytes, order: str) -> None:
        self.raw = memoryview(raw)
        self.order = order
        self.at = 0
        self.end = len(raw)
        self.entries = 0

    def take(self, *kinds: int) -> tuple[int, memoryview]:
        """Read the next element.

        Parameters
        ----------
        *kinds : int
            Accepted types.

        Returns
        -------
        tuple
            Its type and its bytes.
        """
        tag = read_tag(self.raw[self.at : min(self.at + 8, self.end)], self.order)
        start = self.at + (4 if tag.small else 8)
        if tag.kind not in kinds:
            raise Damaged(f"an element has type {tag.kind}, expected {kinds}")
        if tag.length > self.end - start:
            raise Damaged("an element is longer than the one that contains it")
        padded = 8 if tag.small else 8 + (tag.length + 7) // 8 * 8
        # The last padding of a variable is left out by some writers.
        self.at = min(self.at + padded, self.end)
        return tag.kind, self.raw[start : start + tag.length]

    def numbers(self, *kinds: int) -> AnyArray:
        """Read the next element as numbers.

        Parameters
        ----------
        *kinds : int
            Accepted types. Default: all types of numbers.

        Returns
        -------
        numpy.ndarray, shape (n,)
            In the stored type.
        """
        kind, data = self.take(*(kinds or NUMBERS))
        dtype = np.dtype(f"{self.order}{NUMBERS[kind]}")
        if len(data) % dtype.itemsize:
            raise Damaged("numbers are not complete")
        return np.frombuffer(data, dtype=dtype)
