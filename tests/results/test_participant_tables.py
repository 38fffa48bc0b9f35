"""Flow of participants and Table 1 in reports; tables of a run folder; provenance for readers."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayes_mdd.features.sample import describe_sample, write_sample
from bayes_mdd.results.checks import Check, tabulate_checks
from bayes_mdd.results.cohort_facts import describe_cohort
from bayes_mdd.results.participant_flow import count_stages
from bayes_mdd.results.participant_tables import read_or_describe_sample, tabulate_sample
from bayes_mdd.results.provenance_rows import list_internal_facts, list_main_facts
from bayes_mdd.results.result import read_result
from bayes_mdd.results.stored_analyses import judge_stored, read_analyses


def with_notes(idata: xr.DataTree, **notes: object) -> xr.DataTree:
    facts = json.loads(idata.attrs["provenance"]) | notes
    idata.attrs["provenance"] = json.dumps(facts)
    return idata


def test_everyone_in_the_cohort_is_accounted_for(fake_idata):
    roles = [
        ("control", "HC", "n/a", 5, "reference only"),
        ("patient", "MDD", "SSRI", 12, "fitted"),
        ("patient", "MDD", "SNRI", 11, "fitted"),
        ("left out", "MDD", "n/a", 2, "no known arm"),
        ("left out", "any", "any", 1, "no features"),
    ]
    keys = ("role", "diagnosis", "arm", "participants", "use")
    rows = [dict(zip(keys, r, strict=True)) for r in roles]
    result = read_result(with_notes(fake_idata, roles=rows, dropped={"too short": 3}))
    stages = count_stages(result, describe_cohort(result))
    assert [(s.title, s.n, s.left) for s in stages] == [
        ("In the cohort", 34, False),
        ("Not analysed", 6, True),
        ("Healthy controls, used as reference only", 5, True),
        ("In the fit", 23, False),
    ]
    assert stages[1].parts == ["too short: 3", "no known arm (MDD): 2", "no features: 1"]
    assert stages[3].parts == ["SSRI: 12", "SNRI: 11"]


def test_runs_without_roles_show_their_reasons(fake_idata):
    result = read_result(fake_idata)
    stages = count_stages(result, describe_cohort(result))
    assert stages[0].n == 26 and stages[1].parts == ["healthy control: 2", "no arm: 1"]


def test_table_one_hides_what_would_describe_one_person():
    n = 24
    on = {
        "arm": ("subject", np.repeat(["a", "b", "n/a"], n)),
        "diagnosis": ("subject", np.repeat(["MDD", "MDD", "HC"], n)),
        "age": ("subject", np.r_[np.arange(2.0 * n), np.full(n, np.nan)]),
        "sex": ("subject", np.r_[["F"] * 23, ["M"], np.tile(["F", "M"], n)]),
        "mean_fd": ("subject", np.linspace(0.1, 0.4, 3 * n)),
    }
    features = xr.Dataset(coords={"subject": [f"s{i}" for i in range(3 * n)]} | on)
    scores = pd.DataFrame({"x_total": np.r_[np.nan, np.arange(71.0)]}, index=features["subject"])
    scores.iloc[48:] = np.nan
    table = tabulate_sample(describe_sample(features, scores), {"a": n, "b": n}, n_controls=n)
    rows = {row.cells[0].text: [c.text for c in row.cells[1:]] for row in table.lines}
    assert [c.title for c in table.heads] == [
        *("Characteristic", "a (n = 24)", "b (n = 24)", "Healthy controls (n = 24)"),
        *("Missing", "SMD"),
    ]
    assert rows["Age"][0] == "11.5 (7.1)" and rows["Age"][2] == "n/a"
    assert rows["Sex: M"] == ["withheld", "12 (50%)", "12 (50%)", "", ""]
    assert rows["Sex: F"] == ["withheld", "12 (50%)", "12 (50%)", "0", "withheld"]
    assert rows["Severity: x_total"][2:4] == ["not rated", "1 a"]
    assert rows["Head motion (mean_fd)"][0].startswith("0.149 (")
    assert "no single person" in table.note


def test_a_recorded_table_is_read_and_an_early_run_is_described(fake_idata):
    table, recorded = read_or_describe_sample(read_result(fake_idata))
    assert not recorded and set(table["group"]) <= {"SSRI", "SNRI", "arms"}
    assert "site" in set(table["variable"])
    fake_idata.attrs["sample"] = write_sample(table.iloc[:3])
    again, recorded = read_or_describe_sample(read_result(fake_idata))
    assert recorded and len(again) == 3


def test_tables_of_the_run_folder_are_read_if_they_belong_to_the_run(fake_idata, tmp_path):
    (tmp_path / "permutations.tsv").write_text("permutation\tmax_p_specific\tarm\n0\t0.5\tn/a\n")
    (tmp_path / "predictive_people.tsv").write_text("subject\tx\nsub-01\t1\n")
    (tmp_path / "predictive_blocks.tsv").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "prior_sensitivity.tsv").write_text("")
    found = read_analyses(tmp_path)
    assert list(found) == ["permutations"] and found["permutations"]["arm"].isna().all()
    assert read_analyses(tmp_path / "absent") == {}
    result = read_result(with_notes(fake_idata, fingerprint="abc"))
    assert read_analyses(tmp_path, result) == {}
    (tmp_path / "provenance.json").write_text('{"fingerprint": "abc"}')
    assert list(read_analyses(tmp_path, result)) == ["permutations"]


def test_stored_predictive_checks_enter_the_verdict_once(fake_idata):
    names = ["residual kurtosis", "residual correlation, all pairs of features", "residual SD"]
    stored = pd.DataFrame({"check": names, "p_value": [0.001, 0.002, "text"]})
    there = tabulate_checks([Check("predictive p: residual SD", 0.5, ">= 0.01", True, "")])
    result = read_result(fake_idata)
    analyses = {"predictive_checks": stored}
    added = judge_stored(analyses, there, result)
    assert [(c.name, c.passed) for c in added] == [
        ("predictive p: residual kurtosis", False),
        ("predictive p: residual correlation, all pairs of features", False),
    ]
    assert judge_stored(analyses, there.iloc[:0], result)[2].passed is None
    constant = fake_idata["constant_data"].to_dataset().assign(feature_weight=0.3)
    fake_idata["constant_data"] = xr.DataTree(constant)
    weighted = judge_stored(analyses, there, read_result(fake_idata))
    assert [c.passed for c in weighted] == [False, None]
    assert judge_stored({}, there, result) == []


@pytest.mark.parametrize("machine", [{"system": "Linux", "processor": "X", "cores": 2}, "text"])
def test_readable_facts_come_first_and_name_nobody(fake_idata, machine):
    with_notes(fake_idata, machine=machine, commit="f" * 40, seconds={"compile_and_sample": 65.5})
    study = {"name": "A trial of sub-001 in /srv/data/x"}
    facts = json.loads(fake_idata.attrs["features_provenance"]) | {"study": study}
    fake_idata.attrs["features_provenance"] = json.dumps(facts)
    result = read_result(fake_idata)
    rows = dict(list_main_facts(result))
    assert rows["Seed"] and rows["Commit of bayes-mdd"] == "f" * 40 and rows["Time"] == "66 s"
    assert rows.get("Machine") == ("Linux, X, 2 cores" if isinstance(machine, dict) else None)
    assert "pymc 6.4.0" in rows["Versions"]
    internal = dict(list_internal_facts(result, with_participants=False))
    assert not any(k.startswith(("fit.versions", "fit.machine", "fit.commit")) for k in internal)
    assert not any("sub-hc01" in v for v in internal.values())
