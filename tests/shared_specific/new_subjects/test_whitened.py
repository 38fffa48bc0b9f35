"""New subjects, and subjects left out, of a fit of whitened edges."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import logsumexp

import bayes_mdd as bm
from bayes_mdd.errors import DataContractError
from bayes_mdd.results.result import read_result
from bayes_mdd.shared_specific.likelihood.collapsed import collapsed_value_and_grad, reduce_features
from bayes_mdd.shared_specific.new_subjects.eligibility import check_subjects
from bayes_mdd.shared_specific.new_subjects.leave_one_out import (
    subject_log_likelihood,
    without_subject,
)
from bayes_mdd.shared_specific.new_subjects.predictive_density import integrate_scores
from bayes_mdd.shared_specific.new_subjects.read_fitted import read_fitted
from bayes_mdd.shared_specific.new_subjects.subject_statistics import (
    NewSubjects,
    assume_arm,
    summarise_features,
)

CHAINS = ("chain", "draw")


def own(found, name="scores", how="mean"):
    """Mean or SD over draws under each subject's known arm, (subject, factor)."""
    value = getattr(found[name], how)(CHAINS)
    pairs = zip(found["subject"].values, found["known_arm"].values, strict=True)
    return np.stack([value.sel(subject=s, arm=a).values for s, a in pairs])


@pytest.fixture(scope="module")
def of_fitted(series_run):
    return bm.project(series_run.idata, series_run.features, include_fitted=True, max_draws=200)


@pytest.fixture(scope="module")
def of_new(series_run):
    return bm.project(series_run.idata, series_run.new, max_draws=200)


def largest_r(found, truth, arm):
    """Largest |r| of each true score with a found one, among the subjects that have it."""
    r = []
    for k, name in enumerate((None, "SSRI", "SNRI")):
        at = np.ones(len(arm), bool) if name is None else arm == name
        columns = [x for x in found[at].T if np.ptp(x) > 0.3]
        r.append(max(abs(np.corrcoef(x, truth[at, k])[0, 1]) for x in columns))
    return np.array(r)


def test_fitted_participants_keep_their_scores(of_fitted, series_run):
    fitted = series_run.idata["posterior"]["scores"].mean(CHAINS)
    names = of_fitted["subject"].values
    expected, found = fitted.sel(subject=names).values, own(of_fitted)
    for k in range(3):
        assert np.corrcoef(found[:, k], expected[:, k])[0, 1] > 0.98
        slope = (found[:, k] @ expected[:, k]) / (expected[:, k] ** 2).sum()
        assert slope == pytest.approx(1, abs=0.1)


def test_new_participants_are_scored_nearly_as_well(of_new, series_run):
    names = of_new["subject"].values
    new = largest_r(own(of_new), series_run.truth(names), of_new["known_arm"].values)
    posterior = series_run.idata["posterior"]
    fitted = largest_r(
        posterior["scores"].mean(CHAINS).values,
        series_run.truth(posterior["subject"].values),
        series_run.idata["constant_data"]["arm"].values,
    )
    assert (fitted > 0.95).all()
    assert (new > fitted - 0.06).all()
    assert float(np.nanmin(of_new["efficiency"])) > 0.5


def test_order_of_features_does_not_matter(of_new, series_run):
    order = np.random.default_rng(0).permutation(series_run.new.sizes["feature"])
    again = bm.project(series_run.idata, series_run.new.isel(feature=order), max_draws=200)
    np.testing.assert_allclose(again["scores"], of_new["scores"], atol=1e-8)


def test_noise_scales_of_new_subjects_are_relative_to_those_of_the_fit(series_run):
    result = read_result(series_run.idata)
    fitted = read_fitted(result, max_draws=2)

    def scales(features):
        return check_subjects(fitted, features, result, "refuse", other_reference=False).scale

    again = scales(series_run.features.sel(subject=list(fitted.subjects)))
    # The fit has balanced halves, so that its features are not quite those that are given.
    assert np.corrcoef(again, fitted.subject_scale)[0, 1] > 0.75
    # The fit has adapted to their errors, by one intercept and three factors of 36 subjects.
    adapted = np.sqrt((1 - 4 / 36) / (1 + 4 / 36))
    assert np.sqrt((again**2).mean()) == pytest.approx(adapted, abs=0.05)
    new, white = series_run.new, fitted.transform
    assert np.sqrt((scales(new) ** 2).mean()) == pytest.approx(1, abs=0.1)
    # A scan of a quarter of the length has errors of twice the size.
    rng = np.random.default_rng(0)
    size = np.sqrt(3.0) * white.unit * fitted.draws.noise.mean() * fitted.feature_noise
    noise = white.map.back(size * rng.normal(size=(new.sizes["subject"], fitted.y.shape[1])))
    noisy = new.copy(deep=True)
    noisy["y"].values[:, white.order] += noise
    assert scales(noisy).mean() / scales(new).mean() == pytest.approx(2, rel=0.15)
    before, after = (bm.project(series_run.idata, f, max_draws=100, seed=2) for f in (new, noisy))
    assert own(after, how="std").mean() > 1.2 * own(before, how="std").mean()


