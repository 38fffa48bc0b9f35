"""Treatment response, folds, projection, baselines and polar LDA of changed data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from invariance.changes import shuffle_edges, shuffle_participants
from made_baselines import make_trial

import bayes_mdd as bm
from bayes_mdd.features.order import in_order_of, in_standard_order, natural_order
from bayes_mdd.shared_specific.data.edges import region_order
from bayes_mdd.shared_specific.posterior.stability import _pairs_of_fit
from bayes_mdd.studies.folds import assign_folds

FEW = bm.EvaluationSpec(permutations=99, policy_permutations=19, folds=3, repeats=2)
#: Posterior draws of a fit of treatment response.
DRAWN = ("drug", "moderation", "prognosis")


@pytest.fixture(scope="module")
def trial():
    found = bm.simulate_trial(seed=3, n=60, benefit_sd=0.6, n_sites=3, n_factors=3)
    outcomes = found.outcomes.rename(columns={"hamd17": "rating", "hamd17_baseline": "before"})
    return found.scores, outcomes


SPEC = bm.ResponseSpec(
    outcome="rating",
    baseline="before",
    covariates=("age",),
    default_arm="SSRI",
    assignment="randomised",
)


def response(scores, outcomes, spec=SPEC):
    return bm.fit_response(spec, scores, outcomes, method="fast", progressbar=False)


@pytest.fixture(scope="module")
def new_patients():
    return bm.simulate_trial(seed=4, n=20, n_factors=3, prefix="new").scores


@pytest.fixture(scope="module")
def response_fit(trial):
    return response(*trial)


def shuffled(rows, seed=0):
    return rows.iloc[np.random.default_rng(seed).permutation(len(rows))]


def same_draws(first, second):
    a, b = (x["posterior"].to_dataset() for x in (first, second))
    return all(np.array_equal(a[n].values, b[n].values) for n in a.data_vars)


def test_response_does_not_depend_on_the_order_of_tables(trial, response_fit, new_patients):
    scores, outcomes = trial
    at = np.random.default_rng(1).permutation(scores.sizes["subject"])
    again = response(scores.isel(subject=at), shuffled(outcomes))
    assert same_draws(response_fit, again)
    at = np.arange(20)[::-1]
    first = bm.predict_benefit(response_fit, new_patients)
    second = bm.predict_benefit(response_fit, new_patients.isel(subject=at))
    assert second["subject"].values.tolist() == new_patients["subject"].values[at].tolist()
    xr.testing.assert_identical(first.isel(subject=at), second)


def test_response_follows_names_of_arms_and_units(trial, response_fit, new_patients):
    scores, outcomes = trial
    names = {"SSRI": "zeta", "SNRI": "alpha"}
    renamed = outcomes.assign(arm=outcomes["arm"].map(names))
    again = response(scores, renamed, replace(SPEC, default_arm="zeta"))
    assert same_draws(response_fit, again)
    assert again.attrs["other_arm"] == "alpha"
    months = outcomes.assign(
        age=12 * outcomes["age"] + 100,
        rating=1000 * outcomes["rating"] + 500,
        before=1000 * outcomes["before"] + 500,
    )
    larger = bm.predict_benefit(response(scores, months), new_patients)
    given = bm.predict_benefit(response_fit, new_patients)
    for name in ("benefit_mean", "benefit_lower", "benefit_upper"):
        np.testing.assert_allclose(larger[name] / 1000, given[name], rtol=1e-6, atol=1e-8)
    for name in ("p_benefit", "p_minimum"):
        np.testing.assert_array_equal(larger[name], given[name])


@pytest.mark.slow
def test_response_mirrors_the_default_drug(trial, response_fit, new_patients):
    scores, outcomes = trial
    turned = response(scores, outcomes, replace(SPEC, default_arm="SNRI"))
    given, found = (
        bm.predict_benefit(x, new_patients)["benefit_mean"].values for x in (response_fit, turned)
    )
    assert np.abs(given + found).max() < 0.1 * given.std()


@pytest.mark.slow
def test_tests_and_value_of_a_rule_do_not_depend_on_the_order_of_tables(trial):
    scores, outcomes = trial
    first = bm.analyse_response(SPEC, scores, outcomes, evaluation=FEW, method="fast")
    second = bm.analyse_response(SPEC, scores, shuffled(outcomes), evaluation=FEW, method="fast")
    assert first.to_mapping() == second.to_mapping()


def test_folds_do_not_depend_on_the_order_of_participants(edges):
    given = assign_folds(edges.features, folds=3, seed=1)
    again = assign_folds(shuffle_participants(edges).features, folds=3, seed=1)
    assert again.index.tolist() != given.index.tolist()
    pd.testing.assert_series_equal(again.loc[given.index], given)


def test_standard_order_is_the_same_from_any_order_and_can_be_undone(series):
    mixed = shuffle_edges(shuffle_participants(series)).features
    assert mixed["subject"].values.tolist() != series.features["subject"].values.tolist()
    xr.testing.assert_identical(in_standard_order(mixed), in_standard_order(series.features))
    xr.testing.assert_identical(in_order_of(in_standard_order(mixed), mixed), mixed)
    assert [["b", "a2", "a10", "a02", "10", "9"][i] for i in natural_order(
        ["b", "a2", "a10", "a02", "10", "9"])] == ["9", "10", "a02", "a2", "a10", "b"]  # fmt: skip


def test_reference_is_the_same_to_the_last_bit_in_any_order(series):
    given = bm.reference_to_controls(series.features, covariates=series.reference)
    mixed = shuffle_edges(shuffle_participants(series)).features
    found = bm.reference_to_controls(mixed, covariates=series.reference)
    assert found["feature"].values.tolist() == mixed["feature"].values.tolist()
    back = found.sel(subject=given["subject"].values, feature=given["feature"].values)
    for name in ("y", "half_difference", "raw_mean", "raw_sd"):
        assert np.array_equal(back[name].values, given[name].values, equal_nan=True), name


def test_pieces_belong_to_their_regions_in_any_order_of_edges(series):
    mixed = shuffle_edges(series).features
    names, region = region_order(mixed), mixed["region"].values.astype(str)
    assert names != region.tolist()
    pairs = _pairs_of_fit(mixed, mixed.sizes["pair"])
    (i, j), (a, b) = np.triu_indices(len(names)), np.triu_indices(len(region))
    fitted = [{names[x], names[y]} for x, y in zip(i, j, strict=True)]
    assert fitted == [{region[a[p]], region[b[p]]} for p in pairs]


@pytest.mark.slow
def test_projection_does_not_depend_on_the_order_of_participants(series_run):
    at = np.arange(series_run.new.sizes["subject"])[::-1]
    first = bm.project(series_run.idata, series_run.new, max_draws=40)
    second = bm.project(series_run.idata, series_run.new.isel(subject=at), max_draws=40)
    assert second["subject"].values.tolist() == series_run.new["subject"].values[at].tolist()
    assert np.array_equal(first["scores"].values, second["scores"].values[:, :, at], equal_nan=True)


@pytest.mark.slow
def test_baselines_do_not_depend_on_the_order_of_tables():
    spec, features, table = make_trial(clinical=1.0)
    options = {"methods": ["clinical", "ridge"], "folds": 3, "repeats": 2, "permutations": 19}
    first = bm.compare_baselines(spec, features, table, **options)
    at = np.random.default_rng(2).permutation(features.sizes["subject"])
    second = bm.compare_baselines(spec, features.isel(subject=at), shuffled(table), **options)
    pd.testing.assert_frame_equal(first.table, second.table)


@pytest.mark.slow
def test_polar_lda_does_not_depend_on_the_order_of_participants_and_edges(edges):
    spec = bm.PolarLDASpec(n_factors=2, n_restarts=3, n_resamples=20, n_null=19)
    fits = []
    for given in (edges, shuffle_edges(shuffle_participants(edges))):
        standardised = bm.reference_to_controls(given.features, covariates=given.reference)
        fits.append(bm.fit(spec, standardised, progressbar=False))
    for group in fits[0].children:
        xr.testing.assert_identical(fits[0][group].to_dataset(), fits[1][group].to_dataset())
