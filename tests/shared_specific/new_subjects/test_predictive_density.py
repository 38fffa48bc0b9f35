"""The density of a new subject against brute force, quadrature and simulation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import kstest, multivariate_normal

from bayes_mdd.shared_specific.new_subjects.fitted import loading_moments
from bayes_mdd.shared_specific.new_subjects.predictive_density import (
    LoadingMoments,
    SubjectStatistics,
    _curvature,
    _find_mode,
    _gradient,
    integrate_scores,
    log_joint,
)
from bayes_mdd.shared_specific.new_subjects.read_fitted import read_fitted
from bayes_mdd.shared_specific.new_subjects.subject_statistics import (
    NewSubjects,
    assume_arm,
    summarise_features,
)


def _subject(made, arm=0, position=0):
    fitted = read_fitted(made.idata, made.training, max_draws=2)
    y = made.new["y"].values / fitted.feature_noise
    site = (made.new["site"].values == "b").astype(float)
    age = made.training["age"].values
    design = np.c_[np.ones(len(y)), site, (made.new["age"].values - age.mean()) / age.std(ddof=1)]
    new = NewSubjects(tuple(made.new["subject"].values), y, design, {})
    return fitted, new, assume_arm(fitted, summarise_features(fitted, new, position), arm)


def test_density_given_scores_is_a_ratio_of_gaussian_marginals(fit_of):
    # p(y* | y, H, h*) = p(y, y* | H, h*) / p(y | H), loadings and flat effects integrated out.
    fitted, new, subject = _subject(fit_of(n=12, n_new=2, p=9))
    f = np.array([[0.4, -1.1, 0.7]] * 2)
    h_new = subject.scale[0] * f[0]
    x, h = fitted.design.to_numpy(), fitted.draws.scores[0]
    x_all, h_all = np.vstack([x, new.design[0]]), np.vstack([h, h_new])
    expected = 0.0
    for p, b in enumerate(fitted.block):
        sd, tau = fitted.draws.noise[0, b], fitted.draws.block_scale[0, b]

        def marginal(y, x, h, sd=sd, tau=tau):
            q = np.linalg.qr(x, mode="complete")[0][:, x.shape[1] :]
            cov = sd**2 * (np.eye(len(y)) + (h * tau**2) @ h.T)
            flat = -0.5 * np.linalg.slogdet(x.T @ x)[1]
            return multivariate_normal.logpdf(q.T @ y, cov=q.T @ cov @ q) + flat

        both = np.append(fitted.y[:, p], new.y[0, p])
        expected += marginal(both, x_all, h_all) - marginal(fitted.y[:, p], x, h)
    prior = multivariate_normal.logpdf(f[0], cov=np.eye(3))
    assert log_joint(f, fitted.loadings, subject)[0] == pytest.approx(expected + prior, abs=1e-8)


def test_with_known_loadings_it_is_gaussian_conditioning(made):
    # Scores and features are jointly Gaussian then; condition by brute force on all features.
    rng = np.random.default_rng(1)
    p, k = 15, 3
    block = np.arange(p) % 3
    noise, loadings = np.array([0.5, 1.0, 1.5]), rng.normal(size=(p, k))
    d, mean, leverage = np.array([1.2, 0.0, 0.7]), np.array([0.3, 0.0, -0.2]), 0.1
    r = rng.normal(size=p)
    known = LoadingMoments(
        covariance=np.zeros((1, 3, k, k)),
        second_moment=np.stack([loadings[block == b].T @ loadings[block == b] for b in range(3)])[
            None
        ],
        noise_variance=noise[None] ** 2,
        n_features=np.full(3, 5.0),
    )
    subject = SubjectStatistics(
        sum_of_squares=np.bincount(block, r**2),
        cross_product=np.stack([r[block == b] @ loadings[block == b] for b in range(3)])[None],
        base_variance=np.full((1, 3), 1 + leverage),
        offset=mean[None],
        scale=d[None],
    )
    noise_cov = np.diag((1 + leverage) * noise[block] ** 2)
    dl = loadings * d
    total = dl @ dl.T + noise_cov
    gain = dl.T @ np.linalg.inv(total)
    expected = gain @ (r - loadings @ mean)
    covariance = np.eye(k) - gain @ dl
    mode = _find_mode(known, subject)
    np.testing.assert_allclose(mode[0], expected, atol=1e-8)
    np.testing.assert_allclose(
        np.linalg.inv(_curvature(mode, known, subject))[0], covariance, atol=1e-8
    )
    # log p(r) = log p(f, r) - log p(f | r), at any f.
    log_density = log_joint(mode, known, subject)[0] - multivariate_normal.logpdf(
        expected, expected, covariance
    )
    exact = multivariate_normal.logpdf(r, loadings @ mean, total)
    assert log_density == pytest.approx(exact, abs=1e-8)
    many = integrate_scores(known, subject, rng, candidates=5000)
    assert many.log_density[0] == pytest.approx(exact, abs=0.05)


def test_gradient_and_curvature_are_derivatives(made):
    fitted, _, subject = _subject(made)
    f = np.array([[0.3, -0.8, 0.5], [1.0, 0.2, -0.4]])
    step = 1e-5
    slope, curvature = np.empty_like(f), np.empty((2, 3, 3))
    for k in range(3):
        move = step * np.eye(3)[k]
        high, low = (_gradient(f + s * move, fitted.loadings, subject) for s in (1, -1))
        slope[:, k] = (high[0] - low[0]) / (2 * step)
        curvature[:, k] = (high[1] - low[1]) / (2 * step)
    np.testing.assert_allclose(
        _gradient(f, fitted.loadings, subject)[1], slope, rtol=1e-5, atol=1e-5
    )
    np.testing.assert_allclose(
        _curvature(f, fitted.loadings, subject), curvature, rtol=1e-5, atol=1e-4
    )


def test_integral_equals_quadrature(fit_of):
    # One factor switched on in one arm: the other two have no variance there.
    made = fit_of(n=10, p=30, scale=0.7)
    fitted, _, subject = _subject(made)
    scale = np.array([[1.0, 0.0, 0.0]] * 2)
    subject = replace(subject, scale=scale)
    grid = np.linspace(-8, 8, 2001)
    axis = np.stack([np.c_[grid, 0 * grid, 0 * grid]] * 2, axis=1)
    # The two standard scores without variance integrate to 1: remove their density at 0.
    log = np.stack([log_joint(f, fitted.loadings, subject) for f in axis]) + np.log(2 * np.pi)
    exact = logsumexp(log[:, 0]) + np.log(grid[1] - grid[0])
    weight = np.exp(log[:, 0] - logsumexp(log[:, 0]))
    mean, sd = weight @ grid, np.sqrt(weight @ grid**2 - (weight @ grid) ** 2)
    loadings = _repeat_first(fitted.loadings, "covariance", "second_moment", "noise_variance")
    many = _repeat_first(subject, "cross_product", "base_variance", "offset", "scale")
    found = integrate_scores(loadings, many, np.random.default_rng(3))
    assert logsumexp(found.log_density) - np.log(4000) == pytest.approx(exact, abs=0.01)
    assert found.standard[:, 0].mean() == pytest.approx(mean, abs=4 * sd / np.sqrt(4000))
    assert found.standard[:, 0].std() == pytest.approx(sd, rel=0.06)
    assert found.efficiency > 0.7


def _repeat_first(value, *names, times=4000):
    """Repeat the first draw of some arrays."""
    return replace(value, **{n: np.repeat(getattr(value, n)[:1], times, axis=0) for n in names})


def _replicate(rng, n=14, p=240, k=2):
    """Loadings from their prior, fitted subjects, and one more subject."""
    tau, noise = np.array([[0.7, 0.4]]), np.array([1.2])
    h, h_new = rng.normal(size=(n, k)), rng.normal(size=k)
    loadings = noise * tau * rng.normal(size=(p, k))
    y = h @ loadings.T + noise * rng.normal(size=(n, p))
    y_new = loadings @ h_new + noise * rng.normal(size=p)
    t = 60
    gram, cross = h.T @ h, y @ y.T
    many = [np.repeat(x[None], t, axis=0) for x in (gram, (h.T @ cross @ h)[None], tau, noise)]
    loading = loading_moments(*many, np.array([float(p)]))
    product = np.einsum("tbkl,l->tbk", loading.covariance, h.T @ (y @ y_new))
    zero = np.zeros((t, k))
    total = np.array([y_new @ y_new])
    subject = SubjectStatistics(total, product, np.ones((t, 1)), zero, zero + 1)
    return h_new, loading, subject, (h, y, y_new, noise)


def test_ranks_of_true_scores_are_uniform_and_loading_draws_would_shrink():
    rng = np.random.default_rng(11)
    ranks, slope, plugged = [], [], []
    for _ in range(300):
        h_new, loading, subject, (h, y, y_new, noise) = _replicate(rng)
        found = integrate_scores(loading, subject, rng).standard
        ranks.append((found < h_new).mean(axis=0))
        slope.append((found.mean(axis=0), h_new))
        v = loading.covariance[0, 0]
        draw = (v @ h.T @ y).T + noise * rng.normal(size=(240, 2)) @ np.linalg.cholesky(v).T
        precision = np.eye(2) + draw.T @ draw / noise**2
        plugged.append((np.linalg.solve(precision, draw.T @ y_new / noise**2), h_new))
    for factor in np.transpose(ranks):
        assert kstest(factor, "uniform").pvalue > 0.01
    ours = np.polyfit(np.ravel([m for m, _ in slope]), np.ravel([h for _, h in slope]), 1)[0]
    theirs = np.polyfit(np.ravel([m for m, _ in plugged]), np.ravel([h for _, h in plugged]), 1)[0]
    assert ours == pytest.approx(1.0, abs=0.02)
    assert theirs > 1.05
