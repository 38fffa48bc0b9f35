"""Structural connectomes: absent edges, missing labels, and robust standardisation."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import median_abs_deviation

from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.features import check_features, reference_to_controls, structural_features

UPPER = np.triu_indices(5, 1)


@pytest.fixture
def participants():
    return pd.DataFrame(
        {"arm": ["n/a"] * 7 + ["A", "B", "A"], "diagnosis": ["HC"] * 7 + ["MDD"] * 3},
        index=[f"sub-{i}" for i in range(10)],
    )


@pytest.fixture
def counts():
    """Ten subjects; R1--R2 is absent in six, R1--R3 in five, R4--R5 in one."""
    rng = np.random.default_rng(0)
    m = np.triu(rng.integers(1, 400, size=(10, 5, 5)), 1).astype(float)
    m[:6, 0, 1] = 0
    m[:5, 0, 2] = 0
    m[9, 3, 4] = 0
    m = m + m.transpose(0, 2, 1)
    m[:, range(5), range(5)] = 77  # self-connections do not count
    return m


def refused(*args, **options) -> str:
    with pytest.raises(DataContractError) as caught:
        structural_features(*args, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("transform", "change", "units"),
    [
        (None, np.log1p, "log(1 + streamlines)"),
        ("root", np.sqrt, "sqrt(streamlines)"),
        ("none", np.asarray, "streamlines"),
    ],
)
def test_edges_absent_in_most_subjects_are_excluded_and_listed(
    counts, region_table, participants, transform, change, units
):
    got = structural_features(counts, region_table, transform=transform, participants=participants)
    raw = np.stack([m[UPPER] for m in counts])
    np.testing.assert_allclose(got["y"], change(raw[:, 1:]))
    assert got["feature"].values[0] == "R1--R3"  # absent in half, not in more
    left_out = json.loads(got.attrs["left_out"])["who"]
    assert left_out == {"edges absent in more than 50 % of subjects": ["R1--R2"]}
    assert got.attrs["units"] == units
    assert set(got["kind"].values) == {"structural_count"}
    assert check_features(got) is None


def test_max_absent(counts, region_table):
    strict = structural_features(counts, region_table, max_absent=0.05)
    left_out = json.loads(strict.attrs["left_out"])["who"]
    names = ["R1--R2", "R1--R3", "R4--R5"]
    assert left_out == {"edges absent in more than 5 % of subjects": names}
    lax = structural_features(counts, region_table, max_absent=0.6)
    assert lax.sizes["feature"] == 10
    assert "left_out" not in lax.attrs


@pytest.mark.parametrize("kind", ["length", "fa"])
def test_edges_absent_in_any_subject_have_no_length_and_fa(counts, region_table, kind):
    got = structural_features(counts, region_table, kind)
    assert got.sizes["feature"] == 7
    np.testing.assert_array_equal(got["y"][0], counts[0][UPPER][[2, 3, 4, 5, 6, 7, 8]])
    with pytest.raises(SpecError, match="max_absent must be 0"):
        structural_features(counts, region_table, kind, max_absent=0.5)


def test_regions_without_streamlines_are_refused_or_excluded(counts, region_table):
    counts[3, 2] = counts[3, :, 2] = 0
    assert "'R3' in 1 (sub-004)" in refused(counts, region_table)
    got = structural_features(counts, region_table, missing="drop-regions")
    assert got["region"].values.tolist() == ["R1", "R2", "R4", "R5"]
    assert json.loads(got.attrs["left_out"])["who"]["R3"] == ["sub-004"]
    fewer = structural_features(counts, region_table, missing="drop-subjects")
    assert "sub-004" not in fewer["subject"].values
    with pytest.warns(DeprecationWarning, match="'drop-people' is now called 'drop-subjects'"):
        former = structural_features(counts, region_table, missing="drop-people")
    assert former.identical(fewer)


def test_all_problems_are_reported_in_one_error(counts, region_table):
    frame = pd.DataFrame(counts[0], columns=list("abcde"), index=list("abcde"))
    bad = {
        "small": counts[0][:4, :4],
        "oblong": counts[0][:4],
        "upper": np.triu(counts[1]),
        "negative": -counts[2],
        "hole": np.where(counts[3] == counts[3][3, 4], np.nan, counts[3]),
        "zero": np.zeros((5, 5)),
        "named": frame,
        "skew": counts[4] + np.triu(np.ones((5, 5)), 1),
    }
    text = refused(bad, region_table)
    assert "8 problem(s)" in text
    assert "small: the matrix is 4 x 4, but regions.tsv has 5" in text
    assert "oblong: the matrix is 4 x 5: expected a square matrix" in text
    assert "upper: only the upper triangle is filled" in text
    assert "negative: 16 negative value(s)" in text
    assert "hole: 2 missing or infinite" in text
    assert "zero: all values off the diagonal are 0" in text
    assert "which regions.tsv does not list" in text
    assert "skew: the matrix is not symmetric" in text


def test_invalid_options_are_refused(counts, region_table, participants):
    with pytest.raises(SpecError, match="kind must be one of count, length, fa"):
        structural_features(counts, region_table, "FA")
    with pytest.raises(SpecError, match="transform must be one of log, root, none"):
        structural_features(counts, region_table, transform="sqrt")
    with pytest.raises(SpecError, match="max_absent must be at least 0 and below 1"):
        structural_features(counts, region_table, max_absent=50)
    assert "shape (10, 5, 5)" in refused(counts, region_table, participants=participants.iloc[:3])


def test_robust_z_is_insensitive_to_one_control(counts, region_table, participants):
    features = structural_features(counts, region_table, max_absent=0.2, participants=participants)
    z = reference_to_controls(features, robust=True)
    controls = features["y"].values[:7]
    median = np.median(controls, axis=0)
    sd = median_abs_deviation(controls, axis=0, scale="normal")
    np.testing.assert_allclose(z["y"], (features["y"].values - median) / sd)
    assert z.attrs["reference"] == "robust z against 7 controls"
    assert json.loads(z.attrs["provenance"])["reference"]["robust"] is True
    y = features["y"].values.copy()
    y[0] *= 100
    moved = features.assign(y=(("subject", "feature"), y))
    again = reference_to_controls(moved, robust=True)["y"].values[1:]
    plain = reference_to_controls(features)["y"].values[1:]
    plain_moved = reference_to_controls(moved)["y"].values[1:]
    assert np.abs(again - z["y"].values[1:]).max() < np.abs(plain_moved - plain).max()


def test_features_absent_in_half_of_the_controls_are_refused(counts, region_table, participants):
    features = structural_features(counts, region_table, max_absent=0.5, participants=participants)
    with pytest.raises(DataContractError, match=r"median absolute deviation 0.*R1--R3"):
        reference_to_controls(features, robust=True)
    assert "robust" not in reference_to_controls(features).attrs["provenance"]
