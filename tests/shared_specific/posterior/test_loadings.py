"""Loadings given the draws: closed forms, inclusion, and blocks without a factor."""

import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm

from bayes_mdd.shared_specific.data.prepare import prepare
from bayes_mdd.shared_specific.posterior.loadings import (
    gaussian_loadings,
    sparse_loadings,
    summarise_loadings,
)
from bayes_mdd.shared_specific.posterior.sparse import BlockDraws, estimate_slab
from bayes_mdd.specs import SharedSpecificSpec

N, PER_BLOCK, DRAWS = 60, 120, 60


def features(y, block):
    n, p = y.shape
    coords = {
        "subject": [f"sub-{i:02d}" for i in range(n)],
        "feature": [f"e{i}" for i in range(p)],
        "arm": ("subject", np.array(["a", "b"] * (n // 2), dtype=object)),
        "block": ("feature", np.array(block, dtype=object)),
    }
    return xr.Dataset({"y": (("subject", "feature"), y)}, coords=coords)


@pytest.fixture(scope="module")
def planted():
    """Two factors; in block A a third of the edges carry the first, B carries none of either."""
    rng = np.random.default_rng(7)
    scores = rng.normal(size=(N, 2))
    loading = np.zeros((2, 3 * PER_BLOCK))
    loading[0, :PER_BLOCK] = np.where(np.arange(PER_BLOCK) % 3 == 0, rng.normal(0, 0.9, 120), 0)
    loading[1, 2 * PER_BLOCK :] = rng.normal(0, 0.6, PER_BLOCK)
    block = np.repeat(["A-A", "B-B", "C-C"], PER_BLOCK)
    data = prepare(
        SharedSpecificSpec(n_factors=2, feature_noise="equal"),
        features(scores @ loading + rng.normal(size=(N, block.size)), block),
    )
    # What a sampler would return: near the truth, with some spread.
    scale = np.array([[0.5, 0.01], [0.01, 0.01], [0.01, 0.6]])
    draws = {
        "scores": scores + 0.1 * rng.normal(size=(DRAWS, N, 2)),
        "block_scale": scale * np.exp(0.1 * rng.normal(size=(DRAWS, 3, 2))),
        "noise": 1 + 0.02 * rng.normal(size=(DRAWS, 3)),
    }
    return data, draws, loading


@pytest.fixture(scope="module")
def summaries(planted):
    data, draws, _ = planted
    return {
        sparse: summarise_loadings(
            data,
            **draws,
            sparse=sparse,
            ci_prob=0.9,
            keep=None,
            rng=np.random.default_rng(0),
        )
        for sparse in (False, True)
    }


def test_gaussian_moments_are_averages_of_the_closed_form():
    rng = np.random.default_rng(1)
    block = BlockDraws(
        rng.normal(size=(3, 7, 2)), rng.uniform(0.2, 1, (3, 2)), rng.uniform(0.5, 1, 3),
        rng.normal(size=(7, 4)),
    )  # fmt: skip
    means, variances = [], []
    for h, tau, sd in zip(block.scores_q, block.block_scale, block.noise, strict=True):
        v = np.linalg.inv(np.diag(tau**-2.0) + h.T @ h)
        means.append(v @ h.T @ block.y)
        variances.append(np.broadcast_to(sd**2 * np.diag(v)[:, None], (2, 4)))
    means, variances = np.array(means), np.array(variances)
    found = gaussian_loadings(block, rng).statistics
    np.testing.assert_allclose(found["mean"], means.mean(axis=0))
    np.testing.assert_allclose(
        found["sd"] ** 2, variances.mean(axis=0) + means.var(axis=0), rtol=1e-9
    )
    np.testing.assert_allclose(
        found["p_positive"], norm.cdf(means / np.sqrt(variances)).mean(axis=0), rtol=1e-9
    )


def test_inclusion_tells_edges_of_a_block_apart(planted, summaries):
    _, _, loading = planted
    inclusion = summaries[True][0]["inclusion"][0, :PER_BLOCK]
    size = np.abs(loading[0, :PER_BLOCK])
    assert inclusion[size > 0.6].mean() > 0.95
    assert np.median(inclusion[size == 0]) < 0.3
    assert inclusion[size == 0].mean() < 0.4


def test_an_empty_block_takes_no_part(summaries):
    inclusion = summaries[True][0]["inclusion"]
    assert inclusion[:, PER_BLOCK : 2 * PER_BLOCK].max() < 0.2
    assert inclusion[1, 2 * PER_BLOCK :].mean() > 0.8


def test_sparse_maps_are_nearer_to_a_sparse_truth(planted, summaries):
    _, _, loading = planted
    here = slice(0, PER_BLOCK)
    error = {s: np.abs(m["mean"][0, here] - loading[0, here]).mean() for s, (m, _) in
             summaries.items()}  # fmt: skip
    assert error[True] < 0.8 * error[False]


def test_intervals_hold_the_truth(planted, summaries):
    _, _, loading = planted
    for sparse, (found, _) in summaries.items():
        inside = (found["lower"] <= loading) & (loading <= found["upper"])
        # Sparse intervals are calibrated over the edges of a block, zero or not: small loadings
        # that are drawn to zero are paid for by the zeros.
        carrying = np.concatenate([inside[0, :PER_BLOCK], inside[1, 2 * PER_BLOCK :]])
        assert 0.82 < carrying.mean() < 0.98, sparse


def test_without_evidence_the_sign_is_open(summaries):
    p = summaries[True][0]["p_positive"][:, PER_BLOCK : 2 * PER_BLOCK]
    assert np.abs(p - 0.5).max() < 0.15


def test_a_factor_that_was_pinned_has_no_loadings(planted):
    data, draws, _ = planted
    off = draws["block_scale"].copy()
    off[:, :, 1] = 0.0
    found, kept = summarise_loadings(
        data, draws["scores"], off, draws["noise"], sparse=True, ci_prob=0.9, keep=5,
        rng=np.random.default_rng(0),
    )  # fmt: skip
    assert kept.shape == (5, 2, 3 * PER_BLOCK)
    for name in ("mean", "sd", "lower", "upper", "inclusion"):
        assert not found[name][1].any()
        assert found[name][0].any()
    np.testing.assert_array_equal(found["p_positive"][1], 0.5)


def test_slab_is_the_variance_of_an_edge_that_takes_part(planted):
    data, draws, _ = planted
    basis = data.stats.basis
    y = basis.T @ data.features["y"].values
    q = np.einsum("nm,dnk->dmk", basis, draws["scores"])
    blocks = [
        BlockDraws(q, draws["block_scale"][:, b], draws["noise"][:, b], y[:, at])
        for b, at in enumerate(np.split(np.arange(3 * PER_BLOCK), 3))
    ]
    slab = estimate_slab(blocks, np.random.default_rng(0))
    # Block A: variance .81 of the third that takes part; block C: .36 of all.
    assert 0.4 < slab[0] < 1.6
    assert 0.2 < slab[1] < 0.7
    found = sparse_loadings(blocks[0], slab, np.random.default_rng(0))
    assert found.draws.shape == (DRAWS, 2, PER_BLOCK)
