"""Site effects, and their removal by ComBat."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from scipy.stats import f_oneway

from bayes_mdd import plotting
from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.features import harmonize_sites, reference_to_controls, site_effects
from bayes_mdd.features.adjust.sites import site_variance


@pytest.fixture
def plain(make_features):
    """Features without effects of site."""
    return make_features(n_controls=60, n_patients=60, n_features=40, seed=11)


@pytest.fixture
def shifted(plain):
    """Features with a higher mean of site B in the first 20 and twice the SD in site C."""
    y, site = plain["y"].values.copy(), plain["site"].values
    y[site == "B", :20] += 0.3
    y[site == "C"] = 0.3 + 2 * (y[site == "C"] - 0.3)
    block = ["DMN-CCN"] * 20 + ["SM-SM"] * 20
    moved = plain.assign(y=(("subject", "feature"), y))
    return moved.assign_coords(block=("feature", block))


def test_without_covariates_it_equals_the_f_test(shifted):
    share, p, chance = site_variance(shifted)
    site = shifted["site"].values
    for i in (0, 25):
        groups = [shifted["y"].values[site == s, i] for s in "ABC"]
        assert p[i] == pytest.approx(f_oneway(*groups).pvalue)
        y = shifted["y"].values[:, i]
        between = sum(len(g) * (g.mean() - y.mean()) ** 2 for g in groups)
        assert share[i] == pytest.approx(between / ((y - y.mean()) ** 2).sum())
    assert chance == pytest.approx(2 / 119)


def test_chance_is_the_expected_share_without_site_effects(plain):
    many = [site_variance(plain.assign(y=plain["y"].copy(data=y)))[0].mean() for y in _noise(plain)]
    assert np.mean(many) == pytest.approx(2 / 119, rel=0.1)


def _noise(features):
    rng = np.random.default_rng(0)
    return rng.normal(size=(20, *features["y"].shape))


def test_covariates_are_adjusted_for(plain):
    age = plain["age"].values + np.where(plain["site"].values == "A", 25.0, 0.0)
    y = plain["y"].values + 0.05 * age[:, None]
    confounded = plain.assign(y=(("subject", "feature"), y)).assign_coords(age=("subject", age))
    table = site_effects(confounded).set_index("block")
    adjusted = site_effects(confounded, ["age", "diagnosis"]).set_index("block")
    assert table.loc["all", "before"] > 5 * adjusted.loc["all", "before"]
    assert adjusted.loc["all", "significant_before"] == 0


def test_the_table_has_one_row_per_block(shifted, plain):
    after = plain.assign_coords(block=shifted["block"])
    table = site_effects(shifted, after=after).set_index("block")
    assert table.index.tolist() == ["all", "DMN-CCN", "SM-SM"]
    assert table["features"].tolist() == [40, 20, 20]
    assert table.loc["DMN-CCN", "significant_before"] > 0.9
    assert table.loc["DMN-CCN", "before"] > 5 * table.loc["SM-SM", "before"]
    assert table.loc["DMN-CCN", "significant_after"] == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.drop_vars("site"), "no column 'site'; found arm"),
        (lambda d: d.assign_coords(site=("subject", ["A"] * 120)), "at least two sites"),
        (lambda d: d.assign_coords(site=("subject", ["n/a", *"AB" * 59, "A"])), "for sub-000"),
    ],
)
def test_bad_sites_are_refused(shifted, change, words):
    with pytest.raises(DataContractError, match=words):
        site_effects(change(shifted))


def test_unknown_and_confounded_covariates_are_refused(shifted):
    with pytest.raises(DataContractError, match="'bmi' is not a column"):
        site_effects(shifted, ["bmi"])
    copy = shifted.assign_coords(scanner=shifted["site"])
    with pytest.raises(DataContractError, match="site is confounded with scanner"):
        site_effects(copy, ["scanner"])


def test_the_plot_shows_both_stages(shifted, plain):
    figure = plotting.plot_site_effects(shifted, plain, covariates=["age"])
    figure.draw_without_rendering()
    left, right = figure.axes
    assert [t.get_text()[:2] for t in right.get_yticklabels()] == ["A ", "B ", "C "]
    chance, before, after = right.collections
    assert before.get_offsets()[:, 0].min() > after.get_offsets()[:, 0].max()
    expected = np.array([x[0, 0] for x in chance.get_segments()])
    np.testing.assert_allclose(after.get_offsets()[:, 0], expected, rtol=0.35)
    words = [t.get_text() for t in left.get_legend().get_texts()]
    assert words[0].startswith("before: median ") and words[0].endswith("%")
    assert len(plotting.plot_site_effects(shifted).axes) == 2


def test_two_sites_have_one_distance_which_is_not_drawn_twice(shifted):
    two = shifted.isel(subject=shifted["site"].values != "C")
    right = plotting.plot_site_effects(two).axes[1]
    assert [len(c.get_offsets()) for c in right.collections[1:]] == [1]
    y, first = two["y"].values, two["site"].values == "A"
    means = [y[first].mean(axis=0), y[~first].mean(axis=0)]
    sd = np.sqrt(np.where(first[:, None], (y - means[0]) ** 2, (y - means[1]) ** 2).mean(axis=0))
    apart = np.sqrt((((means[0] - means[1]) / sd) ** 2).mean())
    assert right.collections[1].get_offsets()[0, 0] == pytest.approx(apart)
    assert right.get_yticklabels()[0].get_text().startswith("A (")


def test_missing_neuroharmonize_is_reported(shifted, monkeypatch):
    monkeypatch.setitem(sys.modules, "neuroHarmonize", None)
    with pytest.raises(SpecError, match=r"pip install 'bayes-mdd\[harmonize\]'"):
        harmonize_sites(shifted)


@pytest.fixture
def combat():
    """Skip if neuroHarmonize is not installed."""
    return pytest.importorskip("neuroHarmonize", reason="the extra 'harmonize' is not installed")


def test_combat_removes_differences_in_mean_and_sd(combat, shifted):
    got = harmonize_sites(shifted, ["age", "diagnosis"])
    table = site_effects(shifted, ["age", "diagnosis"], after=got).set_index("block")
    assert table.loc["DMN-CCN", "before"] > 10 * table.loc["DMN-CCN", "after"]
    site = shifted["site"].values
    spread = {s: got["y"].values[site == s].std(axis=0).mean() for s in "ABC"}
    raw = {s: shifted["y"].values[site == s].std(axis=0).mean() for s in "ABC"}
    assert raw["C"] / raw["A"] > 1.8
    assert 0.9 < spread["C"] / spread["A"] < 1.1
    facts = json.loads(got.attrs["provenance"])["harmonized"]
    assert (facts["learned_from"], facts["sites"]) == (120, 3)
    assert got.attrs["units"] == shifted.attrs["units"]


def test_combat_is_estimated_from_training_subjects_only(combat, shifted):
    train = shifted["subject"].values[:90].tolist()
    got = harmonize_sites(shifted, ["age"], train=train)
    alone = harmonize_sites(shifted.isel(subject=slice(90)), ["age"])
    np.testing.assert_allclose(got["y"][:90], alone["y"], rtol=1e-8)
    y = shifted["y"].values.copy()
    y[100] += 50
    moved = shifted.assign(y=(("subject", "feature"), y))
    again = harmonize_sites(moved, ["age"], train=train)
    others = np.arange(120) != 100
    np.testing.assert_allclose(again["y"][others], got["y"][others], rtol=1e-10)
    assert abs(got["y"][95:] - shifted["y"][95:]).max() > 0.05


@pytest.fixture
def pretend(monkeypatch):
    """Replace neuroHarmonize, to test the checks without it."""

    class Package:
        harmonizationLearn = staticmethod(lambda y, table, **options: ({}, y))
        harmonizationApply = staticmethod(lambda y, table, model: y)

    monkeypatch.setitem(sys.modules, "neuroHarmonize", Package)


def refused(*args, **options) -> str:
    with pytest.raises(DataContractError) as caught:
        harmonize_sites(*args, **options)
    return str(caught.value)


def test_sites_with_too_few_training_subjects_are_refused(pretend, shifted):
    site = shifted["site"].values.copy()
    site[[5, 9]] = "D"
    few = shifted.assign_coords(site=("subject", site))
    assert "site 'D' (sub-005, sub-009) has 2 training subject(s)" in refused(few)
    train = shifted["subject"].values[shifted["site"].values != "C"].tolist()
    text = refused(shifted, train=[*train, "sub-999"])
    assert "train lists sub-999" in text
    assert "has 0 training subject(s)" in text
    assert "are standardised" in refused(reference_to_controls(shifted))
    copy = shifted.assign_coords(scanner=shifted["site"])
    assert "linearly dependent, or confounded with site" in refused(copy, ["scanner"])


def test_arms_confounded_with_sites_are_refused_and_associated_ones_warned_of(pretend, shifted):
    arm = shifted["arm"].values
    tied = np.where(arm == "SSRI", "A", np.where(arm == "SNRI", "B", shifted["site"].values))
    text = refused(shifted.assign_coords(site=("subject", tied)))
    assert "arm is confounded with site" in text
    half = np.where(np.arange(120) < 100, tied, shifted["site"].values)
    associated = shifted.assign_coords(site=("subject", half))
    with pytest.warns(UserWarning, match=r"Cramer's V 0\.\d+\) and arm is not among"):
        harmonize_sites(associated)
    with pytest.warns(UserWarning, match="arm is preserved"):
        harmonize_sites(associated, ["arm"])
    harmonize_sites(shifted)  # distributed evenly: no warning
