"""Tasks that were not taken, and those that were taken and are not complete."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from threading import Lock
from typing import Any


class TaskQueue:
    """Numbered tasks, each taken once, and taken again where it was lost.

    Parameters
    ----------
    tasks : iterable
        Read one by one as they are taken.

    Examples
    --------
    >>> queue = TaskQueue("ab")
    >>> list(queue)
    [(0, 'a'), (1, 'b')]
    >>> queue.finish(0)
    >>> queue.restart()
    >>> list(queue)
    [(1, 'b')]
    """

    def __init__(self, tasks: Iterable[Any]) -> None:
        self._rest = enumerate(tasks)
        self._again: Iterator[tuple[int, Any]] = iter(())
        self._taken: dict[int, Any] = {}
        # joblib takes tasks in threads.
        self._lock = Lock()

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        for _ in iter(int, 1):
            with self._lock:
                pair = next(chain(self._again, self._rest), None)
                if pair is None:
                    return
                self._taken[pair[0]] = pair[1]
            yield pair

    def finish(self, number: int) -> None:
        """Note that a task is complete.

        Parameters
        ----------
        number : int
            Its number.
        """
        with self._lock:
            del self._taken[number]

    def restart(self) -> None:
        """Give the tasks again that were taken and are not complete, before the others."""
        with self._lock:
            self._again = iter(sorted(self._taken.items(), key=lambda pair: pair[0]))
