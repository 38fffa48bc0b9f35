"""Messages on stderr: progress, warnings, errors and, on request, the log of the package.

All of them are log records. Messages of the command line itself belong to the logger `log`.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import typer

from bayes_mdd.errors import SpecError

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

    def emit(self, record: logging.LogRecord) -> None:
        try:
            typer.echo(self.format(record), err=True)
        except Exception:
            self.handleError(record)


@contextmanager
def on_stderr() -> Iterator[None]:
    """Send messages and Python warnings to stderr, one line each."""
    handler = _StderrHandler()
    handler.setFormatter(_Formatter())
    levels = {logger: logger.level for logger in (_package_log, log)}
    _package_log.addHandler(handler)
    set_verbosity(verbose=False, quiet=False)
    with warnings.catch_warnings():
        warnings.showwarning = _log_warning
        # Deprecations inside libraries are not for users of a command; renamed settings are.
        for kind in (DeprecationWarning, PendingDeprecationWarning, FutureWarning):
            warnings.simplefilter("ignore", kind)
        warnings.filterwarnings("default", message=r".* is now called ")
        try:
            yield
        finally:
            _package_log.removeHandler(handler)
            for logger, level in levels.items():
                logger.setLevel(level)


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
    _package_log.setLevel(logging.DEBUG if verbose else logging.WARNING)
    log.setLevel(logging.WARNING if quiet else logging.INFO)


def show_progress_bar() -> bool:
    """Tell whether a progress bar is wanted: on a terminal, unless the command is quiet.

    Returns
    -------
    bool
        True if so.
    """
    return log.isEnabledFor(logging.INFO) and sys.stderr.isatty()
