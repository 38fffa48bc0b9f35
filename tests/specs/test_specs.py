"""Specs: values allowed by annotations, former names of fields, overrides, the registry."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bayes_mdd.errors import SpecError
from bayes_mdd.specs import (
    MODELS,
    AnalysisSpec,
    DerivativesSpec,
    PolarLDASpec,
    SamplerSpec,
    SharedSpecificSpec,
    kind_of,
)

CHOICES = [
    (PolarLDASpec, "method", ("variational", "full_bayes")),
    (PolarLDASpec, "absent_edges", ("raise", "keep")),
    (SharedSpecificSpec, "feature_noise", ("moderated", "equal", "student")),
    (SharedSpecificSpec, "symptom_links", ("common", "by_arm")),
    (SamplerSpec, "backend", ("auto", "nutpie", "alternating", "pymc", "numpyro")),
    (DerivativesSpec, "missing", ("refuse", "drop")),
]


@pytest.mark.parametrize(("cls", "name", "allowed"), CHOICES)
def test_values_are_those_of_the_annotation(cls, name, allowed):
    for value in allowed:
        assert getattr(cls(**{name: value}), name) == value
    with pytest.raises(SpecError) as caught:
        cls(**{name: "other"})
    assert str(caught.value) == f"{name} must be one of {allowed}, got 'other'."


def test_absent_people_is_the_former_name_of_absent_subjects():
    current = DerivativesSpec(absent_subjects="drop")
    with pytest.warns(DeprecationWarning, match="absent_people is now called absent_subjects"):
        assert DerivativesSpec(absent_people="drop") == current
    with pytest.warns(DeprecationWarning, match="absent_people is now called absent_subjects"):
        assert DerivativesSpec.from_mapping({"absent_people": "drop"}) == current
    with pytest.warns(DeprecationWarning, match="absent_people is now called absent_subjects"):
        assert current.absent_people == "drop"
    with pytest.raises(SpecError, match="give absent_subjects only"):
        DerivativesSpec(absent_people="drop", absent_subjects="refuse")
    with pytest.raises(SpecError, match="absent_subjects must be one of"):
        DerivativesSpec(absent_subjects="zero")
    assert "absent_people" not in current.to_mapping()
    assert replace(current, missing="drop").absent_subjects == "drop"


def test_a_sharing_pattern_replaces_the_number_of_factors():
    spec = AnalysisSpec().with_overrides({"model.sharing": {"shared": 2, "SSRI": 1}})
    assert spec.model.n_factors == 3
    with pytest.raises(SpecError, match="sharing gives 3 factors in all, n_factors is 5"):
        AnalysisSpec().with_overrides({"model.sharing": {"shared": 3}, "model.n_factors": 5})


def test_kind_and_values_of_another_model_are_set_together():
    spec = AnalysisSpec(kind="polar_lda").with_overrides({"model.n_factors": 4})
    assert spec.model == PolarLDASpec(n_factors=4)
    with pytest.raises(SpecError, match="Cannot set 'n_factors'"):
        spec.with_overrides({"n_factors": 4})


@pytest.mark.parametrize("kind", MODELS)
def test_every_registered_model_survives_a_round_trip(kind):
    spec = AnalysisSpec(kind=kind)
    assert kind_of(spec.model) == kind
    assert AnalysisSpec.from_mapping(spec.to_mapping()) == spec
    assert AnalysisSpec(model=MODELS[kind]()).kind == kind
