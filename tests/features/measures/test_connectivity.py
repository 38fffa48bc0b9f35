"""Connectivity from time series: values, checks of the series, and reading of folders."""

from __future__ import annotations

import io
import json
import sys
from functools import partial
from types import SimpleNamespace

import joblib
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from sklearn.covariance import LedoitWolf

from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.features import (
    check_features,
    connectivity_features,
    connectivity_from_timeseries,
    read_features,
)

UPPER = np.triu_indices(5, 1)


@pytest.fixture
def series():
    rng = np.random.default_rng(3)
    return {f"sub-{i}": rng.normal(size=(50, 5)) + rng.normal(size=(50, 1)) for i in range(4)}


def refused(*args, **options) -> str:
    with pytest.raises(DataContractError) as caught:
        connectivity_from_timeseries(*args, **options)
    return str(caught.value)


def test_empirical_correlation_is_pearsons_r(series, region_table):
    got = connectivity_from_timeseries(series, region_table)
    expected = [np.arctanh(np.corrcoef(x, rowvar=False)[UPPER]) for x in series.values()]
    np.testing.assert_allclose(got["y"].values, expected, atol=1e-12)
    assert got.attrs["units"] == "fisher_z"
    facts = json.loads(got.attrs["provenance"])
    assert (facts["measure"], facts["estimator"], facts["fisher_z"]) == (
        "correlation",
        "empirical",
        True,
    )


def test_without_fisher_z_the_units_are_r(series, region_table):
    got = connectivity_from_timeseries(series, region_table, fisher_z=False)
    z = connectivity_from_timeseries(series, region_table)
    np.testing.assert_allclose(np.arctanh(got["y"]), z["y"])
    assert got.attrs["units"] == "r"


def test_partial_correlation_follows_from_the_inverse_covariance(series, region_table):
    got = connectivity_from_timeseries(
        series, region_table, kind="partial correlation", fisher_z=False
    )
    precision = np.linalg.inv(np.cov(series["sub-2"], rowvar=False))
    d = np.sqrt(np.diag(precision))
    np.testing.assert_allclose(got["y"][2], -(precision / np.outer(d, d))[UPPER], atol=1e-10)


def test_ledoit_wolf_estimator(series, region_table):
    got = connectivity_from_timeseries(
        series, region_table, estimator="ledoit-wolf", fisher_z=False
    )
    x = series["sub-1"]
    covariance = LedoitWolf().fit((x - x.mean(0)) / x.std(0, ddof=1)).covariance_
    d = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(got["y"][1], (covariance / np.outer(d, d))[UPPER], atol=1e-10)
    plain = np.corrcoef(x, rowvar=False)[UPPER]
    assert np.abs(got["y"][1].values).sum() < np.abs(plain).sum()


def test_tangent_is_relative_to_the_group(series, region_table):
    got = connectivity_from_timeseries(series, region_table, kind="tangent")
    assert got.attrs["units"] == "tangent"
    assert abs(got["y"].mean("subject")).max() < 1e-5  # the geometric mean is the origin
    fewer = dict(list(series.items())[:3])
    again = connectivity_from_timeseries(fewer, region_table, kind="tangent")
    assert abs(again["y"][0] - got["y"][0]).max() > 1e-3


def test_arrays_with_participants(series, region_table):
    stack = np.stack(list(series.values()))
    participants = pd.DataFrame({"arm": list("aabb"), "age": [1.0, 2, 3, 4]}, index=list(series))
    got = connectivity_from_timeseries(stack, region_table, participants=participants)
    np.testing.assert_array_equal(got["y"], connectivity_from_timeseries(series, region_table)["y"])
    assert got["subject"].values.tolist() == list(series)
    assert check_features(got) is None
    assert connectivity_from_timeseries(stack, region_table)["subject"].values[0] == "sub-001"
    assert "the array has 4 subjects, but participants has 3 rows" in refused(
        stack, region_table, participants=participants.iloc[:3]
    )


def test_arguments_are_not_changed(series, region_table):
    before = {k: v.copy() for k, v in series.items()}
    table = region_table.copy()
    connectivity_from_timeseries(series, region_table)
    pd.testing.assert_frame_equal(region_table, table)
    for key, value in series.items():
        np.testing.assert_array_equal(value, before[key])


