"""Halves and pieces of scans: values, and subjects who lack them."""

from __future__ import annotations

import json

import joblib
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from nilearn.connectome import ConnectivityMeasure
from sklearn.covariance import EmpiricalCovariance

from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.features import (
    check_features,
    connectivity_from_timeseries,
    reference_to_controls,
)

UPPER = np.triu_indices(5, 1)
PAIRS = np.triu_indices(5)


@pytest.fixture
def series():
    rng = np.random.default_rng(3)
    return {f"sub-{i}": rng.normal(size=(61, 5)) + rng.normal(size=(61, 1)) for i in range(4)}


def facts(features) -> dict:
    return json.loads(features.attrs["provenance"])


@pytest.mark.parametrize("options", [{}, {"fisher_z": False}, {"estimator": "ledoit-wolf"}])
def test_halves_are_measured_as_the_whole_scan(series, region_table, options):
    got = connectivity_from_timeseries(series, region_table, halves=True, **options)
    a, b = (
        connectivity_from_timeseries(
            {k: v[part] for k, v in series.items()}, region_table, **options
        )
        for part in (slice(30), slice(30, 60))
    )
    np.testing.assert_allclose(got["half_difference"], (a["y"] - b["y"]) / 2, atol=1e-12)
    assert "pieces" not in got


def test_partial_correlations_have_halves_too(series, region_table):
    got = connectivity_from_timeseries(series, region_table, "partial correlation", halves=True)
    half = connectivity_from_timeseries(
        {k: v[:30] for k, v in series.items()}, region_table, "partial correlation"
    )
    other = connectivity_from_timeseries(
        {k: v[30:60] for k, v in series.items()}, region_table, "partial correlation"
    )
    np.testing.assert_allclose(got["half_difference"], (half["y"] - other["y"]) / 2, atol=1e-12)
    assert got.attrs["measure"] == "partial correlation"


