"""Independent tasks, run at once.

joblib decides where: processes on this machine by default, or whatever
``joblib.parallel_config`` names. `bayes_mdd.use_cluster` names workers of a Dask cluster.

A result depends on the task alone: linear algebra has one thread within each task, random numbers
are seeded by the caller. Tasks of a worker that was lost are run again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Literal

from joblib import Parallel, delayed, effective_n_jobs, parallel_config

from bayes_mdd.parallel.blas import one_blas_thread
from bayes_mdd.parallel.keep import call_once
from bayes_mdd.parallel.losses import explain_loss, is_loss
from bayes_mdd.parallel.queue import TaskQueue
from bayes_mdd.parallel.shared import shared_folder
from bayes_mdd.parallel.software import require_same
from bayes_mdd.parallel.workers import expected_workers

log = logging.getLogger("bayes_mdd.parallel")

#: Where tasks run. "anywhere": in processes, or where ``joblib.parallel_config`` says. "threads":
#: in threads, which copy no data, or where ``joblib.parallel_config`` says. "here": always in
#: threads of this process, for functions that cannot be sent or that write into shared arrays.
Where = Literal["anywhere", "threads", "here"]
_HINTS: dict[Where, dict[str, Any]] = {
    "anywhere": {},
    "threads": {"prefer": "threads"},
    "here": {"require": "sharedmem"},
}
#: Losses of workers in a row, without a result between them, after which tasks are not run again.
MOST_LOSSES = 3


def fan_out[T](
    function: Callable[..., T],
    tasks: Iterable[tuple[Any, ...]],
    *,
    n_jobs: int | None = None,
    files: Sequence[Path] | None = None,
    where: Where = "anywhere",
) -> list[T]:
    """Call a function once per task.

    Parameters
    ----------
    function : callable
        Of the module level, so that other processes can import it.
    tasks : iterable of tuple
        Positional arguments of each call; made one by one as workers take them.
    n_jobs : int, optional
        Calls at once; -1 for all cores. Default one, or what ``joblib.parallel_config`` says. On a
        cluster, as many as there are workers.
    files : sequence of Path, optional
        Where each result is kept, from `bayes_mdd.parallel.keep.part_files`. The process that
        computes a result writes it; results that are there are read instead. Workers on other
        machines must see the folder.
    where : {"anywhere", "threads", "here"}, default "anywhere"
        See `Where`.

    Returns
    -------
    list
        Results in the order of `tasks`.

    Raises
    ------
    WorkerError
        If workers are lost again and again, or run other versions of the software.

    Examples
    --------
    >>> fan_out(divmod, [(7, 2), (9, 4)])
    [(3, 1), (2, 1)]
    """
    found = dict(_run(_with_files(function, tasks, files), n_jobs, where))
    return [found[i] for i in range(len(found))]


def fan_out_in_turn[T](
    function: Callable[..., T],
    tasks: Iterable[tuple[Any, ...]],
    *,
    n_jobs: int | None = None,
    where: Where = "anywhere",
) -> Iterator[T]:
    """Call a function once per task, and yield the results one by one.

    Parameters
    ----------
    function, tasks, n_jobs, where : callable, iterable of tuple, int, str
        As for `fan_out`.

    Yields
    ------
    object
        Results in the order of `tasks`, each as soon as those before it are there.

    Examples
    --------
    >>> next(fan_out_in_turn(divmod, [(7, 2), (9, 4)]))
    (3, 1)
    """
    waiting: dict[int, T] = {}
    turn = 0
    for i, result in _run(_with_files(function, tasks, None), n_jobs, where):
        waiting[i] = result
        while turn in waiting:
            yield waiting.pop(turn)
            turn += 1


def _with_files[T](
    function: Callable[..., T], tasks: Iterable[tuple[Any, ...]], files: Sequence[Path] | None
) -> Iterable[tuple[Callable[..., T], tuple[Any, ...]]]:
    if files is None:
        return ((function, task) for task in tasks)
    pairs = zip(tasks, files, strict=True)
    return ((call_once, (function, path, *task)) for task, path in pairs)


def _run(
    tasks: Iterable[tuple[Callable[..., Any], tuple[Any, ...]]], n_jobs: int | None, where: Where
) -> Iterator[tuple[int, Any]]:
    """Yield numbers and results of tasks as they finish."""
    queue = TaskQueue(tasks)
    expected = None if where == "here" else expected_workers()
    # Workers of a cluster may start after the call: tasks wait for them there.
    ahead = "2*n_jobs" if expected is None else max(2 * expected.number, 2 * count_workers(n_jobs))
    software = None if expected is None else expected.software
    call = _call_here if where == "here" else _call
    shared = str(shared_folder()) if where == "anywhere" and expected is None else None
    losses = 0
    while True:
        parallel = Parallel(
            n_jobs=n_jobs,
            return_as="generator_unordered",
            pre_dispatch=ahead,
            temp_folder=shared,
            **_HINTS[where],
        )
        try:
            # Arguments are not packed into one: a cluster sends those that tasks share once.
            calls = (delayed(call)(software, i, f, *map(_hold, task)) for i, (f, task) in queue)
            for i, result in parallel(calls):
                queue.finish(i)
                losses = 0
                yield i, result
            return
        except Exception as error:
            if not is_loss(error):
                raise
            losses += 1
            if losses > MOST_LOSSES:
                raise explain_loss(error) from error
            log.warning("A worker was lost; its tasks are run again.")
        queue.restart()


class _Held:
    """An argument that is sent unchanged: without weak references, it is not scattered by Dask."""

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value


def _hold(argument: object) -> object:
    # joblib lets Dask scatter large arguments, so that shared ones are sent once. Dask scatters
    # sets element by element: the task would receive a set of futures instead of its elements.
    return _Held(argument) if isinstance(argument, (set, frozenset)) else argument


def _release(argument: object) -> object:
    return argument.value if isinstance(argument, _Held) else argument


def _call[T](
    software: tuple[tuple[str, str], ...] | None,
    number: int,
    function: Callable[..., T],
    *task: Any,
) -> tuple[int, T]:
    if software is not None:
        require_same(software)
    with one_blas_thread():
        return number, function(*map(_release, task))


def _call_here[T](_: object, number: int, function: Callable[..., T], *task: Any) -> tuple[int, T]:
    """Call a function whose caller has chosen the threads of linear algebra."""
    return number, function(*map(_release, task))


def use_jobs(n_jobs: int | None) -> AbstractContextManager[object]:
    """State how many tasks run at once where a function is not told.

    Parameters
    ----------
    n_jobs : int, optional
        Tasks at once; -1 for all cores. None changes nothing.

    Returns
    -------
    context manager
        It holds within.
    """
    return nullcontext() if n_jobs is None else parallel_config(n_jobs=n_jobs)


def count_workers(n_jobs: int | None) -> int:
    """Count the tasks that will run at once.

    Parameters
    ----------
    n_jobs : int, optional
        As for `fan_out`.

    Returns
    -------
    int
        At least 1.
    """
    # The stubs do not accept None, which asks the configured back end.
    return int(effective_n_jobs(n_jobs))  # type: ignore[arg-type]
