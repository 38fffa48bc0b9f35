"""Several fits at once, in threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from joblib import Parallel, cpu_count, delayed


def count_jobs(n_jobs: int | None) -> int:
    """Return the number of jobs that run at once.

    Parameters
    ----------
    n_jobs : int or None
        None or -1: all cores.

    Returns
    -------
    int
        At least 1.
    """
    return int(cpu_count()) if n_jobs in (None, -1) else int(n_jobs or 1)


def map_threads[Item, Found](
    function: Callable[[Item], Found], items: Iterable[Item], n_jobs: int | None
) -> list[Found]:
    """Apply a function to several items at once.

    Threads suffice and copy no data: the compiled E-step releases the global interpreter lock.

    Parameters
    ----------
    function : callable
        Of one item.
    items : iterable
        Its arguments.
    n_jobs : int or None
        As for `count_jobs`.

    Returns
    -------
    list
        Results in the order of the items; the same for every `n_jobs`.
    """
    run = Parallel(n_jobs=count_jobs(n_jobs), prefer="threads")
    return list(run(delayed(function)(item) for item in items))
