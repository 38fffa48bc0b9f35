"""Moments over all patterns of inclusion, against the mixture of normals."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from bayes_mdd.shared_specific.posterior.gibbs import gibbs_sweeps
from bayes_mdd.shared_specific.posterior.inclusion import enumerate_patterns


@pytest.fixture
def case():
    rng = np.random.default_rng(0)
    n, p = 9, 5
    return {
        "scores": rng.normal(size=(n, 3)),
        "y": 1.5 * rng.normal(size=(n, p)),
        "slab": np.array([0.5, 1.2, 0.3]),
        "inclusion": np.array([0.3, 0.6, 0.2]),
        "noise": 0.8,
    }


def arguments(case):
    h = case["scores"]
    projected = np.ascontiguousarray(case["y"].T @ h)
    return projected, h.T @ h, case["slab"], case["inclusion"], case["noise"]


def by_enumeration(case):
    """Moments of the mixture over patterns, each pattern a normal of its own."""
    h, y, slab, sd = case["scores"], case["y"], case["slab"], case["noise"]
    n, k = h.shape
    out = np.zeros((4, y.shape[1], k))
    for f, own in enumerate(y.T):
        weights, parts = [], []
        for bits in product([False, True], repeat=k):
            g = np.array(bits)
            prior = np.prod(np.where(g, case["inclusion"], 1 - case["inclusion"]))
            cov = sd**2 * (np.eye(n) + (h[:, g] * slab[g]) @ h[:, g].T)
            weights.append(prior * multivariate_normal.pdf(own, np.zeros(n), cov))
            mean, var, positive = np.zeros(k), np.zeros(k), np.full(k, 0.5)
            if g.any():
                v = np.linalg.inv(np.diag(1 / slab[g]) + h[:, g].T @ h[:, g])
                mean[g], var[g] = v @ h[:, g].T @ own, sd**2 * np.diag(v)
                positive[g] = norm.cdf(mean[g] / np.sqrt(var[g]))
            parts.append([g.astype(float), mean, mean**2 + var, positive])
        out[:, f] = np.tensordot(np.array(weights) / np.sum(weights), np.array(parts), axes=1)
    return out


def random_numbers(case, *shape, seed=1):
    rng = np.random.default_rng(seed)
    p, k = case["y"].shape[1], case["scores"].shape[1]
    return rng.standard_normal((*shape, p, k)), rng.random((*shape, p, k))


def test_every_pattern_has_the_weight_of_its_normal(case):
    normal, uniform = random_numbers(case)
    moments, _ = enumerate_patterns(*arguments(case), normal, uniform[:, 0])
    # Patterns below 1e-6 are left out of the moments.
    np.testing.assert_allclose(moments, by_enumeration(case), atol=1e-5)


def test_draws_follow_the_moments(case):
    moments = by_enumeration(case)
    rng = np.random.default_rng(3)
    p, k = moments.shape[1:]
    drawn = np.stack(
        [
            enumerate_patterns(*arguments(case), rng.standard_normal((p, k)), rng.random(p))[1]
            for _ in range(4000)
        ]
    )
    np.testing.assert_allclose((drawn != 0).mean(axis=0), moments[0], atol=0.03)
    np.testing.assert_allclose(drawn.mean(axis=0), moments[1], atol=0.03)
    np.testing.assert_allclose((drawn**2).mean(axis=0), moments[2], atol=0.06)


def test_gibbs_sweeps_have_the_same_posterior(case):
    normal, uniform = random_numbers(case, 20_000)
    start = np.zeros(normal.shape[1:])
    moments, _ = gibbs_sweeps(*arguments(case), normal, uniform, start)
    np.testing.assert_allclose(moments, by_enumeration(case), atol=0.02)


def test_an_edge_that_surely_takes_part_has_the_gaussian_posterior(case):
    case = case | {"inclusion": np.full(3, 1 - 1e-12)}
    normal, uniform = random_numbers(case)
    moments, _ = enumerate_patterns(*arguments(case), normal, uniform[:, 0])
    h = case["scores"]
    v = np.linalg.inv(np.diag(1 / case["slab"]) + h.T @ h)
    np.testing.assert_allclose(moments[1], (v @ h.T @ case["y"]).T, atol=1e-8)
    np.testing.assert_allclose(moments[0], 1.0)
