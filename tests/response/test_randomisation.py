"""Arms drawn again."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayes_mdd as bm
from bayes_mdd.response.balance import describe_imbalance
from bayes_mdd.response.join import number_strata
from bayes_mdd.response.prepare import prepare
from bayes_mdd.response.randomisation import randomisation_test, redraw_arms
from bayes_mdd.response.verdict import judge_moderation

SPEC = bm.ResponseSpec(outcome="hamd17", default_arm="SSRI", assignment="randomised")


@pytest.mark.parametrize(
    "change", [{}, {"share_other": 0.3, "noise_ratio": 1.5}, {"n_sites": 4, "drug_effect": 0.5}]
)
def test_p_values_of_trials_without_moderation_are_uniform(change: dict[str, float]) -> None:
    found = []
    for seed in range(60):
        trial = bm.simulate_trial(seed=seed, n=60, n_factors=3, benefit_sd=0.0, **change)
        prepared = prepare(SPEC, trial.scores, trial.outcomes)
        test = randomisation_test(
            prepared.trial,
            np.random.default_rng(seed),
            n_permutations=59,
            stratum=prepared.stratum,
        )
        found.append(test.p_value)
    p = np.array(found)
    # Four standard errors of 60 uniform values.
    assert abs(p.mean() - 0.5) < 0.15
    assert (p <= 0.1).mean() < 0.1 + 4 * np.sqrt(0.09 / 60)


def test_a_strong_moderator_is_found() -> None:
    trial = bm.simulate_trial(seed=1, n=200, benefit_sd=0.9, reliability=0.9)
    found = bm.assess_moderation(SPEC, trial.scores, trial.outcomes, n_permutations=199)
    assert found.p_value == pytest.approx(1 / 200)
    assert found.verdict == "moderated"
    assert found.sentence.startswith("Patients differ in what they gain from SNRI")


def test_the_test_ignores_the_average_effect() -> None:
    trial = bm.simulate_trial(seed=2, n=60)
    shifted = trial.outcomes.copy()
    shifted.loc[shifted["arm"] == "SNRI", "hamd17"] += 20
    p_values = [
        bm.assess_moderation(SPEC, trial.scores, table, n_permutations=99).p_value
        for table in (trial.outcomes, shifted)
    ]
    assert p_values[0] == p_values[1]


def test_arms_keep_their_numbers_within_strata() -> None:
    rng = np.random.default_rng(1)
    other, stratum = rng.random(50) < 0.4, rng.integers(4, size=50)
    drawn = redraw_arms(other, stratum, rng, 30)
    for s in range(4):
        assert set(drawn[:, stratum == s].sum(axis=1)) == {other[stratum == s].sum()}
    assert (drawn != other).any()


def test_strata_are_those_of_the_table_then_sites_and_probabilities() -> None:
    table = pd.DataFrame({"site": ["a", "a", "b", "b"], "stratum": ["x", "y", "x", "y"]})
    assert number_strata(table, "site").tolist() == [0, 1, 0, 1]
    assert number_strata(table.drop(columns="stratum"), "site").tolist() == [0, 0, 1, 1]
    assert number_strata(table.drop(columns="stratum"), None).tolist() == [0, 0, 0, 0]
    given = table.drop(columns="stratum").assign(propensity=[0.5, 0.6, 0.5, 0.6])
    assert number_strata(given, None).tolist() == [0, 1, 0, 1]
    many = pd.DataFrame({"propensity": np.linspace(0.1, 0.9, 100)})
    assert len(set(number_strata(many, None))) == 5


@pytest.mark.parametrize(
    ("p_value", "above", "verdict"),
    [
        (0.05, 0.95, "moderated"),
        (0.051, 0.99, "not determinable"),
        (0.01, 0.94, "not determinable"),
        (0.3, 0.05, "smaller than the ROPE"),
        (0.01, 0.01, "not determinable"),
    ],
)
def test_the_verdict_needs_test_and_posterior(p_value: float, above: float, verdict: str) -> None:
    assert judge_moderation(p_value, above) == verdict


def test_arms_that_do_not_look_randomised_are_reported() -> None:
    trial = bm.simulate_trial(seed=1, n=200, confounding=1.5)
    with pytest.warns(UserWarning, match="differs between the arms"):
        bm.fit_response(SPEC, trial.scores, trial.outcomes, method="fast")
    other = np.arange(100) < 80
    columns = pd.DataFrame({"age": np.random.default_rng(1).standard_normal(100)})
    assert describe_imbalance(other, columns, None) == []
    (said,) = describe_imbalance(other, columns, np.full(100, 0.5))
    assert "80 of 100 patients" in said and "50 are expected" in said


def test_strata_of_one_arm_allow_no_test() -> None:
    trial = bm.simulate_trial(seed=1, n=40)
    table = trial.outcomes.assign(stratum=trial.outcomes["arm"])
    with pytest.raises(bm.SpecError, match="cannot be drawn again"):
        bm.assess_moderation(SPEC, trial.scores, table)
    with pytest.raises(bm.SpecError, match="cannot be drawn again"):
        bm.evaluate_policy(SPEC, trial.scores, table)
