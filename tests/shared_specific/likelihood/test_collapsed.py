"""The closed form is the marginal likelihood, and its gradient is its gradient."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from bayes_mdd.shared_specific.likelihood.collapsed import collapsed_value_and_grad, reduce_features

N_FACTORS = [1, 3, 8]


def marginal(y, scores, tau, noise, code, *, extra):
    """Log density of each feature with explicit covariance, summed by block."""
    value = np.zeros(len(noise))
    for b, sd in enumerate(noise):
        cov = sd**2 * (np.eye(len(y)) + (scores * tau[b] ** 2) @ scores.T) + extra
        for column in y[:, code == b].T:
            value[b] += multivariate_normal.logpdf(column, np.zeros(len(y)), cov)
    return value


def codes(case):
    return np.array([case.stats.blocks.index(b) for b in case.block])


@pytest.mark.parametrize("n_factors", N_FACTORS)
def test_value_is_the_density_of_every_feature(case, n_factors):
    c = case(n_factors)
    q = c.stats.basis
    expected = marginal(q.T @ c.y, q.T @ c.scores, c.tau, c.noise, codes(c), extra=0.0)
    value = collapsed_value_and_grad(*c.arguments)[0]
    np.testing.assert_allclose(value, expected, rtol=1e-10, atol=1e-8)


def test_more_subjects_than_features_and_more_features_than_subjects(case):
    for n in (30, 6):
        c = case(2, n=n)
        q = c.stats.basis
        expected = marginal(q.T @ c.y, q.T @ c.scores, c.tau, c.noise, codes(c), extra=0.0)
        value = collapsed_value_and_grad(*c.arguments)[0]
        np.testing.assert_allclose(value, expected, rtol=1e-10, atol=1e-8)


@pytest.mark.parametrize("n_factors", N_FACTORS)
def test_covariates_are_integrated_out_under_a_flat_prior(case, n_factors):
    """Up to a constant, it is the likelihood with a very wide Gaussian prior on beta."""
    c, wide = case(n_factors), 1e7
    rng = np.random.default_rng(1)
    other = replace(
        c,
        scores=rng.normal(size=c.scores.shape),
        tau=c.tau[::-1] * 1.3,
        noise=c.noise[::-1].copy(),
    )
    extra = wide * c.design @ c.design.T
    explicit = [marginal(x.y, x.scores, x.tau, x.noise, codes(x), extra=extra) for x in (c, other)]
    closed = [collapsed_value_and_grad(*x.arguments)[0] for x in (c, other)]
    np.testing.assert_allclose(closed[1] - closed[0], explicit[1] - explicit[0], atol=1e-4)


def test_what_the_design_explains_does_not_matter(case):
    c = case(2)
    rng = np.random.default_rng(2)
    shifted = replace(
        c,
        y=c.y + c.design @ rng.normal(0, 5, size=(c.design.shape[1], c.y.shape[1])),
        scores=c.scores + c.design @ rng.normal(size=(c.design.shape[1], 2)),
    )
    for a, b in zip(
        collapsed_value_and_grad(*c.arguments),
        collapsed_value_and_grad(*shifted.arguments),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-8)


def central_differences(f, x, step=1e-5):
    """Fourth order, so that 1e-6 can be asked for."""
    grad = np.empty(x.shape)
    for i in np.ndindex(x.shape):
        e = np.zeros(x.shape)
        e[i] = step
        grad[i] = (8 * (f(x + e) - f(x - e)) - (f(x + 2 * e) - f(x - 2 * e))) / (12 * step)
    return grad


@pytest.mark.parametrize("n_factors", N_FACTORS)
@pytest.mark.parametrize("which", [0, 1, 2], ids=["scores", "block_scale", "noise"])
def test_gradient(case, n_factors, which):
    arguments = list(case(n_factors).arguments)
    found = collapsed_value_and_grad(*arguments)[1 + which]

    def total(x):
        return collapsed_value_and_grad(*arguments[:which], x, *arguments[which + 1 :])[0].sum()

    expected = central_differences(total, arguments[which], step=1e-4)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())


def test_gradient_where_a_block_scale_is_zero(case):
    c = case(2)
    c = replace(c, tau=np.where(np.arange(2) == 1, 0.0, c.tau))
    _, scores, scale, _ = collapsed_value_and_grad(*c.arguments)
    np.testing.assert_array_equal(scores[:, 1], 0.0)
    np.testing.assert_array_equal(scale[:, 1], 0.0)
    one = replace(c, scores=c.scores[:, :1], tau=c.tau[:, :1])
    np.testing.assert_allclose(
        collapsed_value_and_grad(*c.arguments)[0], collapsed_value_and_grad(*one.arguments)[0]
    )


def test_reduction_keeps_the_order_of_blocks_and_sums_their_features(case):
    c = case(1)
    stats = c.stats
    assert list(stats.blocks) == list(dict.fromkeys(c.block.tolist()))
    np.testing.assert_allclose(stats.basis.T @ c.design, 0.0, atol=1e-12)
    np.testing.assert_allclose(stats.basis.T @ stats.basis, np.eye(9), atol=1e-12)
    residual = c.y - c.design @ np.linalg.lstsq(c.design, c.y, rcond=None)[0]
    for name, size, trace in zip(stats.blocks, stats.block_size, stats.traces, strict=True):
        assert size == (c.block == name).sum()
        assert trace == pytest.approx((residual[:, c.block == name] ** 2).sum(), rel=1e-10)


def test_order_of_subjects_features_and_blocks_does_not_matter(case):
    c = case(3)
    rng = np.random.default_rng(3)
    subjects, features = rng.permutation(len(c.y)), rng.permutation(c.block.size)
    shuffled = reduce_features(c.y[subjects][:, features], c.design[subjects], c.block[features])
    to_old = [c.stats.blocks.index(b) for b in shuffled.blocks]
    value, g_scores, g_scale, g_noise = collapsed_value_and_grad(*c.arguments)
    new = collapsed_value_and_grad(
        shuffled.basis.T @ c.scores[subjects],
        c.tau[to_old],
        c.noise[to_old],
        shuffled.cross_products,
        shuffled.traces,
        shuffled.block_size,
    )
    np.testing.assert_allclose(new[0], value[to_old], rtol=1e-10)
    np.testing.assert_allclose(
        shuffled.basis @ new[1], (c.stats.basis @ g_scores)[subjects], rtol=1e-8, atol=1e-9
    )
    np.testing.assert_allclose(new[2], g_scale[to_old], rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(new[3], g_noise[to_old], rtol=1e-9)


@pytest.mark.parametrize("n_factors", N_FACTORS)
def test_noise_scales_of_subjects_are_those_of_the_noise(case, n_factors):
    """Brute force: y_i = x_i beta + Lambda h_i + s_i e_i, with a very wide prior on beta."""
    c, wide = case(n_factors), 1e7
    rng = np.random.default_rng(3)
    s = rng.uniform(0.4, 1.8, len(c.y))
    other = replace(
        c,
        scores=rng.normal(size=c.scores.shape),
        tau=c.tau[::-1] * 1.3,
        noise=c.noise[::-1].copy(),
    )
    stats = reduce_features(c.y, c.design, c.block, s)
    rest = (stats.cross_products, stats.traces, stats.block_size)

    def explicit(x):
        value = np.zeros(len(x.noise))
        for b, sd in enumerate(x.noise):
            cov = sd**2 * (np.diag(s**2) + (x.scores * x.tau[b] ** 2) @ x.scores.T)
            cov += wide * c.design @ c.design.T
            for column in c.y[:, codes(c) == b].T:
                value[b] += multivariate_normal.logpdf(column, np.zeros(len(s)), cov)
        return value

    def closed(x):
        return collapsed_value_and_grad(stats.score_basis.T @ x.scores, x.tau, x.noise, *rest)[0]

    assert np.abs(explicit(other) - explicit(c)).max() > 1
    np.testing.assert_allclose(
        closed(other) - closed(c), explicit(other) - explicit(c), rtol=1e-6, atol=1e-4
    )


def test_directions_of_scores_that_are_seen(case):
    """The rotation is orthogonal, and its last columns are not seen by the likelihood."""
    c = case(2)
    stats = reduce_features(c.y, c.design, c.block, np.linspace(0.4, 1.8, len(c.y)))
    q = stats.rotation
    np.testing.assert_allclose(q.T @ q, np.eye(len(c.y)), atol=1e-12)
    hidden = q[:, stats.basis.shape[1] :]
    np.testing.assert_allclose(stats.score_basis.T @ hidden, 0, atol=1e-12)
    # Scores that follow the design are not seen, whatever the noise scales.
    np.testing.assert_allclose(stats.score_basis.T @ c.design, 0, atol=1e-12)
