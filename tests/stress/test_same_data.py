"""Data that are there twice: participants, halves of scans, sessions, pieces."""

from __future__ import annotations

import json

import numpy as np
import pytest
from made_baselines import make_trial
from made_stress import plant, with_values

import bayes_mdd as bm
from bayes_mdd.errors import DataContractError
from bayes_mdd.features.copies import find_copies, say_copies, warn_of_copies
from bayes_mdd.shared_specific.report.check_words import describe_check

CHECK = "participants with the same features"


@pytest.fixture(scope="module")
def cohort():
    return plant(p=60, controls=8).features


def twice(features, *groups: tuple[int, ...]):
    y = features["y"].values.copy()
    for first, *others in groups:
        y[others] = y[first]
    return with_values(features, y)


def test_a_scan_under_two_ids_is_noticed(cohort):
    found = find_copies(twice(cohort, (0, 1), (3, 30, 45)))
    assert found == [("sub-001", "sub-002"), ("sub-004", "sub-031", "sub-046")]
    said = say_copies(found)
    assert said.startswith("sub-001, sub-002; sub-004, sub-031, sub-046 have the same features")
    assert "Keep one of the ids" in said


@pytest.mark.parametrize("factor", [1e-12, 1e12])
@pytest.mark.parametrize("offset", [0.0, 1.0])
def test_it_is_noticed_in_any_units_and_with_rounded_files(cohort, factor, offset):
    same = twice(cohort, (0, 1))
    y = factor * (same["y"].values + offset)
    y[1] = [float(f"{v:.6g}") for v in y[1]]
    assert find_copies(with_values(cohort, y)) == [("sub-001", "sub-002")]


def test_it_is_noticed_beside_features_that_dominate(cohort):
    y = twice(cohort, (0, 1))["y"].values
    y[:, 3] *= 1e9
    y[7] *= 1e3
    assert find_copies(with_values(cohort, y)) == [("sub-001", "sub-002")]


def test_similar_participants_are_no_copies(cohort):
    assert find_copies(cohort) == []
    y = cohort["y"].values.copy()
    y[1] = y[0] + 0.01 * np.random.default_rng(0).standard_normal(60)
    assert find_copies(with_values(cohort, y)) == [], "two scans of one person differ by more"
    one_factor = np.linspace(-2, 2, 48)[:, None] * np.linspace(1, 2, 60)
    assert find_copies(with_values(cohort, one_factor)) == []
    counts = np.random.default_rng(0).integers(0, 3, (48, 4)).astype(float)
    few = with_values(cohort.isel(feature=slice(4)), counts)
    assert find_copies(few) == [], "few counts are the same by chance"


def test_the_check_fails_and_is_about_the_features_as_measured(cohort):
    raw = twice(cohort, (0, 1)).assign_attrs(units="mm")
    age = np.random.default_rng(1).normal(40, 10, raw.sizes["subject"])
    raw = raw.assign_coords(age=("subject", age))
    z = bm.reference_to_controls(raw, ["age"])
    assert find_copies(z) == [], "after the removal of age the copies differ"
    failed = bm.check_quality(z, before=raw).failed
    assert "sub-001, sub-002" in failed[CHECK]
    assert CHECK not in bm.check_quality(cohort).failed
    assert describe_check(CHECK).title == "No scan is there twice"


def test_halves_that_are_one_another_are_refused(cohort):
    rng = np.random.default_rng(2)
    half = rng.standard_normal(cohort["y"].shape)
    good = cohort.assign(half_difference=(("subject", "feature"), half))
    bm.check_features(good)
    half[[2, 5]] = 0.0
    half[7] = np.nan
    with pytest.raises(DataContractError) as caught:
        bm.check_features(cohort.assign(half_difference=(("subject", "feature"), half)))
    (problem,) = caught.value.problems
    assert "half_difference is 0 in all features of 2 subject(s), sub-003, sub-006" in problem
    assert "reliability would seem perfect" in problem
    with pytest.raises(DataContractError, match="two sessions hold the same data"):
        bm.check_features(cohort.assign(session_difference=(("subject", "feature"), 0 * half[:])))


def test_pieces_that_repeat_one_another_are_refused(cohort):
    names = np.array([f"r{i}" for i in range(4)])
    pieces = np.random.default_rng(3).standard_normal((48, 8, 10)).astype(np.float32)
    few = cohort.drop_dims("region").assign_coords(region=names)
    bm.check_features(few.assign(pieces=(("subject", "piece", "pair"), pieces)))
    pieces[4] = pieces[4, :1]
    with pytest.raises(DataContractError, match=r"all the same in 1 subject\(s\), sub-005"):
        bm.check_features(few.assign(pieces=(("subject", "piece", "pair"), pieces)))


def test_a_fit_and_baselines_say_it(cohort, caplog):
    same = twice(cohort, (0, 1))
    model = bm.SharedSpecificSpec(n_factors=1, feature_dependence="independent")
    with caplog.at_level("WARNING", logger="bayes_mdd"):
        idata = bm.fit(model, same, method="fast", progressbar=False)
    said = "sub-001, sub-002 have the same features"
    assert [r for r in caplog.records if r.message.startswith(said)]
    noted = json.loads(idata.attrs["provenance"])["warnings"]
    assert [w for w in noted if w["message"].startswith(said)]
    caplog.clear()
    with_quality = bm.record_quality(same, bm.check_quality(same))
    warn_of_copies(with_quality)
    assert not caplog.records, "the check says it already"
    spec, features, outcomes = make_trial(n=24)
    found = bm.compare_baselines(
        spec, twice(features, (0, 3)), outcomes,
        methods=["majority"], views=("imaging",), folds=2, repeats=1, permutations=0,
    )  # fmt: skip
    assert any("sub-000, sub-003 have the same features" in n for n in found.notes)
