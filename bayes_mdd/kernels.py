"""Compilation of numerical kernels by Numba, cached on disk until their source changes."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, cast

from numba import njit
from numba.core.dispatcher import Dispatcher


def compiled[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function on its first call, without the global interpreter lock.

    Numba keeps compiled functions on disk and recompiles a function when its own file changes,
    but not when a function of another file changes that it calls. Here the cached copy is valid
    for one `source_version`, which covers both.

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
    kernel: Any = njit(cache=True, nogil=True)(function)
    if isinstance(kernel, Dispatcher):  # a plain function where NUMBA_DISABLE_JIT is set
        index: Any = vars(kernel)["_cache"]._cache_file
        index._source_stamp = source_version(function)
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
