"""Real data: the STAGES trial through its recipe, and from its time series."""

from __future__ import annotations

import json
import runpy

import numpy as np
import pytest

from bayes_mdd.errors import DataContractError
from bayes_mdd.features import (
    change_features,
    connectivity_from_timeseries,
    graph_features,
    read_regions,
    reference_to_controls,
    regional_features,
    select_view,
)


@pytest.fixture(scope="module")
def stages(shared_data, repository, tmp_path_factory):
    source = shared_data("stages_rct")
    out = tmp_path_factory.mktemp("stages") / "cohort"
    recipe = runpy.run_path(str(repository / "docs" / "recipes" / "stages_rct.py"))
    features, left_out = recipe["convert"](source, out)
    return source, out, features, left_out


def test_the_recipe_gives_the_published_cohort(stages):
    _, out, features, left_out = stages
    assert features["y"].shape == (55, 87_571)
    assert left_out == []
    assert len(np.unique(features["block"].values)) == 36
    arms, counts = np.unique(features["arm"].values, return_counts=True)
    assert dict(zip(arms.tolist(), counts.tolist(), strict=True)) == {
        "medication": 35,
        "n/a": 6,
        "placebo": 14,
    }
    assert json.loads((out / "participants.json").read_text())["arm"]["Levels"].keys() == {
        "medication",
        "placebo",
    }
    assert features.attrs["units"] == "fisher_z"


def test_values_belong_to_their_edges(stages):
    source, _, features, _ = stages
    with np.load(source / "fc_fisherz_ses-1.npz") as archive:
        z = archive["fisher_z"][10].astype(float)
    names = features["region"].values
    square = np.zeros((419, 419))
    square[np.triu_indices(419, 1)] = z
    chosen = features.isel(subject=10, feature=[0, 417, 418, 50_000, 87_570])
    for value, a, b in zip(
        chosen["y"].values, chosen["region_a"].values, chosen["region_b"].values, strict=True
    ):
        i, j = (int(np.flatnonzero(names == r)[0]) for r in (a, b))
        assert value == square[i, j]


def test_the_time_series_give_the_stored_connectivity(stages):
    source, out, features, _ = stages
    regions = read_regions(out / "features" / "regions.tsv")
    with np.load(source / "timeseries_ses-1_demeaned_f16.npz") as archive:
        series = dict(zip(archive["subject"][:2].tolist(), archive["ts"][:2], strict=True))
    got = connectivity_from_timeseries({k: v.T for k, v in series.items()}, regions)
    stored = features["y"].sel(subject=list(series))
    # Both are rounded to half precision: an error of 1.5e-4 from the series; in the stored z of up
    # to 4.9e-4 from 1 on, and half of that below 1.
    gap = abs(got["y"].values - stored.values)
    assert gap.max() < 6.4e-4
    assert gap[abs(stored.values) < 1].max() < 5e-4
    assert got["feature"].values.tolist() == features["feature"].values.tolist()


