"""Value of a rule."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

import bayes_mdd as bm
from bayes_mdd.response.outcome_values import remission_limit
from bayes_mdd.response.power import oracle_gain
from bayes_mdd.response.value import Gain, aipw_scores, predict_outcomes, prioritised_effects

SPEC = bm.ResponseSpec(outcome="hamd17", default_arm="SSRI", assignment="randomised")


def oracle(y, other, e, f_default, f_other, rule) -> float:
    """Gain over the default, subject by subject."""
    total = 0.0
    for i in range(len(y)):
        of_other, of_default = f_other[i], f_default[i]
        if other[i]:
            of_other += (y[i] - f_other[i]) / e[i]
        else:
            of_default += (y[i] - f_default[i]) / (1 - e[i])
        if rule[i]:
            total += of_default - of_other
    return total / len(y)


def test_gains_of_fixed_rules_agree_with_the_definition() -> None:
    rng = np.random.default_rng(1)
    n = 50
    y, other, e = rng.normal(size=n), rng.random(n) < 0.4, rng.uniform(0.2, 0.8, n)
    f_default, f_other = rng.normal(size=(2, n))
    default, of_other = aipw_scores(y, other, e, f_default, f_other)
    for rule in (np.ones(n, bool), np.zeros(n, bool), rng.random(n) < 0.5):
        gain = Gain.of(rule * (default - of_other)).value
        assert gain == pytest.approx(oracle(y, other, e, f_default, f_other, rule), abs=1e-10)


def test_without_predictions_and_at_half_the_gain_is_the_difference_of_means() -> None:
    rng = np.random.default_rng(2)
    y, other = rng.normal(size=40), np.arange(40) % 2 == 0
    default, of_other = aipw_scores(y, other, np.full(40, 0.5), np.zeros(40), np.zeros(40))
    expected = y[~other].mean() - y[other].mean()
    assert (default - of_other).mean() == pytest.approx(expected, abs=1e-10)


def test_the_gain_is_unbiased_over_all_assignments_whatever_is_predicted() -> None:
    rng = np.random.default_rng(3)
    n, k = 8, 3
    on_default, on_other, f_default, f_other = rng.normal(size=(4, n))
    rule = rng.random(n) < 0.5
    gains = []
    for chosen in combinations(range(n), k):
        other = np.isin(np.arange(n), chosen)
        y = np.where(other, on_other, on_default)
        scores = aipw_scores(y, other, np.full(n, k / n), f_default, f_other)
        gains.append((rule * (scores[0] - scores[1])).mean())
    assert np.mean(gains) == pytest.approx((rule * (on_default - on_other)).mean(), abs=1e-10)


def test_predictions_differ_by_the_drug() -> None:
    rng = np.random.default_rng(4)
    x, other = rng.normal(size=(400, 2)), rng.random(400) < 0.3
    y = 5 + x @ [1.0, -1.0] + 2 * other + 0.1 * rng.normal(size=400)
    default, on_other = predict_outcomes(x, other, y, np.array([[0.0, 0.0], [1.0, 0.0]]))
    np.testing.assert_allclose(on_other - default, 2, atol=0.2)
    np.testing.assert_allclose(default, [5, 6], atol=0.2)


def test_priorities_gain_nothing_over_all() -> None:
    share, gain = prioritised_effects(np.array([3.0, 1.0, 2.0]), np.array([9.0, 0.0, 3.0]))
    np.testing.assert_allclose(share, [1 / 3, 2 / 3, 1])
    np.testing.assert_allclose(gain, [5, 2, 0])


@pytest.mark.parametrize(("g", "delta", "r"), [(0.4, 0.0, 1.0), (0.5, 0.1, 0.6), (0.3, -0.2, 0.9)])
def test_the_gain_of_the_best_rule(g: float, delta: float, r: float) -> None:
    s = g * np.sqrt(r)
    x = np.linspace(-10, 10, 400_001)
    density = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
    expected = np.trapezoid(np.maximum(abs(delta) + s * x, 0) * density, x) - abs(delta)
    assert oracle_gain(g, delta, r) == pytest.approx(expected, abs=1e-8)


@pytest.fixture(scope="module")
def strong() -> bm.SimulatedTrial:
    return bm.simulate_trial(seed=1, n=300, benefit_sd=1.2, n_factors=2, reliability=0.95)


def test_a_strong_moderator_has_a_value(strong: bm.SimulatedTrial) -> None:
    value = bm.evaluate_policy(
        SPEC, strong.scores, strong.outcomes, repeats=2, n_permutations=19, seed=3
    )
    best = float(np.maximum(strong.truth["benefit"].values, 0).mean())
    assert value.table.loc["declared default", "gain"] == pytest.approx(best, abs=1.5)
    assert value.p_randomisation == pytest.approx(0.05)
    assert value.p_sequential < 0.05
    assert value.calibration.attrs["slope"] == pytest.approx(1.0, abs=0.35)
    assert value.calibration["observed"].is_monotonic_increasing
    assert value.calibration["predicted"].is_monotonic_increasing
    assert value.toc["gain"].iloc[-1] == pytest.approx(0, abs=1e-9)
    # A higher threshold leaves fewer patients with a preference.
    assert (np.diff(value.curve["decided"]) <= 1e-12).all()


def test_held_out_patients_do_not_teach(strong: bm.SimulatedTrial) -> None:
    # The outcome of one patient changes what is predicted for others, not for himself.
    given = {"repeats": 1, "n_permutations": 0, "seed": 3}
    before = bm.evaluate_policy(SPEC, strong.scores, strong.outcomes, **given).people
    changed = strong.outcomes.copy()
    someone = changed.index[7]
    changed.loc[someone, "hamd17"] += 60
    after = bm.evaluate_policy(SPEC, strong.scores, changed, **given).people
    moved = np.abs(after["benefit"] - before["benefit"])
    # All outcomes are centred at a mean that his outcome enters, which changes the draws minutely.
    assert moved[someone] < 0.02
    assert moved.max() > 0.1


def test_the_rule_that_changes_nobody_gains_nothing() -> None:
    trial = bm.simulate_trial(seed=4, n=60, benefit_sd=0.0, prognosis_r2=0.0)
    value = bm.evaluate_policy(SPEC, trial.scores, trial.outcomes, repeats=1, n_permutations=0)
    row = value.table.loc["declared default"]
    assert value.changed == 0
    assert (row["gain"], row["remission"]) == (0, 0)
    assert np.isnan(row["nnt"]) and np.isnan(row["z"])
    assert np.isnan(value.p_randomisation)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"folds": 1}, "folds must lie between 2"),
        ({"folds": 200}, "folds must lie between 2"),
        ({"repeats": 0}, "repeats must be at least 1"),
        ({"n_permutations": 5}, "n_permutations must be 0 or at least 19"),
    ],
)
def test_options_out_of_range(
    strong: bm.SimulatedTrial, options: dict[str, int], words: str
) -> None:
    with pytest.raises(bm.SpecError, match=words):
        bm.evaluate_policy(SPEC, strong.scores, strong.outcomes, **options)


def test_observational_arms_need_probabilities(strong: bm.SimulatedTrial) -> None:
    spec = bm.ResponseSpec(outcome="hamd17", default_arm="SSRI", assignment="observational")
    with pytest.raises(bm.SpecError, match="column 'propensity'"):
        bm.evaluate_policy(spec, strong.scores, strong.outcomes)


def test_remission_is_defined_for_totals_of_known_scales() -> None:
    def limit(**change: object) -> float | None:
        given = {"outcome": "hamd17", "default_arm": "a", "assignment": "randomised"}
        return remission_limit(bm.ResponseSpec(**{**given, **change}))

    assert (limit(), limit(outcome="HAMD-17_total"), limit(outcome="madrs")) == (7, 7, 10)
    assert limit(outcome="hamd17_change") is None
    assert limit(higher_is_better=True) is None
    assert limit(outcome="qids") is None
    assert limit(kind="binary") is None