def test_tangent_halves_are_relative_to_the_mean_of_whole_scans(series, region_table):
    got = connectivity_from_timeseries(series, region_table, "tangent", halves=True)
    measure = ConnectivityMeasure(
        cov_estimator=EmpiricalCovariance(store_precision=False), kind="tangent"
    )
    measure.fit(list(series.values()))
    a, b = (
        measure.transform([v[part] for v in series.values()]) for part in (slice(30), slice(30, 60))
    )
    np.testing.assert_allclose(
        got["half_difference"], ((a - b) / 2)[:, *UPPER], rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("n", [2, 4, 8])
def test_pieces_are_products_of_the_standardised_series(series, region_table, n):
    got = connectivity_from_timeseries(series, region_table, pieces=n)
    assert got["pieces"].dtype == np.float32
    assert got["pieces"].shape == (4, n, 15)
    length = 61 // n
    used = series["sub-2"][: n * length]
    x = (used - used.mean(0)) / used.std(0)
    part = x[length : 2 * length]
    np.testing.assert_allclose(
        got["pieces"].values[2, 1], (part.T @ part / length)[PAIRS], rtol=1e-5, atol=1e-6
    )
    mean = got["pieces"].values[2].mean(axis=0)
    np.testing.assert_allclose(mean, np.corrcoef(used.T)[PAIRS], atol=1e-6)


def test_the_features_do_not_depend_on_the_parts(series, region_table):
    for kind in ("correlation", "tangent"):
        plain = connectivity_from_timeseries(series, region_table, kind)
        pieces = 8 if kind == "correlation" else None
        full = connectivity_from_timeseries(series, region_table, kind, halves=True, pieces=pieces)
        parts = [name for name in full.data_vars if name != "y"]
        xr.testing.assert_identical(full.drop_vars(parts), plain)


def test_the_result_meets_the_contract_and_can_be_standardised(series, region_table):
    table = pd.DataFrame({"arm": ["A", "B"] * 2}, index=list(series))
    got = connectivity_from_timeseries(
        series, region_table, participants=table, halves=True, pieces=4
    )
    assert check_features(got) is None
    z = reference_to_controls(got)
    np.testing.assert_allclose(z["half_difference"], got["half_difference"] / z["raw_sd"])
    mean = np.tanh(z["raw_mean"].values)
    np.testing.assert_allclose(mean, np.tanh(got["y"].mean("subject")))


@pytest.mark.slow
def test_threads_and_processes_give_the_same_parts(series, region_table):
    expected = connectivity_from_timeseries(series, region_table, halves=True, pieces=4)
    threads = connectivity_from_timeseries(series, region_table, halves=True, pieces=4, n_jobs=2)
    xr.testing.assert_identical(threads, expected)
    with joblib.parallel_config("loky", n_jobs=2):
        processes = connectivity_from_timeseries(series, region_table, halves=True, pieces=4)
    xr.testing.assert_identical(processes, expected)


def test_subjects_without_halves_or_pieces_are_listed(series, region_table):
    still = series["sub-2"].copy()
    still[:30, 1] = 0.5
    twins = series["sub-3"].copy()
    twins[30:60, 4] = twins[30:60, 3]
    changed = series | {"sub-1": series["sub-1"][:39], "sub-2": still, "sub-3": twins}
    got = connectivity_from_timeseries(changed, region_table, halves=True, pieces=8)
    known = np.isfinite(got["half_difference"].values).all(axis=1)
    assert known.tolist() == [True, False, False, False]
    assert facts(got)["without_half_difference"] == {
        "39 volumes, two halves need at least 40": ["sub-1"],
        "region(s) R2 do not vary in one of the halves": ["sub-2"],
        "|r| = 1 between R4 and R5: exclude one of the two regions.": ["sub-3"],
    }
    assert facts(got)["without_pieces"] == {"39 volumes, 8 pieces need at least 40": ["sub-1"]}
    assert check_features(got.assign_coords(arm=("subject", ["A"] * 4))) is None


def test_halves_too_short_for_the_measure(region_table):
    rng = np.random.default_rng(0)
    regions = pd.concat([region_table.assign(region=region_table["region"] + x) for x in "abcdef"])
    regions = regions.drop(columns=["label"]).reset_index(drop=True)
    series = {"sub-1": rng.normal(size=(50, 30)), "sub-2": rng.normal(size=(90, 30))}
    for kind in ("partial correlation", "tangent"):
        got = connectivity_from_timeseries(series, regions, kind, halves=True)
        (reason,) = facts(got)["without_half_difference"]
        assert reason.startswith("25 volumes for 30 regions")
        assert np.isfinite(got["half_difference"].values).all(axis=1).tolist() == [False, True]


def test_parts_that_nobody_has_are_an_error(series, region_table):
    short = {k: v[:30] for k, v in series.items()}
    with pytest.raises(DataContractError) as caught:
        connectivity_from_timeseries(short, region_table, halves=True, pieces=8)
    assert list(caught.value.problems) == [
        "no participant has half_difference: sub-0, sub-1, sub-2 and 1 more: 30 volumes, two "
        "halves need at least 40. Omit halves.",
        "no participant has pieces: sub-0, sub-1, sub-2 and 1 more: 30 volumes, 8 pieces need at "
        "least 40. Omit pieces, or ask for fewer pieces.",
    ]


@pytest.mark.parametrize("pieces", [1, -2, 2.5, True, "8"])
def test_wrong_numbers_of_pieces_are_refused(series, region_table, pieces):
    with pytest.raises(SpecError, match="whole number of at least 2"):
        connectivity_from_timeseries(series, region_table, pieces=pieces)


@pytest.mark.parametrize(
    "method", [("tangent", "empirical"), ("partial correlation",), ("correlation", "ledoit-wolf")]
)
def test_pieces_are_refused_for_other_measures(series, region_table, method):
    with pytest.raises(SpecError, match="Omit pieces"):
        connectivity_from_timeseries(series, region_table, *method, pieces=8)


def test_dropped_regions_are_in_no_part(series, region_table):
    series["sub-1"] = series["sub-1"].copy()
    series["sub-1"][:, 2] = np.nan
    got = connectivity_from_timeseries(
        series, region_table, missing="drop-regions", halves=True, pieces=4
    )
    rest = region_table.drop(index=2).reset_index(drop=True)
    without = {k: np.delete(v, 2, axis=1) for k, v in series.items()}
    expected = connectivity_from_timeseries(without, rest, halves=True, pieces=4)
    for name in ("half_difference", "pieces"):
        np.testing.assert_array_equal(got[name], expected[name])
