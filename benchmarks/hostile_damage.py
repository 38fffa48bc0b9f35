"""Kinds of damage for `hostile_files.py`: bytes, text, packed content, and special files."""

from __future__ import annotations

import gzip
import io
import os
import random
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

type Damage = Callable[[bytearray, int, random.Random], None]

TEXT_SUFFIXES = (
    *(".tsv", ".csv", ".txt", ".json", ".yaml", ".xml", ".1D", ".netcc", ".grid", ".edge"),
    *(".node", ".beta", ".other", ".gii", ""),
)
_HUGE = (b"1e308", b"1e999", b"-1e308", b"99999999999999999999", b"2147483648", b"-1", b"0")
_ODD = (b"nan", b"NaN", b"inf", b"-Inf", b"n/a", b"", b"true", b"null", b"0x1F", b"1_000", b"1,5")
_UNICODE = (
    *("\ufeff", "\u200b", "\u00a0", "\u202e", "e\u0301", "\U0001f9e0", "\u0661\u0662", "\uff11"),
    *("\u2212", "\u2028", "\x00", "\x1b[31m", "\u00df", "\u0130", "\u00b2"),
)
_ENCODINGS = ("utf-16", "utf-16-le", "utf-32", "utf-8-sig", "latin-1", "cp1252", "utf-7")
_DELIMITERS = (b"\t", b",", b";", b"|", b" ", b"\n", b"\r", b"\r\n", b'"', b"'", b":", b"\x0b")


def damage(good: bytes, file: str, seed: str) -> bytes:
    """Damage a file in one to three places.

    Parameters
    ----------
    good : bytes
        Its content.
    file : str
        Its name, whose suffix tells text from binary files.
    seed : str
        Seed of the damage.

    Returns
    -------
    bytes
        The damaged content.
    """
    rng = random.Random(seed)
    raw = bytearray(good)
    kinds = (*BINARY, *TEXT) if Path(file).suffix in TEXT_SUFFIXES else BINARY
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(max(len(raw), 1))
        rng.choice(kinds)(raw, at, rng)
    return bytes(raw)


def damage_inside(good: bytes, file: str, seed: str) -> bytes:
    """Damage what a file holds in compressed form; its checksums are those of the damage.

    Parameters
    ----------
    good : bytes
        A gzip file, a zip archive, or a MATLAB file with compressed elements.
    file : str
        Its name.
    seed : str
        Seed of the damage.

    Returns
    -------
    bytes
        The file with damaged content.
    """
    if good[:2] == b"\x1f\x8b":
        inner = damage(gzip.decompress(good), Path(file).stem, seed)
        return gzip.compress(inner, mtime=0)
    if good[:4] == b"PK\x03\x04":
        return _damage_zip(good, seed)
    return _damage_mat(good, seed)


def _damage_zip(good: bytes, seed: str) -> bytes:
    rng = random.Random(f"{seed} member")
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(good)) as old, zipfile.ZipFile(packed, "w") as new:
        names = old.namelist()
        chosen = rng.choice(names)
        for name in names:
            content = old.read(name)
            new.writestr(name, damage(content, name, seed) if name == chosen else content)
    return packed.getvalue()


def _damage_mat(good: bytes, seed: str) -> bytes:
    """Damage one compressed element (type 15) of a MATLAB file."""
    places, at = [], 128
    while at + 8 <= len(good):
        kind, size = struct.unpack_from("<II", good, at)
        places.append((at, kind, size))
        at += 8 + size
    at, _, size = random.Random(f"{seed} element").choice([p for p in places if p[1] == 15])
    inner = zlib.compress(damage(zlib.decompress(good[at + 8 : at + 8 + size]), "x.bin", seed))
    return good[:at] + struct.pack("<II", 15, len(inner)) + inner + good[at + 8 + size :]


def _bit(raw: bytearray, at: int, rng: random.Random) -> None:
    raw[at : at + 1] = bytes(b ^ 1 << rng.randrange(8) for b in raw[at : at + 1])


def _byte(raw: bytearray, at: int, rng: random.Random) -> None:
    raw[at : at + 1] = bytes([rng.choice((0, 255, 9, 10, 34, 44, 91, 123, rng.randrange(256)))])


def _number(raw: bytearray, at: int, rng: random.Random) -> None:
    value = rng.choice((0, 1, -1, 2**31 - 1, -(2**31), 2**16, rng.randrange(2**31)))
    at -= at % 4
    raw[at : at + 4] = struct.pack(rng.choice(("<i", ">i")), value)


def _long_number(raw: bytearray, at: int, rng: random.Random) -> None:
    value = rng.choice((2**63 - 1, -(2**63), 2**62, 2**40, 2**33, -1))
    at -= at % 8
    raw[at : at + 8] = struct.pack(rng.choice(("<q", ">q")), value)


def _front(raw: bytearray, at: int, rng: random.Random) -> None:
    """Damage the header, which is a small part of most files."""
    at %= min(max(len(raw), 1), 400)
    rng.choice((_bit, _byte, _number, _long_number))(raw, at, rng)


def _cut(raw: bytearray, at: int, rng: random.Random) -> None:
    del raw[at:]


def _remove(raw: bytearray, at: int, rng: random.Random) -> None:
    del raw[at : at + rng.randrange(1, 40)]


