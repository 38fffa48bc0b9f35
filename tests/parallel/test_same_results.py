"""Studies have the same results, bit by bit, wherever their tasks run."""

from __future__ import annotations

import os
import signal
import time
from threading import Thread

import joblib
import numpy as np
import pytest
from small_studies import ANALYSES, STUDIES, cohort, fitted, numbers
from threadpoolctl import threadpool_limits

import bayes_mdd as bm
from bayes_mdd.parallel.fan_out import fan_out

pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def workers():
    """Two workers in processes of their own, which are started again when they end."""
    with bm.use_cluster("local", n_jobs=2) as client:
        yield client


@pytest.fixture(scope="module")
def once():
    """Results of one process with one thread, by study."""
    found = {}

    def of(name):
        if name not in found:
            # Also while a cluster is in use.
            with joblib.parallel_config("sequential"), threadpool_limits(1):
                found[name] = numbers(STUDIES[name](1))
        return found[name]

    return of


def assert_same(found, expected):
    assert list(found) == list(expected)
    for name, value in found.items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("name", STUDIES)
def test_several_processes_and_threads_change_nothing(name, once):
    with threadpool_limits(2):
        assert_same(numbers(STUDIES[name](2)), once(name))


@pytest.mark.slow
@pytest.mark.parametrize("name", STUDIES)
def test_a_cluster_changes_nothing(name, once, workers):
    expected = once(name)
    assert_same(numbers(STUDIES[name](None)), expected)


def kill_working(client):
    """Kill the worker that has a task, while it works."""
    pids = client.run(os.getpid)
    for _ in range(6000):
        busy = [worker for worker, tasks in client.processing().items() if tasks]
        if busy:
            os.kill(pids[busy[0]], signal.SIGKILL)
            return
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["permutations", "folds", "baselines"])
def test_a_worker_killed_during_the_work_changes_nothing(name, once, workers):
    expected = once(name)
    killer = Thread(target=kill_working, args=(workers,))
    killer.start()
    found = numbers(STUDIES[name](None))
    killer.join()
    assert_same(found, expected)


def slow_sum(numbers, value):
    """Take long enough to be killed."""
    time.sleep(0.2)
    return float(numbers.sum()) + value


@pytest.mark.slow
def test_data_of_a_killed_worker_are_sent_again(workers):
    """The worker is killed that holds the only copy of what all tasks share."""
    numbers = np.ones(1_000_000)
    workers.wait_for_workers(2, timeout=120)
    pids = workers.run(os.getpid)
    killed = []

    def kill():
        for _ in range(6000):
            holds = [
                w
                for w, keys in workers.has_what().items()
                if any("ndarray" in str(k) for k in keys)
            ]
            if holds:
                os.kill(pids[holds[0]], signal.SIGKILL)
                killed.append(len(holds))
                return
            time.sleep(0.005)

    killer = Thread(target=kill)
    killer.start()
    found = fan_out(slow_sum, [(numbers, n) for n in range(12)])
    killer.join()
    assert found == [1_000_000 + n for n in range(12)]
    assert killed


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fast", "mcmc"])
def test_a_fit_is_the_same_with_any_number_of_threads(method):
    sampler = bm.SamplerSpec(draws=20, tune=20, chains=2)
    spec = bm.SharedSpecificSpec(n_factors=2)
    trees = []
    for threads, cores in ((1, 1), (2, 2)):
        with threadpool_limits(threads):
            features = bm.reference_to_controls(cohort())
            sampler = bm.SamplerSpec(draws=20, tune=20, chains=2, cores=cores)
            trees.append(bm.fit(spec, features, sampler=sampler, method=method, progressbar=False))
    one, several = trees
    for group in ("posterior", "loadings", "constant_data"):
        assert one[group].to_dataset().equals(several[group].to_dataset()), group


@pytest.mark.slow
@pytest.mark.parametrize("name", ANALYSES)
def test_an_analysis_is_the_same_with_any_number_of_threads(name):
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            found.append(numbers(ANALYSES[name]()))
    assert_same(*found)


@pytest.mark.slow
def test_simulated_cohorts_and_maps_are_equal_to_rounding():
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            made = bm.simulate_cohort(seed=3, n_regions=51, source="edges")
            found.append((made.features["y"].values, bm.signatures(fitted())["mean"].values))
    for one, several in zip(*found, strict=True):
        np.testing.assert_allclose(several, one, rtol=1e-12, atol=1e-12 * np.abs(one).max())
