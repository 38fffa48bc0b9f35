"""The comparison: tables, verdicts, the leak, bad input, files."""

from __future__ import annotations

import json
import re
import sys

import numpy as np
import pandas as pd
import pytest
from made_baselines import make_trial

import bayes_mdd as bm
from bayes_mdd.baselines.choice import predict_benefit
from bayes_mdd.baselines.pipelines import Effort
from bayes_mdd.errors import DataContractError, RunFolderError, SpecError


def test_table_has_every_measure_and_clinical_columns_win_or_tie(comparison):
    table = comparison.table
    assert table.index.names == ["method", "view"]
    assert float(table.loc[("majority", "none"), "auc"]) == 0.5
    assert float(table.loc[("majority", "none"), "r2"]) == 0.0
    assert float(table.loc[("majority", "none"), "gain"]) == 0.0
    clinical = table.loc[("clinical", "clinical")]
    assert clinical["auc"] > 0.7
    assert clinical["auc_lower"] < clinical["auc"] < clinical["auc_upper"]
    assert clinical["r2"] > 0.2
    assert clinical["p_value"] == 0.05
    assert clinical["brier"] < table.loc[("majority", "none"), "brier"]
    assert clinical["log_score"] < table.loc[("majority", "none"), "log_score"]
    for measure in ("auc", "r2"):
        assert table[measure].xs("imaging", level="view").max() < clinical[measure]
    assert np.isnan(table.loc[("pai", "both"), "auc"])
    assert np.isfinite(
        table.loc[("pai", "both"), ["gain", "gain_p_value", "changed"]].astype(float)
    ).all()
    said = comparison.sentences
    assert len(said) == 3
    assert "clinical" in said[0]
    assert all("no winner" in s or "no method is better" in s for s in said)
    assert "scans are not shown to add" in said[0] or "scans predict less" in said[0]
    assert any("cannot give an adjusted p value" in n for n in comparison.notes)


def test_pairs_are_reference_minus_method_over_all_folds(comparison):
    pairs = comparison.paired
    auc = pairs[pairs["measure"] == "auc"]
    best = comparison.table["auc"].idxmax()
    assert set(zip(auc["reference_method"], auc["reference_view"], strict=True)) <= {
        best,
        ("clinical", "clinical"),
    }
    assert (auc["folds"] == 6).all()
    assert (auc["lower"] <= auc["difference"]).all()
    assert (auc["difference"] <= auc["upper"]).all()


def test_folds_hold_one_prediction_for_each_patient_and_division(comparison):
    folds = comparison.folds
    one = folds[(folds["method"] == "ridge") & (folds["view"] == "both")]
    assert one.groupby(["question", "division"])["participant_id"].nunique().eq(60).all()
    assert set(one["question"]) == {"event", "points"}
    assert one["predicted"].notna().all()


def test_the_same_seed_gives_the_same_numbers(trial):
    options = {"methods": ["elastic net"], "folds": 2, "repeats": 1, "permutations": 0}
    first, again = (bm.compare_baselines(*trial, **options) for _ in range(2))
    pd.testing.assert_frame_equal(first.table, again.table)


def test_leak_shows_skill_where_there_is_none():
    spec, features, table = make_trial(seed=3, p=200)
    options = {"methods": ["majority", "ridge"], "views": ("imaging",), "repeats": 1}
    honest = bm.compare_baselines(spec, features, table, permutations=0, **options)
    leaky = bm.compare_baselines(spec, features, table, leak="selection", **options)
    assert leaky.table.loc[("ridge", "imaging"), "auc"] > 0.75
    assert honest.table.loc[("ridge", "imaging"), "auc"] < 0.7
    assert leaky.table["leaky"].to_dict() == {
        ("majority", "none"): False,
        ("ridge", "imaging"): True,
    }
    assert not honest.table["leaky"].any()
    assert "p_value" not in leaky.table
    assert all(s.startswith("LEAKY") for s in leaky.sentences)
    assert leaky.table.loc[("ridge", "imaging"), "label"].startswith("LEAKY")
    assert leaky.paired["leaky"].all()


