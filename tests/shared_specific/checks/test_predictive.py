"""Residuals against replicates: quiet where the model holds, loud where it does not."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayes_mdd as bm
from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.shared_specific.checks.factor_strength import largest_pattern
from bayes_mdd.shared_specific.checks.predictive import (
    ARMS,
    FEATURES,
    REGIONS,
    SUBJECTS,
    TAILS,
    _regions,
)
from bayes_mdd.shared_specific.checks.predictive_verdict import judge_predictive
from bayes_mdd.shared_specific.checks.residual_correlation import (
    effective_number,
    mean_squared_apart,
    shared_regions,
    sum_squared,
    unit_columns,
)
from bayes_mdd.shared_specific.checks.residuals import residual_pairs
from bayes_mdd.shared_specific.checks.symptom_residuals import SYMPTOMS, SYMPTOMS_BY_ARM
from bayes_mdd.shared_specific.new_subjects.read_fitted import read_fitted

ENDS = np.array(list(combinations([f"r{i:02d}" for i in range(14)], 2)))[:90]


def with_noise(made, noise):
    """Replace the noise of a made fit: its posterior still is the truth."""
    training, idata = made.training.copy(), made.idata.copy()
    constant = idata["constant_data"].to_dataset()
    posterior = idata["posterior"].to_dataset().isel(chain=0, draw=0)
    scores = posterior["scores"].values
    relative = constant["feature_noise"].values
    names = posterior["block"].values
    block = np.searchsorted(names, training["block"].values)
    sd = posterior["noise"].values[block] * relative
    y = scores @ made.loadings.T + sd * noise
    training["y"] = (("subject", "feature"), y)
    design = constant["design"].values
    basis = np.linalg.qr(design, mode="complete")[0][:, design.shape[1] :]
    seen = basis.T @ (y / relative)
    cross = np.stack([seen[:, block == b] @ seen[:, block == b].T for b in range(len(names))])
    observed = idata["observed_data"].to_dataset()
    observed["features"] = (("block", "i", "j"), cross)
    idata["observed_data"] = observed
    ends = {n: ("feature", ENDS[:, i]) for i, n in enumerate(("region_a", "region_b"))}
    idata["loadings"] = idata["loadings"].to_dataset().assign_coords(ends)
    return idata, training


@pytest.fixture(scope="module")
def made(fit_of):
    """A fit whose posterior is the truth, with as many draws as p-values need."""
    return fit_of(draws=240)


def checked(made, noise, draws=100, **kwargs):
    idata, training = with_noise(made, noise)
    return bm.predictive_checks(idata, training=training, draws=draws, **kwargs)


def p_of(found):
    return found.table.set_index("check")["p_value"]


def test_sums_over_regions_are_sums_over_pairs():
    rng = np.random.default_rng(0)
    # Two views of some edges, a feature that is no edge, and one region with itself.
    ends = np.concatenate([ENDS[:40], ENDS[:9], [["r00", ""], ["r01", "r01"]]])
    shared = shared_regions(ends[:, 0], ends[:, 1])
    assert shared.edges.tolist() == list(range(49))
    unit = unit_columns(rng.normal(size=(12, len(ends))))
    r2 = (unit.T @ unit) ** 2
    touching, apart = [], []
    for i, j in combinations(range(49), 2):
        (touching if set(ends[i]) & set(ends[j]) else apart).append(r2[i, j])
    assert (shared.n_sharing, shared.n_apart) == (len(touching), len(apart))
    found = mean_squared_apart(unit, shared)
    np.testing.assert_allclose(found, [np.mean(touching), np.mean(apart)], rtol=1e-10)


def test_effective_number_is_that_of_the_correlation_matrix():
    rng = np.random.default_rng(1)
    p, free = 60, 40
    root = np.linalg.cholesky(0.7 * np.eye(p) + 0.3 * np.kron(np.eye(6), np.ones((10, 10))))
    true = p**2 / (np.abs(root @ root.T) ** 2).sum()
    draws = [
        sum_squared(unit_columns(rng.normal(size=(free, p)) @ root.T), (np.arange(p),))
        for _ in range(200)
    ]
    found = effective_number(p, np.mean(draws) / (p * (p - 1) / 2), 1 / free)
    assert found == pytest.approx(true, rel=0.03)
    assert effective_number(1, 0.5, 0.1) == 1
    assert effective_number(50, 0.0, 0.1) == 50


def test_residuals_are_orthogonal_to_design_and_scores(made):
    fitted = read_fitted(made.idata, made.training, max_draws=2)
    data, replicate = next(residual_pairs(fitted, np.random.default_rng(0)))
    assert data.coordinates.shape == replicate.coordinates.shape == (40 - 3 - 3, 90)
    np.testing.assert_allclose(data.basis.T @ data.basis, np.eye(34), atol=1e-10)
    np.testing.assert_allclose(data.basis.T @ fitted.design.to_numpy(), 0, atol=1e-10)
    np.testing.assert_allclose(data.basis.T @ fitted.draws.scores[0], 0, atol=1e-9)
    left = fitted.y / fitted.draws.noise[0][fitted.block]
    np.testing.assert_allclose(data.coordinates, data.basis.T @ left, atol=1e-9)
    # The posterior of this fit is the truth, so these are numbers of variance 1.
    assert (data.coordinates**2).mean() == pytest.approx(1.0, abs=0.06)
    assert (data.by_subject() ** 2).mean() == pytest.approx(1.0, abs=0.06)


def test_data_of_the_model_itself_are_extreme_no_more_than_their_share(made):
    rng = np.random.default_rng(2)
    rows = [p_of(checked(made, rng.normal(size=(40, 90)), draws=40, seed=s)) for s in range(40)]
    p = pd.DataFrame(rows)
    assert set(p) == {REGIONS, FEATURES, TAILS, SUBJECTS, ARMS}
    # The draw is the truth, so p-values are uniform: 4 of 40 below .1 are expected, sd 1.9.
    assert ((p < 0.1).sum() <= 9).all()
    assert ((p > 0.9).sum() <= 9).all()
    assert p.mean().between(0.35, 0.65).all()


def test_edges_that_share_a_region_are_found_and_counted(made):
    rng = np.random.default_rng(3)
    rho = 0.25
    names, code = np.unique(ENDS, return_inverse=True)
    common = rng.normal(size=(40, names.size))[:, code.reshape(ENDS.shape)].sum(axis=2)
    noise = np.sqrt(1 - 2 * rho) * rng.normal(size=(40, 90)) + np.sqrt(rho) * common
    found = checked(made, noise, draws=100)
    p = p_of(found)
    assert p[REGIONS] == p[FEATURES] == pytest.approx(1 / 101)
    assert p[TAILS] > 0.05
    assert p[ARMS] > 0.05
    shared = shared_regions(ENDS[:, 0], ENDS[:, 1])
    true = 90 / (1 + 2 * shared.n_sharing / 90 * rho**2)
    whole = found.blocks.iloc[-1]
    assert whole["block"] == "all features"
    assert whole["n_effective"] == pytest.approx(true, rel=0.2)
    assert whole["too_narrow"] == pytest.approx(np.sqrt(90 / whole["n_effective"]))
    verdict = {c.name: c for c in judge_predictive(found, alpha=0.02)}
    failed = verdict[f"predictive p: {REGIONS}"]
    assert failed.passed is False
    assert f"{whole['n_effective']:.0f} independent" in failed.advice
    assert "feature_dependence: auto" in failed.advice
    assert verdict[f"predictive p: {TAILS}"].advice == ""
    counted = replace(found, feature_weight=whole["n_effective"] / 90)
    told = {c.name: c for c in judge_predictive(counted, alpha=0.02)}[f"predictive p: {REGIONS}"]
    assert told.passed is None
    assert "as the fit accounts for" in told.advice
    liberal = replace(found, feature_weight=0.9)
    told = {c.name: c for c in judge_predictive(liberal, alpha=0.02)}[f"predictive p: {REGIONS}"]
    assert told.passed is False
    assert "more strongly than the fit accounts for" in told.advice
    assert "independent:" not in told.advice
    for off, how in ((0.5, "too wide by a factor of up to 2.0"), (1.5, "too narrow")):
        factors = found.factors.assign(scores_too_narrow=off, strength=1e3)
        told = {c.name: c for c in judge_predictive(replace(found, factors=factors), alpha=0.02)}
        assert how in told[f"predictive p: {REGIONS}"].advice


def test_strength_of_a_factor_is_what_it_adds_to_the_similarity_of_subjects(made):
    found = checked(made, np.random.default_rng(8).normal(size=(40, 90)))
    fitted = read_fitted(made.idata, made.training, max_draws=2)
    h, tau = fitted.score_residual[0], fitted.draws.block_scale[0]
    own = [(h[:, k] @ h[:, k]) * (tau[fitted.block, k] ** 2).sum() / 90 for k in range(3)]
    assert found.factors["factor"].tolist() == ["F1", "F2", "F3"]
    np.testing.assert_allclose(found.factors["strength"], own, rtol=1e-9)
    # Independent noise leaves the largest eigenvalue of a Wishart matrix, and no factor is near it.
    assert found.factors["largest_left"].iloc[0] == pytest.approx(
        (1 + np.sqrt(34 / 90)) ** 2 - 1, rel=0.2
    )
    assert (found.factors["strength"] > 2 * found.factors["largest_left"]).all()
    assert found.factors["scores_too_narrow"].max() < 1.05
    rng = np.random.default_rng(9)
    one = rng.normal(size=(34, 1)) @ rng.choice([-1.0, 1.0], size=(1, 5000))
    assert largest_pattern(one + rng.normal(size=(34, 5000))) == pytest.approx(34 / 2 - 1, rel=0.15)


def test_each_departure_is_told_by_its_own_check(made):
    rng = np.random.default_rng(4)
    heavy = rng.standard_t(3, size=(40, 90)) / np.sqrt(3)
    p = p_of(checked(made, heavy))
    assert p[TAILS] < 0.02
    assert p[REGIONS] > 0.02

    noise = rng.normal(size=(40, 90))
    arm = made.training["arm"].values == "SSRI"
    p = p_of(checked(made, noise * np.where(arm, 1.3, 1.0)[:, None]))
    assert p[ARMS] < 0.02
    assert p[[REGIONS, FEATURES]].min() > 0.02, "unequal people are no dependence of features"

    one = np.where(np.arange(40) == 7, 1.8, 1.0)
    found = checked(made, noise * one[:, None], draws=60)
    assert found.subjects["subject"].iloc[0] == "sub-007"
    assert found.subjects["beyond"].tolist() == [False] * 40, "60 draws cannot reach .01"
    found = checked(made, noise * one[:, None], draws=200)
    assert found.subjects["beyond"].tolist() == [True] + [False] * 39
    advice = {c.name: c.advice for c in judge_predictive(found)}[f"predictive p: {SUBJECTS}"]
    assert "sub-007" in advice
    assert found.subjects["residual_sd"].iloc[0] == pytest.approx(1.8, rel=0.15)
    assert p_of(found)[SUBJECTS] < 0.03


def test_scores_left_in_symptoms_are_found(made):
    rng = np.random.default_rng(5)
    idata, training = with_noise(made, rng.normal(size=(40, 90)))
    scores = idata["posterior"].to_dataset()["scores"].isel(chain=0, draw=0).values
    weight = idata["posterior"].to_dataset()["symptom_weight"].isel(chain=0, draw=0).values[:, 0]
    sd = 0.6 * weight[0] / 0.8
    arm = np.where(training["arm"].values == "SSRI", 1.0, -1.0)

    def with_ratings(rating):
        observed = idata["observed_data"].to_dataset()
        observed = observed.assign_coords(
            subject=training["subject"].values, dimension=["retardation"]
        )
        # The scale of the stored weights: SD of the rating is 1.
        observed["symptoms"] = (("subject", "dimension"), rating[:, None])
        idata["observed_data"] = observed
        return p_of(bm.predictive_checks(idata, training=training, draws=100))

    fits = scores @ weight + sd * rng.normal(size=40)
    unit = fits.std(ddof=1)
    p = with_ratings(fits / unit)
    assert p[SYMPTOMS] > 0.02
    assert p[SYMPTOMS_BY_ARM] > 0.02
    p = with_ratings((fits + 1.5 * scores[:, 1]) / unit)
    assert p[SYMPTOMS] < 0.03
    p = with_ratings((fits + 1.5 * arm * scores[:, 0]) / unit)
    assert p[SYMPTOMS_BY_ARM] < 0.03


def test_too_few_draws_give_no_verdict(made):
    rho = 0.25
    rng = np.random.default_rng(7)
    names, code = np.unique(ENDS, return_inverse=True)
    common = rng.normal(size=(40, names.size))[:, code.reshape(ENDS.shape)].sum(axis=2)
    found = checked(made, np.sqrt(1 - 2 * rho) * rng.normal(size=(40, 90)) + 0.5 * common, draws=20)
    verdict = {c.name: c for c in judge_predictive(found)}
    assert verdict[f"predictive p: {REGIONS}"].passed is None
    assert "20 draws cannot reach 0.01" in verdict[f"predictive p: {REGIONS}"].advice


def test_what_cannot_be_checked_is_said_and_what_cannot_be_run_is_refused(made):
    found = bm.predictive_checks(made.idata, training=made.training, draws=20)
    assert REGIONS not in set(found.table["check"])
    assert "region_a" in found.skipped[REGIONS]
    skipped = {c.name: c for c in judge_predictive(found)}[f"predictive p: {REGIONS}"]
    assert skipped.passed is None
    assert "not edges" in skipped.advice
    with pytest.raises(SpecError, match="at least 20"):
        bm.predictive_checks(made.idata, training=made.training, draws=5)
    with pytest.raises(DataContractError, match="does not hold the features"):
        bm.predictive_checks(made.idata)
    other = made.idata.copy()
    other.attrs = {"spec": "{}", "model": "polar_lda"}
    with pytest.raises(DataContractError, match="needs a fit of the model shared_specific"):
        bm.predictive_checks(other)


def test_too_few_people_are_refused(fit_of):
    few = fit_of(n=10, covariates=("site", "age"), n_sites=2)
    with pytest.raises(DataContractError, match="degrees of freedom"):
        bm.predictive_checks(few.idata, training=few.training)


def test_the_same_seed_gives_the_same_table(made):
    noise = np.random.default_rng(6).normal(size=(40, 90))
    first, again = (checked(made, noise, draws=30, seed=9) for _ in range(2))
    pd.testing.assert_frame_equal(first.table, again.table)
    pd.testing.assert_frame_equal(first.subjects, again.subjects)


def test_a_fit_without_factors_is_checked_too(made):
    idata, training = with_noise(made, np.random.default_rng(10).normal(size=(40, 90)))
    posterior = idata["posterior"].to_dataset()
    idata["posterior"] = posterior.assign(block_scale=0 * posterior["block_scale"])
    found = bm.predictive_checks(idata, training=training)
    assert found.factors.empty
    # The factors are in the residuals now, in common to many features.
    verdict = {c.name: c for c in judge_predictive(found)}
    assert verdict[f"predictive p: {FEATURES}"].passed is False


def test_whitened_features_share_no_regions(made):
    idata = made.idata.copy()
    idata["whitening"] = xr.DataTree(xr.Dataset())
    shared, skipped = _regions(idata)
    assert shared is None and "edges were whitened" in skipped[REGIONS]
    found = replace(checked(made, np.random.default_rng(3).normal(size=(40, 90))), whitened=True)
    failed = found.table.assign(p_value=0.001)
    told = {c.name: c for c in judge_predictive(replace(found, table=failed), alpha=0.02)}
    assert "sampling error is not the reason" in told[f"predictive p: {FEATURES}"].advice
