"""The outcome table: arm, endpoint, baseline, drop-out, declared design, and every refusal."""

import json
import runpy

import numpy as np
import pandas as pd
import pytest
from cohort_tables import declare, put

from bayes_mdd import read_cohort, read_outcomes, read_visits, response_spec
from bayes_mdd.errors import DataContractError, SpecError

SESSIONS = {"endpoint": "ses-week8", "baseline": "ses-baseline"}
DESIGN = {"Assignment": "randomised", "Default": "SSRI"}


@pytest.fixture
def trial_folder(cohort_folder):
    declare(cohort_folder, **DESIGN)
    return cohort_folder


def outcomes(folder, **options):
    return read_outcomes(folder, **{"scale": "hamd17", **SESSIONS, **options})


def problems(folder, **options):
    with pytest.raises(DataContractError) as caught:
        outcomes(folder, **options)
    return caught.value.problems


def test_the_table_has_endpoint_baseline_and_participants(trial_folder):
    table = outcomes(trial_folder)
    assert table.index.name == "participant_id"
    assert list(table.index) == [f"sub-00{k}" for k in range(1, 7)]  # no control
    assert (table["hamd17"] == 0).all()
    assert table["hamd17_baseline"].tolist() == [17, 34, 34, 34, 34, 34]
    assert table["arm"].tolist() == ["SSRI"] * 3 + ["SNRI"] * 3
    assert table["site"].tolist() == list("ABABAB")
    assert np.isnan(table.loc["sub-003", "age"])
    assert (table["missing_reason"] == "").all()
    assert "propensity" not in table and "stratum" not in table


def test_the_attributes_say_what_was_declared_and_survive_a_selection(trial_folder):
    table = outcomes(trial_folder)
    assert table.attrs["units"] == "points"
    assert table.attrs["range"] == [0, 52]
    assert table.attrs["higher_is_better"] is False
    assert (table.attrs["assignment"], table.attrs["default"]) == ("randomised", "SSRI")
    assert table.attrs["allocation"] is None and table.attrs["strata"] == []
    json.dumps(table.attrs)
    assert table[table["site"] == "A"].attrs["default"] == "SSRI"
    spec = response_spec(table, covariates=("age",), minimum=2.0)
    assert (spec.outcome, spec.baseline, spec.minimum) == ("hamd17", "hamd17_baseline", 2.0)


def test_a_cohort_and_its_folder_give_the_same(trial_folder):
    pd.testing.assert_frame_equal(outcomes(trial_folder), outcomes(read_cohort(trial_folder)))


def test_another_score_of_the_scale_may_be_the_outcome(trial_folder):
    table = outcomes(trial_folder, dimension="core")
    assert table.attrs["outcome"] == "core" and table.attrs["range"] == [0, 22]
    assert table.loc["sub-001", "core_baseline"] == 6
    (found,) = problems(trial_folder, dimension="cores")
    assert "Did you mean 'core'?" in found


def test_endpoint_and_baseline_are_never_guessed(trial_folder):
    found = problems(trial_folder, endpoint=None, baseline=None)
    assert len(found) == 2
    assert all("ses-baseline, ses-week8" in p for p in found)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"baseline": "ses-week8"}, "baseline and endpoint are the same session"),
        ({"endpoint": "ses-baseline", "baseline": "ses-week8"}, "comes after the endpoint"),
        ({"endpoint": "ses-week9"}, "no session 'ses-week9' (endpoint)"),
        ({"endpoint": "week8"}, "Did you mean 'ses-week8'?"),
    ],
)
def test_wrong_sessions_are_refused(trial_folder, change, expected):
    (found,) = problems(trial_folder, **change)
    assert expected in found and "in the order of time" in found


def test_a_scale_that_the_cohort_lacks_is_refused(trial_folder):
    with pytest.raises(DataContractError, match=r"the cohort has hamd17\. Did you mean 'hamd17'"):
        read_outcomes(trial_folder, scale="hamd71", **SESSIONS)


def test_one_session_is_no_trial(trial_folder):
    rows = [["participant_id", "hamd17_total"], *[[f"sub-00{k}", "20"] for k in range(1, 7)]]
    put(trial_folder, "phenotype/hamd17.tsv", rows)
    (found,) = problems(trial_folder)
    assert "no column 'session_id'" in found


def test_an_undeclared_design_shows_the_three_lines(cohort_folder):
    (found,) = problems(cohort_folder)
    for line in ('"Assignment": "randomised"', '"Default": "..."', '"AllocationProbability": 0.5'):
        assert line in found
    assert "SNRI, SSRI" in found


