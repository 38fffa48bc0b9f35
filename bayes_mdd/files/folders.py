"""Folders that are written beside the old one and then take its place."""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bayes_mdd.files.replace import write_error
from bayes_mdd.files.temporary import is_left, process_of, remove_leftovers, temporary_name

_log = logging.getLogger(__name__)
#: Hidden folders beside the final one: unfinished new ones, and old ones during the exchange.
_NEW, _OLD = ".bayes-mdd-new-", ".bayes-mdd-old-"
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Give an empty folder to fill, which becomes the final one on success.

    Parameters
    ----------
    folder : Path
        The final folder, new or to be replaced as a whole; `check_folder` has tested it. Behind a
        symbolic link, the folder that it names is replaced and the link kept.

    Yields
    ------
    Path
        A hidden folder on the same file system.

    Raises
    ------
    WriteError
        If it cannot be written; what was there is untouched then.
    """
    final = resolve(folder)
    work = None
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        work, inside = _make_work(final)
        yield work
        if inside:
            _move_inside(work, final)
        else:
            _take_place(work, final)
    except OSError as error:
        raise write_error(folder, error) from error
    finally:
        if work is not None:
            shutil.rmtree(work, ignore_errors=True)


def resolve(path: Path) -> Path:
    """Follow symbolic links; a loop of links is left as it is.

    Parameters
    ----------
    path : Path
        A path that may not exist.

    Returns
    -------
    Path
        Absolute.
    """
    return Path(os.path.realpath(path))


def restore_folder(folder: Path) -> None:
    """Put right what a killed process left of an attempt to write a folder.

    An old folder whose exchange was interrupted between two steps is put back; unfinished new
    folders are removed. What living processes write is left alone.

    Parameters
    ----------
    folder : Path
        The final folder.
    """
    final = resolve(folder)
    prefix = f"{_OLD}{tag_of(final)}-"
    try:
        if final.exists():
            remove_leftovers(final.parent, prefix)
        else:
            _put_back(final, prefix, folder)
    except OSError:
        return
    for place in (final.parent, final):
        remove_leftovers(place, f"{_NEW}{tag_of(final)}-")


def _put_back(final: Path, prefix: str, folder: Path) -> None:
    for old in sorted(final.parent.glob(f"{prefix}*")):
        if _may_return(old, prefix):
            old.rename(final)
            _log.warning("%s was being replaced when a process ended; it is restored.", folder)
            return


def _may_return(old: Path, prefix: str) -> bool:
    """Tell whether nobody is about to put a new folder in the place of an old one."""
    return is_left(old, prefix) or process_of(old, prefix) is None


def _make_work(final: Path) -> tuple[Path, bool]:
    """Make the hidden folder beside the final one, or in it where only that is possible."""
    prefix = f"{_NEW}{tag_of(final)}-"
    name = temporary_name(prefix)
    if not final.exists() or not (os.path.ismount(final) or _is_current(final)):
        remove_leftovers(final.parent, prefix)
        try:
            work = final.parent / name
            work.mkdir()
        except OSError:
            if not final.exists() or any(final.iterdir()):
                raise
        else:
            return work, False
    # A mounted volume, or an empty folder below one that cannot be written.
    work = final / name
    work.mkdir()
    return work, True


def _is_current(final: Path) -> bool:
    here = Path.cwd()
    return final == here or final in here.parents


def _move_inside(work: Path, final: Path) -> None:
    for entry in sorted(work.iterdir()):
        entry.rename(final / entry.name)


def _take_place(work: Path, final: Path) -> None:
    if not final.exists() or not any(final.iterdir()):
        work.rename(final)
    elif not _exchange(work, final):
        old = final.with_name(temporary_name(f"{_OLD}{tag_of(final)}-"))
        final.rename(old)
        try:
            work.rename(final)
        except BaseException:
            old.rename(final)
            raise
        shutil.rmtree(old, ignore_errors=True)


def _exchange(first: Path, second: Path) -> bool:
    """Exchange two names in one step, where the system can."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    names = os.fsencode(first), os.fsencode(second)
    return bool(rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0)


def tag_of(final: Path) -> str:
    """Make a short name for hidden files that belong to a folder.

    Parameters
    ----------
    final : Path
        The folder.

    Returns
    -------
    str
        Eight hexadecimal digits of its name.
    """
    return hashlib.sha256(final.name.encode("utf-8", "surrogateescape")).hexdigest()[:8]
