"""Trait share: exact covariances, a random walk over the same posterior, coverage."""

import numpy as np
import pytest
from scipy.integrate import dblquad

from bayes_mdd.shared_specific.reliability import state
from bayes_mdd.shared_specific.reliability.state import piece_covariance, trait_share
from bayes_mdd.shared_specific.reliability.verdict import shortest_interval

K = 8


def simulate(rng, n, trait, tau, noise=1.0, n_pieces=K):
    """Scores of pieces with a trait, a state of scan-mean variance 1 - trait, and noise."""
    shape = piece_covariance(tau, n_pieces)
    sigma = trait + (1 - trait) * shape / shape.mean() + noise * np.eye(n_pieces)
    return rng.multivariate_normal(np.zeros(n_pieces), sigma, size=n)


def random_walk(scores, sampling, rng, walkers=200, steps=1800):
    """Draws of the trait share by Metropolis, all walkers at once; tau is continuous."""
    n, n_pieces = scores.shape
    centred = scores - scores.mean(axis=0)
    products = centred.T @ centred
    v0, n0 = centred.mean(axis=1).var(), centred.var(axis=1).mean()
    low = np.array([-np.inf, np.log(v0) - 5, np.log(n0) - 5, np.log(state.TAU_MIN)])
    high = np.array([np.inf, np.log(v0) + 5, np.log(n0) + 5, np.log(state.TAU_MAX)])
    lag = np.abs(np.subtract.outer(np.arange(n_pieces), np.arange(n_pieces)))

    def density(x):
        fraction = 1 / (1 + np.exp(-x[:, 0]))[:, None, None]
        v, noise = np.exp(x[:, 1:3]).T[:, :, None, None]
        r = np.exp(x[:, 3])[:, None, None] * n_pieces
        apart = (r * np.expm1(-1 / r)) ** 2 * np.exp(-np.maximum(lag - 1, 0) / r)
        shape = np.where(lag == 0, 2 * r * (1 + r * np.expm1(-1 / r)), apart)
        shape = shape / shape.mean(axis=(1, 2), keepdims=True)
        sigma = v * (fraction + (1 - fraction) * shape) + noise * np.eye(n_pieces)
        fit = (np.linalg.inv(sigma) * products).sum(axis=(1, 2))
        jacobian = np.log(fraction * (1 - fraction))[:, 0, 0]
        value = -0.5 * ((n - 1) * np.linalg.slogdet(sigma)[1] + fit) + jacobian
        return np.where(((x >= low) & (x <= high)).all(axis=1), value, -np.inf)

    x = np.column_stack(
        [
            rng.normal(size=walkers),
            np.full(walkers, np.log(v0)),
            np.full(walkers, np.log(n0)),
            rng.uniform(low[3], high[3], size=walkers),
        ]
    )
    at, kept = density(x), []
    for step in range(steps):
        size = rng.choice([0.2, 1.0], size=(walkers, 1)) * [1.2, 0.3, 0.15, 1.5]
        y = x + size * rng.normal(size=x.shape)
        new = density(y)
        take = np.log(rng.random(walkers)) < new - at
        x, at = np.where(take[:, None], y, x), np.where(take, new, at)
        if step >= steps // 3:
            fast = np.maximum(np.exp(x[:, 2]) - sampling, 0) / n_pieces
            v = np.exp(x[:, 1])
            kept.append(v / (1 + np.exp(-x[:, 0])) / (v + fast))
    return np.ravel(kept)


@pytest.mark.parametrize("tau", [0.03, 0.25, 1.0])
def test_piece_covariance_equals_brute_force_integration(tau):
    n_pieces = 5
    got = piece_covariance(tau, n_pieces)
    np.testing.assert_allclose(got, got.T)
    width = 1 / n_pieces
    for lag in range(n_pieces):

        def correlation(u, v, lag=lag):
            return np.exp(-abs(u - v - lag * width) / tau) / width**2

        # Below and above the kink at u = v.
        want = sum(
            dblquad(correlation, 0, width, *ends)[0]
            for ends in ((0, lambda v: v), (lambda v: v, width))
        )
        np.testing.assert_allclose(got[0, lag], want, rtol=1e-6)


