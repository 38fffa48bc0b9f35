"""Log of the commands that write to a run: one JSON object per line, written as it happens."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bayes_mdd.errors import UnreadableFileError
from bayes_mdd.files.folders import resolve
from bayes_mdd.files.marks import LOG, RUN
from bayes_mdd.files.regular import open_regular, read_most
from bayes_mdd.files.text import MAX_TEXT

#: Hidden file beside a run folder that does not exist yet, or is being replaced.
WAITING = ".bayes-mdd-log-"


class RunLog(logging.Handler):
    """Writes log records of one command, and keeps them until it is known where.

    Lines are written one by one, so that those of a process that is killed stay. A log that cannot
    be written is given up: it never stops a command.

    Parameters
    ----------
    command : str
        Name of the command, e.g. ``"fit"``.
    """

    def __init__(self, command: str) -> None:
        super().__init__()
        self.command = command
        self._lines: list[str] = []
        self._started = self._last = time.monotonic()
        self._folder: Path | None = None
        self._path: Path | None = None
        self._alone = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record.

        Parameters
        ----------
        record : LogRecord
            The record.
        """
        now = time.monotonic()
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "command": self.command,
            "process": os.getpid(),
            "seconds": round(now - self._started, 3),
            "since_last": round(now - self._last, 3),
            "message": record.getMessage(),
        }
        self._last = now
        self._lines.append(json.dumps(entry, ensure_ascii=False))
        self._write()

    def keep(self, folder: Path, *, new: bool = False) -> None:
        """Say which run the command writes to.

        Parameters
        ----------
        folder : Path
            The run folder; any other folder gets no log.
        new : bool, default False
            Whether the command makes or replaces the folder: lines then wait beside it.
        """
        if self._folder not in (None, folder):
            self.finish()
        if not new and not RUN.is_marked(folder):
            return
        self._folder = folder
        self._path = waiting_log(folder) if new else folder / LOG
        self._alone = not self._path.exists()
        self._write()

    def finish(self, *, refused: bool = False) -> None:
        """Move lines that waited beside the run into it, if it is there.

        Parameters
        ----------
        refused : bool, default False
            Whether the command refused its input: lines of a new run are then dropped.
        """
        folder, path, self._path = self._folder, self._path, None
        if folder is None or path is None:
            return
        waiting = waiting_log(folder)
        with contextlib.suppress(OSError):
            if refused and self._alone and path == waiting:
                waiting.unlink(missing_ok=True)
            elif RUN.is_marked(folder):
                before = waiting.read_bytes() if waiting.is_file() else b""
                if before or self._lines:
                    _append(folder / LOG, before + self._take())
                waiting.unlink(missing_ok=True)

    def _write(self) -> None:
        # A folder for a new run may be made later.
        if self._path is None or not self._lines or not self._path.parent.is_dir():
            return
        try:
            _append(self._path, self._take())
        except OSError:  # a read-only folder, a full disk
            self._path = None

    def _take(self) -> bytes:
        data = "".join(f"{line}\n" for line in self._lines)
        self._lines.clear()
        return data.encode("utf-8", "backslashreplace")


def _append(path: Path, data: bytes) -> None:
    """Append in one call of the system; a line that a killed process left half is ended first."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        size = os.fstat(descriptor).st_size
        half = size and os.pread(descriptor, 1, size - 1) != b"\n"
        os.write(descriptor, (b"\n" if half else b"") + data)
    finally:
        os.close(descriptor)


def waiting_log(folder: Path) -> Path:
    """Name the file in which lines wait until a run is complete.

    Parameters
    ----------
    folder : Path
        The run folder.

    Returns
    -------
    Path
        A hidden file beside it.
    """
    final = resolve(folder)
    digest = hashlib.sha256(final.name.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return final.parent / f"{WAITING}{digest}.jsonl"


def read_log(folder: Path) -> Iterator[dict[str, Any]]:
    """Read the log of a run.

    Parameters
    ----------
    folder : Path
        The run folder.

    Yields
    ------
    dict
        One entry per line; lines that a killed process left half are skipped. Nothing
        is yielded if the file cannot be read. Only the first 64 MiB of a log are read.
    """
    try:
        with open_regular(folder / LOG) as stream:
            text = read_most(stream, MAX_TEXT).decode(errors="replace")
    except UnreadableFileError:
        return
    for line in text.splitlines():
        with contextlib.suppress(ValueError, RecursionError):
            entry = json.loads(line)
            if isinstance(entry, dict):
                yield entry
