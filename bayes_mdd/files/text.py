"""Reading of text files as UTF-8, plain or compressed with gzip."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from bayes_mdd.errors import UnreadableFileError
from bayes_mdd.files.regular import brief, open_regular, read_most, require_file
from bayes_mdd.files.sizes import check_expansion, check_size, expansion_limit

#: Largest text file for people, variables and settings, in bytes.
MAX_TEXT = 64 * 2**20
#: Bytes by which binary files are recognised.
_START = 2**16
#: Largest table of measurements, in bytes.
MAX_TABLE = 2 * 2**30

_OTHER_ENCODINGS = (
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
    (b"PK\x03\x04", "a spreadsheet or zip archive"),
    (b"\x1f\x8b", "compressed with gzip"),
    (b"\xd0\xcf\x11\xe0", "an Excel or SPSS file"),
    (b"$FL2", "an SPSS file"),
    (b"\x89HDF", "an HDF5 file"),
)


def read_text(
    path: str | Path, *, limit: int = MAX_TEXT, empty: bool = False, lines: int | None = None
) -> str:
    """Read a text file.

    Parameters
    ----------
    path : str or Path
        UTF-8 text, with or without byte order mark; compressed if the name ends in ``.gz``.
    limit : int
        Largest accepted size, in bytes.
    empty : bool, default False
        Whether an empty file is accepted.
    lines : int, optional
        Number of lines to read, blank lines and lines that begin with ``#`` not counted. Default:
        all.

    Returns
    -------
    str
        The text.

    Raises
    ------
    UnreadableFileError
        If the file is missing, not a regular file, too large, truncated, or not UTF-8 text.
    """
    path = Path(path)
    size = require_file(path, limit=limit, empty=empty)
    packed = path.suffix.lower() == ".gz"
    most = expansion_limit(size, limit) if packed else limit
    with open_unpacked(path) as stream:
        start = stream.read(_START)
        # Before all of a large file is read.
        _refuse_binary(start, path.name)
        stream.seek(0)
        raw = read_most(stream, most + 1) if lines is None else _head(stream, lines, most + 1)
    if len(raw) > most:
        if packed:
            check_expansion(path.name, size, len(raw), limit)
        check_size(path.name, len(raw), limit)
    return decode(raw, path.name)


@contextmanager
def open_unpacked(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file and decompress it if its name ends in ``.gz``.

    Parameters
    ----------
    path : Path
        The file.

    Yields
    ------
    stream
        Its content, in bytes.

    Raises
    ------
    UnreadableFileError
        If it cannot be read or decompressed.
    """
    with open_regular(path) as stream:
        if path.suffix.lower() != ".gz":
            yield stream
            return
        try:
            yield cast("BinaryIO", gzip.GzipFile(fileobj=stream))
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise UnreadableFileError(
                f"{path.name} is truncated or not a gzip file ({brief(error)}): copy it again."
            ) from error


def _head(stream: BinaryIO, lines: int, most: int) -> bytes:
    """Read the first lines only, because a folder may hold hundreds of large tables."""
    head = io.BytesIO()
    n = 0
    while n < lines and head.tell() < most:
        line = stream.readline(most - head.tell())
        if not line:
            break
        head.write(line)
        n += bool(line.strip()) and not line.removeprefix(codecs.BOM_UTF8).startswith(b"#")
    return head.getvalue()


def decode(raw: bytes, name: str) -> str:
    """Convert bytes to text.

    Parameters
    ----------
    raw : bytes
        Content of a file.
    name : str
        Name of the file.

    Returns
    -------
    str
        The text, without byte order mark.

    Raises
    ------
    UnreadableFileError
        If it is not UTF-8 text, or contains null bytes.
    """
    _refuse_binary(raw, name)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise UnreadableFileError(
            f"{name} is not UTF-8 text (byte 0x{raw[error.start]:02x} in line {line}): save it as "
            "UTF-8, or copy it again."
        ) from error
    return text


def _refuse_binary(raw: bytes, name: str) -> None:
    for mark, kind in _OTHER_ENCODINGS:
        if raw.startswith(mark):
            raise UnreadableFileError(
                f"{name} cannot be read as text: it is {kind}. Save it as UTF-8 text."
            )
    if b"\x00" in raw:
        raise UnreadableFileError(
            f"{name} contains null bytes (binary zeros): it is damaged or not a text file; copy "
            "it again."
        )
