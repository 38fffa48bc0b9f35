"""``check --predictive``, ``check --sensitivity``, ``prior``, and what the report says of them."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

import bayes_mdd as bm
from bayes_mdd.cli import output
from bayes_mdd.results.stored_checks import read_checks
from bayes_mdd.shared_specific.report.content import summarise_findings


@pytest.fixture
def run(small_run, tmp_path) -> Path:
    return Path(shutil.copytree(small_run.folder, tmp_path / "run"))


def test_predictive_checks_join_the_verdict_the_files_and_the_report(run, run_cli, tmp_path):
    result = run_cli("check", run, "--predictive")
    assert result.status in (0, 1), result.err
    assert "is now called" not in result.err
    for text in ("Predictive checks", "Participants with the largest residuals", "all features"):
        assert text in result.out
    for name in ("checks", "blocks", "people"):
        assert (run / f"predictive_{name}.tsv").read_text(encoding="utf-8").count("\n") > 3
    verdict = json.loads((run / "checks.json").read_text(encoding="utf-8"))
    lines = [c for c in verdict["checks"] if c["name"].startswith("predictive p: ")]
    assert len(lines) == 7
    assert result.status == (0 if verdict["passed"] else 1)
    assert all((c["value"] >= 0.01) == c["passed"] for c in lines)
    assert run_cli("report", run, "-o", tmp_path / "page.html").status == 0
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "edges sharing a region" in page


def test_sensitivity_and_json(run, run_cli, monkeypatch):
    table = bm.prior_sensitivity(bm.read_run(run), max_draws=40)
    seeds = []

    def scale(idata, *, seed):
        seeds.append(seed)
        return table

    monkeypatch.setattr(bm, "prior_sensitivity", scale)
    result = run_cli("check", run, "--sensitivity", "--json")
    said = json.loads(result.out)
    assert result.status in (0, 1), result.err
    assert {"quantity", "prior_sharing", "likelihood", "diagnosis"} <= set(
        said["prior_sensitivity"][0]
    )
    assert said["checks"][-1]["name"].startswith("results that rest on a prior")
    assert (run / "prior_sensitivity.tsv").is_file()
    result = run_cli("check", run, "--sensitivity", "--seed", "8")
    assert seeds == [1, 8]
    assert "prior" in result.out
    assert "prior_sensitivity.tsv" in result.out


def test_what_could_not_be_judged_is_said_with_the_reason(capsys):
    rows = [("kept", True, ""), ("lost", False, "Do this."), ("unknown", None, "Not made: why.")]
    table = pd.DataFrame(
        [{"name": n, "value": 1.0, "threshold": "0", "passed": p, "advice": a} for n, p, a in rows]
    ).astype({"passed": object})
    output.print_checks(table)
    said = capsys.readouterr().out
    assert "lost: Do this." in said
    assert "unknown: Not made: why." in said
    assert "kept:" not in said


def test_prior_says_what_it_expects(small_cohort, small_spec, run_cli):
    words = ("prior", small_spec, small_cohort, "--draws", 200)
    result = run_cli(*words, "--json")
    assert result.status == 0, result.err
    rows = {r["quantity"]: r for r in json.loads(result.out)["prior"]}
    assert rows["factors in use"]["plausible"] == "1 to 3"
    assert rows["size of a symptom weight"]["q95"] > 0
    assert "not_in_this_cohort" in result.err
    other = run_cli(*words, "--json", "--set", "model.factor_scale=0.5")
    more = {r["quantity"]: r for r in json.loads(other.out)["prior"]}
    assert more["factors in use"]["mean"] > rows["factors in use"]["mean"] + 0.5
    assert "factors in use" in run_cli(*words).out
    refused = run_cli("prior", "polar_lda", small_cohort)
    assert refused.status == 2
    assert "the model polar_lda has no prior predictive" in refused.err
    assert "models that have one: shared_specific" in refused.err


def test_the_report_reads_the_last_verdict_and_does_without(run):
    table = read_checks(run)
    assert table is not None
    assert list(table["passed"]) == list(bm.diagnose(bm.read_run(run))["passed"])
    (run / "checks.json").write_text("{", encoding="utf-8")
    assert read_checks(run) is None


def test_a_broken_assumption_is_not_called_a_broken_chain(run):
    idata = bm.read_run(run)
    checks = bm.diagnose(idata).assign(passed=True).astype({"passed": object})
    line = checks.iloc[[0]].assign(name="predictive p: residual kurtosis", passed=False)
    table = pd.concat([checks, line.astype({"passed": object})], ignore_index=True)
    said = summarise_findings(bm.classify_factors(idata), table, None, 0.9)[0]
    assert "violate an assumption of the model (residual kurtosis)" in said
    checks.loc[0, "passed"] = False
    table = pd.concat([checks, line.astype({"passed": object})], ignore_index=True)
    said = summarise_findings(bm.classify_factors(idata), table, None, 0.9)[0]
    assert "2 of" in said
    assert "Do not interpret" in said
