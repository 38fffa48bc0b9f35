"""Cohorts of time series: connectivity, halves and pieces follow from the series and the truth."""

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayes_mdd as bm
from bayes_mdd.errors import SpecError
from bayes_mdd.simulate import DEMO_PATTERNS, DEMO_SEED, simulate_cohort, write_cohort
from bayes_mdd.simulate._covariance import (
    covariance_of,
    draw_base_correlation,
    draw_deviations,
    fisher_z,
    power,
)
from bayes_mdd.simulate._design import make_regions

SMALL = {"n_subjects": {"SSRI": 6, "SNRI": 5}, "n_controls": 4, "n_regions": 14}


@pytest.fixture(scope="module")
def demo():
    return simulate_cohort(DEMO_SEED, source="series")


@pytest.fixture(scope="module")
def many():
    """Many patients, so that regression on the true scores is precise."""
    return simulate_cohort(
        4, n_subjects={"SSRI": 400, "SNRI": 400}, n_controls=0, n_regions=28, source="series"
    )


def regress(cohort):
    """Slopes (factor, feature) of the edges on true scores, adjusted for covariates, and SD."""
    f, scores = cohort.features, cohort.truth["scores"].values
    patients = f["arm"].values != "n/a"
    nuisance = np.column_stack(
        [f["site"] == "site1", f["site"] == "site2", f["age"], f["sex"] == "F", f["mean_fd"]]
    ).astype(float)[patients]
    design = np.column_stack([scores, nuisance])
    y = f["y"].values[patients]
    beta = np.linalg.lstsq(design, y, rcond=None)[0]
    residual = y - design @ beta
    return beta[: scores.shape[1]], np.sqrt(
        (residual**2).mean() * len(y) / (len(y) - design.shape[1])
    )


def test_features_are_measured_from_the_series(demo):
    again = bm.connectivity_from_timeseries(
        demo.series, demo.regions, participants=demo.participants, halves=True, pieces=8
    )
    bm.check_features(demo.features)
    for name in ("y", "half_difference"):
        np.testing.assert_allclose(demo.features[name], again[name], rtol=0, atol=1e-10)
    np.testing.assert_allclose(demo.features["pieces"], again["pieces"], rtol=0, atol=1e-6)
    assert demo.features.attrs["units"] == again.attrs["units"] == "fisher_z"
    assert demo.features.attrs["measure"] == again.attrs["measure"] == "correlation"
    assert {x.shape for x in demo.series.values()} == {(240, 51)}


def test_halves_and_pieces_are_consistent_with_the_whole_scan(demo):
    f = demo.features
    on_diagonal = np.equal(*np.triu_indices(51))
    mean = f["pieces"].values.mean(axis=1)
    np.testing.assert_allclose(mean[:, on_diagonal], 1, atol=1e-5)
    np.testing.assert_allclose(mean[:, ~on_diagonal], np.tanh(f["y"]), atol=1e-5)
    # Halves are noisier than the whole scan, and as noisy as their difference implies.
    subject = str(f["subject"].values[5])
    first, second = (
        np.arctanh(np.corrcoef(part.T)[np.triu_indices(51, 1)])
        for part in np.split(demo.series[subject].astype(float), 2)
    )
    own = f.sel(subject=subject)
    np.testing.assert_allclose(own["half_difference"], (first - second) / 2, atol=1e-10)
    assert np.abs((first + second) / 2 - own["y"].values).mean() < 0.02
    assert np.corrcoef(first + second, own["y"].values)[0, 1] > 0.99


def test_same_story_as_the_cohort_of_edges(demo):
    edges = simulate_cohort(DEMO_SEED, source="edges")
    pd.testing.assert_frame_equal(demo.participants, edges.participants)
    pd.testing.assert_frame_equal(demo.items, edges.items)
    pd.testing.assert_frame_equal(demo.symptoms, edges.symptoms)
    for name in ("scores", "sharing", "symptom_weight"):
        xr.testing.assert_identical(demo.truth[name], edges.truth[name])
    assert edges.series == {}
    assert "pieces" not in edges.features
    for factor, blocks in DEMO_PATTERNS.items():
        at, other = (c.truth["loadings"].sel(factor=factor) for c in (demo, edges))
        assert set(at["block"].values[at.values != 0]) == set(blocks)
        assert np.corrcoef(at, other)[0, 1] > 0.99
    assert demo.settings["source"] == "series"
    assert demo.settings["n_volumes"] == 240
    assert "noise_sd" not in demo.settings


