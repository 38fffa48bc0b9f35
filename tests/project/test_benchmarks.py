"""Cohorts and measures of the recovery benchmark. The fits themselves take too long for a test."""

from __future__ import annotations

import sys

import numpy as np
import pytest


@pytest.fixture(scope="module")
def recovery(repository):
    """The helper modules of the benchmark, imported as the script imports them."""
    folder = str(repository / "benchmarks")
    sys.path.insert(0, folder)
    try:
        import recovery_cohorts
        import recovery_scores
    finally:
        sys.path.remove(folder)
    return recovery_cohorts, recovery_scores


def test_rv_from_small_products_equals_rv_of_large_ones(recovery):
    _, scores = recovery
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(40, 3)), rng.normal(size=(40, 2))
    big_a, big_b = a @ a.T, b @ b.T
    direct = np.sum(big_a * big_b) / np.sqrt(np.sum(big_a**2) * np.sum(big_b**2))
    assert scores.rv(a, b) == pytest.approx(direct, abs=1e-12)
    assert scores.rv(a, a @ np.linalg.qr(rng.normal(size=(3, 3)))[0]) == pytest.approx(1)
    assert scores.rv(a, b[:, :0]) == 0


def test_congruence_counts_missing_factors_as_zero(recovery):
    _, scores = recovery
    a = np.random.default_rng(1).normal(size=(30, 3))
    assert scores.congruence(a, -2 * a[:, [2, 0, 1]]) == pytest.approx(1)
    assert scores.congruence(a, a[:, :1]) < 0.6


@pytest.mark.parametrize("kind", ["block-strong", "messy-edge-weak"])
def test_cohorts_are_as_described_and_the_truth_gets_full_marks(recovery, kind):
    cohorts, scores = recovery
    cohort = cohorts.make_cohort(cohorts.KINDS[kind], seed=3)
    y = cohort.features["y"].values
    assert y.shape == (62, 1275)
    assert len(np.unique(cohort.features["block"])) == 28
    arm = np.searchsorted(cohorts.ARMS, cohort.features["arm"].values)
    assert tuple(np.bincount(arm)) == cohorts.KINDS[kind].people
    loadings = np.column_stack([cohort.shared, *cohort.specific.values()])
    # In the unit of the features that both tools receive.
    left = y - cohort.expected - cohort.scores @ loadings.T
    # Only noise remains after everything that is known is removed.
    assert (left / cohort.noise).std() == pytest.approx(1, abs=0.05)
    level = [0.10, 0.10] if "strong" in kind else [0.06, 0.03]
    share = (loadings**2 / cohort.noise[:, None] ** 2).mean(axis=0)
    np.testing.assert_allclose(
        share * (1 - 3 * level[0] - level[1]), [level[0]] * 3 + [level[1]] * 2
    )
    explained = np.array([[1, 1, 1, 1, 0], [1, 1, 1, 0, 1]]) * 0.1
    perfect = scores.Estimate(loadings, cohort.scores, explained, 0.0)
    truth = (cohort.shared, list(cohort.specific.values()))
    found = scores.judge_by_rules(perfect, arm, truth)["active>0.01,own>=0.75"]
    assert min(found.values()) > 0.98
    swapped = scores.Estimate(loadings, cohort.scores, explained[::-1], 0.0)
    assert scores.judge_by_rules(swapped, arm, truth)["active>0.01,own>=0.75"]["rv_specific"] < 0.2
