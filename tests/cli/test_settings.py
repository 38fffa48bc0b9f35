"""Small parts of the command line: settings, shipped models, settling a spec, JSON."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayes_mdd.cli import checking, job, show
from bayes_mdd.cli.settle import settle_spec, varying
from bayes_mdd.errors import SpecError
from bayes_mdd.specs import AnalysisSpec, read_spec


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


def test_settings_are_yaml_values():
    given = ["model.n_factors=8", "model.covariates=[site, age]", "sampler.cores=null"]
    assert job.parse_settings(given) == {
        "model.n_factors": 8,
        "model.covariates": ["site", "age"],
        "sampler.cores": None,
    }


@pytest.mark.parametrize("word", ["model.n_factors", "=8", "model.n_factors=", "model.x=[1"])
def test_a_word_that_is_no_setting_is_refused(word):
    with pytest.raises(SpecError, match="KEY=VALUE"):
        job.parse_settings([word])


def test_shipped_model_is_found_by_name_and_is_the_file(repository):
    by_name = job.read_named_spec("shared_specific")
    assert by_name == read_spec(repository / "models" / "shared_specific.yaml")
    with pytest.raises(SpecError, match="shared_specific"):
        job.read_named_spec("shared_specifc")


def test_every_shipped_model_has_a_card(repository):
    models = sorted((repository / "models").glob("*.yaml"))
    assert models
    for path in models:
        card = path.with_suffix(".md").read_text(encoding="utf-8")
        for heading in ("## Question", "## Estimand", "## Priors and why", "## When not to use it"):
            assert heading in card, f"{path.stem}: {heading}"


def test_what_varies_is_judged_among_the_people_in_question(features):
    assert varying(features) == ["diagnosis", "arm", "site", "age", "sex"]
    patients = features.isel(subject=[2, 3, 4])
    # Site is the same for the three; age varies although one is unknown.
    assert varying(patients) == ["arm", "age", "sex"]


def test_settle_uses_controls_for_the_reference_and_patients_for_the_model(features):
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
    settled, notes = settle_spec(spec, features, symptoms)
    assert settled.model.covariates == ("age", "sex")
    assert settled.model.symptoms == ("retardation",)
    assert settled.reference.covariates == ("site",)
    assert settled.model.covariates_if_present == settled.model.symptoms_if_present == ()
    assert settled.reference.covariates_if_present == ()
    left_out = [(n.split(" ")[0], n.split("'")[1]) for n in notes]
    assert left_out == [
        ("model.covariates", "site"),
        ("model.symptoms", "sleep"),
        ("model.symptoms", "weight"),
        ("reference.covariates", "age"),
        ("reference.covariates", "mean_fd"),
    ]
    assert spec.model.covariates_if_present == ("site", "age", "sex"), "the spec given was changed"


def test_settle_without_controls_uses_the_patients(features):
    spec = spec_with(reference={"covariates_if_present": ["site", "sex"]})
    patients = features.isel(subject=[2, 3, 4])
    settled, _ = settle_spec(spec, patients, pd.DataFrame(index=pd.Index([], dtype=str)))
    assert settled.reference.covariates == ("sex",)


def test_json_of_a_table_is_valid_and_keeps_verdicts(capsys):
    table = pd.DataFrame(
        {
            "name": ["a", "b", "c"],
            "value": [1.0, np.nan, np.inf],
            "passed": pd.Series([True, False, None], dtype=object),
        }
    )
    show.json_value(show.records(table))
    rows = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert [r["passed"] for r in rows] == [True, False, None]
    assert [r["value"] for r in rows] == [1.0, None, None]
    assert checking.failed_checks(table) == ["b"]


def test_tables_say_what_failed_and_what_to_do(capsys):
    show.checks(
        pd.DataFrame(
            {
                "name": ["rhat", "divergences"],
                "value": [1.004, 7],
                "threshold": [1.01, 0],
                "passed": pd.Series([True, False], dtype=object),
                "advice": ["", "raise target_accept"],
            }
        )
    )
    show.factors(
        pd.DataFrame(
            {
                "factor": ["F1"],
                "label": ["SNRI-specific"],
                "p_shared": [0.01],
                "p_specific_SNRI": [0.97],
                "p_specific_SSRI": [0.0],
                "explained_SNRI": [0.12],
                "explained_SNRI_lower": [0.09],
                "explained_SNRI_upper": [0.151],
                "explained_SSRI": [np.nan],
                "networks": ["DMN-CCN, DMN-DMN"],
            }
        )
    )
    out = capsys.readouterr().out
    assert "FAILED" in out
    assert "1.004" in out, "a value next to its threshold must not be rounded onto it"
    assert "0.97" in out
    assert "divergences: raise target_accept" in out
    assert "12% (9-15)" in out
    assert "SNRI-specific" in out
    assert "DMN-CCN, DMN-DMN" in out
