"""Opening of regular files: nothing that blocks, never ends, or exceeds a size is opened."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from bayes_mdd.errors import BayesMDDError, UnreadableFileError
from bayes_mdd.files.sizes import MAX_BYTES, check_size

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_BLOCK = 2**20
_POINTERS = (b"/annex/objects/", b"version https://git-lfs.github.com/")


def require_file(path: str | Path, *, limit: int = MAX_BYTES, empty: bool = False) -> int:
    """Check that a path is a regular file with content that may be read.

    The file is not opened, except for very small ones, which may stand for content that was not
    downloaded. Links to regular files are accepted.

    Parameters
    ----------
    path : str or Path
        The file.
    limit : int
        Largest accepted size, in bytes.
    empty : bool, default False
        Whether an empty file is accepted.

    Returns
    -------
    int
        Size of the file, in bytes.

    Raises
    ------
    UnreadableFileError
        If the file is missing, empty, larger than `limit`, a folder, pipe, socket or device, or
        if its content was not downloaded (git-annex, DataLad, Git LFS).

    Examples
    --------
    >>> require_file("/dev/null")
    Traceback (most recent call last):
    bayes_mdd.errors.UnreadableFileError: null cannot be read: it is a device, not a regular file.
    """
    path = Path(path)
    try:
        found = path.stat()
    except (OSError, ValueError) as error:
        raise UnreadableFileError(_absent(path, error)) from error
    if not stat.S_ISREG(found.st_mode):
        kind = next((name for is_kind, name in _KINDS if is_kind(found.st_mode)), "special")
        raise UnreadableFileError(f"{path.name} cannot be read: it is {kind}, not a regular file.")
    if found.st_size == 0 and not empty:
        raise UnreadableFileError(f"{path.name} is empty: copy or create it again.")
    check_size(path.name, found.st_size, limit)
    if 0 < found.st_size < 1024:
        _refuse_pointer(path)
    return found.st_size


def _absent(path: Path, error: Exception) -> str:
    if isinstance(error, FileNotFoundError) and path.is_symlink():
        return (
            f"{path.name} is a link to content that was not downloaded: run 'datalad get' on it, "
            "or correct the link."
        )
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return f"{path.name} is missing or not a file."
    return f"{path.name} cannot be read: {brief(error)}."


def _refuse_pointer(path: Path) -> None:
    with open_regular(path) as stream:
        head = stream.read(64)
    if head.startswith(_POINTERS):
        raise UnreadableFileError(
            f"{path.name} stands for content that was not downloaded: run 'datalad get' "
            "(or 'git lfs pull') on it."
        )


@contextmanager
def open_regular(path: str | Path) -> Iterator[io.BufferedReader]:
    """Open a regular file for reading; never wait for a pipe.

    Parameters
    ----------
    path : str or Path
        The file.

    Yields
    ------
    stream
        The open file.

    Raises
    ------
    UnreadableFileError
        If it is not a regular file or cannot be opened or read.
    """
    path = Path(path)
    try:
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with open(number, "rb") as stream:  # noqa: PTH123
            if not stat.S_ISREG(os.fstat(number).st_mode):
                raise UnreadableFileError(f"{path.name} cannot be read: it is not a regular file.")
            yield stream
    except (OSError, ValueError) as error:
        if isinstance(error, BayesMDDError):
            raise
        raise UnreadableFileError(f"{path.name} cannot be read: {brief(error)}.") from error


def read_bytes(path: str | Path, *, limit: int = MAX_BYTES, empty: bool = False) -> bytes:
    """Read a whole file.

    Parameters
    ----------
    path : str or Path
        The file.
    limit : int
        Largest accepted size, in bytes.
    empty : bool, default False
        Whether an empty file is accepted.

    Returns
    -------
    bytes
        Its content.

    Raises
    ------
    UnreadableFileError
        As `require_file`.
    """
    require_file(path, limit=limit, empty=empty)
    with open_regular(path) as stream:
        content = read_most(stream, limit + 1)
    check_size(Path(path).name, len(content), limit)
    return content


def read_most(stream: BinaryIO, most: int) -> bytes:
    """Read a stream to its end, or to a number of bytes.

    Parameters
    ----------
    stream : binary stream
        The stream.
    most : int
        Largest number of bytes to read. Memory is taken for what the stream holds only, whereas
        ``stream.read(most)`` takes it for `most` bytes at once.

    Returns
    -------
    bytes
        The content.
    """
    content = io.BytesIO()
    while most > 0 and (block := stream.read(min(most, _BLOCK))):
        content.write(block)
        most -= len(block)
    return content.getvalue()


@contextmanager
def own_errors(path: str | Path, what: str, advice: str = "it may be truncated") -> Iterator[None]:
    """Turn all errors of another library about one file into one error that names the file.

    Parameters
    ----------
    path : str or Path
        The file.
    what : str
        What the file was read as, e.g. ``"an image"``.
    advice : str
        Likely cause.

    Raises
    ------
    UnreadableFileError
        In place of any other exception; errors of this package pass unchanged.
    """
    try:
        yield
    except BayesMDDError:
        raise
    except MemoryError as error:
        raise UnreadableFileError(
            f"{Path(path).name} cannot be read as {what}: it needs more memory than is available."
        ) from error
    # The libraries do not promise which exceptions a damaged file raises.
    except Exception as error:
        raise UnreadableFileError(
            f"{Path(path).name} cannot be read as {what} ({advice}): {brief(error)}. Copy it "
            "again, "
            "or create it again."
        ) from error


def brief(error: BaseException, length: int = 200) -> str:
    r"""Shorten the text of an exception to one printable line.

    Parameters
    ----------
    error : BaseException
        The exception.
    length : int, default 200
        Largest number of characters.

    Returns
    -------
    str
        Its text, or the name of its class where it has none.

    Examples
    --------
    >>> brief(ValueError("first line\nsecond line"))
    'first line second line'
    """
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    line = "".join(c if c.isprintable() else " " for c in str(text))
    line = " ".join(line.split()).rstrip(".")
    return line if len(line) <= length else f"{line[:length]} ..."