def test_piece_covariance_averages_to_the_variance_of_the_scan_mean():
    for tau in (0.05, 0.3, 1.0):
        scan = 2 * tau - 2 * tau**2 * (1 - np.exp(-1 / tau))
        assert piece_covariance(tau, K).mean() == pytest.approx(scan)
        halves = piece_covariance(tau, K).reshape(2, K // 2, 2, K // 2).mean(axis=(1, 3))
        np.testing.assert_allclose(halves, piece_covariance(tau, 2))


@pytest.mark.parametrize(
    ("trait", "tau", "noise", "known"),
    [(1.0, 0.2, 0.5, 1.0), (0.0, 0.1, 1.0, 1.0), (0.5, 0.25, 1.0, 1.0), (0.8, 0.25, 1.0, 0.5)],
)
def test_grid_agrees_with_a_random_walk(trait, tau, noise, known):
    rng = np.random.default_rng([int(10 * trait), int(100 * tau)])
    scores = simulate(rng, 60, trait, tau, noise)
    got = trait_share(scores, known * noise).draws
    walk = random_walk(scores, known * noise, rng)
    assert got.mean() == pytest.approx(walk.mean(), abs=0.012)
    at = [0.05, 0.25, 0.5, 0.75, 0.95]
    np.testing.assert_allclose(np.quantile(got, at), np.quantile(walk, at), atol=0.025)
    assert (got > 0.5).mean() == pytest.approx((walk > 0.5).mean(), abs=0.02)


def test_finer_grid_changes_nothing(monkeypatch):
    scores = simulate(np.random.default_rng(0), 60, 0.7, 0.2)
    coarse = trait_share(scores, 0.8).draws
    finer = {"N_TAU": 30, "N_FRACTION": 240, "N_RATIO": (61, 91), "N_NOISE": 11}
    for name, value in finer.items():
        monkeypatch.setattr(state, name, value)
    state._shapes.cache_clear()
    fine = trait_share(scores, 0.8).draws
    state._shapes.cache_clear()
    np.testing.assert_allclose(coarse, fine, atol=0.01)


def test_posterior_has_no_units_and_knows_no_level():
    scores = simulate(np.random.default_rng(1), 40, 0.6, 0.3)
    got = trait_share(scores, 0.9)
    other = trait_share(1e3 * scores + np.arange(K), 0.9e6)
    np.testing.assert_allclose(other.draws, got.draws, atol=1e-9)
    assert other.noise_ratio == pytest.approx(got.noise_ratio)


def test_draws_are_ordered_and_within_bounds():
    draws = trait_share(simulate(np.random.default_rng(2), 40, 1.0, 0.3), 1.0, n_draws=500).draws
    assert draws.shape == (500,)
    assert (np.diff(draws) >= 0).all()
    assert 0 <= draws[0] <= draws[-1] <= 1


def test_fast_state_does_not_hide_in_the_noise():
    # A state that changes between pieces: the noise is many times the sampling variance.
    rng = np.random.default_rng(3)
    scores = 0.1 * rng.normal(size=(60, 1)) + rng.normal(size=(60, K))
    hidden, compared = trait_share(scores, 1.0), trait_share(scores, 0.05)
    assert (compared.draws > 0.5).mean() < 0.01
    assert compared.draws.mean() < hidden.draws.mean()
    assert compared.noise_ratio == pytest.approx(20, rel=0.15)


def test_scores_that_do_not_vary_contain_no_information():
    draws = trait_share(np.ones((20, K)), 0.0).draws
    np.testing.assert_allclose(draws, (np.arange(1000) + 0.5) / 1000)


@pytest.mark.parametrize("n", [20, 60, 2000])
def test_many_subjects_determine_the_share(n):
    # The grid follows posteriors of any width.
    scores = simulate(np.random.default_rng(4), n, 0.7, 0.1, 0.2)
    draws = trait_share(scores, 0.2).draws
    low, high = shortest_interval(draws)
    assert low - 0.01 <= 0.7 <= high + 0.01
    assert high - low < {20: 1.0, 60: 0.75, 2000: 0.3}[n]


def held(rng, n_cohorts, trait, tau, noise):
    """Share of cohorts whose interval holds the truth, and of those with a verdict."""
    holds, p_above = [], []
    for _ in range(n_cohorts):
        draws = trait_share(simulate(rng, 60, trait, tau, noise), noise).draws
        low, high = shortest_interval(draws)
        # Both ends of the range count as reached within half a percent.
        holds.append(low - 0.005 <= trait <= high + 0.005)
        p_above.append((draws > 0.5).mean())
    return np.mean(holds), np.mean(np.array(p_above) >= 0.9)


@pytest.mark.slow
def test_intervals_hold_truths_drawn_from_the_prior():
    rng = np.random.default_rng(5)
    holds = [
        held(rng, 1, rng.uniform(), np.exp(rng.uniform(np.log(0.05), 0)), np.exp(rng.normal()))[0]
        for _ in range(60)
    ]
    assert np.mean(holds) > 0.8


def test_pure_state_is_never_stable_and_pure_trait_is():
    rng = np.random.default_rng(6)
    assert held(rng, 15, 0.0, 0.25, 0.5)[1] == 0
    assert held(rng, 15, 1.0, 0.25, 0.5)[1] == 1


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.5, 1.0])
@pytest.mark.parametrize("tau", [0.05, 0.1, 0.25, 0.5])
def test_coverage_for_states_of_up_to_half_a_scan(tau, noise):
    rng = np.random.default_rng([7, int(100 * tau), int(10 * noise)])
    held_by_trait = {trait: held(rng, 100, trait, tau, noise) for trait in (0.0, 0.5, 0.8, 1.0)}
    assert min(h for h, _ in held_by_trait.values()) > 0.65
    assert np.mean([h for h, _ in held_by_trait.values()]) > 0.82
    assert held_by_trait[0.0][1] <= 0.03
    assert held_by_trait[1.0][1] >= 0.9


@pytest.mark.slow
def test_calibration_over_the_prior():
    rng = np.random.default_rng(8)
    ranks = []
    for _ in range(600):
        trait, tau = rng.uniform(), np.exp(rng.uniform(np.log(state.TAU_MIN), 0))
        scores = simulate(rng, 60, trait, tau, np.exp(rng.normal()))
        # With a sampling variance above N the share is T / (T + V_s), which was drawn.
        ranks.append((trait_share(scores, 1e9).draws < trait).mean())
    counts = np.histogram(ranks, bins=10, range=(0, 1))[0]
    assert ((counts - 60) ** 2 / 60).sum() < 27.9  # chi-squared with 9 degrees, P = .001