def test_all_problems_of_the_series_are_reported_in_one_error(series, region_table):
    series["sub-0"][:, 2] = 4.2
    series["sub-1"][7, 3] = np.nan
    series["sub-2"] = series["sub-2"][:19]
    series["sub-3"] = series["sub-3"].T
    text = refused(series, region_table)
    assert "4 problem(s)" in text
    assert "'R3' in 1 (sub-0)" in text
    assert "sub-1: missing or infinite values in region(s) R4" in text
    assert "sub-2: 19 volumes: at least 20 are needed" in text
    assert "sub-3: the series is 5 x 50, regions by time: transpose it" in text


def test_identical_signals_are_refused(series, region_table):
    series["sub-1"][:, 4] = 3 * series["sub-1"][:, 0] + 1
    assert "sub-1: |r| = 1 between R1 and R5" in refused(series, region_table)


def test_regions_without_data_are_excluded_only_on_request(series, region_table):
    series["sub-1"][:, 2] = np.nan
    series["sub-2"][:, 2] = 7.0
    series["sub-3"][:, 4] = 0.0
    text = refused(series, region_table)
    assert "'R3' in 2 (sub-1, sub-2)" in text
    assert "'R5' in 1 (sub-3)" in text
    fewer = connectivity_from_timeseries(
        series, region_table, kind="partial correlation", missing="drop-regions"
    )
    remaining = ["R1", "R2", "R4"]
    assert fewer["region"].values.tolist() == remaining
    excluded = {"R3": ["sub-1", "sub-2"], "R5": ["sub-3"]}
    assert json.loads(fewer.attrs["left_out"]) == {"policy": "drop-regions", "who": excluded}
    # The same as without these regions in any subject.
    kept = region_table[region_table["region"].isin(remaining)]
    without = {k: v[:, [0, 1, 3]] for k, v in series.items()}
    expected = connectivity_from_timeseries(without, kept, kind="partial correlation")
    np.testing.assert_array_equal(fewer["y"], expected["y"])
    complete = connectivity_from_timeseries(series, region_table, missing="drop-subjects")
    assert complete["subject"].values.tolist() == ["sub-0"]
    assert complete.sizes["feature"] == 10
    assert json.loads(complete.attrs["left_out"]) == {"policy": "drop-subjects", "who": excluded}
    with pytest.raises(SpecError, match="one of refuse, drop-regions, drop-subjects; got 'zero'"):
        connectivity_from_timeseries(series, region_table, missing="zero")
    series["sub-2"][:, :4] = 0
    text = refused(series, region_table, missing="drop-regions")
    assert "fewer than 2 regions have data in all participants; sub-2 alone lacks 4" in text


def test_former_name_of_drop_subjects_is_accepted_with_a_warning(series, region_table):
    series["sub-1"][:, 2] = np.nan
    with pytest.warns(DeprecationWarning, match="'drop-people' is now called 'drop-subjects'") as w:
        former = connectivity_from_timeseries(series, region_table, missing="drop-people")
    assert w[0].filename == __file__
    current = connectivity_from_timeseries(series, region_table, missing="drop-subjects")
    xr.testing.assert_identical(former, current)


def test_single_missing_values_are_refused_whatever_the_option(series, region_table):
    series["sub-1"][3, 2] = np.inf
    assert "sub-1: missing or infinite" in refused(series, region_table, missing="drop-regions")


def test_series_are_read_one_by_one(series, region_table):
    alive, most = [0], [0]

    class Counted(np.ndarray):
        def __del__(self):
            alive[0] -= self.base is None

    def read(values):
        alive[0] += 1
        most[0] = max(most[0], alive[0])
        counted = np.ndarray.__new__(Counted, values.shape)
        counted[...] = values
        return counted

    many = {f"sub-{i}": partial(read, series["sub-0"]) for i in range(40)}
    got = connectivity_from_timeseries(many, region_table)
    assert got.sizes["subject"] == 40
    assert most[0] <= 4


