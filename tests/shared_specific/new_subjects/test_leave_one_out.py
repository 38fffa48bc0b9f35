"""Leaving out a subject by algebra equals leaving the subject out of the data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bayes_mdd.shared_specific.new_subjects.leave_one_out import (
    subject_log_likelihood,
    without_subject,
)
from bayes_mdd.shared_specific.new_subjects.read_fitted import read_fitted
from bayes_mdd.shared_specific.new_subjects.subject_statistics import (
    NewSubjects,
    summarise_features,
)


@pytest.mark.parametrize(("n", "p"), [(14, 12), (14, 120)])
def test_products_between_scores_have_their_definition(fit_of, n, p):
    """More subjects than features of a block, and fewer, are computed in different orders."""
    fitted = read_fitted(fit_of(n=n, p=p).idata, fit_of(n=n, p=p).training, max_draws=4)
    assert (n * len(fitted.blocks) < p) == (p == 120)
    h = fitted.score_residual
    for b, residual in enumerate(fitted.residual):
        expected = np.swapaxes(h, 1, 2) @ residual @ residual.T @ h
        np.testing.assert_allclose(fitted.projected_products[:, b], expected, rtol=1e-9)
        np.testing.assert_allclose(fitted.products_with(3)[b], residual @ residual[3], rtol=1e-9)


@pytest.mark.parametrize("i", [0, 7])
def test_statistics_without_a_subject_equal_those_of_the_others(fit_of, i):
    fitted = read_fitted(fit_of(n=14, p=12).idata, fit_of(n=14, p=12).training, max_draws=2)
    rest = np.delete(np.arange(14), i)
    others = replace(
        fitted,
        subjects=tuple(np.array(fitted.subjects)[rest]),
        arm=fitted.arm[rest],
        y=fitted.y[rest],
        design=fitted.design.iloc[rest],
        covariates=fitted.covariates.iloc[rest],
        draws=replace(fitted.draws, scores=fitted.draws.scores[:, rest]),
    )
    new = NewSubjects(("x",), fitted.y[[i]], fitted.design.to_numpy()[[i]], {})
    direct = summarise_features(others, new, 0)
    loadings, features = without_subject(fitted, i)
    for name in ("covariance", "second_moment", "noise_variance", "n_features"):
        expected = getattr(others.loadings, name)
        np.testing.assert_allclose(getattr(loadings, name), expected, atol=1e-8)
    for name in ("sum_of_squares", "cross_product", "base_variance", "predicted"):
        np.testing.assert_allclose(getattr(features, name), getattr(direct, name), atol=1e-8)


def test_log_likelihood_is_labelled_and_in_the_unit_of_the_features(made):
    found = subject_log_likelihood(made.idata, training=made.training, max_draws=6)
    assert found.dims == ("chain", "draw", "subject")
    assert found.sizes == {"chain": 2, "draw": 3, "subject": 40}
    # Features and noise ten times as large: the density of each feature is lower by log(10).
    run, wider = made.idata.copy(), made.training.assign(y=10 * made.training["y"])
    run["observed_data"] = run["observed_data"].to_dataset() * 100 / 100
    constant = run["constant_data"].to_dataset()
    run["constant_data"] = constant.assign(feature_noise=10 * constant["feature_noise"])
    tenfold = subject_log_likelihood(run, training=wider, max_draws=6)
    np.testing.assert_allclose(found - tenfold, 90 * np.log(10), atol=1e-6)
