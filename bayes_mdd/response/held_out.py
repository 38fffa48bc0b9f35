"""Benefits and outcome scores of patients who did not teach the rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayes_mdd.response.benefit import DecisionRule, draw_benefit
from bayes_mdd.response.mixture import Scales, fit_mixture
from bayes_mdd.response.trial import Trial
from bayes_mdd.response.value import aipw_scores, predict_outcomes
from bayes_mdd.types import Array, BoolArray, IntArray

#: Draws of the benefit of each held-out patient.
DRAWS = 400
#: Names of the ends of the intervals of benefits, and their quantiles.
INTERVALS = {
    "benefit_lower": 0.05,
    "benefit_lower_50": 0.25,
    "benefit_upper_50": 0.75,
    "benefit_upper": 0.95,
}


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Predictions for patients who were not learned from.

    Parameters
    ----------
    benefit : ndarray, shape (subject,)
        Expected benefit of the other drug, in points.
    p_benefit : ndarray, shape (subject,)
        Probability that the benefit is above 0.
    default, other : ndarray, shape (subject,)
        Scores of the outcome on each drug, from `aipw_scores`.
    better_other : ndarray of bool, shape (subject,)
        Whether the other drug had the better mean outcome where the rule was learned.
    interval : ndarray, shape (4, subject)
        Quantiles of the benefit, in the order of `INTERVALS`.
    fold : ndarray of int, shape (subject,)
        Fold of each patient.
    """

    benefit: Array
    p_benefit: Array
    default: Array
    other: Array
    better_other: BoolArray
    interval: Array
    fold: IntArray

    @property
    def effect(self) -> Array:
        """Score of the benefit of the other drug, shape (subject,)."""
        return self.default - self.other

    def choose(self, rule: DecisionRule) -> BoolArray:
        """Tell for whom a rule chooses the other drug.

        Parameters
        ----------
        rule : DecisionRule
            When a drug is preferred.

        Returns
        -------
        ndarray of bool, shape (subject,)
            True for the other drug.
        """
        return np.asarray(rule.decide(self.benefit, self.p_benefit) == 1)

    def products_within_folds(self) -> tuple[float, float]:
        """Compare predicted with scored benefits, both centred in each fold.

        Returns
        -------
        products, squares : float
            Sum of the products, and sum of squares of the predictions.
        """
        products = squares = 0.0
        for j in np.unique(self.fold):
            rows = self.fold == j
            x, y = (v[rows] - v[rows].mean() for v in (self.benefit, self.effect))
            products, squares = products + float(x @ y), squares + float(x @ x)
        return products, squares


def divide(other: BoolArray, folds: int, rng: np.random.Generator) -> IntArray:
    """Assign folds at random, equally within each arm.

    Parameters
    ----------
    other : ndarray of bool, shape (subject,)
        Whether the other drug was received.
    folds : int
        Number of folds.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray of int, shape (subject,)
        Fold of each patient, from 0.
    """
    fold = np.empty(other.size, dtype=np.int64)
    for arm in (False, True):
        rows = rng.permutation(np.flatnonzero(other == arm))
        fold[rows] = np.arange(rows.size) % folds
    return fold


def learn_and_predict(
    trial: Trial,
    propensity: Array,
    train: BoolArray,
    test: BoolArray,
    scales: Scales,
    rng: np.random.Generator,
) -> HeldOut:
    """Learn benefits from some patients, and predict them for others.

    Parameters
    ----------
    trial : Trial
        All patients.
    propensity : ndarray, shape (subject,)
        Known probability of the other drug.
    train, test : ndarray of bool, shape (subject,)
        Patients to learn from, and patients to predict.
    scales : Scales
        Prior scales.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    HeldOut
        Predictions for the patients of `test`, all in one fold.
    """
    learned, held = trial.take(train), trial.take(test)
    drawn = fit_mixture(learned, scales).draw(rng, DRAWS)
    benefit = draw_benefit(drawn.drug, drawn.moderation, held.mean, held.covariance, rng)
    predicted = predict_outcomes(_columns(learned), learned.other, learned.outcome, _columns(held))
    default, other = aipw_scores(held.outcome, held.other, propensity[test], *predicted)
    weight = np.where(learned.other, 1 / propensity[train], 1 / (1 - propensity[train]))
    on_other, on_default = (
        np.average(learned.outcome[a], weights=weight[a]) for a in (learned.other, ~learned.other)
    )
    n = len(held.outcome)
    return HeldOut(
        benefit=benefit.mean(axis=0),
        p_benefit=(benefit > 0).mean(axis=0),
        default=default,
        other=other,
        better_other=np.full(n, on_other < on_default),
        interval=np.quantile(benefit, list(INTERVALS.values()), axis=0),
        fold=np.zeros(n, dtype=np.int64),
    )


def _columns(trial: Trial) -> Array:
    return np.column_stack([trial.design[:, 1:], trial.mean])


def cross_fit(
    trial: Trial, propensity: Array, fold: IntArray, scales: Scales, rng: np.random.Generator
) -> HeldOut:
    """Predict each fold from all others.

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
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    HeldOut
        Predictions for all patients.
    """
    tests = [fold == j for j in range(int(fold.max()) + 1)]
    parts = [learn_and_predict(trial, propensity, ~test, test, scales, rng) for test in tests]
    # Back to the order of the patients.
    order = np.argsort(np.concatenate([np.flatnonzero(test) for test in tests]))
    return HeldOut(
        benefit=_join(parts, "benefit", order),
        p_benefit=_join(parts, "p_benefit", order),
        default=_join(parts, "default", order),
        other=_join(parts, "other", order),
        better_other=_join(parts, "better_other", order).astype(bool),
        interval=_join(parts, "interval", order),
        fold=fold,
    )


def average_divisions(found: Sequence[HeldOut]) -> HeldOut:
    """Average predictions over divisions into folds.

    Parameters
    ----------
    found : sequence of HeldOut
        One for each division.

    Returns
    -------
    HeldOut
        Means; fold and better fixed drug are those of the first division.
    """
    return HeldOut(
        benefit=_mean(found, "benefit"),
        p_benefit=_mean(found, "p_benefit"),
        default=_mean(found, "default"),
        other=_mean(found, "other"),
        better_other=found[0].better_other,
        interval=_mean(found, "interval"),
        fold=found[0].fold,
    )


def _join(parts: Sequence[HeldOut], name: str, order: IntArray) -> Array:
    return np.concatenate([getattr(p, name) for p in parts], axis=-1)[..., order]


def _mean(found: Sequence[HeldOut], name: str) -> Array:
    return np.asarray(np.mean([getattr(h, name) for h in found], axis=0))
