"""Fits with independent errors that are larger in some subjects."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import bayes_mdd as bm
from bayes_mdd.results.result import read_result
from bayes_mdd.shared_specific.checks.feature_noise import judge_feature_noise
from bayes_mdd.shared_specific.data.prepare import prepare
from bayes_mdd.shared_specific.new_subjects.read_fitted import read_fitted
from bayes_mdd.shared_specific.posterior.stored_data import read_model_data
from bayes_mdd.shared_specific.report.methods_errors import say_dependence

SPEC = bm.SharedSpecificSpec(n_factors=3)
N = 60


@pytest.fixture(scope="module")
def drawn(feature_set):
    """Scores, noise scales and features of 60 fitted and 40 new subjects, one trait."""
    rng = np.random.default_rng(8)
    total = N + 40
    scores = rng.normal(size=(total, 1))
    scale = np.exp(0.5 * rng.normal(size=(total, 1)))
    y = scores @ rng.normal(0, 0.5, (1, 240)) + scale * rng.normal(size=(total, 240))
    features = feature_set(y, ["a", "b"] * (total // 2), np.repeat(["F", "P", "T"], 80))
    return scores[:, 0], scale[:, 0], bm.hide_arms(features)


@pytest.fixture(scope="module")
def fitted(drawn):
    sampler = bm.SamplerSpec(seed=1, cores=1)
    training = drawn[2].isel(subject=slice(N))
    return bm.fit(SPEC, training, method="fast", sampler=sampler, progressbar=False)


def test_scales_are_stored_and_read_again(fitted, drawn):
    result = read_result(fitted)
    data = read_model_data(result)
    assert data.weight == 1.0
    assert np.corrcoef(data.subject_scale, drawn[1][:N])[0, 1] > 0.98
    again = prepare(replace(SPEC, feature_dependence="scaled"), drawn[2].isel(subject=slice(N)))
    again = again.with_scale(data.subject_scale)
    # Features are stored in single precision.
    np.testing.assert_allclose(data.stats.cross_products, again.stats.cross_products, rtol=1e-4)
    np.testing.assert_array_equal(read_fitted(fitted).scale, data.subject_scale)
    assert any("noise scale" in line for line in say_dependence(result))


def test_the_trait_is_found_without_a_factor_for_a_noisy_scan(fitted, drawn):
    moments = bm.score_moments(fitted)
    assert moments.sizes["factor"] == 1
    assert abs(np.corrcoef(moments["mean"].values[:, 0], drawn[0][:N])[0, 1]) > 0.9
    assert error_by_scale(moments, drawn[1][:N]) > 0.8
    assert judge_feature_noise(fitted).passed is not False


def test_new_subjects_get_a_scale_of_their_own(fitted, drawn):
    moments = bm.score_moments(bm.project(fitted, drawn[2].isel(subject=slice(N, None))))
    assert error_by_scale(moments, drawn[1][N:]) > 0.8


def error_by_scale(moments, scale):
    """Correlation of the errors of scores with the noise of the scans."""
    return np.corrcoef(np.sqrt(moments["covariance"].values[:, 0, 0]), scale)[0, 1]


def test_leave_one_out_prefers_scales_that_are_there(fitted, drawn):
    training = drawn[2].isel(subject=slice(N))
    equal = bm.fit(
        replace(SPEC, feature_dependence="independent"),
        training,
        method="fast",
        sampler=bm.SamplerSpec(seed=1, cores=1),
        progressbar=False,
    )
    scaled, plain = (bm.leave_one_out(f).elpd for f in (fitted, equal))
    assert float(scaled) > float(plain) + 100


def test_noise_by_feature_has_no_scales():
    with pytest.raises(bm.SpecError, match="scaled"):
        bm.SharedSpecificSpec(feature_noise="student", feature_dependence="scaled")
