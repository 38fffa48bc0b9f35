"""Mode finding reaches the mode that holds the mass, from any start."""

from dataclasses import replace

import numpy as np
import pytest

from bayes_mdd.shared_specific.data.prepare import prepare
from bayes_mdd.shared_specific.prior.arms import fixed_sharing
from bayes_mdd.shared_specific.start import mode
from bayes_mdd.shared_specific.start.mode import find_modes
from bayes_mdd.shared_specific.start.spectral import spectral_start
from bayes_mdd.specs import SharedSpecificSpec

pytestmark = pytest.mark.usefixtures("interpreted")


@pytest.fixture(scope="module")
def planted(feature_set):
    """Four factors of nearly equal size, so that the spectral start mixes them."""
    rng = np.random.default_rng(5)
    n, per_block = 40, 60
    arm = np.array(["SSRI", "SNRI"] * (n // 2))
    scores = rng.normal(size=(n, 4))
    scores[arm == "SNRI", 3] = 0.0
    block = np.repeat(["A-A", "A-B", "B-B", "C-C"], per_block)
    y = rng.normal(size=(n, block.size))
    for k, name in enumerate(["A-A", "A-B", "B-B", "C-C"]):
        y[:, block == name] += np.outer(scores[:, k], rng.normal(0, 1.0, per_block))
    return prepare(SharedSpecificSpec(n_factors=4), feature_set(y, arm, block)), scores


def best_correlations(found, truth):
    r = np.abs(np.corrcoef(truth.T, found.T)[: truth.shape[1], truth.shape[1] :])
    return r.max(axis=1)


@pytest.mark.slow
def test_a_random_start_reaches_the_same_mode_as_the_spectral_one(planted):
    data, truth = planted
    start = spectral_start(data, 4)
    assert start.n_on == 4
    lost = replace(start, scores=np.random.default_rng(0).normal(size=start.scores.shape))
    a, b = find_modes(data, start), find_modes(data, lost, seed=3)
    assert a.log_density.max() == pytest.approx(b.log_density.max(), abs=1.0)
    for found in (a.start, b.start):
        assert best_correlations(found.scores, truth).min() > 0.95
        np.testing.assert_allclose((found.scores**2).mean(axis=0), 1.0)
    assert a.agreeing >= 2


def test_more_steps_reach_a_higher_density(planted):
    data, _ = planted
    start = spectral_start(data, 4)
    few, many = find_modes(data, start, steps=3), find_modes(data, start, steps=300)
    assert many.log_density[0] > few.log_density[0]


def test_the_same_seed_gives_the_same_point(planted):
    data, _ = planted
    start = spectral_start(data, 4)
    a, b = find_modes(data, start, steps=30), find_modes(data, start, steps=30)
    np.testing.assert_array_equal(a.start.scores, b.start.scores)
    np.testing.assert_array_equal(a.log_density, b.log_density)


def test_factors_that_are_off_stay_off(planted):
    data, _ = planted
    start = spectral_start(data, 6)
    assert start.n_on == 4
    found = find_modes(data, start, steps=100).start
    np.testing.assert_array_equal(found.block_scale[:, 4:], start.block_scale[:, 4:])
    np.testing.assert_array_equal(found.scores[:, 4:], start.scores[:, 4:])


def test_a_start_without_components_is_left_unchanged(feature_set):
    y = np.random.default_rng(2).normal(size=(24, 90))
    data = prepare(
        SharedSpecificSpec(n_factors=3),
        feature_set(y, list("ab") * 12, ["A-A"] * 45 + ["B-B"] * 45),
    )
    start = replace(spectral_start(data, 3), n_on=0)
    assert find_modes(data, start).start is start


def test_a_fixed_pattern_gets_the_factor_of_its_arm(planted):
    data, truth = planted
    spec = SharedSpecificSpec(sharing={"SSRI": 1, "shared": 3})
    pattern = fixed_sharing(spec, data.arms)
    found = find_modes(data, spectral_start(data, 4)).start.arranged(pattern)
    own = int(np.flatnonzero((pattern == 1).any(axis=1))[0])
    r = np.abs(np.corrcoef(found.scores[:, own], truth[:, 3])[0, 1])
    assert r > 0.95


def test_a_line_search_that_overshoots_does_not_stop_the_optimisation(feature_set):
    """Seeds 39 and 121 of 130 asked for a noise of exp(-800) and divided by it."""
    n, per = 30, 20
    rng = np.random.default_rng(39)
    y, h = rng.normal(size=(n, 6 * per)), rng.normal(size=(n, 2))
    for k in range(2):
        y[:, 40 * k : 40 * (k + 1)] += np.outer(h[:, k], rng.normal(0, 0.5, 40))
    block = np.repeat([f"b{i}" for i in range(6)], per)
    features = feature_set(y, np.repeat(["a", "b"], n // 2), block)
    data = prepare(SharedSpecificSpec(n_factors=2), features)
    start = spectral_start(data, 2, seed=39)
    found = find_modes(data, start)
    assert found.log_density.size > 1 and np.isfinite(found.log_density).all()
    np.testing.assert_allclose(found.start.noise, 1.0, atol=0.3)


def test_the_mode_of_many_subjects_is_found_in_their_leading_directions(planted, monkeypatch):
    data, truth = planted
    start = spectral_start(data, 4)
    exact = find_modes(data, start)
    monkeypatch.setattr(mode, "ALL_UP_TO", 20)
    monkeypatch.setattr(mode, "DIRECTIONS", 12)
    confined = find_modes(data, start)
    np.testing.assert_allclose((confined.start.scores**2).mean(axis=0), 1.0)
    assert best_correlations(confined.start.scores, exact.start.scores).min() > 0.97
    assert best_correlations(confined.start.scores, truth).min() > 0.9
    np.testing.assert_allclose(confined.start.noise, exact.start.noise, rtol=0.1)
