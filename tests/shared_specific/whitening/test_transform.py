"""The whitening of edges: exact covariance of errors, exact projection, exact invariances."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import wishart

from bayes_mdd.shared_specific.whitening.transform import (
    LEAST_EIGENVALUE,
    build_whitening,
    positive_definite,
    shrink_mean,
    unpack,
)

R = 8
#: Regions of a network are not neighbours in the table.
NETWORKS = ["A", "B", "A", "C", "B", "A", "B", "A"]
EDGES = np.triu_indices(R, 1)
PAIRS = np.triu_indices(R)


def random_correlation(rng, n=R):
    x = rng.normal(size=(3 * n, n)) + rng.normal(size=(3 * n, 1))
    return np.corrcoef(x.T)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def c(rng):
    return random_correlation(rng)


def isserlis(c):
    """Covariance of the entries of a covariance matrix, times the degrees of freedom."""
    i, j = (x[:, None] for x in PAIRS)
    k, m = PAIRS
    return c[i, k] * c[j, m] + c[i, m] * c[j, k]


def test_features_of_correlations_have_the_covariance_of_a_projection(c):
    # To first order, r_ij = s_ij - c_ij (s_ii + s_jj) / 2.
    at = {pair: n for n, pair in enumerate(zip(*PAIRS, strict=True))}
    to_r = np.zeros((EDGES[0].size, PAIRS[0].size))
    for row, (i, j) in enumerate(zip(*EDGES, strict=True)):
        to_r[row, at[i, j]] = 1.0
        to_r[row, at[i, i]] = to_r[row, at[j, j]] = -c[i, j] / 2
    for smooth in (False, True):
        forward = build_whitening(c, NETWORKS).forward(to_r.T, smooth=smooth).T
        covariance = forward @ isserlis(c) @ forward.T
        np.testing.assert_allclose(covariance @ covariance, covariance, atol=1e-10)
        assert np.trace(covariance) == pytest.approx(R * (R - 1) / 2)


def test_features_of_correlations_of_wishart_matrices_are_white(c):
    nu, draws = 400, 20_000
    s = wishart.rvs(nu, c / nu, size=draws, random_state=np.random.default_rng(1))
    sd = np.sqrt(np.diagonal(s, axis1=1, axis2=2))
    r = (s / (sd[:, :, None] * sd[:, None, :]))[:, *EDGES]
    covariance = nu * np.cov(build_whitening(c, NETWORKS).forward(r).T)
    values = np.linalg.eigvalsh(covariance)
    np.testing.assert_allclose(values[:R], 0, atol=0.02)
    np.testing.assert_allclose(values[R:], 1, atol=0.15)
    edges = np.linalg.eigvalsh(np.cov(r.T))
    assert edges[-1] > 10 * edges[0]


def test_the_lift_is_the_least_squares_solution(c, rng):
    z = rng.normal(size=EDGES[0].size)
    deviation = unpack(z, R, diagonal=False)
    values, vectors = np.linalg.eigh(c)
    root = (vectors / np.sqrt(values)) @ vectors.T
    removed = np.stack([
        (root @ (np.diag(d) @ c + c @ np.diag(d)) @ root / 2).ravel() for d in np.eye(R)
    ]).T  # fmt: skip
    whole = (root @ deviation @ root).ravel()
    rest = whole - removed @ np.linalg.lstsq(removed, whole, rcond=None)[0]
    whitening = build_whitening(c, NETWORKS)
    turned = whitening.basis.T @ rest.reshape(R, R) @ whitening.basis
    expected = turned[PAIRS] / np.where(PAIRS[0] == PAIRS[1], np.sqrt(2), 1)
    np.testing.assert_allclose(whitening.forward(z), expected, atol=1e-12)


def test_back_is_the_inverse(c, rng):
    scale = rng.uniform(0.1, 2, EDGES[0].size)
    whitening = build_whitening(c, NETWORKS, scale)
    z = rng.normal(size=(3, 2, scale.size))
    g = whitening.forward(z)
    np.testing.assert_allclose(whitening.back(g), z, atol=1e-10)
    # Noise outside the space of the features is dropped: twice is as good as once.
    noise = rng.normal(size=g.shape)
    once = whitening.back(noise)
    np.testing.assert_allclose(whitening.back(whitening.forward(once)), once, atol=1e-10)


def test_back_of_white_noise_has_the_covariance_of_correlations(c, rng):
    edges = build_whitening(c, NETWORKS).back(rng.normal(size=(200_000, PAIRS[0].size)))
    nu = 2000
    s = wishart.rvs(nu, c / nu, size=20_000, random_state=rng)
    sd = np.sqrt(np.diagonal(s, axis1=1, axis2=2))
    r = (s / (sd[:, :, None] * sd[:, None, :]))[:, *EDGES]
    np.testing.assert_allclose(np.cov(edges.T), nu * np.cov(r.T), atol=0.06)


def test_power_of_regions_is_removed_from_products(c, rng):
    whitening = build_whitening(c, NETWORKS)
    d = np.diag(rng.normal(size=R))
    products = np.cov(rng.normal(size=(R, 50)))
    changed = products + d @ c + c @ d
    np.testing.assert_allclose(
        whitening.forward_products(changed[PAIRS]),
        whitening.forward_products(products[PAIRS]),
        atol=1e-10,
    )


def test_pieces_average_to_the_whole_scan(c, rng):
    whitening = build_whitening(c, NETWORKS)
    x = np.linalg.cholesky(c) @ rng.normal(size=(2, R, 80))
    x = (x - x.mean(axis=2, keepdims=True)) / x.std(axis=2, keepdims=True)
    pieces = np.stack([[(p @ p.T / 10)[PAIRS] for p in np.split(s, 8, axis=1)] for s in x])
    of_pieces = whitening.forward_products(pieces).mean(axis=1)
    whole = whitening.forward((x @ x.swapaxes(1, 2) / 80)[:, *EDGES])
    np.testing.assert_allclose(np.diff(of_pieces, axis=0), np.diff(whole, axis=0), atol=1e-10)


def test_the_rotation_to_smooth_features(c, rng):
    whitening = build_whitening(c, NETWORKS, rng.uniform(0.5, 1, EDGES[0].size))
    z = rng.normal(size=(4, EDGES[0].size))
    smooth = whitening.forward(z, smooth=True)
    np.testing.assert_allclose(whitening.to_smooth(whitening.forward(z)), smooth, atol=1e-10)
    values = np.linalg.eigvalsh(c)[::-1]
    assert whitening.eigen_smoothness[0] == pytest.approx(values[0] ** 2)
    assert whitening.eigen_smoothness[-1] == pytest.approx(values[-1] ** 2)


def test_fisher_z_and_correlations_give_the_same_to_first_order(c, rng):
    r = c[EDGES]
    direction = rng.normal(size=r.size)
    direction -= direction.mean()
    of_z, of_r = build_whitening(c, NETWORKS, 1 - r**2), build_whitening(c, NETWORKS)

    def difference(size):
        z = np.arctanh(r) + size * direction
        g = of_z.forward(z) - of_z.forward(np.arctanh(r))
        h = of_r.forward(np.tanh(z)) - of_r.forward(r)
        return np.linalg.norm(g - h) / np.linalg.norm(g)

    assert difference(1e-3) < 5e-3
    assert difference(1e-4) / difference(1e-3) == pytest.approx(0.1, rel=0.1)


def test_order_of_regions_does_not_matter(c, rng):
    order = rng.permutation(R)
    z = rng.normal(size=(5, EDGES[0].size))
    moved = unpack(z, R, diagonal=False)[:, order][:, :, order][:, *EDGES]
    one = build_whitening(c, NETWORKS)
    two = build_whitening(c[np.ix_(order, order)], np.array(NETWORKS)[order])

    def gram_by_block(whitening, edges):
        g = whitening.forward(edges)
        names = np.array(["-".join(sorted(str(b).split("-"))) for b in whitening.block])
        return {b: g[:, names == b] @ g[:, names == b].T for b in np.unique(names)}

    expected, found = gram_by_block(one, z), gram_by_block(two, moved)
    assert expected.keys() == found.keys()
    assert "coarse 1" in expected
    for block in expected:
        np.testing.assert_allclose(found[block], expected[block], atol=1e-8)


def test_blocks_hold_each_feature_once(c):
    whitening = build_whitening(c, NETWORKS)
    np.testing.assert_allclose(whitening.basis @ whitening.basis.T, np.eye(R), atol=1e-12)
    assert whitening.block.size == PAIRS[0].size
    # One coarse direction each of A (4 regions), B (3) and C (1): 3 x 4 / 2 features.
    assert (whitening.block == "coarse 1").sum() == 6
    assert set(whitening.block) == {"coarse 1", "A-A", "A-B", "A-C", "B-B", "B-C"}


def test_coarse_features_are_split_by_smoothness(rng):
    # 9 coarse directions of 30 regions: 45 features, of which 15, 21 and 9 form a block.
    c = random_correlation(rng, 30)
    whitening = build_whitening(c, ["A", "B", "C"] * 10)
    names, counts = np.unique(whitening.block.astype(str), return_counts=True)
    found = dict(zip(names, counts, strict=True))
    assert [found[f"coarse {n}"] for n in (1, 2, 3)] == [15, 21, 9]
    assert len(found) == 3 + 6
    variance = np.einsum("ri,rs,si->i", whitening.basis, c, whitening.basis)
    i, j = np.triu_indices(30)
    smooth = [variance[i[at]] * variance[j[at]] for at in
              (whitening.block == f"coarse {n}" for n in (1, 2, 3))]  # fmt: skip
    assert smooth[0].min() >= smooth[1].max() >= smooth[1].min() >= smooth[2].max()


def test_matrices_of_few_series_are_made_positive_definite(rng):
    few = np.corrcoef(rng.normal(size=(R, 4)))
    raised = positive_definite(few)
    np.testing.assert_allclose(np.diag(raised), 1)
    assert np.linalg.eigvalsh(raised)[0] > LEAST_EIGENVALUE / 10
    g = build_whitening(few, NETWORKS).forward(rng.normal(size=(2, EDGES[0].size)))
    assert np.isfinite(g).all()
    whole = random_correlation(rng)
    assert positive_definite(whole) is whole


def test_means_of_few_subjects_are_shrunk(rng):
    truth = rng.uniform(-0.2, 0.6, 300)
    weights = []
    for n in (4, 40):
        r = truth + 0.3 * rng.normal(size=(n, 300))
        mean, weight = shrink_mean(r)
        np.testing.assert_allclose(mean, (1 - weight) * r.mean(axis=0))
        weights.append(weight)
    expected = 0.09 / np.array([4, 40])
    np.testing.assert_allclose(weights, expected / (expected + (truth**2).mean()), rtol=0.15)


def test_many_regions_take_seconds(rng):
    # Ten subjects with 300 regions; a matrix of edges by edges would hold 16 GB.
    whitening = build_whitening(random_correlation(rng, 300), ["A"] * 150 + ["B"] * 150)
    z = rng.normal(size=(10, 44_850))
    np.testing.assert_allclose(whitening.back(whitening.forward(z)), z, atol=1e-8)
