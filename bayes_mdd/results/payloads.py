"""Everything that can be read in a file: text, and what is compressed or encoded in it."""

from __future__ import annotations

import base64
import binascii
import bz2
import html
import io
import lzma
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
import pandas as pd

from bayes_mdd.types import Array

#: Nesting of encodings, and size of one decoded payload, up to which a file is searched.
DEEPEST, LARGEST = 6, 512 * 2**20
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{24,}={0,2}")
_ARRAY = re.compile(r"\[[-+\d.eE,\s]{8,}\]")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2}){16,}")
#: Size of the header of a NIfTI-1 image, and positions of its magic and of the start of its data.
_NIFTI_MAGIC, _NIFTI_OFFSET = slice(344, 347), 108


@dataclass(frozen=True, eq=False)
class Payload:
    """One part of a file.

    Parameters
    ----------
    where : str
        Path to it, e.g. ``"report.html > base64 > zlib"``.
    text : str
        What it says.
    values : ndarray, optional
        Numbers, where it is an array of a netCDF file.
    names : tuple of str
        Names of the array and of its dimensions.
    """

    where: str
    text: str
    values: np.ndarray | None = None
    names: tuple[str, ...] = ()


def read_payloads(data: bytes, where: str, depth: int = 0) -> Iterator[Payload]:
    """Read a file and all that is nested in it.

    Parameters
    ----------
    data : bytes
        Content of the file.
    where : str
        Its name.
    depth : int, default 0
        Nesting.

    Yields
    ------
    Payload
        Texts and arrays: of the file itself, of compressed streams (gzip, zlib, bz2, xz, zip),
        netCDF (HDF5), PNG text, and base64 or hexadecimal text, each to a depth of six.
    """
    if depth > DEEPEST:
        return
    if data[:8] == b"\x89HDF\r\n\x1a\n":
        yield from _read_hdf5(data, where)
        return
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        yield from _read_png(data, where, depth)
        return
    if data[:4] == b"PK\x03\x04":
        yield from _read_zip(data, where, depth)
        return
    kind, inner = _decompress(data)
    if inner is not None:
        yield from read_payloads(inner, f"{where} > {kind}", depth + 1)
        return
    if data[_NIFTI_MAGIC] in (b"n+1", b"ni1"):
        # The header and its extensions; behind it are voxels.
        start = struct.unpack_from("<f", data, _NIFTI_OFFSET)[0]
        data = data[: max(352, int(start))] if math.isfinite(start) else data
    yield from _read_text(data, where, depth)


def _read_text(data: bytes, where: str, depth: int) -> Iterator[Payload]:
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    text = data.decode(encoding, errors="replace")
    yield Payload(where, html.unescape(text) if "&" in text else text)
    for pattern, decode, kind in ((_BASE64, _from_base64, "base64"), (_HEX, _from_hex, "hex")):
        for match in pattern.finditer(text):
            inner = decode(match.group())
            if inner:
                yield from read_payloads(inner, f"{where} > {kind}", depth + 1)
    for match in _ARRAY.finditer(text):
        yield Payload(f"{where} > list of numbers", "", _numbers(match.group()[1:-1]))


def _numbers(text: str) -> Array:
    """Read the numbers between commas; other text is left out."""
    try:
        return np.fromstring(text, sep=",")
    except ValueError:
        cells = pd.Series(text.split(","))
        return pd.to_numeric(cells, errors="coerce").dropna().to_numpy(dtype=np.float64)


def _from_base64(text: str) -> bytes | None:
    text = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _from_hex(text: str) -> bytes | None:
    found = bytes.fromhex(text)
    # Checksums are hexadecimal as well, and say nothing.
    return found if found.isascii() or found[:1] in b"\x1f\x78BP" else None


def _decompress(data: bytes) -> tuple[str, bytes | None]:
    try:
        if data[:2] == b"\x1f\x8b":
            return "gzip", zlib.decompressobj(31).decompress(data, LARGEST)
        if data[:1] == b"\x78" and len(data) > 8 and (data[0] * 256 + data[1]) % 31 == 0:
            return "zlib", zlib.decompressobj().decompress(data, LARGEST)
        if data[:3] == b"BZh":
            return "bz2", bz2.BZ2Decompressor().decompress(data, LARGEST)
        if data[:6] == b"\xfd7zXZ\x00":
            return "xz", lzma.LZMADecompressor().decompress(data, LARGEST)
    except (zlib.error, OSError, EOFError, lzma.LZMAError):
        pass
    return "", None


def _read_zip(data: bytes, where: str, depth: int) -> Iterator[Payload]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for entry in archive.infolist():
                yield Payload(f"{where} > zip", entry.filename)
                if entry.file_size <= LARGEST:
                    inner = archive.read(entry)
                    yield from read_payloads(inner, f"{where} > {entry.filename}", depth + 1)
    except (zipfile.BadZipFile, RuntimeError, OSError):
        return


def _read_png(data: bytes, where: str, depth: int) -> Iterator[Payload]:
    """Chunks other than pixels, and whatever follows the end."""
    at = 8
    while at + 8 <= len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        content = data[at + 8 : at + 8 + size]
        if kind in (b"tEXt", b"iTXt", b"zTXt", b"eXIf"):
            yield Payload(f"{where} > PNG text", content.decode("latin-1"))
            packed = content.find(b"\x78")
            if kind != b"tEXt" and packed >= 0:
                yield from read_payloads(content[packed:], f"{where} > PNG text", depth + 1)
        at += 12 + size
        if kind == b"IEND":
            break
    if at < len(data):
        yield from read_payloads(data[at:], f"{where} > behind the PNG", depth + 1)


def _read_hdf5(data: bytes, where: str) -> Iterator[Payload]:
    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            found = [Payload(f"{where} > attributes", _attributes(file))]

            def visit(name: str, item: Any) -> None:
                at = f"{where} > {name}"
                found.append(Payload(f"{at} > attributes", _attributes(item)))
                if isinstance(item, h5py.Dataset):
                    found.append(_read_dataset(item, name, at))

            file.visititems(visit)
    except (OSError, RuntimeError, KeyError):
        found = []
    yield from found


def _attributes(item: Any) -> str:
    said = []
    for key, value in item.attrs.items():
        if isinstance(value, bytes):
            value = value.decode("utf-8", errors="replace")
        if isinstance(value, str) or (isinstance(value, np.ndarray) and value.dtype.kind in "OSU"):
            said.append(f"{key}: {value if isinstance(value, str) else _join(value)}")
    return "\n".join(said)


def _join(values: Any) -> str:
    flat = np.ravel(values).tolist()
    return "\t".join(
        v.decode("utf-8", errors="replace") if isinstance(v, bytes) else str(v) for v in flat
    )


def _read_dataset(item: h5py.Dataset, name: str, where: str) -> Payload:
    names = (name.rsplit("/", 1)[-1], *_dimensions(item))
    if item.dtype.kind in "OSU":
        return Payload(where, _join(item[()]), None, names)
    small = item.ndim == 1 and item.dtype.kind in "iuf"
    return Payload(where, "", np.asarray(item[()], dtype=float) if small else None, names)


def _dimensions(item: h5py.Dataset) -> tuple[str, ...]:
    found = []
    for dim in item.dims:
        found += [str(scale.name).rsplit("/", 1)[-1] for scale in dim.values()]
    return tuple(found)
