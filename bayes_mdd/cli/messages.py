"""Messages on stderr: progress, warnings, errors and, on request, the log of the package.

All of them are log records, which are also written to the log of the run that a command changes.
Messages of the command line itself belong to the logger `log`.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import typer

from bayes_mdd.cli.status import ExitStatus
from bayes_mdd.errors import SpecError
from bayes_mdd.files.noted import record_warnings
from bayes_mdd.files.run_log import RunLog

#: Progress (INFO), warnings and errors of the command line.
log = logging.getLogger("bayes_mdd.cli")
_package_log = logging.getLogger("bayes_mdd")


class _Formatter(logging.Formatter):
    """Plain text; warnings and errors say so, records of other modules name their logger."""

    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        if record.levelno >= logging.WARNING:
            text = f"{record.levelname.capitalize()}: {text}"
        return text if record.name == log.name else f"[{record.name}] {text}"


class _StderrHandler(logging.Handler):
    """Write to the stderr of the moment, which callers may have redirected."""

    #: Least levels that are shown: of the command line, and of the package.
    own, package = logging.INFO, logging.WARNING

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= (self.own if record.name == log.name else self.package)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            typer.echo(self.format(record), err=True)
        except Exception:
            self.handleError(record)


#: The handlers of the command that is running.
_stderr: _StderrHandler | None = None
_run_log: RunLog | None = None


@contextmanager
def on_stderr(words: Sequence[str] = ()) -> Iterator[None]:
    """Send messages and Python warnings to stderr, one line each, and record them.

    Parameters
    ----------
    words : sequence of str
        The command line, for the log of the run that the command names with `keep_log`.
    """
    global _stderr, _run_log
    before = _stderr, _run_log
    command = next((w for w in words if not w.startswith("-")), "")
    handlers = _stderr, _run_log = _StderrHandler(), RunLog(command)
    _stderr.setFormatter(_Formatter())
    level = _package_log.level
    for handler in handlers:
        _package_log.addHandler(handler)
    set_verbosity(verbose=False, quiet=False)
    # Not shown, but written to the log of a run.
    log.debug("started: %s", " ".join(words))
    with warnings.catch_warnings():
        warnings.showwarning = _log_warning
        # Deprecations inside libraries are not for users of a command; renamed settings are.
        for kind in (DeprecationWarning, PendingDeprecationWarning, FutureWarning):
            warnings.simplefilter("ignore", kind)
        warnings.filterwarnings("default", message=r".* is now called ")
        status: object = 0
        try:
            with record_warnings():
                yield
        except BaseException as stop:
            status = stop.code or 0 if isinstance(stop, SystemExit) else type(stop).__name__
            raise
        finally:
            log.debug("ended with status %s", status)
            _run_log.finish(refused=status == ExitStatus.BAD_INPUT)
            for handler in handlers:
                _package_log.removeHandler(handler)
            _package_log.setLevel(level)
            _stderr, _run_log = before


def keep_log(run_dir: Path, *, new: bool = False) -> None:
    """Write the log of the running command to the run that it writes to.

    Parameters
    ----------
    run_dir : Path
        The run folder.
    new : bool, default False
        Whether the command makes or replaces the run. The log then waits in a hidden file beside
        the folder, where that of a command that was killed stays until the run is complete.
    """
    if _run_log is not None:
        _run_log.keep(run_dir, new=new)


def _log_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Log a Python warning; has the signature of `warnings.showwarning`."""
    log.warning("%s", message)


def set_verbosity(*, verbose: bool, quiet: bool) -> None:
    """Choose which messages a command prints.

    Parameters
    ----------
    verbose : bool
        Also print the log of the package.
    quiet : bool
        Print warnings and errors only.

    Raises
    ------
    SpecError
        If both are requested.
    """
    if verbose and quiet:
        raise SpecError("--verbose and --quiet exclude each other: give one of them.")
    if _stderr is not None:
        _stderr.package = logging.DEBUG if verbose else logging.WARNING
        _stderr.own = logging.WARNING if quiet else logging.INFO
    # What the terminal does not show is still written to the log of the run.
    _package_log.setLevel(logging.DEBUG)


def show_progress_bar() -> bool:
    """Tell whether a progress bar is wanted: on a terminal, unless the command is quiet.

    Returns
    -------
    bool
        True if so.
    """
    shown = _stderr is not None and _stderr.own <= logging.INFO
    return shown and sys.stderr.isatty()
