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


def test_the_recipe_gives_the_cohort_of_the_issue(stages):
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


def test_values_sit_on_the_right_edges(stages):
    source, _, features, _ = stages
    with np.load(source / "fc_fisherz_ses-1.npz") as held:
        z = held["fisher_z"][10].astype(float)
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
    with np.load(source / "timeseries_ses-1_demeaned_f16.npz") as held:
        series = dict(zip(held["subject"][:2].tolist(), held["ts"][:2], strict=True))
    got = connectivity_from_timeseries({k: v.T for k, v in series.items()}, regions)
    stored = features["y"].sel(subject=list(series))
    # Both sides were rounded to half precision: 1.5e-4 through the series, and in the stored z
    # up to 4.9e-4 from 1 on and half of that below.
    gap = abs(got["y"].values - stored.values)
    assert gap.max() < 6.4e-4
    assert gap[abs(stored.values) < 1].max() < 5e-4
    assert got["feature"].values.tolist() == features["feature"].values.tolist()


@pytest.fixture(scope="module")
def some_series(stages):
    source, out, *_ = stages
    with np.load(source / "timeseries_ses-1_demeaned_f16.npz") as held:
        chosen = dict(zip(held["subject"][:6].tolist(), held["ts"][:6], strict=True))
    regions = read_regions(out / "features" / "regions.tsv")
    return {k: v.T.astype(float) for k, v in chosen.items()}, regions


def test_what_is_off_by_more_than_5e_4_is_the_rounding_of_the_file(stages, some_series):
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
    with pytest.raises(DataContractError, match=r"next to nothing above 0\.08 Hz"):
        regional_features(series, regions, "falff", tr=2.0)  # band-passed upstream


def test_graph_measures_of_the_stored_connectivity(stages, some_series):
    people = list(some_series[0])
    edges = stages[2].sel(subject=people)
    got = graph_features(edges, density=0.15)
    assert got.sizes["feature"] == 4 * 419
    assert len(set(got["block"].values)) == 4 * 8
    one = {v: select_view(got, v)["y"].values for v in ("strength", "participation", "efficiency")}
    r = np.tanh(edges["y"].values).clip(min=0)
    strongest = np.sort(r, axis=1)[:, -round(0.15 * r.shape[1]) :]
    np.testing.assert_allclose(one["strength"].sum(axis=1) / 2, strongest.sum(axis=1))
    assert ((one["participation"] >= 0) & (one["participation"] < 1)).all()
    # A direct edge is never longer than the way round.
    assert (one["efficiency"] >= one["strength"] / 418 - 1e-12).all()


def test_change_between_sessions_lists_who_was_not_there_again(stages):
    # Session 2 is not published as features here: the same people, less those who dropped out.
    baseline = stages[2]
    again = baseline["has_ses2"].values.astype(str)
    stayed = np.flatnonzero(np.isin(again, ["1", "True", "1.0", "yes"]))
    assert 30 < len(stayed) < 45
    noise = np.random.default_rng(0).normal(0, 0.1, size=(len(stayed), 500))
    early = baseline.isel(feature=slice(500))
    late = early.isel(subject=stayed)
    change = change_features(late.assign(y=late["y"] + noise), early)
    np.testing.assert_allclose(change["y"], noise)
    listed = json.loads(change.attrs["left_out"])["who"]["no follow-up"]
    assert len(listed) == 55 - len(stayed)


def test_it_is_standardised_within_the_arms(stages):
    got = reference_to_controls(stages[2])
    assert got.attrs["reference"] == "z within 49 patients with a known arm (no controls)"
    known = got["y"].values[got["arm"].values != "n/a"]
    np.testing.assert_allclose(known.std(axis=0, ddof=1), 1)


def test_the_recipe_does_not_overwrite(stages, repository):
    source, out, _, _ = stages
    recipe = runpy.run_path(str(repository / "docs" / "recipes" / "stages_rct.py"))
    with pytest.raises(SystemExit, match="not empty"):
        recipe["convert"](source, out)
