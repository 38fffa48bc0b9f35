"""Projection: scores of subjects who were not in the fit, and the symptoms that they predict."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayes_mdd.dims import ARM, CHAIN, CONTROL, COVARIATE, DRAW, FACTOR, MISSING, SUBJECT, SYMPTOM
from bayes_mdd.errors import SpecError, some
from bayes_mdd.features.order import natural_order
from bayes_mdd.parallel.blas import one_blas_thread
from bayes_mdd.results.result import NOT_STATED, Result, read_with_participants
from bayes_mdd.shared_specific.new_subjects.covariates import NewLevels
from bayes_mdd.shared_specific.new_subjects.eligibility import (
    check_subjects,
    read_arms,
    select_subjects,
)
from bayes_mdd.shared_specific.new_subjects.fitted import Fitted
from bayes_mdd.shared_specific.new_subjects.read_fitted import MAX_DRAWS, read_fitted, symptom_names
from bayes_mdd.shared_specific.new_subjects.subject_statistics import (
    NewSubjects,
    draw_scores,
    summarise_features,
)
from bayes_mdd.shared_specific.new_subjects.symptoms import SymptomLink, read_symptom_link
from bayes_mdd.shared_specific.schema import SCORE_UNIT, SCORES
from bayes_mdd.streams import Stream, generator
from bayes_mdd.types import Array

#: Coordinate with the arm that a subject is known to be in.
KNOWN_ARM = "known_arm"
#: Predicted ratings.
PREDICTED_SYMPTOM = "predicted_symptom"


@one_blas_thread()
def project(
    idata: xr.DataTree,
    new_features: xr.Dataset,
    *,
    arms: Sequence[str] | None = None,
    new_levels: NewLevels = "refuse",
    other_reference: bool = False,
    include_fitted: bool = False,
    training: xr.Dataset | None = None,
    symptoms: pd.DataFrame | None = None,
    max_draws: int = MAX_DRAWS,
    candidates: int = 8,
    seed: int = 1,
) -> xr.Dataset:
    """Draw the factor scores of subjects who were not in the fit.

    Each draw of the posterior gives one draw of a subject's scores. Loadings and covariate
    effects are integrated out, so that the uncertainty of the loadings widens the scores' spread
    and does not shrink them. Subjects with a known arm are projected under that arm. Subjects
    without one are projected under each arm that they may be assigned to, which does not predict
    how they will respond.

    Parameters
    ----------
    idata : DataTree
        From `fit`.
    new_features : Dataset
        FeatureSet with the features of the fit (by name, in any order), in its units and
        standardised relative to its reference. Healthy controls are left out, unless they are an
        arm of the fit.
    arms : sequence of str, optional
        Arms under which subjects without a known arm are projected; default all treatments of the
        fit.
    new_levels : {"refuse", "average"}, default "refuse"
        How to treat a subject from a site (or another text covariate) that was not in the fit:
        an error, or the average of the known sites with the variance between them, estimated for
        each block, as further noise.
    other_reference : bool, default False
        Accept features with another ``reference``, e.g. z against controls of the new site.
    include_fitted : bool, default False
        Also project subjects with the name of a fitted one, e.g. their follow-up session. They
        are treated as new subjects: their contribution to the fit is not subtracted.
    training : Dataset, optional
        FeatureSet of the fit; needed where the run does not hold it.
    symptoms : DataFrame, optional
        Symptoms of the fit, indexed by participant; needed for predicted symptoms where the run
        does not hold them.
    max_draws : int, default 1000
        Draws of the posterior to use at most, evenly spaced within chains.
    candidates : int, default 8
        Proposals for each draw, of which one is picked by its weight.
    seed : int, default 1
        The same seed gives the same draws.

    Returns
    -------
    Dataset
        ``scores`` (chain, draw, subject, arm, factor), NaN where a subject is known to be in
        another arm; ``log_density`` (chain, draw, subject, arm) of the subject's features;
        ``efficiency`` (subject, arm) of the proposals, 0-1, low where draws are less exact;
        ``design`` (subject, covariate), the covariates as the fit codes them; where the fit links
        symptoms, ``predicted_symptom`` (chain, draw, subject, arm, symptom), draws of a new
        rating in the symptom's unit. Coordinate ``known_arm`` on ``subject``.
        ``attrs["excluded"]`` lists the subjects left out, with the reason.

    Raises
    ------
    DataContractError
        If features, subjects or covariates do not match the run: all problems in one error.
    SpecError
        If an option is out of its range.

    Notes
    -----
    The posterior of the fit is updated by the new subject only in loadings and covariate effects:
    scores of the fitted subjects, sharing, block scales and noise stay as drawn. Loadings are
    those of the model that was sampled, Gaussian within a block; edge sparsity is a second stage
    of the maps. With ``feature_noise="student"`` the noise of each feature is taken as known, at
    its expected precision: for 1000 features and 60 fitted subjects ``log_density`` is about half
    a nat too low.

    References
    ----------
    .. [1] Aguilar, O. & West, M. (2000). Bayesian dynamic factor models and portfolio allocation.
       Journal of Business & Economic Statistics, 18, 338-357.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> idata = bm.read_run("runs/demo")  # doctest: +SKIP
    >>> found = bm.project(idata, new_features)  # doctest: +SKIP
    >>> found["scores"].mean(("chain", "draw")).sel(arm="SSRI")  # doctest: +SKIP
    """
    if new_levels not in ("refuse", "average"):
        raise SpecError(f"new_levels must be 'refuse' or 'average', got {new_levels!r}.")
    for name, value in {"max_draws": max_draws, "candidates": candidates}.items():
        if value < 1:
            raise SpecError(f"{name} must be at least 1, got {value}.")
    result = read_with_participants(idata, "projection")
    fitted = read_fitted(result, training, max_draws=max_draws)
    selected, excluded = select_subjects(new_features, fitted, include_fitted=include_fitted)
    # Draws go subject by subject: they must not depend on the order of the table.
    order = natural_order(selected[SUBJECT].values)
    selected = selected.isel({SUBJECT: order})
    new = check_subjects(fitted, selected, result, new_levels, other_reference=other_reference)
    known, possible = _choose_arms(fitted, selected, arms)
    link = read_symptom_link(result, fitted, symptoms) if symptom_names(result) else None
    rng = generator(seed, Stream.PROJECTION)
    draws = _draw(fitted, new, known, possible, link, rng, candidates)
    found = _build_dataset(fitted, new, known, link, draws)
    return found.isel({SUBJECT: np.argsort(order)}).assign_attrs(
        _describe(result, new, selected),
        excluded=json.dumps(excluded),
        new_levels=new_levels,
        seed=seed,
    )


def _describe(result: Result, new: NewSubjects, selected: xr.Dataset) -> dict[str, str]:
    """Attributes of a projection that follow from the fit and the new subjects."""
    of_new_levels = {
        name: [new.names[i] for i in np.flatnonzero(is_new)]
        for name, is_new in new.new_level.items()
        if is_new.any()
    }
    return {
        "estimand": "scores of participants who were not in the fit",
        "units": SCORE_UNIT,
        "reference": str(selected.attrs.get("reference", NOT_STATED)),
        "reference_of_fit": result.reference,
        "people_of_new_levels": json.dumps(of_new_levels),
        "fingerprint": str(result.provenance.get("fingerprint", "unknown")),
    }


def _choose_arms(
    fitted: Fitted, features: xr.Dataset, arms: Sequence[str] | None
) -> tuple[NDArray[np.str_], list[str]]:
    """Known arm of each subject, and the arms under which subjects without one are projected."""
    if isinstance(arms, str):
        raise SpecError(f"arms must be a list of names, got the text {arms!r}.")
    # Nobody can be assigned to the controls, where these are an arm of the fit.
    treatments = [a for a in fitted.arms if a != CONTROL]
    possible = treatments if arms is None else [str(a) for a in arms]
    unknown = [a for a in possible if a not in fitted.arms]
    if unknown or not possible:
        raise SpecError(f"arms must be some of {some(fitted.arms)}, got {some(possible)}.")
    return read_arms(features), possible


@dataclass(frozen=True, eq=False)
class _Draws:
    """Draws of a projection; NaN under arms that a subject is not projected under.

    Parameters
    ----------
    scores : ndarray, shape (T, subject, arm, factor)
        Scores.
    log_density : ndarray, shape (T, subject, arm)
        Log density of the features.
    efficiency : ndarray, shape (subject, arm)
        Effective share of the proposals.
    predicted : ndarray of shape (T, subject, arm, symptom), or None
        Predicted ratings.
    """

    scores: Array
    log_density: Array
    efficiency: Array
    predicted: Array | None


def _draw(
    fitted: Fitted,
    new: NewSubjects,
    known: NDArray[np.str_],
    possible: list[str],
    link: SymptomLink | None,
    rng: np.random.Generator,
    candidates: int,
) -> _Draws:
    """Draw scores and predicted ratings, subject by subject and arm by arm."""
    shape = (len(fitted.draws.noise), len(new.names), len(fitted.arms))
    scores = np.full((*shape, len(fitted.factors)), np.nan)
    log_density = np.full(shape, np.nan)
    efficiency = np.full(shape[1:], np.nan)
    predicted = None if link is None else np.full((*shape, len(link.names)), np.nan)
    unit = np.log(fitted.feature_noise).sum()
    for i, arm in enumerate(known):
        features = summarise_features(fitted, new, i)
        size = new.y.shape[1] * np.log(features.noise_scale)
        for a, name in enumerate(fitted.arms):
            if name not in (possible if arm == MISSING else [arm]):
                continue
            scores[:, i, a], found = draw_scores(fitted, features, a, rng, candidates=candidates)
            log_density[:, i, a] = found.log_density - unit - size
            efficiency[i, a] = found.efficiency
            if link is not None and predicted is not None:
                predicted[:, i, a] = link.draw(new.design[i], scores[:, i, a], a, rng)
    return _Draws(scores, log_density, efficiency, predicted)


def _build_dataset(
    fitted: Fitted,
    new: NewSubjects,
    known: NDArray[np.str_],
    link: SymptomLink | None,
    draws: _Draws,
) -> xr.Dataset:
    """Name the axes of a projection, and arrange its draws by chain."""
    kept = fitted.draws
    dims = (CHAIN, DRAW, SUBJECT, ARM)

    def by_chain(x: Array) -> Array:
        return x.reshape(len(kept.chain), len(kept.draw), *x.shape[1:])

    variables: dict[str, Any] = {
        SCORES: ((*dims, FACTOR), by_chain(draws.scores)),
        "log_density": (dims, by_chain(draws.log_density)),
        "efficiency": ((SUBJECT, ARM), draws.efficiency),
        "design": ((SUBJECT, COVARIATE), new.design),
    }
    coords: dict[str, Any] = {
        CHAIN: kept.chain,
        DRAW: kept.draw,
        SUBJECT: np.array(new.names, dtype=object),
        ARM: np.array(fitted.arms, dtype=object),
        FACTOR: np.array(fitted.factors, dtype=object),
        KNOWN_ARM: (SUBJECT, known.astype(object)),
        COVARIATE: np.array(fitted.design.columns, dtype=object),
    }
    if link is not None and draws.predicted is not None:
        variables[PREDICTED_SYMPTOM] = ((*dims, SYMPTOM), by_chain(draws.predicted))
        coords[SYMPTOM] = np.array(link.names, dtype=object)
    return xr.Dataset(variables, coords=coords)
