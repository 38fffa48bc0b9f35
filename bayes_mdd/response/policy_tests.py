"""Tests of the gain of a learned rule that keep their level, unlike naive cross-validated ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bayes_mdd.response.benefit import DecisionRule
from bayes_mdd.response.held_out import HeldOut, cross_fit, learn_and_predict
from bayes_mdd.response.mixture import Scales
from bayes_mdd.response.randomisation import redraw_arms
from bayes_mdd.response.trial import Trial
from bayes_mdd.types import Array, IntArray


def sequential_z(
    trial: Trial,
    propensity: Array,
    fold: IntArray,
    scales: Scales,
    rule: DecisionRule,
    rng: np.random.Generator,
) -> float:
    """Judge each fold by a rule that only earlier folds taught.

    Parameters
    ----------
    trial : Trial
        All patients.
    propensity : ndarray, shape (subject,)
        Known probability of the other drug.
    fold : ndarray of int, shape (subject,)
        Fold of each patient, from 0.
    scales : Scales
        Prior scales.
    rule : DecisionRule
        The rule.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    float
        Z value of the gain over the default; 0 if the rule changes no more than one patient.
    """
    folds = int(fold.max()) + 1
    total = variance = 0.0
    for j in range(max(1, folds // 3), folds):
        held = learn_and_predict(trial, propensity, fold < j, fold == j, scales, rng)
        chosen = held.choose(rule)
        if chosen.sum() < 2:
            continue
        gain = chosen * held.effect
        total += float(gain.sum())
        variance += len(gain) * float(gain.var(ddof=1))
    return total / float(np.sqrt(variance)) if variance > 0 else 0.0


def ranking_p_value(
    trial: Trial,
    propensity: Array,
    stratum: IntArray,
    scales: Scales,
    rng: np.random.Generator,
    *,
    folds: int,
    n_permutations: int,
) -> float:
    """Test what the learned ranking gains, with arms drawn again and the rule learned again.

    The statistic is the covariance of predicted and scored benefit within folds, over the SD of the
    prediction. Folds do not depend on arms, so that all assignments are treated alike.

    Parameters
    ----------
    trial : Trial
        All patients.
    propensity : ndarray, shape (subject,)
        Known probability of the other drug.
    stratum : ndarray of int, shape (subject,)
        Strata within which the trial randomised.
    scales : Scales
        Prior scales.
    rng : numpy.random.Generator
        Source of randomness.
    folds : int
        Number of folds.
    n_permutations : int
        Number of assignments drawn.

    Returns
    -------
    float
        P value, exact if patients do not differ in what they gain.
    """
    base = np.column_stack([trial.design, trial.mean, trial.code])
    common = float(np.linalg.lstsq(base, trial.outcome, rcond=None)[0][-1])
    without = trial.outcome - trial.code * common
    fold = rng.permutation(trial.other.size) % folds
    observed = _ranking_statistic(cross_fit(trial, propensity, fold, scales, rng))
    null = np.empty(n_permutations)
    for i, other in enumerate(redraw_arms(trial.other, stratum, rng, n_permutations)):
        outcome = without + np.where(other, 0.5, -0.5) * common
        arranged = replace(trial, outcome=outcome, other=other)
        null[i] = _ranking_statistic(cross_fit(arranged, propensity, fold, scales, rng))
    return float((1 + (null >= observed - 1e-12).sum()) / (n_permutations + 1))


def _ranking_statistic(held: HeldOut) -> float:
    products, squares = held.products_within_folds()
    return products / float(np.sqrt(squares)) if squares > 1e-12 else 0.0
