"""Workers of a Dask cluster, on which the tasks of studies run."""

from __future__ import annotations

import importlib
import logging
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from joblib import cpu_count, parallel_config

from bayes_mdd.errors import BayesMDDError, SpecError, WorkerError
from bayes_mdd.parallel.batch import BatchSystem, open_batch_system, read_batch_system
from bayes_mdd.parallel.software import (
    PACKAGES,
    blas_kernels,
    describe_software,
    list_differences,
    refuse_differences,
)
from bayes_mdd.parallel.workers import expect_workers

if TYPE_CHECKING:
    from distributed import Client

log = logging.getLogger("bayes_mdd.parallel")

#: Seconds to wait for the scheduler and for the first worker of a running cluster.
TIMEOUT = 30
#: Seconds to wait while jobs of a batch system are queued.
QUEUE_TIMEOUT = 7 * 24 * 3600
#: Address of the page of a scheduler: any free port, for this machine only.
PAGE = "127.0.0.1:0"
#: Workers that a task may lose before it is given up: jobs end at their time limit.
ALLOWED_FAILURES = 10
_ADDRESS = re.compile(r"(?:[a-z]+://)\S+|[\w.-]+:\d+")


@contextmanager
def use_cluster(where: str | Path = "local", *, n_jobs: int | None = None) -> Iterator[Client]:
    """Run the tasks of studies on the workers of a Dask cluster.

    Within the context, whatever takes ``n_jobs`` (`compare_models`, `permute_arms`,
    `compare_baselines`, `analyse_response`, `plan_power`, reading and measuring of features) runs
    its tasks on the workers, and so does other code that uses joblib. Results are those of one
    process. Tasks of a worker that is lost are run again.

    Parameters
    ----------
    where : str or Path, default "local"
        "local": new processes on this machine. An address such as "tcp://host:8786" or
        "tls://host:8786": a cluster that runs already, whose workers have one thread each
        (``dask worker ADDRESS --nthreads 1 --nworkers 8``). A file such as "slurm.yaml": workers
        are started as jobs of a batch system and end with the context.
    n_jobs : int, optional
        Number of processes ("local", all cores by default), or of batch jobs (in place of ``jobs``
        of the file). Not for an address.

    Yields
    ------
    distributed.Client
        Connected to the cluster.

    Raises
    ------
    SpecError
        If the extra ``cluster`` is not installed, or `where` or `n_jobs` is wrong.
    WorkerError
        If no scheduler or worker answers, or workers have other versions of the software than this
        process; every difference is listed.

    Notes
    -----
    Workers of other machines must see the folders of the cohort and of the results under the same
    paths. Arguments and results travel between the machines; encrypt them with ``tls://`` where
    the network is shared.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> with bm.use_cluster("local", n_jobs=2):  # doctest: +SKIP
    ...     table = bm.permute_arms(idata, permutations=99)
    """
    target = _check(where, n_jobs)
    with ExitStack() as stack:
        client, number = _connect(target, n_jobs, stack)
        patient = isinstance(target, BatchSystem)
        _wait(client, number, patient=patient)
        _check_workers(client)
        stack.enter_context(expect_workers(number))
        timeout = QUEUE_TIMEOUT if patient else TIMEOUT
        stack.enter_context(
            parallel_config("dask", client=client, wait_for_workers_timeout=timeout)
        )
        yield client


def _check(where: str | Path, n_jobs: int | None) -> str | BatchSystem:
    """Check the arguments; the cluster that is asked for."""
    try:
        importlib.import_module("distributed")
    except ImportError as error:
        raise SpecError(
            "A cluster needs the extra 'bayes-mdd[cluster]': install it, or omit the cluster "
            f"({error})."
        ) from error
    if n_jobs is not None and n_jobs < 1 and not (n_jobs == -1 and where == "local"):
        raise SpecError(f"n_jobs must be at least 1 on a cluster, got {n_jobs}.")
    text = str(where)
    if text == "local":
        return text
    if Path(text).suffix in (".yaml", ".yml"):
        return read_batch_system(Path(text), n_jobs)
    if not _ADDRESS.fullmatch(text):
        raise SpecError(
            f"cluster {text!r} is unknown; expected local, an address such as tcp://host:8786, or "
            "a file such as slurm.yaml."
        )
    if n_jobs is not None:
        raise SpecError(
            f"n_jobs is {n_jobs}, but the cluster {text} runs already and decides the number of "
            "workers: omit it."
        )
    return text if "://" in text else f"tcp://{text}"


