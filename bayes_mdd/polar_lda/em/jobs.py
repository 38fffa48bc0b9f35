"""Several fits at once, in threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bayes_mdd.parallel.fan_out import count_workers, fan_out


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
    return count_workers(-1 if n_jobs is None else n_jobs)


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
    jobs = -1 if n_jobs is None else n_jobs
    return fan_out(function, ((item,) for item in items), n_jobs=jobs, where="threads")
