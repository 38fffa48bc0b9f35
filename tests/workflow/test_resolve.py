"""Resolving the optional names of a spec against a cohort."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

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
