"""Measures within folds, paired intervals, adjusted p values."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from bayes_mdd.baselines.measures import draw_weights, measure_auc, measure_balance, measure_r2
from bayes_mdd.baselines.paired import adjust_holm, compare_folds

RNG = np.random.default_rng(0)
N = 40
EVENT = RNG.random(N) < 0.4
FOLD = np.stack([RNG.permutation(N) % 4 for _ in range(2)])
WEIGHTS = draw_weights(N, 50, np.random.default_rng(1))


def test_auc_is_that_of_each_fold_weighted_by_its_pairs():
    predicted = RNG.standard_normal((2, N)) + EVENT
    found = measure_auc(predicted, EVENT, FOLD, WEIGHTS)
    won = pairs = 0.0
    for p, f in zip(predicted, FOLD, strict=True):
        for j in range(4):
            y = EVENT[f == j]
            size = y.sum() * (~y).sum()
            if size:
                won, pairs = won + size * roc_auc_score(y, p[f == j]), pairs + size
    assert found.value == pytest.approx(won / pairs, abs=1e-12)
    assert found.by_fold.size == 8
    low, high = found.interval(0.9)
    assert low < found.value < high


def test_training_means_alone_give_chance():
    """Pooled over folds, the mean of the others would have an area far below one half."""
    level = np.array([[EVENT[f != f[i]].mean() for i in range(N)] for f in FOLD])
    assert measure_auc(level, EVENT, FOLD, WEIGHTS).value == 0.5
    assert roc_auc_score(EVENT, level.mean(axis=0)) < 0.5
    loss = (EVENT - level) ** 2
    assert measure_r2(loss, loss, FOLD, WEIGHTS).value == 0.0
    never = np.broadcast_to((~EVENT).astype(float), (2, N))
    assert measure_balance(never, EVENT, FOLD, WEIGHTS).value == 0.5


def test_paired_interval_is_that_of_nadeau_and_bengio():
    first, second = RNG.standard_normal(10), RNG.standard_normal(10)
    d = first - second
    error = np.sqrt((1 / 10 + 0.25) * d.var(ddof=1))
    low, high = stats.t.interval(0.95, 9, loc=d.mean(), scale=error)
    found = compare_folds(np.append(first, np.nan), np.append(second, 1.0), 0.25)
    assert (found.lower, found.upper, found.folds) == (pytest.approx(low), pytest.approx(high), 10)


def test_holm():
    adjusted = adjust_holm(np.array([0.04, 0.01, np.nan, 0.03]))
    np.testing.assert_allclose(adjusted, [0.06, 0.03, np.nan, 0.06])
