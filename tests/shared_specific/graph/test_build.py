"""`build_model`: what it names, that it samples, and that both variants have one posterior."""

import numpy as np
import pandas as pd
import pymc as pm
import pytensor
import pytest
from scipy.stats import invgamma, norm

import bayes_mdd as bm
from bayes_mdd.shared_specific.data.prepare import prepare
from bayes_mdd.shared_specific.graph.build import build_explicit
from bayes_mdd.shared_specific.graph.model import build_generative

BLOCKS = ["A-A"] * 4 + ["A-B"] * 3
SPEC = bm.SharedSpecificSpec(n_factors=2, covariates=("age",), symptoms=("sleep",))
ARMS = ["x", "y"] * 5


@pytest.fixture(scope="module")
def features(feature_set):
    rng = np.random.default_rng(1)
    y = np.outer(rng.normal(size=10), rng.normal(size=7)) + rng.normal(size=(10, 7))
    return feature_set(y, ARMS, BLOCKS, age=rng.normal(size=10))


@pytest.fixture(scope="module")
def symptoms(features):
    rated = np.random.default_rng(2).normal(size=10)
    return pd.DataFrame({"sleep": rated}, index=features["subject"].values)


def test_variables_have_names_dims_and_coords(features, symptoms):
    model = bm.build_model(SPEC, features, symptoms)
    assert model.named_vars_to_dims["scores"] == ("subject", "factor")
    assert model.named_vars_to_dims["block_scale"] == ("block", "factor")
    assert model.named_vars_to_dims["sharing"] == ("factor", "arm")
    assert model.named_vars_to_dims["symptom_weight"] == ("factor", "symptom")
    assert model.coords["subject"] == tuple(features["subject"].values)
    assert model.coords["factor"] == ("F1", "F2") and model.coords["arm"] == ("x", "y")
    full = bm.build_model(SPEC, features, symptoms, marginalised=False)
    assert full.named_vars_to_dims["loadings"] == ("feature", "factor")
    assert full.named_vars_to_dims["features"] == ("subject", "feature")
    assert full.coords["feature"] == tuple(features["feature"].values)


def test_density_is_finite_at_the_initial_values(features, symptoms, interpreted, at_point):
    model = bm.build_model(SPEC, features, symptoms)
    density = at_point(model, model.logp(), model.dlogp())
    value, gradient = density(model.initial_point(random_seed=1))
    assert np.isfinite(value) and np.isfinite(gradient).all()


@pytest.mark.slow
def test_it_samples(features, symptoms):
    idata = pm.sample(
        draws=20, tune=20, chains=1, random_seed=1, progressbar=False, quiet=True,
        model=bm.build_model(SPEC, features, symptoms),
    )  # fmt: skip
    scores = idata["posterior"]["scores"]
    assert scores.dims == ("chain", "draw", "subject", "factor")
    assert np.isfinite(scores).all() and scores.std("draw").min() > 0


def test_prior_draws_have_the_dims_of_the_features(features, symptoms):
    model = bm.build_model(SPEC, features, symptoms, marginalised=False)
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        drawn = pm.sample_prior_predictive(draws=30, model=model, random_seed=1)
    y = drawn["prior_predictive"]["features"]
    assert y.dims == ("chain", "draw", "subject", "feature")
    np.testing.assert_array_equal(y["feature"], features["feature"])
    prior = drawn["prior"].to_dataset()
    left = y - prior["scores"].dot(prior["loadings"], dim="factor")
    sd = prior["noise"].sel(block=BLOCKS).values
    relative = prepare(SPEC, features, symptoms).feature_noise
    standard = left.transpose(..., "subject", "feature").values / (sd * relative)[..., None, :]
    assert standard.std() == pytest.approx(1.0, abs=0.04)


def test_the_explicit_graph_can_be_drawn(features, symptoms):
    drawn = pm.model_to_mermaid(bm.build_model(SPEC, features, symptoms, marginalised=False))
    for arrow in ("loadings --> features", "scores --> features", "sharing --> scores"):
        assert arrow in drawn
    assert "subject (10) x feature (7)" in drawn


