"""Real data: the STAGES trial through its recipe, and from its time series."""

from __future__ import annotations

import json
import runpy

import numpy as np
import pytest

from bayes_mdd.features import (
    connectivity_from_timeseries,
    read_regions,
    reference_to_controls,
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
