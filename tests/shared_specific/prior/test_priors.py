"""Each prior has the density of its distribution, and draws from it."""

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

from bayes_mdd.shared_specific.prior import compiled
from bayes_mdd.shared_specific.prior.arms import ArmMeans, Sharing, add_sharing, draw_scores
from bayes_mdd.shared_specific.prior.horseshoe import (
    Horseshoe,
    log_regularise,
    regularise,
    slab_ratio,
    unbounded,
)
from bayes_mdd.shared_specific.prior.scales import (
    Gamma,
    HalfNormal,
    HalfT,
    half_normal_log,
    half_normal_slope,
    half_t_log,
    half_t_slope,
)

X = np.geomspace(1e-4, 50, 40)


class FoldedT:
    """Half-t distribution, which SciPy has with one degree of freedom only."""

    def __init__(self, df, scale):
        self.t = stats.t(df, scale=scale)

    def logpdf(self, x):
        return np.log(2) + self.t.logpdf(x)

    def cdf(self, x):
        return 2 * self.t.cdf(x) - 1


SCALES = {
    "half-Cauchy": (HalfT(1.0, 0.3), stats.halfcauchy(scale=0.3)),
    "half-t": (HalfT(4.0, 0.7), FoldedT(4.0, 0.7)),
    "half-t, odd df": (HalfT(2.3, 1.9), FoldedT(2.3, 1.9)),
    "half-normal": (HalfNormal(0.6), stats.halfnorm(scale=0.6)),
    "gamma": (Gamma(2.0, 0.1), stats.gamma(2.0, scale=10.0)),
}


@pytest.mark.parametrize("name", SCALES)
def test_density_of_a_scale_is_scipys(name):
    prior, true = SCALES[name]
    np.testing.assert_allclose(prior.logp(X), true.logpdf(X), rtol=1e-12)


@pytest.mark.parametrize("name", SCALES)
def test_draws_of_a_scale_have_its_density(name):
    prior, true = SCALES[name]
    drawn = prior.draw(np.random.default_rng(1), (40, 100))
    assert drawn.shape == (40, 100)
    assert stats.kstest(drawn.ravel(), true.cdf).pvalue > 0.01


@pytest.mark.parametrize("prior", [HalfT(1.0, 0.3), HalfT(4.0, 0.7), HalfNormal(0.6)])
def test_density_at_a_log_is_that_at_the_value(prior):
    np.testing.assert_allclose(prior.log_kernel_of_log(np.log(X)), prior.log_kernel(X), rtol=1e-9)


def test_density_at_a_log_does_not_overflow():
    far = HalfT(4.0, 0.7).log_kernel_of_log(np.array([-600.0, 600.0]))
    np.testing.assert_allclose(far, [0.0, -5 * (600 - np.log(0.7) - np.log(2))], atol=1e-9)


def central(function, log_x, step=1e-5):
    return (function(log_x + step) - function(log_x - step)) / (2 * step)


@pytest.mark.parametrize("df", [1.0, 2.3, 4.0])
def test_slopes_are_derivatives_in_the_log(df):
    log_x = np.log(X)
    slope = central(lambda z: half_t_log(np.exp(2 * z) / df, df), log_x)
    np.testing.assert_allclose(half_t_slope(X**2 / df, df), slope, rtol=1e-6, atol=1e-9)
    slope = central(lambda z: half_normal_log(np.exp(2 * z)), log_x)
    np.testing.assert_allclose(half_normal_slope(X**2), slope, rtol=1e-6, atol=1e-9)
    slope = central(lambda z: log_regularise(np.exp(z), df), log_x)
    np.testing.assert_allclose(1 / slab_ratio(X, df), slope, rtol=1e-6, atol=1e-9)


def test_compiled_functions_are_those_of_numpy():
    np.testing.assert_allclose(compiled.half_t_log(X, 4.0), half_t_log(X, 4.0), rtol=1e-14)
    np.testing.assert_allclose(compiled.half_t_slope(X, 4.0), half_t_slope(X, 4.0), rtol=1e-14)
    np.testing.assert_allclose(compiled.half_normal_log(X), half_normal_log(X), rtol=1e-14)
    np.testing.assert_allclose(compiled.half_normal_slope(X), half_normal_slope(X), rtol=1e-14)
    np.testing.assert_allclose(compiled.slab_ratio(X, 2.0), slab_ratio(X, 2.0), rtol=1e-14)


@pytest.mark.parametrize("n_arms", [2, 3])
def test_density_of_sharing_is_scipys(n_arms):
    prior, rng = Sharing(0.6, n_arms), np.random.default_rng(2)
    shares = rng.dirichlet(np.ones(n_arms), size=20)
    true = [stats.dirichlet.logpdf(w, np.full(n_arms, 0.6)) for w in shares]
    np.testing.assert_allclose(prior.logp(shares), true, rtol=1e-10)


def test_density_of_sharing_integrates_to_one():
    prior = Sharing(1.6, 2)
    mass, _ = quad(lambda w: np.exp(prior.logp(np.array([w, 1 - w]))), 0, 1)
    assert mass == pytest.approx(1.0, abs=1e-6)


def test_density_of_sharing_of_several_factors_is_the_sum():
    prior, rng = Sharing(0.6, 3), np.random.default_rng(3)
    shares = prior.draw(rng, (5, 2))
    whole = prior.log_kernel(np.swapaxes(shares, 1, 2), axis=(1, 2))
    np.testing.assert_allclose(np.diff(whole), np.diff(prior.logp(shares).sum(axis=1)), rtol=1e-9)


