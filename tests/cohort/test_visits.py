"""Crossover designs and visits named by treatment are refused in one clear sentence."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from bayes_mdd.cohort import read_cohort, read_participants
from bayes_mdd.errors import DataContractError

MESSAGE = "Crossover designs, in which a participant receives several treatments one after"


def write_people(tmp_path, arms, ids=None, levels=None):
    ids = ids or [f"s{i}" for i in range(1, len(arms) + 1)]
    table = pd.DataFrame({"participant_id": ids, "diagnosis": "MDD", "arm": arms})
    table.to_csv(tmp_path / "participants.tsv", sep="\t", index=False)
    if levels:
        text = json.dumps({"arm": {"Levels": levels}})
        (tmp_path / "participants.json").write_text(text)
    return tmp_path


def test_people_with_a_row_for_each_arm_are_named_once(tmp_path):
    ids = ["s1", "s1", "s2", "s2", "s3"]
    folder = write_people(tmp_path, ["SSRI", "SNRI", "SNRI", "SSRI", "SSRI"], ids)
    with pytest.raises(DataContractError) as error:
        read_participants(folder)
    (problem,) = error.value.problems
    assert problem.startswith("s1 (SSRI, SNRI), s2 (SNRI, SSRI) have several arms.")
    assert MESSAGE in problem


@pytest.mark.parametrize(
    "arms",
    [
        ["SSRI", "SNRI", "SSRI/SNRI"],
        ["SSRI", "SNRI", "SSRI then SNRI"],
        ["SSRI", "SNRI", "SNRI, SSRI"],
        ["SSRI", "SNRI", "both"],
        ["ketamine-placebo", "placebo-ketamine", "placebo-ketamine"],
        ["AB", "BA", "AB"],
    ],
)
def test_a_cell_with_several_arms_is_refused_unless_it_is_listed(tmp_path, arms):
    folder = write_people(tmp_path, arms)
    with pytest.raises(DataContractError, match=f"names several arms. {MESSAGE}"):
        read_participants(folder)
    write_people(tmp_path, arms, levels=dict.fromkeys(arms, "one treatment"))
    assert list(read_participants(folder)["arm"]) == arms


@pytest.mark.parametrize(
    "arms",
    [
        ["SSRI", "SNRI", "low-dose"],
        ["drug_a", "drug_b", "drug_a"],
        ["A", "B", "C"],
        ["TMS-left", "TMS-right", "sham"],
        ["non-SSRI", "SSRI", "SSRI"],
    ],
)
def test_other_arms_are_no_crossover(tmp_path, arms):
    assert list(read_participants(write_people(tmp_path, arms))["arm"]) == arms


def rename_sessions(folder, first, second, levels=None):
    path = folder / "phenotype" / "hamd17.tsv"
    text = path.read_text().replace("ses-baseline", f"ses-{second}")
    path.write_text(text.replace("ses-week8", f"ses-{first}"))
    sidecar = path.with_suffix(".json")
    sidecar.unlink()
    if levels:
        sidecar.write_text(json.dumps({"session_id": {"Levels": levels}}))


@pytest.mark.parametrize("levels", [None, ["ses-SSRI", "ses-SNRI"]])
def test_visits_named_by_arm_are_refused(cohort_folder, levels):
    rename_sessions(cohort_folder, "SSRI", "SNRI", levels)
    with pytest.raises(DataContractError) as error:
        read_cohort(cohort_folder)
    (problem,) = error.value.problems
    assert "sessions ses-SSRI, ses-SNRI are named by treatment" in problem
    assert MESSAGE in problem


def test_visits_named_by_a_known_drug_are_refused(cohort_folder):
    rename_sessions(cohort_folder, "escitalopram", "placebo")
    with pytest.raises(DataContractError, match="are named by treatment"):
        read_cohort(cohort_folder)


def test_arms_named_by_numbers_do_not_name_visits(cohort_folder):
    for name in ("participants.tsv", "participants.json"):
        path = cohort_folder / name
        path.write_text(path.read_text().replace("SSRI", "1").replace("SNRI", "2"))
    rename_sessions(cohort_folder, "1", "2")
    assert read_cohort(cohort_folder).sessions == ("ses-1", "ses-2")


def test_a_treatment_that_changes_within_people_is_refused(cohort_folder):
    path = cohort_folder / "phenotype" / "hamd17.tsv"
    table = pd.read_csv(path, sep="\t", dtype=str)
    same = table.assign(arm=["SSRI"] * 6 + ["SNRI"] * 6, medication=["none", "SSRI"] * 6)
    same.to_csv(path, sep="\t", index=False)
    assert read_cohort(cohort_folder).sessions
    table.assign(treatment=["SSRI", "SNRI"] * 6).to_csv(path, sep="\t", index=False)
    with pytest.raises(DataContractError) as error:
        read_cohort(cohort_folder)
    (problem,) = error.value.problems
    assert "column 'treatment' has several treatments for sub-001 (SSRI, SNRI)" in problem
    assert MESSAGE in problem
