"""The search on whitened features starts nothing in noise, and finds smooth and other traits."""

from __future__ import annotations

import numpy as np
import pytest

from bayes_mdd.shared_specific.data.prepare import prepare
from bayes_mdd.shared_specific.data.within_scan import add_differences
from bayes_mdd.shared_specific.search import smooth
from bayes_mdd.shared_specific.search.joint_components import estimate_jointly
from bayes_mdd.shared_specific.search.smooth import extend_scores, find_smooth_components
from bayes_mdd.shared_specific.search.weightings import NESTED, bin_features
from bayes_mdd.shared_specific.start.spectral import spectral_start
from bayes_mdd.specs import SharedSpecificSpec

N, R = 40, 30
PAIRS = np.triu_indices(R)
#: Eigenvalues of a mean correlation matrix of 30 regions, as real ones are.
EIGEN = np.r_[9.0, 4.0, 2.5, np.linspace(1.2, 0.2, R - 3)]
SMOOTHNESS = EIGEN[PAIRS[0]] * EIGEN[PAIRS[1]]
ARM = np.arange(N) % 2
INTERCEPT = np.full((N, 1), N**-0.5)


def find(x, seed=0, n_factors=4, scale=None):
    scale = np.ones(N) if scale is None else scale
    edges = np.random.default_rng(9).normal(size=(N, 435))
    return find_smooth_components(
        x, SMOOTHNESS, ARM, INTERCEPT, edges, scale, n_factors, np.random.default_rng(seed)
    )


def noise(seed):
    return np.random.default_rng([seed, 1]).normal(size=(N, SMOOTHNESS.size))


def trait(seed, size, power):
    """Loadings with a given sum of squares, larger for smooth features the larger `power`."""
    loading = np.random.default_rng([seed, 2]).normal(size=SMOOTHNESS.size) * SMOOTHNESS**power
    return size * loading / np.linalg.norm(loading)


def agreement(found, truth):
    """Squared multiple correlation of each true score with the found ones."""
    found, truth = found - found.mean(axis=0), truth - truth.mean(axis=0)
    fitted = found @ np.linalg.lstsq(found, truth, rcond=None)[0]
    return (fitted**2).sum(axis=0) / (truth**2).sum(axis=0)


def test_bins_are_nested_by_smoothness():
    bins = bin_features(SMOOTHNESS)
    np.testing.assert_array_equal(np.cumsum(bins.size)[:-1], [n for n in NESTED if n < 465])
    for b in range(len(bins.size) - 1):
        assert SMOOTHNESS[bins.of == b].min() >= SMOOTHNESS[bins.of == b + 1].max()
    assert (bins.weights[: len(bins.size)] == np.tril(np.ones((6, 6)))).all()
    # The other weightings fall with the smoothness, and the last one fastest.
    powers = bins.weights[len(bins.size) :]
    assert (np.diff(powers, axis=1) < 0).all()
    assert (np.diff(powers[:, -1]) < 0).all()


def test_nothing_starts_in_independent_features():
    started = [find(noise(seed), seed, 2).shape[1] for seed in range(20)]
    assert sum(n > 0 for n in started) <= 1


@pytest.mark.parametrize(("power", "size"), [(0.0, 10.0), (0.5, 7.0), (0.8, 7.0)])
def test_smooth_and_edgewise_traits_are_found(power, size):
    for seed in (1, 2, 3):
        score = np.random.default_rng([seed, 5]).normal(size=(N, 1))
        found = find(noise(seed) + score * trait(seed, size, power), seed)
        assert found.shape[1] == 1
        assert agreement(found, score)[0] > 0.85


def test_the_search_among_many_subjects_finds_the_same(monkeypatch):
    rng = np.random.default_rng(3)
    scores = rng.normal(size=(N, 2))
    x = noise(4) + scores @ np.stack([trait(5, 8.0, 0.5), trait(6, 8.0, 0.0)])
    exact = find(x)
    monkeypatch.setattr(smooth, "ALL_UP_TO", 20)
    few = find(x)
    assert few.shape == exact.shape
    assert agreement(few, exact).min() > 0.98
    assert agreement(few, scores).min() > 0.8
    assert not any(find(noise(seed)).shape[1] for seed in range(3))


def test_several_traits_are_found_together():
    scores = np.random.default_rng(4).normal(size=(N, 3))
    scores[ARM == 0, 2] = 0
    x = noise(4) + sum(
        np.outer(h, trait(k, 11.0, power))
        for k, (h, power) in enumerate(zip(scores.T, (0.0, 0.5, 0.2), strict=True))
    )
    found = find(x, n_factors=5)
    assert found.shape[1] == 3
    assert agreement(found, scores).min() > 0.85


def test_no_more_components_than_factors():
    scores = np.random.default_rng(5).normal(size=(N, 3))
    x = noise(5) + sum(np.outer(h, trait(k, 12.0, 0.0)) for k, h in enumerate(scores.T))
    assert find(x, n_factors=2).shape[1] == 2


