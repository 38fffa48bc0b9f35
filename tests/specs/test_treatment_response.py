"""Spec files of treatment response: parts, refusals, overrides."""

from __future__ import annotations

import pytest

import bayes_mdd as bm
from bayes_mdd.errors import SpecError


def test_the_shipped_spec_says_what_the_defaults_are(repository):
    spec = bm.read_response_spec(repository / "models" / "treatment_response.yaml")
    assert spec.outcome == bm.OutcomeSpec()
    assert spec.evaluation == bm.EvaluationSpec()
    assert spec.sampler == bm.SamplerSpec()
    assert spec.stage_one.model.covariates_if_present == ("site", "age", "sex", "mean_fd")
    default = bm.ResponseSpec(outcome="y", default_arm="A", assignment="randomised").to_mapping()
    stated = {k: v for k, v in spec.response.items() if k != "covariates_if_present"}
    assert stated == {name: default[name] for name in stated}
    assert not {"default_arm", "assignment", "outcome"} & set(stated), "declared by the cohort"


def test_a_spec_survives_writing(tmp_path):
    spec = bm.TreatmentResponseSpec(
        response={"minimum": 2.0, "covariates": ["age"], "covariates_if_present": ["sex"]},
        stage_one={"model": {"n_factors": 3}},
    )
    path = bm.write_response_spec(spec, tmp_path / "spec.yaml")
    assert bm.read_response_spec(path) == spec
    assert bm.read_response_spec(path).fingerprint == spec.fingerprint


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"outcomes": {}}, "Unknown key 'outcomes' in TreatmentResponseSpec. Did you mean"),
        ({"outcome": {"scal": "x"}}, "outcome: Unknown key 'scal'.*Did you mean 'scale'"),
        ({"outcome": {"endpoint": "a", "baseline": "a"}}, "same session"),
        ({"outcome": {"scale": ""}}, "scale must be a name"),
        ({"response": {"p_sta": 0.8}}, "response: Unknown key 'p_sta'. Did you mean 'p_star'"),
        ({"response": {"p_star": 1.0}}, "response: p_star must lie in"),
        ({"response": {"minimum": -1}}, "minimum must be a number of points"),
        ({"response": {"covariates_if_present": "age"}}, "must be a list of names"),
        ({"response": []}, "must be given as keys and values"),
        ({"response": {"allow_observational": "no"}}, "at least three words"),
        ({"evaluation": {"permutations": 9}}, "permutations must be a whole number of at least 99"),
        ({"evaluation": {"policy_permutations": 3}}, "0 or at least 19"),
        ({"stage_one": {"model": {"n_factor": 3}}}, "stage_one: Unknown key 'n_factor'"),
        ({"stage_one": {"kind": "polar_lda"}}, "stage_one: kind must be 'shared_specific'"),
        ({"stage_one": {"model": {"controls": "arm"}}}, "controls must be 'reference'"),
        ({"stage_one": {"model": {"sharing": {"shared": 2}}}}, "the arms are hidden"),
        ({"sampler": {"draws": 0}}, "sampler: draws must be"),
        ({"kind": "shared_specific"}, "kind must be 'treatment_response'"),
    ],
)
def test_what_cannot_be_honoured_is_refused(raw, said):
    with pytest.raises(SpecError, match=said):
        bm.TreatmentResponseSpec.from_mapping(raw)


def test_all_problems_are_said_at_once():
    raw = {"outcome": {"scale": ""}, "response": {"p_star": 2}, "sampler": {"draws": 0}}
    with pytest.raises(SpecError) as caught:
        bm.TreatmentResponseSpec.from_mapping(raw)
    for part in ("outcome:", "response:", "sampler:"):
        assert part in str(caught.value)


def test_a_reason_for_observational_arms_does_not_need_the_declaration():
    reason = "open-label pilot, research only"
    spec = bm.TreatmentResponseSpec(response={"allow_observational": reason})
    assert spec.response == {"allow_observational": reason}


def test_overrides_reach_both_stages():
    spec = bm.TreatmentResponseSpec().with_overrides(
        {"response.minimum": 2, "stage_one.model.n_factors": 4, "outcome.endpoint": "ses-week6"}
    )
    assert spec.response["minimum"] == 2
    assert spec.stage_one.model.n_factors == 4
    assert spec.outcome.endpoint == "ses-week6"
    for wrong in ("minimum", "response", "stage_two.x", "stage_one"):
        with pytest.raises(SpecError, match="Cannot set"):
            bm.TreatmentResponseSpec().with_overrides({wrong: 1})


def test_optional_covariates_are_those_of_the_cohort():
    spec = bm.TreatmentResponseSpec(
        response={"covariates": ["age"], "covariates_if_present": ["age", "sex", "iq"]}
    )
    changes, notes = spec.changes(["age", "sex"])
    assert changes == {"covariates": ("age", "sex")}
    assert notes == [
        "response.covariates leaves out 'iq': this cohort lacks it or it does not vary."
    ]
    assert bm.TreatmentResponseSpec().changes([]) == ({}, [])


def test_the_two_kinds_of_spec_files_are_told_apart(repository):
    models = repository / "models"
    with pytest.raises(SpecError, match="a spec of `bayes-mdd response`"):
        bm.read_spec(models / "treatment_response.yaml")
    with pytest.raises(SpecError, match=r"kind is 'shared_specific'.*stage_one"):
        bm.read_response_spec(models / "shared_specific.yaml")
    with pytest.raises(SpecError, match="Cannot read the spec file"):
        bm.read_response_spec(models / "absent.yaml")
