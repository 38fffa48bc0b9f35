"""Permutation null, token scale, stability, and shared or unique parts of maps."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm

from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.polar_lda import (
    bootstrap_maps,
    fit_counts,
    make_counts,
    nestedness,
    null_run,
    posterior_overlap,
    published_overlap,
    split_half,
    token_sensitivity,
)
from bayes_mdd.polar_lda.em.corpus import read_corpus
from bayes_mdd.polar_lda.robustness.null import permute_edges


@pytest.fixture(scope="module")
def patterned():
    """40 subjects, 60 edges, 2 Gaussian patterns in unit noise; z values and blocks."""
    rng = np.random.default_rng(0)
    pattern = np.repeat(rng.choice([-1.5, 0, 1.5], size=(2, 12)), 5, axis=1)
    z = rng.dirichlet([0.4, 0.4], size=40) @ pattern + rng.normal(size=(40, 60))
    return z, np.repeat([f"B{i}" for i in range(12)], 5)


@pytest.fixture(scope="module")
def model(patterned):
    return fit_counts(make_counts(patterned[0]), 2, 4)


def test_the_null_distinguishes_a_pattern_from_noise(patterned):
    found = null_run(make_counts(patterned[0]), 2)
    assert found.attrs["p_value"] == pytest.approx(0.05)
    assert found["gain"][0] > 1.2 * found["gain"][1:].max()

    noise = np.random.default_rng(5).normal(size=(40, 60))
    nothing = null_run(make_counts(noise), 2)
    assert nothing.attrs["p_value"] > 0.1
    # Compositions look like subtypes nevertheless.
    assert nothing["composition_sd"][0] > 0.2


def test_the_null_is_exact_on_noise():
    rng = np.random.default_rng(1)
    p = [
        null_run(make_counts(rng.normal(size=(10, 12))), 2, n_null=4, seed=i).attrs["p_value"]
        for i in range(20)
    ]
    # p is uniform on 0.2, 0.4, ..., 1 under the null: mean 0.6, SD of the mean of 20 is 0.063.
    assert 0.4 < np.mean(p) < 0.8
    assert set(np.round(p, 1)) <= {0.2, 0.4, 0.6, 0.8, 1.0}


def test_permutation_keeps_the_values_of_every_edge(patterned):
    counts = make_counts(patterned[0])
    corpus = read_corpus(counts)
    mixed = permute_edges(corpus, np.random.default_rng(2))
    for c in (corpus, mixed):
        assert c.count.sum() == np.abs(counts).sum()
    both = [np.bincount(c.word, c.count, minlength=120) for c in (corpus, mixed)]
    np.testing.assert_array_equal(*both)
    assert not np.array_equal(corpus.length, mixed.length)


@pytest.mark.parametrize("settings", [{"n_factors": 1}, {"n_null": 0}])
def test_an_impossible_null_is_refused(settings, patterned):
    with pytest.raises(SpecError, match="at least 2 factors"):
        null_run(make_counts(patterned[0]), **settings)


def test_only_nominal_intervals_depend_on_the_token_scale(patterned, model):
    table = token_sensitivity(patterned[0], model, scales=(5.0, 10.0, 20.0)).set_index("scale")
    ratio = table.loc[5.0, "nominal_sd"] / table.loc[20.0, "nominal_sd"]
    assert ratio == pytest.approx(2.0, rel=0.15)
    assert table["composition_correlation"].min() > 0.99
    assert table["map_correlation"].min() > 0.99


def test_halves_agree_on_a_pattern_and_not_on_noise(patterned):
    z = patterned[0]
    noise = np.random.default_rng(3).normal(size=z.shape)
    real, nothing = (
        split_half(make_counts(x), 2, n_splits=2, n_restarts=1)["map_correlation"].mean()
        for x in (z, noise)
    )
    assert real > 0.5
    assert nothing < real - 0.3
    with pytest.raises(SpecError, match="half of 40"):
        split_half(make_counts(z), 21)


def test_a_model_split_in_two_is_nested(model):
    # The finer model: the second factor twice, with its weight divided.
    fine = model.isel(factor=[0, 1, 1]).assign_coords(factor=["F1", "F2", "F3"])
    theta = fine["composition"].values * [1.0, 0.5, 0.5]
    fine = fine.assign(composition=fine["composition"].copy(data=theta))
    table = nestedness(model, fine)
    assert table.loc[0, "merged"] == "F2+F3"
    assert table.loc[0, "map_correlation"] == pytest.approx(1.0)
    assert table.loc[0, "composition_correlation"] == pytest.approx(1.0)
    assert table.loc[1, "map_correlation"] < 0.95
    with pytest.raises(DataContractError, match="expected K and K \\+ 1"):
        nestedness(fine, model)


@pytest.fixture(scope="module")
def boot(patterned, model):
    z, blocks = patterned
    return bootstrap_maps(
        make_counts(z),
        model,
        blocks=blocks.tolist(),
        strata=["A", "B"] * 20,
        n_resamples=30,
    )


def test_the_published_rule_is_z_fdr_and_counting(boot):
    found = published_overlap(boot)
    z = boot["block_map"].values / boot["block_draws"].values.std(axis=0, ddof=1)
    p = 2 * (1 - norm.cdf(np.abs(z)))
    np.testing.assert_allclose(found["z"], z)
    np.testing.assert_allclose(found["p"], p, atol=1e-12)
    flat = np.sort(p.ravel())
    below = np.flatnonzero(flat <= 0.05 * np.arange(1, flat.size + 1) / flat.size)
    survives = p <= flat[below[-1]]
    np.testing.assert_array_equal(found["survives"], survives)
    np.testing.assert_array_equal(found["unique"].any("factor"), survives.sum(axis=0) == 1)
    np.testing.assert_array_equal(found["conjunction"], survives.sum(axis=0) >= 2)
    fixed = published_overlap(boot, p_max=0.0186)
    np.testing.assert_array_equal(fixed["survives"], p <= 0.0186)


def test_joint_probabilities_are_shares_of_draws(boot):
    draws = boot["block_draws"]
    found = posterior_overlap(draws, delta=0.002)
    large = np.abs(draws.values) > 0.002
    only = (large[:, 0] & ~large[:, 1]).mean(axis=0)
    np.testing.assert_allclose(found["p_unique"][0], only)
    both = large.all(axis=1)
    same = np.sign(draws.values[:, 0]) == np.sign(draws.values[:, 1])
    np.testing.assert_allclose(found["p_shared"], (both & same).mean(axis=0))
    np.testing.assert_allclose(found["p_opposed"], (both & ~same).mean(axis=0))
    with pytest.raises(SpecError, match="delta"):
        posterior_overlap(draws, delta=0.0)


def test_resamples_vary_around_the_fit_and_are_drawn_within_arms(boot, model):
    r = np.corrcoef(boot["map_draws"].mean("resample").values.ravel(), model["map"].values.ravel())
    assert r[0, 1] > 0.95
    np.testing.assert_allclose(boot["arm_draws"].sum("factor"), 1.0)
    np.testing.assert_allclose(boot["composition_draws"].sum("factor"), 1.0, rtol=1e-5)
    assert boot["arm"].values.tolist() == ["A", "B"]
    weight = xr.DataArray(np.full(60, 1.0), dims="edge")
    blocks = boot["edge_block"].values
    first = (boot["map"] * weight).isel(edge=np.flatnonzero(blocks == "B3")).mean("edge")
    np.testing.assert_allclose(boot["block_map"].sel(block="B3"), first)


def test_a_bootstrap_of_other_subjects_is_refused(patterned, model):
    counts = make_counts(patterned[0])
    with pytest.raises(DataContractError, match="2 problem"):
        bootstrap_maps(counts[:-1], model, blocks=["x"])
    with pytest.raises(SpecError, match="2 resamples"):
        bootstrap_maps(counts, model, n_resamples=1)
    plain = bootstrap_maps(counts, model, n_resamples=2)
    with pytest.raises(DataContractError, match="no blocks"):
        published_overlap(plain)
    with pytest.raises(SpecError, match="level"):
        published_overlap(plain, level="region")
    assert published_overlap(plain, level="edge")["z"].shape == (2, 60)
