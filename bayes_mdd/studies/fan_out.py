"""Independent tasks of a study, run at once.

joblib decides where: processes on this machine by default, or whatever
``joblib.parallel_config`` names, for example a Dask cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from joblib import Parallel, delayed, effective_n_jobs


def fan_out[T](
    function: Callable[..., T], tasks: Iterable[tuple[Any, ...]], *, n_jobs: int | None = None
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

    Returns
    -------
    list
        Results in the order of `tasks`.

    Examples
    --------
    >>> fan_out(divmod, [(7, 2), (9, 4)])
    [(3, 1), (2, 1)]
    """
    done: list[T] = Parallel(n_jobs=n_jobs)(delayed(function)(*task) for task in tasks)
    return done


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
