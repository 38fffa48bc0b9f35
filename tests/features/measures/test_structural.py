"""Structural connectomes: absent edges, lost labels, and a robust zero and unit."""

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
def people():
    return pd.DataFrame(
        {"arm": ["n/a"] * 7 + ["A", "B", "A"], "diagnosis": ["HC"] * 7 + ["MDD"] * 3},
        index=[f"sub-{i}" for i in range(10)],
    )


@pytest.fixture
def counts():
    """Ten people; R1--R2 is absent in six, R1--R3 in five, R4--R5 in one."""
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
def test_edges_that_most_people_lack_are_left_out_and_listed(
    counts, region_table, people, transform, change, units
):
    got = structural_features(counts, region_table, transform=transform, participants=people)
    raw = np.stack([m[UPPER] for m in counts])
    np.testing.assert_allclose(got["y"], change(raw[:, 1:]))
    assert got["feature"].values[0] == "R1--R3"  # absent in half, not in more
    left = json.loads(got.attrs["left_out"])["who"]
    assert left == {"edges absent in more than 50% of people": ["R1--R2"]}
    assert got.attrs["units"] == units
    assert set(got["kind"].values) == {"structural_count"}
    assert check_features(got) is None


def test_a_stated_share(counts, region_table):
    strict = structural_features(counts, region_table, max_absent=0.05)
    names = json.loads(strict.attrs["left_out"])["who"]["edges absent in more than 5% of people"]
    assert names == ["R1--R2", "R1--R3", "R4--R5"]
    lax = structural_features(counts, region_table, max_absent=0.6)
    assert lax.sizes["feature"] == 10
    assert "left_out" not in lax.attrs


@pytest.mark.parametrize("kind", ["length", "fa"])
def test_absent_edges_have_no_length_and_no_fa(counts, region_table, kind):
    got = structural_features(counts, region_table, kind)
    assert got.sizes["feature"] == 7
    np.testing.assert_array_equal(got["y"][0], counts[0][UPPER][[2, 3, 4, 5, 6, 7, 8]])
    with pytest.raises(SpecError, match="max_absent must be 0"):
        structural_features(counts, region_table, kind, max_absent=0.5)


def test_regions_without_streamlines_are_lost_labels(counts, region_table):
    counts[3, 2] = counts[3, :, 2] = 0
    assert "'R3' in 1 (sub-004)" in refused(counts, region_table)
    got = structural_features(counts, region_table, missing="drop-regions")
    assert got["region"].values.tolist() == ["R1", "R2", "R4", "R5"]
    assert json.loads(got.attrs["left_out"])["who"]["R3"] == ["sub-004"]
    fewer = structural_features(counts, region_table, missing="drop-people")
    assert "sub-004" not in fewer["subject"].values


def test_all_that_is_wrong_comes_in_one_error(counts, region_table):
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
    assert "small: the matrix is 4 x 4, regions.tsv has 5" in text
    assert "oblong: the matrix is 4 x 5: expected a square one" in text
    assert "upper: only the upper triangle is filled" in text
    assert "negative: 16 negative value(s)" in text
    assert "hole: 2 missing or infinite" in text
    assert "zero: every value off the diagonal is 0" in text
    assert "which regions.tsv does not list" in text
    assert "skew: the matrix is not symmetric" in text


def test_options(counts, region_table, people):
    with pytest.raises(SpecError, match="kind must be one of count, length, fa"):
        structural_features(counts, region_table, "FA")
    with pytest.raises(SpecError, match="transform must be one of log, root, none"):
        structural_features(counts, region_table, transform="sqrt")
    with pytest.raises(SpecError, match="max_absent is a share"):
        structural_features(counts, region_table, max_absent=50)
    assert "shape (10, 5, 5)" in refused(counts, region_table, participants=people.iloc[:3])


def test_robust_z_is_not_moved_by_one_control(counts, region_table, people):
    features = structural_features(counts, region_table, max_absent=0.2, participants=people)
    z = reference_to_controls(features, robust=True)
    controls = features["y"].values[:7]
    middle = np.median(controls, axis=0)
    sd = median_abs_deviation(controls, axis=0, scale="normal")
    np.testing.assert_allclose(z["y"], (features["y"].values - middle) / sd)
    assert z.attrs["reference"] == "robust z against 7 controls"
    assert json.loads(z.attrs["provenance"])["reference"]["robust"] is True
    y = features["y"].values.copy()
    y[0] *= 100
    moved = features.assign(y=(("subject", "feature"), y))
    again = reference_to_controls(moved, robust=True)["y"].values[1:]
    plain = reference_to_controls(features)["y"].values[1:]
    plain_moved = reference_to_controls(moved)["y"].values[1:]
    assert np.abs(again - z["y"].values[1:]).max() < np.abs(plain_moved - plain).max()


def test_a_feature_that_half_the_controls_lack_has_no_robust_unit(counts, region_table, people):
    features = structural_features(counts, region_table, max_absent=0.5, participants=people)
    with pytest.raises(DataContractError, match=r"median absolute deviation is 0.*R1--R3"):
        reference_to_controls(features, robust=True)
    assert "robust" not in reference_to_controls(features).attrs["provenance"]
