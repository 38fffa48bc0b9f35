"""Tests of the gain of a learned rule that keep their level, unlike naive cross-validated ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bayes_mdd.response.benefit import DecisionRule
from bayes_mdd.response.held_out import Learner, expect_and_score, learn_and_predict
from bayes_mdd.response.randomisation import redraw_arms
from bayes_mdd.response.splits import Split
from bayes_mdd.types import IntArray


def sequential_z(
    splits: Sequence[Split], learner: Learner, rule: DecisionRule, rng: np.random.Generator
) -> float:
    """Judge each fold by a rule that only earlier folds taught.

    Parameters
    ----------
    splits : sequence of Split
        One for each fold that is judged.
    learner : Learner
        How the rule is learned.
    rule : DecisionRule
        When a drug is preferred.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    float
        Z value of the gain over the default; 0 if the rule changes no more than one patient.
    """
    total = variance = 0.0
    for split in splits:
        held = learn_and_predict(split, learner, rng)
        chosen = held.choose(rule)
        if chosen.sum() < 2:
            continue
        gain = chosen * held.effect
        total += float(gain.sum())
        variance += len(gain) * float(gain.var(ddof=1))
    return total / float(np.sqrt(variance)) if variance > 0 else 0.0


def ranking_p_value(
    splits: Sequence[Split],
    stratum: IntArray,
    learner: Learner,
    rng: np.random.Generator,
    *,
    n_permutations: int,
) -> float:
    """Test what the learned ranking gains, with arms drawn again and the rule learned again.

    The statistic is the sum of the products of expected and scored benefits, both centred in each
    fold, over the root of the sum of their squares, so that the noise of the arms may differ. Folds
    must not depend on arms, so that all assignments are treated alike. The scans are not fitted
    again: they are blind to the arms.

    Parameters
    ----------
    splits : sequence of Split
        One for each fold, of patients with an outcome.
    stratum : ndarray of int, shape (subject,)
        Strata within which the trial randomised.
    learner : Learner
        How the rule is learned.
    rng : numpy.random.Generator
        Source of randomness.
    n_permutations : int
        Number of assignments drawn.

    Returns
    -------
    float
        P value, exact if patients do not differ in what they gain.
    """
    trial = splits[0].trial
    # Scores of different fits are of different factors, and cannot be columns of one regression.
    same_fit = all(s.trial is trial for s in splits)
    parts = [trial.design, trial.mean, trial.code] if same_fit else [trial.design, trial.code]
    base = np.column_stack(parts)
    common = float(np.linalg.lstsq(base, trial.outcome, rcond=None)[0][-1])
    without = trial.outcome - trial.code * common
    observed = _ranking_statistic(splits, learner)
    null = np.empty(n_permutations)
    for i, other in enumerate(redraw_arms(trial.other, stratum, rng, n_permutations)):
        outcome = without + np.where(other, 0.5, -0.5) * common
        arranged = [
            replace(s, trial=replace(s.trial, outcome=outcome, other=other)) for s in splits
        ]
        null[i] = _ranking_statistic(arranged, learner)
    return float((1 + (null >= observed - 1e-12).sum()) / (n_permutations + 1))


def _ranking_statistic(splits: Sequence[Split], learner: Learner) -> float:
    products = []
    for split in splits:
        expected, scored = expect_and_score(split, learner)
        products.append((expected - expected.mean()) * (scored - scored.mean()))
    product = np.concatenate(products)
    size = float(np.sqrt(product @ product))
    return float(product.sum()) / size if size > 1e-12 else 0.0
