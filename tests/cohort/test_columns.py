"""One cell does not change a column: odd cells, implausible values, spellings of levels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bayes_mdd.cohort import check_participants
from bayes_mdd.cohort.columns import convert_column
from bayes_mdd.cohort.participants import participants_table
from bayes_mdd.errors import DataContractError

YEARS = ["12", "12", "16", "16", "20"] * 4
AGES = ["19", "24", "31.5", "38", "44", "47", "52", "58", "63", "65"] * 2
FD = ["0.08", "0.194", "0.12", "0.31", "1.4"] * 4
LETTERS = ["F", "M"] * 10


def convert(name, cells, **meaning):
    ids = pd.Series([f"sub-{i:02d}" for i in range(1, len(cells) + 1)])
    return convert_column(pd.Series(cells, name=name), ids, {name: meaning} if meaning else {})


def with_cell(cells, *odd):
    return [*odd, *cells[len(odd) :]]


@pytest.mark.parametrize(
    "cell",
    [
        "89+",
        "20+",
        "12,5",
        ">65",
        "<18",
        "~30",
        "12 yrs",
        "12 y",
        "1,250",
        "≥16",
        "12-16",
        "NA",
        "nan",
        "unknown",
        "?",
        "",
        "12\u200b",
        "\u22125",
        "08",
        "#N/A",
        "twelve",
        "12.5.1",
        "0x10",
        "1\u0661",
    ],
)
def test_an_odd_cell_in_a_column_of_numbers_is_named(cell):
    _, problems = convert("education", with_cell(YEARS, "12", "12", cell))
    assert len(problems) == 1
    assert "column 'education' holds numbers, but 1 of 20 cells" in problems[0]
    assert f"sub-03 ({cell!r})" in problems[0]
    assert "Levels of 'education' in participants.json" in problems[0]


@pytest.mark.parametrize(
    "cells",
    [
        [f"{y},5" for y in YEARS],
        [f"{y} yrs" for y in YEARS],
        ["20+" if y == "20" else y for y in YEARS],
        ["1,250.5", "1,300", "980"] * 3,
    ],
)
def test_numbers_that_are_written_otherwise_are_no_categories(cells):
    _, problems = convert("education", cells)
    assert len(problems) == 1
    assert "holds numbers" in problems[0]


def test_all_odd_cells_of_a_column_are_named_together():
    (problem,) = convert("age", with_cell(AGES, "89+", "n/a", "31,5", "42 years"))[1]
    assert "sub-01 ('89+'), sub-03 ('31,5'), sub-04 ('42 years')" in problem
    assert "sub-02" not in problem


def test_levels_in_the_sidecar_make_a_column_of_numbers_categories():
    cells = with_cell(YEARS, "20+")
    values, problems = convert("education", cells, Levels=dict.fromkeys(["12", "16", "20", "20+"]))
    assert problems == [] and list(values) == cells


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("scanner", ["007", "008"] * 5),
        ("scanner", ["1", "2", "3"] * 4),
        ("record", ["0012", "1034", "1250"]),
        ("field", ["3T", "1.5T", "3T"] * 4),
        ("age_group", ["20-29", "30-39", "40+", "<20"] * 3),
        ("smoker", ["yes", "no"] * 5),
        ("note", ["n/a"] * 8 + ["left early", "Left early"]),
        ("date", ["2019-03-04", "2019-03-05"] * 3),
        ("icd", ["F32.1", "F33.2", "296.2"] * 3),
        ("sex", ["1", "2"] * 5),
        ("site", ["1", "2", "10"] * 4),
        ("site", ["Aachen", "Bonn"] * 4),
        ("hand", ["R", "L", "A"] * 4),
        ("drug", ["citalopram", "escitalopram", "venlafaxine", "desvenlafaxine"] * 3),
    ],
)
def test_text_columns_stay_text(name, cells):
    values, problems = convert(name, cells)
    assert problems == []
    assert list(values) == cells


@pytest.mark.parametrize(
    ("name", "cells", "meaning"),
    [
        ("age", ["12", "13.5", "14.25", "17", "17.9"], {}),
        ("age", ["66", "71", "80", "88", "91"], {}),
        ("age", ["216", "384.5", "410"], {"Units": "month"}),
        ("age_months", ["216", "384.5", "410"], {}),
        ("age", ["-1.2", "0.3", "1.5", "-0.4"], {"Units": "SD"}),
        ("age", with_cell(AGES, "88"), {"Maximum": 90}),
        ("mean_fd", FD, {"Units": "mm"}),
        ("mean_fd", ["0.02", "3.9", "0.5"], {}),
        ("education", ["0", "8", "12", "25"], {}),
        ("madrs_change", ["-9", "-20", "4", "0"], {}),
        ("iq", ["88", "99", "120", "101"], {}),
        ("crp", ["0.4", "3.2", "120", "7"], {}),
        ("pc1", ["-9", "-12.5", "3", "8"], {}),
        ("n_episodes", ["0", "1", "9", "3", "12"], {}),
        ("hamd17_total", ["0", "17", "24", "52"], {}),
        ("madrs", ["0", "17", "n/a", "60"], {"Minimum": 0, "Maximum": 60}),
    ],
)
def test_plausible_numbers_pass(name, cells, meaning):
    values, problems = convert(name, cells, **meaning)
    assert problems == []
    assert values.dtype == float


@pytest.mark.parametrize(
    ("name", "cells", "named", "hint"),
    [
        ("age", with_cell(AGES, "-9"), "sub-01 (-9)", "-9 is a usual code for a missing value"),
        ("age", with_cell(AGES, "999", "-99"), "sub-01 (999), sub-02 (-99)", "usual codes"),
        ("age", with_cell(AGES, "9999"), "sub-01 (9999)", "usual code"),
        ("age", with_cell(AGES, "88"), "sub-01 (88)", "usual code"),
        ("age", with_cell(AGES, "99", "99"), "sub-01 (99), sub-02 (99)", "usual code"),
        ("age", with_cell(AGES, "0"), "sub-01 (0)", "above 0 and at most 120 years"),
        ("age", with_cell(AGES, "384"), "sub-01 (384)", "Are these months? Divide by 12."),
        ("age", with_cell(AGES, "1985"), "sub-01 (1985)", "Are these years of birth?"),
        ("age", with_cell(AGES, "121"), "sub-01 (121)", ""),
        ("Age_at_scan", with_cell(AGES, "-9"), "sub-01 (-9)", ""),
        ("mean_fd", with_cell(FD, "-0.1"), "sub-01 (-0.1)", ""),
        ("mean_fd", with_cell(FD, "0"), "sub-01 (0)", ""),
        ("mean_fd", with_cell(FD, "999"), "sub-01 (999)", "usual code"),
        ("FD", [f"{float(v) * 1000:g}" for v in FD], "sub-01 (80)", "micrometres"),
        ("education", with_cell(YEARS, "99"), "sub-01 (99)", "usual code"),
        ("education_years", with_cell(YEARS, "88"), "sub-01 (88)", "usual code"),
        ("bmi", ["22", "25.1", "-9"], "sub-03 (-9)", "usual code"),
        ("hamd17_total", ["12", "24", "99"], "sub-03 (99)", "usual code"),
        ("crp", ["1.5", "0.2", "3", "999"], "sub-04 (999)", "usual code"),
        ("n_episodes", ["1", "2", "3", "-99"], "sub-04 (-99)", "usual code"),
    ],
)
def test_implausible_numbers_are_named(name, cells, named, hint):
    _, problems = convert(name, cells)
    assert len(problems) == 1
    assert f"column '{name}': implausible values of {named}" in problems[0]
    assert hint in problems[0]


def test_the_sidecar_states_limits_and_units():
    values = ["20", "30", "70"]
    assert "sub-03 (70); expected above 0" in convert("age", values, Maximum=65)[1][0]
    assert "sub-03 (70)" in convert("crp", values, Minimum=0, Maximum=65)[1][0]
    assert "must be a number, got '65'" in convert("age", values, Maximum="65")[1][0]
    assert "sub-01 (20)" in convert("age", values, Units="years", MinValue=21)[1][0]
    assert "convert it to mm" in convert("mean_fd", ["190", "80"], Units="um")[1][0]
    assert "sub-02 (12000)" in convert("age", ["300", "12000"], Units="months")[1][0]


@pytest.mark.parametrize(
    ("name", "value", "levels"),
    [
        ("sex", "male", ["F", "M"]),
        ("sex", "m", ["F", "M"]),
        ("site", "Site1", ["site1", "site2"]),
        ("site", "site1\u200b", ["site1", "site2"]),
        ("handedness", "right", ["R", "L"]),
        ("education", "12.0", ["12", "16"]),
        ("smoker", "NA", ["yes", "no"]),
    ],
)
def test_values_outside_the_levels_are_refused_in_every_column(name, value, levels):
    _, problems = convert(name, [*levels, value, "n/a", value], Levels=levels)
    assert len(problems) == 1
    assert f"{value!a} of sub-03, sub-05 is not among the Levels" in problems[0]
    assert convert(name, [*levels, value], Levels=[*levels, value])[1] == []


@pytest.mark.parametrize(
    ("name", "a", "b"),
    [
        ("sex", "F", "female"),
        ("sex", "M", "m"),
        ("gender", "Woman", "F"),
        ("sex", "1", "1.0"),
        ("site", "site1", "Site1"),
        ("site", "site1", "site1\u200b"),
        ("site", "site1", "site_1"),
        ("site", "site1", "site01"),
        ("site", "Köln", "Ko\u0308ln"),
        ("site", "MOSCOW", "\u041cOSCOW"),
        ("site", "Magdeburg", "Magdebrug"),
        ("handedness", "R", "right"),
        ("smoker", "yes", "Y"),
        ("arm", "placebo", "PBO"),
        ("arm", "escitalopram", "escitaloprm"),
        ("diagnosis", "MDD", "mdd"),
    ],
)
def test_two_spellings_of_a_level_are_named(name, a, b):
    _, problems = convert(name, [a, "other", b, a, "other", b])
    assert len(problems) == 1
    assert "one level in several spellings" in problems[0]
    assert f"{a!a} (sub-01, sub-04), {b!a} (sub-03, sub-06)" in problems[0]
    assert convert(name, [a, "other", b], Levels=[a, b, "other"])[1] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("sex", "-9"), ("sex", "9"), ("sex", "NA"), ("site", "999"), ("site", "nan"), ("hand", ".")],
)
def test_codes_for_missing_values_are_no_levels(name, value):
    _, problems = convert(name, ["A", "B", value, "A", "B", "A"])
    assert len(problems) == 1
    assert f"sub-03 ({value!r}) would be a level of its own" in problems[0]


def test_problems_of_all_columns_are_in_one_error():
    table = pd.DataFrame(
        {
            "participant_id": ["sub-1", "sub-2\u200b", "sub-3", "sub-4"],
            "age": ["31", "89+", "44", "n/a"],
            "sex": ["F", "female", "M", "M"],
            "education": ["12", "12,5", "-9", "16"],
            "site": ["a", "b", "a", "c"],
        }
    )
    with pytest.raises(DataContractError) as error:
        participants_table(table, {"site": {"Levels": {"a": "", "b": ""}}}, "participants.tsv")
    said = " ".join(error.value.problems)
    assert "participant_id 'sub-2\\u200b' contains characters without width" in said
    for part in ("column 'age'", "column 'sex'", "column 'education'", "'c' of sub-4"):
        assert part in said
    assert len(error.value.problems) == 5


def test_tables_that_were_not_read_are_checked_too():
    table = pd.DataFrame(
        {"age": [31.0, -9.0, np.nan], "sex": ["F", "female", None], "ok": [True, False, True]},
        index=["s1", "s2", "s3"],
    )
    with pytest.raises(DataContractError) as error:
        check_participants(table)
    assert "implausible values of s2 (-9)" in str(error.value)
    assert "'F' (s1), 'female' (s2)" in str(error.value)
    assert len(error.value.problems) == 2


def test_demo_cohort_passes():
    from pathlib import Path

    import bayes_mdd as bm

    demo = Path(bm.__file__).parents[1] / "data" / "demo"
    check_participants(bm.read_cohort(demo).participants)
