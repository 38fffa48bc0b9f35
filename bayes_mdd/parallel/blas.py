"""One thread of linear algebra within a task, so that results do not depend on where it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

# The limit holds for libraries that are loaded: that of NumPy is, this loads that of SciPy.
import scipy.linalg  # noqa: F401
import threadpoolctl
from threadpoolctl import threadpool_limits


class _Limit:
    """A limit of the process that several threads hold, and that the last one lifts."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._holders = 0
        self._limit: Any = None

    def hold(self) -> None:
        with self._lock:
            if not self._holders:
                _let_any_thread_limit()
                self._limit = threadpool_limits(1)
            self._holders += 1

    def release(self) -> None:
        with self._lock:
            self._holders -= 1
            if not self._holders:
                _let_any_thread_limit()
                self._limit.restore_original_limits()
                _let_any_thread_limit()


def _let_any_thread_limit() -> None:
    """Let the next thread set limits.

    In threadpoolctl 3.7 only the first thread that sets one can set others, as long as it lives;
    those of other threads have no effect.
    """
    controller = getattr(threadpoolctl, "OpenBLASController", None)
    clear = getattr(controller, "clear_controlling_thread", None)
    if clear is not None:
        clear(force=True)


_LIMIT = _Limit()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit linear algebra to one thread; threads of this process may overlap.

    Sums of several threads are added in another order, so that results would differ in late digits
    between machines with different numbers of cores. Nested limits of threadpoolctl are lifted by
    the first thread that leaves; this one is lifted by the last.

    Yields
    ------
    None
        While the limit holds.

    Examples
    --------
    >>> @one_blas_thread()
    ... def product(a, b):
    ...     return a @ b
    """
    _LIMIT.hold()
    try:
        yield
    finally:
        _LIMIT.release()