def test_a_binary_outcome_has_no_points_and_no_gain(trial):
    _, features, table = trial
    table = table.assign(well=(table["hamd17"] < 13).astype(int))
    binary = bm.ResponseSpec(
        outcome="well", kind="binary", covariates=("age",), default_arm="SSRI",
        assignment="randomised",
    )  # fmt: skip
    found = bm.compare_baselines(
        binary, features, table, ["clinical", "majority"], repeats=1, permutations=0
    )
    assert found.event == "well = 1"
    assert "r2" not in found.table
    assert "gain" not in found.table
    assert found.table.loc[("clinical", "clinical"), "auc"] > 0.7


def test_one_site_is_held_out_at_a_time(trial):
    found = bm.compare_baselines(
        *trial,
        methods=["clinical", "majority"],
        views=("both",),
        scheme="leave_site_out",
        permutations=19,
    )
    sites = found.folds.groupby("fold")["participant_id"].unique()
    assert sorted(map(len, sites)) == [20, 20, 20]
    assert (found.paired["folds"] == 3).all()


def test_early_change_is_labelled_and_chooses_no_drug(trial):
    spec, features, table = trial
    week2 = pd.DataFrame(
        {
            "participant_id": table.index[:50],
            "session_id": "ses-week2",
            "week": 2.0,
            "value": table["hamd17"].iloc[:50],
        }
    )
    found = bm.compare_baselines(
        spec, features, table, ["ridge", "pai"], ("clinical", "early"), visits=week2, repeats=1,
        permutations=0,
    )  # fmt: skip
    early = found.table.loc[("ridge", "early")]
    assert early["auc"] > 0.85
    assert "not a predictor for the first choice" in early["label"]
    assert ("pai", "early") not in found.table.index
    assert any("10 of 60 patients were not rated" in n for n in found.notes)


def test_without_clinical_columns_scans_are_compared_alone():
    _, features, table = make_trial()
    bare = bm.ResponseSpec(outcome="hamd17", default_arm="SSRI", assignment="randomised")
    found = bm.compare_baselines(
        bare, features, table, ["majority", "ridge"], permutations=0, repeats=1, event="remission"
    )
    assert set(found.table.index.get_level_values("view")) == {"none", "imaging"}
    assert any("neither baseline nor covariates" in n for n in found.notes)


def test_observational_arms_are_compared_for_prognosis_only(trial):
    spec, features, table = trial
    seen = bm.ResponseSpec.from_mapping(spec.to_mapping() | {"assignment": "observational"})
    with pytest.raises(DataContractError, match="pai cannot be evaluated: arms were not random"):
        bm.compare_baselines(seen, features, table, ["ridge", "pai"])


def test_all_problems_at_once(trial):
    spec, features, table = trial
    with pytest.raises(SpecError) as error:
        bm.compare_baselines(
            spec, features, table, ["rigde"], ("imagng",), scheme="leave_one_out", folds=1,
            permutations=5, leak="labels",
        )  # fmt: skip
    for text in (
        "there is no method 'rigde'. Did you mean 'ridge'?",
        "there is no view 'imagng'. Did you mean 'imaging'?",
        "there is no scheme 'leave_one_out'. Did you mean 'leave_site_out'?",
        "folds must be a whole number of at least 2, got 1.",
        "permutations must be 0 or at least 19, got 5.",
        "there is no leak 'labels'",
    ):
        assert text in str(error.value)


def test_folds_and_sites_must_fit_the_data(trial):
    spec, features, table = trial
    with pytest.raises(DataContractError, match="folds is 31, but the smallest arm has 30"):
        bm.compare_baselines(spec, features, table, ["ridge"], folds=31, event=None)
    with pytest.raises(DataContractError, match="all patients are from X"):
        bm.compare_baselines(
            spec, features, table.assign(site="X"), ["ridge"], scheme="leave_site_out"
        )
    with pytest.raises(DataContractError) as error:
        bm.compare_baselines(spec, features, table.drop(columns="age"), ["rigde"])
    assert "no column 'age'" in str(error.value)
    assert "Did you mean 'ridge'?" in str(error.value)