def test_arguments_declare_or_replace_the_design(cohort_folder):
    given = {"assignment": "randomized", "default": "SNRI"}
    table = outcomes(cohort_folder, **given)
    assert (table.attrs["assignment"], table.attrs["default"]) == ("randomised", "SNRI")
    declare(cohort_folder, Assignment="observational", Default="SSRI")
    notes = outcomes(cohort_folder, **given).attrs["notes"]
    assert any("'randomized' was passed and replaces 'observational'" in n for n in notes)
    assert any("'SNRI' was passed and replaces 'SSRI'" in n for n in notes)


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ({"Assignment": "random"}, "Did you mean 'randomised'?"),
        ({"Assignment": "non-randomised"}, "must be 'randomised' or 'observational'"),
        ({"Default": "ssri"}, "Did you mean 'SSRI'?"),
        ({"Default": "placebo"}, "no arm of a patient; the arms are SNRI, SSRI"),
        ({"AllocationProbability": 50}, "strictly between 0 and 1"),
        ({"AllocationProbability": {"SSRI": 0.5, "SNRI": 0.4}}, "sum to 1, got 0.9"),
        ({"AllocationProbability": {"SSRI": 0.5, "SNR": 0.5}}, "must name the arms (SNRI, SSRI)"),
        ({"Assignment": "observational", "AllocationProbability": 0.5}, "leave it out"),
        ({"Strata": ["sites"]}, "Did you mean 'site'?"),
        ({"Strata": ["age"]}, "'age', a stratum, is missing for sub-003"),
        ({"Strata": 3}, "must list columns"),
        ({"Strata": "site", "AllocationProbability": {"A": 0.5}}, "lacks the strata B"),
        ({"assignment": "randomised"}, "'assignment' must be written 'Assignment'"),
        ({"Allocation_Probability": 0.5}, "must be written 'AllocationProbability'"),
    ],
)
def test_a_wrong_declaration_is_refused(cohort_folder, declared, expected):
    declare(cohort_folder, **{**DESIGN, **declared})
    assert any(expected in p for p in problems(cohort_folder))


@pytest.mark.parametrize(
    ("allocation", "strata", "expected"),
    [
        (0.6, None, [0.6] * 6),
        ({"SSRI": 0.25, "SNRI": 0.75}, None, [0.75] * 6),
        ({"A": 0.5, "B": 0.4}, "site", [0.5, 0.4] * 3),
    ],
)
def test_the_declared_allocation_gives_the_propensity(cohort_folder, allocation, strata, expected):
    declare(cohort_folder, **DESIGN, AllocationProbability=allocation)
    if strata:
        declare(cohort_folder, Strata=strata)
    table = outcomes(cohort_folder)
    assert table["propensity"].tolist() == expected
    assert table.attrs["allocation"] == allocation
    if strata:
        assert table["stratum"].tolist() == list("ABABAB")


def test_a_column_of_propensities_is_used_and_checked(trial_folder):
    path = trial_folder / "participants.tsv"
    people = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    people["propensity"] = ["0.4", "0.5", "0.5", "0.5", "0.6", "0.6", "n/a"]
    people.to_csv(path, sep="\t", index=False)
    assert outcomes(trial_folder)["propensity"].tolist() == [0.4, 0.5, 0.5, 0.5, 0.6, 0.6]
    (found,) = problems(trial_folder, allocation=0.5)
    assert "differ" in found
    people.assign(propensity=["0", "1", *["0.5"] * 5]).to_csv(path, sep="\t", index=False)
    (found,) = problems(trial_folder)
    assert "sub-001, sub-002" in found


def test_a_far_allocation_is_noted():
    from bayes_mdd.cohort.allocation import far_allocation

    table = pd.DataFrame({"arm": ["A"] * 50 + ["B"] * 50})
    planned = pd.Series(0.5, index=table.index)
    assert far_allocation(table, "A", planned) == []
    (note,) = far_allocation(table, "A", planned * 0 + 0.75)
    assert "50 of 100" in note and "75%" in note


def test_columns_of_the_same_name_are_refused(trial_folder, edit):
    edit(trial_folder / "participants.tsv", "\tage", "\thamd17_baseline")
    assert any("'hamd17_baseline'" in p and "rename it" in p for p in problems(trial_folder))


