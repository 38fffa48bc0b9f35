"""The main job from the command line, with real sampling on a small cohort."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import bayes_mdd as bm
from bayes_mdd.cli import demo_response
from bayes_mdd.errors import SpecError


@pytest.fixture
def run(small_run, tmp_path) -> Path:
    return Path(shutil.copytree(small_run.folder, tmp_path / "run"))


def test_fit_leaves_a_complete_run_folder(small_run):
    files = {p.name for p in small_run.folder.iterdir()}
    expected = {"spec.yaml", "provenance.json", "posterior.nc", "checks.json", "signatures"}
    assert files == {*expected, "report.html", "roles.tsv", "table1.tsv", "log.jsonl"}
    log = [json.loads(line) for line in (small_run.folder / "log.jsonl").read_text().splitlines()]
    assert {entry["command"] for entry in log} == {"fit"}
    assert "Fitting the model" in " ".join(entry["message"] for entry in log)
    assert not list(small_run.folder.parent.glob(".bayes-mdd-log-*"))
    assert any((small_run.folder / "signatures").glob("*.tsv"))
    assert "</html>" in (small_run.folder / "report.html").read_text(encoding="utf-8")


def test_fit_tells_status_factors_files_and_what_was_left_out(small_run):
    verdict = json.loads((small_run.folder / "checks.json").read_text(encoding="utf-8"))
    assert small_run.command.status == (0 if verdict["passed"] else 1)
    for text in ("F1", "F3", "P(SSRI only)", "P(SNRI only)", str(small_run.folder)):
        assert text in small_run.command.out, text
    assert "leaves out 'not_in_this_cohort'" in small_run.command.err
    assert "Traceback" not in small_run.command.err


def test_run_says_what_the_library_says(small_run):
    idata = bm.read_run(small_run.folder)
    assert idata["posterior"].sizes["chain"] == 2
    assert idata["posterior"].sizes["draw"] == 200
    table = bm.classify_factors(idata)
    assert list(table["factor"]) == ["F1", "F2", "F3"]
    spec = json.loads(idata.attrs["spec"])
    assert spec["covariates"] == ["site"]
    assert spec["symptoms"] == ["retardation", "cognitive"]


def test_check_repeats_the_verdict(run, small_run, run_cli):
    (run / "checks.json").unlink()
    result = run_cli("check", run, "--json")
    said = json.loads(result.out)
    assert result.status == (0 if said["passed"] else 1)
    assert any(c["name"].startswith("spread of noise between features") for c in said["checks"])
    assert any(c["name"] == "covariates of head motion" and c["passed"] for c in said["checks"])
    entered = {c["covariate"]: (c["used_in"], c["enters_as"]) for c in said["covariates"]}
    assert entered["site"] == ("model", "levels")
    assert entered["age"] == ("reference", "slope")
    assert said == json.loads((small_run.folder / "checks.json").read_text(encoding="utf-8"))
    assert (run / "checks.json").read_bytes() == (small_run.folder / "checks.json").read_bytes()


def test_a_failed_check_is_status_one(run, run_cli, monkeypatch):
    table = bm.diagnose(bm.read_run(run)).astype({"passed": object})
    table.loc[0, "passed"] = False
    monkeypatch.setattr(bm, "diagnose", lambda idata: table)
    assert run_cli("check", run).status == 1
    table["passed"] = True
    assert run_cli("check", run).status == 0
    table["passed"] = None
    assert run_cli("check", run).status == 0, "a check without a verdict has not failed"


def test_fit_with_too_few_draws_is_status_one(small_cohort, small_spec, tmp_path, run_cli):
    # 2 x 30 draws cannot give 400 effective ones.
    settings = ("sampler.draws=30", "sampler.tune=60", "model.n_factors=1")
    words = [w for s in settings for w in ("--set", s)]
    run = tmp_path / "run"
    result = run_cli("fit", small_spec, small_cohort, "-o", run, "--json", *words)
    assert result.status == 1, result.err
    said = json.loads(result.out)
    assert said["passed"] is False
    failed = {c["name"] for c in said["checks"] if c["passed"] is False}
    assert "min bulk ESS of invariants" in failed
    assert json.loads((run / "checks.json").read_text(encoding="utf-8"))["passed"] is False
    assert (run / "report.html").exists(), "a run that fails a check is complete"


def test_signatures_and_report_are_written_again(run, tmp_path, run_cli):
    result = run_cli("signatures", run, "-o", tmp_path / "maps", "--json")
    assert result.status == 0, result.err
    files = [Path(p) for p in json.loads(result.out)["files"]]
    assert files
    assert all(p.is_file() and p.parent == tmp_path / "maps" for p in files)
    result = run_cli("report", run, "-o", tmp_path / "page.html")
    assert result.status == 0, result.err
    assert result.out.strip() == str(tmp_path / "page.html")
    assert (tmp_path / "page.html").stat().st_size > 10_000


def test_simulate_writes_a_cohort_that_fit_can_read(tmp_path, run_cli):
    result = run_cli("simulate", "-o", tmp_path / "cohort", "--seed", "7")
    assert result.status == 0, result.err
    cohort = bm.read_cohort(tmp_path / "cohort")
    assert (len(cohort.patients), len(cohort.controls)) == (62, 39)
    again = run_cli("simulate", "-o", tmp_path / "cohort", "--seed", "7", "--force")
    assert again.status == 0, again.err


def test_simulate_series_writes_halves_and_pieces(tmp_path, run_cli):
    result = run_cli("simulate", "-o", tmp_path / "cohort", "--source", "series")
    assert result.status == 0, result.err
    features = bm.read_features(tmp_path / "cohort")
    assert {"half_difference", "pieces"} <= set(features.data_vars)


def test_items_are_linked_by_the_name_they_have_in_the_cohort(
    small_cohort, small_spec, tmp_path, run_cli, monkeypatch
):
    asked = {}

    def fit(spec, features, **rest):
        asked.update(rest, spec=spec)
        raise SpecError("asked enough")

    monkeypatch.setattr(bm, "fit", fit, raising=False)
    items = "model.ordinal_symptoms=[hamd17_1, hamd17_7]"
    command = ("fit", small_spec, small_cohort, "-o", tmp_path / "run", "--set", items)
    result = run_cli(*command, "--set", "model.symptom_links=by_arm")
    assert result.status == 2 and "asked enough" in result.err
    assert asked["spec"].ordinal_symptoms == ("hamd17_1", "hamd17_7")
    assert asked["spec"].symptom_links == "by_arm"
    assert {"hamd17_1", "hamd17_7", "retardation"} <= set(asked["symptoms"].columns)


def test_demo_runs_the_shipped_model_on_the_demo_cohort(small_run, tmp_path, run_cli, monkeypatch):
    # The sampler has run for `small_run`; here it matters what `fit` is asked to do.
    asked = {}

    def fit(spec, features, **rest):
        asked.update(rest, spec=spec, subjects=features.sizes["subject"])
        shutil.copytree(small_run.folder, rest["run_dir"])
        return bm.read_run(small_run.folder)

    def analyse_demo(cohort, output, **options):
        asked["response"] = (cohort.name, output.name, options)
        return []

    monkeypatch.setattr(bm, "fit", fit, raising=False)
    monkeypatch.setattr(demo_response, "analyse_demo", analyse_demo)
    result = run_cli("demo", "-o", tmp_path / "demo", "--quick", "--json")
    said = json.loads(result.out)
    assert result.status == (0 if said["passed"] else 1)
    assert said["response"] == {}
    options = {"force": False, "quick": True, "seed": None}
    assert asked["response"] == ("demo", "demo", options)
    assert asked["spec"].n_factors == 8
    assert asked["spec"].covariates == ("site", "age", "sex", "mean_fd")
    assert asked["spec"].symptoms == ("retardation", "cognitive")
    assert (asked["sampler"].draws, asked["sampler"].chains) == (300, 2)
    assert asked["subjects"] == 31 + 31 + 39
    assert asked["force"] is False
    assert asked["progressbar"] is False
    assert [f["factor"] for f in said["factors"]] == ["F1", "F2", "F3"]
    assert said["files"]["report"] == str(tmp_path / "demo" / "report.html")


def test_quality_of_the_features_is_in_the_report_of_the_run(small_run):
    page = (small_run.folder / "report.html").read_text(encoding="utf-8")
    assert 'id="table-quality"' in page
    assert "features correlated with motion" in page
    assert "arm by site" in page
