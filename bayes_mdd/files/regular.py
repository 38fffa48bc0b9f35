"""Opening of regular files: nothing that blocks, never ends, or exceeds a size is opened."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from bayes_mdd.errors import BayesMDDError, UnreadableFileError

#: Largest file, and largest content of a compressed file, in bytes.
MAX_BYTES = 16 * 2**30
#: Compressed content beyond this size must not exceed `MAX_RATIO` times the compressed size.
FREE_BYTES = 512 * 2**20
MAX_RATIO = 200

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
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


def check_size(name: str, size: int, limit: int) -> None:
    """Check a size against a limit and against the memory that is available.

    Parameters
    ----------
    name : str
        Name of the file.
    size : int
        Size of its content, in bytes.
    limit : int
        Largest accepted size, in bytes.

    Raises
    ------
    UnreadableFileError
        If the content is too large.
    """
    if size > limit:
        raise UnreadableFileError(
            f"{name} holds {_amount(size)}, more than the {_amount(limit)} accepted for this kind "
            "of file: is it the right file?"
        )
    if size > FREE_BYTES and size > (free := available_memory()):
        raise UnreadableFileError(
            f"{name} holds {_amount(size)}, but only {_amount(free)} of memory are available: use "
            "a machine with more memory, or select fewer data."
        )


def check_expansion(name: str, packed: int, unpacked: int, limit: int = MAX_BYTES) -> None:
    """Check how much a compressed file expands.

    Parameters
    ----------
    name : str
        Name of the file.
    packed, unpacked : int
        Sizes before and after decompression, in bytes.
    limit : int
        Largest accepted size after decompression.

    Raises
    ------
    UnreadableFileError
        If the content is too large, or so many times larger than the file that the file is damaged
        or was made to exhaust memory.
    """
    check_size(name, unpacked, limit)
    if unpacked > FREE_BYTES and unpacked > MAX_RATIO * packed:
        raise UnreadableFileError(
            f"{name} is {_amount(packed)} and expands to {_amount(unpacked)} or more: it is "
            "damaged or not what it seems."
        )


def expansion_limit(packed: int, limit: int = MAX_BYTES) -> int:
    """Size up to which a compressed file may be read.

    Parameters
    ----------
    packed : int
        Size of the file, in bytes.
    limit : int
        Largest accepted size after decompression.

    Returns
    -------
    int
        Size in bytes; `check_expansion` accepts it and refuses larger ones.
    """
    return min(limit, max(FREE_BYTES, MAX_RATIO * packed))


def _amount(size: int) -> str:
    for unit, factor in (("GB", 2**30), ("MB", 2**20), ("kB", 2**10)):
        if size >= factor:
            return f"{size / factor:,.4g} {unit}"
    return f"{size} bytes"


def available_memory() -> int:
    """Memory that is available to the process, in bytes; `MAX_BYTES` where this is unknown."""
    amounts = [MAX_BYTES]
    try:
        with Path("/proc/meminfo").open(encoding="ascii") as lines:
            amounts += [int(s.split()[1]) * 1024 for s in lines if s.startswith("MemAvailable:")]
        group = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
        amounts += [int(group)] if group.isdigit() else []
    except (OSError, ValueError, IndexError):
        pass
    return min(amounts)


@contextmanager
def open_regular(path: str | Path) -> Iterator[BinaryIO]:
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
        content = stream.read(limit + 1)
    check_size(Path(path).name, len(content), limit)
    return content


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
            f"{Path(path).name} cannot be read as {what} ({advice}): {brief(error)}."
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
