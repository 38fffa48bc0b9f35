"""What all methods share: patients, their columns, outcomes and arms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.baselines.methods import Question
from bayes_mdd.response.prepare import Prepared
from bayes_mdd.studies.stage_one import StageOne
from bayes_mdd.types import Array, BoolArray, IntArray


@dataclass(frozen=True, eq=False, kw_only=True)
class Cases:
    """Patients with scan and outcome.

    Parameters
    ----------
    prepared : Prepared
        Outcomes, arms and columns of the patients, without scores.
    edges : ndarray, shape (subject, feature)
        Features of the patients as given.
    controls : ndarray, shape (control, feature)
        Features of the healthy controls; they are in no fold.
    nuisance, nuisance_controls : ndarray, shape (subject, column), (control, column)
        Covariates that the reference removes from features.
    clinical : tuple of str
        Columns of the outcome table that methods may see.
    early : ndarray, shape (subject,), optional
        Change of the rating in the first weeks; NaN where not rated.
    event : ndarray of bool, shape (subject,), optional
        Whether the event occurs.
    event_name : str
        What the event is.
    points : ndarray, shape (subject,), optional
        Outcome, oriented so that lower is better.
    propensity : ndarray, shape (subject,)
        Known probability of the other drug.
    site : ndarray of int, shape (subject,)
        Position of each patient's site.
    sites : tuple of str
        Names of the sites.
    referenced : bool
        Whether the features are still to be standardised.
    stage_one : StageOne
        The factor model of patients and controls, arms hidden.
    harmonise : str
        How sites are removed from the features.
    combat_features : Dataset or None
        FeatureSet with arms, where sites are harmonised by ComBat.
    choice : bool
        Whether the choice of the drug can be evaluated.
    """

    prepared: Prepared
    edges: Array
    controls: Array
    nuisance: Array
    nuisance_controls: Array
    clinical: tuple[str, ...]
    early: Array | None
    event: BoolArray | None
    event_name: str
    points: Array | None
    propensity: Array
    site: IntArray
    sites: tuple[str, ...]
    referenced: bool
    stage_one: StageOne
    harmonise: str
    combat_features: xr.Dataset | None
    choice: bool

    @property
    def n(self) -> int:
        """Number of patients."""
        return len(self.edges)

    @property
    def table(self) -> pd.DataFrame:
        """Rows of the patients."""
        return self.prepared.table

    @property
    def other(self) -> BoolArray:
        """Whether each patient received the other drug."""
        return self.prepared.trial.other

    def target(self, question: Question) -> Array:
        """Values that a question is about.

        Parameters
        ----------
        question : {"event", "points", "choice"}
            The question.

        Returns
        -------
        ndarray, shape (subject,)
            0 or 1 for the event, otherwise points.
        """
        values = self.event if question == "event" else self.points
        return np.asarray(values, dtype=float)