def test_missing_outcomes_have_the_reason_of_the_disposition(trial_folder, edit):
    ratings = trial_folder / "phenotype" / "hamd17.tsv"
    for k in (1, 2):
        edit(ratings, f"sub-00{k}\tses-week8" + "\t0" * 17, f"sub-00{k}\tses-week8" + "\tn/a" * 17)
    left = [
        ["participant_id", "last_session", "reason"],
        ["sub-001", "ses-baseline", "lack_of_efficacy"],
        ["sub-003", "ses-baseline", "adverse_event"],
        ["sub-004", "n/a", "n/a"],
    ]
    put(trial_folder, "phenotype/disposition.tsv", left)
    table = outcomes(trial_folder)
    assert table["missing_reason"].tolist() == ["lack_of_efficacy", "not stated", "", "", "", ""]
    assert table["hamd17"].isna().tolist() == [True, True, False, False, False, False]
    notes = " ".join(table.attrs["notes"])
    assert "1 patient(s) ended treatment early but were rated" in notes
    assert "ratings after last_session of sub-003 are kept" in notes
    assert "1 of 2 missing outcomes have no stated reason" in notes


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("Lack of efficacy", "Did you mean 'lack_of_efficacy'?"),
        ("lack_of_efficcy", "Did you mean 'lack_of_efficacy'?"),
        ("LTFU", "Did you mean 'lost'?"),
        ("withdrawal", "Did you mean 'withdrew'?"),
        ("completed", "write n/a for participants who completed"),
        ("zzz", "Expected one of lack_of_efficacy, adverse_event"),
        ("", "write n/a"),
    ],
)
def test_unknown_reasons_are_refused_with_the_nearest(trial_folder, reason, expected):
    rows = [["participant_id", "last_session", "reason"], ["sub-001", "ses-baseline", reason]]
    put(trial_folder, "phenotype/disposition.tsv", rows)
    with pytest.raises(DataContractError) as caught:
        read_cohort(trial_folder)
    (found,) = caught.value.problems
    assert found.startswith("phenotype/disposition.tsv:")
    assert expected in found and "sub-001" in found


def test_all_problems_of_the_disposition_are_listed(trial_folder):
    rows = [
        ["participant_id", "last_session", "reason"],
        ["sub-001", "ses-week88", "lost"],
        ["sub-001", "ses-baseline", "lost"],
        ["sub-099", "ses-baseline", "died"],
    ]
    cohort = read_cohort(trial_folder)
    put(trial_folder, "phenotype/disposition.tsv", rows)
    found = problems(cohort)
    assert len(found) == 4
    text = " ".join(found)
    assert "Did you mean 'ses-week8'?" in text and "sub-099 is not in participants.tsv" in text
    assert "sub-001 occurs 2 times" in text and "'died'" in text
    put(trial_folder, "phenotype/disposition.tsv", [["participant_id", "why"], ["sub-001", "x"]])
    assert "no column 'last_session', 'reason'" in problems(cohort)[0]


def test_direction_of_a_scale_outside_the_package_must_be_stated(trial_folder):
    scale = (
        "name: sofas\ntitle: SOFAS\nversion: '1'\nmissing_rule: none\n"
        "items: [{id: '1', text: level, min: 0, max: 100}]\n"
        "dimensions: {sofas_total: {items: ['1'], aggregate: sum, max_missing: 0}}\n"
        "sources: [here]\n"
    )
    (trial_folder / "phenotype" / "sofas.yaml").write_text(scale)
    rows = [["participant_id", "session_id", "sofas_1"]]
    for k in range(1, 7):
        rows += [[f"sub-00{k}", "ses-baseline", "40"], [f"sub-00{k}", "ses-week8", "60"]]
    put(trial_folder, "phenotype/sofas.tsv", rows)
    tool = {"Scale": "sofas.yaml"}
    sidecar = trial_folder / "phenotype" / "sofas.json"
    sidecar.write_text(json.dumps({"MeasurementToolMetadata": tool}))
    with pytest.raises(DataContractError, match="direction of sofas is not stated"):
        read_outcomes(trial_folder, scale="sofas", **SESSIONS)
    tool["HigherIsBetter"] = True
    sidecar.write_text(json.dumps({"MeasurementToolMetadata": tool}))
    table = read_outcomes(trial_folder, scale="sofas", **SESSIONS)
    assert table.attrs["higher_is_better"] is True
    assert response_spec(table).higher_is_better


def test_visits_have_weeks_in_the_order_of_time(trial_folder):
    visits = read_visits(trial_folder, scale="hamd17")
    assert list(visits.columns) == ["participant_id", "session_id", "week", "value"]
    assert visits["week"].tolist() == [0, 8] * 6
    assert visits["participant_id"].tolist()[:3] == ["sub-001", "sub-001", "sub-002"]
    assert visits.loc[0, "value"] == 17
    assert visits.attrs["sessions"] == ["ses-baseline", "ses-week8"]


