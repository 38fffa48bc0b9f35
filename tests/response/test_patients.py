"""Benefit and decision for patients whose outcome is not known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayes_mdd as bm
from bayes_mdd.response.benefit import DecisionRule, draw_benefit
from bayes_mdd.response.new_patients import in_support

SPEC = bm.ResponseSpec(
    outcome="hamd17", default_arm="SSRI", assignment="randomised", baseline="hamd17_baseline"
)


@pytest.fixture(scope="module")
def trial() -> bm.SimulatedTrial:
    return bm.simulate_trial(seed=1, n=200, n_factors=3, benefit_sd=0.9)


@pytest.fixture(scope="module")
def new() -> bm.SimulatedTrial:
    return bm.simulate_trial(seed=2, n=50, n_factors=3, benefit_sd=0.9, prefix="new")


@pytest.fixture(scope="module")
def fitted(trial: bm.SimulatedTrial) -> xr.DataTree:
    return bm.fit_response(SPEC, trial.scores, trial.outcomes, method="fast")


def test_draws_of_the_benefit_have_its_mean_and_variance() -> None:
    rng = np.random.default_rng(1)
    mean = rng.standard_normal((3, 2))
    covariance = np.array([[[0.5, 0.2], [0.2, 0.4]], np.zeros((2, 2)), np.eye(2)])
    theta = np.array([1.5, -2.0])
    draws = draw_benefit(np.full(60_000, 0.7), np.tile(theta, (60_000, 1)), mean, covariance, rng)
    np.testing.assert_allclose(draws.mean(axis=0), -(0.7 + mean @ theta), atol=0.05)
    expected = [theta @ v @ theta for v in covariance]
    np.testing.assert_allclose(draws.var(axis=0), expected, rtol=0.03, atol=1e-12)


@pytest.mark.parametrize(
    ("mean", "p", "choice"),
    [
        (2.0, 0.8, 1),  # the probability may equal p_star
        (2.0, 0.79, 0),
        (1.5, 0.99, 0),  # the benefit must exceed the minimum
        (-2.0, 0.2, -1),
        (-2.0, 0.21, 0),
        (-1.5, 0.0, 0),
        (0.0, 0.5, 0),
    ],
)
def test_decisions_at_the_edges(mean: float, p: float, choice: int) -> None:
    rule = DecisionRule(minimum=1.5, p_star=0.8)
    assert rule.decide(np.array([mean]), np.array([p])).tolist() == [choice]


def test_costs_count_against_the_other_drug() -> None:
    rule = DecisionRule(minimum=1.0, p_star=0.8, cost=2.0)
    found = rule.decide(np.array([2.9, 3.1, 0.9, 1.1]), np.array([0.95, 0.95, 0.1, 0.1]))
    assert found.tolist() == [0, 1, -1, 0]


def test_predictions_follow_the_truth(fitted: xr.DataTree, new: bm.SimulatedTrial) -> None:
    found = bm.predict_benefit(fitted, new.scores, new.outcomes)
    truth = new.truth["benefit"].values
    assert np.corrcoef(found["benefit_mean"], truth)[0, 1] > 0.75
    inside = (found["benefit_lower"] <= truth) & (truth <= found["benefit_upper"])
    assert 0.7 < float(inside.mean()) <= 1.0
    assert (found["benefit_lower"] < found["benefit_lower_50"]).all()
    assert (found["benefit_upper_50"] < found["benefit_upper"]).all()
    stated = found["recommendation"].values
    assert set(stated) <= {"SSRI", "SNRI", "no preference", "not given: outside the support"}
    assert (truth[stated == "SNRI"] > 0).mean() > 0.85
    assert (truth[stated == "SSRI"] < 0).mean() > 0.85


def test_expected_outcomes_differ_by_the_benefit(
    fitted: xr.DataTree, new: bm.SimulatedTrial
) -> None:
    found = bm.predict_benefit(fitted, new.scores, new.outcomes)
    expected = found["expected"].mean(("chain", "draw"))
    benefit = (expected.sel(arm="SSRI") - expected.sel(arm="SNRI")).values
    np.testing.assert_allclose(benefit, found["benefit_mean"].values, atol=0.3)
    truth = new.truth["expected"].sel(arm=["SSRI", "SNRI"])
    error = expected.values - truth.values
    assert abs(error.mean()) < 1.5 and error.std() < 4
    received = xr.DataArray(new.outcomes["arm"].to_numpy(dtype=object), dims="subject")
    said = found["p_remission"].sel(arm=received)
    assert ((said > 0) & (said < 1)).all()
    assert float(said.mean()) == pytest.approx((new.outcomes["hamd17"] <= 7).mean(), abs=0.15)


def test_fitted_patients_are_refused(fitted: xr.DataTree, trial: bm.SimulatedTrial) -> None:
    with pytest.raises(bm.DataContractError, match=r"sub-0001.*were in the fit"):
        bm.predict_benefit(fitted, trial.scores.isel(subject=[0]))


def test_other_factors_are_refused(fitted: xr.DataTree, new: bm.SimulatedTrial) -> None:
    renamed = new.scores.assign_coords(factor=["F1", "G2", "F3"], factor_2=["F1", "G2", "F3"])
    with pytest.raises(bm.DataContractError, match="factors F2 of the fit are missing"):
        bm.predict_benefit(fitted, renamed)


def test_scores_of_another_run_are_refused(
    trial: bm.SimulatedTrial, new: bm.SimulatedTrial
) -> None:
    of_run = trial.scores.assign_attrs(source="aaaa")
    fitted = bm.fit_response(SPEC, of_run, trial.outcomes, method="fast")
    bm.predict_benefit(fitted, new.scores.assign_attrs(source="aaaa"))
    for source, words in (("bbbb", "from run bbbb"), ("", "from no run")):
        with pytest.raises(bm.DataContractError, match=words):
            bm.predict_benefit(fitted, new.scores.assign_attrs(source=source))


def test_all_problems_of_new_patients_at_once(
    fitted: xr.DataTree, trial: bm.SimulatedTrial
) -> None:
    scores = trial.scores.isel(subject=[0, 1]).assign_attrs(source="bbbb", arm_aware=1)
    with pytest.raises(bm.DataContractError) as caught:
        bm.predict_benefit(fitted, scores.drop_sel(factor="F2", factor_2="F2"))
    assert len(caught.value.problems) == 4


def test_only_the_order_of_factors_may_differ(fitted: xr.DataTree, new: bm.SimulatedTrial) -> None:
    turned = new.scores.isel(factor=[2, 0, 1], factor_2=[2, 0, 1])
    found, again = (bm.predict_benefit(fitted, s) for s in (new.scores, turned))
    np.testing.assert_allclose(found["benefit_mean"], again["benefit_mean"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"p_star": 0.4}, "p_star must lie in"),
        ({"p_star": 1.0}, "p_star must lie in"),
        ({"minimum": -1.0}, "at least 0"),
        ({"minimum": float("nan")}, "at least 0"),
    ],
)
def test_thresholds_out_of_range(
    fitted: xr.DataTree, new: bm.SimulatedTrial, change: dict[str, float], words: str
) -> None:
    with pytest.raises(bm.SpecError, match=words):
        bm.predict_benefit(fitted, new.scores, **change)


def test_patients_unlike_the_fitted_ones_get_no_recommendation(
    fitted: xr.DataTree, new: bm.SimulatedTrial
) -> None:
    far = new.scores.assign(mean=new.scores["mean"] + 30)
    found = bm.predict_benefit(fitted, far)
    assert not found["in_support"].any()
    assert set(found["recommendation"].values) == {"not given: outside the support"}


def test_support_is_that_of_the_fitted_scores() -> None:
    rng = np.random.default_rng(1)
    fitted = rng.standard_normal((1000, 2)) * [1.0, 10.0]
    new = np.array([[0.0, 20.0], [5.0, 0.0], [0.0, 0.0]])
    assert in_support(fitted, new).tolist() == [True, False, True]


def test_observational_arms_are_not_recommended_without_a_reason(
    trial: bm.SimulatedTrial, new: bm.SimulatedTrial
) -> None:
    given = SPEC.to_mapping() | {"assignment": "observational", "covariates": ()}
    spec = bm.ResponseSpec(**given)
    found = bm.predict_benefit(
        bm.fit_response(spec, trial.scores, trial.outcomes, method="fast"), new.scores
    )
    assert set(found["recommendation"].values) == {"not given: observational"}
    reason = "a teaching example with simulated patients"
    allowed = bm.ResponseSpec(**{**given, "allow_observational": reason})
    found = bm.predict_benefit(
        bm.fit_response(allowed, trial.scores, trial.outcomes, method="fast"), new.scores
    )
    assert "not given: observational" not in found["recommendation"].values
    assert found.attrs["reason"] == reason


def test_covariates_of_new_patients_are_checked(
    fitted: xr.DataTree, new: bm.SimulatedTrial
) -> None:
    table = new.outcomes[["hamd17_baseline"]]
    with pytest.raises(bm.DataContractError, match="no row for new-0001"):
        bm.predict_benefit(fitted, new.scores, table.iloc[1:])
    with pytest.raises(bm.DataContractError, match="missing for new-0003"):
        changed = table.copy()
        changed.loc["new-0003"] = np.nan
        bm.predict_benefit(fitted, new.scores, changed)
    with pytest.raises(bm.DataContractError, match="no column 'hamd17_baseline'"):
        bm.predict_benefit(fitted, new.scores, table.rename(columns={"hamd17_baseline": "x"}))


def test_a_higher_outcome_that_is_better_mirrors_everything(
    trial: bm.SimulatedTrial, new: bm.SimulatedTrial, fitted: xr.DataTree
) -> None:
    turned = trial.outcomes.assign(hamd17=-trial.outcomes["hamd17"])
    spec = bm.ResponseSpec(**(SPEC.to_mapping() | {"higher_is_better": True, "covariates": ()}))
    mirrored = bm.fit_response(spec, trial.scores, turned, method="fast")
    for name in ("drug", "moderation", "prognosis"):
        ours, theirs = (f["posterior"][name].values for f in (fitted, mirrored))
        np.testing.assert_allclose(theirs, -ours, atol=1e-9)
    for name in ("benefit_sd", "sigma"):
        np.testing.assert_allclose(mirrored["posterior"][name], fitted["posterior"][name])
    observed = mirrored["observed_data"]["outcome"].values
    np.testing.assert_allclose(observed, turned["hamd17"])
    one, two = (bm.predict_benefit(f, new.scores, new.outcomes) for f in (fitted, mirrored))
    np.testing.assert_allclose(one["benefit_mean"], two["benefit_mean"], atol=1e-9)
    assert (one["recommendation"].values == two["recommendation"].values).all()
    np.testing.assert_allclose(two["expected"], -one["expected"].values, atol=1e-8)
    p_values = [
        bm.assess_moderation(s, trial.scores, t, n_permutations=99).p_value
        for s, t in ((SPEC, trial.outcomes), (spec, turned))
    ]
    assert p_values[0] == p_values[1]


def test_units_of_outcome_and_scores_do_not_matter(
    trial: bm.SimulatedTrial, new: bm.SimulatedTrial, fitted: xr.DataTree
) -> None:
    table = trial.outcomes.assign(hamd17=100 + 10 * trial.outcomes["hamd17"])
    unit = np.array([2.0, 0.1, 30.0])

    def changed(scores: xr.Dataset) -> xr.Dataset:
        return scores.assign(
            mean=5 + scores["mean"] * unit,
            covariance=scores["covariance"] * unit[:, None] * unit,
        )

    again = bm.fit_response(SPEC, changed(trial.scores), table, method="fast")
    one = bm.predict_benefit(fitted, new.scores)
    two = bm.predict_benefit(again, changed(new.scores))
    np.testing.assert_allclose(two["benefit_mean"], 10 * one["benefit_mean"], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(two["p_benefit"], one["p_benefit"], atol=1e-3)
    slopes = 10 * fitted["posterior"]["moderation"]
    np.testing.assert_allclose(again["posterior"]["moderation"], slopes, rtol=1e-5, atol=1e-5)


def test_a_fit_without_factors_says_so(
    trial: bm.SimulatedTrial, caplog: pytest.LogCaptureFixture
) -> None:
    nothing = trial.scores.isel(factor=[], factor_2=[])
    with caplog.at_level("WARNING", logger="bayes_mdd.response"):
        found = bm.fit_response(SPEC, nothing, trial.outcomes, method="fast")
    assert "no factor that is in use" in caplog.text
    assert "only the average difference" in found.attrs["note"]
    assert not found["posterior"]["benefit_sd"].any()
    with_factors = bm.fit_response(SPEC, trial.scores, trial.outcomes, method="fast")
    average = [float(f["posterior"]["drug"].mean()) for f in (found, with_factors)]
    assert average[0] == pytest.approx(average[1], abs=0.5)
    with pytest.raises(bm.SpecError, match="1 to 8 factors"):
        bm.assess_moderation(SPEC, nothing, trial.outcomes)


def test_the_summary_keeps_prognosis_and_moderation_apart(fitted: xr.DataTree) -> None:
    table = bm.summarise_response(fitted)
    assert table.index.tolist() == ["F1", "F2", "F3"]
    assert table["moderation"].abs().idxmax() == "F1"
    assert table.loc["F1", "inclusion"] > 0.9
    assert (table["moderation_lower"] <= table["moderation_upper"]).all()
    assert table[["p_prognosis", "p_moderation"]].min(axis=None) >= 0.5


def test_the_minimum_of_other_outcomes_is_in_residual_sd(trial: bm.SimulatedTrial) -> None:
    def minimum(spec: bm.ResponseSpec, table: pd.DataFrame) -> tuple[float, float]:
        from bayes_mdd.response.prepare import prepare

        found = prepare(spec, trial.scores, table)
        return found.minimum, found.unit

    table = trial.outcomes.rename(columns={"hamd17": "qids"})
    given = SPEC.to_mapping() | {"covariates": (), "baseline": None}
    assert minimum(SPEC, trial.outcomes)[0] == 1.5
    found, unit = minimum(bm.ResponseSpec(**{**given, "outcome": "qids"}), table)
    assert found == pytest.approx(0.21 * unit)
    binary = trial.outcomes.assign(hamd17=(trial.outcomes["hamd17"] > 12).astype(int))
    found, unit = minimum(bm.ResponseSpec(**{**given, "kind": "binary"}), binary)
    assert unit == 1.0
    assert found == pytest.approx(0.21 * binary["hamd17"].std(), rel=0.05), "a probability"
