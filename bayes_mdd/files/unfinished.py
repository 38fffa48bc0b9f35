"""Parts of unfinished work, in a hidden folder beside its target, and the lock of the target."""

from __future__ import annotations

import json
import logging
import os
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from bayes_mdd.errors import RunFolderError, WriteError
from bayes_mdd.files.folders import resolve, tag_of
from bayes_mdd.files.marks import read_mark
from bayes_mdd.files.replace import write_text
from bayes_mdd.files.temporary import remove

UNFINISHED: Final = ".bayes-mdd-unfinished-"
LOCK, OWNER, KEY = "lock", "process.json", "key.json"
#: Finished parts, whatever their suffix; temporary files have other names.
PARTS: Final = "part-*"

log = logging.getLogger("bayes_mdd.files")
#: Where `kept_until_written` collects what is removed at its end.
_waiting: ContextVar[ExitStack | None] = ContextVar("_waiting", default=None)


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
        Hidden folder for files named ``part-*``; it is removed on success, or at the end of
        `kept_until_written`. After an error or a signal it stays if it holds parts; otherwise it
        is removed with the folders above it that were made for it. None where nothing can be
        written beside the target.

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
    folder = _folder_of(target)
    try:
        made = [p for p in folder.parents if not p.exists()]
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
    with ExitStack() as own:
        own.callback(lock.release)
        own.push(_Ending(folder, target, noun, made))
        _prepare(folder, target, key, noun)
        yield folder
        if (outer := _waiting.get()) is not None:
            outer.push(own.pop_all())


@contextmanager
def kept_until_written() -> Iterator[None]:
    """Keep the parts of all targets inside until the block ends, with the locks of the targets.

    For commands that write what they computed at their end: a stop in between loses nothing.
    """
    with ExitStack() as outer:
        token = _waiting.set(outer)
        try:
            yield
        finally:
            _waiting.reset(token)


def is_unfinished(target: str | Path) -> bool:
    """Tell whether parts of a target are kept, or an earlier command was stopped while writing it.

    Parameters
    ----------
    target : str or Path
        The file or folder.

    Returns
    -------
    bool
        True if so.
    """
    return count_parts(_folder_of(target)) > 0


def forget_unfinished(target: str | Path) -> None:
    """Remove what is kept of a target that is complete, unless another process writes it.

    Parameters
    ----------
    target : str or Path
        The file or folder.
    """
    folder = _folder_of(target)
    if not folder.is_dir():
        return
    try:
        with FileLock(folder / LOCK, timeout=0):
            remove(folder)
    except (Timeout, OSError):
        return


class _Ending:
    """Removes the parts on success; after an error, keeps them and says so."""

    def __init__(
        self, folder: Path, target: str | Path, noun: str, made: Iterable[Path] = ()
    ) -> None:
        self._folder, self._target, self._noun, self._made = folder, target, noun, tuple(made)

    def __enter__(self) -> None:
        """Nothing."""

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        count = 0 if error is None else count_parts(self._folder)
        if count:
            log.warning(
                "Stopped. %d complete %s of %s are kept: repeat the command to continue.",
                *(count, self._noun, self._target),
            )
            return
        remove(self._folder)
        if error is not None:
            _remove_empty(self._made)


def _remove_empty(folders: Iterable[Path]) -> None:
    """Remove folders, the innermost first, up to one that holds something."""
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()


def _folder_of(target: str | Path) -> Path:
    final = resolve(Path(target))
    return final.with_name(f"{UNFINISHED}{tag_of(final)}")


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
            remove(path)
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
