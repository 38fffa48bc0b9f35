"""Workers as jobs of a batch system (SLURM, PBS, ...), described by a YAML file."""

from __future__ import annotations

import difflib
import importlib
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any, TypeGuard

from bayes_mdd.errors import SpecError
from bayes_mdd.files.structured import read_yaml

#: Classes of dask-jobqueue by the name of the batch system.
SYSTEMS: Mapping[str, str] = {
    "slurm": "SLURMCluster",
    "pbs": "PBSCluster",
    "sge": "SGECluster",
    "lsf": "LSFCluster",
    "moab": "MoabCluster",
    "oar": "OARCluster",
    "htcondor": "HTCondorCluster",
}
#: Seconds between two looks at the number of jobs.
UPKEEP = 15
#: Settings that are no part of the configuration of dask-jobqueue, but of its classes.
_ADDED = frozenset({"protocol", "security"})
#: Settings that hold a list of lines.
_LISTS = frozenset(
    {"worker_extra_args", "job_script_prologue", "job_extra_directives", "job_directives_skip"}
)


@dataclass(frozen=True)
class BatchSystem:
    """Workers to request from a batch system.

    Parameters
    ----------
    system : str
        One of `SYSTEMS`.
    jobs : int
        Batch jobs at once.
    settings : mapping of str to object
        Arguments of the class of dask-jobqueue.
    """

    system: str
    jobs: int
    settings: Mapping[str, Any]

    @property
    def workers(self) -> int:
        """Workers of all jobs; each runs one task at a time."""
        return self.jobs * int(self.settings["processes"])


def read_batch_system(path: Path, jobs: int | None = None) -> BatchSystem:
    """Read and check a file that describes workers as jobs of a batch system.

    Parameters
    ----------
    path : Path
        YAML with ``jobqueue``, as in the configuration of dask-jobqueue, and ``jobs``.
    jobs : int, optional
        Number of batch jobs, in place of that of the file.

    Returns
    -------
    BatchSystem
        With one process for each core, unless the file says otherwise.

    Raises
    ------
    SpecError
        If the file cannot be used; every problem is listed.
    UnreadableFileError
        If it cannot be read.
    """
    content = read_yaml(path)
    found: Mapping[Any, Any] = content if isinstance(content, Mapping) else {}
    problems = [_unknown(str(key), ["jobqueue", "jobs"]) for key in found if key not in _TOP]
    jobs = found.get("jobs") if jobs is None else jobs
    if not _is_count(jobs):
        problems.append(f"jobs must be a whole number from 1 (batch jobs at once), got {jobs!r}.")
    system, settings = _choose_system(found.get("jobqueue"), problems)
    if system is not None:
        settings = {str(name).replace("-", "_"): value for name, value in settings.items()}
        problems += _check_settings(system, settings)
    if problems or system is None or jobs is None:
        lines = "\n".join(f"  {i}. {text}" for i, text in enumerate(problems, start=1))
        raise SpecError(f"{path}: {len(problems)} problem(s)\n{lines}")
    given = {name: value for name, value in settings.items() if value is not None}
    given.setdefault("processes", given["cores"])
    # One task at a time in each process, however many cores it has.
    arguments = [*given.get("worker_extra_args", ()), "--nthreads", "1"]
    return BatchSystem(system, jobs, given | {"worker_extra_args": arguments})


_TOP = ("jobqueue", "jobs")


def _choose_system(given: Any, problems: list[str]) -> tuple[str | None, Mapping[Any, Any]]:
    systems = ", ".join(SYSTEMS)
    if not isinstance(given, Mapping):
        problems.append(f"jobqueue is missing; expected one of {systems} below it, with settings.")
        return None, {}
    if len(given) != 1:
        problems.append(f"jobqueue must hold one batch system, got {len(given)}.")
        return None, {}
    [(system, settings)] = given.items()
    if system not in SYSTEMS:
        problems.append(f"jobqueue: {system!r} is unknown; expected one of {systems}.")
        return None, {}
    if not isinstance(settings, Mapping):
        problems.append(f"jobqueue.{system} must hold settings, such as cores: 4, memory: 16GB.")
        return None, {}
    return str(system), settings


def _check_settings(system: str, settings: Mapping[str, Any]) -> list[str]:
    config = importlib.import_module("dask.config")
    importlib.import_module("dask_jobqueue")
    configured = config.get(f"jobqueue.{system}")
    defaults = {str(name).replace("-", "_"): value for name, value in configured.items()}
    known = sorted({*defaults, *_ADDED})
    problems = [_unknown(f"{name}", known) for name in settings if name not in known]
    checks: Mapping[str, tuple[Callable[[Any], bool], str]] = {
        "cores": (_is_count, "a whole number from 1 (cores of each job)"),
        "processes": (_is_count, "a whole number from 1 (workers of each job)"),
        "memory": (_is_size, "a size of each job such as 16GB"),
        "walltime": (_is_text, "a time in quotation marks such as '04:00:00'"),
        **{name: (_is_lines, "a list of texts") for name in _LISTS},
    }
    for name, (right, wanted) in checks.items():
        needed = name in ("cores", "memory")
        value = settings.get(name, defaults.get(name))
        if (needed or (value is not None and name in settings)) and not right(value):
            problems.append(f"{name} must be {wanted}, got {value!r}.")
    cores, processes = settings.get("cores"), settings.get("processes")
    if _is_count(cores) and _is_count(processes) and processes > cores:
        problems.append(f"processes ({processes}) must be at most cores ({cores}).")
    return problems


def _unknown(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name.replace("-", "_"), known, n=1)
    meant = f"; did you mean {near[0]}?" if near else f"; known: {', '.join(known)}."
    return f"{name} is unknown{meant}"


def _is_count(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_lines(value: Any) -> bool:
    return isinstance(value, list) and all(_is_text(line) for line in value)


def _is_size(value: Any) -> bool:
    if not _is_text(value) or not re.match(r"\d", value):
        return False
    try:
        return bool(importlib.import_module("dask.utils").parse_bytes(value) > 0)
    except ValueError:
        return False


@contextmanager
def open_batch_system(batch: BatchSystem) -> Iterator[Any]:
    """Start a scheduler in this process and submit jobs, which start workers.

    Parameters
    ----------
    batch : BatchSystem
        From `read_batch_system`.

    Yields
    ------
    dask_jobqueue.JobQueueCluster
        Jobs that end, for example at their time limit, are submitted again until it is closed.

    Raises
    ------
    SpecError
        If jobs of this batch system cannot be submitted from here.
    """
    import dask_jobqueue

    kind = getattr(dask_jobqueue, SYSTEMS[batch.system])
    command = str(kind.job_cls.submit_command).split()[0]
    if shutil.which(command) is None:
        raise SpecError(
            f"{command} of {batch.system} is not on the PATH: start this on a machine that can "
            "submit jobs."
        )
    # The page of the scheduler, on any free port, is for this machine only.
    given = batch.settings.get("scheduler_options") or {}
    options = {"dashboard_address": "127.0.0.1:0", **given}
    with kind(**{**batch.settings, "scheduler_options": options}) as cluster:
        closing = Event()

        def submit() -> None:
            """Submit the jobs that are missing, now and then."""
            while not closing.is_set():
                cluster.scale(jobs=batch.jobs)
                closing.wait(UPKEEP)

        upkeep = Thread(target=submit, name="jobs of a batch system", daemon=True)
        upkeep.start()
        try:
            yield cluster
        finally:
            closing.set()
            upkeep.join()
