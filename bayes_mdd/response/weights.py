"""Probabilities by which outcomes are weighted: of the drug received, and of a known outcome."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression

from bayes_mdd.response.trial import Trial
from bayes_mdd.types import Array, BoolArray

#: Estimated probabilities are kept within these limits, so that nobody counts more than 20 times.
LOWEST, HIGHEST = 0.05, 0.95


@dataclass(frozen=True, eq=False)
class Weights:
    """Probabilities of everyone in a split.

    Parameters
    ----------
    propensity : ndarray, shape (subject,)
        Probability of the other drug.
    observation : ndarray, shape (subject,)
        Probability that the outcome is known, given the drug received.
    estimated : bool
        Whether `propensity` is estimated rather than known.
    """

    propensity: Array
    observation: Array
    estimated: bool

    @property
    def clipped(self) -> BoolArray:
        """Whose estimated probability of a drug lies at a limit, shape (subject,)."""
        at_limit = (self.propensity <= LOWEST) | (self.propensity >= HIGHEST)
        return np.asarray(at_limit & self.estimated)

    @property
    def seldom_observed(self) -> BoolArray:
        """Whose probability of a known outcome lies at the limit, shape (subject,)."""
        return np.asarray(self.observation <= LOWEST)


def find_weights(trial: Trial, train: BoolArray, propensity: Array | None) -> Weights:
    """Find the probabilities of a split, estimated from the patients who teach.

    Parameters
    ----------
    trial : Trial
        Everyone; outcomes are NaN where missing.
    train : ndarray of bool, shape (subject,)
        Whom to learn from.
    propensity : ndarray of shape (subject,), optional
        Known probability of the other drug. Default: estimated from design and scores.

    Returns
    -------
    Weights
        Of everyone. Whether an outcome is known is predicted from arm, design and scores.
    """
    columns = np.column_stack([trial.design[:, 1:], trial.mean])
    known = propensity
    if known is None:
        known = np.clip(estimate_probability(columns, trial.other, train), LOWEST, HIGHEST)
    observed = np.isfinite(trial.outcome)
    observation = np.ones(observed.size)
    if not observed.all():
        with_arm = np.column_stack([columns, trial.code])
        observation = np.maximum(estimate_probability(with_arm, observed, train), LOWEST)
    return Weights(known, observation, estimated=propensity is None)


def estimate_probability(columns: Array, happened: BoolArray, train: BoolArray) -> Array:
    """Estimate the probability of an event by logistic regression with a ridge penalty.

    Parameters
    ----------
    columns : ndarray, shape (subject, column)
        Predictors of everyone.
    happened : ndarray of bool, shape (subject,)
        Whether the event happened.
    train : ndarray of bool, shape (subject,)
        Whom to learn from.

    Returns
    -------
    ndarray, shape (subject,)
        Probability of the event for everyone.

    Examples
    --------
    >>> everyone = np.ones(4, dtype=bool)
    >>> happened = np.array([True, False, False, False])
    >>> estimate_probability(np.zeros((4, 1)), happened, everyone).round(2)
    array([0.25, 0.25, 0.25, 0.25])
    """
    share = float(happened[train].mean())
    if share in (0.0, 1.0) or not columns.shape[1]:
        return np.full(happened.size, share)
    centre, sd = columns[train].mean(axis=0), columns[train].std(axis=0)
    standard = (columns - centre) / np.where(sd > 0, sd, 1.0)
    model = LogisticRegression(C=1.0, max_iter=1000).fit(standard[train], happened[train])
    return np.asarray(model.predict_proba(standard)[:, 1])
