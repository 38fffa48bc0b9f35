"""Tasks of a study run in any back end with the same results."""

from __future__ import annotations

import joblib
import pytest

from bayes_mdd.studies.fan_out import count_workers, fan_out


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