def _repeat(raw: bytearray, at: int, rng: random.Random) -> None:
    raw[at:at] = raw[at : at + rng.randrange(1, 80)] * rng.choice((1, 1, 50))


def _move(raw: bytearray, at: int, rng: random.Random) -> None:
    start = rng.randrange(max(len(raw), 1))
    raw[at:at] = raw[start : start + rng.randrange(1, 80)]


def _swap(raw: bytearray, at: int, rng: random.Random) -> None:
    length, other = rng.randrange(1, 200), rng.randrange(max(len(raw), 1))
    first, second = sorted((at, other))
    length = min(length, second - first, len(raw) - second)
    one, two = raw[first : first + length], raw[second : second + length]
    raw[first : first + length], raw[second : second + length] = two, one


def _noise(raw: bytearray, at: int, rng: random.Random) -> None:
    length = rng.randrange(1, 30)
    raw[at : at + length] = rng.randbytes(length)


def _cell(raw: bytearray, at: int, rng: random.Random) -> None:
    """Replace a number or word of a text."""
    words = list(re.finditer(rb"[^\s,;:\[\]{}\"<>]+", raw[:200_000]))
    if words:
        word = rng.choice(words)
        raw[word.start() : word.end()] = rng.choice((*_HUGE, *_ODD))


def _unicode(raw: bytearray, at: int, rng: random.Random) -> None:
    raw[at:at] = rng.choice(_UNICODE).encode()


def _encoding(raw: bytearray, at: int, rng: random.Random) -> None:
    text = raw.decode("utf-8", errors="replace")
    text = text[:at] + rng.choice(("", "\u00e4", "\u00e9")) + text[at:]
    raw[:] = text.encode(rng.choice(_ENCODINGS), errors="replace")


def _delimiter(raw: bytearray, at: int, rng: random.Random) -> None:
    present = [d for d in _DELIMITERS if d in raw] or [b"\n"]
    old, new = rng.choice(present), rng.choice(_DELIMITERS)
    if rng.random() < 0.5:
        raw[:] = raw.replace(old, new)
    else:
        raw[at:at] = new


def _line(raw: bytearray, at: int, rng: random.Random) -> None:
    """Repeat, remove, exchange or empty lines."""
    lines = bytes(raw).split(b"\n")
    i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
    kind = rng.randrange(4)
    if kind == 0:
        lines.insert(j, lines[i])
    elif kind == 1:
        del lines[i]
    elif kind == 2:
        lines[i], lines[j] = lines[j], lines[i]
    else:
        lines[i] = rng.choice((b"", b"\t\t", b"#", b"n/a"))
    raw[:] = b"\n".join(lines)


BINARY: tuple[Damage, ...] = (
    *(_bit, _bit, _byte, _byte, _number, _number, _long_number, _front, _front),
    *(_cut, _remove, _repeat, _move, _swap, _noise),
)
TEXT: tuple[Damage, ...] = (_cell, _cell, _cell, _unicode, _encoding, _delimiter, _line, _line)


def _bomb(path: Path) -> None:
    """2 GB of zeros or spaces, compressed where the name says so."""
    if ".gz" in path.suffixes:
        # A gzip file may consist of several.
        path.write_bytes(gzip.compress(b" " * 2**24, mtime=0) * 128)
    elif path.suffix in (".npz", ".xlsx"):
        path.write_bytes(_zip_bomb())
    else:
        _sparse(path, 2**31)


@cache
def _zip_bomb() -> bytes:
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("y.npy", "w", force_zip64=True) as member,
    ):
        for _ in range(128):
            member.write(bytes(2**24))
    return packed.getvalue()


def _sparse(path: Path, size: int = 2**40) -> None:
    with path.open("wb") as stream:
        stream.truncate(size)


def _pickle(path: Path) -> None:
    """Call of ``os.mkdir`` on loading, as an object array or alone."""
    import numpy as np

    held = np.array([_Trap(str(path.with_name("loaded")))], dtype=object)
    if path.suffix == ".npz":
        np.savez(path, y=held, matrix=held, region=held)
    else:
        with path.open("wb") as stream:
            np.save(stream, held, allow_pickle=True)


class _Trap:
    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (self.folder,)


def _aliases(path: Path) -> None:
    levels = "".join(f"a{i + 1}: &a{i + 1} [{', '.join([f'*a{i}'] * 9)}]\n" for i in range(12))
    path.write_text(f"a0: &a0 [x, x, x]\n{levels}")


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


SPECIAL: dict[str, Callable[[Path], object]] = {
    "empty": Path.touch,
    "a pipe": os.mkfifo,
    "a device": lambda p: p.symlink_to("/dev/zero"),
    "a folder": Path.mkdir,
    "a link to nothing": lambda p: p.symlink_to("nowhere"),
    "a link to itself": _loop,
    "2 GB": _bomb,
    "1 TB": _sparse,
    "a pickle": _pickle,
    "deep JSON": lambda p: p.write_text('{"a":' * 100_000),
    "YAML aliases": _aliases,
    "a long line": lambda p: p.write_text("1\t" * 200_000),
    "empty cells": lambda p: p.write_text("a" + "\t" * 200_000 + "\n1\n"),
    "many lines": lambda p: p.write_text("sub-01\n" * 50_000),
    "zeros": lambda p: p.write_bytes(bytes(5000)),
    "an HDF5 header": lambda p: p.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(3000)),
}
