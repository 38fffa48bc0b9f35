"""Participants tables and designs: types of columns, and one error for all problems."""

import numpy as np
import pandas as pd
import pytest

from bayes_mdd.cohort import check_design, check_participants, read_participants
from bayes_mdd.errors import DataContractError


def make_participants(**columns):
    n = len(next(iter(columns.values())))
    return pd.DataFrame(columns, index=[f"s{i}" for i in range(1, n + 1)])


def test_columns_are_converted_by_content_and_sidecar(tmp_path):
    (tmp_path / "participants.tsv").write_text(
        "participant_id\tarm\tsite\tage\tsex\tscanner\tnote\n"
        "01\tNone\t1\t30\t1\t007\tn/a\n"
        "02\tNone\t2\tn/a\t2\t008\tleft early\n"
    )
    (tmp_path / "participants.json").write_text('{"sex": {"Levels": {"1": "F", "2": "M"}}}')
    table = read_participants(tmp_path)
    assert table["age"].dtype == float
    assert table.loc["01"].to_dict() == {
        "arm": "None", "site": "1", "age": 30.0, "sex": "1", "scanner": "007", "note": "n/a",
    }  # fmt: skip


def test_all_problems_are_reported_in_one_error(cohort_folder, edit):
    path = cohort_folder / "participants.tsv"
    edit(path, "sub-002", "sub-001")
    edit(path, "SNRI\tB\t27", "SNRl\tB\told")
    edit(path, "HC\tn/a", "HC\tSSRI")
    edit(path, "sub-006", "n/a")
    with pytest.raises(DataContractError) as error:
        read_participants(cohort_folder)
    text = str(error.value)
    assert "5 problem(s)" in text
    assert "sub-001 occurs 2 times (lines 2, 3): participant_id must be unique" in text
    assert "participant_id is missing in line(s) 7" in text
    assert "unknown arm 'SNRl' of sub-004" in text
    assert "Did you mean 'SNRI'?" in text
    assert "column 'age' must contain numbers or n/a; found other text for sub-004 ('old')" in text
    assert "sub-007 has diagnosis 'HC' and an arm: write n/a" in text


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("participant_id", "ID", "there is no column 'participant_id'; found ID, diagnosis"),
        ("\tarm\t", "\tArm\t", "column 'Arm' must be written 'arm'"),
        ("HC", "Gesund", r"diagnosis 'Gesund' \(sub-007\) has an arm, and the word does not say"),
        ("SSRI\tA\t31", "\tA\t31", "column 'arm' is empty for sub-001: write n/a"),
        ("SSRI\tA\t31", "SSRI\tA\tnan", r"found other text for sub-001 \('nan'\)"),
        ("SSRI\tA\t31", "n.a.\tA\t31", "unknown arm 'n.a.' of sub-001"),
    ],
)
def test_each_problem_is_reported(cohort_folder, edit, old, new, message):
    edit(cohort_folder / "participants.tsv", old, new)
    with pytest.raises(DataContractError, match=message):
        read_participants(cohort_folder)


def test_empty_cohort(cohort_folder):
    (cohort_folder / "participants.tsv").write_text("participant_id\tarm\n")
    with pytest.raises(DataContractError, match="the cohort is empty"):
        read_participants(cohort_folder)


def test_truncated_sidecar(cohort_folder):
    (cohort_folder / "participants.json").write_text('{"arm": {"Lev')
    with pytest.raises(DataContractError, match=r"participants.json[\s\S]*not valid JSON"):
        read_participants(cohort_folder)


def test_check_does_not_change_the_table():
    table = make_participants(arm=["a", "b"], diagnosis=["MDD", "MDD"])
    before = table.copy()
    check_participants(table, arms=["a", "b"])
    pd.testing.assert_frame_equal(table, before)
    with pytest.raises(DataContractError, match="unknown arm 'b' of s2"):
        check_participants(table, arms=["a"])
    with pytest.raises(DataContractError, match="s1 occurs 2 times"):
        check_participants(table.set_axis(["s1", "s1"], axis=0))


def test_design_accepts_crossed_and_partly_nested_sites():
    arm = ["x"] * 4 + ["y"] * 4 + ["n/a"]
    check_design(make_participants(arm=arm, site=list("ababababc")), ["site"])
    # Site c has only arm y, but a and b compare the arms.
    check_design(make_participants(arm=arm, site=list("ababacbcc")), ["site"])
    check_design(make_participants(arm=arm, age=[*map(float, range(8)), np.nan]), ["age"])
    check_design(make_participants(arm=["x"] * 3, site=["a"] * 3), ["site"])


