"""The export "share" holds what describes the population, opens as a run, and no participant."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import zipfile
from pathlib import Path

import arviz as az
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from fakes import make_fake_idata

import bayes_mdd as bm
from bayes_mdd.files.marks import EXPORTED, RUN
from bayes_mdd.results.checks import Check, tabulate_checks
from bayes_mdd.results.exports import share
from bayes_mdd.results.figures.people import count_people
from bayes_mdd.results.manifest import compare_manifest
from bayes_mdd.results.population import keep_population
from bayes_mdd.results.privacy_check import check_privacy, search_files
from bayes_mdd.results.private import collect_private
from bayes_mdd.results.result import read_result
from bayes_mdd.workflow import share as job

ROLES = [
    {"role": "patient", "diagnosis": "MDD", "arm": "SSRI", "participants": 12, "use": "fitted"},
    {"role": "patient", "diagnosis": "MDD", "arm": "n/a", "participants": 3, "use": "no arm"},
    {"role": "control", "diagnosis": "HC", "arm": "n/a", "participants": 9, "use": "reference"},
]


@pytest.fixture(scope="module")
def idata() -> xr.DataTree:
    """A fit with people, folders and commands wherever a result can hold them."""
    tree = make_fake_idata(links="by_arm", coordinates=False, idle=(1, 2))
    n = tree["posterior"].sizes["subject"]
    ages = 20 + np.random.default_rng(5).permutation(n) * 1.7
    constant = tree["constant_data"].to_dataset().assign_coords(age=("subject", ages))
    tree["constant_data"] = xr.DataTree(
        constant.assign_attrs(note="/srv/someone/trial/participants.tsv")
    )
    loadings = tree["loadings"].to_dataset()
    # A variable by participant, one of an unknown dimension, and texts.
    loadings["of_each"] = (("subject", "factor"), np.zeros((n, 4)))
    loadings["odd"] = ("row", ages)
    loadings["mean"].attrs["comment"] = "without sub-003 and sub-x01"
    loadings.attrs["made_from"] = "/srv/someone/scans/sub-004/edges.tsv"
    tree["loadings"] = xr.DataTree(loadings)
    tree["log_likelihood"] = xr.DataTree(xr.Dataset({"y": ("subject", ages)}))
    tree["of_someone"] = xr.DataTree(xr.Dataset({"x": ("factor", np.zeros(4))}))
    notes = json.loads(tree.attrs["provenance"]) | {
        **{"model": "a", "sampler": "b", "inputs": "c", "inputs_sha256": "ab" * 32},
        "fingerprint": "abc",
        "command": "bayes-mdd fit shared_specific /srv/someone/trial -o /srv/someone/run",
        "roles": ROLES,
        "dropped": {"no scan": 2},
        "warnings": [
            {"category": "RuntimeWarning", "message": "overflow in /srv/someone/a.py"},
            {"category": "warning", "message": "sub-006 was read twice"},
        ],
        "remark": "sub-005 moved; see /srv/someone/notes.txt",
    }
    features = json.loads(tree.attrs["features_provenance"]) | {
        "without_features": ["sub-gone1"],
        "notes": ["sub-gone2 has no image"],
        "quality": {"people": [{"subject": "sub-007", "mean_fd": 0.31}]},
        "table": "/srv/someone/trial/edges.tsv",
    }
    tree.attrs |= {
        "provenance": json.dumps(notes),
        "features_provenance": json.dumps(features),
        "someone": "sub-008",
    }
    return tree


@pytest.fixture(scope="module")
def run(idata, tmp_path_factory) -> Path:
    """A run folder with other analyses, a report that names people, and a log."""
    folder = bm.save_run(idata, tmp_path_factory.mktemp("run") / "run")
    (folder / "response").mkdir()
    (folder / "response" / "report.html").write_text("<p>42 patients</p>")
    (folder / "response" / "folds.tsv").write_text("id\tx\nsub-003\t1\n")
    (folder / "permutations.tsv").write_text("permutation\tscore\n0\t1.5\n")
    (folder / "predictive_people.tsv").write_text("participant_id\tx\nsub-003\t1\n")
    (folder / "report.html").write_text("<p>sub-003</p>")
    (folder / "log.jsonl").write_text('{"message": "sub-003"}\n')
    checks = {"name": "outliers", "value": 2.0, "threshold": "0", "passed": False}
    checks |= {"advice": "values of sub-003 (9 SD) and sub-hc01. Read /srv/someone/x.tsv."}
    (folder / "checks.json").write_text(json.dumps({"checks": [checks]}))
    return folder


@pytest.fixture(scope="module")
def done(run, tmp_path_factory) -> Path:
    """The shared folder, beside its archive."""
    out = tmp_path_factory.mktemp("out")
    bm.export_run(run, out, formats=["share"], archive=True)
    return out / "share"


def test_every_part_is_there_and_nothing_else(done):
    names = {p.relative_to(done).parts[0] for p in done.rglob("*")}
    assert names == {
        *("report.html", "signatures", "tables", "spec.yaml", "provenance.json", "checks.json"),
        *("roles.tsv", "posterior.nc", "README.md", "manifest.sha256", "export.json"),
        *("response", "permutations.tsv"),
    }
    assert [p.name for p in (done / "response").iterdir()] == ["report.html"]
    listed = json.loads((done / "export.json").read_text())["Files"]
    readme = (done / "README.md").read_text()
    assert all(f"`{name}" in readme for name in names - {"export.json", "README.md"})
    assert "table1.tsv" not in readme  # this run has none
    assert {*listed, "export.json"} == {
        p.relative_to(done).as_posix() for p in done.rglob("*") if p.is_file()
    }


def test_no_file_holds_a_participant_a_folder_or_a_command(done, idata):
    files = [p for p in done.rglob("*") if p.is_file()]
    private = collect_private(read_result(idata))
    found = search_files([*files, done.with_suffix(".zip")], private, done.parent)
    assert found.empty, found.to_string()
    assert {"sub-003", "sub-hc01", "sub-gone1", "sub-007"} <= private.ids
    assert "age" in private.values and any("/srv/someone" in c for c in private.commands)
    for path in files:
        assert b"someone" not in path.read_bytes(), path
    tree = bm.read_run(done)
    dims = {str(d) for g in tree.children.values() for v in g.variables.values() for d in v.dims}
    assert not dims & {"subject", "row", "component", "pair"}
    assert {"observed_data", "log_likelihood", "of_someone"}.isdisjoint(tree.children)
    assert "scores" not in tree["posterior"] and "of_each" not in tree["loadings"]
    assert "someone" not in tree.attrs


def test_small_groups_are_merged_in_counts_and_in_the_report(done):
    roles = pd.read_csv(done / "roles.tsv", sep="\t", keep_default_na=False)
    assert roles["participants"].tolist() == [12, 9, 5]
    assert roles["use"].tolist()[-1] == "other reasons"
    page = (done / "report.html").read_text()
    assert "other reasons: 5" in page and "no arm" not in page and "no scan" not in page
    assert "Warnings of the fit" in page and "RuntimeWarning: overflow in a.py" in page
    assert "one participant was read twice" in page
    assert "no scan" not in (done / "provenance.json").read_text()


def test_it_opens_as_a_run_with_the_same_results(done, idata):
    tree = bm.read_run(done)
    pd.testing.assert_frame_equal(bm.classify_factors(tree), bm.classify_factors(idata))
    own, of_run = bm.signatures(tree), bm.signatures(idata)
    xr.testing.assert_equal(own, of_run)
    strict = bm.classify_factors(tree, probability=0.99)
    assert strict.attrs["rules"]["probability"] == 0.99
    assert az.summary(tree, var_names=["sharing"]).shape[0] == 8
    assert count_people(read_result(tree)) == "23 participants (12 SSRI, 11 SNRI)"
    bm.plotting.plot_variance(tree)
    bm.plotting.plot_symptom_links(tree)
    bm.plotting.plot_block_map(own)
    bm.export_run(done, done.parent / "again", formats=["tables", "graphml"])
    assert bm.match_cohorts({"a": tree, "b": idata})["participants"].unique().tolist() == [23]


NEEDS_PARTICIPANTS = {
    "diagnose": bm.diagnose,
    "write_report": lambda t: bm.write_report(t, "x.html"),
    "permute_arms": lambda t: bm.permute_arms(t, permutations=1),
    "prior_sensitivity": bm.prior_sensitivity,
    "predictive_checks": bm.predictive_checks,
    "leave_one_out": bm.leave_one_out,
    "add_arviz_groups": bm.add_arviz_groups,
    "score_moments": bm.score_moments,
    "project": lambda t: bm.project(t, xr.Dataset()),
    "plot_scores": bm.plotting.plot_scores,
    "plot_score_symptom": lambda t: bm.plotting.plot_score_symptom(t, "F1", "retardation"),
    "plot_predictive": bm.plotting.plot_predictive,
    "plot_prior_posterior": bm.plotting.plot_prior_posterior,
    "scores": lambda t: bm.export_run(t, "out", formats=["tables"], with_participants=True),
    "share": lambda t: bm.export_run(t, "out", formats=["share"]),
}


@pytest.mark.parametrize("name", NEEDS_PARTICIPANTS)
def test_what_needs_participants_says_so(name, done, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(bm.DataContractError, match=r"use the run of the fit|pass the run of the"):
        NEEDS_PARTICIPANTS[name](bm.read_run(done))
    assert not list(tmp_path.iterdir())


def test_checksums_and_archive(done, run):
    lines = (done / "manifest.sha256").read_text().splitlines()
    digest, name = lines[-1].split("  ")
    assert digest == hashlib.sha256((done / name).read_bytes()).hexdigest()
    with zipfile.ZipFile(done.with_suffix(".zip")) as archive:
        assert {i.date_time[0] for i in archive.infolist()} == {1980}
        assert {f"share/{p.relative_to(done).as_posix()}" for p in done.rglob("*.*")} >= set(
            archive.namelist()
        ) - {"share/README.md"}
    assert not RUN.foreign(run)
    assert {"share/*", "share.zip"} <= set(EXPORTED)


def test_the_privacy_check_of_the_shared_folder(done, run, idata, tmp_path, run_cli):
    folder = Path(shutil.copytree(done, tmp_path / "share"))
    passed = run_cli("check", folder, "--privacy")
    assert passed.status == 0 and "run this check on the run of the fit" in passed.out
    (folder / "table1.tsv").write_text("age\n23\n")
    (folder / "permutations.tsv").unlink()
    (folder / "checks.json").write_text("{}")
    assert compare_manifest(folder) == [
        ("checks.json", "changed since it was written"),
        ("permutations.tsv", "missing"),
        ("table1.tsv", "not in the manifest"),
    ]
    tree = bm.read_run(folder)
    tree["loadings"] = xr.DataTree(
        tree["loadings"].to_dataset().assign(z=("person", np.arange(7.0)))
    )
    found, check = check_privacy(folder, read_result(tree))
    assert not check.passed and len(found) == 4
    assert found["found"].str.contains("dimension person").any()
    assert run_cli("check", folder, "--privacy").status == 1
    refused = run_cli("check", folder)
    assert refused.status == 2 and "needs data of participants" in refused.err


@pytest.fixture
def quick(monkeypatch):
    """A report and maps of one line each."""
    page = "<p>23 participants</p>"
    monkeypatch.setattr(job, "write_report", lambda tree, path, **_: path.write_text(page))
    monkeypatch.setattr(share, "export_signatures", lambda *_: [])
    rows = [Check("outliers", 0.0, "0", True, "")]
    monkeypatch.setattr(job, "diagnose", lambda _: tabulate_checks(rows))
    return monkeypatch


def _column(idata: xr.DataTree) -> str:
    ages = np.sort(idata["constant_data"]["age"].values)
    return "x\n" + "".join(f"{a:g}\n" for a in ages)


LEAKS = {
    "plain": ("response/report.html", lambda _: "<p>sub-003 improved</p>"),
    "base64": (
        "response/baselines.html",
        lambda _: f"<img src='data:x;base64,{base64.b64encode(b'the scan of sub-003').decode()}'>",
    ),
    "left out": ("predictive_checks.tsv", lambda _: "check\nsub-gone1\n"),
    "column": ("prior_sensitivity.tsv", _column),
    "folder": ("smallest_trait.tsv", lambda _: "x\n" + "/home" + "/someone/trial\n"),
    "command": ("response/policy.tsv", lambda _: "x\n/srv/someone/trial\n"),
    "json": ("response/verdict.json", lambda _: '{"who": ["sub-x01"]}'),
}


def test_leaks_in_copied_files_stop_the_export(run, idata, tmp_path, quick):
    folder = Path(shutil.copytree(run, tmp_path / "run"))
    for name, content in LEAKS.values():
        (folder / name).write_text(content(idata))
    with pytest.raises(bm.DataContractError, match="Write it again") as error:
        bm.export_run(folder, tmp_path / "out", formats=["share"])
    missed = [n for n, _ in LEAKS.values() if not any(n in p for p in error.value.problems)]
    assert not missed and "sub-0" not in str(error.value)
    assert not list((tmp_path / "out").glob("*"))


def test_a_leak_in_a_made_file_stops_the_export(idata, tmp_path, quick):
    quick.setattr(job, "write_report", lambda tree, path, **_: path.write_text("sub-003"))
    with pytest.raises(bm.DataContractError, match=r"report.html \(report.html\) holds ids of 1"):
        bm.export_run(idata, tmp_path / "out", formats=["share"])
    quick.setattr(job, "write_report", lambda tree, path, **_: path.write_text("x"))
    kept = keep_population(read_result(idata), [0.1] * 4)
    kept["posterior"] = xr.DataTree(
        kept["posterior"].to_dataset().assign(x=("subject", ["sub-003"]))
    )
    quick.setattr(share, "keep_population", lambda *_: kept)
    with pytest.raises(bm.DataContractError, match="posterior/x has the dimension subject"):
        bm.export_run(idata, tmp_path / "out", formats=["share"])


def test_what_cannot_be_shared_and_how_it_is_asked_for(idata, run, tmp_path, quick, run_cli):
    with pytest.raises(bm.SpecError, match="holds no participants"):
        bm.export_run(idata, tmp_path, formats=["share", "tables"], with_participants=True)
    with pytest.raises(bm.SpecError, match="--zip"):
        bm.export_run(idata, tmp_path, formats=["tables"], archive=True)
    few = make_fake_idata(per_arm=5)  # the second arm has four
    with pytest.raises(bm.DataContractError, match="SNRI: fewer than 5 participants"):
        bm.export_run(few, tmp_path, formats=["share"])
    out = tmp_path / "out"
    first = run_cli("export", run, "--format", "share", "--zip", "-o", out)
    assert first.status == 0 and str(out / "share.zip") in first.out
    content = (out / "share.zip").read_bytes()
    assert run_cli("export", run, "--format", "share", "--zip", "-o", out).status == 2
    assert run_cli("export", run, "--format", "share", "--zip", "-o", out, "--force").status == 0
    assert (out / "share.zip").read_bytes()[:200] == content[:200]
    assert "share" not in bm.export_run(idata, out, formats=["tables"]).files


def test_verdicts_in_exported_tables_name_nobody(idata, tmp_path):
    tree = idata.copy()
    posterior = tree["posterior"].to_dataset()
    posterior["scores"].loc[{"subject": "sub-003", "factor": "F1"}] = 60.0
    tree["posterior"] = xr.DataTree(posterior)
    assert "sub-003" in bm.classify_factors(tree)["verdict"].iloc[0]
    bm.export_run(tree, tmp_path, formats=["tables"])
    text = (tmp_path / "tables" / "factors.tsv").read_text()
    assert "One participant holds" in text and "sub-003" not in text
