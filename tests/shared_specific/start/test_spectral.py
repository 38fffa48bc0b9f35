"""The spectral start finds strong factors, whatever the order of subjects."""

import numpy as np
import pymc as pm
import pytest
from scipy.optimize import linear_sum_assignment

from bayes_mdd.shared_specific.data.prepare import prepare
from bayes_mdd.shared_specific.graph.model import build_shared_specific, starting_point
from bayes_mdd.shared_specific.search.components import varimax
from bayes_mdd.shared_specific.start.spectral import spectral_start
from bayes_mdd.specs import SharedSpecificSpec

pytestmark = pytest.mark.usefixtures("interpreted")

SPEC = SharedSpecificSpec(n_factors=3)


def match(a, b):
    """Absolute correlations of the columns of `a` with their partners in `b`, and the partners."""
    r = np.abs(np.corrcoef(a.T, b.T)[: a.shape[1], a.shape[1] :])
    partner = linear_sum_assignment(-r)[1]
    return r[np.arange(len(r)), partner], partner


@pytest.fixture(scope="module")
def planted(feature_set):
    """Three factors in blocks of their own; the third is expressed in one arm only."""
    rng = np.random.default_rng(11)
    n, per_block = 60, 80
    arm = np.array(["SSRI", "SNRI"] * (n // 2))
    scores = rng.normal(size=(n, 3))
    scores[arm == "SNRI", 2] = 0.0
    block = np.repeat(["A-A", "A-B", "B-B", "C-C"], per_block)
    y = rng.normal(size=(n, block.size))
    for k, name in enumerate(["A-A", "A-B", "B-B"]):
        y[:, block == name] += np.outer(scores[:, k], rng.normal(0, 1.0, per_block))
    return feature_set(y, arm, block), scores


def test_planted_factors_are_found(planted):
    features, truth = planted
    data = prepare(SPEC, features)
    start = spectral_start(data, 3)
    r, partner = match(truth - truth.mean(axis=0), start.scores)
    assert r.min() > 0.95
    np.testing.assert_allclose((start.scores**2).mean(axis=0), 1.0)
    np.testing.assert_allclose(start.sharing.sum(axis=1), 1.0)
    # The arm-specific factor and the blocks that carry each.
    ssri = data.arms.index("SSRI")
    assert start.sharing[partner[2], ssri] > 0.85
    assert np.abs(start.sharing[partner[:2], ssri] - 0.5).max() < 0.2
    assert start.block_scale[:3, partner].argmax(axis=0).tolist() == [0, 1, 2]
    np.testing.assert_allclose(start.noise, 1.0, atol=0.3)


def test_order_of_subjects_changes_order_and_sign_only(planted):
    features, _ = planted
    order = np.random.default_rng(1).permutation(features.sizes["subject"])
    a = spectral_start(prepare(SPEC, features), 3)
    b = spectral_start(prepare(SPEC, features.isel(subject=order)), 3)
    r, partner = match(a.scores[order], b.scores)
    np.testing.assert_allclose(r, 1.0, atol=1e-6)
    np.testing.assert_allclose(b.block_scale[:, partner], a.block_scale, rtol=1e-3)
    np.testing.assert_allclose(b.sharing[partner], a.sharing, atol=1e-3)
    np.testing.assert_allclose(b.noise, a.noise, rtol=1e-6)


def test_sub_sampled_features_find_the_same(planted):
    features, truth = planted
    start = spectral_start(prepare(SPEC, features), 3, max_features=100)
    assert match(truth, start.scores)[0].min() > 0.9


def test_varimax_undoes_a_rotation():
    rng = np.random.default_rng(0)
    simple = np.kron(np.eye(3), np.ones((20, 1))) * rng.uniform(0.5, 1.5, size=(60, 1))
    mixed = simple @ np.linalg.qr(rng.normal(size=(3, 3)))[0]
    rotation = varimax(mixed)
    np.testing.assert_allclose(rotation.T @ rotation, np.eye(3), atol=1e-12)
    found = np.abs(mixed @ rotation)
    partner = match(simple, found)[1]
    np.testing.assert_allclose(found[:, partner], simple, atol=1e-3)


def test_starting_point_is_where_the_spectral_start_says(planted, at_point):
    features, _ = planted
    data = prepare(SPEC, features)
    start = spectral_start(data, 3)
    model = build_shared_specific(SPEC, data)
    given = starting_point(SPEC, data, start, jitter=1e-9)
    assert set(given) == {v.name for v in model.free_RVs}
    names = ("raw_scores", "log_strength", "log_radius")
    point = model.initial_point() | dict(
        zip(names, pm.draw([given[n] for n in names], random_seed=0), strict=True)
    )
    scores, tau = at_point(model, model["scores"], model["block_scale"])(point)
    r, partner = match(start.scores, scores)
    assert partner.tolist() == [0, 1, 2]
    assert r.min() > 0.98
    assert np.corrcoef(np.log(tau).ravel(), np.log(start.block_scale).ravel())[0, 1] > 0.95
