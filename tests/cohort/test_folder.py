"""Reading a cohort folder: values, sessions, and one error for all problems."""

import json

import numpy as np
import pandas as pd
import pytest

from bayes_mdd.cohort import read_cohort
from bayes_mdd.errors import DataContractError


def test_participants_and_scores_are_read(cohort_folder):
    cohort = read_cohort(cohort_folder)
    assert cohort.folder == cohort_folder
    assert cohort.arms == ("SSRI", "SNRI")
    assert cohort.sites == ("A", "B")
    assert list(cohort.controls.index) == ["sub-007"]
    assert len(cohort.patients) == 6
    # Sessions follow the sidecar, not the order of the rows.
    assert cohort.sessions == ("ses-baseline", "ses-week8")
    assert cohort.symptoms["hamd17_total"].tolist()[:2] == [17.0, 34.0]
    assert list(cohort.symptoms.index) == list(cohort.participants.index)
    assert cohort.symptoms.loc["sub-007"].isna().all()
    assert cohort.symptoms_at("ses-week8")["hamd17_total"].dropna().eq(0).all()
    assert cohort.symptoms.dtypes.eq(float).all()
    assert cohort.notes == ()
    with pytest.raises(DataContractError, match="no session 'ses-2'; found ses-baseline"):
        cohort.symptoms_at("ses-2")


def test_without_levels_sessions_come_in_order_of_appearance(cohort_folder):
    path = cohort_folder / "phenotype" / "hamd17.tsv"
    path.with_suffix(".json").unlink()
    path.write_text(path.read_text().replace("baseline", "followup"))
    assert read_cohort(cohort_folder).sessions == ("ses-week8", "ses-followup")


@pytest.mark.parametrize(
    ("first", "second"),
    [("week8", "baseline"), ("post", "pre"), ("2", "1"), ("8wk", "0wk"), ("week12", "screening")],
)
def test_a_first_session_that_is_not_the_first_by_its_name_is_asked_about(
    cohort_folder, first, second
):
    path = cohort_folder / "phenotype" / "hamd17.tsv"
    path.with_suffix(".json").unlink()
    text = path.read_text().replace("ses-baseline", f"ses-{second}")
    path.write_text(text.replace("ses-week8", f"ses-{first}"))
    with pytest.raises(DataContractError, match=f"is ses-{first}, but ses-{second} seems to be"):
        read_cohort(cohort_folder)


def test_two_scales_with_one_dimension_get_prefixes(cohort_folder):
    rows = {f"madrs_{i}": ["1"] * 6 for i in range(1, 11)}
    qids = {f"qids_sr16_{i}": ["3"] * 6 for i in range(1, 17)}
    ids = {"participant_id": [f"sub-00{i}" for i in range(1, 7)]}
    for name, columns in (("madrs", rows), ("qids_sr16", qids)):
        pd.DataFrame(ids | columns).to_csv(
            cohort_folder / "phenotype" / f"{name}.tsv", sep="\t", index=False
        )
    symptoms = read_cohort(cohort_folder).symptoms
    assert symptoms["qids_sr16_sleep"].iloc[0] == 3
    assert symptoms["hamd17_sleep"].iloc[0] == 3
    assert "sleep" not in symptoms
    assert symptoms["retardation"].iloc[0] == 4
    assert symptoms["madrs_total"].iloc[0] == 10
    week8 = read_cohort(cohort_folder).symptoms_at("ses-week8")
    assert "madrs_total" not in week8
    assert "hamd17_sleep" in week8


def test_scale_and_items_from_the_sidecar(cohort_folder, edit):
    folder = cohort_folder / "phenotype"
    text = (folder / "hamd17.tsv").read_text().replace("hamd17_16", "w_hist")
    (folder / "hamd17.tsv").unlink()
    (folder / "rating.tsv").write_text(text)
    sidecar = {
        "MeasurementToolMetadata": {"Scale": "hamd17"},
        "w_hist": {"ScaleItem": "16a"},
        "session_id": {"Levels": ["ses-baseline", "ses-week8"]},
    }
    (folder / "rating.json").write_text(json.dumps(sidecar))
    assert read_cohort(cohort_folder).symptoms_at("ses-baseline")["weight"].iloc[1] == 2
    edit(folder / "rating.json", '"hamd17"', '"hamd-17"')
    with pytest.raises(
        DataContractError, match=r"rating.tsv: Unknown scale 'hamd-17'. Did you mean"
    ):
        read_cohort(cohort_folder)


def test_tables_without_a_known_scale_are_noted(cohort_folder):
    (cohort_folder / "phenotype" / "diary.tsv").write_text("participant_id\tmood\nsub-001\tok\n")
    with pytest.raises(DataContractError, match=r"diary.tsv: no row for sub-002, sub-003"):
        read_cohort(cohort_folder)
    rows = "".join(f"sub-00{i}\tok\n" for i in range(1, 7))
    (cohort_folder / "phenotype" / "diary.tsv").write_text("participant_id\tmood\n" + rows)
    cohort = read_cohort(cohort_folder)
    assert list(cohort.scores) == ["hamd17"]
    assert cohort.notes[0].startswith("phenotype/diary.tsv: not scored")