def test_the_seed_determines_the_series():
    one, two, other = (simulate_cohort(s, source="series", **SMALL) for s in (3, 3, 4))
    xr.testing.assert_identical(one.features, two.features)
    xr.testing.assert_identical(one.truth, two.truth)
    assert not np.allclose(one.features["y"], other.features["y"])


def test_base_correlations_are_realistic():
    regions = make_regions(51)
    base = draw_base_correlation(np.random.default_rng(0), regions)
    a, b = np.triu_indices(51, 1)
    inside = (regions["network"].to_numpy()[a] == regions["network"].to_numpy()[b]).astype(bool)
    assert 0.2 < base[a, b].mean() < 0.3
    assert 0.4 < base[a, b][inside].mean() < 0.5
    values = np.linalg.eigvalsh(base)[::-1]
    assert values[0] > 10
    assert 0.3 < values[-1] < values[10] < 1
    np.testing.assert_allclose(np.diag(base), 1)


def test_covariances_are_positive_definite_and_deviations_are_in_fisher_z():
    rng = np.random.default_rng(1)
    base = draw_base_correlation(rng, make_regions(30))
    root = power(base, 0.5)
    np.testing.assert_allclose(root @ root, base, atol=1e-10)
    np.testing.assert_allclose(covariance_of(np.zeros((30, 30)), root), base, atol=1e-10)
    for extreme in draw_deviations(rng, 5, 30, 0.5):
        assert np.linalg.eigvalsh(np.eye(30) + extreme).min() < 0
        assert np.linalg.eigvalsh(covariance_of(extreme, root)).min() > 0
    small = draw_deviations(rng, 300, 30, 0.01)
    changes = np.array([fisher_z(covariance_of(s, root)) for s in small]) - fisher_z(base)
    np.testing.assert_allclose(changes.std(0).mean(), 0.01, rtol=0.05)


def test_regression_on_true_scores_recovers_the_loadings(many):
    beta, sd = regress(many)
    truth = many.truth["loadings"].values * float(many.truth["noise_sd"])
    # The residual SD also has interactions of traits, which are not linear in the scores.
    np.testing.assert_allclose(sd, many.truth["noise_sd"], rtol=0.05)
    for k in range(5):
        assert np.corrcoef(beta[k], truth[k])[0, 1] > 0.97
        np.testing.assert_allclose(beta[k] @ truth[k] / (truth[k] @ truth[k]), 1, atol=0.06)


def test_loadings_are_the_slope_of_fisher_z_at_the_mean(monkeypatch):
    monkeypatch.setattr("bayes_mdd.simulate._series.INDIVIDUAL_SD", 0.0)
    cohort = simulate_cohort(
        5,
        n_subjects={"A": 60},
        n_controls=0,
        n_regions=10,
        n_shared=2,
        n_specific={},
        loading_scale=2.0,
        covariate_effect=0,
        site_shift=0,
        n_volumes=4000,
        source="series",
    )
    beta, _ = regress(cohort)
    truth = cohort.truth["loadings"].values * float(cohort.truth["noise_sd"])
    for k in range(2):
        np.testing.assert_allclose(beta[k] @ truth[k] / (truth[k] @ truth[k]), 1, atol=0.05)


def test_errors_of_edges_are_correlated_as_in_real_connectivity(many):
    edges = simulate_cohort(
        4,
        n_subjects={"A": 100},
        n_controls=0,
        n_regions=28,
        n_shared=0,
        n_specific={},
        source="edges",
    )
    series = simulate_cohort(
        4,
        n_subjects={"A": 100},
        n_controls=0,
        n_regions=28,
        n_shared=0,
        n_specific={},
        source="series",
    )

    def effective_number(cohort):
        y = cohort.features["y"].values
        y = (y - y.mean(0)) / y.std(0)
        values = np.linalg.eigvalsh(y @ y.T)
        # Of independent features: 1 / (1 / P + 1 / n).
        return 1 / (np.sum(values**2) / values.sum() ** 2 - 1 / len(y))

    assert effective_number(edges) > 200
    assert effective_number(series) < 60


def test_no_trait_without_loadings():
    null = simulate_cohort(
        6,
        n_subjects={"SSRI": 60, "SNRI": 60},
        n_controls=0,
        n_regions=21,
        loading_scale=0,
        source="series",
    )
    assert not null.truth["loadings"].values.any()
    beta, sd = regress(null)
    # Slopes are as large as chance makes them: their SD is that of the mean of a sample.
    n = [(s != 0).sum() for s in null.truth["scores"].values.T]
    np.testing.assert_allclose(beta.std(axis=1), sd / np.sqrt(n), rtol=0.5)
    empty = simulate_cohort(2, n_shared=0, n_specific={}, source="series", **SMALL)
    assert empty.truth.sizes["factor"] == 0


