"""What missing outcomes could change: grid of deltas, tipping points, figure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_missing import SPEC, WIDE, drop_out, effect

import bayes_mdd as bm
from bayes_mdd.cohort.disposition import REASONS as READ_REASONS
from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.response.benefit import DecisionRule, draw_benefit
from bayes_mdd.response.missing import assess_missing
from bayes_mdd.response.missing_held_out import expected_outcome, predict_from_scores
from bayes_mdd.response.missing_scenarios import REASONS, list_scenarios
from bayes_mdd.response.missing_section import missing_section, say_handling
from bayes_mdd.response.missing_tipping import changed_at, first_crossing, margins
from bayes_mdd.response.visit_mixture import fit_visits
from bayes_mdd.response.visits import prepare_visits


@pytest.fixture(scope="module")
def full() -> bm.SimulatedTrial:
    return bm.simulate_trial(seed=21, n=160, n_factors=1, benefit_sd=0.8, drug_effect=-0.3)


@pytest.fixture(scope="module")
def trial(full: bm.SimulatedTrial) -> bm.SimulatedTrial:
    """A quarter of those who left were in remission."""
    made = drop_out(full, 3)
    gone = made.outcomes.index[made.outcomes["hamd17"].isna()]
    made.outcomes.loc[gone[::4], "missing_reason"] = "remission"
    return made


@pytest.fixture(scope="module")
def table(trial: bm.SimulatedTrial) -> pd.DataFrame:
    return bm.missing_sensitivity(SPEC, trial.scores, trial.outcomes, trial.visits)


def vary(trial: bm.SimulatedTrial, spec: bm.ResponseSpec = SPEC, **more: object) -> pd.DataFrame:
    return bm.missing_sensitivity(spec, trial.scores, trial.outcomes, trial.visits, **more)


def test_the_table_has_a_row_for_every_assumption(table, trial) -> None:
    assert list(table.columns) == [
        "delta", "arms", "reasons", "shifted", "average_benefit", "average_lower", "average_upper",
        "gain", "gain_lower", "gain_upper", "share_changed",
    ]  # fmt: skip
    assert len(table) == 4 * 3 * 3
    assert set(table["reasons"]) == {"all", "all but remission", "lack of efficacy"}
    first = table[table["delta"] == 0]
    assert first["average_benefit"].nunique() == first["gain"].nunique() == 1
    assert (first["share_changed"] == 0).all()
    count = table[table["delta"] == 0].set_index(["reasons", "arms"])["shifted"]
    assert count["all", "both"] == 48 == count["all", "other"] + count["all", "default"]
    assert count["all but remission", "both"] == 36 == count["lack of efficacy", "both"]
    assert table.attrs["missing"] == 48
    again = vary(trial, seed=1)
    pd.testing.assert_frame_equal(table, again)


def test_worse_outcomes_of_an_arm_count_against_its_drug(table) -> None:
    everyone = table[table["reasons"] == "all"].set_index("arms")
    assert (np.diff(everyone.loc["other", "average_benefit"]) < 0).all()
    assert (np.diff(everyone.loc["default", "average_benefit"]) > 0).all()
    assert np.ptp(everyone.loc["both", "average_benefit"]) < 0.5
    assert everyone.loc["default", "gain"].iloc[-1] > everyone.loc["other", "gain"].iloc[-1]
    some = table[(table["reasons"] == "all but remission") & (table["arms"] == "other")]
    whole = everyone.loc["other"]
    assert some["average_benefit"].iloc[-1] > whole["average_benefit"].iloc[-1]


def test_at_delta_0_the_average_effect_is_that_of_the_fit(table, trial) -> None:
    fitted = bm.fit_response(SPEC, trial.scores, trial.outcomes, trial.visits, method="fast")
    assert table["average_benefit"].iloc[0] == pytest.approx(-effect(fitted), abs=0.05)


def test_the_average_effect_vanishes_at_its_tipping_point(table, trial) -> None:
    points = bm.tipping_points(table).set_index(["result", "reasons", "arms"])
    at = points.loc["average effect", "all", "other"]
    assert at["said"] == f"{at['tipping']:.1f}"
    assert 0 < at["tipping"] < 12
    there = vary(trial, deltas=[at["tipping"]])
    row = there[(there["reasons"] == "all") & (there["arms"] == "other")].iloc[-1]
    assert row["delta"] == pytest.approx(at["tipping"])
    assert abs(row["average_benefit"]) < 1e-3
    for arms in ("both", "default"):
        assert points.loc[("average effect", "all", arms), "said"] == "none up to 12"


def test_a_difference_of_4_points_is_recovered() -> None:
    """Those who left the other arm were 4 points worse than visits say, so the drugs are equal.

    Equal in the complete data of this trial: what is left is the error of predicting the outcomes
    of those who left.
    """
    full = bm.simulate_trial(seed=7, n=400, n_factors=1)
    trial = drop_out(full, 8)
    other = full.outcomes["arm"] == "SNRI"
    worse = full.outcomes["hamd17"] + 4.0 * (trial.outcomes["hamd17"].isna() & other)
    complete = bm.fit_response(WIDE, full.scores, full.outcomes.assign(hamd17=worse),
                               method="fast")  # fmt: skip
    outcomes, visits = trial.outcomes.copy(), trial.visits.copy()
    outcomes["hamd17"] -= effect(complete) * other
    late = visits["participant_id"].isin(other.index[other]) & (visits["week"] > 0)
    visits["value"] -= effect(complete) * late
    table = vary(replace(trial, outcomes=outcomes, visits=visits))
    points = bm.tipping_points(table).set_index(["result", "arms"])["tipping"]
    assert points["average effect", "other"] == pytest.approx(4.0, abs=1.0)


def test_recommendations_change_at_their_tipping_points(table) -> None:
    people = bm.tipping_points(table, patients=True)
    assert set(people["recommendation"]) <= {"SSRI", "SNRI", "no preference"}
    assert len(people) == 160
    for arms in ("both", "other", "default"):
        rows = table[(table["arms"] == arms) & (table["reasons"] == "all")]
        for delta, share in zip(rows["delta"], rows["share_changed"], strict=True):
            assert (people[f"tipping_{arms}"] <= delta).mean() == pytest.approx(share, abs=0.02)


def test_expected_outcomes_are_conditional_means(trial) -> None:
    data = prepare_visits(SPEC, trial.scores, trial.outcomes, trial.visits)
    fitted = fit_visits(data, data.prepared.scales)
    inner, t = data.prepared.trial, 3
    last = np.linalg.solve(fitted.gram, fitted.cross) * fitted.unit
    mean, variance = expected_outcome(fitted, last, data)
    known = ~data.gone
    np.testing.assert_array_equal(mean[known], inner.outcome[known])
    assert not variance[known].any()
    i = int(np.flatnonzero(data.gone)[0])
    early = (fitted.early_mean * fitted.unit + fitted.early_slope @ last).reshape(t - 1, -1)
    coefficient = np.vstack([early, last])
    slope = coefficient[:, -3] + inner.code[i] * coefficient[:, -1]
    noise = fitted.covariance[int(inner.other[i])] * fitted.unit**2
    whole = noise + np.outer(slope, slope) * inner.covariance[i, 0, 0]
    centre = coefficient @ inner.columns[i]
    weight = np.linalg.solve(whole[:2, :2], whole[:2, 2])
    left = data.values[i, :2] - centre[:2]
    assert mean[i] == pytest.approx(centre[2] + weight @ left, abs=1e-10)
    assert variance[i] == pytest.approx(whole[2, 2] - weight @ whole[:2, 2], abs=1e-10)


def test_predictions_in_closed_form_are_those_of_draws(trial) -> None:
    data = prepare_visits(SPEC, trial.scores, trial.outcomes, trial.visits)
    scales, inner = data.prepared.scales, data.prepared.trial
    mixture = fit_visits(data, scales).integrate(scales)
    mean, p = predict_from_scores(mixture, inner.mean, inner.covariance)
    rng = np.random.default_rng(1)
    drawn = mixture.draw(rng, 20000)
    benefit = draw_benefit(drawn.drug, drawn.moderation, inner.mean, inner.covariance, rng)
    np.testing.assert_allclose(mean, benefit.mean(axis=0), atol=0.1)
    np.testing.assert_allclose(p, (benefit > 0).mean(axis=0), atol=0.02)


def test_without_visits_only_what_was_known_before_counts(trial) -> None:
    table = bm.missing_sensitivity(SPEC, trial.scores, trial.outcomes, deltas=(4,))
    assert list(table["delta"].unique()) == [0.0, 4.0]
    assert table.attrs["without_visits"] == 48
    fitted = bm.fit_response(SPEC, trial.scores, trial.outcomes, method="fast")
    assert table["average_benefit"].iloc[0] == pytest.approx(-effect(fitted), abs=0.3)


def test_what_cannot_be_varied_is_said(full, trial) -> None:
    with pytest.raises(DataContractError, match="nothing missing: all 160 patients"):
        vary(full)
    odd = trial.outcomes.copy()
    odd.loc[odd["hamd17"].isna(), "missing_reason"] = "remision"
    with pytest.raises(DataContractError, match="Did you mean 'remission'"):
        bm.missing_sensitivity(SPEC, trial.scores, odd)
    for wrong in ((), (0,), (-2, 4), "4", (np.nan,), (True,)):
        with pytest.raises(SpecError, match="deltas must be a list of points"):
            vary(trial, deltas=wrong)
    with pytest.raises(SpecError, match="deltas must be a list"):
        bm.ResponseSpec(**{**SPEC.to_mapping(), "deltas": [-1], "covariates": ()})
    with pytest.raises(SpecError, match="missing must be one of"):
        bm.ResponseSpec(**{**SPEC.to_mapping(), "missing": "locf", "covariates": ()})
    binary = bm.ResponseSpec(**{**SPEC.to_mapping(), "kind": "binary", "covariates": ()})
    with pytest.raises(SpecError, match="deltas are points of the outcome"):
        vary(trial, binary)
    with pytest.raises(DataContractError, match="pass the result of missing_sensitivity itself"):
        bm.tipping_points(pd.DataFrame({"delta": [0]}))


def test_other_scales_have_deltas_in_their_own_unit(trial) -> None:
    outcomes = trial.outcomes.rename(columns={"hamd17": "mood", "hamd17_baseline": "before"})
    for name in ("mood", "before"):
        outcomes[name] = outcomes[name] / 100
    spec = bm.ResponseSpec(
        outcome="mood", baseline="before", default_arm="SSRI", assignment="randomised"
    )
    table = bm.missing_sensitivity(spec, trial.scores, outcomes)
    assert 0.03 < table["delta"].max() < 0.09


def test_observational_arms_have_no_gain_and_no_recommendation(trial) -> None:
    spec = bm.ResponseSpec(**{**SPEC.to_mapping(), "assignment": "observational", "covariates": ()})
    table = vary(trial, spec)
    assert table["gain"].isna().all()
    assert table["share_changed"].isna().all()
    points = bm.tipping_points(table)
    assert points[points["result"] == "gain"]["said"].str.startswith("not estimated").all()
    assert "recommendation" not in bm.tipping_points(table, patients=True)
    assert "not estimated" in missing_section(spec, table, "", [])


def test_crossings_and_margins() -> None:
    grid = np.array([0.0, 1.0, 2.0])
    assert first_crossing(grid, np.array([1.0, 0.5, -0.5])) == pytest.approx(1.5)
    assert first_crossing(grid, np.array([2.0, 1.0, -2.0]), lambda d: 1.7 - d) == pytest.approx(1.7)
    assert np.isnan(first_crossing(grid, np.array([1.0, 2.0, 3.0])))
    assert np.isnan(first_crossing(grid, np.array([0.0, -1.0, 1.0])))
    rule = DecisionRule(minimum=1.0, p_star=0.8)
    benefit = np.array([[3.0, 0.0, -3.0], [2.0, 0.0, 0.0], [0.0, 3.0, 0.0]])
    p = np.array([[0.99, 0.5, 0.01], [0.99, 0.5, 0.5], [0.5, 0.99, 0.5]])
    margin = margins(benefit, p, rule, 7.0)
    np.testing.assert_array_equal(
        rule.decide(benefit, p), np.where(margin[1] > 0, 1, np.where(margin[0] > 0, -1, 0))
    )
    at = changed_at(grid, margin)
    assert 1 < at[0] < 2
    assert 1 < at[1] < 2
    assert 0 < at[2] < 1


def test_scenarios_are_those_that_differ() -> None:
    assert REASONS == READ_REASONS
    gone, other = np.array([True, True, False]), np.array([True, False, False])
    names = [s.reasons for s in list_scenarios(gone, other, None)]
    assert names == ["all"] * 3
    reason = np.array(["lack_of_efficacy", "lack_of_efficacy", ""], dtype=object)
    assert {s.reasons for s in list_scenarios(gone, other, reason)} == {"all"}
    reason[0] = "remission"
    by_name = {(s.reasons, s.arms): s.shifted.sum() for s in list_scenarios(gone, other, reason)}
    assert by_name["all but remission", "default"] == 1
    assert by_name["all but remission", "other"] == 0


def test_the_section_of_the_report_names_nobody(table, trial) -> None:
    page = missing_section(SPEC, table, "", ["ses-week2", "ses-week8"])
    assert "48 of 160 patients (30%)" in page
    assert "The average effect changes its sign if the missing outcomes on SNRI" in page
    assert "model over ses-week2, ses-week8" in page
    assert not [i for i in trial.outcomes.index if i in page]
    assert "Not varied: 2 of 100" in missing_section(SPEC, None, "2 of 100 have none", [])
    assert "left out" in say_handling([])
    assert "earlier visits" in say_handling(["ses-week2"])


def test_the_tipping_plot_has_a_line_for_each_arm(table) -> None:
    figure = bm.plotting.plot_tipping(table)
    left, right = figure.axes
    assert left.get_legend_handles_labels()[1] == ["both arms", "SNRI", "SSRI"]
    assert [a.get_xlabel() for a in (left, right)] == ["missing outcomes worse by, points"] * 2
    marks = [line for line in left.lines if line.get_marker() == "x"]
    assert len(marks) == (bm.tipping_points(table).iloc[2]["tipping"] <= 6)
    with pytest.raises(DataContractError, match="no column"):
        bm.plotting.plot_tipping(table.drop(columns="gain"))


def test_patients_without_baseline_and_outcome_leave_nothing_to_vary():
    trial = bm.simulate_trial(seed=1, n=60, n_factors=1, missing="random")
    spec = bm.response_spec(trial.outcomes, covariates=("age",))
    gone = trial.outcomes["hamd17"].isna()
    table = trial.outcomes.copy()
    table.loc[gone, "hamd17_baseline"] = np.nan
    found, why = assess_missing(spec, bm.score_moments(trial.scores), table, None, seed=1)
    assert found is None
    assert why.startswith(f"{gone.sum()} of 60 patients have no outcome, and none of them has")
