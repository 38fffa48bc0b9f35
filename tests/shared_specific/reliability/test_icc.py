"""Reliability over arms against variances, and the ICC against simulated sessions."""

import numpy as np
import pytest

from bayes_mdd.shared_specific.reliability.icc import icc_draws, pooled_reliability


def test_pooled_reliability_follows_from_the_variances():
    rng = np.random.default_rng(1)
    size = np.array([20, 30])
    variance, error = rng.uniform(0.5, 2.0, (50, 2, 4)), rng.uniform(0.0, 2.5, (50, 1, 4))
    found = pooled_reliability(1 - error / variance, size)
    total = np.einsum("a,dak->dk", size / 50, variance)
    np.testing.assert_allclose(found, 1 - error[:, 0] / total)


@pytest.mark.parametrize(
    ("trait", "state", "sampling"), [(1.0, 0.0, 0.4), (1.0, 1.0, 0.2), (0.0, 1.0, 0.0)]
)
def test_icc_of_simulated_sessions_is_that_without_sampling_error(trait, state, sampling):
    rng = np.random.default_rng(0)
    scores = np.sqrt(trait) * rng.normal(size=(20_000, 1))
    scores = scores + np.sqrt(state + sampling) * rng.normal(size=(20_000, 2))
    found = icc_draws(scores, sampling, 400)
    assert found.mean() == pytest.approx(trait / (trait + state), abs=0.03)


def test_intervals_of_the_icc_hold_the_truth():
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(200):
        scores = rng.normal(size=(40, 1)) + rng.normal(size=(40, 2))
        low, high = np.quantile(icc_draws(scores, 0.0, 400), [0.05, 0.95])
        held += low < 0.5 < high
    assert 0.84 < held / 200 < 0.96
