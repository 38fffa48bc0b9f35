"""Arm means are drawn from their conditional distribution given the scores."""

from types import SimpleNamespace

import numpy as np
import pytest

from bayes_mdd.shared_specific.graph.expression import Expression
from bayes_mdd.shared_specific.posterior.means import draw_arm_means
from bayes_mdd.shared_specific.prior.arms import mean_variance
from bayes_mdd.specs import SharedSpecificSpec


def subjects_of(arms, sizes):
    """What of the data of a model concerns the arms."""
    arm = np.repeat(np.arange(len(arms)), sizes)
    member = np.arange(len(arms))[:, None] == arm
    average = member / member.sum(axis=1, keepdims=True)
    return SimpleNamespace(arms=arms, arm=arm, arm_size=np.array(sizes, float), arm_average=average)


def test_scores_have_the_covariance_of_spread_and_mean():
    data = subjects_of(("a", "b"), [4, 3])
    ratio = np.array([[1.6], [0.4]])
    spec = SharedSpecificSpec(n_factors=1, mean_scale=0.7)
    prior = Expression.prior(spec, data, ratio)
    columns = [prior.scale(data, e[:, None], 0.5).eval()[:, 0] for e in np.eye(7)]
    root = np.stack(columns, axis=1)
    expected = np.zeros((7, 7))
    expected[:4, :4] = 1.6 * np.eye(4) + 0.49
    expected[4:, 4:] = 0.4 * np.eye(3) + 0.49
    np.testing.assert_allclose(root @ root.T, expected, atol=1e-12)
    assert float(prior.log_det(data).eval()) == pytest.approx(np.linalg.slogdet(expected)[1])


def test_means_given_scores_against_gaussian_conditioning():
    data = subjects_of(("HC", "b"), [6, 4])
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(10, 1)) + 0.8
    sharing = np.array([[0.7], [0.3]])
    variance = np.array([[0.0], [0.36]])
    many = 40_000
    drawn = draw_arm_means(
        data, np.broadcast_to(scores, (many, 10, 1)), np.broadcast_to(sharing, (many, 2, 1)),
        variance, rng,
    )  # fmt: skip
    assert not drawn[:, 0].any()
    # m ~ N(0, .36), h | m ~ N(m, .6 I): condition by hand.
    cov = 0.6 * np.eye(4) + 0.36
    gain = 0.36 * np.ones(4) @ np.linalg.inv(cov)
    mean, var = gain @ scores[6:, 0], 0.36 - 0.36 * gain.sum()
    assert drawn[:, 1].mean() == pytest.approx(mean, abs=4 * np.sqrt(var / many))
    assert drawn[:, 1].var() == pytest.approx(var, rel=0.03)


def test_without_controls_means_add_up_to_zero():
    data = subjects_of(("a", "b", "c"), [5, 5, 5])
    rng = np.random.default_rng(1)
    drawn = draw_arm_means(
        data, rng.normal(size=(9, 15, 2)), np.full((9, 3, 2), 1 / 3), np.full((3, 2), 0.25), rng
    )
    np.testing.assert_allclose(drawn.sum(axis=1), 0.0, atol=1e-12)


def test_a_fixed_pattern_has_no_mean_where_it_has_no_factor():
    spec = SharedSpecificSpec(sharing={"shared": 1, "b": 1}, mean_scale=0.5)
    np.testing.assert_array_equal(
        mean_variance(spec, ("HC", "b")), np.array([[0.0, 0.0], [0.25, 0.25]])
    )
    np.testing.assert_array_equal(
        mean_variance(spec, ("a", "b")), np.array([[0.25, 0.0], [0.25, 0.25]])
    )
