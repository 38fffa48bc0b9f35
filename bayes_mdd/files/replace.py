"""Files that are written under a temporary name and then take their place."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from bayes_mdd.errors import WriteError
from bayes_mdd.files.temporary import PART, remove_leftovers, temporary_name

_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file is larger than the file system or the process allows",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.ENOTDIR: "a part of the path is a file",
    errno.ENAMETOOLONG: "the name is too long",
    errno.EISDIR: "it is a folder",
}


def reason_of(error: OSError) -> str:
    """Say in words why the system refused.

    Parameters
    ----------
    error : OSError
        The error of the system.

    Returns
    -------
    str
        For example ``"the disk is full"``.

    Examples
    --------
    >>> reason_of(OSError(28, "No space left on device"))
    'the disk is full'
    """
    return _REASONS.get(error.errno or 0) or error.strerror or str(error)


def write_error(path: Path, error: OSError) -> WriteError:
    """Make the error for a file that could not be written.

    Parameters
    ----------
    path : Path
        The file.
    error : OSError
        The error of the system.

    Returns
    -------
    WriteError
        Names the file, the reason and what to do.
    """
    if isinstance(error, WriteError):
        return error
    return WriteError(
        f"Cannot write {path}: {reason_of(error)}. Free space, or choose a folder that can be "
        "written, and repeat the command.",
        error.errno,
    )


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name in the same folder, which becomes the final one on success.

    Parameters
    ----------
    path : Path
        The file to write; what was there is kept until the new file is complete.

    Yields
    ------
    Path
        The temporary name, with the same suffix.

    Raises
    ------
    WriteError
        If the file cannot be written; nothing is left behind then.
    """
    suffix = ".nii.gz" if path.name.endswith(".nii.gz") else path.suffix
    _clear(path.parent, os.getpid())
    temporary = path.with_name(temporary_name(PART, suffix))
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        _remove(temporary)


def make_folder(folder: Path) -> Path:
    """Create a folder and those above it, where they do not exist.

    Parameters
    ----------
    folder : Path
        The folder.

    Returns
    -------
    Path
        `folder`.

    Raises
    ------
    WriteError
        If it cannot be created, or is a file.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise WriteError(f"{folder} is a file: choose a folder.", error.errno) from error
    except OSError as error:
        raise write_error(folder, error) from error
    return folder


def write_text(path: Path, text: str) -> Path:
    """Write a text as UTF-8; no reader sees half of it.

    Parameters
    ----------
    path : Path
        The file.
    text : str
        The content; line ends are not changed.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    WriteError
        If the file cannot be written.
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")
    return path


def write_with(path: Path, write: Callable[[Path], object]) -> Path:
    """Write a file by a function that takes a path, under a temporary name first.

    Parameters
    ----------
    path : Path
        The file.
    write : callable
        Writes the file that it is given.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    WriteError
        If the file cannot be written.
    """
    with replacing(path) as temporary:
        write(temporary)
    return path


@lru_cache(maxsize=64)
def _clear(folder: Path, _process: int) -> None:
    """Remove what killed processes left in a folder, once in each process."""
    remove_leftovers(folder, PART)


def _remove(path: Path) -> None:
    try:
        os.unlink(path)  # noqa: PTH108 - also where the name is too long for Path methods
    except OSError:
        return
