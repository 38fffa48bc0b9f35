"""Who teaches a rule and who is held out, with the scores and weights of each such split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import xarray as xr

from bayes_mdd.dims import FACTOR, FACTOR_2, SUBJECT
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.response.scores import COVARIANCE, MEAN
from bayes_mdd.response.trial import Trial
from bayes_mdd.response.weights import Weights, find_weights
from bayes_mdd.types import Array, BoolArray, IntArray

#: Names of the people to learn from, and of those to predict.
type Names = tuple[Sequence[str], Sequence[str]]


@dataclass(frozen=True, eq=False)
class FoldScores:
    """Moments of scores from a fit that did not see the held-out people.

    Parameters
    ----------
    train : Dataset
        Of the people of the fit, as from `score_moments`.
    test : Dataset
        Of the held-out people, projected on this fit.
    """

    train: xr.Dataset
    test: xr.Dataset


class ScoreSource(Protocol):
    """Fits the scans of some people, and projects others."""

    def __call__(self, pairs: Sequence[Names]) -> Sequence[FoldScores]:
        """Score each pair of people to learn from and people to predict."""
        ...


@dataclass(frozen=True, eq=False)
class Roster:
    """Everyone whom a rule is evaluated on.

    Parameters
    ----------
    subjects : tuple of str
        Their ids.
    trial : Trial
        Outcomes as they were measured (lower is better, not centred), NaN where missing.
    stratum : ndarray of int, shape (subject,)
        Strata within which the trial randomised.
    propensity : ndarray of shape (subject,), optional
        Known probability of the other drug; None where it has to be estimated.
    """

    subjects: tuple[str, ...]
    trial: Trial
    stratum: IntArray
    propensity: Array | None

    @property
    def observed(self) -> BoolArray:
        """Whether the outcome is known, shape (subject,)."""
        return np.isfinite(self.trial.outcome)

    def take(self, rows: BoolArray) -> Roster:
        """Select people.

        Parameters
        ----------
        rows : ndarray of bool, shape (subject,)
            Whom to keep.

        Returns
        -------
        Roster
            These people.
        """
        at = np.flatnonzero(rows)
        return Roster(
            subjects=tuple(self.subjects[i] for i in at),
            trial=self.trial.take(at),
            stratum=self.stratum[at],
            propensity=None if self.propensity is None else self.propensity[at],
        )


@dataclass(frozen=True, eq=False)
class Division:
    """People to learn from and people to predict, again and again.

    Parameters
    ----------
    roster : Roster
        Everyone.
    fold : ndarray of int, shape (subject,)
        Fold of each person, from 0.
    sequential : bool, default False
        Whether only earlier folds teach.
    """

    roster: Roster
    fold: IntArray
    sequential: bool = False

    @property
    def masks(self) -> list[tuple[BoolArray, BoolArray]]:
        """Masks of the people to learn from and of those to predict, one pair for each split."""
        folds = int(self.fold.max()) + 1
        if self.sequential:
            # The first folds teach only: a rule of few people is no rule.
            return [(self.fold < j, self.fold == j) for j in range(max(1, folds // 3), folds)]
        return [(self.fold != j, self.fold == j) for j in range(folds)]

    @property
    def names(self) -> list[Names]:
        """Names of the people of each split."""
        ids = np.array(self.roster.subjects, dtype=object)
        return [(ids[train].tolist(), ids[test].tolist()) for train, test in self.masks]


@dataclass(frozen=True, eq=False)
class Split:
    """One set of people to learn from, and one to predict.

    Parameters
    ----------
    trial : Trial
        Everyone of the roster, with the scores of this split.
    train, test : ndarray of bool, shape (subject,)
        Whom to learn from, and whom to predict.
    weights : Weights
        Probabilities of the other drug and of a known outcome.
    """

    trial: Trial
    train: BoolArray
    test: BoolArray
    weights: Weights


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


def make_splits(
    divisions: Sequence[Division], source: ScoreSource | None = None
) -> list[list[Split]]:
    """Score and weight the splits of all divisions.

    Parameters
    ----------
    divisions : sequence of Division
        Who is held out.
    source : ScoreSource, optional
        Fits the scans of the people to learn from. Default: the scores of the roster, which serve
        all splits.

    Returns
    -------
    list of list of Split
        One list for each division.
    """
    # All fits are asked for at once, so that they can run in parallel.
    fitted = iter(source([pair for d in divisions for pair in d.names]) if source else ())
    found = []
    for division in divisions:
        splits, roster = [], division.roster
        for train, test in division.masks:
            trial = roster.trial
            if source is not None:
                trial = _with_scores(roster, train, test, next(fitted))
            weights = find_weights(trial, train, roster.propensity)
            splits.append(Split(trial=trial, train=train, test=test, weights=weights))
        found.append(splits)
    return found


def _with_scores(roster: Roster, train: BoolArray, test: BoolArray, scores: FoldScores) -> Trial:
    """Replace the scores of a roster by those of a split, in the unit of the patients who teach."""
    of_test = scores.test[FACTOR].values.astype(str)
    factors = [f for f in scores.train[FACTOR].values.astype(str) if f in of_test]
    n, k = len(roster.subjects), len(factors)
    mean, covariance = np.zeros((n, k)), np.zeros((n, k, k))
    names = np.array(roster.subjects, dtype=object)
    for rows, given in ((train, scores.train), (test, scores.test)):
        known = set(given[SUBJECT].values.astype(str))
        if lacking := [s for s in names[rows] if s not in known]:
            raise DataContractError(
                "features", [f"{some(lacking)} have outcomes, but no features to be scored by."]
            )
        own = given.sel({SUBJECT: names[rows], FACTOR: factors, FACTOR_2: factors})
        mean[rows] = own[MEAN].transpose(SUBJECT, FACTOR).values
        covariance[rows] = own[COVARIANCE].transpose(SUBJECT, FACTOR, FACTOR_2).values
    centre = mean[train].mean(axis=0)
    within = np.diagonal(covariance[train], axis1=1, axis2=2).mean(axis=0)
    scale = np.sqrt(mean[train].var(axis=0, ddof=1) + within)
    mean[train | test] -= centre
    return replace(
        roster.trial, mean=mean / scale, covariance=covariance / (scale[:, None] * scale)
    )
