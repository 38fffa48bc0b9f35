"""Scales: ranges, dimensions, the missing-item rule, and a real table."""

import numpy as np
import pandas as pd
import pytest

from bayes_mdd.cohort import available_scales, read_scale, read_table, score_scale
from bayes_mdd.errors import DataContractError, SpecError


def rating(values, prefix="hamd17_", index="s1"):
    return pd.DataFrame(
        [values], columns=[f"{prefix}{i}" for i in range(1, len(values) + 1)], index=[index]
    )


@pytest.mark.parametrize(
    ("scale", "dimension", "highest"),
    [
        ("hamd17", "hamd17_total", 52),
        ("hamd17", "retardation", 14),
        ("hamd17", "cognitive", 12),
        ("hamd17", "anxiety_somatization_6", 18),
        ("hamd17", "anxiety_somatization_5", 16),
        ("hamd17", "core", 22),
        ("hamd24", "hamd24_total", 76),
        ("hamd24", "cognitive", 22),
        ("hamd24", "hopelessness", 12),
        ("madrs", "madrs_total", 60),
        ("qids_sr16", "qids_sr16_total", 27),
        ("qids_sr16", "appetite_weight", 3),
    ],
)
def test_highest_scores(scale, dimension, highest):
    definition = read_scale(scale)
    assert definition.range_of(dimension) == (0, highest)
    full = pd.DataFrame({i.id: [i.max] for i in definition.items})
    assert score_scale(full, scale)[dimension].item() == highest


def test_every_scale_states_its_missing_rule_and_sources():
    for name in available_scales():
        scale = read_scale(name)
        assert scale.name == name
        assert "n/a" in scale.missing_rule
        assert len(scale.sources) >= 2
        assert all(len(item.text.split()) <= 4 for item in scale.items)


def test_dimensions_sum_their_items():
    table = rating([0] * 17)
    table["hamd17_13"] = 2
    scores = score_scale(table, "hamd17").iloc[0]
    assert scores["anxiety_somatization_6"] == 2
    assert scores["anxiety_somatization_5"] == 0
    assert scores["core"] == 2
    assert scores["hamd17_total"] == 2
    assert scores["retardation"] == 0


def test_sums_are_prorated_up_to_max_missing():
    table = rating([2.0] * 17)
    table[["hamd17_1", "hamd17_2"]] = np.nan
    table["hamd17_8"] = 4
    scores = score_scale(table, "hamd17").iloc[0]
    assert scores["retardation"] == pytest.approx((2 + 4 + 2) * 4 / 3)
    assert np.isnan(scores["cognitive"])
    assert np.isnan(scores["core"])
    assert scores["hamd17_total"] == pytest.approx((2 * 14 + 4) * 17 / 15)
    table["hamd17_3"] = np.nan
    assert np.isnan(score_scale(table, "hamd17")["hamd17_total"].item())
    assert np.isnan(score_scale(rating(["n/a"] * 17), "hamd17").to_numpy()).all()


def test_qids_domains_are_the_highest_of_their_items():
    table = rating([0, 3, 1, 0, 2, 0, 0, 1, 0, 1, 1, 0, 2, 1, 3, 1], "qids_sr16_")
    scores = score_scale(table, "qids_sr16").iloc[0]
    assert scores[["sleep", "appetite_weight", "psychomotor"]].tolist() == [3, 1, 3]
    assert scores["qids_sr16_total"] == 3 + 2 + 1 + 1 + 1 + 0 + 2 + 1 + 3
    # One of decreased and increased is answered, as on the form; one missing domain is prorated.
    table[["qids_sr16_7", "qids_sr16_9", "qids_sr16_15"]] = "n/a"
    scores = score_scale(table, "qids_sr16").iloc[0]
    assert scores["appetite_weight"] == 1
    assert np.isnan(scores["psychomotor"])
    assert scores["qids_sr16_total"] == pytest.approx(11 * 9 / 8)


@pytest.mark.parametrize("prefix", ["hamd17_", "HAMD17-", "hamd17_item", "item", "item_0", ""])
def test_column_names(prefix):
    table = rating([1] * 17, prefix)
    assert score_scale(table, "hamd17")["hamd17_total"].item() == 17


def test_all_bad_item_scores_are_reported_in_one_error():
    table = pd.concat([rating([1] * 17, index=i) for i in ("s1", "s2", "s3")]).astype(object)
    table.loc["s1", "hamd17_4"] = 3
    table.loc["s2", "hamd17_4"] = "-1"
    table.loc["s3", "hamd17_1"] = 1.5
    table.loc["s2", "hamd17_9"] = ""
    before = table.copy()
    with pytest.raises(DataContractError) as error:
        score_scale(table, "hamd17")
    text = str(error.value)
    assert "item 4 (early insomnia, column 'hamd17_4') of hamd17" in text
    assert "whole number from 0 to 2; s1 has '3', s2 has '-1'" in text
    assert "from 0 to 4; s3 has '1.5'" in text
    assert "s2 has ''" in text
    assert len(error.value.problems) == 3
    pd.testing.assert_frame_equal(table, before)


