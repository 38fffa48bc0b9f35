"""Warnings that arise while a result is computed, for the record of that result."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, TextIO

#: Not about the data or the fit.
_UNRELATED = (DeprecationWarning, PendingDeprecationWarning, FutureWarning, ImportWarning)
#: Attribute of log records whose content is recorded elsewhere, as a check.
IN_CHECKS = "in_checks"
#: Loggers of what concerns files and workers, e.g. that a stopped command continues: the result is
#: the same without it.
_PROCESS = ("bayes_mdd.files", "bayes_mdd.parallel")
_package = logging.getLogger("bayes_mdd")


class _Recorder(logging.Handler):
    """Collects warnings of the package, each text once."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.found: dict[str, str] = {}

    def emit(self, record: logging.LogRecord) -> None:
        elsewhere = getattr(record, IN_CHECKS, False) or record.name.startswith(_PROCESS)
        if record.levelno == logging.WARNING and not elsewhere:
            self.note("warning", record.getMessage())

    def note(self, category: str, message: str) -> None:
        self.found.setdefault(" ".join(message.split()), category)


#: Recorders of the calls that are running, the outermost first.
_open: list[_Recorder] = []


@contextmanager
def record_warnings() -> Iterator[None]:
    """Record Python warnings (those of NumPy included) and warnings of the package's log.

    They are shown or logged as without it. Calls may be nested, as a fit in a command.
    """
    recorder = _Recorder()
    _open.append(recorder)
    _package.addHandler(recorder)
    # Python's warnings are those of the process: a thread must not change how they are shown.
    alone = threading.current_thread() is threading.main_thread()
    try:
        with _python_warnings(recorder) if alone else nullcontext():
            yield
    finally:
        _package.removeHandler(recorder)
        _open.remove(recorder)


@contextmanager
def _python_warnings(recorder: _Recorder) -> Iterator[None]:
    with warnings.catch_warnings():
        show = warnings.showwarning

        def showwarning(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if not issubclass(category, _UNRELATED):
                recorder.note(category.__name__, str(message))
            show(message, category, filename, lineno, file, line)

        warnings.showwarning = showwarning
        yield


def take_warnings() -> list[dict[str, Any]]:
    """Take what was recorded since the last call, by all recorders that are open.

    Returns
    -------
    list of dict
        ``category``, e.g. "RuntimeWarning" or "warning" (of the package), and ``message``.
    """
    found: dict[str, str] = {}
    for recorder in _open:
        for message, category in recorder.found.items():
            if found.get(message, "warning") == "warning":
                found[message] = category
        recorder.found.clear()
    return [{"category": category, "message": message} for message, category in found.items()]
