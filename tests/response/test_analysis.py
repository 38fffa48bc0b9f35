"""The second stage as a whole: results, files, page, negative controls."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest

import bayes_mdd as bm
from bayes_mdd.errors import RunFolderError, SpecError
from bayes_mdd.response.detectable import smallest_benefit_sd
from bayes_mdd.response.flow import count_flow
from bayes_mdd.response.power import Plan, power_moderator
from bayes_mdd.response.stored_outcomes import restore_outcomes

FEW = bm.EvaluationSpec(permutations=99, policy_permutations=19, folds=3, repeats=2)


@pytest.fixture(scope="module")
def trial():
    return bm.simulate_trial(seed=3, n=72, benefit_sd=0.6, missing="random", missing_share=0.1)


@pytest.fixture(scope="module")
def spec(trial):
    return bm.response_spec(trial.outcomes, covariates=("age",))


@pytest.fixture(scope="module")
def analysis(trial, spec):
    return bm.analyse_response(spec, trial.scores, trial.outcomes, evaluation=FEW, method="fast")


@pytest.fixture(scope="module")
def written(analysis, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    files = bm.write_response(analysis, folder)
    bm.write_response_report(analysis, folder / "response" / "report.html")
    return folder, files


def test_the_verdict_can_be_written_as_json(analysis):
    said = json.loads(json.dumps(analysis.to_mapping(), allow_nan=False))
    assert said["default_arm"] == "SSRI"
    assert said["other_arm"] == "SNRI"
    assert said["sentence"] == analysis.moderation.sentence
    assert said["patients"] == int(analysis.flow["analysed"].sum())
    assert said["policy"]["p_randomisation"] == analysis.value.p_randomisation
    assert said["no_policy_value_because"] is None
    assert len(analysis.priors) == 3
    assert (np.diff(analysis.priors["benefit_sd"]) > 0).all(), "a wider prior, a larger estimate"


def test_flow_counts_patients_of_each_arm(trial, spec, analysis):
    outcomes = trial.outcomes
    flow = analysis.flow.set_index("arm")
    assert list(flow.index) == ["SSRI", "SNRI"], "the default comes first"
    for arm, row in flow.iterrows():
        own = outcomes[outcomes["arm"] == arm]
        assert row["assigned"] == row["scanned"] == len(own)
        assert row["outcome"] == row["analysed"] == own["hamd17"].notna().sum()
    gone = outcomes.iloc[[0]].assign(hamd17=np.nan, missing_reason="adverse_event")
    table = pd.concat([gone, outcomes.iloc[1:]])
    found = count_flow(spec, table, set(outcomes.index[:30]), set())
    assert found["scanned"].sum() == 30
    assert "adverse event 1" in " ".join(found["missing"])
    silent = table.drop(columns="missing_reason")
    said = count_flow(spec, silent, set(outcomes.index), set())["missing"]
    assert said.str.contains("reason not recorded").all()


def test_only_the_posterior_holds_rows_of_patients(written, trial):
    folder, files = written
    ids = [str(i) for i in trial.outcomes.index]
    listed = {p.name for p in (folder / "response").iterdir()}
    assert listed == {
        "posterior.nc", "summary.tsv", "verdict.json", "policy.tsv", "curve.tsv", "toc.tsv",
        "calibration.tsv", "priors.tsv", "flow.tsv", "balance.tsv", "checks.tsv", "missing.tsv",
        "tipping.tsv", "tripod_ai.tsv", "provenance.json", "report.html",
    }  # fmt: skip
    for path in (folder / "response").iterdir():
        if path.name != "posterior.nc":
            text = path.read_text(encoding="utf-8")
            assert not [i for i in ids if i in text], path.name
    # One row per patient would tell the outcomes of single patients.
    toc = pd.read_csv(files["toc"], sep="\t")
    assert len(toc) == 20
    assert toc["gain"].iloc[-1] == pytest.approx(0, abs=1e-6)


def test_no_p_value_rests_on_folds_that_share_patients(analysis):
    value = analysis.value
    tables = (value.table, value.curve, value.toc, value.calibration)
    names = {str(c) for table in tables for c in table.columns}
    assert not names & {"p", "p_value", "pvalue", "significant"}, "z is descriptive"
    said = json.loads(json.dumps(analysis.to_mapping(), default=str))
    assert {k for k in said["policy"] if k.startswith("p_")} == {"p_randomisation", "p_sequential"}


def test_a_written_result_is_read_again(written, analysis, spec, trial):
    response = bm.read_response(written[0])
    pd.testing.assert_frame_equal(
        bm.summarise_response(response), bm.summarise_response(analysis.response)
    )
    table = restore_outcomes(response)
    assert set(table.index) == set(trial.outcomes.index[trial.outcomes["hamd17"].notna()])
    again = bm.assess_moderation(spec, trial.scores, table, n_permutations=99)
    assert again.p_value == analysis.moderation.p_value
    new = bm.simulate_trial(seed=9, n=20, prefix="new").scores
    found = bm.predict_benefit(response, new)
    assert set(found["recommendation"].values) <= {
        "SSRI", "SNRI", "no preference", "not given: outside the support",
    }  # fmt: skip


def test_a_folder_without_a_second_stage_is_named(tmp_path):
    with pytest.raises(RunFolderError, match="no analysis of treatment response"):
        bm.read_response(tmp_path)
    (tmp_path / "response").mkdir()
    (tmp_path / "response" / "posterior.nc").write_text("no netCDF")
    with pytest.raises(RunFolderError, match="cannot be read"):
        bm.read_response(tmp_path)


def test_the_page_says_the_estimand_before_any_number(written, analysis):
    page = (written[0] / "response" / "report.html").read_text(encoding="utf-8")
    order = [
        "question", "who", "average", "prognosis", "moderation", "policy", "hundred", "baselines",
        "missing", "controls", "power", "literature", "tripod", "references",
    ]  # fmt: skip
    places = [page.index(f'<section id="{name}"') for name in order]
    assert places == sorted(places)
    assert page.count("<section") == len(order)
    assert analysis.sentence in page
    assert "this trial could have found a benefit SD of" in page
    assert "it is no reason to choose a drug" in page
    assert "Arms were randomised" in page
    assert "Machine-learning baselines were not run: <code>bayes-mdd baselines" in page
    assert "for decisions about a patient" in page
    # Crossover, factors, five of the rule, missing outcomes, power.
    assert page.count("<img ") == 9
    assert not re.search(r"predicts? (treatment )?response", page), "prognosis names no drug"


def test_observational_arms_are_associations(trial, tmp_path):
    spec = bm.response_spec(trial.outcomes, assignment="observational")
    found = bm.analyse_response(spec, trial.scores, trial.outcomes, evaluation=FEW, method="fast")
    assert found.value is None
    assert "not randomised" in found.no_value
    assert "not randomised" in found.sentence
    page = bm.write_response_report(found, tmp_path / "r.html").read_text(encoding="utf-8")
    assert "Arms were not randomised" in page
    assert "No drug is recommended" in page
    assert "The value of a rule is not estimated: arms were not randomised" in page


def test_without_factors_only_the_average_is_said(trial, spec, tmp_path):
    scores = trial.scores.isel(factor=slice(0, 0), factor_2=slice(0, 0))
    found = bm.analyse_response(spec, scores, trial.outcomes, evaluation=FEW, method="fast")
    assert found.moderation is None
    assert found.value is None
    assert found.to_mapping()["verdict"] == "no factor"
    assert np.isfinite(found.average["mean"])
    bm.write_response(found, tmp_path)
    page = bm.write_response_report(found, tmp_path / "r.html").read_text(encoding="utf-8")
    assert "nothing by which to choose" in page


def test_a_drug_far_outside_the_prior_fails_a_check():
    trial = bm.simulate_trial(seed=1, n=80, drug_effect=-2.5)
    spec = bm.response_spec(trial.outcomes)
    found = bm.analyse_response(
        spec, trial.scores, trial.outcomes, method="fast",
        evaluation=bm.EvaluationSpec(permutations=99, policy_permutations=0, repeats=1),
    )  # fmt: skip
    row = found.checks.set_index("name").loc["average effect, in prior SD"]
    assert row["passed"] is False
    assert "drug_scale" in row["advice"]


def test_sound_data_pass_the_negative_controls(trial, spec):
    table = bm.negative_controls(spec, trial.scores, trial.outcomes, repeats=20)
    assert len(table) == 6
    assert table["passed"].all()


def test_arms_that_differ_before_treatment_fail_a_negative_control(trial, spec):
    outcomes = trial.outcomes.copy()
    outcomes.loc[outcomes["arm"] == "SNRI", "hamd17_baseline"] += 8
    table = bm.negative_controls(spec, trial.scores, outcomes, repeats=20).set_index("name")
    row = table.loc["p of the arms at baseline"]
    assert row["passed"] is False
    assert "not comparable" in row["advice"]


def test_scores_that_carry_the_arms_baseline_fail_a_negative_control(trial, spec):
    # The baseline of one arm follows the score, that of the other runs against it.
    outcomes = trial.outcomes.copy()
    score = trial.scores["mean"].sel(factor="F1").to_series().reindex(outcomes.index)
    outcomes["hamd17_baseline"] += 8 * score * np.where(outcomes["arm"] == "SNRI", 1, -1)
    table = bm.negative_controls(spec, trial.scores, outcomes, repeats=20).set_index("name")
    assert table.loc["p of moderation of the baseline", "passed"] is False


def test_negative_controls_need_factors_and_repetitions(trial, spec):
    with pytest.raises(SpecError, match="at least 20"):
        bm.negative_controls(spec, trial.scores, trial.outcomes, repeats=5)
    none = trial.scores.isel(factor=slice(0, 0), factor_2=slice(0, 0))
    with pytest.raises(SpecError, match="1 to 8 factors, got 0"):
        bm.negative_controls(spec, none, trial.outcomes)


def test_the_detectable_size_has_the_stated_power():
    plan = Plan(candidates=3, reliability=0.7, share_other=0.4)
    size = smallest_benefit_sd(150, plan)
    at = power_moderator(150, Plan(benefit_sd=size, candidates=3, reliability=0.7, share_other=0.4))
    assert at == pytest.approx(0.8, abs=0.005)
    assert smallest_benefit_sd(300, plan) < size
    assert smallest_benefit_sd(8, plan) is None
