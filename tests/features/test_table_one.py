"""Table 1 describes arms and controls, and no single person."""

from __future__ import annotations

import json
from itertools import product

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayes_mdd.features.disclosure import LEAST, mask_counts, summarise_values
from bayes_mdd.features.folder.study import read_study
from bayes_mdd.features.roles import count_dropped
from bayes_mdd.features.sample import describe_sample, read_sample, write_sample


def make_features(n: int = 12, **columns: object) -> xr.Dataset:
    """Two arms and controls of `n` subjects each."""
    ids = [f"s{i:02d}" for i in range(3 * n)]
    on = {
        "arm": ("subject", np.repeat(["b", "a", "n/a"], n)),
        "diagnosis": ("subject", np.repeat(["MDD", "MDD", "HC"], n)),
        **{name: ("subject", np.asarray(values)) for name, values in columns.items()},
    }
    return xr.Dataset(coords={"subject": ids, **on})


def row(table: pd.DataFrame, variable: str, group: str, level: str = "") -> pd.Series:
    chosen = table[
        (table["variable"] == variable) & (table["group"] == group) & (table["level"] == level)
    ]
    assert len(chosen) == 1
    return chosen.iloc[0]


def test_numbers_levels_and_differences_by_arm():
    age = np.r_[np.arange(12.0), np.arange(12.0) + 3, np.full(12, 40.0)]
    age[0] = np.nan
    sex = np.tile(["F", "M"], 18)
    table = describe_sample(make_features(age=age, sex=sex, notes=[f"x{i}" for i in range(36)]))
    assert table["variable"].unique().tolist() == ["age", "sex"]  # no free text
    b = row(table, "age", "b")
    assert (b["n"], b["missing"], b["mean"]) == (11, 1, 6.0)
    assert row(table, "age", "controls")["mean"] == 40 and np.isnan(b["p5"])
    sd = [np.std(age[1:12], ddof=1), np.std(age[12:24], ddof=1)]
    expected = 2.5 / np.sqrt((sd[0] ** 2 + sd[1] ** 2) / 2)
    assert row(table, "age", "arms")["difference"] == pytest.approx(expected)
    assert row(table, "sex", "a", "F")["count"] == 6
    assert row(table, "sex", "arms")["difference"] == pytest.approx(0)


def test_a_shift_of_levels_is_measured_as_for_one_proportion():
    n = 40
    sex = np.r_[np.repeat(["F", "M"], [20, 20]), np.repeat(["F", "M"], [30, 10]), ["F"] * n]
    table = describe_sample(make_features(n, sex=sex))
    spread = np.sqrt((0.5 * 0.5 + 0.75 * 0.25) / 2)
    assert row(table, "sex", "arms")["difference"] == pytest.approx(0.25 / spread)


def test_small_counts_do_not_follow_from_the_rest():
    sex = np.r_[["F"] * 11, ["M"], ["F"] * 6, ["M"] * 6, ["F"] * 6, ["M"] * 6]
    site = np.r_[["x"] * 2, ["y"] * 4, ["z"] * 6, np.tile(["x", "y"], 12)]
    first = np.r_[np.zeros(11), 1, np.zeros(24)]  # a column of 0 and 1 has no mean
    table = describe_sample(
        make_features(sex=sex, site=site, first_episode=first), covariates=["first_episode"]
    )
    assert row(table, "sex", "b", "M")["mark"] == "withheld"
    assert row(table, "sex", "b", "F")["mark"] == "withheld"
    assert row(table, "sex", "arms")["mark"] == "withheld"
    assert [row(table, "site", "b", s)["mark"] for s in "xyz"] == ["< 5", "< 5", ""]
    assert row(table, "first_episode", "b", "1")["mark"] == "withheld"
    assert row(table, "first_episode", "b", "0")["mark"] == "withheld"
    assert table.loc[table["mark"] != "", ["count", "mean", "difference"]].isna().all(axis=None)


def test_masked_counts_have_several_solutions():
    for counts in product((0, 1, 2, 4, 5, 9), repeat=3):
        by_level = dict(zip("abc", counts, strict=True))
        marks = mask_counts(by_level)
        assert all(marks[k] for k, n in by_level.items() if 0 < n < LEAST)
        hidden = [k for k in by_level if marks[k]]
        total = sum(by_level[k] for k in hidden)
        ranges = [range(1, LEAST) if marks[k] == "< 5" else range(1, 20) for k in hidden]
        solutions = [c for c in product(*ranges) if sum(c) == total]
        # Unless nobody else is left, or the hidden ones are as many as they can be.
        everyone = total == sum(counts)
        assert len(solutions) > 1 or not hidden or everyone or total == 4 * len(hidden)


