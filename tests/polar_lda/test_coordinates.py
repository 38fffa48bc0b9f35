"""The coordinates of the block model leave its posterior unchanged."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy.linalg import helmert
from scipy.stats import dirichlet, norm

from bayes_mdd.polar_lda.bayes.composition import (
    build_composition,
    composition_start,
    refine_compositions,
)
from bayes_mdd.polar_lda.bayes.coordinates import (
    STRETCH,
    build_coordinates,
    initial_position,
    transform_compositions,
    transform_patterns,
)
from bayes_mdd.polar_lda.bayes.data import CompositionData

N, K, B = 5, 3, 4


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    return CompositionData(
        rng.poisson(9, (N, 2 * B)),
        np.arange(N) % 2,
        ("A", "B"),
        tuple("abcd"),
        tuple("12345"),
        np.array([3.0, 4.0, 5.0, 6.0]),
    )


@pytest.fixture(scope="module")
def initial():
    return np.random.default_rng(1).dirichlet(np.ones(K), size=N)


def mapping(at, a):
    """Position -> compositions, and the logarithm of the volume, as NumPy functions."""
    position = pt.dmatrix("position")
    log_theta, log_jacobian = transform_compositions(position, pt.constant(a), at)
    return pm.pytensorf.compile([position], [pt.exp(log_theta), log_jacobian], mode="FAST_COMPILE")


# A Dirichlet parameter far below, at, and above 1: the exponent of the tail changes sign.
@pytest.mark.parametrize("a", [0.5, 1.0, 8.0])
def test_log_jacobian_equals_finite_differences(initial, a):
    at = build_coordinates(initial)
    place = mapping(at, np.full((N, K), a) * [0.5, 1.0, 1.5])
    position = np.random.default_rng(2).normal(0.1, 0.15, (N, K - 1))
    basis, step = helmert(K), 1e-6
    columns = []
    for i in range(position.size):
        moved = np.zeros(position.size)
        moved[i] = step
        moved = moved.reshape(position.shape)
        gap = place(position + moved)[0] - place(position - moved)[0]
        columns.append((gap @ basis.T).ravel() / (2 * step))
    exact = np.linalg.slogdet(np.array(columns))[1]
    stretched = K * (K - 1) * np.log(STRETCH)
    assert place(position)[1].sum() + stretched == pytest.approx(exact, abs=1e-4)


def test_no_overflow_far_outside_the_simplex(initial):
    place = mapping(build_coordinates(initial), np.full((N, K), 0.5))
    theta, volume = place(np.full((N, K - 1), 60.0))
    assert np.isfinite(volume).all()
    np.testing.assert_allclose(theta.sum(axis=1), 1.0)


def test_profiles_are_regression_coefficients_on_the_initial_estimate(initial):
    rng = np.random.default_rng(3)
    theta, pattern = rng.dirichlet(np.ones(K), size=N), rng.normal(size=(K, B))
    profile = np.linalg.lstsq(initial, theta @ pattern, rcond=None)[0]
    at = build_coordinates(initial)
    value, log_det = transform_patterns(pt.constant(profile), pt.constant(theta), at)
    np.testing.assert_allclose(value.eval(mode="FAST_COMPILE"), pattern, rtol=1e-8)
    r = np.linalg.lstsq(initial, theta, rcond=None)[0]
    assert float(log_det.eval(mode="FAST_COMPILE")) == pytest.approx(np.linalg.slogdet(r)[1])


def test_initial_positions_give_the_compositions(data, initial):
    at = build_coordinates(initial)
    inside = np.full((N, K), 1 / K) + 0.2 * (initial - 1 / K)
    theta = mapping(at, np.ones((N, K)))(initial_position(inside, at))[0]
    assert np.abs(theta - inside).max() < 0.02
    refined = refine_compositions(data, initial)
    np.testing.assert_allclose(refined.sum(axis=1), 1.0)
    assert refined.min() > 0


def test_priors_are_dirichlet_and_normal(data, initial):
    model = build_composition(data, K, initial)
    names = ("composition_prior", "pattern_prior", "composition", "pattern", "arm_expression")
    value = model.compile_fn(
        model.replace_rvs_by_values([model[n] for n in names]),
        inputs=model.value_vars,
        mode="FAST_COMPILE",
        point_fn=True,
        on_unused_input="ignore",
    )
    point = model.initial_point()
    start = composition_start(data, initial, initial)
    rng = np.random.default_rng(4)
    at = build_coordinates(initial)
    for _ in range(3):
        point["position"] = start["position"] + rng.normal(0, 0.1, start["position"].shape)
        point["profile"] = rng.normal(size=(K, B))
        point["concentration_log__"] = np.asarray(rng.normal(0.5, 0.5))
        point["spread_log__"] = np.asarray(rng.normal(-1, 0.5))
        prior, patterns, theta, pattern, share = value(point)
        a = np.exp(point["concentration_log__"]) * share[data.arm]
        volume = mapping(at, a)(point["position"])[1]
        exact = [dirichlet.logpdf(t / t.sum(), x) for t, x in zip(theta, a, strict=True)]
        np.testing.assert_allclose(prior, exact + volume, rtol=1e-6)
        r = np.linalg.lstsq(initial, theta, rcond=None)[0]
        normal = norm.logpdf(pattern, scale=np.exp(point["spread_log__"])).sum()
        assert patterns == pytest.approx(normal - B * np.linalg.slogdet(r)[1])
