"""Where the tasks of a command run: ``--jobs`` and ``--cluster``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

import bayes_mdd as bm
from bayes_mdd.cli.messages import log
from bayes_mdd.errors import SpecError


def require_tasks(option: str, asked: object, cluster: str | None, jobs: int | None) -> None:
    """Check that there are tasks to run where ``--jobs`` or ``--cluster`` is given.

    Parameters
    ----------
    option : str
        The option that asks for the tasks.
    asked : object
        Its value.
    cluster, jobs : str and int, optional
        Values of these options.

    Raises
    ------
    typer.BadParameter
        If the command has nothing to run there.
    """
    given = [name for name, value in (("--cluster", cluster), ("--jobs", jobs)) if value]
    if given and not asked:
        raise typer.BadParameter(f"{' and '.join(given)}: only with {option}.")


@contextmanager
def run_tasks(cluster: str | None, jobs: int | None) -> Iterator[int | None]:
    """Run tasks on this machine or on a cluster.

    Parameters
    ----------
    cluster : str, optional
        As `bayes_mdd.use_cluster` takes it.
    jobs : int, optional
        Tasks at once; on a cluster, processes of this machine or jobs of the batch system.

    Yields
    ------
    int or None
        For parameters ``n_jobs``.

    Raises
    ------
    SpecError
        If `jobs` is 0, below -1, or does not suit the cluster.
    """
    if jobs is not None and (jobs == 0 or jobs < -1):
        raise SpecError(f"--jobs must be a number from 1, or -1 for all cores, got {jobs}.")
    if cluster is None:
        from bayes_mdd.parallel.fan_out import use_jobs

        with use_jobs(jobs):
            yield jobs
        return
    with bm.use_cluster(cluster, n_jobs=jobs) as client:
        assert client.scheduler is not None  # only of a closed client
        log.info("Tasks run on the cluster %s", client.scheduler.address)
        yield None
