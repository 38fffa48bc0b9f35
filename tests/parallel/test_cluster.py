"""Which clusters are accepted, and how tasks run there."""

from __future__ import annotations

import sys

import joblib
import numpy as np
import pytest

import bayes_mdd as bm
from bayes_mdd.errors import SpecError, WorkerError
from bayes_mdd.parallel import cluster as room
from bayes_mdd.parallel.batch import read_batch_system
from bayes_mdd.parallel.fan_out import count_workers, fan_out
from bayes_mdd.parallel.software import describe_software, require_same
from bayes_mdd.studies import power

pytest.importorskip("distributed")

SLURM = """\
jobs: 3
jobqueue:
  slurm:
    cores: 4
    memory: 16GB
    walltime: "04:00:00"
    account: lab
    job-extra-directives: ["--requeue"]
"""


def add(numbers, value):
    """Add a number to a sum."""
    return float(numbers.sum()) + value


def test_tasks_run_on_the_workers_of_an_address(near_cluster):
    numbers = np.ones(100_000)
    tasks = [(numbers, n) for n in range(7)]
    with bm.use_cluster(near_cluster) as client:
        assert count_workers(None) == 2
        assert fan_out(add, iter(tasks)) == [100_000 + n for n in range(7)]
        # Functions of closures stay here, with shared memory.
        seen = []
        assert fan_out(lambda n: seen.append(n), [(1,), (2,)], where="here") == [None, None]
        assert sorted(seen) == [1, 2]
        assert client.status == "running"
    assert count_workers(None) == 1


def in_order(*sets):
    """Elements of sets."""
    return [sorted(s) for s in sets]


@pytest.mark.parametrize("kind", [set, frozenset])
def test_sets_arrive_whole(near_cluster, kind):
    """Dask would send sets of more than 1 kB element by element."""
    names = [f"sub-{i:03d}" for i in range(100)]
    with bm.use_cluster(near_cluster):
        found = fan_out(in_order, [(kind(names), kind(names[:2])), (kind(names[1:]), kind())])
    assert found == [[names, names[:2]], [names[1:], []]]


def test_an_error_of_a_task_on_a_worker_is_raised(near_cluster):
    with bm.use_cluster(near_cluster), pytest.raises(ZeroDivisionError):
        fan_out(divmod, [(1, 0)])


def test_back_end_of_joblib_without_use_cluster(near_cluster):
    from distributed import Client

    with Client(near_cluster) as client, joblib.parallel_config("dask", client=client):
        assert fan_out(divmod, [(9, 4), (7, 2)]) == [(2, 1), (3, 1)]


@pytest.mark.parametrize(
    ("where", "n_jobs", "words"),
    [
        ("locale", None, "cluster 'locale' is unknown; expected local, an address such as"),
        ("slurm", None, "or a file such as slurm.yaml"),
        ("tcp://host:8786", 3, "n_jobs is 3, but the cluster tcp://host:8786 runs already"),
        ("local", 0, "n_jobs must be at least 1 on a cluster, got 0"),
    ],
)
def test_arguments_that_name_no_cluster(where, n_jobs, words):
    with pytest.raises(SpecError, match=words), bm.use_cluster(where, n_jobs=n_jobs):
        pass


def test_a_scheduler_that_does_not_answer(monkeypatch):
    monkeypatch.setattr(room, "TIMEOUT", 0.2)
    with (
        pytest.raises(WorkerError, match=r"The cluster tcp://127.0.0.1:9 cannot be used"),
        bm.use_cluster("127.0.0.1:9"),
    ):
        pass


def test_the_extra_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(SpecError, match=r"needs the extra 'bayes-mdd\[cluster\]'"),
        bm.use_cluster(),
    ):
        pass


def test_workers_with_other_software_are_refused(near_cluster, monkeypatch):
    own = dict(describe_software()) | {"numpy": "1.0", "numba": "0.1"}
    monkeypatch.setattr(room, "describe_software", lambda: tuple(own.items()))
    with pytest.raises(WorkerError) as caught, bm.use_cluster(near_cluster):
        pass
    text = str(caught.value)
    assert text.count("instead of") == 2
    assert "instead of 1.0" in text
    assert "instead of 0.1" in text
    # Both workers are the same: one line.
    assert text.count("inproc://") == 2
    assert len(text.splitlines()) == 3


