"""What cannot be fitted is refused in one message that says what, where, and what to do."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest
from made_stress import plant, with_values

import bayes_mdd as bm
from bayes_mdd.errors import BayesMDDError
from bayes_mdd.shared_specific.data.directions import check_directions
from bayes_mdd.shared_specific.data.prepare import MOST_ARMS, prepare
from bayes_mdd.shared_specific.data.problems import list_problems

PLAIN = {"feature_dependence": "independent"}


@pytest.fixture(scope="module")
def cohort():
    return plant(p=40, blocks=4)


def spec(n_factors: int = 2, **settings: object) -> bm.SharedSpecificSpec:
    return bm.SharedSpecificSpec(n_factors=n_factors, **PLAIN | settings)


def refused(features, model, symptoms=None) -> str:
    """The only message of a refusal by `fit`; `validate` lists the same."""
    with pytest.raises(BayesMDDError) as caught:
        bm.fit(model, features, symptoms=symptoms, method="fast", progressbar=False)
    listed = getattr(caught.value, "problems", (str(caught.value),))
    assert len(listed) == 1, listed
    return listed[0]


def column(features, j: int, value: object):
    y = features["y"].values.copy()
    y[:, j] = value
    return with_values(features, y)


def test_features_that_cannot_be_used(cohort):
    f = cohort.features
    assert "same value in all 40 subjects: r4. Exclude" in refused(column(f, 3, 1.0), spec())
    assert "40 missing or infinite value(s)" in refused(column(f, 3, np.nan), spec())
    y = f["y"].values.copy()
    y[2, 3] = np.nan
    said = refused(with_values(f, y), spec())
    assert "subjects sub-003; features r4" in said


def test_features_without_error_are_refused(cohort):
    f = cohort.features
    one = with_values(f, np.repeat(f["y"].values[:, :1], 40, axis=1))
    said = refused(one, spec())
    assert said == (
        "the 40 features vary in 1 direction only, so that 2 factors describe them without error: "
        "remove features (or participants) that repeat others or are sums of others."
    )
    assert list_problems(spec(), one) == [said]
    assert "one factor describes" in refused(one, spec(1))
    two = with_values(f, f["y"].values[:, :2] @ np.random.default_rng(0).standard_normal((2, 40)))
    assert "or set n_factors below 2" in refused(two, spec(3))
    prepare(spec(1), two)


@pytest.mark.parametrize("p", [1, 2, 3])
def test_few_features_are_not_refused(cohort, p):
    prepare(spec(5), cohort.features.isel(feature=slice(p)))


def test_copies_of_some_features_are_not_refused(cohort):
    y = cohort.features["y"].values.copy()
    y[:, 1::2] = y[:, ::2]
    prepare(spec(), with_values(cohort.features, y))


def test_a_feature_that_is_a_covariate_is_refused(cohort):
    y = cohort.features["y"].values
    dose = y[:, 5] * 3 + 1
    with_dose = cohort.features.assign_coords(dose=("subject", dose))
    model = spec(covariates=("dose",))
    said = refused(with_dose, model)
    assert said.startswith("the covariates describe 1 feature(s) without error: r6.")
    assert list_problems(model, with_dose) == [said]
    nearly = dose + 1e-3 * np.random.default_rng(0).standard_normal(40)
    prepare(model, cohort.features.assign_coords(dose=("subject", nearly)))


@pytest.mark.parametrize("unit", [1e-12, 1e12])
def test_units_of_single_features_are_no_reason_to_refuse(cohort, unit):
    y = cohort.features["y"].values.copy()
    y[:, 7] *= unit
    check_directions(y, np.ones((40, 1)), 5, [f"r{i}" for i in range(40)])


@pytest.mark.parametrize(
    ("n_factors", "message"),
    [(0, "n_factors must be .* 1"), (39, "support at most 38 factors"), (50, "at most 38")],
)
def test_number_of_factors(cohort, n_factors, message):
    with pytest.raises(BayesMDDError, match=message):
        prepare(spec(n_factors), cohort.features)


def test_more_arms_than_a_label_can_tell_apart(cohort):
    assert MOST_ARMS == 9
    made = plant(arms={f"drug{i}": 4 for i in range(10)}, p=40, blocks=4)
    said = refused(made.features, spec())
    assert said.startswith("there are 10 arms (drug0, drug1, drug2, drug3, drug4 and 5 more)")
    assert "Join arms in participants.tsv" in said
    prepare(spec(), made.features.isel(subject=slice(36)))


def test_arms_and_covariates(cohort):
    f = cohort.features
    small = f.isel(subject=[0, 1, *range(20, 40)])
    assert "arm 'A' has 2 participants" in refused(small, spec())
    sites = f.assign_coords(site=("subject", [f"s{i}" for i in range(40)]))
    assert "confounded with site" in refused(sites, spec())
    dose = f.assign_coords(dose=("subject", np.repeat([0.0, 1.0], 20)))
    assert "confounded with dose" in refused(dose, spec(covariates=("dose",)))
    levels = f.assign_coords(scanner=("subject", [f"s{i % 39:02d}" for i in range(40)]))
    said = refused(levels, spec(covariates=("scanner",)))
    assert "scanner" in said or "factors" in said
    assert "no participant has diagnosis 'HC'" in refused(f, spec(controls="arm"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s * np.nan, "0 of 40 fitted participants have a score"),
        (lambda s: s * 0 + 3, "its SD is 0"),
        (lambda s: s.where(np.arange(40)[:, None] < 5), "5 of 40"),
    ],
)
def test_symptoms_that_say_nothing(cohort, change, message):
    linked = spec(symptoms=("anhedonia",))
    assert message in refused(cohort.features, linked, change(cohort.symptoms))


def test_one_rating_that_differs_is_no_symptom(cohort):
    linked = spec(symptoms=("anhedonia",))
    ratings = cohort.symptoms * 0 + 3
    ratings.iloc[5] = 9
    said = refused(cohort.features, linked, ratings)
    assert said.startswith("symptom 'anhedonia' is 3 for all rated participants but sub-006")
    ratings.iloc[6] = 8
    prepare(linked, cohort.features, ratings)


def test_an_infinite_rating_is_not_taken_for_a_missing_one(cohort):
    linked = spec(symptoms=("anhedonia",))
    ratings = cohort.symptoms.copy()
    ratings.iloc[5] = -np.inf
    said = refused(cohort.features, linked, ratings)
    assert said.startswith("symptom 'anhedonia' is infinite for sub-006: correct it")
    ratings.iloc[5] = np.nan
    assert len(prepare(linked, cohort.features, ratings).symptoms[0].rated) == 39


def test_a_covariate_that_nearly_is_the_arm(cohort):
    rng = np.random.default_rng(0)
    arm = np.repeat([0.0, 1.0], 20)
    for sd, confounded in ((1e-4, True), (0.3, False)):
        dose = arm + sd * rng.standard_normal(40)
        with_dose = cohort.features.assign_coords(dose=("subject", dose))
        model = spec(covariates=("dose",))
        if confounded:
            assert "predict the arm (almost) exactly" in refused(with_dose, model)
        else:
            prepare(model, with_dose)


def test_a_site_for_each_participant_is_not_listed_forty_times(cohort):
    sites = cohort.features.assign_coords(site=("subject", [f"s{i:02d}" for i in range(40)]))
    said = refused(sites, spec())
    assert "s07: 1 A; and 32 more)" in said
    assert len(said) < 300
    one_arm = sites.isel(subject=slice(20))
    said = refused(one_arm, spec(covariates=("site",)))
    assert said.startswith("20 participants with 20 design columns")
    assert "leave nothing for factors to explain" in said


def test_one_control_is_no_arm():
    made = plant(p=40, blocks=4, controls=1)
    said = refused(made.features, spec(controls="arm"))
    assert said.startswith("controls is 'arm', but 1 of the participants (sub-041)")
    assert "or set controls to 'reference'" in said
    with pytest.raises(BayesMDDError, match="1 controls are too few"):
        bm.reference_to_controls(made.features.assign_attrs(units="mm"))


def test_features_that_are_not_standardised(cohort):
    f = cohort.features
    said = refused(f * 1e12, spec())
    assert "standardise them with reference_to_controls" in said
    assert list_problems(spec(), (f * 1e12).assign_attrs(f.attrs)) == [said]
    prepare(spec(), f * 1e-12)
    y = f["y"].values.copy()
    y[0] *= 100
    prepare(spec(), with_values(f, y))


def test_the_program_refuses_with_status_2_and_validate_says_the_same(
    small_cohort, small_spec, run_cli, tmp_path
):
    folder = tmp_path / "cohort"
    shutil.copytree(small_cohort, folder)
    path = folder / "participants.tsv"
    table = pd.read_csv(path, sep="\t", keep_default_na=False)
    patient = table["arm"] != "n/a"
    table.loc[patient, "site"] = [f"s{i}" for i in range(patient.sum())]
    table.to_csv(path, sep="\t", index=False)
    (folder / "participants.json").unlink()
    found = run_cli("validate", folder, "--spec", small_spec)
    assert found.status == 2
    assert "confounded with site" in found.out + found.err
    found = run_cli("fit", small_spec, folder, "-o", tmp_path / "run", "--fast")
    assert found.status == 2
    assert found.err.count("confounded with site") == 1
    assert not (tmp_path / "run").exists()