def test_halves_and_pieces_belong_to_their_edges_and_subjects(stages):
    source, out, features, _ = stages
    with np.load(source / "timeseries_ses-1_demeaned_f16.npz") as archive:
        who, x = str(archive["subject"][20]), archive["ts"][20].astype(float)
    own = features.sel(subject=who)
    names = features["region"].values.tolist()
    i, j = (names.index(str(own[f"region_{side}"][321].values)) for side in "ab")
    halves = (slice(117), slice(117, 234))
    z = [np.arctanh(np.corrcoef(x[i, half], x[j, half])[0, 1]) for half in halves]
    assert float(own["half_difference"][321]) == pytest.approx((z[0] - z[1]) / 2, abs=1e-6)
    assert own["pieces"].shape == (8, 419 * 420 // 2)
    mean = np.zeros((419, 419))
    mean[np.triu_indices(419)] = own["pieces"].values.mean(axis=0)
    np.testing.assert_allclose(mean[np.triu_indices(419, 1)], np.tanh(own["y"]), atol=0.05)
    np.testing.assert_allclose(np.diag(mean), 1, atol=1e-5)
    assert len(list((out / "features").glob("*_pieces.npy"))) == 55


def test_the_recipe_subtracts_a_second_session(stages, repository, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for name in ("participants.tsv", "rois_419.tsv", "fc_fisherz_ses-1.npz"):
        (source / name).symlink_to(stages[0] / name)
    with np.load(source / "fc_fisherz_ses-1.npz") as archive:
        subjects, z = archive["subject"][::2], archive["fisher_z"][::2].astype(float)
    np.savez(source / "fc_fisherz_ses-2.npz", subject=subjects, fisher_z=z - 0.5)
    recipe = runpy.run_path(str(repository / "docs" / "recipes" / "stages_rct.py"))
    got, _ = recipe["convert"](source, tmp_path / "cohort", other_session=True)
    assert set(got.data_vars) == {"y", "session_difference"}
    known = got["session_difference"].sel(subject=subjects)
    np.testing.assert_allclose(known, 0.25, atol=1e-6)
    assert np.isnan(got["session_difference"][1]).all()


@pytest.fixture(scope="module")
def some_series(stages):
    source, out, *_ = stages
    with np.load(source / "timeseries_ses-1_demeaned_f16.npz") as archive:
        chosen = dict(zip(archive["subject"][:6].tolist(), archive["ts"][:6], strict=True))
    regions = read_regions(out / "features" / "regions.tsv")
    return {k: v.T.astype(float) for k, v in chosen.items()}, regions


def test_differences_above_5e_4_are_rounding_errors_of_the_file(stages, some_series):
    series, regions = some_series
    stored = stages[2]["y"].sel(subject=list(series)).values
    gap = abs(connectivity_from_timeseries(series, regions, n_jobs=2)["y"].values - stored)
    rounding = np.spacing(stored.astype(np.float16)).astype(float) / 2
    assert (gap - abs(rounding)).max() < 5e-4
    assert gap[abs(stored) < 1].max() < 5e-4


def test_alff_of_the_series(some_series):
    series, regions = some_series
    got = regional_features(series, regions, tr=2.0, scale="mean")
    assert got.sizes["feature"] == 419
    np.testing.assert_allclose(got["y"].mean("feature"), 1)
    assert (got["y"] > 0).all()
    with pytest.raises(DataContractError, match=r"almost no power above 0\.08 Hz"):
        regional_features(series, regions, "falff", tr=2.0)  # band-passed upstream


def test_graph_measures_of_the_stored_connectivity(stages, some_series):
    edges = stages[2].sel(subject=list(some_series[0]))
    got = graph_features(edges, density=0.15)
    assert got.sizes["feature"] == 4 * 419
    assert len(set(got["block"].values)) == 4 * 8
    views = ("strength", "participation", "efficiency")
    values = {view: select_view(got, view)["y"].values for view in views}
    r = np.tanh(edges["y"].values).clip(min=0)
    strongest = np.sort(r, axis=1)[:, -round(0.15 * r.shape[1]) :]
    np.testing.assert_allclose(values["strength"].sum(axis=1) / 2, strongest.sum(axis=1))
    assert ((values["participation"] >= 0) & (values["participation"] < 1)).all()
    # The shortest path is at most as long as the direct edge.
    assert (values["efficiency"] >= values["strength"] / 418 - 1e-12).all()


def test_change_between_sessions_lists_subjects_who_dropped_out(stages):
    # Session 2 is simulated for the subjects who have it, since its features are not published.
    baseline = stages[2]
    has_session_2 = baseline["has_ses2"].values.astype(str)
    remaining = np.flatnonzero(np.isin(has_session_2, ["1", "True", "1.0", "yes"]))
    assert 30 < len(remaining) < 45
    noise = np.random.default_rng(0).normal(0, 0.1, size=(len(remaining), 500))
    early = baseline.isel(feature=slice(500))
    late = early.isel(subject=remaining)
    after = {"y": late["y"] + noise, "half_difference": late["half_difference"] / 2}
    change = change_features(late.assign(after), early)
    np.testing.assert_allclose(change["y"], noise)
    listed = json.loads(change.attrs["left_out"])["who"]["no follow-up"]
    assert len(listed) == 55 - len(remaining)


def test_without_controls_it_is_standardised_within_the_arms(stages):
    got = reference_to_controls(stages[2])
    assert got.attrs["reference"] == "z within 49 patients with a known arm (no controls)"
    known = got["y"].values[got["arm"].values != "n/a"]
    np.testing.assert_allclose(known.std(axis=0, ddof=1), 1)


def test_the_recipe_does_not_overwrite(stages, repository):
    source, out, _, _ = stages
    recipe = runpy.run_path(str(repository / "docs" / "recipes" / "stages_rct.py"))
    with pytest.raises(SystemExit, match="not empty"):
        recipe["convert"](source, out)
