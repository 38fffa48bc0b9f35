"""The graph of signed blocks against closed forms, and coverage of its intervals."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytest
import xarray as xr
from scipy.special import gammaln
from scipy.stats import norm

import bayes_mdd as bm
from bayes_mdd.errors import DataContractError
from bayes_mdd.polar_lda import fit_counts, make_counts
from bayes_mdd.polar_lda.bayes.composition import build_composition
from bayes_mdd.polar_lda.bayes.data import sum_blocks


def simulate(seed, *, n_subjects=40, n_networks=5, per_network=5, strength=1.0, n_factors=2):
    """Gaussian patterns on blocks in unit noise: z values, blocks, arms, compositions."""
    rng = np.random.default_rng(seed)
    network = np.repeat(np.arange(n_networks), per_network)
    a, b = np.triu_indices(len(network), 1)
    blocks = np.array([f"{i}-{j}" for i, j in zip(network[a], network[b], strict=True)])
    names, at = np.unique(blocks, return_inverse=True)
    on = (rng.uniform(size=(n_factors, len(names))) < 0.3) * rng.choice([-1, 1], (n_factors, 1))
    pattern = strength * (on * rng.uniform(0.5, 1.5, on.shape))[:, at]
    pattern = pattern + 0.3 * rng.normal(size=pattern.shape)
    theta = rng.dirichlet(np.full(n_factors, 0.5), size=n_subjects)
    z = theta @ pattern + rng.normal(size=(n_subjects, len(blocks)))
    return z, blocks, np.array(["A", "B"])[np.arange(n_subjects) % 2], theta


@pytest.fixture(scope="module")
def tokens():
    z, blocks, arm, _ = simulate(0, n_subjects=6, n_networks=2, per_network=3)
    return make_counts(z), sum_blocks(make_counts(z), blocks, arm, np.arange(6).astype(str)), blocks


def test_tokens_are_summed_by_block_and_sign(tokens):
    counts, data, blocks = tokens
    n = len(data.blocks)
    for i, name in enumerate(data.blocks):
        own = counts[:, blocks == name]
        np.testing.assert_array_equal(data.tokens[:, i], -np.minimum(own, 0).sum(axis=1))
        np.testing.assert_array_equal(data.tokens[:, n + i], np.maximum(own, 0).sum(axis=1))
        assert data.size[i] == (blocks == name).sum()
    with pytest.raises(DataContractError, match="no token"):
        sum_blocks(counts * (np.arange(6) > 0)[:, None], blocks, np.array(["A"] * 6), np.arange(6))
    with pytest.raises(DataContractError, match="counts"):
        sum_blocks(counts, blocks[:-1], np.array(["A"] * 6), np.arange(6))


def test_the_likelihood_is_that_of_the_model_card(tokens):
    _, data, _ = tokens
    theta = np.random.default_rng(1).dirichlet([1, 1], size=6)
    pattern = np.random.default_rng(2).normal(size=(2, len(data.blocks)))
    given = {
        "pattern": pattern,
        "composition": theta,
        "token_worth": np.asarray(12.5),
    }
    model = pm.do(build_composition(data, 2), given)
    value = model.compile_logp(vars=[model["tokens"]])(model.initial_point())
    x = theta @ pattern
    one_sided = [s * x * norm.cdf(s * x) + norm.pdf(x) for s in (-1, 1)]
    weight = np.hstack([data.size * f for f in one_sided])
    a = 12.5 * weight / weight.sum(axis=1, keepdims=True)
    n = data.tokens.sum(axis=1)
    exact = gammaln(12.5) + gammaln(n + 1) - gammaln(n + 12.5)
    exact = exact + (gammaln(data.tokens + a) - gammaln(a) - gammaln(data.tokens + 1)).sum(axis=1)
    assert float(value) == pytest.approx(exact.sum(), rel=1e-7)


def test_the_effective_number_of_tokens_is_bounded():
    # With ten times as many tokens the likelihood of compositions becomes far less than the square
    # root of ten narrower, because kappa bounds the effective number of tokens.
    z, blocks, arm, _ = simulate(1, n_subjects=10, n_networks=3)
    curves = []
    for scale in (10.0, 100.0):
        data = sum_blocks(make_counts(z, scale=scale), blocks, arm, np.arange(10).astype(str))
        n, a = data.tokens.sum(axis=1), 100 * (data.tokens + 1) / (data.tokens + 1).sum(1)[:, None]
        shifted = 0.8 * a + 0.2 * a[::-1]
        value = [
            pm.logp(pm.DirichletMultinomial.dist(n=n, a=x), data.tokens).eval().sum()
            for x in (a, shifted)
        ]
        curves.append(value[0] - value[1])
    assert curves[1] == pytest.approx(curves[0], rel=0.25)


@pytest.mark.slow
def test_intervals_of_compositions_cover_the_truth():
    covered, nominal = [], []
    for seed in range(6):
        z, blocks, arm, theta = simulate(seed)
        features = _features(z, blocks, arm)
        idata = bm.fit(
            bm.PolarLDASpec(n_factors=2, method="full_bayes"),
            features,
            sampler=bm.SamplerSpec(seed=seed, draws=500, tune=500, chains=2),
            progressbar=False,
        )
        drawn = idata["posterior"]["composition"].stack(sample=("chain", "draw"))
        order = _match(drawn.mean("sample").values, theta)
        low, high = drawn.quantile([0.025, 0.975], dim="sample").values[:, :, order]
        covered.append(((low <= theta) & (theta <= high)).mean())
        gamma = fit_counts(make_counts(z), 2, 5)["gamma"].values
        gamma = gamma[:, _match(gamma / gamma.sum(1, keepdims=True), theta)]
        mean = gamma / gamma.sum(axis=1, keepdims=True)
        sd = np.sqrt(mean * (1 - mean) / (gamma.sum(axis=1, keepdims=True) + 1))
        nominal.append((np.abs(mean - theta) <= 1.96 * sd).mean())
    assert np.mean(nominal) < 0.3
    assert 0.85 <= np.mean(covered) <= 0.98


def _match(found, theta):
    k = theta.shape[1]
    r = np.corrcoef(theta.T, found.T)[:k, k:]
    return r.argmax(axis=1)


def _features(z, blocks, arm):
    n, p = z.shape
    return xr.Dataset(
        {"y": (("subject", "feature"), z)},
        coords={
            "subject": [f"s{i}" for i in range(n)],
            "feature": [f"e{i}" for i in range(p)],
            "block": ("feature", blocks),
            "arm": ("subject", arm),
        },
        attrs={"units": "z", "reference": "z against 39 controls"},
    )