def test_a_worker_that_starts_later_checks_its_own_software():
    other = (("bayes-mdd", "9.9 (source 0)"), *describe_software()[1:])
    with pytest.raises(WorkerError, match=r"a worker: bayes-mdd .* instead of 9.9 \(source 0\)"):
        require_same(other)
    require_same(describe_software())


def test_workers_of_several_threads_are_refused():
    from distributed import LocalCluster

    with (
        LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address="127.0.0.1:0"
        ) as several,
        pytest.raises(WorkerError, match="one task at a time: start it with --nthreads 1"),
        bm.use_cluster(several.scheduler_address),
    ):
        pass


def write(folder, text):
    """Write a description of a batch system."""
    path = folder / "slurm.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_jobs_of_a_batch_system_are_described_by_a_file(tmp_path):
    path = write(tmp_path, SLURM)
    batch = read_batch_system(path)
    assert (batch.system, batch.jobs, batch.workers) == ("slurm", 3, 12)
    assert batch.settings["processes"] == 4
    assert batch.settings["job_extra_directives"] == ["--requeue"]
    assert batch.settings["worker_extra_args"] == ["--nthreads", "1"]
    assert read_batch_system(path, jobs=5).workers == 20


def test_all_problems_of_the_file_are_listed(tmp_path):
    wrong = """\
job: 3
jobqueue:
  slurm:
    cores: four
    processes: 0
    walltime: 24:00:00
    job-script-prologue: module load python
    queues: lab
"""
    with pytest.raises(SpecError) as caught:
        read_batch_system(write(tmp_path, wrong))
    text = str(caught.value)
    for words in (
        "slurm.yaml: 8 problem(s)",
        "job is unknown; did you mean jobs?",
        "jobs must be a whole number from 1 (batch jobs at once), got None",
        "queues is unknown; did you mean queue?",
        "cores must be a whole number from 1 (cores of each job), got 'four'",
        "processes must be a whole number from 1",
        "memory must be a size of each job such as 16GB, got None",
        "walltime must be a time in quotation marks such as '04:00:00', got 86400",
        "job_script_prologue must be a list of texts",
    ):
        assert words in text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "jobqueue is missing; expected one of slurm, pbs"),
        ("- slurm", "jobqueue is missing"),
        ("jobs: 2\njobqueue: {sloorm: {cores: 1}}", "jobqueue: 'sloorm' is unknown"),
        ("jobs: 2\njobqueue: {slurm: {}, pbs: {}}", "must hold one batch system, got 2"),
        ("jobs: 2\njobqueue: {slurm: 4}", "jobqueue.slurm must hold settings"),
        ("jobs: 0\njobqueue: {pbs: {cores: 1, memory: 1GB}}", "jobs must be .* got 0"),
        ("jobs: 1\njobqueue: {sge: {cores: 2, processes: 3, memory: 1GB}}", "at most cores"),
        ("jobs: 1\njobqueue: {lsf: {cores: 1, memory: much}}", "memory must be a size"),
    ],
)
def test_files_that_describe_no_batch_system(tmp_path, text, words):
    with pytest.raises(SpecError, match=words):
        read_batch_system(write(tmp_path, text))


def test_a_machine_that_cannot_submit_jobs(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        pytest.raises(SpecError, match="sbatch of slurm is not on the PATH"),
        bm.use_cluster(write(tmp_path, SLURM)),
    ):
        pass


def find_in_some(target, plan, total, seed):
    """Find the target in every other trial, without simulating it."""
    return seed % 2 == 0


def test_a_command_runs_its_tasks_on_a_cluster(near_cluster, run_cli, monkeypatch):
    monkeypatch.setattr(power, "_find_in_trial", find_in_some)
    words = ["power", "--simulate", "--repeats", 20, "--json"]
    there = run_cli(*words, "--cluster", near_cluster)
    assert there.status == 0, there.err
    assert f"Tasks run on the cluster {near_cluster}" in there.err
    assert there.out == run_cli(*words, "--jobs", 1).out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["power", "--jobs", 2], "--jobs: only with --simulate"),
        (["power", "--simulate", "--jobs", -3], "--jobs must be a number from 1, or -1"),
        (["power", "--simulate", "--cluster", "nowhere"], "cluster 'nowhere' is unknown"),
    ],
)
def test_jobs_and_clusters_that_a_command_refuses(run_cli, words, said):
    done = run_cli(*words)
    assert done.status == 2
    assert said in " ".join(done.err.replace("│", " ").split())