@pytest.mark.parametrize("seed", [6, 8, 9])
def test_squares_of_a_trait_and_single_subjects_are_no_traits(seed, monkeypatch):
    score = np.random.default_rng(seed).normal(size=(N, 1))
    square = score**2 - (score**2).mean()
    x = noise(seed) + score * trait(1, 14.0, 0.2) + square * trait(2, 5.0, 0.2)
    x[7] += trait(3, 40.0, 0.0)
    found = find(x)
    assert found.shape[1] == 1
    assert agreement(found, score)[0] > 0.85
    module = "bayes_mdd.shared_specific.search.smooth"
    monkeypatch.setattr(f"{module}.curvature_part", lambda *_: None)
    monkeypatch.setattr(f"{module}.is_one_subject", lambda _: False)
    assert find(x).shape[1] == 3


def test_errors_of_scores_have_the_covariance_that_is_stated():
    """Unbiased scores deviate from the true ones as `error` says, which takes loadings as known."""
    bins, size = bin_features(SMOOTHNESS), np.array([8.0, 5.0])
    ratio = []
    for seed in range(15):
        scores = np.random.default_rng([seed, 3]).normal(size=(N, 2))
        x = noise(seed) + sum(
            np.outer(h, trait(k + 5, s, 0.3))
            for k, (h, s) in enumerate(zip(scores.T, size, strict=True))
        )
        x -= x.mean(axis=0)
        found = estimate_jointly(x, scores, bins.of, INTERCEPT, ARM, 25)
        truth = scores - scores.mean(axis=0)
        slope = (found.unbiased * truth).sum(axis=0) / (truth**2).sum(axis=0)
        left = ((found.unbiased / slope - truth) ** 2).mean(axis=0)
        ratio.append(left * slope**2 / np.diag(found.error))
    ratio = np.mean(ratio, axis=0)
    assert ((ratio > 0.85) & (ratio < 1.6)).all()


def test_scores_vary_by_arm_where_they_should():
    scores = np.random.default_rng(7).normal(size=(N, 1)) * np.where(ARM == 0, 0.2, 1.4)[:, None]
    x = noise(7) + scores * trait(1, 12.0, 0.2)
    x -= x.mean(axis=0)
    bins = bin_features(SMOOTHNESS)
    by_arm, pooled = (
        estimate_jointly(x, scores, bins.of, INTERCEPT, ARM, 20, by_arm=b).scores
        for b in (True, False)
    )
    spread = [s[ARM == 0].std() / s[ARM == 1].std() for s in (by_arm, pooled)]
    assert spread[0] < spread[1] < 0.4


def test_further_rows_are_scored_on_the_same_components():
    rng = np.random.default_rng(8)
    score = rng.normal(size=(N, 1))
    x = noise(8) + score * trait(1, 12.0, 0.2)
    found = find(x)

    def extend(scores, x, arm, design, n_factors=4):
        rng = np.random.default_rng(0)
        return extend_scores(scores, x, SMOOTHNESS, arm, design, n_factors, rng)

    same = extend(found, x, ARM, INTERCEPT)
    np.testing.assert_array_equal(same, found)
    # Rows of error alone: their scores are small.
    rows = np.vstack([x, rng.normal(size=(N, SMOOTHNESS.size))])
    design = np.kron(np.eye(2), INTERCEPT)
    arm = np.r_[ARM, np.full(N, 2)]
    every = extend(found, rows, arm, design)
    assert every.shape == (2 * N, 1)
    assert abs(np.corrcoef(every[:N, 0], found[:, 0])[0, 1]) > 0.99
    assert every[N:].std() < 0.35 * every[:N].std()
    assert extend(np.zeros((N, 0)), rows, arm, design).shape == (2 * N, 0)
    # A pattern that only the further rows have, as of motion, is a component of its own.
    motion = rng.normal(size=(N, 1))
    rows[N:] += motion * trait(2, 12.0, 0.2)
    more = extend(found, rows, arm, design)
    assert more.shape == (2 * N, 2)
    assert abs(np.corrcoef(more[:N, 0], found[:, 0])[0, 1]) > 0.99
    assert abs(np.corrcoef(more[N:, 1], motion[:, 0])[0, 1]) > 0.9
    assert more[:N, 1].std() < 0.35 * more[N:, 1].std()
    assert extend(found, rows, arm, design, n_factors=1).shape == (2 * N, 1)


def test_half_differences_do_not_change_what_is_found(correlations):
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(N, 2))
    patterns = np.stack([0.5 * (p + p.T) for p in 0.09 * rng.normal(size=(2, 12, 12))])
    features = correlations(N, seed=2, scores=scores, patterns=patterns, halves=True)
    data = prepare(SharedSpecificSpec(n_factors=3, feature_dependence="matrix"), features)
    rows = add_differences(data, features["half_difference"].values)
    alone, both = (spectral_start(d, 2) for d in (rows.data, rows.rows))
    assert alone.n_on == both.n_on == 2
    r = np.corrcoef(alone.scores.T, both.scores[:N].T)[:2, 2:]
    np.testing.assert_allclose(np.abs(np.diag(r)), 1, atol=0.01)
    assert agreement(both.scores[:N], scores).min() > 0.8
