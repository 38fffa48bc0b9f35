"""``validate``, ``--controls`` and ``--no-controls``: who is who is said before a fit."""

import json
import shutil
import subprocess
import sys

import pandas as pd
import pytest

import bayes_mdd as bm


@pytest.fixture
def cohort(small_cohort, tmp_path):
    """Copy the small cohort; ``write`` changes its participants."""
    folder = tmp_path / "cohort"
    shutil.copytree(small_cohort, folder)
    return folder


def write(folder, *, sidecar=False, **columns):
    path = folder / "participants.tsv"
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    for name, change in columns.items():
        table[name] = change(table)
    table.to_csv(path, sep="\t", index=False)
    if not sidecar:
        (folder / "participants.json").unlink()


def without_controls(folder):
    path = folder / "participants.tsv"
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    controls = table[table["diagnosis"] == "HC"]["participant_id"]
    table[table["diagnosis"] != "HC"].to_csv(path, sep="\t", index=False)
    for subject in controls:
        for file in (folder / "features").glob(f"{subject}_*"):
            file.unlink()


def renamed(word):
    return {"diagnosis": lambda t: t["diagnosis"].replace("HC", word)}


def test_a_good_cohort_is_described(small_cohort, small_spec, run_cli):
    done = run_cli("validate", small_cohort, "--spec", small_spec, "--json")
    assert done.status == 0, done.err
    found = json.loads(done.out)
    assert found["passed"] is True
    assert found["problems"] == []
    assert [(r["role"], r["arm"], r["participants"]) for r in found["roles"]] == [
        ("control", "n/a", 10),
        ("patient", "SNRI", 12),
        ("patient", "SSRI", 12),
    ]
    columns = {c["column"]: c for c in found["columns"]}
    assert columns["age"]["enters_as"] == "slope"
    assert columns["age"]["used_in"] == "reference"
    assert " to " in columns["age"]["values"]
    assert columns["site"]["enters_as"] == "levels"
    assert columns["retardation"]["used_in"] == "symptom link"
    assert columns["hamd17_total"]["used_in"] == "not used"
    assert sum(f["features"] for f in found["features"]) == 91
    assert found["units"] == "fisher_z"
    assert "not_in_this_cohort" in str(found["notes"])
    text = run_cli("validate", small_cohort, "--spec", small_spec)
    assert text.status == 0
    for part in ("Participants", "reference only", "Columns", "Features: 91", "can be fitted."):
        assert part in text.out


