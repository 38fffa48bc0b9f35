"""``bayes-mdd project`` on a real run and new cohort folders."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayes_mdd as bm
from bayes_mdd.simulate import simulate_cohort, write_cohort


def _renamed(name: str) -> str:
    return f"sub-9{name.removeprefix('sub-')}"


@pytest.fixture(scope="module")
def new_cohort(tmp_path_factory):
    """Ten more people and six controls; two of the people wait for their treatment."""
    folder = tmp_path_factory.mktemp("new") / "clinic"
    cohort = simulate_cohort(
        seed=8, n_regions=14, n_subjects={"SSRI": 5, "SNRI": 5}, n_controls=6, source="edges"
    )
    write_cohort(cohort, folder)
    for file in folder.rglob("sub-*"):
        file.rename(file.with_name(_renamed(file.name)))
    for path in (folder / "participants.tsv", *(folder / "phenotype").glob("*.tsv")):
        table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
        table["participant_id"] = table["participant_id"].map(_renamed)
        if path.name == "participants.tsv":
            patients = table.index[table["diagnosis"] == "MDD"]
            table.loc[patients[:2], "arm"] = "n/a"
        table.to_csv(path, sep="\t", index=False)
    return folder


def test_project_writes_table_draws_and_sidecar(small_run, new_cohort, run_cli, tmp_path):
    out = tmp_path / "scores.tsv"
    words = ("project", small_run.folder, new_cohort, "-o", out, "--training", small_run.cohort)
    done = run_cli(*words)
    assert done.status == 0, done.err
    assert "Not projected (healthy control): 6 participants" in done.err
    names = {"scores.tsv", "scores_symptoms.tsv", "scores.json", "scores.nc"}
    assert {p.name for p in tmp_path.iterdir()} == names
    table = pd.read_csv(out, sep="\t", dtype=str, keep_default_na=False, na_values=["n/a"])
    # Eight people under their arm and two under both, three factors each.
    assert len(table) == 3 * (8 + 2 * 2)
    waiting = table[table["known_arm"].isna()]
    assert set(waiting["arm"]) == {"SSRI", "SNRI"}
    numbers = table[["lower", "mean", "upper"]].astype(float)
    assert (numbers.diff(axis=1).iloc[:, 1:] >= 0).all().all()
    note = json.loads((tmp_path / "scores.json").read_text(encoding="utf-8"))
    assert note["interval"] == {"ci_prob": 0.9, "ci_kind": "equal-tailed"}
    assert note["estimand"] and note["units"]
    assert note["reference"] == note["reference_of_fit"]
    assert set(note["columns"]) <= set(table.columns)
    with xr.open_dataset(tmp_path / "scores.nc") as draws:
        assert draws["scores"].dims == ("chain", "draw", "subject", "arm", "factor")
        person = table.iloc[0]
        own = draws["scores"].sel(
            subject=person["participant_id"], arm=person["arm"], factor=person["factor"]
        )
        assert float(own.mean()) == pytest.approx(float(person["mean"]), rel=1e-4)
    again = run_cli(*words)
    assert again.status == 2
    assert "--force" in again.err
    assert run_cli(*words, "--force").status == 0


def test_project_as_json_and_one_arm(small_run, new_cohort, run_cli, tmp_path):
    done = run_cli(
        "project", small_run.folder, new_cohort, "-o", tmp_path / "s.tsv", "--json",
        "--training", small_run.cohort, "--arm", "SSRI",
    )  # fmt: skip
    said = json.loads(done.out)
    assert len(said["scores"]) == 3 * 10
    assert set(said["excluded"].values()) == {"healthy control"}
    assert len(said["files"]) == 4


def test_other_controls_are_another_reference(small_run, new_cohort, run_cli, tmp_path):
    done = run_cli("project", small_run.folder, new_cohort, "-o", tmp_path / "s.tsv")
    assert done.status == 2
    assert "Traceback" not in done.err
    assert not list(tmp_path.iterdir())


def test_people_of_the_fit_are_not_new(small_run, run_cli, tmp_path):
    words = ("project", small_run.folder, small_run.cohort, "--training", small_run.cohort,
             "-o", tmp_path / "s.tsv")  # fmt: skip
    done = run_cli(*words)
    assert done.status == 2
    assert "10 healthy control(s) and 24 participant(s) of the fit are left out" in done.err
    assert run_cli(*words, "--include-fitted").status == 0
    table = bm.summarise_projection(xr.load_dataset(tmp_path / "s.nc"))
    fitted = bm.read_run(small_run.folder)["posterior"]["scores"].mean(("chain", "draw"))
    f1 = table[table["factor"] == "F1"].set_index("participant_id")["mean"]
    both = np.corrcoef(f1, fitted.sel(factor="F1", subject=f1.index.to_numpy()))[0, 1]
    assert both > 0.9
