"""Compilation of numerical kernels by Numba, cached on disk until their source changes."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, cast

from numba import config, njit
from numba.core.caching import FunctionCache
from numba.core.dispatcher import Dispatcher

from bayes_mdd.caches import report_caches

_log = logging.getLogger(__name__)
report_caches()
# Numba reads the variable at its import, which may have come before ours.
_numba: Any = config
_numba.CACHE_DIR = _numba.CACHE_DIR or os.environ.get("NUMBA_CACHE_DIR", "")


@cache
def _report_not_kept(reason: str) -> None:
    """Log a reason once."""
    _log.warning(
        "Compiled code cannot be kept (%s); every process compiles again. Set NUMBA_CACHE_DIR to a "
        "writable folder with free space.",
        reason,
    )


class _OptionalCache(FunctionCache):
    """A cache whose files may be unreadable or impossible to write."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Load a compiled function; None if its file is damaged, which is then discarded."""
        try:
            return super().load_overload(sig, target_context)  # type: ignore[no-untyped-call]
        except Exception:  # whatever unpickling a damaged file raises
            with contextlib.suppress(OSError):
                self.flush()  # type: ignore[no-untyped-call]
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled function, if that is possible."""
        try:
            super().save_overload(sig, data)  # type: ignore[no-untyped-call]
        except OSError as error:
            _report_not_kept(error.strerror or str(error))


def compiled[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function on its first call, without the global interpreter lock.

    Numba keeps compiled functions on disk and recompiles a function when its own file changes,
    but not when a function of another file changes that it calls. Here the cached copy is valid
    for one `source_version`, which covers both. Where no folder can be written, functions are
    compiled by every process, and one message says so.

    Parameters
    ----------
    function : callable
        A function in the part of Python and NumPy that Numba supports. Kernels of other modules
        that it calls must be imported at the top of its module.

    Returns
    -------
    callable
        The compiled function, a dispatcher of Numba.
    """
    kernel: Any = njit(nogil=True)(function)
    if isinstance(kernel, Dispatcher):  # a plain function where NUMBA_DISABLE_JIT is set
        try:
            kept: Any = _OptionalCache(function)  # type: ignore[no-untyped-call]
        except RuntimeError:  # Numba found no folder
            _report_not_kept("neither the installation nor the home folder is writable")
        else:
            kept._cache_file._source_stamp = source_version(function)
            vars(kernel)["_cache"] = kept
    return cast(Callable[P, R], kernel)


def source_version(function: Callable[..., Any]) -> int:
    """Hash the source of the module of a function and of all modules whose kernels it imports.

    Parameters
    ----------
    function : callable
        A function of a module that is written in a file.

    Returns
    -------
    int
        Different, for all practical purposes, for different sources.
    """
    paths: set[Path] = set()
    _collect(function, paths)
    digest = hashlib.sha256()
    for source in sorted(_source_hash(path) for path in paths):
        digest.update(source)
    return int.from_bytes(digest.digest()[:8], "big")


def _collect(function: Callable[..., Any], paths: set[Path]) -> None:
    module = sys.modules[function.__module__]
    path = Path(str(module.__file__))
    if path in paths:
        return
    paths.add(path)
    for value in list(vars(module).values()):
        if isinstance(value, Dispatcher):
            _collect(value.py_func, paths)


@cache
def _source_hash(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()
