"""Cross-products as matrices and as features are the same."""

from __future__ import annotations

import numpy as np
import pytest

from bayes_mdd.shared_specific.likelihood import cross_products
from bayes_mdd.shared_specific.likelihood.cross_products import CrossProducts


@pytest.fixture
def made():
    rng = np.random.default_rng(0)
    features, code = rng.normal(size=(9, 14)), rng.integers(0, 3, 14)
    return features, code, rng.normal(size=(5, 9, 2))


def test_both_ways_agree(made, monkeypatch):
    features, code, columns = made
    few = CrossProducts.of(features, code).times(0.4)
    found = few.between(columns)
    for b in range(3):
        part = features[:, code == b]
        np.testing.assert_allclose(few.matrices[b], 0.4 * part @ part.T)
        expected = np.swapaxes(columns, 1, 2) @ few.matrices[b] @ columns
        np.testing.assert_allclose(found[:, b], expected)
    monkeypatch.setattr(cross_products, "MATRICES_UP_TO", 5)
    monkeypatch.setattr(cross_products, "COLUMNS", 4)
    many = CrossProducts.of(features, code).times(0.4)
    assert many.many
    np.testing.assert_allclose(many.between(columns), found)
    np.testing.assert_allclose(many.traces, few.traces)
    given = CrossProducts(given=few.matrices)
    assert not given.many
    np.testing.assert_allclose(given.between(columns), found)
