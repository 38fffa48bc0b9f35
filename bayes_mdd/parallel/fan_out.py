"""Independent tasks, run at once.

joblib decides where: processes on this machine by default, or whatever
``joblib.parallel_config`` names, for example a Dask cluster.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed, dump, effective_n_jobs, load

from bayes_mdd.errors import WriteError
from bayes_mdd.files.replace import write_with

log = logging.getLogger("bayes_mdd.parallel")


def fan_out[T](
    function: Callable[..., T],
    tasks: Iterable[tuple[Any, ...]],
    *,
    n_jobs: int | None = None,
    files: Sequence[Path] | None = None,
) -> list[T]:
    """Call a function once per task.

    Parameters
    ----------
    function : callable
        Of the module level, so that other processes can import it.
    tasks : iterable of tuple
        Positional arguments of each call; made one by one as workers take them.
    n_jobs : int, optional
        Calls at once; -1 for all cores. Default one, or what ``joblib.parallel_config`` says.
    files : sequence of Path, optional
        Where each result is kept, from `bayes_mdd.parallel.keep.part_files`. The process that
        computes a result writes it; results that are there are read instead. Workers on other
        machines must see the folder.

    Returns
    -------
    list
        Results in the order of `tasks`.

    Examples
    --------
    >>> fan_out(divmod, [(7, 2), (9, 4)])
    [(3, 1), (2, 1)]
    """
    if files is None:
        calls = (delayed(function)(*task) for task in tasks)
    else:
        calls = (
            delayed(_call_once)(function, task, path)
            for task, path in zip(tasks, files, strict=True)
        )
    done: list[T] = Parallel(n_jobs=n_jobs)(calls)
    return done


def _call_once[T](function: Callable[..., T], task: tuple[Any, ...], path: Path) -> T:
    """Read the result of an earlier call, or call and keep the result."""
    if path.is_file():
        try:
            found: tuple[T] = load(path)
            return found[0]
        # Whatever is wrong with the file: the result is computed again.
        except Exception:
            log.info("%s cannot be read; its result is computed again.", path.name)
    result = function(*task)
    try:
        write_with(path, lambda temporary: dump((result,), temporary))
    except WriteError as error:
        log.warning("A result is not kept until all are complete: %s", error)
    return result


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
