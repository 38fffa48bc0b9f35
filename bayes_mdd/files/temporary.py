"""Names of temporary files and folders, and removal of those that killed processes left.

A name states the machine and the process that writes it, so that what a living process writes is
told from what a killed one left.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import socket
import time
from functools import cache
from pathlib import Path
from typing import Final

#: Prefix of temporary files; they are hidden, and no reader takes them for data.
PART: Final = ".part-"
#: Seconds after which leftovers of other machines are removed, whose processes cannot be seen.
STALE: Final = 24 * 3600
_STATED = re.compile(r"([0-9a-f]{8})-([0-9]+)-[0-9a-f]{12}(?:\..*)?")


def temporary_name(prefix: str, suffix: str = "") -> str:
    """Make a name that no other process uses.

    Parameters
    ----------
    prefix : str
        Says what it is for; begins with a dot.
    suffix : str, default ""
        For example ``".nc"``.

    Returns
    -------
    str
        The prefix, the machine, the process, random digits and the suffix.

    Examples
    --------
    >>> str(os.getpid()) in temporary_name(PART, ".nc")
    True
    """
    return f"{prefix}{_machine()}-{os.getpid()}-{secrets.token_hex(6)}{suffix}"


def remove_leftovers(folder: Path, prefix: str) -> None:
    """Remove temporary files and folders of processes that have ended.

    Those of living processes stay. Those of other machines, and of containers with processes of
    their own, are removed a day after they were last changed.

    Parameters
    ----------
    folder : Path
        Where they are; it may not exist.
    prefix : str
        As for `temporary_name`.
    """
    try:
        found = [p for p in folder.iterdir() if p.name.startswith(prefix)]
    except OSError:
        return
    for path in found:
        if is_left(path, prefix):
            remove(path)


def is_left(path: Path, prefix: str) -> bool:
    """Tell whether the process that writes a temporary file or folder has ended.

    Parameters
    ----------
    path : Path
        The file or folder.
    prefix : str
        Of its name.

    Returns
    -------
    bool
        False where this is not known, unless it was not changed for a day.
    """
    process = process_of(path, prefix)
    if process is not None:
        return not _lives(process)
    try:
        return path.lstat().st_mtime < time.time() - STALE
    except OSError:
        return False


def process_of(path: Path, prefix: str) -> int | None:
    """Find the process that writes a temporary file or folder.

    Parameters
    ----------
    path : Path
        The file or folder.
    prefix : str
        Of its name.

    Returns
    -------
    int or None
        Its number; None for other machines, and for names that state no process.
    """
    stated = _STATED.fullmatch(path.name.removeprefix(prefix))
    if stated is None or stated[1] != _machine() or os.name != "posix":
        return None
    return int(stated[2])


def remove(path: Path) -> None:
    """Remove a file, or a folder with its content, as far as the system allows.

    Parameters
    ----------
    path : Path
        It may not exist.
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        return
    try:
        path.unlink()
    except OSError:
        return


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # of another user
        return True
    return True


@cache
def _machine() -> str:
    """Name the set of processes that this one sees: machine, start of its system, container."""
    parts = [socket.gethostname()]
    try:
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii"))
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    except OSError:  # not Linux
        parts.append("")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]
