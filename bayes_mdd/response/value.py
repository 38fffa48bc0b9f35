r"""Value of a rule of treatment, by augmented inverse probability weighting.

For a subject with arm A, outcome y, known probability e of the other drug and any prediction f of
the outcome under each drug from other subjects,

.. math:: G_a = f_a + \frac{1[A = a]}{e_a} (y - f_a)

has the mean of the outcome under drug a, whether or not f is right. Where outcomes are missing,
those that are known count by the inverse of the probability of being known, in addition; subjects
without an outcome have :math:`G_a = f_a`. The gain of a rule that gives
the other drug to the subjects with :math:`\pi_i = 1` is the mean of
:math:`\pi_i (G_\mathrm{default} - G_\mathrm{other})`, where lower outcomes are better.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayes_mdd.types import Array, BoolArray

#: Penalty of the ridge regression that predicts outcomes, in subjects.
PENALTY = 5.0


def aipw_scores(
    outcome: Array,
    other: BoolArray,
    propensity: Array,
    on_default: Array,
    on_other: Array,
    observation: Array | None = None,
) -> tuple[Array, Array]:
    """Score each subject's outcome under each drug.

    Parameters
    ----------
    outcome : ndarray, shape (subject,)
        Outcomes, NaN where missing.
    other : ndarray of bool, shape (subject,)
        Whether the other drug was received.
    propensity : ndarray, shape (subject,)
        Probability of receiving the other drug.
    on_default, on_other : ndarray, shape (subject,)
        Predictions from other subjects; zeros give inverse probability weighting.
    observation : ndarray of shape (subject,), optional
        Probability that the outcome is known, given the drug received. Default: 1.

    Returns
    -------
    default, other : ndarray, shape (subject,)
        Scores whose means are the mean outcomes under each drug.

    Examples
    --------
    >>> y, other = np.array([1.0, 3.0]), np.array([False, True])
    >>> aipw_scores(y, other, np.full(2, 0.5), np.zeros(2), np.zeros(2))
    (array([2., 0.]), array([0., 6.]))
    """
    known = np.isfinite(outcome)
    weight = known / (1.0 if observation is None else observation)
    y = np.where(known, outcome, 0.0)
    of_default = on_default + ~other * weight * (y - on_default) / (1 - propensity)
    of_other = on_other + other * weight * (y - on_other) / propensity
    return of_default, of_other


def predict_outcomes(
    columns: Array, other: BoolArray, outcome: Array, new_columns: Array
) -> tuple[Array, Array]:
    """Predict outcomes under each drug by ridge regression with a common effect of the drug.

    Parameters
    ----------
    columns : ndarray, shape (subject, column)
        Covariates and scores of subjects to learn from, without intercept.
    other : ndarray of bool, shape (subject,)
        Their arm.
    outcome : ndarray, shape (subject,)
        Their outcome.
    new_columns : ndarray, shape (new subject, column)
        Covariates of subjects to predict.

    Returns
    -------
    on_default, on_other : ndarray, shape (new subject,)
        Predictions.
    """
    centre = columns.mean(axis=0)
    x = np.column_stack([columns - centre, other - other.mean()])
    level = outcome.mean()
    gram = x.T @ x + PENALTY * np.eye(x.shape[1])
    slope = np.linalg.solve(gram, x.T @ (outcome - level))
    base = level + (new_columns - centre) @ slope[:-1]
    return base - other.mean() * slope[-1], base + (1 - other.mean()) * slope[-1]


@dataclass(frozen=True)
class Gain:
    """Mean of scores with its standard error.

    Parameters
    ----------
    value : float
        Points, or a difference of proportions.
    error : float
        Standard error over subjects.
    """

    value: float
    error: float

    @classmethod
    def of(cls, scores: Array) -> Gain:
        """Average scores of subjects.

        Parameters
        ----------
        scores : ndarray, shape (subject,)
            One score for each subject.

        Returns
        -------
        Gain
            Mean and standard error.
        """
        n = len(scores)
        error = float(scores.std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan")
        return cls(float(scores.mean()), error)


def prioritised_effects(priority: Array, effect: Array) -> tuple[Array, Array]:
    """Targeting operator characteristic: what patients of high priority gain beyond the average.

    Parameters
    ----------
    priority : ndarray, shape (subject,)
        Predicted benefit, from other subjects.
    effect : ndarray, shape (subject,)
        Scores of the benefit of each subject.

    Returns
    -------
    share : ndarray, shape (subject,)
        Share of subjects, those of highest priority first.
    gain : ndarray, shape (subject,)
        Mean effect of these subjects minus that of all.
    """
    order = np.argsort(-priority, kind="stable")
    number = np.arange(1, len(effect) + 1)
    return number / len(effect), np.cumsum(effect[order]) / number - effect.mean()
