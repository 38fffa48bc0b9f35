"""Small corpora with known truth."""

from __future__ import annotations

import numpy as np
import pytest


def draw_counts(seed, n_subjects=24, n_edges=60, n_factors=2, tokens=400):
    """Signed counts drawn from the model itself, one polarity per subject and edge."""
    rng = np.random.default_rng(seed)
    beta = rng.dirichlet(np.full(n_edges, 0.5), size=n_factors) + 0.3 / n_edges
    beta /= beta.sum(axis=1, keepdims=True)
    rho = rng.beta(0.1, 0.1, size=(n_factors, n_edges))
    theta = rng.dirichlet(np.full(n_factors, 0.5), size=n_subjects)
    size = np.stack([rng.multinomial(tokens, t @ beta) for t in theta])
    hyper = (theta @ (beta * rho)) / (theta @ beta)
    sign = np.where(rng.uniform(size=size.shape) < hyper, 1, -1)
    counts = size * sign
    counts[0] = np.where(counts.any(axis=0), counts[0], 1)
    return counts.astype(np.int32), {"beta": beta, "rho": rho, "theta": theta}


@pytest.fixture(scope="session")
def corpus():
    """24 subjects, 60 edges, 2 factors."""
    return draw_counts(seed=4)
