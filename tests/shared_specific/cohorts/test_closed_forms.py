"""What is integrated in closed form or in tables equals brute force."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from bayes_mdd.shared_specific.cohorts.hierarchy import log_share_prior, sample_sizes
from bayes_mdd.shared_specific.cohorts.normal import combine_normal, conditional, log_density
from bayes_mdd.shared_specific.cohorts.size import fit_size, log_likelihood
from bayes_mdd.shared_specific.cohorts.size_tables import Sizes, SizeTables

RNG = np.random.default_rng(0)
SE = RNG.uniform(0.2, 1.0, (4, 3))
X = RNG.normal(size=(4, 3))


@pytest.mark.parametrize(("tau", "omega"), [(0.3, 0.7), (0.0, 2.0)])
def test_normal_estimates_have_the_density_of_a_multivariate_normal(tau, omega):
    found = log_density(X, SE**2 + tau**2, omega)
    for p in range(3):
        covariance = np.diag(SE[:, p] ** 2 + tau**2) + omega**2
        assert found[p] == pytest.approx(
            multivariate_normal(np.zeros(4), covariance).logpdf(X[:, p])
        )


def test_means_over_cohorts_given_the_scales_equal_quadrature():
    mean, sd = conditional(X, SE**2 + 0.3**2, 0.7)
    grid = np.linspace(-6, 6, 20001)
    for p in range(3):
        logp = norm(0, 0.7).logpdf(grid)
        for c in range(4):
            logp += norm(grid, np.hypot(SE[c, p], 0.3)).logpdf(X[c, p])
        weight = np.exp(logp - logp.max())
        weight /= weight.sum()
        assert mean[p] == pytest.approx(weight @ grid, abs=1e-6)
        assert sd[p] == pytest.approx(np.sqrt(weight @ (grid - mean[p]) ** 2), abs=1e-6)


def test_a_cohort_without_an_estimate_counts_for_nothing():
    se = SE.copy()
    se[3] = np.inf
    assert np.allclose(log_density(X, se**2, 0.7), log_density(X[:3], SE[:3] ** 2, 0.7))


def test_heterogeneity_between_cohorts_is_found_and_widens():
    rng = np.random.default_rng(1)
    theta = rng.normal(size=200)
    block = np.zeros(200, dtype=int)
    se = np.full((3, 200), 0.2)
    same = theta + 0.2 * rng.normal(size=(3, 200))
    other = same + 0.6 * rng.normal(size=(3, 200))
    options = {"scale": 0.3, "relative": True, "draws": 200}
    found = [
        combine_normal(x, se, block, np.random.default_rng(2), **options) for x in (same, other)
    ]
    assert found[0].between.mean() < 0.15
    assert 0.45 < found[1].between.mean() < 0.75
    widths = [np.ptp(np.quantile(f.mean, [0.05, 0.95], axis=0), axis=0).mean() for f in found]
    assert widths[1] > 2 * widths[0]
    low, high = np.quantile(found[1].mean, [0.05, 0.95], axis=0)
    assert 0.8 < ((low < theta) & (theta < high)).mean() < 0.97


def _two_cohorts() -> Sizes:
    return Sizes(
        found=np.ones((2, 1), dtype=bool),
        observed=np.array([[[0.12], [0.05]], [[0.08], [0.06]]]),
        dof=np.array([[[20.0], [18.0]], [[25.0], [30.0]]]),
        error=np.full((2, 2, 1), 0.01),
        noise=np.ones(2),
        limit=np.full((2, 3), 0.01),
        concentration=0.6,
    )


def test_tables_integrate_the_differences_of_a_cohort():
    """Against plain quadrature over all three differences."""
    sizes = _two_cohorts()
    tables = SizeTables(sizes, 0.3)
    mu = np.log([[[0.09, 0.07]]])
    size, sharing = np.array([8]), np.array([5])
    found = tables.found(mu, size, sharing)[0, :, 0]
    z, w = np.polynomial.hermite_e.hermegauss(61)
    w = w / w.sum()
    for c in range(2):
        total = 0.0
        for zi, wi in zip(z, w, strict=True):
            product = wi
            for a in range(2):
                at = mu[0, 0, a] + tables.sd[8] * zi + tables.sd[5] * z
                own = [x[c, a, 0] for x in (sizes.observed, sizes.dof, sizes.error)]
                top = log_likelihood(np.log(own[0]), own[0], own[1], 0.0)
                product *= (w * np.exp(log_likelihood(at, *own) - top)).sum()
            total += product
        assert found[c] == pytest.approx(np.log(total), abs=0.01)


def test_the_sampled_posterior_equals_a_grid():
    """Two arms, two cohorts that do not differ: the posterior of the sharing on a grid."""
    sizes = _two_cohorts()
    drawn = sample_sizes(
        sizes, np.random.default_rng(3), scale=0.0, draws=700, chains=8, warmup=200
    )
    mu = drawn.log_variance[:, :, 0].reshape(-1, 2)
    axis = np.linspace(np.log(0.005), np.log(0.6), 300)
    a, b = np.meshgrid(axis, axis, indexing="ij")
    logp = log_share_prior(np.stack([a, b], axis=-1), 0.6)
    for c in range(2):
        for x, k in ((a, 0), (b, 1)):
            own = [v[c, k, 0] for v in (sizes.observed, sizes.dof, sizes.error)]
            logp = logp + log_likelihood(x, *own)
    weight = np.exp(logp - logp.max())
    weight /= weight.sum()
    share = 1 / (1 + np.exp(b - a))
    mean = (weight * share).sum()
    sd = np.sqrt((weight * (share - mean) ** 2).sum())
    found = 1 / (1 + np.exp(mu[:, 1] - mu[:, 0]))
    assert found.mean() == pytest.approx(mean, abs=0.1 * sd)
    assert found.std() == pytest.approx(sd, rel=0.08)


def test_the_likelihood_of_a_size_gives_back_the_posterior_of_a_cohort():
    """Posterior draws made from a known likelihood and prior lead to that likelihood."""
    x = np.linspace(np.log(1e-6), np.log(5.0), 4000)
    for observed in (0.1, 0.006):
        u = np.exp(x)
        prior = 0.6 * np.log(u / (u + 0.1)) + 0.6 * np.log1p(-u / (u + 0.1))
        logp = prior + log_likelihood(x, observed, 28.0, 0.005)
        p = np.exp(logp - logp.max())
        draws = np.random.default_rng(4).choice(u, 20000, p=p / p.sum())
        found = fit_size(draws, 0.1, 28.0, 0.005, np.array([0.6, 0.6]))
        assert found.observed == pytest.approx(observed, rel=0.03)
        assert found.dof == pytest.approx(28.0, rel=0.1)