@pytest.mark.parametrize(
    ("session_id", "expected"),
    [
        ({"Weeks": {"ses-baseline": 0, "ses-week8": 7.5}}, [0, 7.5]),
        ({"Weeks": {"ses-week8": "8"}}, "must be numbers"),
        ({"Weeks": [0, 8]}, "must give a number for each session"),
        ({"Weeks": {"ses-baseline": 9}}, "put them in the order of time"),
    ],
)
def test_weeks_may_be_stated(trial_folder, session_id, expected):
    levels = {"Levels": {"ses-baseline": "", "ses-week8": ""}}
    sidecar = {"session_id": {**levels, **session_id}}
    (trial_folder / "phenotype" / "hamd17.json").write_text(json.dumps(sidecar))
    if isinstance(expected, list):
        weeks = read_visits(trial_folder, scale="hamd17")["week"].tolist()
        assert weeks == expected * 6
        return
    with pytest.raises(DataContractError, match=expected):
        read_visits(trial_folder, scale="hamd17")
    assert any(expected in p for p in problems(trial_folder))


def test_sessions_without_levels_are_ordered_by_week(trial_folder):
    (trial_folder / "phenotype" / "hamd17.json").unlink()
    rows = [["participant_id", "session_id", "hamd17_total"]]
    for k in range(1, 7):
        weeks = ("baseline", "week8") if k == 1 else ("baseline", "week2", "week8")
        rows += [[f"sub-00{k}", f"ses-{w}", "20"] for w in weeks]
    put(trial_folder, "phenotype/hamd17.tsv", rows)
    assert read_visits(trial_folder, scale="hamd17").attrs["sessions"] == [
        "ses-baseline",
        "ses-week2",
        "ses-week8",
    ]
    assert outcomes(trial_folder, endpoint="ses-week2").attrs["endpoint_session"] == "ses-week2"
    (found,) = problems(trial_folder, endpoint="ses-week2", baseline="ses-week8")
    assert "comes after" in found


def test_a_column_of_weeks_is_read_and_checked(trial_folder):
    rows = [["participant_id", "session_id", "week", "hamd17_total"]]
    for k in range(1, 7):
        rows += [[f"sub-00{k}", "ses-baseline", "0", "20"]]
        rows += [[f"sub-00{k}", "ses-week8", "n/a" if k == 6 else f"8.{k}", "9"]]
    put(trial_folder, "phenotype/hamd17.tsv", rows)
    weeks = read_visits(trial_folder, scale="hamd17")["week"].tolist()
    assert weeks[1::2] == [8.1, 8.2, 8.3, 8.4, 8.5, 8.0]
    rows[2][2] = "eight"
    put(trial_folder, "phenotype/hamd17.tsv", rows)
    with pytest.raises(DataContractError, match="must hold numbers or n/a, found eight in line"):
        read_visits(trial_folder, scale="hamd17")


def test_a_table_without_declarations_makes_no_spec():
    with pytest.raises(SpecError, match=r"outcome, default_arm, assignment.*outcome=\.\.\."):
        response_spec(pd.DataFrame({"arm": ["a"]}))


def test_the_demo_declares_its_design(repository):
    table = outcomes(repository / "data" / "demo")
    assert (table.attrs["assignment"], table.attrs["default"]) == ("randomised", "SSRI")
    assert (table.attrs["allocation"], table.attrs["strata"]) == (0.5, ["site"])
    assert len(table) == 62
    known = table[table["hamd17"].notna()]
    assert len(known) == 48
    assert known["hamd17_baseline"].notna().all(), "no decision about incomplete baselines"
    twin = outcomes(repository / "data" / "demo", scale="hamd17_null")
    assert (twin["hamd17_null_baseline"].dropna() == table["hamd17_baseline"].dropna()).all()
    assert (twin["missing_reason"] == table["missing_reason"]).all()


def test_a_real_trial(shared_data, repository, tmp_path):
    source = shared_data("trial_hamd17") / "rbmi_antidepressant_hamd17.csv"
    recipe = runpy.run_path(str(repository / "docs" / "recipes" / "trial_hamd17.py"))
    cohort = recipe["convert"](source, tmp_path / "trial")
    table = outcomes(cohort, endpoint="ses-week6")
    assert table["arm"].value_counts().to_dict() == {"PLACEBO": 88, "DRUG": 84}
    assert table["hamd17"].notna().sum() == 129
    assert set(table["missing_reason"]) == {"", "not stated"}
    visits = read_visits(cohort, scale="hamd17")
    assert len(visits) == 608 + 172
    # Least squares on completers: in line with the published drug effect of this subset.
    known = table[table["hamd17"].notna()]
    drug = known["arm"] == "DRUG"
    columns = np.column_stack([np.ones(len(known)), known["hamd17_baseline"], drug])
    effect = np.linalg.lstsq(columns, known["hamd17"].to_numpy(), rcond=None)[0][2]
    assert effect == pytest.approx(-2.66, abs=0.01)
