"""Checksums at the end of files that the package writes for itself, to notice later changes.

HDF5 and pickle ignore what follows their content, so that other programs read a sealed file as any
other. A program that writes to the file again removes the seal; the file is then read unchecked.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import BinaryIO, Final

from bayes_mdd.errors import UnreadableFileError
from bayes_mdd.files.regular import open_regular

_MARK: Final = b"\nbayes-mdd sha256 "
_LENGTH: Final = len(_MARK) + 64 + 1
_BLOCK: Final = 2**20


def seal(path: Path) -> None:
    """Append the checksum of a file to it.

    Parameters
    ----------
    path : Path
        A complete file, not yet under its final name.
    """
    with path.open("r+b") as stream:
        digest = _digest(stream, path.stat().st_size)
        stream.write(_MARK + digest.encode("ascii") + b"\n")


def check_seal(path: Path, *, required: bool = False) -> None:
    """Check the checksum of a file against its content.

    Parameters
    ----------
    path : Path
        A regular file.
    required : bool, default False
        Whether a file without a checksum is refused.

    Raises
    ------
    UnreadableFileError
        If the content has changed since the file was written.
    """
    size = path.stat().st_size - _LENGTH
    with open_regular(path) as stream:
        stream.seek(max(size, 0))
        found = stream.read(_LENGTH)
        stream.seek(0)
        if size < 0 or not found.startswith(_MARK):
            if required:
                raise UnreadableFileError(f"{path.name} has no checksum at its end.")
            return
        if _digest(stream, size) != found[len(_MARK) : -1].decode("ascii", "replace"):
            raise UnreadableFileError(
                f"{path.name} has changed since it was written (its checksum differs): the disk or "
                "a copy damaged it. Copy it again."
            )


def _digest(stream: BinaryIO, size: int) -> str:
    """Digest of the first bytes of a file; the stream is then behind them."""
    digest = hashlib.sha256()
    while size > 0 and (block := stream.read(min(size, _BLOCK))):
        digest.update(block)
        size -= len(block)
    return digest.hexdigest()
