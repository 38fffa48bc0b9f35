"""Scores of the factor model, fitted to the scans of the training patients of each fold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.baselines.cases import Cases
from bayes_mdd.dims import FACTOR, FACTOR_2, SUBJECT
from bayes_mdd.features import reference_to_controls, reference_to_training
from bayes_mdd.response.benefit import draw_benefit
from bayes_mdd.response.mixture import Scales, fit_mixture
from bayes_mdd.response.prepare import prepare
from bayes_mdd.response.scores import score_moments
from bayes_mdd.response.trial import Trial
from bayes_mdd.shared_specific.new_subjects.projection import project
from bayes_mdd.specs import SamplerSpec
from bayes_mdd.types import Array, BoolArray, IntArray
from bayes_mdd.workflow.fit import fit

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
    names = cases.features[SUBJECT].values.astype(str)
    held = np.isin(names, ids[test])
    known = np.isin(names, ids)
    learned = cases.features.isel({SUBJECT: np.flatnonzero(~known | np.isin(names, ids[train]))})
    new = cases.features.isel({SUBJECT: np.flatnonzero(held)})
    reference = cases.stage_one.reference
    if cases.referenced:
        group = "controls" if len(cases.controls) else "patients"
        covariates = reference.covariates
        new = reference_to_training(new, learned, covariates, group=group)
        learned = reference_to_controls(learned, covariates, group=group)
    run = fit(
        cases.stage_one.model,
        learned,
        sampler=SamplerSpec(seed=seed),
        method="fast",
        progressbar=False,
    )
    fitted = score_moments(run)
    projected = score_moments(project(run, new, new_levels="average", seed=seed))
    both = [f for f in fitted[FACTOR].values if f in projected[FACTOR].values]
    moments = xr.concat(
        [m.sel({FACTOR: both, FACTOR_2: both}).drop_vars("reliability") for m in (fitted, projected)],
        dim=SUBJECT,
    ).assign_attrs(fitted.attrs)
    moments = moments.sel({SUBJECT: ids})
    prepared = prepare(cases.prepared.spec, moments, cases.table)
    means = moments["mean"].transpose(SUBJECT, FACTOR).values
    index = pd.Index(prepared.subjects)
    order = index.get_indexer(pd.Index(ids))
    return FactorScores(
        (means[train], means[test]), cast("Trial", prepared.trial.take(order)), prepared.scales
    )
