"""Resolving the optional names of a spec against a cohort."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayes_mdd.errors import DataContractError
from bayes_mdd.specs import AnalysisSpec
from bayes_mdd.workflow.resolve import find_varying, resolve_spec


@pytest.fixture
def features() -> xr.Dataset:
    subjects = ["c1", "c2", "p1", "p2", "p3", "p4"]
    return xr.Dataset(
        {"y": (("subject", "feature"), np.zeros((6, 2)))},
        coords={
            "subject": subjects,
            "feature": ["A--B", "A--C"],
            "diagnosis": ("subject", ["HC", "HC", "MDD", "MDD", "MDD", "MDD"]),
            "arm": ("subject", ["n/a", "n/a", "SSRI", "SSRI", "SNRI", "n/a"]),
            "site": ("subject", ["x", "y", "x", "x", "x", "y"]),
            "age": ("subject", [30.0, 30.0, 40.0, np.nan, 41.0, 50.0]),
            "sex": ("subject", ["f", "m", "f", "m", "n/a", "f"]),
            "block": ("feature", ["a-b", "a-b"]),
        },
    )


def spec_with(**parts: dict[str, object]) -> AnalysisSpec:
    return AnalysisSpec.from_mapping(parts)


def test_columns_vary_among_the_given_subjects(features):
    assert find_varying(features) == ["diagnosis", "arm", "site", "age", "sex"]
    patients = features.isel(subject=[2, 3, 4])
    # Site is the same for the three; age varies although one is unknown.
    assert find_varying(patients) == ["arm", "age", "sex"]


def test_controls_decide_for_the_reference_and_patients_for_the_model(features):
    spec = spec_with(
        model={
            "covariates": ["age"],
            "covariates_if_present": ["site", "age", "sex"],
            "symptoms_if_present": ["sleep", "retardation", "weight"],
        },
        reference={"covariates_if_present": ["site", "age", "mean_fd"]},
    )
    symptoms = pd.DataFrame(
        {"retardation": [1.0, 2.0, np.nan], "sleep": [1.0, 1.0, 1.0]}, index=["p1", "p3", "p4"]
    )
    resolved, notes = resolve_spec(spec, features, symptoms)
    assert resolved.model.covariates == ("age", "sex")
    assert resolved.model.symptoms == ("retardation",)
    assert resolved.reference.covariates == ("site",)
    assert resolved.model.covariates_if_present == resolved.model.symptoms_if_present == ()
    assert resolved.reference.covariates_if_present == ()
    left_out = [(n.split(" ")[0], n.split("'")[1]) for n in notes]
    assert left_out == [
        ("model.covariates", "site"),
        ("model.symptoms", "sleep"),
        ("model.symptoms", "weight"),
        ("reference.covariates", "age"),
        ("reference.covariates", "mean_fd"),
    ]
    assert spec.model.covariates_if_present == ("site", "age", "sex"), "the spec given was changed"


def test_without_controls_patients_decide_for_the_reference(features):
    spec = spec_with(reference={"covariates_if_present": ["site", "sex"]})
    patients = features.isel(subject=[2, 3, 4])
    resolved, _ = resolve_spec(spec, patients, pd.DataFrame(index=pd.Index([], dtype=str)))
    assert resolved.reference.covariates == ("sex",)


@pytest.mark.parametrize(
    ("name", "column"),
    [
        *(("mean_fd", c) for c in ("meanFD", "Mean_FD", "fd_mean", "FD", "framewise_displacement")),
        *(("mean_fd", c) for c in ("FD_Power", "head_motion", "mean fd")),
        *(("age", c) for c in ("Age", "age_years", "age_at_scan", "AGE (y)")),
        *(("sex", c) for c in ("Gender", "SEX", "sex_at_birth")),
        *(("site", c) for c in ("site_id", "center", "scan_site", "stie")),
        ("education", "years_of_education"),
    ],
)
def test_a_similar_column_is_asked_about_and_not_left_out(features, name, column):
    features = features.drop_vars(["site", "sex"]).rename(age=column)
    features = features.assign_coords({column: ("subject", np.arange(6.0))})
    spec = spec_with(
        model={"covariates_if_present": [name, "iq"]}, reference={"covariates_if_present": [name]}
    )
    with pytest.raises(DataContractError) as error:
        resolve_spec(spec, features, pd.DataFrame(index=["p1"]))
    assert len(error.value.problems) == 1
    assert f"there is no column '{name}' that varies, but there is '{column}'" in str(error.value)
    assert "set model.covariates_if_present=[iq] and reference.covariates_if_present=[]" in str(
        error.value
    )


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("mean_fd", "emotion_score"),
        ("age", "age_of_onset"),
        ("age", "wage"),
        ("sex", "sexual_trauma"),
        ("site", "scanner"),
        ("education", "medication"),
    ],
)
def test_other_columns_are_no_question(features, name, column):
    features = features.drop_vars(["site", "sex"]).rename(age=column)
    spec = spec_with(model={"covariates_if_present": [name]})
    resolved, notes = resolve_spec(spec, features, pd.DataFrame(index=["p1"]))
    assert resolved.model.covariates == ()
    assert len(notes) == 1


def test_a_similar_column_that_the_spec_names_is_no_question(features):
    features = features.assign_coords(meanFD=("subject", np.arange(6.0)))
    spec = spec_with(model={"covariates": ["meanFD"], "covariates_if_present": ["mean_fd"]})
    resolved, _ = resolve_spec(spec, features, pd.DataFrame(index=["p1"]))
    assert resolved.model.covariates == ("meanFD",)


def test_dimensions_of_two_scales_are_asked_about(features):
    symptoms = pd.DataFrame(
        {"hamd17_sleep": [1.0, 2.0, 3.0], "qids_sr16_sleep": [0.0, 1.0, 2.0]},
        index=["p1", "p2", "p3"],
    )
    spec = spec_with(model={"symptoms_if_present": ["sleep", "cognitive"]})
    with pytest.raises(DataContractError, match="no symptom 'sleep', but there is 'hamd17_sleep'"):
        resolve_spec(spec, features, symptoms)
