"""``bayes-mdd response``, ``recommend`` and ``check --response`` on a small simulated trial."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import pytest

import bayes_mdd as bm

SPEC = """\
kind: treatment_response
response:
  covariates_if_present: [age, no_such_column]
stage_one:
  model: {n_factors: 2, covariates_if_present: [age, mean_fd]}
evaluation: {permutations: 99, policy_permutations: 19, folds: 3, repeats: 1, stage_one: once}
"""


def write_trial(folder, **changes):
    settings = {
        "seed": 5, "n": 44, "benefit_sd": 1.0, "reliability": 0.9, "n_factors": 2, "n_regions": 14,
        "n_controls": 12, "features": True, "whole_points": True,
    }  # fmt: skip
    bm.write_trial(bm.simulate_trial(**(settings | changes)), folder)
    return folder


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    return write_trial(
        tmp_path_factory.mktemp("trial") / "cohort", missing="random", missing_share=0.1
    )


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    path = tmp_path_factory.mktemp("spec") / "response.yaml"
    path.write_text(SPEC, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def run(trial, spec, tmp_path_factory, run_cli):
    """The folder of a finished run, and what the command said."""
    folder = tmp_path_factory.mktemp("run") / "trial"
    done = run_cli("response", spec, trial, "-o", folder, "--fast")
    assert done.status == 0, done.err
    return folder, done


@pytest.fixture(scope="module")
def clinic(tmp_path_factory):
    """New patients, whose outcomes are not used."""
    return write_trial(tmp_path_factory.mktemp("new") / "clinic", seed=8, n=10, prefix="new")


def test_the_literature_is_in_the_report_and_compared_with_the_run(run, run_cli):
    folder, _ = run
    page = (folder / "response" / "report.html").read_text(encoding="utf-8")
    assert '<section id="literature"' in page
    assert "can be placed on the maps of this fit" in page
    said = json.loads(run_cli("evidence", folder, "--json").out)
    assert said["with_outcomes"]
    assert said["sentence"] in page
    assert {row["verdict"] for row in said["agreement"]} == {"too few findings"}


def test_the_run_holds_both_stages(run, trial):
    folder, done = run
    listed = {p.name for p in (folder / "response").iterdir()}
    assert listed == {
        "posterior.nc", "spec.yaml", "provenance.json", "verdict.json", "summary.tsv", "policy.tsv",
        "curve.tsv", "toc.tsv", "calibration.tsv", "priors.tsv", "flow.tsv", "balance.tsv",
        "checks.tsv", "controls.tsv", "missing.tsv", "tipping.tsv", "tripod_ai.tsv", "report.html",
    }  # fmt: skip
    idata = bm.read_run(folder)
    assert list(idata["posterior"]["arm"].values) == ["all"], "stage one does not know the arms"
    verdict = json.loads((folder / "response" / "verdict.json").read_text(encoding="utf-8"))
    assert verdict["sentence"] in done.out
    assert (verdict["default_arm"], verdict["other_arm"]) == ("SSRI", "SNRI")
    response = bm.read_response(folder)
    assert response.attrs["scores_source"] == bm.score_moments(idata).attrs["source"] != ""
    assert "leaves out 'no_such_column'" in done.err
    assert "Without an outcome: 5 participants" in done.err
    assert "4 participants without an outcome have earlier visits" in done.err
    flow = pd.read_csv(folder / "response" / "flow.tsv", sep="\t")
    assert flow["assigned"].sum() == 44
    assert flow["analysed"].sum() == verdict["patients"] == 43
    assert "approximate" in done.out


def test_shared_files_name_nobody(run, trial, run_cli):
    folder, done = run
    ids = pd.read_csv(trial / "participants.tsv", sep="\t")["participant_id"]
    for path in (folder / "response").iterdir():
        if path.suffix != ".nc":
            text = path.read_text(encoding="utf-8")
            assert not [i for i in ids if i in text], path.name
    assert not [i for i in ids if i in done.out]
    found = run_cli("check", folder, "--privacy", "--json")
    assert found.status == 0, found.out
    said = json.loads(found.out)
    assert "response/report.html" in said["shared"]
    assert "response/posterior.nc" in said["not_to_be_shared"]


def test_the_same_run_is_read_and_another_is_refused(run, trial, spec, run_cli):
    folder = run[0]
    again = run_cli("response", spec, trial, "-o", folder, "--fast", "--json")
    assert again.status == 0, again.err
    assert "contains this run already" in again.err
    said = json.loads(again.out)
    verdict = json.loads((folder / "response" / "verdict.json").read_text(encoding="utf-8"))
    assert {name: said[name] for name in verdict} == verdict
    assert said["passed"] is True
    assert not [c["name"] for c in said["checks"] if c["passed"] is False]
    other = run_cli(
        "response", spec, trial, "-o", folder, "--fast", "--set", "response.minimum=3"
    )  # fmt: skip
    assert other.status == 2
    assert "another analysis of treatment response: the spec differs" in other.err
    assert "--force" in other.err


def test_negative_controls_of_a_run(run, run_cli, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(run[0], folder)
    (folder / "response" / "controls.tsv").unlink()
    done = run_cli("check", folder, "--response")
    assert done.status == 0, done.err
    assert "moderation by scores of other patients" in done.out
    assert len(pd.read_csv(folder / "response" / "controls.tsv", sep="\t")) == 6
    checks = json.loads((folder / "checks.json").read_text(encoding="utf-8"))["checks"]
    passed = {c["name"]: c["passed"] for c in checks}
    assert passed["p of moderation of the baseline"] is True
    assert passed["average effect, in prior SD"] is True


def test_recommend_prints_numbers_only(run, clinic, run_cli):
    folder = run[0]
    before = sorted(folder.rglob("*"))
    done = run_cli("recommend", folder, clinic)
    assert done.status == 0, done.err
    assert "new-" not in done.out
    assert "Recommendations" in done.out
    assert sorted(folder.rglob("*")) == before


def test_recommend_writes_rows_when_asked(run, clinic, run_cli, tmp_path):
    out = tmp_path / "rows" / "new.tsv"
    done = run_cli("recommend", run[0], clinic, "-o", out, "--people", "--json")
    assert done.status == 0, done.err
    table = pd.read_csv(out, sep="\t")
    assert len(table) == 10
    assert (table["benefit_lower"] <= table["benefit_lower_50"]).all()
    assert (table["benefit_upper_50"] <= table["benefit_upper"]).all()
    expected = table["expected_SSRI"] - table["expected_SNRI"]
    assert expected.corr(table["benefit"]) > 0.9
    assert table["p_remission_SSRI"].between(0, 1).all()
    said = json.loads(done.out)
    assert sum(row["participants"] for row in said["counts"]) == 10
    assert [row["participant_id"] for row in said["people"]] == list(table["participant_id"])
    sidecar = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))
    assert set(sidecar["columns"]) == set(table.columns)
    assert "not for decisions" in sidecar["use"]
    assert sidecar["unit"] == said["unit"] == "points"
    assert (table["expected_SSRI_lower"] < table["expected_SSRI_upper"]).all()
    again = run_cli("recommend", run[0], clinic, "-o", out)
    assert again.status == 2
    assert "--force" in again.err


def test_a_large_minimum_states_no_preference(run, clinic, run_cli):
    done = run_cli("recommend", run[0], clinic, "--minimum", "40", "--json")
    words = {row["recommendation"] for row in json.loads(done.out)["counts"]}
    assert words <= {"no preference", "not given: outside the support"}


def test_recommend_refuses_what_it_cannot_use(run, trial, clinic, small_run, run_cli):
    fitted = run_cli("recommend", run[0], trial)
    assert fitted.status == 2
    assert "sub-0001" in fitted.err
    no_response = run_cli("recommend", small_run.folder, clinic)
    assert no_response.status == 2
    assert "no analysis of treatment response" in no_response.err
    assert run_cli("recommend", run[0], clinic, "--p-star", "1.5").status == 2
    wrong = run_cli("recommend", run[0], clinic, "-o", "rows.csv")
    assert wrong.status == 2
    assert ".tsv" in wrong.err


def test_problems_are_found_before_anything_is_written(trial, spec, run_cli, tmp_path):
    folder = tmp_path / "cohort"
    shutil.copytree(trial, folder)
    sidecar = folder / "participants.json"
    declared = json.loads(sidecar.read_text(encoding="utf-8"))
    for key in ("Assignment", "Default", "AllocationProbability"):
        declared["arm"].pop(key, None)
    sidecar.write_text(json.dumps(declared), encoding="utf-8")
    (folder / "features" / "regions.tsv").unlink()
    run = tmp_path / "run"
    done = run_cli("response", spec, folder, "-o", run, "--fast")
    assert done.status == 2
    assert "the design of the trial is not declared" in done.err, "problems of outcomes"
    assert "regions" in done.err, "and of features"
    assert not run.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--set", "outcome.endpoint=ses-week80"), "no session 'ses-week80'"),
        (("--set", "response.default_arm=SRI"), "is no arm of a patient"),
        (("--set", "response.covariates=[iq]"), "no column 'iq'"),
        (("--set", "evaluation.folds=30"), "the smaller arm has"),
        (("--set", "response.kind=student"), "--fast supports"),
        (("--set", "response.p_star=0.2"), "p_star must lie in"),
        (("--set", "minimum=2"), "Cannot set 'minimum'"),
        (("--seed", "2", "--set", "sampler.seed=3"), "set the same value"),
    ],
)
def test_settings_that_do_not_fit_the_trial(words, said, trial, spec, run_cli, tmp_path):
    run = tmp_path / "run"
    done = run_cli("response", spec, trial, "-o", run, "--fast", *words)
    assert done.status == 2
    assert said in done.err
    assert not run.exists()


def test_a_missing_baseline_is_refused_or_counted(trial, spec, run_cli, tmp_path):
    folder = tmp_path / "cohort"
    shutil.copytree(trial, folder)
    path = folder / "phenotype" / "hamd17.tsv"
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    known = set(table.loc[table["session_id"].eq("ses-week8") & table["hamd17_total"].ne("n/a"),
                          "participant_id"])  # fmt: skip
    rows = table.index[table["session_id"].eq("ses-baseline") & table["participant_id"].isin(known)]
    table.loc[rows[:2], "hamd17_total"] = "n/a"
    table.to_csv(path, sep="\t", index=False)
    done = run_cli("response", spec, folder, "-o", tmp_path / "run", "--fast")
    assert done.status == 2
    assert "'hamd17_baseline' is missing for" in done.err
    assert "outcome.incomplete=exclude" in done.err


def test_the_two_kinds_of_specs_are_told_apart(trial, run_cli, tmp_path):
    fit = run_cli("fit", "treatment_response", trial, "-o", tmp_path / "run")
    assert fit.status == 2
    assert "a spec of `bayes-mdd response`" in fit.err
    response = run_cli("response", "shared_specific", trial, "-o", tmp_path / "run")
    assert response.status == 2
    assert "treatment_response" in response.err
