"""Parts of unfinished work, in a hidden folder beside its target, and the lock of the target."""

from __future__ import annotations

import json
import logging
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from bayes_mdd.errors import RunFolderError, WriteError
from bayes_mdd.files.folders import resolve, tag_of
from bayes_mdd.files.marks import read_mark
from bayes_mdd.files.replace import write_text

UNFINISHED: Final = ".bayes-mdd-unfinished-"
LOCK, OWNER, KEY = "lock", "process.json", "key.json"
#: Finished parts, whatever their suffix; temporary files have other names.
PARTS: Final = "part-*"

log = logging.getLogger("bayes_mdd.files")


@contextmanager
def unfinished(target: str | Path, key: Mapping[str, Any], *, noun: str) -> Iterator[Path | None]:
    """Hold the lock of a target, and keep finished parts of it until it is complete.

    Parameters
    ----------
    target : str or Path
        The file or folder that will be written.
    key : mapping
        Plain values that identify the work. Parts of other work are removed.
    noun : str
        What the parts are, for messages, e.g. ``"chains"``.

    Yields
    ------
    Path or None
        Hidden folder for files named ``part-*``; it is removed on success. After an error or a
        signal it stays if it holds parts. None where nothing can be written beside the target.

    Raises
    ------
    RunFolderError
        If another process is writing this target.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as there, unfinished(f"{there}/run", {}, noun="parts") as folder:
    ...     folder.is_dir()
    True
    """
    final = resolve(Path(target))
    folder = final.with_name(f"{UNFINISHED}{tag_of(final)}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK, timeout=0)
        lock.acquire()
    except Timeout:
        raise RunFolderError(
            f"{target} is being written by another process ({_owner(folder)}): wait until it has "
            "finished, or choose another folder."
        ) from None
    except OSError:
        yield None
        return
    try:
        _prepare(folder, target, key, noun)
        yield folder
    except BaseException:
        if count := count_parts(folder):
            log.warning(
                "Stopped. %d complete %s of %s are kept: repeat the command to continue.",
                *(count, noun, target),
            )
        else:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    else:
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        lock.release()


def count_parts(folder: Path) -> int:
    """Count the parts that are kept.

    Parameters
    ----------
    folder : Path
        From `unfinished`.

    Returns
    -------
    int
        Number of files.
    """
    return len(list(folder.glob(PARTS)))


def _prepare(folder: Path, target: str | Path, key: Mapping[str, Any], noun: str) -> None:
    """Remove what does not belong to the requested work, and say what is there."""
    asked = json.loads(json.dumps(dict(key)))
    same = read_mark(folder / KEY) == asked
    for path in folder.iterdir():
        if path.name != LOCK and not (same and path.match(PARTS)):
            path.unlink(missing_ok=True)
    owner = {
        "process": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    try:
        write_text(folder / OWNER, json.dumps(owner) + "\n")
        write_text(folder / KEY, json.dumps(asked) + "\n")
    except WriteError as error:
        log.warning("Finished %s cannot be kept until all are complete: %s", noun, error)
    if count := count_parts(folder):
        log.warning("%d %s of %s are complete; the others follow.", count, noun, target)


def _owner(folder: Path) -> str:
    known = read_mark(folder / OWNER)
    if not known:
        return "unknown"
    return f"process {known.get('process')} on {known.get('host')} since {known.get('since')}"
