"""Tasks of a study run in any back end with the same results."""

from __future__ import annotations

import joblib
import pytest

from bayes_mdd.parallel.fan_out import count_workers, fan_out
from bayes_mdd.parallel.keep import keep_results, part_files


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
