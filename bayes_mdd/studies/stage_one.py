"""The factors of the scans, fitted again without the people of each fold."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import SUBJECT
from bayes_mdd.errors import SpecError
from bayes_mdd.features.adjust.reference import reference_to_controls
from bayes_mdd.features.adjust.reference_training import reference_to_training
from bayes_mdd.features.blind import hide_arms
from bayes_mdd.features.roles import mark_fitted
from bayes_mdd.parallel.fan_out import count_workers, fan_out
from bayes_mdd.parallel.keep import part_files
from bayes_mdd.response.mixture import MOST_FACTORS
from bayes_mdd.response.scores import build_moments, score_moments
from bayes_mdd.response.splits import FoldScores, Names
from bayes_mdd.shared_specific.new_subjects.projection import project
from bayes_mdd.specs import (
    AnalysisSpec,
    ReferenceSpec,
    SamplerSpec,
    SharedSpecificSpec,
    kind_of,
)
from bayes_mdd.workflow.families import family_of
from bayes_mdd.workflow.fit import fit

log = logging.getLogger("bayes_mdd.policy")

#: Draws of the posterior that held-out people are projected with.
MAX_DRAWS = 300


@dataclass(frozen=True, eq=False, kw_only=True)
class StageOne:
    """Fits factors to the scans of some people, and projects others, with the arms hidden.

    What `evaluate_policy` and `analyse_response` need to fit the factors again in each fold. Of the
    patients who are scored, those who are not to be predicted teach the factors, together with
    healthy controls and patients without an arm; those who are to be predicted do not. Where a
    training set has few patients, as many factors are offered as it supports, and covariates that
    do not vary in it are left out.

    Parameters
    ----------
    features : Dataset
        A FeatureSet. With `factors` an `AnalysisSpec`, as measured: features are standardised in
        each fold, relative to the controls or the patients of its training set. With a
        `SharedSpecificSpec`, standardised already.
    factors : SharedSpecificSpec or AnalysisSpec
        The factor model.
    symptoms : DataFrame, optional
        Symptoms before treatment, where the model links them.
    seed : int, default 1
        Of the fits.
    n_jobs : int, optional
        Fits at once, through joblib; default one, or what ``joblib.parallel_config`` says.
    tell : callable, optional
        Is called with a sentence about the expected time after the first fit. Default: the log.
    keep : Path, optional
        Folder of `bayes_mdd.parallel.keep.keep_results` in which finished fits are kept.

    Raises
    ------
    SpecError
        If the model cannot be fitted with the arms hidden, or offers too many factors.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> trial = bm.simulate_trial(seed=1, n=40, features=True, n_regions=14)
    >>> given = bm.reference_to_controls(trial.features, group="patients")
    >>> again = StageOne(features=given, factors=bm.SharedSpecificSpec(n_factors=2))
    >>> again.features["arm"].values[0]
    'all'
    """

    features: xr.Dataset
    factors: SharedSpecificSpec | AnalysisSpec
    symptoms: pd.DataFrame | None = None
    seed: int = 1
    n_jobs: int | None = None
    tell: Callable[[str], object] = log.info
    keep: Path | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "features", hide_arms(self.features))
        # Nothing else is accepted, whatever its type says.
        model: Any = self.model
        problems = []
        if not isinstance(model, SharedSpecificSpec):
            problems.append("the factors must be those of a shared_specific model.")
        else:
            try:
                family_of(kind_of(model)).check_method(model, "fast")
            except SpecError as error:
                problems.append(f"the fits within folds take the fast method: {error}")
            if model.controls == "arm":
                problems.append("controls must be 'reference', because arms are hidden.")
            if model.sharing is not None:
                problems.append("sharing names arms, but arms are hidden.")
            if model.n_factors > MOST_FACTORS:
                problems.append(
                    f"n_factors must be at most {MOST_FACTORS}, got {model.n_factors}: rules are "
                    "learned from few factors."
                )
        if problems:
            raise SpecError("factors: " + " ".join(problems))

    @property
    def model(self) -> SharedSpecificSpec:
        """The factor model alone."""
        given = self.factors
        return given.model if isinstance(given, AnalysisSpec) else given

    @property
    def reference(self) -> ReferenceSpec | None:
        """How features are standardised in each fold; None where they are standardised already."""
        return self.factors.reference if isinstance(self.factors, AnalysisSpec) else None

    def __call__(self, pairs: Sequence[Names]) -> list[FoldScores]:
        """Fit and project for each pair of people to learn from and people to predict.

        Parameters
        ----------
        pairs : sequence of (sequence of str, sequence of str)
            Ids of the people of each fit.

        Returns
        -------
        list of FoldScores
            In the order of the pairs.
        """
        # Everyone who is not scored in any pair teaches: controls, patients without an arm.
        scored = {name for pair in pairs for part in pair for name in part}
        tasks = [(self, frozenset(scored - set(train)), tuple(test)) for train, test in pairs]
        names = [_name(out, test) for _, out, test in tasks]
        began = time.perf_counter()
        found = fan_out(_fit_and_project, tasks[:1], files=part_files(self.keep, names[:1]))
        seconds = time.perf_counter() - began
        left = len(tasks) - 1
        if left > 0:
            minutes = seconds * left / count_workers(self.n_jobs) / 60
            self.tell(
                f"The factors are fitted again {len(tasks)} times without a part of the patients: "
                f"about {minutes:.1f} min (the first took {seconds:.0f} s)"
            )
        files = part_files(self.keep, names[1:])
        return found + fan_out(_fit_and_project, tasks[1:], n_jobs=self.n_jobs, files=files)


def _name(out: frozenset[str], test: tuple[str, ...]) -> str:
    """Name a task by its participants, without showing them."""
    return hashlib.sha256(repr((sorted(out), test)).encode()).hexdigest()[:16]


def _fit_and_project(stage: StageOne, out: frozenset[str], test: tuple[str, ...]) -> FoldScores:
    """Fit everyone but some people, and project those to be predicted."""
    features = stage.features
    names = features[SUBJECT].values.astype(str)
    training = features.isel({SUBJECT: np.flatnonzero(~np.isin(names, list(out)))})
    new = features.isel({SUBJECT: np.flatnonzero(np.isin(names, list(test)))})
    if stage.reference is not None:
        covariates, group = stage.reference.covariates, stage.reference.group
        new = reference_to_training(new, training, covariates, group=group)
        training = reference_to_controls(training, covariates, group=group)
    model = _supported(stage.model, training)
    if model is None:
        return FoldScores(_no_scores(_fitted_patients(training)), _no_scores(test))
    sampler = SamplerSpec(seed=stage.seed, cores=1)
    idata = fit(
        model,
        training,
        symptoms=stage.symptoms,
        sampler=sampler,
        method="fast",
        progressbar=False,
    )
    known = score_moments(idata)
    if not known.sizes["factor"]:
        # No factor was found, so that held-out people have no scores either.
        return FoldScores(known, _no_scores(test))
    found = project(
        idata, new, training=training, new_levels="average", max_draws=MAX_DRAWS, seed=stage.seed
    )
    return FoldScores(known, score_moments(found))


def _fitted_patients(features: xr.Dataset) -> tuple[str, ...]:
    """Ids of the participants whose features are fitted: those with an arm."""
    fitted = mark_fitted(features)[0]
    return tuple(features[SUBJECT].values[fitted].astype(str))


def _supported(model: SharedSpecificSpec, training: xr.Dataset) -> SharedSpecificSpec | None:
    """As much of the model as the patients of a training set support; None for no factor."""
    fitted = training.isel({SUBJECT: np.flatnonzero(mark_fitted(training)[0])})
    varying = {
        name: levels - 1
        for name in model.covariates
        if (levels := len(set(fitted[name].values.tolist()))) > 1
    }
    columns = [1 if np.issubdtype(fitted[c].dtype, np.number) else n for c, n in varying.items()]
    free = fitted.sizes[SUBJECT] - 1 - sum(columns) - 1
    if free < 1:
        return None
    return replace(model, covariates=tuple(varying), n_factors=min(model.n_factors, free))


def _no_scores(names: Sequence[str]) -> xr.Dataset:
    """Moments of people where there is no factor."""
    n, ids = len(names), np.array(names, dtype=object)
    return build_moments(np.zeros((n, 0)), np.zeros((n, 0, 0)), ids, ids[:0], {})
