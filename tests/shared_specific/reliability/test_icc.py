"""Reliabilities from variances: definitions, noise scales, bounds."""

import numpy as np
import pytest

from bayes_mdd.shared_specific.reliability.icc import (
    arm_variance,
    icc_of_one,
    pooled_variance,
    reliability_by_arm,
    reliability_of_mean,
)


@pytest.mark.parametrize(("trait", "error"), [(1.0, 0.0), (1.0, 1.0), (0.4, 2.0), (0.0, 1.0)])
def test_definitions(trait, error):
    mean, difference = np.array([trait + error / 2]), np.array([error / 2])
    np.testing.assert_allclose(icc_of_one(mean, difference), trait / (trait + error))
    np.testing.assert_allclose(reliability_of_mean(mean, difference), trait / (trait + error / 2))


def test_simulated_sessions():
    rng = np.random.default_rng(0)
    trait = rng.normal(size=200_000)
    a, b = (trait + 1.5 * rng.normal(size=trait.size) for _ in range(2))
    v_mean, v_difference = ((a + b) / 2).var(), ((a - b) / 2).var()
    icc = icc_of_one(np.array(v_mean), np.array(v_difference))
    assert float(icc) == pytest.approx(np.corrcoef(a, b)[0, 1], abs=0.01)
    both = reliability_of_mean(np.array(v_mean), np.array(v_difference))
    assert float(both) == pytest.approx(2 * icc / (1 + icc))  # Spearman-Brown


def test_reliability_is_in_the_units_of_the_rows():
    # Scores are relative to noise scales; differences have half of the scale of the means.
    rng = np.random.default_rng(1)
    arm = np.repeat([0, 1, 2], [20, 30, 50])
    scale = rng.uniform(0.8, 1.2, size=100) * np.array([1.0, 1.1, 0.5])[arm]
    sharing = rng.dirichlet([2, 2, 2], size=(50, 4))
    square = [np.mean(scale[arm == a] ** 2) for a in range(3)]
    got = reliability_by_arm(sharing, scale, arm, within=2)
    assert got.shape == (50, 4, 2)
    want = np.stack(
        [1 - sharing[..., 2] * square[2] / (sharing[..., a] * square[a]) for a in (0, 1)], axis=-1
    )
    np.testing.assert_allclose(got, np.maximum(want, -1))
    variance = arm_variance(sharing, scale, arm)
    pooled = pooled_variance(variance[..., :2], np.array([20, 30]))
    np.testing.assert_allclose(pooled, 0.4 * variance[..., 0] + 0.6 * variance[..., 1])


def test_position_of_the_differences_does_not_matter():
    rng = np.random.default_rng(2)
    arm, scale = np.repeat([0, 1, 2], 10), rng.uniform(0.5, 1.5, size=30)
    sharing = rng.dirichlet([3, 2, 1], size=20)
    last = reliability_by_arm(sharing, scale, arm, within=2)
    first = reliability_by_arm(sharing[:, [2, 0, 1]], scale, np.array([1, 2, 0])[arm], within=0)
    np.testing.assert_allclose(first, last)


def test_reliabilities_are_bounded():
    mean, difference = np.array([0.0, 1e-9, 1.0]), np.array([1.0, 1.0, 0.0])
    np.testing.assert_array_equal(reliability_of_mean(mean, difference), [-1, -1, 1])
    assert np.isfinite(icc_of_one(np.zeros(2), np.array([0.0, 1.0]))).all()