def test_validate_does_not_import_pymc(small_cohort, small_spec):
    code = (
        "import sys\nfrom bayes_mdd.cli import main\n"
        f"try: main(['validate', {str(small_cohort)!r}, '--spec', {str(small_spec)!r}])\n"
        "except SystemExit as leaving: assert leaving.code == 0, leaving.code\n"
        "heavy = {'pymc', 'pytensor', 'arviz', 'nutpie', 'matplotlib', 'nilearn'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_all_problems_are_listed_at_once(cohort, small_spec, run_cli):
    write(cohort, age=lambda t: t["age"].where(t.index != 3, "n/a"), **renamed("HC"))
    feature = next((cohort / "features").glob("sub-001_*relmat*"))
    feature.unlink()
    phenotype = cohort / "phenotype" / "hamd17.tsv"
    phenotype.write_text(phenotype.read_text().replace("sub-001", "sub-999"))
    done = run_cli("validate", cohort, "--spec", small_spec, "--json")
    assert done.status == 2
    text = "\n".join(json.loads(done.out)["problems"])
    assert "phenotype/hamd17.tsv: sub-999 is not in participants.tsv" in text
    assert "sub-001" in text
    assert "feature file" in text


def test_problems_of_reference_and_model_are_listed_together(cohort, small_spec, run_cli):
    write(cohort, age=lambda t: t["age"].where(t.index != 3, "n/a"))
    settings = [
        "model.covariates=[iq,diagnosis]",
        "model.n_factors=40",
        "reference.covariates=[age]",
    ]
    words = [w for s in settings for w in ("--set", s)]
    done = run_cli("validate", cohort, "--spec", small_spec, *words, "--json")
    assert done.status == 2
    problems = json.loads(done.out)["problems"]
    assert any("covariate 'age' is missing for 1 participant(s)" in p for p in problems)
    assert any("covariate 'iq' is not a column" in p for p in problems)
    assert len(json.loads(done.out)["roles"]) == 3


@pytest.mark.parametrize("word", ["NC", "Healthy Volunteer", "CTRL"])
def test_known_words_are_read_as_controls_and_said(cohort, small_spec, run_cli, word):
    write(cohort, **renamed(word))
    done = run_cli("validate", cohort, "--spec", small_spec, "--json")
    assert done.status == 0, done.out
    found = json.loads(done.out)
    assert found["roles"][0] | {"participants": 10, "role": "control"} == found["roles"][0]
    assert f"diagnosis {word!r} (10 participants) is read as healthy control" in str(found["notes"])


def test_numbers_are_asked_about_and_can_be_named(cohort, small_spec, run_cli, tmp_path):
    write(cohort, diagnosis=lambda t: t["diagnosis"].map({"HC": "0", "MDD": "1"}))
    for command in (["validate", cohort, "--spec", small_spec], ["fit", small_spec, cohort]):
        done = run_cli(*command, *(["-o", tmp_path / "run"] if command[0] == "fit" else []))
        assert done.status == 2
        said = done.out + done.err
        assert "nobody has the diagnosis 'HC'" in said
        assert "--controls '0'" in said
    assert not (tmp_path / "run").exists()
    done = run_cli("validate", cohort, "--spec", small_spec, "--controls", "0", "--json")
    assert done.status == 0
    assert json.loads(done.out)["roles"][0]["participants"] == 10
    done = run_cli("validate", cohort, "--spec", small_spec, "--controls", "2")
    assert done.status == 2
    assert "no participant has the diagnosis '2'" in done.out


def test_a_cohort_without_controls_is_fitted_only_when_that_is_said(
    cohort, small_spec, run_cli, tmp_path
):
    without_controls(cohort)
    run = tmp_path / "run"
    done = run_cli("fit", small_spec, cohort, "-o", run)
    assert done.status == 2
    assert "nobody is a healthy control; diagnoses found: MDD (24)" in done.err
    assert "--no-controls" in done.err
    assert not run.exists()
    assert run_cli("validate", cohort, "--spec", small_spec).status == 2
    assert run_cli("validate", cohort, "--spec", small_spec, "--no-controls").status == 0
    spec = ("--set", "reference.group=patients")
    assert run_cli("validate", cohort, "--spec", small_spec, *spec).status == 0
    assert run_cli("validate", cohort, "--spec", "polar_lda").status == 2
    assert run_cli("validate", cohort, "--spec", "polar_lda", "--no-controls").status == 0
    done = run_cli("fit", small_spec, cohort, "-o", run, "--no-controls", "--fast", "--seed", "1")
    assert done.status in (0, 1), done.err
    assert "12 patients of arm SSRI: diagnosis MDD; fitted, and reference" in done.err
    page = (run / "report.html").read_text()
    said = page.index("Healthy controls are not the reference of this fit")
    assert said < page.index("check failed") if "check failed" in page else said
    roles = pd.read_csv(run / "roles.tsv", sep="\t", keep_default_na=False)
    assert roles["participants"].tolist() == [12, 12]
    provenance = json.loads((run / "provenance.json").read_text())
    assert provenance["reference_group"] == "patients"


def test_roles_are_said_before_a_fit(small_run):
    assert "10 controls: diagnosis HC; reference only" in small_run.command.err
    assert small_run.command.err.index("10 controls") < small_run.command.err.index("Fitting")
    page = (small_run.folder / "report.html").read_text()
    assert "Healthy controls, used as reference only: 10" in page
    assert "Healthy controls are not the reference" not in page


def test_contradictory_options_are_refused(small_cohort, small_spec, run_cli):
    both = ("--controls", "HC", "--no-controls")
    done = run_cli("validate", small_cohort, "--spec", small_spec, *both)
    assert (done.status, "exclude each other" in done.err) == (2, True)
    done = run_cli("validate", small_cohort, "--spec", small_spec, "--no-controls")
    assert done.status == 2
    assert "--no-controls is given, but 10 participants have the diagnosis HC" in done.out
    done = run_cli("fit", small_spec, small_cohort, "--no-controls")
    assert (done.status, "--no-controls is given" in done.err) == (2, True)


def test_cohorts_without_a_diagnosis_column_are_asked(cohort, small_spec, run_cli):
    write(cohort, **renamed("HC"))
    path = cohort / "participants.tsv"
    path.write_text(path.read_text().replace("diagnosis", "group", 1))
    done = run_cli("validate", cohort, "--spec", small_spec)
    assert done.status == 2
    assert "no column 'diagnosis'" in done.out
    assert "Column 'group' (with 'HC') may be it" in done.out


def test_reference_of_patients_although_there_are_controls(small_cohort, small_spec, run_cli):
    done = run_cli(
        "validate",
        small_cohort,
        "--spec",
        small_spec,
        "--set",
        "reference.group=patients",
        "--json",
    )
    assert done.status == 0, done.out
    first = json.loads(done.out)["roles"][-1]
    assert first["role"] == "left out"
    assert first["use"] == "control, but the reference is the patients"


def test_motion_that_is_not_controlled_is_said(small_cohort, small_spec, run_cli):
    words = ("--spec", small_spec, "--set", "reference.covariates_if_present=[age]", "--json")
    done = run_cli("validate", small_cohort, *words)
    assert done.status == 0
    assert "motion is not controlled" in str(json.loads(done.out)["notes"])
    done = run_cli("validate", small_cohort, "--spec", small_spec, "--json")
    assert "motion is not controlled" not in str(json.loads(done.out)["notes"])


def test_a_model_alone_is_enough_in_python(cohort):
    model = bm.SharedSpecificSpec(n_factors=2)
    by_model, by_spec = (
        bm.validate_cohort(cohort, spec) for spec in (model, bm.AnalysisSpec(model=model))
    )
    assert by_model.problems == by_spec.problems
    assert by_model.passed == by_spec.passed
