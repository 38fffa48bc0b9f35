"""Chains have seeds of their own, and a fit that was stopped continues with the missing ones."""

import logging

import numpy as np
import pytest
import xarray as xr

from bayes_mdd.errors import RunFolderError
from bayes_mdd.files.unfinished import count_parts
from bayes_mdd.parallel.software import describe_software
from bayes_mdd.sampling.chains import chain_seeds, digest_start, sample_chains
from bayes_mdd.sampling.compiled import compile_density
from bayes_mdd.sampling.unfinished import FolderChains, keep_chains
from bayes_mdd.specs import SamplerSpec

SIZE = 3
START = digest_start([np.zeros(SIZE)])


class Memory:
    """Chains in a dictionary; counts what is written."""

    def __init__(self, **chains):
        self.chains = {}
        self.written = []

    def read(self, chain):
        return self.chains.get(chain)

    def write(self, chain, drawn):
        self.chains[chain] = drawn.copy(deep=True)
        self.written.append(chain)


def sample(chains=3, store=None, cores=2, start=START):
    model = compile_density(
        lambda z: (-0.5 * float(z @ z), -z),
        SIZE,
        lambda z: z,
        lambda seed: np.random.default_rng(seed).normal(size=SIZE),
    )
    spec = SamplerSpec(draws=30, tune=60, chains=chains, cores=cores, seed=5)
    drawn = sample_chains(model, spec, start, store=store, progressbar=False)
    return drawn["posterior"]["point"].values


@pytest.fixture(scope="module")
def whole():
    return sample()


def test_a_chain_depends_neither_on_the_number_of_chains_nor_on_the_cores(whole):
    np.testing.assert_array_equal(sample(chains=2, cores=1), whole[:2])
    assert len(set(chain_seeds(5, 100))) == 100
    assert not np.array_equal(whole[0], whole[1])


def test_missing_chains_are_sampled_and_the_draws_are_those_of_an_undisturbed_fit(whole):
    store = Memory()
    sample(store=store)
    assert sorted(store.written) == [0, 1, 2]
    del store.chains[1]
    store.written.clear()
    np.testing.assert_array_equal(sample(store=store), whole)
    assert store.written == [1]


def test_chains_from_another_start_are_not_used(whole):
    store = Memory()
    sample(store=store)
    store.written.clear()
    np.testing.assert_array_equal(sample(store=store, start="other"), whole)
    assert sorted(store.written) == [0, 1, 2]


def test_chains_on_disk_are_read_back_and_damaged_ones_sampled_again(tmp_path, whole):
    store = FolderChains(tmp_path)
    sample(store=store)
    assert count_parts(tmp_path) == 3
    (tmp_path / "part-2.nc").write_bytes(b"half")
    assert store.read(2) is None
    np.testing.assert_array_equal(sample(store=store), whole)


def provenance(**other):
    return {"model": "a", "sampler": "b", "inputs": "c", "method": "mcmc", "seed": 1, **other}


def chain():
    return xr.DataTree.from_dict({"posterior": xr.Dataset({"x": ("draw", [1.0])})})


def hidden(folder):
    return [p.name for p in folder.iterdir() if p.name.startswith(".bayes-mdd")]


def test_nothing_is_left_after_success(tmp_path):
    with keep_chains(tmp_path / "run", provenance()) as store:
        store.write(0, chain())
        assert hidden(tmp_path)
    assert not hidden(tmp_path)


def test_nothing_is_left_of_a_failure_before_the_first_chain(tmp_path):
    with pytest.raises(ValueError, match="no"), keep_chains(tmp_path / "run", provenance()):
        raise ValueError("no")
    assert not hidden(tmp_path)


def test_chains_of_a_stopped_fit_are_kept_and_found_again(tmp_path, caplog):
    with (
        caplog.at_level(logging.WARNING),
        pytest.raises(KeyboardInterrupt),
        keep_chains(tmp_path / "run", provenance()) as store,
    ):
        store.write(1, chain())
        raise KeyboardInterrupt
    assert "1 complete chains" in caplog.text
    assert "repeat the command to continue" in caplog.text
    with keep_chains(tmp_path / "run", provenance()) as store:
        assert store.read(0) is None
        assert float(store.read(1)["posterior"]["x"][0]) == 1.0


@pytest.mark.parametrize("part", ["model", "sampler", "inputs", "method"])
def test_chains_of_another_run_are_removed(tmp_path, part):
    with pytest.raises(KeyboardInterrupt), keep_chains(tmp_path / "run", provenance()) as store:
        store.write(0, chain())
        raise KeyboardInterrupt
    with keep_chains(tmp_path / "run", provenance(**{part: "other"})) as store:
        assert store.read(0) is None


def test_chains_of_other_software_are_removed(tmp_path, monkeypatch):
    with pytest.raises(KeyboardInterrupt), keep_chains(tmp_path / "run", provenance()) as store:
        store.write(0, chain())
        raise KeyboardInterrupt
    other = (("bayes-mdd", "0.0 (source 0123456789)"), *describe_software()[1:])
    monkeypatch.setattr("bayes_mdd.parallel.keep.describe_software", lambda: other)
    with keep_chains(tmp_path / "run", provenance()) as store:
        assert store.read(0) is None


def test_half_written_files_of_a_killed_process_are_removed(tmp_path):
    with pytest.raises(KeyboardInterrupt), keep_chains(tmp_path / "run", provenance()) as store:
        store.write(0, chain())
        raise KeyboardInterrupt
    (folder,) = [tmp_path / name for name in hidden(tmp_path)]
    (folder / ".part-1234.nc").write_bytes(b"half")
    with keep_chains(tmp_path / "run", provenance()):
        assert count_parts(folder) == 1
        assert not list(folder.glob(".part-*"))


def test_a_second_process_is_refused_and_told_who_writes(tmp_path):
    with keep_chains(tmp_path / "run", provenance()):
        with (
            pytest.raises(RunFolderError, match=r"written by another process \(process \d+ on"),
            keep_chains(tmp_path / "run", provenance()),
        ):
            pass
        with keep_chains(tmp_path / "other", provenance()):
            pass
    with keep_chains(tmp_path / "run", provenance()):
        pass


def test_a_folder_that_cannot_be_written_keeps_no_chains(tmp_path):
    (tmp_path / "file").write_text("")
    with keep_chains(tmp_path / "file" / "run", provenance()) as store:
        assert store is None
