"""Change between sessions: values, subjects, and sessions that cannot be compared."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from bayes_mdd.errors import DataContractError
from bayes_mdd.features import (
    change_features,
    check_features,
    connectivity_from_timeseries,
    reference_to_controls,
)


@pytest.fixture
def sessions(region_table):
    """Six subjects at baseline, five of them and a new one at follow-up."""

    def session(seed, ids, **columns):
        rng = np.random.default_rng(seed)
        series = {i: rng.normal(size=(60, 5)) + rng.normal(size=(60, 1)) for i in ids}
        participants = pd.DataFrame(
            {"arm": ["AB"[int(i[-1]) % 2] for i in ids], **columns}, index=list(ids)
        )
        return connectivity_from_timeseries(series, region_table, participants=participants)

    early = [f"sub-{i}" for i in range(6)]
    late = ["sub-9", "sub-5", "sub-1", "sub-2", "sub-3", "sub-4"]
    fd = np.arange(6) / 10
    return (
        session(1, early, mean_fd=fd, age=[0.0, 10, 20, 30, 40, 50]),
        session(2, late, mean_fd=fd + 1, age=[90.0, 50, 10, 20, 30, 40]),
    )


def refused(*args) -> str:
    with pytest.raises(DataContractError) as caught:
        change_features(*args)
    return str(caught.value)


def test_change_is_the_difference_matched_by_name(sessions):
    baseline, followup = sessions
    got = change_features(followup.isel(feature=slice(None, None, -1)), baseline)
    for subject in ("sub-1", "sub-5"):
        for edge in ("R1--R2", "R4--R5"):
            at = {"subject": subject, "feature": edge}
            assert got["y"].sel(at) == followup["y"].sel(at) - baseline["y"].sel(at)
    assert got["subject"].values.tolist() == [f"sub-{i}" for i in range(1, 6)]
    assert got["feature"].values.tolist() == baseline["feature"].values.tolist()
    assert check_features(got) is None


def test_excluded_subjects_are_listed(sessions):
    baseline, followup = sessions
    got = change_features(followup, baseline)
    left_out = json.loads(got.attrs["left_out"])["who"]
    assert left_out == {"no follow-up": ["sub-0"], "no baseline": ["sub-9"]}
    assert got.attrs["estimand"] == "change"
    assert json.loads(got.attrs["provenance"])["change"]["n"] == 5
    complete = change_features(
        followup.isel(subject=slice(1, None)), baseline.isel(subject=slice(1, None))
    )
    assert "left_out" not in complete.attrs


def test_covariates_that_differ_at_follow_up_are_added(sessions):
    baseline, followup = sessions
    got = change_features(followup, baseline)
    assert got["mean_fd"].values.tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    assert got["mean_fd_followup"].sel(subject="sub-5") == followup["mean_fd"].sel(subject="sub-5")
    assert "age_followup" not in got.coords  # unchanged in all subjects
    assert "arm_followup" not in got.coords


def test_standardised_sessions_are_refused(sessions):
    baseline, followup = sessions
    z = reference_to_controls(baseline)
    assert "baseline is already standardised" in refused(followup, z)
    change = change_features(followup, baseline)
    assert "baseline is already a change" in refused(followup, change)
    assert reference_to_controls(change).attrs["estimand"] == "change"


def test_features_of_one_session_only_are_refused(sessions):
    baseline, followup = sessions
    text = refused(followup.isel(feature=slice(1, None)), baseline)
    assert "1 feature(s) of baseline are not in follow-up: R1--R2" in text
    renamed = followup.assign_coords(
        feature=["X--Y", *followup["feature"].values[1:]],
    )
    text = refused(renamed, baseline)
    assert "R1--R2" in text
    assert "1 feature(s) of follow-up are not in baseline: X--Y" in text


def test_sessions_measured_differently_are_refused(sessions, region_table):
    baseline, followup = sessions
    text = refused(followup.assign_attrs(units="r"), baseline)
    assert "units are r at follow-up and fisher_z at baseline" in text
    z_called_r = (followup * 3).assign_attrs(units="r")
    assert 'follow-up has the units "r" but values above 1' in refused(z_called_r, baseline)
    rng = np.random.default_rng(3)
    series = {f"sub-{i}": rng.normal(size=(60, 5)) for i in range(6)}
    shrunk = connectivity_from_timeseries(series, region_table, estimator="ledoit-wolf")
    text = refused(shrunk, baseline)
    assert "estimator is ledoit-wolf at follow-up and empirical at baseline" in text
    moved = followup.assign_coords(block=("feature", followup["block"].values[::-1]))
    assert "the block of" in refused(moved, baseline)


def test_subjects_who_change_arm_are_refused(sessions):
    baseline, followup = sessions
    arm = followup["arm"].values.copy()
    arm[2] = "B" if arm[2] == "A" else "A"
    text = refused(followup.assign_coords(arm=("subject", arm)), baseline)
    assert "arm differs between the sessions for sub-1 (B, then A)" in text


def test_ids_that_do_not_match_and_repeated_ids_are_refused(sessions):
    baseline, followup = sessions
    renamed = followup.assign_coords(subject=[s[4:] for s in followup["subject"].values])
    assert "0 participant(s) have both sessions" in refused(renamed, baseline)
    assert "check the spelling of the ids" in refused(renamed, baseline)
    twice = followup.isel(subject=[0, 1, 1, 2])
    assert "follow-up repeats the subject(s) sub-5" in refused(twice, baseline)
