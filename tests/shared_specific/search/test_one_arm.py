"""Directions that vary in one arm only are set apart; shared ones are not named."""

from __future__ import annotations

import numpy as np
import pytest

from bayes_mdd.shared_specific.search.one_arm import rotate_by_arm

N = 62
ERROR_SD = 0.3


def mixed(seed, sharing, n_arms=2):
    """True scores, their mixture with errors, the covariance of these, arms and edges."""
    rng = np.random.default_rng(seed)
    arm = np.arange(N) % n_arms
    scores = rng.normal(size=(N, len(sharing))) * np.sqrt(np.array(sharing).T[arm])
    scores -= scores.mean(axis=0)
    turn = np.linalg.qr(rng.normal(size=(len(sharing), len(sharing))))[0]
    unbiased = scores @ turn + ERROR_SD * rng.normal(size=scores.shape)
    block = np.repeat(np.arange(len(sharing)), 40)
    loadings = (block == np.arange(len(sharing))[:, None]) * rng.normal(size=block.size)
    edges = scores @ loadings + rng.normal(size=(N, block.size))
    return scores, unbiased, ERROR_SD**2 * np.eye(len(sharing)), arm, edges


def rotate(made, seed=0, arm=None):
    _, unbiased, error, own, edges = made
    return rotate_by_arm(
        unbiased, error, own if arm is None else arm, edges, np.ones(N), np.random.default_rng(seed)
    )


def correlations(scores, rotated):
    k = scores.shape[1]
    return np.abs(np.corrcoef(scores.T, rotated.T)[:k, k:])


@pytest.mark.parametrize("seed", range(5))
def test_a_direction_of_one_arm_comes_first(seed):
    made = mixed(seed, [(1, 1), (1, 1), (0, 2)])
    rotated = rotate(made)
    np.testing.assert_allclose((rotated**2).mean(axis=0), 1)
    r = correlations(made[0], rotated)
    assert r[2, 0] > 0.9
    assert rotated[made[3] == 0, 0].std() < 0.5 * rotated[made[3] == 1, 0].std()
    # The shared ones are separated by their edges.
    assert r[:2, 1:].max(axis=1).min() > 0.85


def test_directions_of_both_arms_are_apart():
    made = mixed(1, [(1, 1), (2, 0), (0, 2)])
    r = correlations(made[0], rotate(made))
    assert set(r[1:, :2].argmax(axis=1)) == {0, 1}
    assert r.max(axis=1).min() > 0.9


def test_each_of_three_arms_is_compared_with_the_others():
    made = mixed(2, [(1, 1, 1), (0, 0, 3)], n_arms=3)
    rotated = rotate(made)
    assert correlations(made[0], rotated)[1, 0] > 0.9


def test_shared_directions_are_seldom_named():
    changed = 0
    for seed in range(40):
        made = mixed(100 + seed, [(1, 1), (1, 1), (1, 1)])
        plain = rotate(made, arm=np.zeros(N, dtype=int))
        changed += not np.allclose(rotate(made, seed), plain)
    assert changed <= 5  # of 40 at a level of 5 %, P(more than 5) = .014


def test_labels_of_the_arms_do_not_matter():
    made = mixed(3, [(1, 1), (2, 0)])
    one, two = rotate(made), rotate(made, arm=1 - made[3])
    np.testing.assert_allclose(np.abs(one), np.abs(two), atol=1e-8)
