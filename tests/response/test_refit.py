"""What held-out patients may not tell the rule; missing outcomes; observational arms."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest

import bayes_mdd as bm
from bayes_mdd.errors import DataContractError
from bayes_mdd.response.overlap import e_value
from bayes_mdd.response.policy import evaluate_rule
from bayes_mdd.response.scores import build_moments
from bayes_mdd.response.splits import FoldScores
from bayes_mdd.response.value import aipw_scores
from bayes_mdd.response.weights import HIGHEST, LOWEST, estimate_probability

SPEC = bm.ResponseSpec(
    outcome="hamd17",
    default_arm="SSRI",
    assignment="randomised",
    baseline="hamd17_baseline",
    minimum=None,
)
REASON = "No trial of these drugs exists."


class Components:
    """A first stage that takes no time: principal components of the patients who teach."""

    def __init__(self, features: pd.DataFrame) -> None:
        self.features = features
        self.asked: list[tuple[list[str], list[str]]] = []

    def __call__(self, pairs):
        self.asked += pairs
        return [self.fit(*pair) for pair in pairs]

    def fit(self, train, test) -> FoldScores:
        known = self.features.loc[list(train)].to_numpy()
        axes = np.linalg.svd(known - known.mean(axis=0), full_matrices=False)[2][:2]
        found = []
        for names in (train, test):
            mean = (self.features.loc[list(names)].to_numpy() - known.mean(axis=0)) @ axes.T
            error = np.tile(0.1 * np.eye(2), (len(mean), 1, 1))
            found.append(build_moments(mean, error, np.array(names), np.array(["F1", "F2"]), {}))
        return FoldScores(*found)


@pytest.fixture(scope="module")
def trial() -> bm.SimulatedTrial:
    return bm.simulate_trial(seed=2, n=60, benefit_sd=0.8, n_factors=2, reliability=0.9)


@pytest.fixture(scope="module")
def features(trial: bm.SimulatedTrial) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    eta = trial.truth["eta"].values
    x = eta @ rng.normal(size=(2, 8)) + 0.3 * rng.normal(size=(60, 8))
    return pd.DataFrame(x, index=trial.outcomes.index)


def evaluate(trial, features, outcomes=None, **options):
    given = {"folds": 3, "repeats": 1, "n_permutations": 0} | options
    table = trial.outcomes if outcomes is None else outcomes
    # The scores that are given here are not used, apart from the names.
    source = Components(features)
    return evaluate_rule(SPEC, trial.scores, table, refit=source, **given), source


def test_factors_are_fitted_once_for_each_fold_whatever_is_permuted(trial, features) -> None:
    found, source = evaluate(trial, features, repeats=2, n_permutations=19)
    # Two divisions, sequential folds, and the folds of the randomisation test.
    assert len(source.asked) == 2 * 3 + 2 + 3
    for train, test in source.asked:
        assert not set(train) & set(test)
    assert {len(a) + len(b) for a, b in source.asked} == {40, 60}, "sequential folds teach alone"
    assert found.stage_one == "refit"
    assert found.factors == (2, 2)
    assert "fitted again without the patients of each fold (2 factors" in found.describe()
    assert 0 < found.p_randomisation <= 1


def test_outcomes_of_a_fold_do_not_change_what_is_predicted_for_it(trial, features) -> None:
    before, source = evaluate(trial, features)
    own = source.asked[0][1]
    outcomes = trial.outcomes.copy()
    outcomes.loc[own, "hamd17"] = np.random.default_rng(1).normal(14, 9, len(own))
    after, _ = evaluate(trial, features, outcomes)
    columns = ["benefit", "p_benefit", "other_drug", "benefit_lower", "benefit_upper"]
    pd.testing.assert_frame_equal(
        before.people.loc[own, columns], after.people.loc[own, columns], check_exact=True
    )
    others = before.people.index.difference(own)
    assert (before.people.loc[others, "benefit"] != after.people.loc[others, "benefit"]).all()


def test_a_feature_that_tells_the_outcome_of_held_out_patients_only_teaches_nothing(
    trial, features
) -> None:
    train, test = (list(part) for part in np.array_split(trial.outcomes.index, [40]))
    planted = features.copy()
    planted.loc[test, 7] = 100 * trial.outcomes.loc[test, "hamd17"]
    plain, told = Components(features).fit(train, test), Components(planted).fit(train, test)
    assert plain.train.identical(told.train)
    # In the whole evaluation: a wild scan of one patient leaves the others of the fold alone.
    before, source = evaluate(trial, features)
    own = source.asked[0][1]
    wild = features.copy()
    wild.loc[own[0]] += 50.0
    after, _ = evaluate(trial, wild)
    pd.testing.assert_series_equal(
        before.people.loc[own[1:], "benefit"],
        after.people.loc[own[1:], "benefit"],
        check_exact=True,
    )
    assert before.people.loc[own[0], "benefit"] != after.people.loc[own[0], "benefit"]


def test_people_who_are_not_scored_are_named(trial, features) -> None:
    class Forgetful(Components):
        def fit(self, train, test):
            found = super().fit(train, test)
            return FoldScores(found.train, found.test.isel(subject=slice(1, None)))

    with pytest.raises(DataContractError, match=r"sub-00.. have outcomes, but no features"):
        evaluate_rule(SPEC, trial.scores, trial.outcomes, refit=Forgetful(features), folds=3)


def test_missing_outcomes_do_not_bias_the_scores_of_a_drug() -> None:
    rng = np.random.default_rng(3)
    n = 4
    y, f_default, f_other = rng.normal(size=(3, n))
    other, e, seen = np.array([True, False, True, False]), np.full(n, 0.5), rng.uniform(0.3, 0.9, n)
    mean = np.zeros((2, n))
    for known in product([False, True], repeat=n):
        given = np.where(known, y, np.nan)
        chance = np.prod(np.where(known, seen, 1 - seen))
        mean += chance * np.stack(aipw_scores(given, other, e, f_default, f_other, seen))
    complete = np.stack(aipw_scores(y, other, e, f_default, f_other))
    np.testing.assert_allclose(mean, complete, atol=1e-12)


def test_patients_without_an_outcome_are_predicted_and_counted(trial, features) -> None:
    gone = list(trial.outcomes.index[[3, 8, 20, 41, 55]])
    outcomes = trial.outcomes.copy()
    outcomes.loc[gone, "hamd17"] = np.nan
    outcomes.loc[gone[0], "hamd17_baseline"] = np.nan
    found, source = evaluate(trial, features, outcomes)
    assert found.counts["observed"] == 55
    assert (found.counts["without_outcome"], found.counts["left_out"]) == (4, 1)
    assert list(found.people.index[-4:]) == gone[1:]
    assert np.isfinite(found.people["benefit"]).all()
    assert np.isfinite(found.table.to_numpy()[:, :4]).all()
    assert gone[0] not in {s for pair in source.asked for part in pair for s in part}
    assert "4 patients without an outcome enter by their predicted outcome" in found.describe()
    assert "1 patients without an outcome are left out" in found.describe()


def test_drop_out_by_baseline_leaves_the_average_gain_alone() -> None:
    # Everybody is better off on the other drug; those with a poor baseline leave.
    trial = bm.simulate_trial(
        seed=3, n=600, drug_effect=-1.0, benefit_sd=0.3, missing="random", reliability=0.9
    )
    found = evaluate_rule(SPEC, trial.scores, trial.outcomes, repeats=1, n_permutations=0)
    assert found.counts["without_outcome"] == 180
    row = found.table.loc["declared default"]
    truth = float((trial.truth["benefit"] * found.people["other_drug"].to_xarray().rename(
        participant_id="subject")).mean())  # fmt: skip
    assert row["gain"] == pytest.approx(truth, abs=2.5 * row["se"])
    assert row["gain_ipw"] == pytest.approx(truth, abs=2.5 * row["se_ipw"])
    assert row["se_ipw"] > row["se"], "predictions of outcomes make the estimate more precise"


def test_probabilities_of_observational_arms_are_estimated() -> None:
    trial = bm.simulate_trial(
        seed=4, n=1500, confounding=1.2, benefit_sd=0.6, reliability=0.95, n_factors=2
    )
    given = SPEC.to_mapping() | {"assignment": "observational", "allow_observational": REASON}
    spec = bm.ResponseSpec.from_mapping(given)
    found = evaluate_rule(spec, trial.scores, trial.outcomes, repeats=1, n_permutations=0)
    overlap = found.overlap
    assert overlap is not None
    assert overlap.overlap[["default", "other"]].to_numpy().sum() == 1500
    assert 0 < overlap.clipped < 400
    balance = overlap.balance.loc["hamd17_baseline"].abs()
    assert balance["after"] < 0.4 * balance["before"]
    assert (overlap.e_values["e_value"] >= overlap.e_values["e_value_limit"]).all()
    assert "this is an association" in found.describe()
    assert f"0.05 or 0.95 for {overlap.clipped} patients" in found.describe()
    # Confounded as it is, the plain difference of the arms is far from the truth.
    y, other = trial.outcomes["hamd17"], trial.outcomes["arm"] == "SNRI"
    plain = y[~other].mean() - y[other].mean()
    truth = float(trial.truth["benefit"].mean())
    estimate = overlap.e_values.loc["average effect", "estimate"]
    assert abs(estimate - truth) < 0.5 * abs(plain - truth)


def test_e_values() -> None:
    assert e_value(0.0) == 1.0
    ratio = np.exp(0.91 * 0.5)
    assert e_value(-0.5) == pytest.approx(ratio + np.sqrt(ratio * (ratio - 1)))


def test_estimated_probabilities() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(500, 2))
    true = 1 / (1 + np.exp(-x[:, 0]))
    happened = rng.random(500) < true
    train = np.arange(500) < 400
    found = estimate_probability(x, happened, train)
    assert np.corrcoef(found[~train], true[~train])[0, 1] > 0.95
    np.testing.assert_array_equal(estimate_probability(x, np.ones(500, bool), train), 1.0)
    assert 0 < LOWEST < HIGHEST < 1