def test_progress_is_shown_on_a_terminal_only(series, region_table, monkeypatch, capsys):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    connectivity_from_timeseries(series, region_table)
    assert capsys.readouterr().err == ""
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    connectivity_from_timeseries(series, region_table)
    assert "correlation" in screen.getvalue()
    assert "4/4" in screen.getvalue()


def test_parallel_computation_gives_the_same_values(series, region_table):
    serial = connectivity_from_timeseries(series, region_table)
    parallel = connectivity_from_timeseries(series, region_table, n_jobs=2)
    np.testing.assert_array_equal(serial["y"], parallel["y"])
    with joblib.parallel_config("threading", n_jobs=2):
        configured = connectivity_from_timeseries(series, region_table)
    np.testing.assert_array_equal(serial["y"], configured["y"])


def test_column_names_are_compared_with_the_region_table(series, region_table):
    names = ["R2", "R1", "R3", "R4", "R5"]
    frames = {k: pd.DataFrame(v, columns=names) for k, v in series.items()}
    assert "order of regions differs" in refused(frames, region_table)


def test_partial_correlation_needs_more_volumes_than_regions(region_table):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"region": [f"r{i}" for i in range(30)], "network": "N"})
    short = {"a": rng.normal(size=(25, 30)), "b": rng.normal(size=(25, 30))}
    assert "25 volumes for 30 regions" in refused(short, table, kind="partial correlation")
    got = connectivity_from_timeseries(
        short, table, kind="partial correlation", estimator="ledoit-wolf"
    )
    assert np.isfinite(got["y"]).all()


@pytest.mark.parametrize("option", [{"kind": "pearson"}, {"estimator": "lw"}])
def test_unknown_methods_are_refused_with_the_choices(series, region_table, option):
    with pytest.raises(SpecError, match=r"must be one of .*(correlation|empirical)"):
        connectivity_from_timeseries(series, region_table, **option)


@pytest.mark.parametrize("form", ["tsv", "npy"])
def test_time_series_of_a_folder_are_read(make_folder, form):
    folder = make_folder(form, source="timeseries")
    got = read_features(folder.root)
    np.testing.assert_allclose(got["y"].values, np.arctanh(folder.edges()), atol=1e-10)
    partial = read_features(folder.root, kind="partial correlation", estimator="ledoit-wolf")
    facts = json.loads(partial.attrs["provenance"])
    assert (facts["measure"], facts["estimator"]) == ("partial correlation", "ledoit-wolf")
    assert abs(partial["y"] - got["y"]).max() > 0.01


def test_the_sidecar_states_measure_and_estimator(make_folder):
    folder = make_folder("tsv", source="timeseries")
    folder.facts(measure="tangent", estimator="ledoit-wolf")
    got = read_features(folder.root)
    assert got.attrs["units"] == "tangent"
    assert json.loads(got.attrs["provenance"])["estimator"] == "ledoit-wolf"


def test_connectivity_features_with_another_atlas(make_folder, region_table):
    folder = make_folder("tsv", source="timeseries")
    participants = pd.DataFrame({"arm": list("aaabbb")}, index=folder.subjects)
    cohort = SimpleNamespace(folder=folder.root, participants=participants)
    region_table["network"] = ["X", "X", "Y", "Y", "Y"]
    got = connectivity_features(cohort, atlas=region_table)
    assert set(got["block"].values) == {"X-X", "X-Y", "Y-Y"}
    assert got["arm"].values.tolist() == list("aaabbb")
    np.testing.assert_array_equal(got["y"], connectivity_features(folder.root)["y"])
    with pytest.raises(DataContractError, match="connectivity_from_timeseries"):
        connectivity_features(SimpleNamespace(folder=None, participants=participants))


def test_series_in_another_order_are_refused(make_folder):
    folder = make_folder("tsv", source="timeseries")
    path = folder.features / "sub-03_task-rest_timeseries.tsv"
    text = path.read_text().splitlines()
    path.write_text("\n".join(["R2\tR1\tR3\tR4\tR5", *text[1:]]))
    with pytest.raises(DataContractError, match="sub-03: the order of regions differs"):
        read_features(folder.root)