@pytest.mark.parametrize("noise", ["moderated", "equal", "student"])
def test_loadings_are_integrated_out_of_the_same_posterior(noise, features, interpreted, at_point):
    """log p(y, L, v) - log p(L, v | y) is the collapsed density at any loadings L, variances v."""
    spec = bm.SharedSpecificSpec(n_factors=2, covariates=("age",), feature_noise=noise)
    data = prepare(spec, features)
    full, plain = build_explicit(spec, data), build_generative(spec, data)
    wanted = [full[name] for name in ("scores", "block_scale", "noise")]
    wanted += [full["noise_df"]] if noise == "student" else []
    full_at = at_point(full, full.logp(jacobian=False), *wanted)
    plain_at = at_point(plain, plain.logp(jacobian=False))
    rng = np.random.default_rng(3)
    y = data.stats.basis.T @ features["y"].values
    differences = []
    for _ in range(6):
        point = {
            name: 0.5 * rng.normal(size=np.shape(value))
            for name, value in full.initial_point().items()
        }
        value, scores, tau, sd, *df = full_at(point)
        unit = sd[data.code] * data.feature_noise
        given = 0.0
        if noise == "student":
            variance = np.exp(point["feature_variance_log__"])
            given += _log_variance(y, data, scores, tau, sd, df[0], variance)
            unit = unit * np.sqrt(variance)
        h = data.stats.basis.T @ scores
        for p, block in enumerate(data.code):
            prior = np.diag(1 / tau[block] ** 2)
            covariance = np.linalg.inv(h.T @ h + prior) * unit[p] ** 2
            left = point["loadings"][p] - np.linalg.solve(h.T @ h + prior, h.T @ y[:, p])
            root = np.linalg.cholesky(covariance)
            given += norm.logpdf(np.linalg.solve(root, left)).sum() - np.log(np.diag(root)).sum()
        here = {name: point[name] for name in plain.initial_point()}
        differences.append(float(value) - given - float(plain_at(here)[0]))
    assert np.ptp(differences) < 1e-8


def _log_variance(y, data, scores, tau, sd, df, variance):
    """Posterior density of the relative noise variances, loadings integrated out."""
    h = data.stats.basis.T @ scores
    total = 0.0
    for p, block in enumerate(data.code):
        spread = np.eye(len(y)) + h @ np.diag(tau[block] ** 2) @ h.T
        square = y[:, p] @ np.linalg.solve(spread, y[:, p]) / sd[block] ** 2
        total += invgamma.logpdf(variance[p], 0.5 * (df + len(y)), scale=0.5 * (df + square))
    return total


def test_unsupported_specs_are_refused(features):
    with pytest.raises(bm.SpecError, match="supports SharedSpecificSpec only, got PolarLDASpec"):
        bm.build_model(bm.PolarLDASpec(n_factors=2), features)
    spec = bm.SharedSpecificSpec(n_factors=2, feature_dependence="weighted")
    with pytest.raises(bm.SpecError, match="does not support feature_dependence='weighted'"):
        bm.build_model(spec, features, marginalised=False)


def test_features_that_the_default_weights_have_no_graph_with_loadings(feature_set):
    rng = np.random.default_rng(0)
    alike = np.repeat(rng.normal(size=(30, 10)), 6, axis=1) + 0.1 * rng.normal(size=(30, 60))
    features = feature_set(alike, ["a", "b"] * 15, ["x"] * 60)
    with pytest.raises(bm.SpecError, match="which 'auto' chooses for features with correlated"):
        bm.build_model(bm.SharedSpecificSpec(n_factors=2), features, marginalised=False)


def test_whitened_edges_are_drawn_with_the_noise_of_each_subject(correlations):
    features = correlations(20, 8)
    spec = bm.SharedSpecificSpec(n_factors=1, feature_dependence="matrix", feature_noise="equal")
    data = prepare(spec, features)
    data = data.with_scale(np.where(np.arange(20) < 10, 0.1, 10.0))
    model = build_explicit(spec, data)
    assert model["features"].eval().shape == (20, 36)
    assert model.coords["block"] == data.stats.blocks
    drawn = pm.draw(pm.do(model, {"scores": np.zeros((20, 1))})["features"], 5, random_seed=1)
    spread = drawn.std(axis=(0, 2))
    assert spread[10:].min() > 10 * spread[:10].max()
