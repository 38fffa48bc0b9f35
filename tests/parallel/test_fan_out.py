"""Tasks of a study run in any back end with the same results."""

from __future__ import annotations

import ast
import logging
import os
from concurrent.futures.process import BrokenProcessPool
from threading import Barrier, Thread

import joblib
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from bayes_mdd.errors import WorkerError
from bayes_mdd.parallel.blas import one_blas_thread
from bayes_mdd.parallel.fan_out import count_workers, fan_out, fan_out_in_turn, use_jobs
from bayes_mdd.parallel.keep import keep_results, part_files

#: Modules that start processes or threads.
POOLS = {"joblib", "joblib.parallel", "multiprocessing", "concurrent.futures", "distributed"}


def test_results_keep_the_order_of_tasks():
    tasks = [(n, 7) for n in range(20)]
    expected = [divmod(*t) for t in tasks]
    for n_jobs in (None, 1, 2):
        assert fan_out(divmod, iter(tasks), n_jobs=n_jobs) == expected


def test_the_configured_back_end_decides():
    assert count_workers(None) == 1
    with joblib.parallel_config("threading", n_jobs=3):
        assert count_workers(None) == 3
        assert fan_out(divmod, [(9, 4)]) == [(2, 1)]


def test_an_error_of_a_task_is_raised():
    with pytest.raises(ZeroDivisionError):
        fan_out(divmod, [(1, 0)])


def counted(log, value):
    """Square a number and note that it was computed."""
    with log.open("a", encoding="utf-8") as file:
        file.write(f"{value} ")
    if value < 0:
        raise KeyboardInterrupt
    return value**2


def test_finished_results_are_read_when_a_study_is_repeated(tmp_path):
    log = tmp_path / "log"
    target = tmp_path / "study"
    tasks = [(log, value) for value in (1, 2, 3)]
    with pytest.raises(KeyboardInterrupt), keep_results(target, {}, noun="tasks") as folder:
        fan_out(counted, [*tasks[:2], (log, -1)], files=part_files(folder, range(3)))
    with keep_results(target, {}, noun="tasks") as folder:
        files = part_files(folder, range(3))
        files[1].write_bytes(b"half")
        assert fan_out(counted, tasks, files=files) == [1, 4, 9]
    # Task 0 was kept, task 1 was damaged.
    assert log.read_text().split() == ["1", "2", "-1", "2", "3"]
    assert not list(tmp_path.glob(".bayes-mdd-*"))


def test_results_of_another_study_are_not_used(tmp_path):
    log = tmp_path / "log"
    for key in ({"seed": 1}, {"seed": 2}):
        with (
            pytest.raises(KeyboardInterrupt),
            keep_results(tmp_path / "study", key, noun="tasks") as folder,
        ):
            fan_out(counted, [(log, 1), (log, -1)], files=part_files(folder, range(2)))
    assert log.read_text().split() == ["1", "-1", "1", "-1"]


def test_nothing_is_kept_without_a_target():
    with keep_results(None, {}, noun="tasks") as folder:
        assert folder is None
        assert part_files(folder, range(3)) is None


@pytest.mark.parametrize("where", ["anywhere", "threads", "here"])
def test_results_come_in_the_order_of_tasks(where):
    found = fan_out_in_turn(divmod, [(n, 7) for n in range(20)], n_jobs=2, where=where)
    assert list(found) == [divmod(n, 7) for n in range(20)]


def test_tasks_are_taken_as_they_are_needed():
    taken = []

    def tasks():
        for n in range(1000):
            taken.append(n)
            yield (n, 7)

    assert next(fan_out_in_turn(divmod, tasks())) == (0, 0)
    assert len(taken) < 10


def test_the_number_of_jobs_is_stated_for_functions_that_are_not_told():
    with use_jobs(3):
        assert count_workers(None) == 3
    with use_jobs(None):
        assert count_workers(None) == 1


def lose(state, value):
    """Lose the first tries of each value, as if a worker had ended."""
    tries = state.setdefault(value, 0)
    state[value] += 1
    if tries < state["tries"]:
        raise BrokenProcessPool("a process ended")
    return value


def test_tasks_of_a_lost_worker_are_run_again(caplog):
    state = {"tries": 1}
    with caplog.at_level(logging.WARNING, "bayes_mdd.parallel"):
        found = fan_out(lose, [(state, n) for n in range(5)], n_jobs=2, where="here")
    assert found == list(range(5))
    assert "A worker was lost; its tasks are run again." in caplog.text


def test_a_task_that_ends_every_worker_is_given_up():
    with pytest.raises(WorkerError, match=r"often because memory was short.*a process ended"):
        fan_out(lose, [({"tries": 99}, 1)])


def end_once(marker, value):
    """End the process of the first call, as a system short of memory does."""
    try:
        marker.touch(exist_ok=False)
    except FileExistsError:
        return value
    os._exit(9)


def test_a_process_that_ends_loses_nothing(tmp_path):
    assert fan_out(end_once, [(tmp_path / "ended", n) for n in range(4)], n_jobs=2) == [0, 1, 2, 3]


def blas_threads():
    """Threads of linear algebra; sorted."""
    return sorted({pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"})


@pytest.mark.parametrize("where", ["anywhere", "threads"])
def test_linear_algebra_of_a_task_has_one_thread(where):
    with threadpool_limits(2):
        for n_jobs in (1, 2):
            assert fan_out(blas_threads, [(), ()], n_jobs=n_jobs, where=where) == [[1], [1]]
        assert blas_threads() == [2]


def test_the_limit_holds_until_the_last_thread_leaves():
    inside, left = Barrier(2), Barrier(2)
    seen = []

    def first():
        with one_blas_thread():
            inside.wait(10)
        left.wait(10)

    def last():
        with one_blas_thread():
            inside.wait(10)
            left.wait(10)
            seen.append(blas_threads())

    with threadpool_limits(2):
        threads = [Thread(target=first), Thread(target=last)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert seen == [[1]]
        assert blas_threads() == [2]


def test_only_one_package_starts_tasks(repository):
    """Other modules import nothing of joblib that runs tasks or says where they run."""
    found = []
    for path in sorted((repository / "bayes_mdd").rglob("*.py")):
        if path.parent.name == "parallel":
            continue
        text = path.read_text(encoding="utf-8")
        if not any(name in text for name in POOLS):
            continue
        for node in ast.walk(ast.parse(text)):
            names: set[str] = set()
            if isinstance(node, ast.ImportFrom) and node.module in POOLS:
                names = {alias.name for alias in node.names}
            elif isinstance(node, ast.Import):
                names = POOLS & {alias.name for alias in node.names}
            if names - {"cpu_count"}:
                found.append(f"{path.relative_to(repository)}:{node.lineno}")
    assert not found, "start tasks with bayes_mdd.parallel.fan_out"