def test_summaries_of_few_values_are_withheld():
    assert np.isnan(summarise_values(np.array([1.0, 2, 3, 4]))["sd"])
    assert np.isnan(summarise_values(np.arange(19.0))["p95"])
    assert summarise_values(np.arange(101.0))["p95"] == 95


def test_severity_is_that_of_totals_and_linked_symptoms():
    features = make_features()
    ids = features["subject"].values
    scores = pd.DataFrame({"sleep": 1.0, "core": np.arange(36.0), "hamd17_total": 9.5}, index=ids)
    scores["hamd17_again_total"] = scores["hamd17_total"]
    scores.loc[ids[24:], "core"] = np.nan
    scores.loc[ids[:30], "hamd17_total"] += np.arange(30)
    scores["hamd17_again_total"] = scores["hamd17_total"]
    table = describe_sample(features, scores, linked=["core"])
    assert table["variable"].unique().tolist() == ["hamd17_total", "core"]
    none = row(table, "core", "controls")
    assert (none["n"], none["missing"], none["mark"]) == (0, 12, "")
    few = describe_sample(features, scores[["sleep", "core"]])
    assert few["variable"].unique().tolist() == ["sleep", "core"]


def test_names_of_columns_in_other_words_and_one_arm():
    features = make_features(Gender=["f", "m"] * 18, centre=["x"] * 36, meanFD=np.arange(36) / 90)
    kinds = describe_sample(features).set_index("variable")["kind"].to_dict()
    assert kinds == {"Gender": "sex", "centre": "site", "meanFD": "motion"}
    one = describe_sample(features.isel(subject=slice(0, 12)))
    assert set(one["group"]) == {"b"}
    fitted = describe_sample(features, controls_fitted=True)
    assert set(fitted["group"]) == {"a", "b", "HC", "arms"}


def test_the_table_survives_its_file():
    table = describe_sample(make_features(age=np.arange(36.0), sex=["F", "M"] * 18))
    text = write_sample(table)
    assert "NaN" not in text and "s01" not in text
    pd.testing.assert_frame_equal(read_sample(text), table, rtol=1e-5)
    assert read_sample("no table") is None and read_sample(None) is None
    assert read_sample("[1]") is None


def test_subjects_dropped_before_the_fit_are_counted():
    dropped = {"policy": "drop-subjects", "who": {"too short": ["s1", "s2"], "none": []}}
    assert count_dropped(xr.Dataset(attrs={"left_out": json.dumps(dropped)})) == {"too short": 2}
    regions = dropped | {"policy": "drop-regions"}
    assert count_dropped(xr.Dataset(attrs={"left_out": json.dumps(regions)})) == {}
    assert count_dropped(xr.Dataset(attrs={"left_out": "x"})) == {}


@pytest.mark.parametrize(
    ("description", "arm", "expected"),
    [
        ({"Name": "A  trial"}, {"Assignment": "randomized"}, ("A trial", None, "randomised")),
        ({"Name": "Synthetic X"}, {}, ("Synthetic X", True, None)),
        ({"GeneratedBy": [{"Name": "simulator"}]}, {"Assignment": 3}, (None, True, None)),
        ({"Name": 7, "GeneratedBy": "me"}, "text", (None, None, None)),
    ],
)
def test_a_study_says_its_name_origin_and_assignment(tmp_path, description, arm, expected):
    (tmp_path / "dataset_description.json").write_text(json.dumps(description))
    (tmp_path / "participants.json").write_text(json.dumps({"arm": arm}))
    study = read_study(tmp_path)
    assert tuple(study.get(k) for k in ("name", "synthetic", "assignment")) == expected


def test_a_folder_without_descriptions_states_nothing(tmp_path):
    assert read_study(tmp_path) == {}
    (tmp_path / "dataset_description.json").write_text("{")
    (tmp_path / "features").mkdir()
    levels = {"network": {"Levels": {"DMN": "Default mode", "X": 3}}}
    (tmp_path / "features" / "regions.json").write_text(json.dumps(levels))
    assert read_study(tmp_path) == {"networks": {"DMN": "Default mode"}}
