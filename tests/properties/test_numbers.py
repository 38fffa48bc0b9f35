"""Functions of numbers: inverses, invariance, and bounds."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bayes_mdd.baselines.measures import concordance
from bayes_mdd.results.rules import RULES
from bayes_mdd.shared_specific.reliability.verdict import leverage, shortest_interval
from bayes_mdd.shared_specific.tables.factors import _pattern
from bayes_mdd.shared_specific.whitening.transform import build_whitening, shrink_mean, unpack
from bayes_mdd.streams import PolarLDAStream, Stream, generator, spawn

SEEDS = st.integers(0, 2**32 - 1)
FINITE = st.floats(-1e6, 1e6, allow_subnormal=False)
DRAWS = hnp.arrays(float, st.integers(1, 30), elements=FINITE)


@given(seed=SEEDS, n=st.integers(2, 6), names=st.data())
def test_whitening_has_an_inverse(seed, n, names):
    rng = np.random.default_rng(seed)
    correlation = np.corrcoef(rng.normal(size=(n, 4 * n)) + 0.5 * rng.normal(size=4 * n))
    networks = names.draw(st.lists(st.sampled_from("ABC"), min_size=n, max_size=n))
    scale = rng.uniform(0.2, 1.0, n * (n - 1) // 2)
    whitening = build_whitening(correlation, networks, scale)
    edges = rng.normal(size=(3, scale.size))
    features = whitening.forward(edges)
    np.testing.assert_allclose(whitening.back(features), edges, atol=1e-8)
    smooth = whitening.forward(edges, smooth=True)
    np.testing.assert_allclose(whitening.to_smooth(features), smooth, atol=1e-8)
    # Rotations keep lengths.
    np.testing.assert_allclose((features**2).sum(-1), (smooth**2).sum(-1), rtol=1e-8)
    np.testing.assert_allclose(whitening.basis @ whitening.basis.T, np.eye(n), atol=1e-8)


@given(values=hnp.arrays(float, (2, 10), elements=FINITE), diagonal=st.booleans())
def test_triangles_and_matrices(values, diagonal):
    n = 4 if diagonal else 5
    matrices = unpack(values, n, diagonal=diagonal)
    np.testing.assert_array_equal(matrices, matrices.swapaxes(-1, -2))
    at = np.triu_indices(n, 0 if diagonal else 1)
    np.testing.assert_array_equal(matrices[..., *at], values)


@given(values=hnp.arrays(float, (6, 4), elements=st.floats(-0.99, 0.99)))
def test_a_shrunk_mean_is_nearer_to_zero(values):
    mean, shrinkage = shrink_mean(values)
    assert 0 <= shrinkage <= 1
    assert (np.abs(mean) <= np.abs(values.mean(axis=0)) + 1e-12).all()


@given(draws=DRAWS, share=st.floats(0.01, 1.0), seed=SEEDS)
def test_shortest_intervals(draws, share, seed):
    low, high = shortest_interval(draws, share)
    assert low <= high
    assert ((draws >= low) & (draws <= high)).mean() >= share - 1e-9
    shuffled = np.random.default_rng(seed).permutation(draws)
    assert shortest_interval(shuffled, share) == (low, high)
    whole = shortest_interval(draws, 1.0)
    assert whole == (draws.min(), draws.max())
    assert high - low <= whole[1] - whole[0]


@given(scores=hnp.arrays(float, st.tuples(st.integers(1, 8), st.just(2)), elements=FINITE))
def test_leverage_is_a_share(scores):
    share, subject = leverage(scores)
    some = (scores**2).sum(axis=0) > 0
    assert ((share[some] >= 1 / len(scores) - 1e-12) & (share[some] <= 1 + 1e-12)).all()
    assert (share[~some] == 0).all()
    assert ((subject >= 0) & (subject < len(scores))).all()


@given(
    weights=hnp.arrays(float, (2, 6, 3, 2), elements=st.floats(0.001, 1.0)),
    arms=st.sampled_from([2, 3]),
)
def test_probabilities_of_patterns_sum_to_one(weights, arms):
    weights = weights[:, :, :arms]
    sharing = xr.DataArray(
        weights / weights.sum(axis=2, keepdims=True),
        dims=("chain", "draw", "arm", "factor"),
        coords={"arm": list("xyz")[:arms]},
    )
    found = _pattern(sharing, list("xyz")[:arms], RULES)
    parts = [v for k, v in found.items() if k.startswith("p_")]
    np.testing.assert_allclose(np.sum(parts, axis=0), 1.0)


@given(
    predicted=hnp.arrays(float, 8, elements=st.integers(-3, 3).map(float)),
    event=hnp.arrays(bool, 8).filter(lambda e: 0 < e.sum() < 8),
)
def test_concordance_counts_pairs(predicted, event):
    pairs = [(a > b) + 0.5 * (a == b) for a in predicted[event] for b in predicted[~event]]
    assert np.mean(concordance(predicted, event)) == pytest.approx(np.mean(pairs))
    mirrored = concordance(-predicted, event)
    assert np.mean(mirrored) == pytest.approx(1 - np.mean(pairs))


@given(seed=SEEDS, order=st.permutations(list(Stream)), n=st.integers(1, 5))
def test_streams_do_not_depend_on_order_or_number(seed, order, n):
    expected = {s: generator(seed, s).random() for s in Stream}
    assert {s: generator(seed, s).random() for s in order} == expected
    assert len(set(expected.values())) == len(expected)
    few, many = (spawn(seed, PolarLDAStream.NULL, k) for k in (n, n + 3))
    for one, other in zip(few, many, strict=False):
        assert np.random.default_rng(one).random() == np.random.default_rng(other).random()