def test_motion_lowers_connectivity_and_signals_are_autocorrelated(demo):
    alike = simulate_cohort(
        3, n_shared=0, n_specific={}, covariate_effect=0, site_shift=0, source="series"
    )
    mean = alike.features["y"].mean("feature")
    assert np.corrcoef(alike.participants["mean_fd"], mean)[0, 1] < -0.3
    lag_one = [
        np.mean([np.corrcoef(x[1:, r], x[:-1, r])[0, 1] for r in range(51)])
        for x in demo.series.values()
    ]
    assert 0.35 < np.mean(lag_one) < 0.5
    assert 0.03 < np.std(lag_one) < 0.12


def test_sites_and_covariates_act_on_connectivity():
    plain, shifted = (
        simulate_cohort(2, source="series", site_shift=s, covariate_effect=0, **SMALL)
        for s in (0.0, 3.0)
    )
    difference = shifted.features["y"] - plain.features["y"]
    by_site = difference.groupby("site").mean("subject")
    assert np.abs(by_site).mean() > 3 * difference.groupby("site").std("subject").mean() / np.sqrt(
        7
    )
    with_age = simulate_cohort(2, source="series", site_shift=0, covariate_effect=2, **SMALL)
    assert np.abs(with_age.features["y"] - plain.features["y"]).mean() > 0.1


def test_arguments_that_series_do_not_have_are_refused():
    with pytest.raises(SpecError, match=r"noise_sd cannot be set.*noise_df.*at least 40") as error:
        simulate_cohort(source="series", noise_sd=0.2, noise_df=5, n_volumes=20)
    assert "noise_df cannot be set with series" in str(error.value)
    with pytest.raises(SpecError, match="source must be one of edges, series, got 'bold'"):
        simulate_cohort(source="bold")


def test_written_cohort_is_read_with_halves_and_pieces(tmp_path):
    cohort = simulate_cohort(7, source="series", **SMALL)
    write_cohort(cohort, tmp_path / "cohort")
    read = bm.read_features(tmp_path / "cohort")
    np.testing.assert_allclose(read["y"], cohort.features["y"], atol=3e-4)
    # Half precision.
    for name in ("half_difference", "pieces"):
        np.testing.assert_allclose(read[name], cohort.features[name], atol=4e-3)
    assert np.isfinite(read["half_difference"]).all()
    noise = json.loads((tmp_path / "cohort" / "truth" / "noise.json").read_text())
    np.testing.assert_allclose(noise["noise_sd"], cohort.truth["noise_sd"], atol=1e-6)


def test_example_series_can_be_measured(tmp_path):
    cohort = simulate_cohort(7, source="series", **SMALL)
    write_cohort(cohort, tmp_path)
    paths = sorted((tmp_path / "examples").iterdir())
    assert [p.name for p in paths] == [
        f"sub-00{k}_task-rest_atlas-demo14_timeseries.tsv" for k in (1, 2, 3)
    ]
    series = {p.name[:7]: pd.read_csv(p, sep="\t") for p in paths}
    measured = bm.connectivity_from_timeseries(series, cohort.regions)
    expected = cohort.features["y"].sel(subject=list(series))
    np.testing.assert_allclose(measured["y"], expected, atol=1e-3)


def test_a_cohort_of_edges_replaces_one_of_series(tmp_path):
    series = simulate_cohort(7, source="series", **SMALL)
    edges = simulate_cohort(7, source="edges", **SMALL)
    write_cohort(series, tmp_path / "one")
    (tmp_path / "one" / "examples" / "mine.txt").write_text("keep")
    write_cohort(edges, tmp_path / "one", overwrite=True)
    write_cohort(edges, tmp_path / "two")
    left, expected = (
        {str(p.relative_to(tmp_path / d)) for p in (tmp_path / d).rglob("*") if p.is_file()}
        for d in ("one", "two")
    )
    assert left == expected | {"examples/mine.txt"}
    assert "Each edge is drawn separately" in (tmp_path / "one" / "README").read_text()


def test_the_demo_is_small(demo, tmp_path):
    write_cohort(demo, tmp_path)
    assert sum(p.stat().st_size for p in tmp_path.rglob("*") if p.is_file()) < 6_000_000
