"""Scores of the factor model, fitted to the scans of the training patients of each fold."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from bayes_mdd.baselines.cases import Cases
from bayes_mdd.dims import FACTOR, FACTOR_2, SUBJECT
from bayes_mdd.response.benefit import draw_benefit
from bayes_mdd.response.mixture import Scales, fit_mixture
from bayes_mdd.response.prepare import prepare
from bayes_mdd.response.scores import MEAN, RELIABILITY
from bayes_mdd.response.trial import Trial
from bayes_mdd.types import Array, BoolArray, IntArray

#: Draws of the benefit of each held-out patient.
DRAWS = 400


@dataclass(frozen=True, eq=False)
class FactorScores:
    """Scores of the patients of one fold, blind to arms and outcomes.

    Parameters
    ----------
    mean : tuple of ndarray
        Posterior means (patient, factor) of training and test patients.
    trial : Trial
        All patients with these scores.
    scales : Scales
        Prior scales.
    """

    mean: tuple[Array, Array]
    trial: Trial
    scales: Scales

    def predict_benefit(
        self,
        train: IntArray,
        test: IntArray,
        other: BoolArray,
        outcome: Array,
        rng: np.random.Generator,
    ) -> tuple[Array, Array]:
        """Learn moderation from the training patients, and predict benefits.

        Parameters
        ----------
        train, test : ndarray of int
            Positions of patients.
        other : ndarray of bool, shape (subject,)
            Who received the other drug.
        outcome : ndarray, shape (subject,)
            Outcomes, lower is better.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        benefit, p_benefit : ndarray, shape (test patient,)
            Expected benefit of the other drug, and the probability that it is above 0.
        """
        level = outcome[train].mean()
        trial = replace(self.trial, other=other, outcome=outcome - level)
        drawn = fit_mixture(trial.take(train), self.scales).draw(rng, DRAWS)
        held = trial.take(test)
        benefit = draw_benefit(drawn.drug, drawn.moderation, held.mean, held.covariance, rng)
        return benefit.mean(axis=0), (benefit > 0).mean(axis=0)


def score_fold(cases: Cases, train: IntArray, test: IntArray, seed: int) -> FactorScores:
    """Fit the factor model to training patients, and project the test patients.

    Parameters
    ----------
    cases : Cases
        Patients and controls.
    train, test : ndarray of int
        Positions of patients.
    seed : int
        Of the fit.

    Returns
    -------
    FactorScores
        Scores of both groups.
    """
    ids = np.array(cases.prepared.subjects)
    stage = replace(cases.stage_one, seed=seed)
    found = stage([(ids[train].tolist(), ids[test].tolist())])[0]
    known = set(found.test[FACTOR].values.tolist())
    both = [f for f in found.train[FACTOR].values.tolist() if f in known]
    parts = [m.sel({FACTOR: both, FACTOR_2: both}) for m in (found.train, found.test)]
    moments = xr.concat([m.drop_vars(RELIABILITY) for m in parts], dim=SUBJECT)
    moments = moments.assign_attrs(found.train.attrs).sel({SUBJECT: ids})
    prepared = prepare(cases.prepared.spec, moments, cases.table)
    mean = moments[MEAN].transpose(SUBJECT, FACTOR).values
    return FactorScores((mean[train], mean[test]), prepared.trial, prepared.scales)
