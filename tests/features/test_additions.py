"""Additions to a feature set: raw scale, half and session differences, pieces of the scan."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from bayes_mdd.errors import DataContractError
from bayes_mdd.features import (
    change_features,
    check_features,
    combine_views,
    graph_features,
    reference_to_controls,
    reference_to_training,
    select_view,
)
from bayes_mdd.features.adjust import harmonize

N, R = 44, 4  # subjects and regions
EDGES = R * (R - 1) // 2


@pytest.fixture
def full(make_features):
    """Edges of four regions with all additions; the last subject has none."""
    rng = np.random.default_rng(3)
    features = make_features(n_features=EDGES)
    names = np.array([f"R{i}" for i in range(R)])
    first, second = np.triu_indices(R, 1)
    half, session = rng.normal(0, 0.1, size=(2, N, EDGES))
    pieces = rng.normal(size=(N, 8, EDGES + R)).astype(np.float32)
    for values in (half, session, pieces):
        values[-1] = np.nan
    return features.assign(
        half_difference=(("subject", "feature"), half),
        session_difference=(("subject", "feature"), session),
        pieces=(("subject", "piece", "pair"), pieces),
    ).assign_coords(
        region=names,
        region_network=("region", ["DMN"] * R),
        region_a=("feature", names[first]),
        region_b=("feature", names[second]),
    )


def lost(features) -> dict[str, str]:
    return json.loads(features.attrs["provenance"]).get("additions_left_out", {})


def plain(features):
    return features.drop_vars(["half_difference", "session_difference", "pieces"])


# ---- contract ---------------------------------------------------------------------------------


def test_a_feature_set_with_additions_passes(full):
    assert check_features(full) is None
    assert check_features(reference_to_controls(full, ["age"])) is None


def test_all_problems_of_the_additions_are_reported_in_one_error(full):
    half = full["half_difference"].values.copy()
    half[2, 1] = np.inf
    wrong = full.drop_vars("pieces").assign(
        half_difference=(("subject", "feature"), half),
        session_difference=(("feature", "subject"), full["session_difference"].values.T),
        pieces=(("subject", "piece", "pair"), full["pieces"].values[:, :1, 1:]),
    )
    wrong = wrong.assign_coords(
        raw_mean=("feature", np.full(EDGES, np.nan)),
        raw_sd=("feature", np.arange(EDGES, dtype=float)),
    ).assign_attrs(measure=3)
    with pytest.raises(DataContractError) as caught:
        check_features(wrong)
    text = list(caught.value.problems)
    expected = (
        "attribute 'raw_units' is None",
        "coordinate 'raw_mean' is wrong for 6 feature(s)",
        "coordinate 'raw_sd' is wrong for 1 feature(s), a--b0",
        "half_difference has missing or infinite values for part of the values of 1 subject(s), "
        "sub-002",
        "session_difference has dims ('feature', 'subject')",
        "pieces has 1 piece(s) per scan",
        "pieces has 9 pairs, but 4 regions have 10",
        "attribute 'measure' is 3",
    )
    assert len(text) == len(expected)
    for message, problem in zip(expected, text, strict=True):
        assert message in problem


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.assign_attrs(raw_units="r"), "'raw_mean' and 'raw_sd' are missing"),
        (lambda d: d.assign_coords(raw_sd=("feature", np.ones(EDGES))), "'raw_mean' is missing"),
        (
            lambda d: d.assign_coords(raw_sd=1.0, raw_mean=("feature", np.arange(EDGES))),
            "'raw_sd' has dims ()",
        ),
        (lambda d: d.assign(half_difference=d["half_difference"].astype(int)), "dtype int"),
        (
            lambda d: d.drop_dims("region").drop_vars(["region_a", "region_b"]),
            "pieces needs the regions",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_incomplete_additions_are_refused(full, change, message):
    with pytest.raises(DataContractError) as caught:
        check_features(change(full))
    assert any(message in problem for problem in caught.value.problems)


# ---- reference --------------------------------------------------------------------------------


@pytest.mark.parametrize("robust", [False, True])
def test_raw_scale_and_covariates_restore_the_raw_values(full, robust):
    got = reference_to_controls(full, ["age"], robust=robust)
    hc = full["diagnosis"].values == "HC"
    age = full["age"].values - full["age"].values[hc].mean()
    y = full["y"].values
    slope = ((y[hc] - y[hc].mean(0)) * age[hc, None]).sum(0) / (age[hc] ** 2).sum()
    back = got["raw_mean"].values + got["y"].values * got["raw_sd"].values + np.outer(age, slope)
    np.testing.assert_allclose(back, y, atol=1e-12)
    if not robust:
        np.testing.assert_allclose(got["raw_mean"], y[hc].mean(0))
    assert got.attrs["raw_units"] == "fisher_z"
    assert "in fisher_z" in json.loads(got.attrs["provenance"])["raw_scale"]


def test_differences_get_the_same_scale_and_pieces_stay(full):
    got = reference_to_controls(full, ["age"])
    sd = got["raw_sd"].values
    for name in ("half_difference", "session_difference"):
        np.testing.assert_allclose(got[name], full[name] / sd)
        assert np.isnan(got[name].values[-1]).all()
    xr.testing.assert_identical(got["pieces"].variable, full["pieces"].variable)


def test_values_are_the_same_without_additions(full):
    np.testing.assert_array_equal(
        reference_to_controls(full, ["age"])["y"], reference_to_controls(plain(full), ["age"])["y"]
    )


def test_a_second_standardisation_continues_the_raw_scale(full):
    once = reference_to_controls(full)
    twice = reference_to_controls(once.assign(y=once["y"] * 3 + 1))
    np.testing.assert_allclose(twice["raw_sd"], once["raw_sd"] * 3)
    np.testing.assert_allclose(twice["raw_mean"], once["raw_mean"] + once["raw_sd"])
    np.testing.assert_allclose(twice["half_difference"], full["half_difference"] / twice["raw_sd"])
    assert twice.attrs["raw_units"] == "fisher_z"


@pytest.mark.parametrize("units", ["z", "mm", "tangent"])
def test_other_units_have_no_raw_scale(full, units):
    got = reference_to_controls(full.assign_attrs(units=units))
    assert "raw_sd" not in got.coords
    assert "raw_units" not in got.attrs
    assert check_features(got) is None


def test_new_subjects_get_the_raw_scale_of_the_training(full):
    new = full.isel(subject=slice(-6, None)).assign_coords(
        subject=[f"new-{i}" for i in range(6)], arm=("subject", ["n/a"] * 6)
    )
    expected = reference_to_controls(full, ["age"])
    got = reference_to_training(new, plain(full), ["age"])
    for name in ("raw_mean", "raw_sd"):
        np.testing.assert_allclose(got[name], expected[name])
    np.testing.assert_allclose(got["y"], expected["y"].values[-6:], atol=1e-12)
    for name in ("half_difference", "session_difference"):
        np.testing.assert_allclose(got[name], expected[name].values[-6:])
    assert got.attrs["raw_units"] == "fisher_z"


# ---- other transformations --------------------------------------------------------------------


def test_change_keeps_the_mean_at_baseline(full):
    rng = np.random.default_rng(0)
    late = full.assign(
        y=full["y"] + rng.normal(size=full["y"].shape), half_difference=full["half_difference"] * 3
    )
    change = change_features(late, full)
    hc = full["diagnosis"].values == "HC"
    np.testing.assert_allclose(change["raw_mean"], full["y"].values[hc].mean(0))
    np.testing.assert_array_equal(change["raw_sd"], 1)
    np.testing.assert_allclose(change["half_difference"], 2 * full["half_difference"])
    assert set(lost(change)) == {"session_difference", "pieces"}
    assert {"piece", "pair"}.isdisjoint(change.dims)
    z = reference_to_controls(change)
    np.testing.assert_allclose(z["raw_mean"], change["raw_mean"])
    sd = change["y"].values[hc].std(axis=0, ddof=1)
    np.testing.assert_allclose(z["raw_sd"], sd)
    np.testing.assert_allclose(z["half_difference"], change["half_difference"] / sd)


def test_change_of_features_in_other_units_has_no_raw_scale(full):
    early = plain(full).assign_attrs(units="mm")
    change = change_features(early.assign(y=early["y"] ** 2), early)
    assert "raw_mean" not in change.coords
    assert lost(change) == {}
    assert "raw_mean" not in reference_to_controls(change).coords


def test_without_half_differences_at_follow_up_they_are_left_out(full):
    late = full.assign(y=full["y"] ** 2).drop_vars("half_difference")
    assert "half_difference" in lost(change_features(late, full))


def test_harmonisation_scales_differences_by_site(full, monkeypatch):
    def apply(y, table, model):
        site = table["SITE"].values
        scale = np.array([{"A": 1.0, "B": 0.5, "C": 2.0}[s] for s in site])[:, None]
        return 0.1 + scale * (y - 0.2) + 0.01 * table["c0"].to_numpy()[:, None]

    learn = lambda y, table, **options: (None, None)  # noqa: E731
    monkeypatch.setattr(harmonize, "_import_neuroharmonize", lambda: (learn, apply))
    got = harmonize.harmonize_sites(full, ["age"])
    scale = np.array([{"A": 1.0, "B": 0.5, "C": 2.0}[s] for s in full["site"].values])[:, None]
    for name in ("half_difference", "session_difference"):
        np.testing.assert_allclose(got[name], full[name] * scale, atol=1e-14)
    assert got.attrs["units"] == "fisher_z"
    assert lost(got) == {"pieces": "ComBat applies to features, not to the series"}
    assert check_features(got) is None
    assert lost(harmonize.harmonize_sites(plain(full), ["age"])) == {}


def test_views_keep_what_all_of_them_have(full):
    other = plain(full).assign(half_difference=full["half_difference"] * 2).assign_attrs(units="mm")
    both = combine_views({"fc": full.assign_attrs(measure="correlation"), "sc": other})
    np.testing.assert_array_equal(
        both["half_difference"].values[:, EDGES:], other["half_difference"]
    )
    assert set(lost(both)) == {"session_difference", "pieces"}
    assert "measure" not in both.attrs
    z = reference_to_controls(both)
    assert check_features(z) is None
    assert np.isnan(z["raw_sd"].values[EDGES:]).all()
    fc, sc = select_view(z, "fc"), select_view(z, "sc")
    alone = reference_to_controls(full)
    np.testing.assert_allclose(fc["raw_mean"], alone["raw_mean"])
    np.testing.assert_allclose(fc["half_difference"], alone["half_difference"])
    assert fc.attrs["raw_units"] == "fisher_z"
    assert "raw_sd" not in sc.coords
    assert "raw_units" not in sc.attrs
    assert check_features(fc) is check_features(sc) is None


def test_views_with_different_raw_units_have_no_raw_scale(full):
    z, r = (reference_to_controls(plain(full).assign_attrs(units=u)) for u in ("fisher_z", "r"))
    both = combine_views({"a": z, "b": r})
    assert set(lost(both)) == {"raw_mean", "raw_sd"}
    assert check_features(both) is None
    same = combine_views({"a": z, "b": z})
    assert same.attrs["raw_units"] == "fisher_z"
    assert check_features(same) is None


def test_graph_measures_say_what_they_leave_out(full):
    full = full.assign(y=abs(full["y"]))
    got = graph_features(full, ["strength"])
    assert set(lost(got)) == {"half_difference", "session_difference", "pieces"}
    assert lost(graph_features(plain(full), ["strength"])) == {}


def test_a_selection_of_subjects_keeps_the_additions(full):
    got = reference_to_controls(full).isel(subject=slice(20, None))
    assert check_features(got) is None
    assert got["pieces"].shape == (24, 8, EDGES + R)