def test_features_that_lack_edges_are_refused(series_run):
    with pytest.raises(DataContractError, match=r"feature\(s\) of the fit are missing"):
        bm.project(series_run.idata, series_run.new.isel(feature=slice(100)))
    raw = series_run.cohort.features.sel(subject=series_run.new["subject"].values)
    with pytest.raises(DataContractError, match="fisher_z"):
        bm.project(series_run.idata, raw)


def small_fit(fit_of, seed=0):
    """A small fit whose subjects differ in noise, as arrays."""
    made = fit_of(n=14, p=12, covariates=("age",), seed=seed)
    plain = read_fitted(made.idata, made.training, max_draws=2)
    scale = np.random.default_rng(seed + 1).uniform(0.5, 1.7, 14)
    return replace(plain, y=plain.y / scale[:, None], subject_scale=scale), scale


@pytest.mark.parametrize("i", [0, 7])
def test_statistics_without_a_subject_equal_those_of_the_others(fit_of, i):
    fitted, scale = small_fit(fit_of)
    rest = np.delete(np.arange(14), i)
    others = replace(
        fitted,
        subjects=tuple(np.array(fitted.subjects)[rest]),
        arm=fitted.arm[rest],
        y=fitted.y[rest],
        design=fitted.design.iloc[rest],
        covariates=fitted.covariates.iloc[rest],
        draws=replace(fitted.draws, scores=fitted.draws.scores[:, rest]),
        subject_scale=scale[rest],
    )
    design = fitted.design.to_numpy()[[i]]
    new = NewSubjects(("x",), fitted.y[[i]], design, {}, scale[[i]])
    direct = summarise_features(others, new, 0)
    loadings, features = without_subject(fitted, i)
    assert features.noise_scale == direct.noise_scale == scale[i]
    for name in ("covariance", "second_moment", "noise_variance", "n_features"):
        expected = getattr(others.loadings, name)
        np.testing.assert_allclose(getattr(loadings, name), expected, atol=1e-8)
    for name in ("sum_of_squares", "cross_product", "base_variance", "predicted"):
        np.testing.assert_allclose(getattr(features, name), getattr(direct, name), atol=1e-8)


def test_density_of_a_subject_left_out_by_brute_force(fit_of):
    """p(y_i | the others) = p(all) / p(the others), averaged over the prior of the scores."""
    fitted, scale = small_fit(fit_of)
    i, rng = 3, np.random.default_rng(5)
    block = np.array(fitted.blocks)[fitted.block]
    x, h = fitted.design.to_numpy(), fitted.draws.scores[0]
    tau, sd = fitted.draws.block_scale[0], fitted.draws.noise[0]

    def marginal(rows, scores):
        """Log density of all features with loadings and covariate effects integrated out."""
        s = scale[rows]
        stats = reduce_features(fitted.y[rows] * s[:, None], x[rows], block, s)
        at = [fitted.blocks.index(b) for b in stats.blocks]
        constant = -0.5 * np.linalg.slogdet(x[rows].T @ (x[rows] / s[:, None] ** 2))[1]
        rest = (stats.cross_products, stats.traces, stats.block_size)
        return np.array(
            [
                collapsed_value_and_grad(
                    np.ascontiguousarray(stats.score_basis.T @ each), tau[at], sd[at], *rest
                )[0].sum()
                for each in scores
            ]
        ) + fitted.y.shape[1] * (constant - np.log(s).sum())

    draws = 40_000
    share = fitted.draws.sharing[0, fitted.arm[i]]
    many = np.broadcast_to(h, (draws, *h.shape)).copy()
    many[:, i] = np.sqrt(len(fitted.arms) * share) * rng.normal(size=(draws, 3))
    rest = np.delete(np.arange(14), i)
    log = marginal(np.arange(14), many) - marginal(rest, h[None, rest])
    weight = np.exp(log - log.max())
    assert weight.std() / weight.mean() / np.sqrt(draws) < 0.05
    expected = logsumexp(log) - np.log(draws)
    loadings, features = without_subject(fitted, i)
    found = integrate_scores(
        loadings, assume_arm(fitted, features, int(fitted.arm[i])), rng, candidates=200
    )
    value = found.log_density[0] - fitted.y.shape[1] * np.log(scale[i])
    assert value == pytest.approx(expected, abs=0.15)


def test_log_likelihood_of_all_subjects(series_run):
    found = subject_log_likelihood(series_run.idata, max_draws=20)
    assert found.sizes["subject"] == 36
    assert np.isfinite(found).all()
    # It is that of whitened features: about one nat and a half for each at unit noise.
    fitted = read_fitted(series_run.idata, max_draws=20)
    per_feature = found.mean() / fitted.y.shape[1]
    assert -1.6 < float(per_feature) < -0.9
