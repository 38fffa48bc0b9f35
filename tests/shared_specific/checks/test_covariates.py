"""A factor that follows a covariate which only the reference has removed is found."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr
from fakes import make_fake_idata

from bayes_mdd.results.result import read_result
from bayes_mdd.shared_specific.checks.covariates import NAME, judge_removed_covariates


def with_covariates(
    idata: xr.DataTree, people: str = "controls", model: tuple[str, ...] = ("site",), **columns
) -> xr.DataTree:
    """Say that columns of the subjects were removed from the features."""
    constant = idata["constant_data"].to_dataset()
    idata["constant_data"] = constant.assign_coords({k: ("subject", v) for k, v in columns.items()})
    provenance = json.loads(idata.attrs["features_provenance"])
    reference = {"people": people, "n": 39, "covariates": list(columns)}
    idata.attrs["features_provenance"] = json.dumps(provenance | {"reference": reference})
    idata.attrs["spec"] = json.dumps(json.loads(idata.attrs["spec"]) | {"covariates": list(model)})
    return idata


@pytest.fixture
def scores(fake_idata) -> np.ndarray:
    """Mean scores of the second factor."""
    mean = fake_idata["posterior"]["scores"].mean(("chain", "draw"))
    return mean.transpose("subject", "factor").values[:, 1]


def test_a_factor_that_follows_a_removed_covariate_fails(fake_idata, scores):
    rng = np.random.default_rng(0)
    idata = with_covariates(fake_idata, age=rng.normal(size=scores.size), mean_fd=3.0 - scores)
    (check,) = judge_removed_covariates(read_result(idata))
    assert check.name == NAME and check.passed is False
    assert check.value == pytest.approx(1.0, abs=1e-6)
    assert check.advice.startswith("F2 follows mean_fd: add mean_fd to model.covariates.")


def test_chance_passes_and_text_is_coded(fake_idata, scores):
    rng = np.random.default_rng(1)
    sex = np.array(["F", "M"])[rng.integers(0, 2, scores.size)]
    idata = with_covariates(fake_idata, age=rng.normal(size=scores.size), sex=sex)
    (check,) = judge_removed_covariates(read_result(idata))
    assert check.passed is True and 0 < check.value < float(check.threshold.removeprefix("<= "))


def test_covariates_of_the_model_and_other_references_are_not_judged(fake_idata, scores):
    inside = with_covariates(fake_idata.copy(), model=("site", "age"), age=scores)
    assert judge_removed_covariates(read_result(inside)) == []
    patients = with_covariates(fake_idata.copy(), people="subjects with a known arm", age=scores)
    assert judge_removed_covariates(read_result(patients)) == []
    assert judge_removed_covariates(read_result(make_fake_idata())) == []


def test_the_limit_is_exceeded_by_chance_in_one_of_a_hundred_cohorts():
    from bayes_mdd.shared_specific.checks.covariates import _limit

    rng = np.random.default_rng(2)
    n, k = 40, 6
    a, b = rng.normal(size=(4000, n)), rng.normal(size=(4000, k, n))
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=2, keepdims=True)
    r = np.einsum("in,ikn->ik", a, b)
    r /= np.linalg.norm(a, axis=1)[:, None] * np.linalg.norm(b, axis=2)
    assert (np.abs(r).max(axis=1) > _limit(k, n - 2)).mean() == pytest.approx(0.01, abs=0.006)