def test_bcf_names_its_extra_where_it_is_not_installed(trial, monkeypatch):
    monkeypatch.setitem(sys.modules, "stochtree", None)
    with pytest.raises(SpecError, match=r"pip install 'bayes-mdd\[bcf\]'"):
        bm.compare_baselines(*trial, methods=["ridge", "bcf"])


def test_bcf_is_given_arms_and_propensity(monkeypatch):
    class Model:
        def sample(self, **given):
            self.given = given
            self.tau_hat_test = np.repeat(given["X_test"][:, :1], 4, axis=1)

    stub = type(sys)("stochtree")
    stub.BCFModel = Model
    monkeypatch.setitem(sys.modules, "stochtree", stub)
    x = np.arange(8.0).reshape(4, 2)
    other = np.array([True, False, True, False])
    found = predict_benefit("bcf", x, other, np.arange(4.0), x, Effort(1))
    # Lower outcomes are better: an effect of the other drug above 0 is a loss.
    np.testing.assert_allclose(found, -x[:, 0])


@pytest.mark.parametrize("method", ["ridge interactions", "t-learner forest", "pai"])
def test_choice_finds_whom_the_other_drug_suits(method):
    rng = np.random.default_rng(4)
    x, new = rng.standard_normal((300, 4)), rng.standard_normal((100, 4))
    other = rng.random(300) < 0.5
    benefit = 4 * x[:, 0] + 1
    outcome = 2 * x[:, 1] - other * benefit + rng.standard_normal(300)
    found = predict_benefit(method, x, other, outcome, new, Effort(1, trees=30))
    assert np.corrcoef(found, 4 * new[:, 0] + 1)[0, 1] > 0.8


def test_files_name_nobody(comparison, tmp_path):
    files = bm.write_baselines(comparison, tmp_path / "run")
    assert {p.name for p in files.values()} == {
        "baselines.tsv", "baselines_paired.tsv", "baselines.json", "folds.tsv", "baselines.html",
    }  # fmt: skip
    for path in files.values():
        text = path.read_text(encoding="utf-8")
        assert not [i for i in comparison.folds["participant_id"].unique() if f"{i}\t" in text]
        assert not re.search(r"sub-\d{1,6}\b", text)
    folds = pd.read_csv(files["folds"], sep="\t")
    assert folds["id"].nunique() == 60
    assert len(folds) == len(comparison.folds)
    facts = json.loads(files["sentences"].read_text(encoding="utf-8"))
    assert facts["sentences"] == list(comparison.sentences)
    page = files["page"].read_text(encoding="utf-8")
    assert "LEAKY" not in page.replace("LEAKY: {", "")
    from bayes_mdd.baselines.store import check_baselines_target
    from bayes_mdd.response.page.further import read_further

    further = read_further(tmp_path / "run" / "response")
    assert further.sentences == comparison.sentences
    assert len(further.baselines) == len(comparison.table)
    with pytest.raises(RunFolderError, match="--force"):
        check_baselines_target(tmp_path / "run", force=False)
    check_baselines_target(tmp_path / "run", force=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(RunFolderError, match="not a run folder"):
        check_baselines_target(tmp_path / "other", force=True)


@pytest.mark.slow
def test_the_factor_model_is_fitted_within_folds_and_chooses_with_abstention():
    trial = bm.simulate_trial(seed=2, n=60, features=True, n_regions=14, n_controls=12)
    spec = bm.response_spec(trial.outcomes, covariates=("age",))
    found = bm.compare_baselines(
        spec, trial.features, trial.outcomes, ["majority", "factors", "bcf"], repeats=1, folds=2,
        permutations=0,
    )  # fmt: skip
    row = found.table.loc[("factors", "both")]
    assert np.isfinite(row[["auc", "r2", "gain", "changed"]].astype(float)).all()
    assert np.isfinite(float(found.table.loc[("bcf", "both"), "gain"]))
