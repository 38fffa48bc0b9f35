"""Who is a control, who a patient of which arm, who is left out; and questions where unclear."""

import json

import pandas as pd
import pytest

from bayes_mdd.cohort import CONTROL_WORDS, check_participants, read_cohort, read_participants
from bayes_mdd.cohort.role_table import assign_roles, say_roles, summarise_roles
from bayes_mdd.errors import DataContractError


@pytest.fixture
def cohort(tmp_path):
    """Write a cohort of four patients with an arm and the given others."""

    def write(others, *, levels=None, patients="MDD", arms=("SSRI", "SSRI", "SNRI", "SNRI")):
        rows = [f"p{i}\t{patients}\t{arm}" for i, arm in enumerate(arms)]
        for i, other in enumerate(others):
            word, arm = other if isinstance(other, tuple) else (other, "n/a")
            rows.append(f"c{i}\t{word}\t{arm}")
        text = "\n".join(["participant_id\tdiagnosis\tarm", *rows]) + "\n"
        (tmp_path / "participants.tsv").write_text(text, encoding="utf-8")
        if levels is not None:
            meaning = {"diagnosis": {"Levels": levels}}
            (tmp_path / "participants.json").write_text(json.dumps(meaning))
        return tmp_path

    return write


def diagnoses(folder, **options):
    return read_participants(folder, **options)["diagnosis"].tolist()[4:]


@pytest.mark.parametrize(
    "word",
    [
        *("CTRL", "ctrl", "CTL", "CNTL", "NC", "CON", "Control", "controls", "CONTROL", "hc", "HV"),
        *("Healthy", "healthy_control", "Healthy-Volunteer", "HealthyControl", "Healthy Controls"),
        *("Never-Depressed Control", "non-depressed control", "Normal", "Healthy  comparison"),
    ],
)
def test_unambiguous_words_in_any_spelling_are_controls(cohort, word):
    found = read_cohort(cohort([word] * 3))
    assert len(found.controls) == 3
    assert len(found.patients) == 4
    assert word.lower() == "hc" or f"diagnosis {word!r} (3 participants) is read as" in str(
        found.notes
    )


@pytest.mark.parametrize(
    "word", ["0", "2", "1.0", "C", "Gesund", "group B", "no", "sibling", "HC1"]
)
def test_groups_without_an_arm_and_a_known_word_are_asked_about(cohort, word):
    folder = cohort([word] * 3)
    with pytest.raises(DataContractError) as error:
        read_participants(folder)
    text = str(error.value)
    assert "nobody has the diagnosis 'HC'" in text
    assert f"MDD (4), {word} (3)" in text
    assert f"--controls {word!r}" in text
    assert "c0, c1, c2" in text
    assert diagnoses(folder, controls=[word]) == ["HC"] * 3
    assert diagnoses(folder, controls=[]) == [word] * 3


def test_numeric_codes_are_asked_about_also_without_arms(cohort):
    folder = cohort(["0", "0"], patients="1", arms=["n/a"] * 4)
    with pytest.raises(DataContractError, match="does not say whether they are controls"):
        read_participants(folder)
    # Codes of patients only are fine: all groups have arms.
    assert diagnoses(cohort([("2", "SSRI")] * 2, patients="1")) == ["2"] * 2


def test_a_second_word_beside_known_controls_is_asked_about(cohort):
    folder = cohort(["HC", "Gesund"])
    with pytest.raises(DataContractError, match=r"diagnosis 'Gesund' \(c1\) has an arm"):
        read_participants(folder)
    assert diagnoses(folder, controls=["HC"]) == ["HC", "Gesund"]
    assert diagnoses(folder, controls=["Gesund"]) == ["HC", "HC"]
    folder = cohort(
        ["HC", "sibling"], levels={"HC": "", "MDD": "", "sibling": "Healthy-looking kin"}
    )
    assert diagnoses(
        cohort(["HC", "kin"], levels=dict.fromkeys(("HC", "MDD"), "") | {"kin": "Kin"})
    )


@pytest.mark.parametrize(
    "word", ["MDD", "Bipolar Disorder", "SCHZ", "F33.1", "MDD untreated", "n/a"]
)
def test_known_words_of_patients_without_an_arm_are_no_question(cohort, word):
    assert diagnoses(cohort(["HC", word])) == ["HC", word]
    assert diagnoses(cohort([word])) == [word]


@pytest.mark.parametrize(
    ("levels", "found"),
    [
        ({"MDD": "Major depressive disorder", "0": "Healthy control"}, "HC"),
        ({"MDD": "", "0": "Healthy volunteers, no lifetime disorder"}, "HC"),
        ({"MDD": "", "0": {"Description": "control"}}, "HC"),
        ({"MDD": "", "0": "Patients with bipolar disorder"}, "0"),
        ({"MDD": "", "0": "Active control (wait list)"}, "0"),
    ],
)
def test_levels_say_who_is_a_control(cohort, levels, found):
    assert diagnoses(cohort(["0"] * 2, levels=levels)) == [found] * 2


@pytest.mark.parametrize("levels", [{"MDD": "", "0": ""}, ["MDD", "0"]])
def test_levels_without_descriptions_do_not(cohort, levels):
    with pytest.raises(DataContractError, match="does not say whether they are controls"):
        read_participants(cohort(["0"] * 2, levels=levels))


def test_a_level_described_as_patients_is_no_control_whatever_its_word(cohort):
    levels = {"MDD": "", "HC": "Healthy control", "NC": "Patients, not classified"}
    assert diagnoses(cohort(["HC", "NC"], levels=levels)) == ["HC", "NC"]


