"""Benefits and outcome scores of patients who did not teach the rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from bayes_mdd.response.benefit import DecisionRule, draw_benefit
from bayes_mdd.response.mixture import Scales, fit_mixture
from bayes_mdd.response.splits import Split
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


@dataclass(frozen=True, kw_only=True)
class Learner:
    """How a rule is learned.

    Parameters
    ----------
    scales : Scales
        Prior scales.
    minimum : float
        Smallest benefit for which a drug is preferred.
    relative : bool, default False
        Whether `minimum` is in residual SD of the patients who teach, rather than in points.
    """

    scales: Scales
    minimum: float
    relative: bool = False


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
    plain : ndarray, shape (2, subject)
        The same without predictions of outcomes (inverse probability weighting), for outcomes
        centred where the rule was learned.
    better_other : ndarray of bool, shape (subject,)
        Whether the other drug had the better mean outcome where the rule was learned.
    interval : ndarray, shape (4, subject)
        Quantiles of the benefit, in the order of `INTERVALS`.
    minimum : ndarray, shape (subject,)
        Smallest benefit for which a drug is preferred, in points.
    propensity, observation : ndarray, shape (subject,)
        Probabilities of the other drug and of a known outcome.
    clipped : ndarray of bool, shape (2, subject)
        Whether an estimated propensity, and the probability of a known outcome, lie at a limit.
    fold : ndarray of int, shape (subject,)
        Fold of each patient.
    """

    benefit: Array
    p_benefit: Array
    default: Array
    other: Array
    plain: Array
    better_other: BoolArray
    interval: Array
    minimum: Array
    propensity: Array
    observation: Array
    clipped: BoolArray
    fold: IntArray

    @property
    def effect(self) -> Array:
        """Score of the benefit of the other drug, shape (subject,)."""
        return self.default - self.other

    def decide(self, rule: DecisionRule) -> IntArray:
        """Decide for each patient.

        Parameters
        ----------
        rule : DecisionRule
            Its probability and cost are used; the minimum is that of the fold.

        Returns
        -------
        ndarray of int, shape (subject,)
            1 for the other drug, -1 for the default, 0 for no preference.
        """
        # In units of the minimum of each patient's fold.
        unit = np.where(self.minimum > 0, self.minimum, 1.0)
        net = (self.benefit - rule.cost) / unit
        least = replace(rule, minimum=1.0, cost=0.0).decide(net, self.p_benefit)
        any_size = replace(rule, minimum=0.0, cost=0.0).decide(net, self.p_benefit)
        return np.where(self.minimum > 0, least, any_size)

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
        return np.asarray(self.decide(rule) == 1)

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


def learn_and_predict(split: Split, learner: Learner, rng: np.random.Generator) -> HeldOut:
    """Learn benefits from some patients, and predict them for others.

    The outcomes of the patients who are predicted enter their scores only.

    Parameters
    ----------
    split : Split
        Whom to learn from, and whom to predict.
    learner : Learner
        Prior scales, and when a drug is preferred.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    HeldOut
        Predictions for the patients who are held out, all in one fold.
    """
    given, learned, held, level = _arrange(split)
    drawn = fit_mixture(learned, learner.scales).draw(rng, DRAWS)
    benefit = draw_benefit(drawn.drug, drawn.moderation, held.mean, held.covariance, rng)
    predicted = predict_outcomes(_columns(learned), learned.other, learned.outcome, _columns(held))
    weights, test = split.weights, split.test
    of = (held.outcome - level, held.other, weights.propensity[test])
    zero = np.zeros(len(held.outcome))
    default, other = aipw_scores(*of, *predicted, weights.observation[test])
    plain = aipw_scores(*of, zero, zero, weights.observation[test])
    chance = np.where(learned.other, weights.propensity[given], 1 - weights.propensity[given])
    counted = 1 / (chance * weights.observation[given])
    on_other, on_default = (
        np.average(learned.outcome[a], weights=counted[a]) for a in (learned.other, ~learned.other)
    )
    unit = learned.residual_sd() if learner.relative else 1.0
    return HeldOut(
        benefit=benefit.mean(axis=0),
        p_benefit=(benefit > 0).mean(axis=0),
        default=default + level,
        other=other + level,
        plain=np.stack(plain),
        better_other=np.full(zero.size, on_other < on_default),
        interval=np.quantile(benefit, list(INTERVALS.values()), axis=0),
        minimum=np.full(zero.size, learner.minimum * unit),
        propensity=weights.propensity[test],
        observation=weights.observation[test],
        clipped=np.stack([weights.clipped[test], weights.seldom_observed[test]]),
        fold=np.zeros(zero.size, dtype=np.int64),
    )


