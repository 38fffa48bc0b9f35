"""Quality checks: planted problems are reported, clean features pass."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy.stats import pearsonr

from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.features import (
    Quality,
    check_quality,
    record_quality,
    reference_to_controls,
)
from bayes_mdd.features.adjust.motion import correlate_with_motion
from bayes_mdd.plotting import plot_quality
from bayes_mdd.specs import QualitySpec

SPEC = QualitySpec(motion="motion")


@pytest.fixture
def clean(make_features):
    features = make_features(n_controls=40, n_patients=80, n_features=60, seed=4)
    on = {
        "region_a": ("feature", ["a"] * 60),
        "region_b": ("feature", [f"b{i}" for i in range(60)]),
    }
    small = np.random.default_rng(1).uniform(0.05, 0.3, 120)
    return features.assign_coords(on | {"motion": ("subject", small)})


def row(quality: Quality, name: str):
    return quality.checks.set_index("name").loc[name]


def test_clean_features_pass(clean):
    quality = check_quality(reference_to_controls(clean, ["motion"]), SPEC, before=clean)
    assert quality.failed == {}
    assert quality.checks["passed"].tolist() == [True] * 8
    assert quality.motion["group"].tolist() == ["controls", "SSRI", "SNRI"]
    assert quality.motion["people"].tolist() == [40, 40, 40]


def test_motion_is_summarised_by_group_and_high_motion_is_reported(clean):
    motion = clean["motion"].values.copy()
    arm = clean["arm"].values
    motion[arm == "SSRI"] += 0.3
    motion[:2] = [0.9, np.nan]
    quality = check_quality(clean.assign_coords(motion=("subject", motion)), SPEC)
    ssri = quality.motion.set_index("group").loc["SSRI"]
    in_ssri = motion[arm == "SSRI"]
    assert ssri["mean"] == pytest.approx(in_ssri.mean())
    assert ssri["median"] == pytest.approx(np.median(in_ssri))
    assert ssri["above"] == (in_ssri > 0.5).sum()
    assert quality.motion.set_index("group").loc["controls", "known"] == 39
    advice = row(quality, "participants with high motion")["advice"]
    assert "motion exceeds 0.5 mm in sub-000" in advice
    assert "motion is missing for sub-001" in advice
    difference = row(quality, "motion, arms")
    in_snri = motion[arm == "SNRI"]
    pooled = np.sqrt((in_ssri.var(ddof=1) + in_snri.var(ddof=1)) / 2)
    assert difference["value"] == pytest.approx((in_ssri.mean() - in_snri.mean()) / pooled)
    assert difference["passed"] is False
    assert "pooled SD (SSRI > SNRI)" in difference["advice"]


def test_former_names_are_accepted_with_a_warning(clean):
    motion = clean["motion"].values.copy()
    motion[0] = 0.9
    quality = check_quality(clean.assign_coords(motion=("subject", motion)), SPEC)
    assert quality.subjects["motion"][0] == 0.9
    with pytest.warns(DeprecationWarning, match=r"Quality.people is now called Quality.subjects"):
        assert quality.people is quality.subjects
    advice = quality.failed["participants with high motion"]
    with pytest.warns(DeprecationWarning, match="now called 'participants with high motion'"):
        assert quality.failed["people who moved"] == advice
    with pytest.raises(KeyError, match="no such check"):
        quality.failed["no such check"]


def test_outliers_are_reported_with_subject_and_feature(clean):
    y = clean["y"].values.copy()
    controls = y[:40, 7]
    y[77, 7] = controls.mean() + 8.5 * controls.std(ddof=1)
    y[78, 7] = controls.mean() - 7.5 * controls.std(ddof=1)
    quality = check_quality(clean.assign(y=(("subject", "feature"), y)), SPEC)
    found = row(quality, "values beyond 8 SD")
    assert (found["value"], found["passed"]) == (1, False)
    assert "sub-077 (1 of 60; 8.5 SD at a--b7)" in found["advice"]
    strict = check_quality(
        clean.assign(y=(("subject", "feature"), y)), QualitySpec(motion="motion", outlier_z=7)
    )
    assert row(strict, "values beyond 7 SD")["value"] == 2


def test_imputed_zeros_of_a_region_are_detected_before_standardisation(clean):
    y = clean["y"].values.copy()
    y[50, 3] = 0.0  # the only edge of b3
    y[60, 4] = np.nan
    raw = clean.assign(y=(("subject", "feature"), y))
    quality = check_quality(raw, SPEC)
    assert quality.regions["region"].tolist() == ["b3", "b4"]
    assert "b3 (1: sub-050), b4 (1: sub-060)" in row(quality, "regions without signal")["advice"]
    filled = raw.assign(y=raw["y"].fillna(0.3))
    z = reference_to_controls(filled)
    assert row(check_quality(z, SPEC), "regions without signal")["passed"] is True
    assert row(check_quality(z, SPEC, before=filled), "regions without signal")["value"] == 1


def test_features_correlate_with_motion_before_and_not_after_removal(clean):
    motion = clean["motion"].values
    slope = np.where(np.arange(60) < 30, 2.0, 0.0)
    y = clean["y"].values + motion[:, None] * slope
    raw = clean.assign(y=(("subject", "feature"), y))
    alone = row(check_quality(raw, SPEC), "features correlated with motion")
    assert alone["passed"] is False
    assert 0.4 < alone["value"] <= 0.55
    assert f"{100 * alone['value']:.0f} % of edges correlate with head motion" in alone["advice"]
    assert re.search(r"\(median \|r\| 0\.\d\d; 0\.\d\d expected by chance\)", alone["advice"])
    unchanged = row(check_quality(raw, SPEC, before=raw), "features correlated with motion")
    assert "% of edges still correlate with head motion" in unchanged["advice"]
    z = reference_to_controls(raw, ["motion"])
    quality = check_quality(z, SPEC, before=raw)
    assert row(quality, "features correlated with motion")["passed"] is True
    stage = quality.qcfc.set_index("stage")
    assert stage.loc["before", "median_abs_r"] > 2 * stage.loc["after", "median_abs_r"]
    assert quality.distribution[["before", "after"]].sum().tolist() == [60, 60]


def test_an_imprecise_regression_in_few_controls_is_reported(make_features):
    raw = make_features(n_controls=12, n_patients=120, n_features=80, seed=2)
    quality = check_quality(reference_to_controls(raw, ["motion"]), SPEC, before=raw)
    check = row(quality, "features correlated with motion")
    assert check["passed"] is False
    assert "It was 0 % as measured: the regression on 12 controls was imprecise" in check["advice"]


def test_qcfc_is_pearsons_r_within_groups():
    rng = np.random.default_rng(8)
    group = np.repeat(["A", "B"], 15)
    y = rng.normal(size=(30, 5)) + (group == "B")[:, None] * 3.0
    motion = rng.normal(size=30) + (group == "B") * 3.0
    y[:, 4] = 1.0
    motion[4] = np.nan
    r, summary = correlate_with_motion(y, motion, group, 0.05)
    known = np.isfinite(motion)
    for i in range(4):
        a, b = y[known, i].copy(), motion[known].copy()
        for name in "AB":
            a[group[known] == name] -= a[group[known] == name].mean()
            b[group[known] == name] -= b[group[known] == name].mean()
        assert r[i] == pytest.approx(pearsonr(a, b).statistic)
    assert np.isnan(r[4])
    assert summary["people"] == 29
    assert np.abs(r[:4]).max() < 0.6  # correlations across the pooled groups would be larger
    few, none = correlate_with_motion(y[:8], motion[:8], group[:8], 0.05)
    assert np.isnan(few).all()
    assert "share" not in none


def test_expected_correlation_by_chance():
    rng = np.random.default_rng(0)
    group = np.repeat(["A", "B", "C"], 10)
    noise = rng.normal(size=(30, 4000))
    _, summary = correlate_with_motion(noise, rng.normal(size=30), group, 0.05)
    assert summary["median_abs_r"] == pytest.approx(summary["expected_abs_r"], rel=0.05)
    assert summary["share"] == 0


@pytest.mark.parametrize(("share", "value"), [(1.0, 1.0), (0.5, 0.5), (0.0, 0.0)])
def test_association_of_arm_and_site(clean, share, value):
    arm = clean["arm"].values
    site = np.array(["A", "B"])[np.arange(120) // 2 % 2]
    follow = np.arange(120) % 20 < 20 * share
    site = np.where(follow, np.where(arm == "SSRI", "A", "B"), site)
    quality = check_quality(clean.assign_coords(site=("subject", site)), SPEC)
    check = row(quality, "arm by site")
    assert check["value"] == pytest.approx(value, abs=0.05)
    assert check["passed"] is (share == 0)
    table = quality.sites.set_index("group")
    assert table.loc["SSRI", "A"] == ((arm == "SSRI") & (site == "A")).sum()


def test_checks_without_data_are_not_judged(clean):
    bare = clean.drop_vars(["motion", "site", "diagnosis"])
    quality = check_quality(bare, SPEC)
    state = quality.checks.set_index("name")["passed"]
    assert state["participants with high motion"] is None
    assert state["features correlated with motion"] is None
    assert state["arm by site"] is None
    assert state["values beyond 8 SD"] is True  # relative to the subjects with an arm
    assert isinstance(plot_quality(quality), Figure)


def test_it_is_stored_with_the_features_as_json(clean):
    unknown = clean.assign_coords(motion=("subject", clean["motion"].values * np.nan))
    for features in (clean, unknown):
        quality = check_quality(features, SPEC)
        recorded = record_quality(features, quality)
        facts = json.loads(recorded.attrs["provenance"])["quality"]
        assert "people" in facts  # the key of earlier versions
        back = Quality.from_facts(json.loads(json.dumps(facts)))
        assert back.checks["name"].tolist() == quality.checks["name"].tolist()
        assert back.checks["passed"].tolist() == quality.checks["passed"].tolist()
        assert back.failed == quality.failed
        assert back.subjects["largest_z"].tolist() == pytest.approx(
            quality.subjects["largest_z"].tolist(), rel=1e-6
        )
        assert isinstance(plot_quality(back), Figure)


def test_before_must_have_the_same_subjects_and_features(clean):
    with pytest.raises(DataContractError, match=r"subjects of before and features differ \(in ord"):
        check_quality(clean, SPEC, before=clean.isel(subject=slice(None, None, -1)))
    with pytest.raises(DataContractError, match=r"features of before and features differ \(a--b0"):
        check_quality(clean, SPEC, before=clean.isel(feature=slice(1, None)))
    with pytest.raises(DataContractError, match="not a feature set"):
        check_quality(None)


@pytest.mark.parametrize(
    "bad", [{"outlier_z": -1}, {"max_qcfc": 2}, {"motion": ""}, {"fdr": 0}, {"max_motion": "x"}]
)
def test_thresholds_are_checked(bad):
    with pytest.raises(SpecError):
        QualitySpec(**bad)


def test_the_plot_shows_subjects_and_thresholds(clean):
    motion = clean["motion"].values.copy()
    motion[3] = 0.8
    quality = check_quality(
        reference_to_controls(clean.assign_coords(motion=("subject", motion))), SPEC, before=clean
    )
    figure = plot_quality(quality)
    figure.draw_without_rendering()
    first, second, third = figure.axes
    shown = np.concatenate(
        [c.get_offsets()[:, 0] for c in first.collections[:6] if len(c.get_offsets())]
    )
    assert np.isclose(shown, 0.8).any()
    assert [line.get_xdata()[0] for line in first.lines] == [0.5]
    assert [line.get_xdata()[0] for line in second.lines] == [8.0]
    assert third.get_legend().get_texts()[0].get_text().startswith("before: median |r| ")
    summary = plot_quality(quality, participants=False)
    marks = [c for ax in summary.axes[:2] for c in ax.collections if len(c.get_offsets()) > 1]
    assert marks == [], "no mark of a participant"
    nothing = Quality.from_facts(
        quality.to_facts()
        | {"people": [{"group": "A", "motion": None, "largest_z": None}], "distribution": []}
    )
    with pytest.raises(DataContractError, match="nothing to draw"):
        plot_quality(nothing)
