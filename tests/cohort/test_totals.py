"""Tables with total scores only, and items that are asked for where only a total is known."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from bayes_mdd.cohort import read_cohort, score_total
from bayes_mdd.cohort.totals import explain_absent
from bayes_mdd.errors import DataContractError
from bayes_mdd.shared_specific.data.ratings import linked_columns
from bayes_mdd.specs import SharedSpecificSpec


def write_totals(folder, column="hamd17_total", *, name="hamd17", values=None, tool=None, **extra):
    phenotype = folder / "phenotype"
    for old in phenotype.iterdir():
        old.unlink()
    values = values or ["21", "24.5", "n/a", "17", "0", "30"]
    ids = [f"sub-00{i}" for i in range(1, 7)]
    rows = {"participant_id": ids, "session_id": ["ses-baseline"] * 6, column: values, **extra}
    pd.DataFrame(rows).to_csv(phenotype / f"{name}.tsv", sep="\t", index=False)
    if tool is not None:
        text = json.dumps({"MeasurementToolMetadata": tool})
        (phenotype / f"{name}.json").write_text(text)


TOTAL = {"Scale": "hamd17", "Items": "total only"}


@pytest.mark.parametrize(
    ("column", "name", "tool", "extra"),
    [
        ("hamd17_total", "hamd17", None, {}),
        ("HAMD17_Total", "hamd17", None, {}),
        ("hamd17_total", "hamd17", TOTAL, {"rater": ["a"] * 6}),
        ("HAMD", "depression", TOTAL, {"visit_date": ["2020"] * 6}),
        ("HDRS-17 total", "scales", TOTAL, {"rater": ["a"] * 6}),
        ("score", "scales", TOTAL, {"rater": ["a"] * 6}),
        ("x", "scales", TOTAL, {}),
    ],
)
def test_totals_are_read(cohort_folder, column, name, tool, extra):
    write_totals(cohort_folder, column, name=name, tool=tool, **extra)
    cohort = read_cohort(cohort_folder)
    assert list(cohort.symptoms) == ["hamd17_total"]
    np.testing.assert_array_equal(
        cohort.symptoms["hamd17_total"], [21, 24.5, np.nan, 17, 0, 30, np.nan]
    )
    assert cohort.item_scores.shape == (7, 0)
    (note,) = cohort.notes
    assert "retardation, cognitive" in note and "need the items of hamd17" in note
    assert "model.symptoms=[hamd17_total]" in note


def test_totals_of_other_scales_and_by_scale_item(cohort_folder):
    write_totals(cohort_folder, "MADRS", name="madrs", tool={"Scale": "madrs", "Items": "Total"})
    assert read_cohort(cohort_folder).symptoms["madrs_total"].iloc[0] == 21
    write_totals(cohort_folder, "sum1", tool=TOTAL, sum2=["1"] * 6)
    with pytest.raises(DataContractError, match="the column with the total of hamd17 is not clear"):
        read_cohort(cohort_folder)
    sidecar = {"MeasurementToolMetadata": TOTAL, "sum2": {"ScaleItem": "total"}}
    (cohort_folder / "phenotype" / "hamd17.json").write_text(json.dumps(sidecar))
    assert read_cohort(cohort_folder).symptoms["hamd17_total"].iloc[0] == 1


def test_a_table_without_items_says_how_totals_are_stated(cohort_folder):
    write_totals(cohort_folder, "HAMD")
    with pytest.raises(DataContractError) as error:
        read_cohort(cohort_folder)
    assert len(error.value.problems) == 1
    assert '"Items": "total only" beside "Scale": "hamd17"' in str(error.value)


def test_contradictions_and_impossible_totals_are_named(cohort_folder):
    write_totals(cohort_folder, tool={"Scale": "hamd17", "Items": "some"})
    with pytest.raises(
        DataContractError, match="must be \"total only\" or be left out, got 'some'"
    ):
        read_cohort(cohort_folder)
    write_totals(cohort_folder, tool=TOTAL, hamd17_1=["1"] * 6)
    with pytest.raises(DataContractError, match="but the table has items: hamd17_1"):
        read_cohort(cohort_folder)
    write_totals(cohort_folder, values=["21", "60", "-9", "999", "17,5", "mild"])
    with pytest.raises(DataContractError) as error:
        read_cohort(cohort_folder)
    assert "must be a number from 0 to 52" in str(error.value)
    for text in ("sub-002 ses-baseline has '60'", "'-9'", "'999'", "'17,5'", "'mild'"):
        assert text in str(error.value)
    write_totals(cohort_folder, values=["21", "-9", "3", "4", "5", "6"])
    scores = read_cohort(cohort_folder, missing_codes=[-9]).symptoms["hamd17_total"]
    assert np.isnan(scores["sub-002"]) and scores["sub-001"] == 21


def test_dimensions_and_items_say_that_they_need_the_items():
    table = score_total(
        pd.DataFrame({"participant_id": ["s1", "s2"], "T": [20, 11]}), "hamd17", "T"
    )
    assert table["hamd17_total"].tolist() == [20.0, 11.0]
    spec = SharedSpecificSpec(symptoms=("retardation",), ordinal_symptoms=("hamd17_1",))
    with pytest.raises(DataContractError) as error:
        linked_columns(spec, table)
    said = str(error.value)
    assert "'retardation' needs the items of hamd17, but only hamd17_total is known." in said
    assert "'hamd17_1' needs the items of hamd17" in said
    assert explain_absent("retardation", ["madrs_total"]) == ""
    assert explain_absent("shoe_size", ["hamd17_total"]) == ""