def test_arm_confounded_with_site_is_refused_even_if_site_is_no_covariate():
    table = make_participants(arm=["x"] * 3 + ["y"] * 3, site=["a"] * 3 + ["b"] * 3)
    for covariates in ([], ["site"]):
        with pytest.raises(DataContractError, match="arm is confounded with site") as error:
            check_design(table, covariates)
        assert "a: 3 x; b: 3 y" in str(error.value)
        assert len(error.value.problems) == 1


def test_one_confounded_arm_of_several_is_refused():
    table = make_participants(arm=list("xxxyyyzzz"), site=list("ababababc"[:6]) + ["c"] * 3)
    with pytest.raises(DataContractError, match="confounded with site"):
        check_design(table, ["site"])


def test_confounding_with_numeric_and_with_joint_covariates():
    arm = ["x"] * 4 + ["y"] * 4
    with pytest.raises(DataContractError, match=r"confounded with dose .its values predict"):
        check_design(make_participants(arm=arm, dose=[10.0] * 4 + [2000.0] * 4), ["dose"])
    u, v = list("ppqqppqq"), list("rrssssrr")
    table = make_participants(arm=arm, u=u, v=v, w=[a + b for a, b in zip(u, v, strict=True)])
    check_design(table, ["u", "v"])
    with pytest.raises(DataContractError, match="confounded with w"):
        check_design(table, ["u", "v", "w"])
    share = [0.0, 0.2, 0.3, 0.5, 1.0, 0.1, 0.4, 0.2]
    rest = [a - b for a, b in zip([0.0] * 4 + [1.0] * 4, share, strict=True)]
    with pytest.raises(DataContractError, match="share, rest taken together"):
        check_design(make_participants(arm=arm, share=share, rest=rest), ["share", "rest"])


def test_small_arms_and_bad_covariates_are_reported_in_one_error():
    table = make_participants(
        arm=["x"] * 3 + ["y"] * 2 + ["z", "n/a"],
        diagnosis=["MDD"] * 6 + ["HC"],
        age=[1.0, np.nan, 3.0, 4.0, 5.0, 6.0, np.nan],
        sex=["F", "M", "F", "n/a", "M", "F", "F"],
    )
    with pytest.raises(DataContractError) as error:
        check_design(table, ["age", "sex", "iq"])
    text = str(error.value)
    assert "arm 'y' has 2 participants (s4, s5), expected at least 3" in text
    assert "arm 'z' has 1 participant (s6)" in text
    assert "covariate 'age' is missing for s2" in text
    assert "covariate 'sex' is missing for s4" in text
    assert "'iq' is not a column of participants.tsv; found arm, diagnosis, age, sex" in text
    assert len(error.value.problems) == 5


def test_missing_arms_are_reported():
    with pytest.raises(DataContractError, match="no column 'arm'; found site, treatment"):
        check_design(make_participants(site=["a"], treatment=["SSRI"]))
    with pytest.raises(DataContractError, match="no patient has an arm"):
        check_design(make_participants(arm=["n/a", "n/a"]))


def test_an_empty_cell_of_a_spreadsheet_is_missing(tmp_path):
    rows = "participant_id,diagnosis,arm,age,hamd\np1,MDD,SSRI,31,17\np2,HC,,,\n"
    (tmp_path / "table.csv").write_text(rows)
    read = read_participants(tmp_path / "table.csv")
    assert read.loc["p2", "arm"] == "n/a"
    assert read["age"].tolist()[0] == 31
    assert read.loc["p2", ["age", "hamd"]].isna().all()
    assert read.attrs["notes"][0] == "empty cells were read as n/a: arm (1), age (1), hamd (1)."
    (tmp_path / "table.csv").write_text(rows + ",MDD,SNRI,40,12\n")
    with pytest.raises(DataContractError, match="participant_id is missing in line"):
        read_participants(tmp_path / "table.csv")


def test_all_columns_to_rename_are_named_at_once(tmp_path):
    (tmp_path / "table.csv").write_text("Code,Group,Drug\n1,MDD,SSRI\n")
    with pytest.raises(DataContractError) as caught:
        read_participants(tmp_path / "table.csv")
    said = str(caught.value)
    assert "to 'participant_id'. Likewise 'arm' (the treatment arm, n/a for controls) and" in said
    assert "'diagnosis' (HC for controls)." in said
