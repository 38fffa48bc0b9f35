"""Relative noise of features: moderated, and untouched by strong factors."""

import numpy as np

from bayes_mdd.shared_specific.likelihood.noise import feature_noise_scale, moderated_variance


def test_moderation_shrinks_but_keeps_order_and_true_differences():
    rng = np.random.default_rng(0)
    truth = rng.choice([0.5, 2.0], size=2000)
    estimate = truth * rng.chisquare(15, size=2000) / 15
    moderated = moderated_variance(estimate, 15)
    assert (np.argsort(moderated) == np.argsort(estimate)).all()
    assert np.ptp(moderated) < np.ptp(estimate)
    assert ((moderated - truth) ** 2).mean() < 0.9 * ((estimate - truth) ** 2).mean()


def test_one_feature_alone_keeps_its_variance():
    np.testing.assert_allclose(moderated_variance(np.array([2.0]), 1e6), 2.0, rtol=1e-5)


def test_noisy_features_are_distinguished_from_features_with_a_factor():
    rng = np.random.default_rng(1)
    n, p = 60, 300
    sd = np.where(np.arange(p) < 30, 2.0, 1.0)
    loading = np.where((np.arange(p) >= 100) & (np.arange(p) < 150), 3.0, 0.0)
    y = rng.normal(size=(n, p)) * sd + np.outer(rng.normal(size=n), loading)
    scale = feature_noise_scale(y, np.zeros(p, dtype=int), 1)
    np.testing.assert_allclose((scale**2).mean(), 1.0)
    np.testing.assert_allclose(scale[:30].mean() / scale[150:].mean(), 2.0, rtol=0.1)
    np.testing.assert_allclose(scale[100:150].mean() / scale[150:].mean(), 1.0, rtol=0.1)
