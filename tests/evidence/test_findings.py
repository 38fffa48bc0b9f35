"""The table of findings: what it holds, queries, contradictions."""

from __future__ import annotations

import pandas as pd
import pytest

import bayes_mdd as bm
from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.evidence.tables import ESTIMANDS, read_region_names


@pytest.fixture(scope="module")
def findings():
    return bm.read_evidence()


def test_the_table_is_whole(findings, repository):
    assert len(findings) == 114
    assert findings["ref"].nunique() == 51
    assert findings["direction"].value_counts().to_dict() == {"": 49, "+": 48, "-": 17}
    assert findings["n"].dtype == "Int64"
    assert (findings["citation"] != "").all()
    named = {r for c in ("region_a", "region_b") for r in findings[c] if r}
    assert named == set(read_region_names().index)
    raw = pd.read_csv(
        repository / "data/evidence/findings.tsv", sep="\t", dtype=str, keep_default_na=False
    )
    assert list(findings.columns) == [*raw.columns, "estimand", "citation"]
    assert findings["note"].tolist() == raw["note"].tolist()


def test_estimands_are_never_mixed(findings):
    by_id = findings.set_index("finding_id")["estimand"]
    assert set(by_id) == set(ESTIMANDS)
    # One study with the same measure under both classes is all there is on moderation.
    assert by_id.index[by_id == "moderation"].tolist() == ["R45-2", "R45-3"]
    expected = {
        "R16-1": "prognosis", "R41-1": "change", "R27-1": "change", "R44-1": "symptom",
        "R8-1": "rate", "R2-1": "background", "R25-1": "unclear", "R55-2": "unclear",
    }  # fmt: skip
    assert by_id[list(expected)].to_dict() == expected
    # Two drugs of one class are no comparison of classes.
    assert (by_id[["R43-1", "R43-3"]] == "change").all()


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"estimand": "moderation"}, ["R45-2", "R45-3"]),
        ({"drug_class": "ssri", "network": "cognitive control"}, ["R25-1", "R44-2"]),
        ({"region": "Amygdala", "timing": "baseline", "direction": "-"}, ["R24-1"]),
        ({"region": "Occipital cortex", "modality": "resting state"}, ["R28-1"]),
        ({"region": "Precentral Gyrus"}, ["R41-1"]),
        ({"drug": ["duloxetine", "venlafaxine"], "modality": "structural"}, ["R35-1", "R36-1"]),
        ({"network": "salience", "outcome": "positive_outcome"}, ["R13-3"]),
        ({"estimand": "moderation", "drug_class": "antidepressant"}, []),
    ],
)
def test_queries(asked, found):
    assert bm.find_evidence(**asked)["finding_id"].tolist() == found


def test_the_label_of_an_atlas_finds_all_regions_of_it():
    found = bm.find_evidence(region="Cingulate Gyrus, anterior division")
    assert {"acc", "dorsal_acc", "rostral_acc"} <= {*found["region_a"], *found["region_b"]}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"drug_class": "SNRU"}, ["Did you mean 'SNRI'?"]),
        ({"estimand": "moderators"}, ["Did you mean 'moderation'?"]),
        ({"region": "amygdla"}, ["Did you mean 'amygdala'?"]),
        ({"outcome": "remision", "modality": "fmri"},
         ["outcome 'remision'", "'remission'", "modality 'fmri'", "'task-fmri'"]),
        ({"drug_class": ["SSRI", "MAOI"]}, ["drug_class 'MAOI'", "Known values: SSRI"]),
        ({"region": []}, ["region is an empty list"]),
    ],
)  # fmt: skip
def test_unknown_values_are_named_with_the_nearest_known_one(asked, said):
    with pytest.raises(SpecError) as error:
        bm.find_evidence(**asked)
    assert all(part in str(error.value) for part in said)


def test_contradictions_side_by_side():
    pairs = bm.evidence_contradictions()
    first = pairs.iloc[0]
    assert (first["place"], first["same_measure"]) == ("amygdala--raphe_nuclei", True)
    assert (first["finding_id_positive"], first["finding_id_negative"]) == ("R23-1", "R24-1")
    assert (first["n_positive"], first["n_negative"]) == (18, 144)
    assert (first["test_positive"], first["test_negative"]) == ("not stated", "group_comparison")
    assert "fewer than 50 patients" in first["quality_positive"]
    assert "fewer than 50" not in first["quality_negative"]
    assert pairs["same_measure"].sum() == 1
    # A level and a change over treatment are different estimands and never paired.
    assert (pairs["timing_positive"] == pairs["timing_negative"]).all()
    # Different measures are listed after, and marked.
    assert set(pairs.loc[~pairs["same_measure"], "place"]) == {"acc"}


def test_opposite_signs_of_two_classes_are_no_contradiction():
    within = bm.evidence_contradictions(bm.find_evidence(region="inferior_parietal_cortex"))
    assert within.empty
    across = bm.evidence_contradictions(across_classes=True).iloc[0]
    assert across["same_study"]
    assert (across["drug_class_positive"], across["drug_class_negative"]) == ("SSRI", "SNRI")
    assert across["estimand"] == "moderation"


def test_other_sides_are_not_compared(findings):
    rows = findings[findings["finding_id"].isin(["R16-3", "R19-1"])].copy()
    rows["region_a"], rows["hemisphere"] = "parietal_cortex", ["R", "L"]
    assert bm.evidence_contradictions(rows).empty
    rows["hemisphere"] = ["R", "R"]
    assert len(bm.evidence_contradictions(rows)) == 1


def test_findings_of_ones_own(tmp_path, findings):
    own = findings.drop(columns=["estimand", "citation"]).head(20)
    own.to_csv(tmp_path / "findings.tsv", sep="\t", index=False)
    pd.testing.assert_frame_equal(bm.read_evidence(tmp_path), findings.head(20))
    bad = own.astype(object).copy()
    bad.loc[3, "n"], bad.loc[4, "direction"], bad.loc[5, "finding_id"] = "many", "up", "R2-1"
    bad.to_csv(tmp_path / "findings.tsv", sep="\t", index=False)
    with pytest.raises(DataContractError) as error:
        bm.read_evidence(tmp_path)
    said = str(error.value)
    assert "3 problem(s)" in said
    assert all(w in said for w in ("found many in R5-1", "found up in R5-2", "repeated: R2-1"))
    bad = own.astype(object).copy()
    bad.loc[3, "n"], bad.loc[4, "metric_value"] = "1e30", "1e999"
    bad.to_csv(tmp_path / "findings.tsv", sep="\t", index=False)
    with pytest.raises(DataContractError, match=r"(?s)found 1e30 in R5-1.*found 1e999 in R5-2"):
        bm.read_evidence(tmp_path)
    own.drop(columns=["direction"]).to_csv(tmp_path / "findings.tsv", sep="\t", index=False)
    with pytest.raises(DataContractError, match="columns direction are missing"):
        bm.read_evidence(tmp_path)
    with pytest.raises(DataContractError, match="no_such"):
        bm.read_evidence(tmp_path / "no_such")
    with pytest.raises(DataContractError, match="pass what read_evidence returned"):
        bm.find_evidence(findings=own.drop(columns=["note"]))
