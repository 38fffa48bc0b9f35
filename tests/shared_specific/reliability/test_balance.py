"""Balanced halves: known noise variances, precision weighting, subjects without halves."""

import numpy as np
import pytest

from bayes_mdd.shared_specific.reliability.balance import balance_halves, noise_imbalance

N, P = 40, 4000
CODE = np.arange(P) % 5
#: Noise SD of the features of each block.
BLOCK_SD = np.array([0.5, 1.0, 1.5, 2.0, 3.0])[CODE]


def halves(rng, v_first, v_second):
    """Trait and noise of both halves; noise variances by subject, relative to the block's."""
    trait = rng.normal(size=(N, P)) * BLOCK_SD
    first, second = (
        trait + np.sqrt(v)[:, None] * BLOCK_SD * rng.normal(size=(N, P))
        for v in (v_first, v_second)
    )
    return trait, first, second


@pytest.fixture
def unequal():
    rng = np.random.default_rng(3)
    v_first, v_second = rng.uniform(0.5, 2.5, size=(2, N))
    return v_first, v_second, *halves(rng, v_first, v_second)


def test_imbalance_is_that_of_the_noise_variances(unequal):
    v_first, v_second, _, first, second = unequal
    beta = noise_imbalance((first + second) / 2, (first - second) / 2, CODE)
    np.testing.assert_allclose(beta, (v_first - v_second) / (v_first + v_second), atol=0.09)
    assert np.corrcoef(beta, (v_first - v_second) / (v_first + v_second))[0, 1] > 0.99


def test_mean_is_precision_weighted_and_difference_has_its_error(unequal):
    v_first, v_second, trait, first, second = unequal
    mean, difference = balance_halves((first + second) / 2, (first - second) / 2, CODE)
    best = (v_second[:, None] * first + v_first[:, None] * second) / (v_first + v_second)[:, None]
    expected = v_first * v_second / (v_first + v_second)
    assert np.square((mean - best) / BLOCK_SD).mean() < 0.05 * expected.mean()
    error = ((mean - trait) / BLOCK_SD).var(axis=1)
    np.testing.assert_allclose(error, expected, rtol=0.12)
    np.testing.assert_allclose((difference / BLOCK_SD).var(axis=1), expected, rtol=0.12)


def test_weights_minimise_the_error_over_all_weights_of_the_halves(unequal):
    # Brute force: the mean of the halves with the smallest squared error, subject by subject.
    _, _, trait, first, second = unequal
    mean, _ = balance_halves((first + second) / 2, (first - second) / 2, CODE)
    reached = np.square((mean - trait) / BLOCK_SD).mean(axis=1)
    weights = np.linspace(0, 1, 101)[:, None, None]
    error = np.array(
        [np.square((w * first + (1 - w) * second - trait) / BLOCK_SD).mean(axis=1) for w in weights]
    )
    # The mean difference over subjects, 1 / N of the noise, stays in the mean.
    assert (reached <= 1.03 * error.min(axis=0)).all()


def test_mean_and_difference_are_uncorrelated_within_subjects(unequal):
    _, _, _, first, second = unequal
    before = (first + second) / 2, (first - second) / 2
    after = balance_halves(*before, CODE)
    assert np.abs(noise_imbalance(*before, CODE)).max() > 0.4
    np.testing.assert_allclose(noise_imbalance(*after, CODE), 0, atol=0.03)


def test_equal_noise_changes_next_to_nothing():
    rng = np.random.default_rng(4)
    _, first, second = halves(rng, np.ones(N), np.ones(N))
    mean, difference = (first + second) / 2, (first - second) / 2
    assert np.abs(noise_imbalance(mean, difference, CODE)).max() < 0.09
    balanced, left = balance_halves(mean, difference, CODE)
    assert np.square(balanced - mean).mean() < 0.002 * np.square(mean).mean()
    np.testing.assert_allclose(left, difference - difference.mean(axis=0), rtol=0.01)


def test_constant_drift_between_halves_is_removed_and_the_mean_keeps_its_level():
    rng = np.random.default_rng(5)
    _, first, second = halves(rng, np.full(N, 2.0), np.ones(N))
    drift = 3 * rng.normal(size=P)
    mean, difference = (first + second) / 2 + 7, (first - second) / 2
    expected = balance_halves(mean, difference, CODE)
    for got, want in zip(balance_halves(mean, difference + drift, CODE), expected, strict=True):
        np.testing.assert_allclose(got, want, atol=1e-10)
    np.testing.assert_allclose(expected[0].mean(), 7, atol=0.1)


def test_large_imbalance_is_clipped():
    rng = np.random.default_rng(6)
    _, first, second = halves(rng, np.full(N, 100.0), np.full(N, 0.1))
    assert (noise_imbalance((first + second) / 2, (first - second) / 2, CODE) == 0.8).all()


def test_subjects_without_halves_stay_as_they_are(unequal):
    _, _, _, first, second = unequal
    mean, difference = (first + second) / 2, (first - second) / 2
    some = np.arange(N) % 4 > 0
    expected = balance_halves(mean[some], difference[some], CODE)
    difference[~some] = np.nan
    balanced, left = balance_halves(mean, difference, CODE)
    np.testing.assert_array_equal(balanced[~some], mean[~some])
    assert np.isnan(left[~some]).all()
    np.testing.assert_array_equal(balanced[some], expected[0])
    np.testing.assert_array_equal(left[some], expected[1])
    nothing = balance_halves(mean, np.full_like(mean, np.nan), CODE)
    np.testing.assert_array_equal(nothing[0], mean)
    assert np.isnan(nothing[1]).all()


def test_inputs_are_not_changed(unequal):
    _, _, _, first, second = unequal
    mean, difference = (first + second) / 2, (first - second) / 2
    copies = mean.copy(), difference.copy()
    balance_halves(mean, difference, CODE)
    np.testing.assert_array_equal(mean, copies[0])
    np.testing.assert_array_equal(difference, copies[1])
