"""Noise of each feature given the draws, against brute force and against simulated noise."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import bayes_mdd as bm
from bayes_mdd.errors import SpecError
from bayes_mdd.shared_specific.data.prepare import prepare
from bayes_mdd.shared_specific.density.density import make_density
from bayes_mdd.shared_specific.new_subjects.read_fitted import read_fitted
from bayes_mdd.shared_specific.posterior.explained import explain
from bayes_mdd.shared_specific.posterior.feature_noise import (
    draw_relative_noise,
    expected_noise_sums,
    residual_squares,
    typical_noise,
)
from bayes_mdd.shared_specific.posterior.loadings import summarise_loadings
from bayes_mdd.shared_specific.posterior.sparse import BlockDraws, initial_state, sweep_block

SPEC = bm.SharedSpecificSpec(n_factors=2, feature_noise="student")
DRAWS = 30


def unequal(n: int = 40, p: int = 60, seed: int = 1) -> tuple[xr.Dataset, *tuple[np.ndarray, ...]]:
    """Two factors in three blocks whose features differ strongly in noise."""
    rng = np.random.default_rng(seed)
    block = np.repeat(["A-A", "A-B", "B-B"], p // 3)
    loadings = np.zeros((2, p))
    loadings[0, : 2 * p // 3] = rng.normal(0, 0.6, 2 * p // 3)
    loadings[1, 2 * p // 3 :] = rng.normal(0, 0.7, p // 3)
    sd = 0.8 / np.sqrt(rng.gamma(1.25, size=p))
    scores = rng.normal(size=(n, 2))
    coords = {
        "subject": [f"sub-{i:02d}" for i in range(n)],
        "feature": [f"e{i}" for i in range(p)],
        "arm": ("subject", np.array(["a", "b"], dtype=object)[np.arange(n) % 2]),
        "block": ("feature", block.astype(object)),
    }
    y = scores @ loadings + sd * rng.normal(size=(n, p))
    features = xr.Dataset({"y": (("subject", "feature"), y)}, coords=coords)
    return features.assign_attrs(units="z", reference="none"), scores, sd, loadings


@pytest.fixture(scope="module")
def given():
    """Model data, and draws that are the truth with a little spread."""
    features, scores, sd, _ = unequal()
    data = prepare(SPEC, features)
    rng = np.random.default_rng(2)
    tau = np.array([[0.6, 0.02], [0.6, 0.02], [0.02, 0.7]]) * np.ones((DRAWS, 1, 1))
    draws = {
        "scores": scores + 0.05 * rng.normal(size=(DRAWS, *scores.shape)),
        "block_scale": tau,
        "noise": np.full((DRAWS, 3), 0.9),
    }
    return data, draws, np.full(DRAWS, 3.0), sd


def of_block(data, draws, b):
    here = data.features["block"].values == data.stats.blocks[b]
    scores_q = data.stats.basis.T @ draws["scores"]
    y = data.stats.basis.T @ data.features["y"].values[:, here]
    return scores_q, draws["block_scale"][:, b], y


def test_squares_are_those_of_the_full_covariance(given):
    data, draws, _, _ = given
    scores_q, tau, y = of_block(data, draws, 0)
    found = residual_squares(scores_q, tau, y)
    for d in (0, 7):
        full = np.eye(len(y)) + scores_q[d] * tau[d] ** 2 @ scores_q[d].T
        np.testing.assert_allclose(found[d], (y * np.linalg.solve(full, y)).sum(axis=0), rtol=1e-9)


def test_sums_over_blocks_are_sums_of_expected_variances(given):
    data, draws, df, _ = given
    n = data.stats.basis.shape[1]
    sizes = expected_noise_sums(
        data, data.stats.basis.T @ draws["scores"], draws["block_scale"], draws["noise"], df
    )
    for b in range(3):
        squares = residual_squares(*of_block(data, draws, b))
        expected = (df[:, None] + squares / draws["noise"][:, b, None] ** 2) / (df[0] + n - 2)
        np.testing.assert_allclose(sizes[:, b], expected.sum(axis=1), rtol=1e-9)


def test_draws_have_the_moments_of_the_inverse_gamma():
    squares, noise, df = np.full((40_000, 1), 30.0), np.full(40_000, 0.8), np.full(40_000, 5.0)
    v = draw_relative_noise(squares, noise, df, 35, np.random.default_rng(0)) ** 2
    a, rate = 20.0, 0.5 * (5.0 + 30.0 / 0.64)
    assert v.mean() == pytest.approx(rate / (a - 1), rel=0.01)
    assert v.var() == pytest.approx(rate**2 / ((a - 1) ** 2 * (a - 2)), rel=0.05)


def test_typical_noise_finds_the_planted_one(given):
    data, draws, df, sd = given
    found = typical_noise(data, *draws.values(), df)
    assert np.corrcoef(np.log(found), np.log(sd))[0, 1] > 0.95
    assert np.median(found / sd) == pytest.approx(1, abs=0.06)


def test_loadings_are_multivariate_t(given):
    """Integrated over its noise, a loading has n + df degrees of freedom; its mean stays."""
    data, draws, df, _ = given
    n = data.stats.basis.shape[1]
    fixed = {k: np.repeat(x[:1], 4000, axis=0) for k, x in draws.items()}
    own, plain = (
        summarise_loadings(
            data,
            *fixed.values(),
            sparse=False,
            ci_prob=0.9,
            keep=10,
            rng=np.random.default_rng(1),
            noise_df=noise_df,
        )[0]
        for noise_df in (np.full(4000, df[0]), None)
    )
    np.testing.assert_allclose(own["mean"], plain["mean"], rtol=1e-9)
    for b in range(3):
        here = data.features["block"].values == data.stats.blocks[b]
        squares = residual_squares(*of_block(data, draws, b))[0]
        expected = (df[0] + squares / 0.81) / (df[0] + n - 2)
        ratio = own["sd"][:, here] / plain["sd"][:, here]
        np.testing.assert_allclose(ratio**2, np.tile(expected, (2, 1)), rtol=0.03)


@pytest.mark.parametrize("factors", [2, 7])
def test_sparse_loadings_scale_with_the_noise(factors):
    """A feature in another unit has its loadings in that unit: patterns are the same."""
    rng = np.random.default_rng(5)
    y, h = rng.normal(size=(20, 15)), rng.normal(size=(4, 20, factors))
    scale = np.exp(rng.normal(size=15))
    base = BlockDraws(h, np.full((4, factors), 0.4), np.full(4, 0.9), y)
    other = replace(base, y=y * scale, relative=np.tile(scale, (4, 1)))
    slab, states = np.full(factors, 0.5), {}
    for name, block in {"base": base, "other": other}.items():
        start, own = initial_state(block, slab), np.random.default_rng(9)
        moments, _, state = sweep_block(block, slab, start, own)
        states[name] = (moments, state)
    (m, s), (m2, s2) = states.values()
    np.testing.assert_allclose(m2[[0, 3]], m[[0, 3]], rtol=1e-8)
    np.testing.assert_allclose(m2[1], m[1] * scale[:, None], rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(s2.loading, s.loading * scale[:, None], rtol=1e-8, atol=1e-12)
    np.testing.assert_array_equal(s2.inclusion, s.inclusion)


def test_explained_variance_counts_the_noise_that_is_there(given):
    data, draws, df, sd = given
    loadings = unequal()[3]
    sharing = np.full((DRAWS, 2, 2), 0.5)
    shares = explain(data, draws["scores"], sharing, draws["block_scale"], draws["noise"], df)
    left = 1 - shares.by_block.sum(axis=3).mean(axis=(0, 1))
    for b, name in enumerate(data.stats.blocks):
        here = data.features["block"].values == name
        noise, signal = (sd[here] ** 2).sum(), (loadings[:, here] ** 2).sum()
        assert left[b] == pytest.approx(noise / (noise + signal), abs=0.1)


def test_unsupported_combinations_are_refused(given, made):
    data = given[0]
    with pytest.raises(SpecError, match="does not support feature_noise='student'"):
        make_density(SPEC, data)
    with pytest.raises(SpecError, match="use method='mcmc'"):
        bm.fit(SPEC, unequal()[0], method="fast")
    with pytest.raises(SpecError, match="noise_df applies to"):
        bm.SharedSpecificSpec(noise_df=4.0)
    with pytest.raises(SpecError, match="finite number above 0"):
        bm.SharedSpecificSpec(feature_noise="student", noise_df=0.0)
    with pytest.raises(SpecError, match="K-fold"):
        bm.leave_one_out(student(made), training=made.training)


def student(made) -> xr.DataTree:
    """A made fit, stored as one with noise by feature."""
    idata = made.idata.copy()
    spec = json.loads(idata.attrs["spec"]) | {"feature_noise": "student"}
    idata.attrs["spec"] = json.dumps(spec)
    loadings = idata["loadings"].to_dataset()
    block = idata["posterior"]["block"].get_index("block").get_indexer(loadings["block"].values)
    noise = idata["posterior"]["noise"].mean(("chain", "draw")).values[block]
    relative = idata["constant_data"]["feature_noise"].values
    idata["loadings"] = xr.DataTree(loadings.assign(noise=("feature", noise * relative)))
    plain = idata["observed_data"].to_dataset()
    if "features" in plain:
        x = idata["constant_data"]["design"].values
        basis = np.linalg.qr(x, mode="complete")[0][:, x.shape[1] :]
        y = basis.T @ made.training["y"].transpose("subject", "feature").values
        cross = [y[:, block == b] @ y[:, block == b].T for b in range(block.max() + 1)]
        idata["observed_data"] = xr.DataTree(
            plain.assign(features=(plain["features"].dims, np.stack(cross)))
        )
    return idata


def test_new_subjects_are_projected_with_the_noise_of_each_feature(made):
    """With the noise of the original fit, only rounding and draws differ."""
    idata = student(made)
    fitted = read_fitted(idata, made.training)
    assert (fitted.draws.noise == 1).all()
    np.testing.assert_allclose(fitted.feature_noise, idata["loadings"]["noise"].values)
    own = bm.project(idata, made.new, training=made.training)["scores"].mean(("chain", "draw"))
    plain = bm.project(made.idata, made.new, training=made.training)["scores"].mean(
        ("chain", "draw")
    )
    known = np.isfinite(own.values)
    assert np.corrcoef(own.values[known], plain.values[known])[0, 1] > 0.99


def likeness(a: np.ndarray, b: np.ndarray) -> float:
    """RV coefficient of two sets of loadings (factor, feature)."""
    return float(((a @ b.T) ** 2).sum() / np.sqrt(((a @ a.T) ** 2).sum() * ((b @ b.T) ** 2).sum()))


@pytest.fixture(scope="module")
def fits(tmp_path_factory) -> dict[str, xr.DataTree]:
    folder = tmp_path_factory.mktemp("student")
    sampler = bm.SamplerSpec(draws=250, tune=250, chains=2, cores=1, seed=1)
    for noise in ("student", "equal"):
        spec = replace(SPEC, feature_noise=noise, feature_dependence="independent")
        bm.fit(spec, unequal()[0], sampler=sampler, progressbar=False, run_dir=folder / noise)
    # As read from the folder, so that only what is written counts.
    return {noise: bm.read_run(folder / noise) for noise in ("student", "equal")}


@pytest.mark.slow
def test_loadings_are_recovered_where_noise_differs(fits):
    _, _, sd, loadings = unequal()
    found = {n: likeness(f["loadings"]["mean"].values, loadings) for n, f in fits.items()}
    assert not fits["student"]["sample_stats"]["diverging"].any()
    assert found["student"] > 0.8 > found["equal"]
    assert np.corrcoef(np.log(fits["student"]["loadings"]["noise"]), np.log(sd))[0, 1] > 0.95
    # Planted: 2.5 degrees of freedom.
    low, high = fits["student"]["posterior"]["noise_df"].quantile([0.05, 0.95]).values
    assert low < 2.5 < high


@pytest.mark.slow
def test_the_check_fires_on_equal_noise_only(fits):
    assert bm.judge_feature_noise(fits["equal"]).passed is False
    assert bm.judge_feature_noise(fits["student"]).passed is None


@pytest.mark.slow
def test_a_run_with_noise_by_feature_serves_everything_else(fits):
    idata = fits["student"]
    assert "noise_df" in idata["invariants"]
    new = unequal()[0].isel(subject=slice(0, 6))
    found = bm.project(idata, new, include_fitted=True)["scores"].mean(("chain", "draw"))
    fitted = idata["posterior"]["scores"].mean(("chain", "draw")).isel(subject=slice(0, 6))
    own = np.array([found.isel(subject=i).sel(arm=found["known_arm"].values[i]) for i in range(6)])
    assert np.corrcoef(own[:, 0], fitted.values[:, 0])[0, 1] > 0.9
    few = bm.SamplerSpec(draws=60, tune=60, chains=1, cores=1)
    table = bm.permute_arms(idata, permutations=1, sampler=few, n_jobs=1)
    assert len(table) == 2
    assert bm.classify_factors(idata)["active"].any()
