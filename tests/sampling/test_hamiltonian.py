"""Hamiltonian Monte Carlo with a fixed metric draws from its target."""

import logging

import numpy as np
import pytest

import bayes_mdd as bm
from bayes_mdd.sampling.around_mode import (
    CHAINS,
    DRAWS,
    chain_stats,
    metric_from_precision,
    sample_around_mode,
    widen_metric,
)
from bayes_mdd.sampling.hamiltonian import sample_chain


class Gaussian:
    """A target that is known."""

    def __init__(self, mean, covariance):
        self.mean, self.precision = mean, np.linalg.inv(covariance)

    def __call__(self, x):
        pull = self.precision @ (x - self.mean)
        return -0.5 * float((x - self.mean) @ pull), -pull


@pytest.fixture
def target():
    covariance = np.diag([1.0, 4.0, 0.25])
    covariance[0, 1] = covariance[1, 0] = 1.2
    return Gaussian(np.array([1.0, -2.0, 0.0]), covariance)


def test_chain_draws_from_its_target(target):
    # A wrong metric costs time, not correctness.
    metric = metric_from_precision(np.diag([1.0, 0.5, 3.0]))
    chain = sample_chain(target, metric, np.zeros(3), tune=200, draws=6000, seed=1)
    np.testing.assert_allclose(chain.points.mean(axis=0), target.mean, atol=0.12)
    np.testing.assert_allclose(np.cov(chain.points.T), np.linalg.inv(target.precision), atol=0.25)
    assert not chain.diverging.any()
    assert 0.6 < chain.accepted.mean() < 0.99
    # Energy = kinetic energy (3 / 2 on average) - log density (another 3 / 2).
    assert chain.energy.mean() == pytest.approx(3.0, abs=0.2)


def test_metric_leaves_flat_directions_to_their_prior():
    metric = metric_from_precision(np.diag([4.0, -2.0, 0.01]))
    np.testing.assert_allclose(metric.covariance, np.diag([0.25, 1.0, 1.0]))
    wider = widen_metric(metric, np.array([0.6, 0.1, 50.0]))
    np.testing.assert_allclose(np.sqrt(np.diag(wider.covariance)), [0.6, 1.0, 1.6])
    np.testing.assert_allclose(
        wider.momentum @ wider.momentum.T, np.linalg.inv(wider.covariance), atol=1e-12
    )
    np.testing.assert_allclose(wider.root @ wider.root.T, wider.covariance, atol=1e-12)


def test_chains_around_a_mode_draw_from_the_target_on_any_number_of_cores(target, caplog):
    with caplog.at_level(logging.INFO, logger="bayes_mdd.sampling"):
        one, two = (
            sample_around_mode(
                target, target.mean, target.precision, bm.SamplerSpec(seed=4, cores=cores)
            )
            for cores in (1, 2)
        )
    points = np.concatenate([c.points for c in one])
    assert points.shape == (CHAINS * DRAWS, 3)
    np.testing.assert_array_equal(points, np.concatenate([c.points for c in two]))
    sd = np.sqrt(np.diag(np.linalg.inv(target.precision)))
    np.testing.assert_allclose((points.mean(axis=0) - target.mean) / sd, 0.0, atol=0.2)
    np.testing.assert_allclose(points.std(axis=0) / sd, 1.0, atol=0.15)
    stats = chain_stats(one)
    assert stats.sizes == {"chain": CHAINS, "draw": DRAWS}
    assert {"diverging", "energy", "acceptance_rate", "n_steps", "step_size"} <= set(stats)
    message = caplog.records[0].message
    assert "compiled density (3 coordinates)" in message and "4 chains of 150 draws" in message
