"""One task a person, in parallel, without holding more than the results."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from joblib import Parallel, delayed


def for_everybody[S, T](
    task: Callable[[S], T], people: Mapping[str, S], *, label: str, n_jobs: int | None = None
) -> Iterator[T]:
    """Run a task for every person and hand over the results one by one, in order.

    Threads are asked for: the work is done by NumPy and SciPy, which release the interpreter, and
    nothing has to be copied to other processes. Whoever wraps the call in
    ``joblib.parallel_config`` (processes, a dask cluster) overrules that.

    Parameters
    ----------
    task : callable
        Takes what there is of one person.
    people : mapping of str to object
        What there is of everybody; each is taken out when its turn comes.
    label : str
        What the progress bar says. It shows only where standard error is a terminal.
    n_jobs : int, optional
        People at a time; -1 for all cores. Default what ``joblib.parallel_config`` says, else 1.

    Yields
    ------
    object
        The result of one person.

    Examples
    --------
    >>> list(for_everybody(str.upper, {"sub-1": "a", "sub-2": "b"}, label="shouting"))
    ['A', 'B']
    """
    parallel = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")
    with _progress(label, len(people)) as step:
        for result in parallel(delayed(task)(people[subject]) for subject in people):
            step()
            yield result


@contextmanager
def _progress(label: str, total: int) -> Iterator[Callable[[], None]]:
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        row = bar.add_task(label, total=total)
        yield lambda: bar.advance(row)
