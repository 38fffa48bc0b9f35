"""Standardisation relative to controls: the regression is fitted in controls only."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.features import check_features, reference_to_controls

COVARIATES = ("age", "motion", "site")


def dummies(features, base="A"):
    site = features["site"].values
    return np.column_stack(
        [np.ones(len(site)), features["age"], features["motion"], site == "B", site == "C"]
    )


def controls_of(features):
    return features["diagnosis"].values == "HC"


def problems_of(features, covariates=()) -> list[str]:
    with pytest.raises(DataContractError) as caught:
        reference_to_controls(features, covariates)
    return list(caught.value.problems)


@pytest.mark.parametrize("seed", range(5))
def test_it_equals_explicit_least_squares(make_features, seed):
    features = make_features(seed=seed)
    got = reference_to_controls(features, COVARIATES)
    x, hc, y = dummies(features), controls_of(features), features["y"].values
    for p in range(y.shape[1]):
        beta = np.linalg.inv(x[hc].T @ x[hc]) @ x[hc].T @ y[hc, p]
        residual = y[:, p] - x @ beta
        sd = np.sqrt((residual[hc] ** 2).sum() / (hc.sum() - 5))
        np.testing.assert_allclose(got["y"].values[:, p], residual / sd, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_controls_are_uncorrelated_with_covariates_and_have_unit_variance(make_features, seed):
    features = make_features(seed=seed)
    got = reference_to_controls(features, COVARIATES)
    hc = controls_of(features)
    z, x = got["y"].values[hc], dummies(features)[hc]
    np.testing.assert_allclose(x.T @ z / np.linalg.norm(x, axis=0)[:, None], 0, atol=1e-9)
    np.testing.assert_allclose((z**2).sum(0) / (hc.sum() - x.shape[1]), 1)


def test_covariate_effects_are_removed_from_patients_too(make_features):
    features = make_features(n_controls=30)
    slope = np.linspace(-0.05, 0.05, features.sizes["feature"])
    moved = features.assign(y=features["y"] + features["age"] * xr.DataArray(slope, dims="feature"))
    moved = moved.assign(y=moved["y"] + 0.7 * (moved["site"] == "B"))
    plain = reference_to_controls(features, COVARIATES)
    np.testing.assert_allclose(
        reference_to_controls(moved, COVARIATES)["y"], plain["y"], rtol=1e-8, atol=1e-8
    )
    # Covariates that are not listed are not removed.
    assert abs(reference_to_controls(moved)["y"] - reference_to_controls(features)["y"]).max() > 0.5


def test_effects_of_illness_are_preserved(make_features):
    features = make_features(n_controls=200, n_patients=200)
    ill = xr.where(features["diagnosis"] == "HC", 0.0, 0.4)
    moved = features.assign(y=features["y"] + ill)
    gap = reference_to_controls(moved, ["age"])["y"] - reference_to_controls(features, ["age"])["y"]
    hc = controls_of(features)
    np.testing.assert_allclose(gap[hc], 0, atol=1e-9)
    assert gap[~hc].min() > 1.5  # 0.4 in SDs of about 0.2


def test_patients_do_not_change_the_reference(make_features):
    features = make_features()
    hc = controls_of(features)
    wild = features.assign(
        y=features["y"].where(xr.DataArray(hc, dims="subject"), features["y"] * 9 + 3)
    )
    a = reference_to_controls(features, COVARIATES)["y"][hc]
    np.testing.assert_array_equal(reference_to_controls(wild, COVARIATES)["y"][hc], a)


def test_units_of_covariates_and_features_do_not_matter(make_features):
    features = make_features()
    other = features.assign(y=features["y"] * 1e-6 + 5).assign_coords(age=features["age"] * 1e7)
    np.testing.assert_allclose(
        reference_to_controls(other, COVARIATES)["y"],
        reference_to_controls(features, COVARIATES)["y"],
        atol=1e-6,
    )


def test_all_subjects_are_kept_and_the_reference_is_recorded(make_features):
    features = make_features()
    before = features.copy(deep=True)
    got = reference_to_controls(features, ["age", "site"])
    xr.testing.assert_identical(features, before)
    assert got.sizes == features.sizes
    assert got.attrs["units"] == "z"
    assert got.attrs["reference"] == "z against 20 controls, age+site removed"
    facts = json.loads(got.attrs["provenance"])["reference"]
    assert facts == {
        "people": "controls",
        "n": 20,
        "covariates": ["age", "site"],
        "columns": 4,
        "units_before": "fisher_z",
    }
    assert check_features(got) is None
    assert reference_to_controls(features).attrs["reference"] == "z against 20 controls"


def test_without_controls_the_subjects_with_an_arm_are_the_reference(make_features):
    features = make_features(n_controls=0, n_patients=30)
    arm = features["arm"].values.copy()
    arm[:4] = "n/a"
    features = features.assign_coords(arm=("subject", arm)).drop_vars("diagnosis")
    got = reference_to_controls(features, ["age"])
    text = "z within 26 patients with a known arm (no controls), age removed"
    assert got.attrs["reference"] == text
    z = got["y"].values[arm != "n/a"]
    np.testing.assert_allclose(z.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose((z**2).sum(0) / 24, 1)
    assert got.sizes["subject"] == 30


def test_missing_reference_is_an_error(make_features):
    features = make_features(n_controls=0)
    features = features.assign_coords(arm=("subject", ["n/a"] * features.sizes["subject"]))
    assert "so there is no reference" in problems_of(features)[0]


def test_all_problems_are_reported_in_one_error(make_features):
    features = make_features()
    age = features["age"].values.copy()
    age[[2, 30]] = np.nan
    site = features["site"].values.copy()
    site[controls_of(features) & (site == "C")] = "A"
    flat = np.where(controls_of(features), 1.0, features["motion"].values)
    features = features.assign_coords(
        age=("subject", age),
        site=("subject", site),
        motion=("subject", flat),
        scanner=("subject", ["Prisma"] * features.sizes["subject"]),
        sex=("subject", ["n/a", *["F"] * (features.sizes["subject"] - 1)]),
    )
    text = problems_of(features, ["age", "site", "motion", "scanner", "sex", "aeg", "arm"])
    assert len(text) == 8, text
    for expected in (
        "unknown covariate 'aeg'. Did you mean 'age'?",
        "'arm' is the effect of interest",
        "covariate 'age' is missing for 2 participant(s): sub-002, sub-030",
        "site 'C' has 8 participant(s)",
        "Use site as a covariate of the model instead",
        "covariate 'motion' is 1 in all 20 controls",
        "covariate 'scanner' is 'Prisma' in all controls",
        "covariate 'sex' is missing for 1 participant(s): sub-000",
    ):
        assert any(expected in t for t in text), expected


def test_too_few_controls_for_the_covariates(make_features):
    features = make_features(n_controls=7)
    (problem,) = problems_of(features, COVARIATES)
    assert "7 controls are too few for a regression with 5 column(s)" in problem
    assert "at least 8 are needed" in problem
    assert reference_to_controls(make_features(n_controls=8), COVARIATES).sizes["subject"] == 32


def test_linearly_dependent_covariates_are_refused(make_features):
    features = make_features()
    features = features.assign_coords(months=12 * features["age"] + 3)
    assert "are linearly dependent" in problems_of(features, ["age", "months"])[0]


def test_features_that_do_not_vary_in_controls_are_refused(make_features):
    features = make_features()
    y = features["y"].values.copy()
    y[controls_of(features), 3] = 0.5
    features = features.assign(y=(("subject", "feature"), y))
    (problem,) = problems_of(features)
    assert "1 feature(s) do not vary in the 20 controls: a--b3" in problem
    y[:, 3] = 2 * features["age"].values + 1  # a function of age
    features = features.assign(y=(("subject", "feature"), y))
    (problem,) = problems_of(features, ["age"])
    assert "after removal of the covariates: a--b3" in problem


def test_covariates_given_as_text_are_refused(make_features):
    assert "must be a list of names" in problems_of(make_features(), "age")[0]


def test_the_group_is_stated_and_can_be_required(make_features, caplog):
    features = make_features(n_controls=0, n_patients=30)
    with caplog.at_level("WARNING"):
        got = reference_to_controls(features)
    assert "No participant is a healthy control" in caplog.text
    assert got.attrs["reference_group"] == "patients"
    caplog.clear()
    xr.testing.assert_identical(reference_to_controls(features, group="patients"), got)
    assert not caplog.text
    with pytest.raises(DataContractError, match="nobody is a healthy control; diagnoses found"):
        reference_to_controls(features, group="controls")
    with pytest.raises(SpecError, match="group must be 'controls' or 'patients'"):
        reference_to_controls(features, group="healthy")


def test_patients_can_be_the_reference_although_there_are_controls(make_features):
    features = make_features(n_controls=20, n_patients=30)
    assert reference_to_controls(features).attrs["reference_group"] == "controls"
    got = reference_to_controls(features, group="patients")
    assert got.attrs["reference"].endswith("patients with a known arm (20 controls not used)")
    treated = got["arm"].values != "n/a"
    np.testing.assert_allclose(got["y"].values[treated].mean(axis=0), 0, atol=1e-9)
    without = features.isel(subject=np.flatnonzero(features["diagnosis"].values != "HC"))
    alone = reference_to_controls(without, group="patients")
    np.testing.assert_allclose(alone["y"].values, got["y"].sel(subject=without["subject"]).values)


@pytest.mark.parametrize("word", ["NC", "Healthy Volunteer", "0", "Gesund"])
def test_other_words_for_controls_are_not_passed_over(make_features, word):
    features = make_features(n_controls=20)
    diagnosis = np.where(features["diagnosis"].values == "HC", word, "MDD").astype(object)
    features = features.assign_coords(diagnosis=("subject", diagnosis))
    with pytest.raises(DataContractError, match=word):
        reference_to_controls(features)
    assert reference_to_controls(features, group="patients").attrs["reference_group"] == "patients"


def test_an_arm_called_hc_is_refused(make_features):
    features = make_features(n_controls=20)
    arm = np.where(features["arm"].values == "SNRI", "HC", features["arm"].values).astype(object)
    with pytest.raises(DataContractError, match="arm 'HC' of"):
        reference_to_controls(features.assign_coords(arm=("subject", arm)))