def test_draws_of_sharing_have_its_density():
    prior = Sharing(0.6, 3)
    shares = prior.draw(np.random.default_rng(4), (2000,))
    np.testing.assert_allclose(shares.sum(axis=-1), 1.0)
    for a in range(3):
        assert stats.kstest(shares[:, a], stats.beta(0.6, 1.2).cdf).pvalue > 0.01


@pytest.mark.parametrize("add", [add_sharing, compiled.add_sharing])
def test_density_of_sharing_in_softmax_coordinates_has_their_jacobian(add):
    prior = Sharing(0.6, 3)

    def value(free):
        logs = np.append(free, -free.sum())
        shares = np.exp(logs) / np.exp(logs).sum()
        slope = np.zeros(3)
        return add(shares, 0.6, slope), shares, slope

    def exact(free, step=1e-6):
        jacobian = [(value(free + e)[1] - value(free - e)[1])[:2] for e in step * np.eye(2)]
        log_det = np.linalg.slogdet(np.array(jacobian) / (2 * step))[1]
        return prior.log_kernel(value(free)[1]) + log_det

    rng = np.random.default_rng(5)
    points = rng.normal(size=(4, 2))
    found, true = (np.array([f(p) for p in points]) for f in (lambda p: value(p)[0], exact))
    np.testing.assert_allclose(np.diff(found), np.diff(true), rtol=1e-6)
    np.testing.assert_allclose(value(points[0])[2], 0.6)


def test_arm_means_are_normal_or_fixed():
    prior = ArmMeans(np.array([[0.25, 0.09], [0.0, 0.25]]))
    drawn = prior.draw(np.random.default_rng(6), (3000,))
    assert drawn.shape == (3000, 2, 2)
    assert not drawn[:, 1, 0].any()
    for (a, k), sd in {(0, 0): 0.5, (0, 1): 0.3, (1, 1): 0.5}.items():
        true = stats.norm(scale=sd)
        assert stats.kstest(drawn[:, a, k], true.cdf).pvalue > 0.01
        np.testing.assert_allclose(prior.logp(drawn)[:, a, k], true.logpdf(drawn[:, a, k]))
    assert not prior.logp(drawn)[:, 1, 0].any()


def test_scores_have_the_variance_of_their_arm():
    sharing = np.broadcast_to(np.array([[0.9, 0.5], [0.1, 0.5]]), (4000, 2, 2))
    means = ArmMeans(np.array([[0.25, 0.0], [0.0, 0.25]]))
    arm = np.array([0, 1, 0, 1])
    scores = draw_scores(sharing, means, arm, np.random.default_rng(7))
    assert scores.shape == (4000, 4, 2)
    variance = 2 * sharing[0] + means.variance
    np.testing.assert_allclose(scores.var(axis=0), variance[arm], rtol=0.1)
    # Scores of an arm share its mean.
    covariance = np.cov(scores[:, 0, 0], scores[:, 2, 0])[0, 1]
    assert covariance == pytest.approx(0.25, abs=0.1)
    assert np.cov(scores[:, 0, 1], scores[:, 2, 1])[0, 1] == pytest.approx(0.0, abs=0.06)


def test_regularised_scales_stay_below_the_slab():
    bounded = regularise(X, 2.0)
    assert (bounded < 2.0).all() and (bounded < X).all()
    np.testing.assert_allclose(unbounded(bounded, 2.0), X, rtol=1e-9)
    np.testing.assert_allclose(np.exp(log_regularise(X, 2.0)), bounded)
    ends = unbounded(np.array([0.0, 2.0]), 2.0)
    assert (ends > 0).all() and np.isfinite(ends).all()


@pytest.mark.parametrize("local", [HalfT(1.0, 1.0), HalfT(4.0, 1.0)])
def test_scales_of_a_horseshoe_have_their_distribution(local):
    prior = Horseshoe(HalfT(1.0, 0.2), local, 1.5)
    drawn = prior.draw_scale(np.random.default_rng(8), (1000, 1), common=(1,)).ravel()

    def cdf(scale):
        """P(overall * local < unbounded scale), by the quantiles of the overall scale."""
        p = (np.arange(1000) + 0.5) / 1000
        overall = stats.halfcauchy(scale=0.2).ppf(p)
        ratio = unbounded(np.asarray(scale), 1.5)[..., None] / overall
        return FoldedT(local.df, 1.0).cdf(ratio).mean(axis=-1)

    assert stats.kstest(drawn, cdf).pvalue > 0.01


def test_parameters_of_a_horseshoe_share_the_overall_scale():
    prior, shape = Horseshoe(HalfT(1.0, 0.2), HalfT(4.0, 1.0), 10.0), (4000, 2, 3)
    scale = np.log(prior.draw_scale(np.random.default_rng(9), shape, common=(1,)))
    r = np.corrcoef(scale.reshape(4000, 6).T)
    assert r[0, 3] > 0.5  # the same overall scale
    assert abs(r[0, 1]) < 0.1  # another one
    drawn = prior.draw(np.random.default_rng(9), shape, common=(1,))
    standard = drawn / np.exp(scale)
    assert stats.kstest(standard.ravel(), stats.norm.cdf).pvalue > 0.01