def expect_and_score(split: Split, learner: Learner) -> tuple[Array, Array]:
    """Learn benefits from some patients, and compare them with scores of others.

    Parameters
    ----------
    split : Split
        Whom to learn from, and whom to predict.
    learner : Learner
        Prior scales.

    Returns
    -------
    expected, scored : ndarray, shape (subject,)
        Expected benefit of the patients who are held out, without the error of draws, and score of
        their benefit.
    """
    _, learned, held, level = _arrange(split)
    average = fit_mixture(learned, learner.scales).average
    k = held.n_factors
    expected = -(average[-k - 1] + held.mean @ average[average.size - k :])
    predicted = predict_outcomes(_columns(learned), learned.other, learned.outcome, _columns(held))
    weights, test = split.weights, split.test
    of = (held.outcome - level, held.other, weights.propensity[test])
    default, other = aipw_scores(*of, *predicted, weights.observation[test])
    return expected, default - other


def _arrange(split: Split) -> tuple[BoolArray, Trial, Trial, float]:
    """Who teaches, their trial around its level, the trial of those held out, and the level."""
    given = split.train & np.isfinite(split.trial.outcome)
    learned, held = split.trial.take(given), split.trial.take(split.test)
    level = float(learned.outcome.mean())
    return given, replace(learned, outcome=learned.outcome - level), held, level


def _columns(trial: Trial) -> Array:
    return np.column_stack([trial.design[:, 1:], trial.mean])


def cross_fit(splits: Sequence[Split], learner: Learner, rng: np.random.Generator) -> HeldOut:
    """Predict each fold from all others.

    Parameters
    ----------
    splits : sequence of Split
        One for each fold; together they hold everyone out once.
    learner : Learner
        Prior scales, and when a drug is preferred.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    HeldOut
        Predictions for all patients.
    """
    parts = [learn_and_predict(split, learner, rng) for split in splits]
    rows = [np.flatnonzero(split.test) for split in splits]
    # Back to the order of the patients.
    order = np.argsort(np.concatenate(rows))
    fold = np.repeat(np.arange(len(rows)), [r.size for r in rows])[order]
    return replace(_combine(parts, lambda x: np.concatenate(x, axis=-1)[..., order]), fold=fold)


def average_divisions(found: Sequence[HeldOut]) -> HeldOut:
    """Average predictions over divisions into folds.

    Parameters
    ----------
    found : sequence of HeldOut
        One for each division.

    Returns
    -------
    HeldOut
        Means; what is true or false, and the fold, are those of the first division.
    """
    first = found[0]
    return replace(
        _combine(found, lambda x: np.mean(x, axis=0)),
        better_other=first.better_other,
        clipped=first.clipped,
        fold=first.fold,
    )


def _combine(found: Sequence[HeldOut], join: Callable[[list[Array]], Array]) -> HeldOut:
    """Combine field by field; true and false become numbers where they are averaged."""
    names = [field.name for field in fields(HeldOut)]
    joined: dict[str, Any] = {name: join([getattr(h, name) for h in found]) for name in names}
    return HeldOut(**joined)