def _connect(target: str | BatchSystem, n_jobs: int | None, stack: ExitStack) -> tuple[Client, int]:
    """Start or find a cluster; the client, and the number of workers it will have (0: unknown)."""
    # Dask comes with distributed.
    config = importlib.import_module("dask.config")

    # Not typed.
    distributed: Any = importlib.import_module("distributed")

    stack.enter_context(config.set({"distributed.scheduler.allowed-failures": ALLOWED_FAILURES}))
    try:
        if isinstance(target, BatchSystem):
            jobs = stack.enter_context(open_batch_system(target))
            return stack.enter_context(distributed.Client(jobs)), target.workers
        if target == "local":
            number = int(cpu_count()) if n_jobs in (None, -1) else int(n_jobs or 1)
            local = distributed.LocalCluster(
                n_workers=number,
                threads_per_worker=1,
                processes=True,
                memory_limit=0,
                dashboard_address=PAGE,
                silence_logs=logging.ERROR,
            )
            return stack.enter_context(distributed.Client(stack.enter_context(local))), number
        return stack.enter_context(distributed.Client(target, timeout=TIMEOUT)), 0
    except BayesMDDError:
        raise
    except (OSError, ValueError, RuntimeError) as error:
        what = target.system if isinstance(target, BatchSystem) else target
        raise WorkerError(f"The cluster {what} cannot be used: {error}") from error


def _wait(client: Any, number: int, *, patient: bool) -> None:
    """Wait for the first worker; for jobs of a batch system as long as they are queued."""
    if patient and not client.ncores():
        log.info("Waiting for the first of %d workers from the batch system", number)
    try:
        client.wait_for_workers(1, timeout=None if patient else TIMEOUT)
    except TimeoutError as error:
        raise WorkerError(
            f"The cluster has no worker after {TIMEOUT} s: start some, for example with "
            "'dask worker ADDRESS --nthreads 1 --nworkers 8'."
        ) from error


def _check_workers(client: Any) -> None:
    """Refuse workers with other software or several threads; those that come later check it too."""
    found = client.get_versions(packages=["bayes-mdd", *PACKAGES])["workers"]
    own = describe_software()
    bare = tuple((name, text.partition(" (")[0]) for name, text in own)
    refuse_differences(
        {worker: list_differences(bare, _short(info["packages"])) for worker, info in found.items()}
    )
    # The package is there, so that its functions can be called: is it the same source?
    described = client.run(describe_software)
    refuse_differences({worker: list_differences(own, s) for worker, s in described.items()})
    several = [worker for worker, threads in client.ncores().items() if threads > 1]
    if several:
        raise WorkerError(
            f"{', '.join(several)}: a worker must run one task at a time: start it with "
            "--nthreads 1, and --nworkers for the number of processes."
        )
    kernels = {blas_kernels(), *client.run(blas_kernels).values()}
    if len(kernels) > 1:
        log.warning(
            "Processors of the workers differ (kernels of linear algebra: %s): results that are "
            "sampled can be reproduced within Monte-Carlo error only.",
            "; ".join(sorted(", ".join(names) for names in kernels)),
        )


def _short(packages: dict[str, str | None]) -> tuple[tuple[str, str], ...]:
    """Versions as `describe_software` writes them."""
    return tuple(
        (name, ".".join(str(text).split(".")[:2]) if name == "python" else text or "not installed")
        for name, text in packages.items()
    )
