"""How many patients a trial needs."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import norm

import bayes_mdd as bm
from bayes_mdd.response.power import (
    Plan,
    gain_variance,
    learned_fraction,
    oracle_gain,
    power_moderator,
    power_policy,
)


@pytest.mark.parametrize(
    ("n", "g", "k", "expected"), [(200, 0.4, 5, 0.53), (200, 0.6, 5, 0.91), (60, 0.4, 5, 0.15)]
)
def test_power_of_the_test_of_interactions(n: int, g: float, k: int, expected: float) -> None:
    found = power_moderator(n, Plan(benefit_sd=g, candidates=k))
    assert found == pytest.approx(expected, abs=0.01)


def test_power_of_the_test_of_interactions_by_drawing() -> None:
    rng = np.random.default_rng(1)
    n, k, g, hits = 120, 2, 0.5, 0
    for _ in range(400):
        eta = rng.standard_normal((n, k))
        a = rng.permutation(np.arange(n) % 2) - 0.5
        y = a * eta[:, 0] * g + rng.standard_normal(n)
        small = np.column_stack([np.ones(n), eta, a, rng.standard_normal(n)])
        full = np.column_stack([small, a[:, None] * eta])
        rss = [np.linalg.lstsq(x, y, rcond=None)[1][0] for x in (small, full)]
        f = (rss[0] - rss[1]) / k / (rss[1] / (n - 2 * k - 3))
        from scipy.stats import f as f_distribution

        hits += f_distribution.sf(f, k, n - 2 * k - 3) <= 0.05
    expected = power_moderator(n, Plan(benefit_sd=g, candidates=k))
    assert hits / 400 == pytest.approx(expected, abs=0.08)


def test_power_of_a_given_rule_is_that_of_a_normal_mean() -> None:
    plan = Plan(benefit_sd=0.4)
    needed = (norm.isf(0.05) + norm.isf(0.2)) ** 2 * gain_variance(plan) / oracle_gain(0.4) ** 2
    assert power_policy(needed, plan) == pytest.approx(0.8)
    table = bm.plan_power("policy")
    assert 2 * table["n_per_arm"][0] == pytest.approx(needed, abs=2)
    # Simulated outcomes of the best rule have this mean and variance.
    rng = np.random.default_rng(2)
    effect, other = 0.4 * rng.standard_normal(400_000), np.arange(400_000) % 2 == 0
    y = np.where(other, -effect / 2, effect / 2) + rng.standard_normal(400_000)
    gain = (effect > 0) * np.where(other, -y, y) * 2
    assert gain.mean() == pytest.approx(oracle_gain(0.4), abs=0.01)
    assert gain.var() == pytest.approx(gain_variance(plan), rel=0.02)


def test_the_share_of_the_best_rule_that_is_learned() -> None:
    assert learned_fraction(60, Plan()) == pytest.approx(0.53, abs=0.01)
    assert learned_fraction(200, Plan()) == pytest.approx(0.76, abs=0.01)
    assert learned_fraction(200, Plan(reliability=0.5)) == pytest.approx(0.44, abs=0.01)


def needed(target: str, **change: float) -> int:
    return int(bm.plan_power(target, **change)["n_per_arm"][0])


@pytest.mark.parametrize("target", ["moderator", "policy", "learned_rule"])
def test_harder_trials_need_more_patients(target: str) -> None:
    base = needed(target, benefit_sd=0.6)
    assert needed(target, benefit_sd=0.4) > base
    assert needed(target, benefit_sd=0.6, reliability=0.5) > base
    assert needed(target, benefit_sd=0.6, power=0.9) > base
    assert needed(target, benefit_sd=0.6, alpha=0.01) > base
    if target != "policy":  # a given rule has no candidates
        assert needed(target, benefit_sd=0.6, candidates=8) > base
    total = [
        int(bm.plan_power(target, benefit_sd=0.6, share_other=q)["n_total"][0]) for q in (0.5, 0.2)
    ]
    assert total[1] > total[0]
    assert needed("learned_rule", benefit_sd=0.6) > needed("policy", benefit_sd=0.6)


def test_the_number_found_is_the_smallest() -> None:
    n = needed("moderator", candidates=1)
    assert power_moderator(2 * n, Plan(candidates=1)) >= 0.8
    assert power_moderator(2 * (n - 1), Plan(candidates=1)) < 0.8


def test_a_number_beyond_the_search_is_not_made_up() -> None:
    table = bm.plan_power("learned_rule", benefit_sd=0.05, simulate=True)
    assert len(table) == 1
    assert table["n_per_arm"].isna().all()
    assert "not within 5000 patients per arm" in table["note"][0]
    assert table["power"][0] < 0.8


def test_no_fewer_patients_than_a_fit_needs() -> None:
    assert needed("specific_factor", explained=0.1, features=1000) == 8
    assert needed("moderator", benefit_sd=5.0) >= 8


def test_a_specific_factor_is_a_rule_of_thumb() -> None:
    table = bm.plan_power("specific_factor", explained=0.01, features=300)
    assert table["power"].isna().all()
    assert "rule of thumb" in table["note"][0]
    s = 300 * 0.01 / 0.99
    r = s / (1 + s)
    by_hand = max(300 / s**2, 2 * (1.28 * (1 - r) / (0.11 * r)) ** 2)
    assert by_hand > 8
    assert table["n_per_arm"][0] == pytest.approx(by_hand, abs=2)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"target": "response"}, "target must be one of moderator"),
        ({"benefit_sd": 0.0}, "benefit_sd must be above 0"),
        ({"candidates": 0}, "candidates must be a whole number"),
        ({"reliability": 1.2}, "reliability must be"),
        ({"share_other": 1.0}, "share_other must lie"),
        ({"alpha": 0.6}, "alpha must lie"),
        ({"power": 0.04}, "power must lie between alpha and 1"),
        ({"explained": 0.1}, "explained: only for target 'specific_factor'"),
        ({"target": "specific_factor"}, "explained is needed. features is needed"),
        ({"simulate": True, "repeats": 5}, "repeats must be at least 20"),
        ({"simulate": True, "candidates": 9}, "at most 8 candidates"),
        (
            {"target": "specific_factor", "explained": 0.1, "features": 10, "simulate": True},
            "simulate is not available",
        ),
    ],
)
def test_arguments_out_of_range(change: dict[str, object], words: str) -> None:
    given = {"target": "moderator", **change}
    with pytest.raises(bm.SpecError, match=words):
        bm.plan_power(given.pop("target"), **given)


def test_all_problems_at_once() -> None:
    with pytest.raises(bm.SpecError) as caught:
        bm.plan_power("moderator", benefit_sd=-1, reliability=0, alpha=2)
    assert all(w in str(caught.value) for w in ("benefit_sd", "reliability", "alpha"))


def test_simulated_trials_are_analysed() -> None:
    table = bm.plan_power(
        "moderator", benefit_sd=1.2, candidates=2, reliability=0.9, simulate=True, repeats=20
    )
    assert table["method"].tolist() == ["closed form", "simulation"]
    assert table["n_per_arm"].nunique() == 1
    assert table["power"][1] > 0.5
    assert 0 <= table["se"][1] < 0.12


def test_the_command_prints_the_table(run_cli) -> None:
    done = run_cli("power", "--target", "policy", "--benefit-sd", "0.5", "--json")
    assert done.status == 0, done.err
    (row,) = json.loads(done.out)
    assert row["n_per_arm"] == needed("policy", benefit_sd=0.5)
    assert row["method"] == "closed form"
    done = run_cli("power", "--benefit-sd", "0", "--reliability", "2")
    assert done.status == 2
    assert "benefit_sd" in done.err and "reliability" in done.err


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("target", "change"),
    [
        ("moderator", {"benefit_sd": 0.4}),
        ("moderator", {"benefit_sd": 0.5, "reliability": 0.7, "candidates": 3}),
        ("policy", {"benefit_sd": 0.5}),
        ("policy", {"benefit_sd": 0.6, "share_other": 0.4, "reliability": 0.8}),
    ],
)
def test_closed_forms_agree_with_simulation(target: str, change: dict[str, float]) -> None:
    table = bm.plan_power(target, **change, simulate=True, repeats=600, power=0.7)
    assert table["power"][1] == pytest.approx(table["power"][0], abs=0.05 + 2 * table["se"][1])