@pytest.mark.parametrize("word", ["NC", "Healthy Volunteer", "Never-Depressed Control", "XYZ"])
def test_a_diagnosis_outside_the_levels_is_refused(cohort, word):
    folder = cohort([word] * 3, levels={"HC": "Healthy control", "MDD": ""})
    with pytest.raises(DataContractError) as error:
        read_participants(folder)
    text = str(error.value)
    assert f"diagnosis {word!r} of c0, c1, c2 is not among the Levels" in text
    assert f"nobody has the diagnosis 'HC' (healthy control); found MDD (4), {word} (3)" in text
    assert f"--controls {word!r}" in text
    assert diagnoses(folder, controls=[word]) == ["HC"] * 3


def test_controls_that_nobody_has_and_controls_without_a_diagnosis_are_refused(cohort, tmp_path):
    with pytest.raises(
        DataContractError, match=r"no participant has the diagnosis 'NCC'.*NC \(1\)"
    ):
        read_participants(cohort(["NC"]), controls=["NCC"])
    (tmp_path / "participants.tsv").write_text(
        "participant_id\tarm\tgroup\n1\tA\tMDD\n2\tn/a\tNC\n3\tA\tMDD\n"
    )
    with pytest.raises(DataContractError, match=r"no column 'diagnosis'.*'group' \(with 'NC'\)"):
        read_participants(tmp_path, controls=["NC"])


def test_missing_diagnoses_can_be_named_as_controls(cohort):
    assert diagnoses(cohort(["n/a"] * 2), controls=["n/a"]) == ["HC"] * 2


def test_controls_with_an_arm_are_refused_under_the_word_of_the_file(cohort):
    with pytest.raises(DataContractError, match=r"c0 has diagnosis 'NC' and an arm.*does not mark"):
        read_participants(cohort([("NC", "SSRI")]))
    with pytest.raises(DataContractError, match="c0 has diagnosis 'HC' and an arm: write n/a"):
        read_participants(cohort([("HC", "none")]))


@pytest.mark.parametrize("arm", ["HC", "hc", "Control", "healthy control", "CTRL"])
def test_an_arm_called_like_the_controls_is_refused(cohort, arm):
    for word in ("HC", "MDD"):
        folder = cohort([word, ("MDD", arm)])
        with pytest.raises(DataContractError, match=f"arm '{arm}' of c1 is a word for healthy"):
            read_participants(folder)
    table = pd.DataFrame({"arm": ["A", arm]}, index=["s1", "s2"])
    with pytest.raises(DataContractError, match=f"arm '{arm}' of s2 is a word for healthy"):
        check_participants(table)


def test_other_arms_are_accepted(cohort):
    arms = ["placebo", "wait-list control", "None", "0", "SSRI"]
    assert diagnoses(cohort([("MDD", arm) for arm in arms])) == ["MDD"] * 5
    folder = cohort([("MDD", "control")])
    meaning = {"arm": {"Levels": {"SSRI": "", "SNRI": "", "control": "Placebo tablets"}}}
    (folder / "participants.json").write_text(json.dumps(meaning))
    assert read_cohort(folder).arms == ("SSRI", "SNRI", "control")


@pytest.mark.parametrize(
    ("arm", "message"),
    [
        ("ssri", r"column 'arm' has one level in several spellings: 'SSRI' \(p0, p1\), 'ssri'"),
        ("SSRI\u200b", "column 'arm' has one level in several spellings"),
        ("S-SRI", "column 'arm' has one level in several spellings"),
        ("NA", "arm 'NA' of c0 looks like a missing value: write n/a"),
        ("within_scan", "arm 'within_scan' is a reserved name"),
    ],
)
def test_misspelt_arms_are_named_without_levels(cohort, arm, message):
    with pytest.raises(DataContractError, match=message):
        read_participants(cohort([("MDD", arm)]))


def test_other_words_for_controls_are_refused_in_a_table_made_by_hand():
    table = pd.DataFrame({"arm": ["A", "n/a"], "diagnosis": ["MDD", "CTRL"]}, index=["s1", "s2"])
    with pytest.raises(DataContractError, match="'CTRL' of s2 is a word for healthy controls"):
        check_participants(table)


def test_roles_are_counted_and_said():
    table = pd.DataFrame(
        {
            "diagnosis": ["HC", "HC", "MDD", "MDD", "MDD", "MDD"],
            "arm": ["n/a", "n/a", "B", "A", "n/a", "A"],
        },
        index=["c1", "c2", "p1", "p2", "p3", "p4"],
    )
    roles = assign_roles(table, measured=["c1", "c2", "p1", "p2", "p3"])
    assert say_roles(roles) == [
        "2 controls: diagnosis HC; reference only",
        "1 patient of arm A: diagnosis MDD; fitted",
        "1 patient of arm B: diagnosis MDD; fitted",
        "1 left out of arm A: diagnosis MDD; no features (p4)",
        "1 left out: diagnosis MDD; no known arm (p3)",
    ]
    counts = summarise_roles(roles)
    assert counts["participants"].tolist() == [2, 1, 1, 1, 1]
    assert not counts.astype(str).isin(list(table.index)).any(axis=None)
    within = assign_roles(table, group="patients")
    assert within.loc["c1", ["role", "use"]].tolist() == [
        "left out",
        "control, but the reference is the patients",
    ]
    assert within.loc["p1", "use"] == "fitted, and reference"
    assert assign_roles(table, controls_fitted=True).loc["c1", "role"] == "control"
    assert assign_roles(table.drop(columns="diagnosis")).loc["c1", "role"] == "left out"


def test_the_page_on_participants_lists_the_known_words(repository):
    page = (repository / "docs" / "participants.md").read_text(encoding="utf-8")
    listed = page.partition("<!-- control words -->")[2].partition("<!-- end of")[0]
    assert tuple(" ".join(listed.split()).split(", ")) == CONTROL_WORDS
