"""Leading eigenvalues of many subjects equal those of all eigenvalues."""

from __future__ import annotations

import numpy as np
import pytest

from bayes_mdd.shared_specific.search import effective_features
from bayes_mdd.shared_specific.whitening import leading


@pytest.fixture
def features():
    rng = np.random.default_rng(1)
    return rng.normal(size=(90, 130)) + 2 * np.outer(rng.normal(size=90), rng.normal(size=130))


def test_lanczos_finds_the_leading_pairs(features, monkeypatch):
    exact = np.linalg.eigh(features @ features.T)
    np.testing.assert_allclose(leading.leading_pairs(features, 3)[0], exact[0][-3:])
    monkeypatch.setattr(leading, "ALL_UP_TO", 20)
    values, vectors = leading.leading_pairs(features, 3)
    np.testing.assert_allclose(values, exact[0][-3:], rtol=1e-6)
    assert abs(vectors[:, -1] @ exact[1][:, -1]) > 1 - 1e-6
    assert leading.leading_value(features) == pytest.approx(exact[0][-1], rel=1e-6)
    assert leading.leading_value(features[:, :15]) == pytest.approx(
        np.linalg.eigvalsh(features[:, :15] @ features[:, :15].T)[-1]
    )
    weights = np.linspace(0.1, 2, 130)
    found = leading.rough_leading_value(features.astype(np.float32), weights)
    expected = np.linalg.eigvalsh((features * weights) @ features.T)[-1]
    assert found == pytest.approx(expected, rel=2e-3)


def test_the_effective_number_of_features_is_the_same(features, monkeypatch):
    similarity = features @ features.T
    exact = effective_features.effective_count(similarity, 130, 2)
    monkeypatch.setattr(effective_features, "ALL_UP_TO", 20)
    assert effective_features.effective_count(similarity, 130, 2) == pytest.approx(exact, rel=1e-3)
    assert effective_features.effective_count(similarity, 130, 0) > 1
