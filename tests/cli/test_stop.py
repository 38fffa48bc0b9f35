"""A fit that is stopped continues, and ends with the draws of an undisturbed one."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import xarray as xr

import bayes_mdd as bm
from bayes_mdd.cli.signals import Stopped, stopped_by_signals

FAST = ("--set", "sampler.draws=150", "--set", "sampler.tune=150", "--set", "sampler.cores=1")


def test_a_signal_stops_in_order_and_handlers_return():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Stopped, match="SIGTERM") as caught, stopped_by_signals():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(1)
    assert caught.value.status == 143
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stop") / "cohort"
    bm.write_cohort(bm.simulate_cohort(seed=2, n_regions=14), folder)
    return folder


def start(cohort, run):
    command = [sys.executable, "-m", "bayes_mdd", "fit", "shared_specific", str(cohort)]
    return subprocess.Popen(
        [*command, "-o", str(run), "--set", "model.n_factors=3", *FAST],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def kept(run):
    return len(list(run.parent.glob(".bayes-mdd-unfinished-*/part-*.nc")))


def wait_for_chains(process, run, chains):
    while process.poll() is None and kept(run) < chains:
        time.sleep(0.02)


@pytest.fixture(scope="module")
def undisturbed(cohort):
    run = cohort.parent / "undisturbed" / "run"
    process = start(cohort, run)
    process.communicate()
    return xr.open_datatree(run / "posterior.nc", engine="h5netcdf").load()


def assert_same(run, undisturbed):
    found = xr.open_datatree(run / "posterior.nc", engine="h5netcdf").load()
    for group in ("posterior", "loadings", "invariants", "sample_stats"):
        for name, value in undisturbed[group].data_vars.items():
            np.testing.assert_array_equal(found[group][name].values, value.values, err_msg=name)
    assert not list(run.parent.glob(".bayes-mdd-*"))


@pytest.mark.slow
@pytest.mark.parametrize("chains", [0, 2])
def test_a_killed_fit_continues(cohort, undisturbed, tmp_path, chains):
    run = tmp_path / "run"
    process = start(cohort, run)
    wait_for_chains(process, run, chains)
    process.kill()
    process.communicate()
    assert not run.exists()
    assert kept(run) >= chains
    again = start(cohort, run)
    _, said = again.communicate()
    if chains:
        assert "are complete; the others follow" in said
    assert_same(run, undisturbed)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="the system cannot pause a process")
def test_a_terminated_fit_says_how_to_continue(cohort, undisturbed, tmp_path):
    run = tmp_path / "run"
    process = start(cohort, run)
    try:
        wait_for_chains(process, run, 1)
        # Paused, the first process holds the run folder however long the second one takes.
        process.send_signal(signal.SIGSTOP)
        second = start(cohort, run)
        _, refused = second.communicate()
        assert second.returncode == 2
        assert "is being written by another process" in refused
        process.terminate()
        process.send_signal(signal.SIGCONT)
        _, said = process.communicate()
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 143
    assert "repeat the command to continue" in said
    start(cohort, run).communicate()
    assert_same(run, undisturbed)
