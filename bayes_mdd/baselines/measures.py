"""How well predictions agree with outcomes, for patients who were not learned from.

Predictions are compared within folds. Pooled over folds, they would also be compared with those of
other training patients, which have other means: chance then looks worse than chance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayes_mdd.types import Array, BoolArray, IntArray

#: Smallest probability that the log score gives an event.
LEAST_PROBABILITY = 1e-3


@dataclass(frozen=True, eq=False)
class Measured:
    """A measure with what its interval and its paired comparisons need.

    Parameters
    ----------
    value : float
        Over all folds.
    resampled : ndarray, shape (resample,)
        With patients drawn again.
    by_fold : ndarray, shape (fold,)
        Of each fold of each division; NaN where it is not defined.
    """

    value: float
    resampled: Array
    by_fold: Array

    def interval(self, probability: float) -> tuple[float, float]:
        """Bootstrap interval.

        Parameters
        ----------
        probability : float
            Of the interval.

        Returns
        -------
        lower, upper : float
            Percentiles.
        """
        known = self.resampled[np.isfinite(self.resampled)]
        if not known.size:
            return float("nan"), float("nan")
        tail = (1 - probability) / 2
        low, high = np.quantile(known, [tail, 1 - tail])
        return float(low), float(high)


def draw_weights(n: int, resamples: int, rng: np.random.Generator) -> Array:
    """Draw how often each patient is in each bootstrap sample.

    Parameters
    ----------
    n : int
        Number of patients.
    resamples : int
        Number of samples.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (resample, subject)
        Counts.
    """
    return rng.multinomial(n, np.full(n, 1 / n), size=resamples).astype(float)


def concordance(predicted: Array, event: BoolArray) -> Array:
    """Compare patients with and without the event.

    Parameters
    ----------
    predicted : ndarray, shape (subject,)
        Predictions.
    event : ndarray of bool, shape (subject,)
        Whether the event occurs.

    Returns
    -------
    ndarray, shape (event, no event)
        1 where the patient with the event has the higher prediction, 1/2 if equal.
    """
    difference = predicted[event][:, None] - predicted[~event]
    return np.asarray((difference > 0) + 0.5 * (difference == 0), dtype=float)


def measure_auc(predicted: Array, event: BoolArray, fold: IntArray, weights: Array) -> Measured:
    """Area under the curve of pairs within folds.

    Parameters
    ----------
    predicted : ndarray, shape (division, subject)
        Predictions.
    event : ndarray of bool, shape (subject,)
        Whether the event occurs.
    fold : ndarray of int, shape (division, subject)
        Folds.
    weights : ndarray, shape (resample, subject)
        From `draw_weights`.

    Returns
    -------
    Measured
        0.5 for chance.
    """
    shape = int(event.sum()), int((~event).sum())
    won, met = np.zeros(shape), np.zeros(shape)
    by_fold = []
    for p, f in zip(predicted, fold, strict=True):
        same = f[event][:, None] == f[~event]
        better = concordance(p, event)
        won, met = won + same * better, met + same
        for j in range(int(f.max()) + 1):
            here = f == j
            pairs = concordance(p[here], event[here])
            by_fold.append(float(pairs.mean()) if pairs.size else float("nan"))
    first, second = weights[:, event], weights[:, ~event]
    above = ((first @ won) * second).sum(axis=1)
    below = ((first @ met) * second).sum(axis=1)
    resampled = np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0)
    return Measured(float(won.sum() / met.sum()), resampled, np.array(by_fold))


def measure_mean(losses: Array, fold: IntArray, weights: Array) -> Measured:
    """Average a number of each patient.

    Parameters
    ----------
    losses : ndarray, shape (division, subject)
        Numbers.
    fold : ndarray of int, shape (division, subject)
        Folds.
    weights : ndarray, shape (resample, subject)
        From `draw_weights`.

    Returns
    -------
    Measured
        Means.
    """
    mean = losses.mean(axis=0)
    return Measured(
        float(mean.mean()), weights @ mean / weights.sum(axis=1), _fold_means(losses, fold)
    )


def _fold_means(values: Array, fold: IntArray) -> Array:
    return np.array(
        [
            v[f == j].mean()
            for v, f in zip(values, fold, strict=True)
            for j in range(int(f.max()) + 1)
        ]
    )


def measure_balance(right: Array, event: BoolArray, fold: IntArray, weights: Array) -> Measured:
    """Balanced accuracy: mean of the shares of events and of others that are recognised.

    Parameters
    ----------
    right : ndarray, shape (division, subject)
        1 where the prediction is right.
    event : ndarray of bool, shape (subject,)
        Whether the event occurs.
    fold : ndarray of int, shape (division, subject)
        Folds.
    weights : ndarray, shape (resample, subject)
        From `draw_weights`.

    Returns
    -------
    Measured
        0.5 for chance.
    """
    mean = right.mean(axis=0)
    parts = []
    for group in (event, ~event):
        size = weights[:, group].sum(axis=1)
        total = weights[:, group] @ mean[group]
        parts.append(np.divide(total, size, out=np.full(len(size), np.nan), where=size > 0))
    value = 0.5 * (mean[event].mean() + mean[~event].mean())
    return Measured(float(value), 0.5 * (parts[0] + parts[1]), _fold_means(right, fold))


def measure_r2(losses: Array, of_mean: Array, fold: IntArray, weights: Array) -> Measured:
    """Share of the squared error that predictions remove from that of the training mean.

    Parameters
    ----------
    losses, of_mean : ndarray, shape (division, subject)
        Squared errors of the predictions, and of the mean of the training patients.
    fold : ndarray of int, shape (division, subject)
        Folds.
    weights : ndarray, shape (resample, subject)
        From `draw_weights`.

    Returns
    -------
    Measured
        Below 0 where the predictions are worse than the mean.
    """
    mean, base = losses.mean(axis=0), of_mean.mean(axis=0)
    by_fold = _fold_means(of_mean - losses, fold) / base.mean()
    return Measured(
        float(1 - mean.sum() / base.sum()), 1 - (weights @ mean) / (weights @ base), by_fold
    )