def test_missing_and_ambiguous_columns_are_reported():
    table = rating([1] * 17).drop(columns=["hamd17_9", "hamd17_3"]).assign(item1=1)
    with pytest.raises(DataContractError) as error:
        score_scale(table, "hamd17")
    text = str(error.value)
    assert "there is no column for item 3 (suicidality): name it hamd17_3" in text
    assert "there is no column for item 9" in text
    assert "several columns match item 1: hamd17_1, item1" in text


def test_a_mapping_overrides_column_names_and_is_checked():
    table = rating([1] * 17).assign(other=3)
    assert score_scale(table, "hamd17", items={"1": "other"})["hamd17_total"].item() == 19
    with pytest.raises(DataContractError, match="item 1 is mapped to column 'no'") as error:
        score_scale(table, "hamd17", items={"1": "no", "99": "other"})
    assert "hamd17 has no item '99'" in str(error.value)


def test_weight_loss_by_history_or_by_measurement():
    table = pd.concat([rating([0] * 17, index=f"s{i}") for i in range(1, 5)])
    table = table.drop(columns="hamd17_16")
    table["hamd17_16a"] = [1, 2, np.nan, np.nan]
    table["hamd17_16b"] = [1, 0, 1, np.nan]
    scored = score_scale(table, "hamd17")
    np.testing.assert_array_equal(scored["weight"], [1, 2, 1, np.nan])
    assert scored.attrs["notes"] == ("item 16: 16a and 16b differ for s2; 16a was used.",)
    measured = score_scale(table, "hamd17", weight_item="16b")
    np.testing.assert_array_equal(measured["weight"], [1, 0, 1, np.nan])
    assert "differ for s2; 16b was used" in measured.attrs["notes"][0]
    with pytest.raises(DataContractError, match="weight_item must be one of 16a, 16b, got 'c'"):
        score_scale(table, "hamd17", weight_item="c")
    with pytest.raises(DataContractError, match="several columns match item 16"):
        score_scale(table.assign(hamd17_16=0), "hamd17")


def test_unknown_scales_and_user_defined_scales(tmp_path):
    with pytest.raises(SpecError, match=r"Unknown scale 'hamd_17'. Did you mean 'hamd17'?"):
        read_scale("hamd_17")
    path = tmp_path / "two.yaml"
    path.write_text(
        "name: two\ntitle: Two\nmissing_rule: none may miss\n"
        "items: [{id: 1, text: a, min: 1, max: 5}, {id: 2, text: b, min: 1, max: 5}]\n"
        "dimensions: {both: {items: [1, 2], aggregate: sum, max_missing: 0}}\n"
    )
    assert score_scale(pd.DataFrame({"two_1": [5], "two_2": [1]}), path)["both"].item() == 6
    path.write_text(path.read_text().replace("[1, 2]", "[1, 3]"))
    with pytest.raises(SpecError, match="dimension 'both' names unknown parts 3"):
        read_scale(path)
    path.write_text("name: two\n")
    with pytest.raises(SpecError, match="does not define a scale"):
        read_scale(path)
    path.write_text("a: [")
    with pytest.raises(SpecError, match="not valid YAML"):
        read_scale(path)
    with pytest.raises(SpecError, match="Cannot read the scale"):
        read_scale(tmp_path / "no.yaml")


def test_scores_of_a_public_table(shared_data):
    table = read_table(shared_data("cnp_hamd") / "hamilton.tsv")
    with pytest.raises(DataContractError, match=r"hamilton16b.*sub-50005 has '-9999'"):
        score_scale(table, "hamd17", items="hamilton{item}")
    scores = score_scale(table, "hamd17", items="hamilton{item}", missing_codes={-9999})
    assert len(scores) == 272
    items = [f"hamilton{i}" for i in [*range(1, 16), "16a", 17]]
    complete = (table[items] != "n/a").all(axis=1).to_numpy()
    assert complete.sum() == 138
    published = pd.to_numeric(table["hamd_17"].where(complete), errors="coerce").to_numpy()
    agree = scores["hamd17_total"].to_numpy() == published
    assert agree[complete].mean() == pytest.approx(0.957, abs=0.001)
    by_weight = score_scale(
        table, "hamd17", items="hamilton{item}", missing_codes={-9999}, weight_item="16b"
    )
    assert (by_weight["hamd17_total"].to_numpy() == published)[complete].mean() < 0.95
    assert "differ for sub-50035, sub-50050" in scores.attrs["notes"][0]
    assert scores.attrs["notes"][0].endswith("; 16a was used.")
    # Controls were not rated.
    assert scores["hamd17_total"].isna().sum() == 130
