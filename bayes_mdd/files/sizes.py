"""Sizes of files and of their content after decompression, held against limits and memory."""

from __future__ import annotations

from pathlib import Path

from bayes_mdd.errors import UnreadableFileError

#: Largest file, and largest content of a compressed file, in bytes.
MAX_BYTES = 16 * 2**30
#: Compressed content beyond this size must not exceed `MAX_RATIO` times the compressed size.
FREE_BYTES = 512 * 2**20
MAX_RATIO = 200


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
        amounts += [int(group)] if group.isdecimal() else []
    except (OSError, ValueError, IndexError):
        pass
    return min(amounts)