def test_problems_of_all_tables_are_reported_in_one_error(cohort_folder, edit):
    edit(cohort_folder / "participants.tsv", "SNRI\tB\t27", "XX\tB\t27")
    edit(
        cohort_folder / "phenotype" / "hamd17.tsv",
        "sub-002\tses-baseline\t2",
        "sub-002\tses-baseline\t7",
    )
    with pytest.raises(DataContractError) as error:
        read_cohort(cohort_folder)
    text = str(error.value)
    assert "participants.tsv: unknown arm 'XX' of sub-004" in text
    assert "phenotype/hamd17.tsv: item 1" in text
    assert "sub-002 ses-baseline has '7'" in text


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "sub-003\tses-week8",
            "003\tses-week8",
            "003 is not in participants.tsv. Did you mean 'sub-003'",
        ),
        ("sub-003\tses-week8", "sub-002\tses-week8", "sub-002 ses-week8 occurs 2 times"),
        ("sub-003\tses-week8", "sub-003\tses-8", "session 'ses-8' of sub-003 is not among"),
        ("sub-003\tses-week8", "n/a\tses-week8", "participant_id is missing in line"),
        ("participant_id", "subject", "there is no column 'participant_id'; found subject"),
    ],
)
def test_bad_phenotype_rows_are_reported(cohort_folder, edit, old, new, message):
    edit(cohort_folder / "phenotype" / "hamd17.tsv", old, new)
    with pytest.raises(DataContractError, match=rf"hamd17.tsv: {message}"):
        read_cohort(cohort_folder)


def test_patient_without_a_rating_is_reported(cohort_folder, edit):
    edit(cohort_folder / "participants.tsv", "sub-007", "sub-006b\tMDD\tSNRI\tA\t1\nsub-007")
    with pytest.raises(DataContractError, match=r"no row for sub-006b \(with an arm in partici"):
        read_cohort(cohort_folder)


def test_empty_and_truncated_phenotype_tables_are_reported(cohort_folder):
    path = cohort_folder / "phenotype" / "hamd17.tsv"
    text = path.read_text()
    path.write_text(text[: len(text) - 11])
    with pytest.raises(DataContractError, match=r"hamd17.tsv: line 13 has 1\d cell\(s\)"):
        read_cohort(cohort_folder)
    path.write_text("")
    with pytest.raises(DataContractError, match=r"hamd17.tsv: the file is empty"):
        read_cohort(cohort_folder)
    path.write_text(text.splitlines()[0] + "\n")
    with pytest.raises(DataContractError, match=r"hamd17.tsv: the table has no rows"):
        read_cohort(cohort_folder)


def test_missing_folder_and_missing_participants(tmp_path):
    with pytest.raises(DataContractError, match="the folder does not exist"):
        read_cohort(tmp_path / "no")
    with pytest.raises(DataContractError, match=r"participants.tsv: cannot be read"):
        read_cohort(tmp_path)


def test_cohort_without_phenotype_or_arms(tmp_path):
    (tmp_path / "participants.tsv").write_text("participant_id\tage\n01\t20\n")
    cohort = read_cohort(tmp_path)
    assert cohort.arms == cohort.sites == cohort.sessions == ()
    assert cohort.symptoms.shape == (1, 0)
    assert len(cohort.controls) == 0
    assert np.isclose(cohort.patients.loc["01", "age"], 20)


def test_item_scores_join_the_dimension_scores(cohort_folder, edit):
    table = cohort_folder / "phenotype" / "hamd17.tsv"
    edit(table, "sub-002\tses-baseline\t2", "sub-002\tses-baseline\tn/a")
    cohort = read_cohort(cohort_folder)
    items = cohort.item_scores
    assert list(items.columns) == [f"hamd17_{i}" for i in range(1, 18)]
    assert list(items.index) == list(cohort.participants.index)
    # Baseline is the first session of the sidecar; all items are 0 at week 8.
    assert items.loc["sub-001"].eq(1).all() and items.loc["sub-003"].eq(2).all()
    assert np.isnan(items.loc["sub-002", "hamd17_1"]) and items.loc["sub-002", "hamd17_2"] == 2
    assert items.loc["sub-007"].isna().all()
    joined = cohort.symptoms.join(cohort.item_scores)
    assert joined.shape[1] == cohort.symptoms.shape[1] + 17


def test_item_scores_have_standard_names(cohort_folder):
    path = cohort_folder / "phenotype" / "hamd17.tsv"
    path.write_text(path.read_text().replace("hamd17_", "item"))
    assert list(read_cohort(cohort_folder).item_scores.columns)[:2] == ["hamd17_1", "hamd17_2"]
