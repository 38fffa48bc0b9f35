"""The feature contract: valid sets pass, all violations are reported in one error."""

from __future__ import annotations

import time

import numpy as np
import pytest
import xarray as xr

from bayes_mdd.errors import DataContractError
from bayes_mdd.features import check_features


def problems_of(features: object) -> list[str]:
    with pytest.raises(DataContractError) as caught:
        check_features(features)
    return list(caught.value.problems)


def test_a_valid_feature_set_passes(make_features):
    assert check_features(make_features()) is None


def test_float32_and_object_text_pass(make_features):
    features = make_features().astype(np.float32)
    features = features.assign_coords(arm=features["arm"].astype(object))
    assert check_features(features) is None


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "got NoneType"),
        (xr.Dataset({"x": ("subject", [1.0])}), "no variable y"),
        (xr.Dataset({"y": (("feature", "subject"), np.eye(3))}), "transpose"),
        (xr.Dataset({"y": (("subject", "feature"), np.empty((0, 4)))}), "empty (0 subjects"),
    ],
)
def test_objects_that_are_not_feature_sets_are_refused(value, message):
    (problem,) = problems_of(value)
    assert message in problem


def test_all_violations_are_reported_in_one_error(make_features):
    features = make_features()
    y = features["y"].values.copy()
    y[3, 1] = np.nan
    y[5, 1] = np.inf
    y[:, 4] = 0.25
    subjects = features["subject"].values.copy()
    subjects[1] = subjects[0]
    labels = features["feature"].values.copy()
    labels[2] = labels[0]
    broken = features.assign(y=(("subject", "feature"), y)).drop_vars("block")
    broken = broken.assign_coords(
        subject=subjects, feature=labels, arm=("subject", np.zeros(len(y)))
    )
    text = problems_of(broken)
    assert len(text) == 6
    for message in (
        "names of subjects must be unique; repeated: sub-000",
        "names of features must be unique; repeated: a--b0",
        "coordinate 'arm' must be text; found 0.0",
        "there is no coordinate 'block' on 'feature'; found none",
        "2 missing or infinite value(s): subjects sub-003, sub-005; features a--b1.",
        f"1 feature(s) have the same value in all {len(y)} subjects: a--b4",
    ):
        assert any(message in t for t in text), message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.astype(int), "y has dtype int64"),
        (lambda f: f.astype(np.float16), "y has dtype float16"),
        (
            lambda f: f.rename(arm="treatment"),
            "participants.tsv has no column 'arm' (coordinate of the subjects); found "
            "treatment, diagnosis, site, age, motion. Rename the column that holds the "
            "treatment arm to 'arm'.",
        ),
        (lambda f: f.isel(subject=slice(2)), "there are 2 subject(s): expected at least 3"),
        (lambda f: f.assign_coords(subject=np.arange(f.sizes["subject"])), "expected text"),
        (lambda f: f.drop_vars("feature"), "features have no names"),
        (lambda f: f.assign_coords(block=("feature", ["n/a"] * 6)), "'block' is blank for a--b0"),
        (lambda f: f.assign_coords(arm=("feature", ["x"] * 6)), "'arm' has dims ('feature',)"),
        (
            lambda f: f.assign_coords(
                site=("subject", np.array([np.nan] * f.sizes["subject"], dtype=object))
            ),
            "coordinate 'site' must be text; found nan",
        ),
    ],
)
def test_each_violation_is_reported(make_features, change, message):
    assert any(message in p for p in problems_of(change(make_features())))


def test_features_constant_in_treated_subjects_are_reported(make_features):
    features = make_features()
    y = features["y"].values.copy()
    y[features["arm"].values != "n/a", 2] = 1.5
    (problem,) = problems_of(features.assign(y=(("subject", "feature"), y)))
    assert "subjects with an arm: a--b2" in problem


def test_rounding_errors_do_not_count_as_variation(make_features):
    features = make_features()
    y = features["y"].values.copy()
    y[:, 0] = 1.0 + 1e-15 * np.arange(len(y))
    (problem,) = problems_of(features.assign(y=(("subject", "feature"), y)))
    assert "same value" in problem


def test_the_check_is_fast_for_87571_features():
    n, p = 200, 87_571
    features = xr.Dataset(
        {"y": (("subject", "feature"), np.random.default_rng(0).normal(size=(n, p)))},
        coords={
            "subject": [f"s{i}" for i in range(n)],
            "feature": np.array([f"a{i}--b{i}" for i in range(p)]),
            "block": ("feature", np.full(p, "N-N")),
            "arm": ("subject", ["x"] * 100 + ["n/a"] * 100),
        },
    )
    start = time.perf_counter()
    check_features(features)
    assert time.perf_counter() - start < 5
