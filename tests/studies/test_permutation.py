"""Shuffled arms: labels move within sites only, and what is chance is told from what is not."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.results.result import read_result
from bayes_mdd.sampling.run_folder import read_run
from bayes_mdd.shared_specific.posterior.refit import Refit
from bayes_mdd.shared_specific.posterior.stored_data import read_model_data
from bayes_mdd.studies import permutation
from bayes_mdd.studies.permutation import judge_permutations, permute_arms

FACTORS = pd.DataFrame({"factor": ["F1", "F2"], "label": ["shared", "SSRI-specific"]})


@pytest.fixture(scope="module")
def run(small_run):
    return read_run(small_run.folder)


def refits(p_specific, monkeypatch, seen):
    """Replace the sampler by one that finds a factor specific with the given probabilities."""
    chances = iter(p_specific)

    def refit(idata, arm, sampler):
        seen.append(arm)
        share = np.where(np.arange(100) < 100 * next(chances), 0.99, 0.5)
        sharing = np.stack([share, 1 - share], axis=1)[:, :, None]
        return Refit(sharing=sharing, explained=np.full((100, 2, 1), 0.1))

    monkeypatch.setattr(permutation, "refit_with_arms", refit)


def test_labels_move_within_a_site_and_the_first_row_is_the_run(run, monkeypatch):
    seen = []
    refits([0.97, 0.2, 0.3], monkeypatch, seen)
    table = permute_arms(run, permutations=2, n_jobs=1)
    assert table["max_p_specific"].tolist() == pytest.approx([0.97, 0.2, 0.3])
    assert table.attrs["p_value"] == pytest.approx(1 / 3)
    data = read_model_data(read_result(run))
    np.testing.assert_array_equal(seen[0], data.arm)
    site = run["constant_data"]["site"].values
    assert any((arm != data.arm).any() for arm in seen[1:])
    for arm in seen[1:]:
        for s in np.unique(site):
            at = site == s
            assert sorted(arm[at]) == sorted(data.arm[at])


def test_the_stored_data_are_those_of_the_fit(run):
    data = read_model_data(read_result(run))
    assert data.stats.cross_products.shape[0] == len(data.stats.blocks)
    np.testing.assert_allclose(data.stats.basis.T @ data.design.to_numpy(), 0.0, atol=1e-10)
    # The likelihood of the stored draws is the one that was stored with them.
    from bayes_mdd.shared_specific.likelihood.collapsed import collapsed_value_and_grad

    p = run["posterior"].to_dataset().isel(chain=0, draw=0)
    value = collapsed_value_and_grad(
        data.stats.basis.T @ p["scores"].transpose("subject", "factor").values,
        np.ascontiguousarray(p["block_scale"].transpose("block", "factor").values),
        np.ascontiguousarray(p["noise"].values),
        data.stats.cross_products,
        data.stats.traces,
        data.stats.block_size,
    )[0]
    stored = run["block_log_density"].to_dataset()["features"].isel(chain=0, draw=0)
    np.testing.assert_allclose(value, stored, rtol=1e-9)


def test_a_refit_of_the_run_finds_what_the_run_found(run):
    found = permute_arms(
        run, permutations=1, n_jobs=1, sampler=permutation.REFIT.__class__(draws=100, tune=150,
                                                                            chains=1, cores=1)
    )  # fmt: skip
    assert found["max_p_specific"].between(0, 1).all()


def test_a_specific_factor_is_believed_only_beyond_its_null():
    table = pd.DataFrame({"permutation": range(21), "max_p_specific": 0.0, "arm": "n/a"})
    table.attrs["p_value"] = 1 / 21
    assert judge_permutations(table, FACTORS).passed is True
    table.attrs["p_value"] = 0.4
    failed = judge_permutations(table, FACTORS)
    assert failed.passed is False and "F2 may be due to chance" in failed.advice
    nothing = judge_permutations(table, FACTORS.assign(label="shared"))
    assert nothing.passed is None
    few = judge_permutations(table.head(4), FACTORS)
    assert "increase their number" in few.advice and few.passed is None


def test_what_cannot_be_permuted_is_refused(run):
    with pytest.raises(SpecError, match="at least 1"):
        permute_arms(run, permutations=0)
    one = run.copy()
    one["posterior"] = xr.DataTree(run["posterior"].to_dataset().isel(arm=[0]))
    with pytest.raises(DataContractError, match="one arm"):
        permute_arms(one)
    other = run.copy()
    other.attrs = {"spec": "{}", "model": "polar_lda"}
    with pytest.raises(DataContractError, match="needs a fit of the model shared_specific"):
        permute_arms(other)


def test_finished_refits_are_read_when_the_same_call_is_repeated(run, monkeypatch, tmp_path):
    seen = []
    refits([0.97, 0.2], monkeypatch, seen)
    # The third refit fails: the source of probabilities is exhausted.
    with pytest.raises((RuntimeError, StopIteration)):
        permute_arms(run, permutations=2, n_jobs=1, keep=tmp_path / "run")
    refits([0.3], monkeypatch, seen)
    table = permute_arms(run, permutations=2, n_jobs=1, keep=tmp_path / "run")
    assert table["max_p_specific"].tolist() == pytest.approx([0.97, 0.2, 0.3])
    assert len(seen) == 4
    assert not list(tmp_path.iterdir())
