"""Levels, losses, coverage and power over simulated trials, by the functions of the benchmark.

The numbers of trials are small, so that limits are those of a binomial count at the goal.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

import bayes_mdd as bm
from bayes_mdd.response.held_out import expect_and_score, learn_and_predict
from bayes_mdd.response.power import Plan, oracle_gain, power_moderator
from bayes_mdd.response.prepare import prepare

#: Seeds of no other study.
FIRST = 20_000
slow = pytest.mark.slow
pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module")
def trials(repository):
    folder = str(repository / "benchmarks")
    sys.path.insert(0, folder)
    try:
        import response_trials
    finally:
        sys.path.remove(folder)
    return response_trials


def seeds(n: int) -> range:
    return range(FIRST, FIRST + n)


def at_most(hits: int, n: int, share: float) -> bool:
    """Whether a count is not too large for a share: by chance it is once in a thousand times."""
    return hits <= binom.isf(0.001, n, share)


def test_trials_of_the_benchmark_are_those_of_the_package(trials: Any) -> None:
    given = {
        "n": 60, "benefit_sd": 0.4, "drug_effect": 0.2, "reliability": 0.6, "share_other": 0.3,
        "noise_ratio": 1.5,
    }  # fmt: skip
    made = bm.simulate_trial(seed=3, model_seed=3, **given)
    spec = bm.ResponseSpec(
        outcome="hamd17", default_arm="SSRI", assignment="randomised", baseline="hamd17_baseline"
    )
    expected = prepare(spec, made.scores, made.outcomes).trial
    drawn = trials.draw(3, **given)
    for name in ("outcome", "other", "mean", "covariance", "design", "design_sd"):
        np.testing.assert_allclose(
            getattr(drawn.trial, name), getattr(expected, name), atol=1e-12, err_msg=name
        )
    np.testing.assert_allclose(drawn.benefit, made.truth["benefit"].values, atol=1e-12)


def test_expected_benefits_are_means_of_draws(trials: Any) -> None:
    trial = trials.draw(1, 200, benefit_sd=0.6).trial
    split = trials.divided(trial, np.arange(200) % 5)[0]
    rng = np.random.default_rng(1)
    expected, scored = expect_and_score(split, trials.LEARNER)
    held = learn_and_predict(split, trials.LEARNER, rng)
    assert np.corrcoef(expected, held.benefit)[0, 1] > 0.99
    np.testing.assert_allclose(scored, held.effect, atol=1e-10)


@slow
@pytest.mark.parametrize(
    "change",
    [
        {"n": 60},
        {"n": 200, "drug_effect": 0.4},
        {"n": 60, "share_other": 0.3, "noise_ratio": 1.5},
        {"n": 200, "prognosis_r2": 0.5},
        {"n": 200, "reliability": 0.5},
    ],
)
def test_nothing_is_found_where_nothing_moderates(trials: Any, change: dict[str, Any]) -> None:
    found = [trials.null(s, **change) for s in seeds(120)]
    assert at_most(sum(f["moderation"] <= 0.05 for f in found), 120, 0.07)
    assert at_most(sum(f["verdict"] == "moderated" for f in found), 120, 0.05)
    if "noise_ratio" not in change:
        assert sum(f["moderation"] <= 0.5 for f in found) >= binom.ppf(0.001, 120, 0.5)
    assert at_most(sum(f["sequential"] > 1.645 for f in found), 120, 0.07)


@slow
@pytest.mark.parametrize("change", [{}, {"share_other": 0.3, "noise_ratio": 1.5}])
def test_the_ranking_gains_nothing_where_nothing_moderates(
    trials: Any, change: dict[str, Any]
) -> None:
    found = [trials.ranking(s, 19, n=60, **change)["randomisation"] for s in seeds(100)]
    assert at_most(sum(p <= 0.1 for p in found), 100, 0.12)
    assert np.mean(found) == pytest.approx(0.5, abs=0.12)


@slow
@pytest.mark.parametrize("n", [60, 200])
@pytest.mark.parametrize("delta", [-0.2, 0.0, 0.2])
def test_the_rule_seldom_loses_and_is_silent_without_moderation(
    trials: Any, n: int, delta: float
) -> None:
    rule = "P > 0.8, 1.5 points"
    for g in (0.0, 0.2, 0.4):
        found = [trials.gain(s, n=n, g=g, reliability=1.0, delta=delta)[rule] for s in seeds(50)]
        assert at_most(sum(f["gain"] < -0.01 for f in found), 50, 0.02)
        if g == delta == 0:
            decided = np.array([f["decided"] for f in found])
            assert decided.mean() <= 0.03 + 3 * decided.std() / np.sqrt(50)


@slow
@pytest.mark.parametrize(
    ("n", "free", "abstaining", "wrong"), [(200, 0.74, 0.42, 0.06), (1000, 0.95, 0.95, 0.02)]
)
def test_the_share_of_the_best_gain_that_is_learned(
    trials: Any, n: int, free: float, abstaining: float, wrong: float
) -> None:
    found = [trials.gain(s, n=n, g=0.4, reliability=1.0, delta=0.0) for s in seeds(80)]
    for rule, goal in (("no abstention", free), ("P > 0.8", abstaining)):
        share = np.array([f[rule]["gain"] for f in found]) / oracle_gain(0.4)
        assert share.mean() >= goal - 3 * share.std() / np.sqrt(80), rule
    stated = np.array([f["P > 0.8"]["stated"] for f in found])
    errors = np.array([f["P > 0.8"]["wrong"] for f in found])
    # Three standard errors of a ratio over trials.
    spread = (errors - errors.sum() / stated.sum() * stated).std() * np.sqrt(80) / stated.sum()
    assert errors.sum() / stated.sum() <= wrong + 3 * spread


@slow
def test_prognosis_is_not_called_moderation_nor_the_reverse(trials: Any) -> None:
    prognostic = [trials.verdict(s, n=200, g=0.0)["verdict"] for s in seeds(150)]
    assert at_most(prognostic.count("moderated"), 150, 0.05)
    crossed = [trials.verdict(s, n=600, g=0.6)["verdict"] for s in seeds(60)]
    assert at_most(crossed.count("smaller than the ROPE"), 60, 0.05)
    assert crossed.count("moderated") >= binom.ppf(0.001, 60, 0.95)


@slow
@pytest.mark.parametrize(("n", "reliability"), [(60, 1.0), (200, 1.0), (200, 0.6)])
def test_benefits_of_new_patients_are_calibrated_over_the_prior(
    trials: Any, n: int, reliability: float
) -> None:
    found = [trials.prior(s, n, reliability) for s in seeds(150)]
    coverage = np.array([f["coverage"] for f in found])
    error = coverage.std() / np.sqrt(150)
    assert 0.87 - 3 * error <= coverage.mean() <= 0.93 + 3 * error
    said, true, number = (np.array([f[name] for f in found]) for name in ("said", "true", "number"))
    for b in range(5):
        difference = said[:, b] - true[:, b]
        total = number[:, b].sum()
        # Patients of one trial share its errors: the error is that over trials.
        spread = difference.std() * np.sqrt(150) / total
        assert abs(difference.sum() / total) <= 0.05 + 3 * spread, b


@slow
@pytest.mark.parametrize(
    ("n", "g", "reliability", "k"),
    [(60, 0.4, 1.0, 5), (200, 0.4, 1.0, 5), (200, 0.4, 0.7, 3), (200, 0.6, 0.5, 5)],
)
def test_the_closed_form_has_the_power_of_the_printed_test(
    trials: Any, n: int, g: float, reliability: float, k: int
) -> None:
    hits = sum(trials.power(s, n, g, reliability, k)["p"] <= 0.05 for s in seeds(250))
    expected = power_moderator(n, Plan(benefit_sd=g, reliability=reliability, candidates=k))
    error = np.sqrt(expected * (1 - expected) / 250)
    assert hits / 250 == pytest.approx(expected, abs=0.05 + 2 * error)


@slow
def test_score_error_is_carried(trials: Any) -> None:
    found = [trials.slope(s, 200, 0.5) for s in seeds(300)]
    estimate = np.array([f["estimate"] for f in found])
    error = estimate.std() / np.sqrt(300)
    assert 0.36 - 2 * error <= estimate.mean() <= 0.42 + 2 * error
    inside = sum(f["inside"] for f in found)
    assert binom.ppf(0.001, 300, 0.86) <= inside <= binom.isf(0.001, 300, 0.94)
