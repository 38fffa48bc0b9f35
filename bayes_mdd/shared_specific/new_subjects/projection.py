"""Scores of people who were not in the fit, with draws, and what symptoms they predict."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayes_mdd.dims import ARM, CHAIN, CONTROL, DRAW, FACTOR, MISSING, SUBJECT, SYMPTOM
from bayes_mdd.errors import SpecError, some
from bayes_mdd.shared_specific.new_subjects.covariates import NewLevels
from bayes_mdd.shared_specific.new_subjects.eligibility import (
    check_people,
    choose_people,
    known_arms,
)
from bayes_mdd.shared_specific.new_subjects.fitted import Fitted
from bayes_mdd.shared_specific.new_subjects.read_fitted import MAX_DRAWS, read_fitted, symptom_names
from bayes_mdd.shared_specific.new_subjects.subject_statistics import (
    NewPeople,
    read_person,
    score_person,
)
from bayes_mdd.shared_specific.new_subjects.symptoms import SymptomLink, read_symptom_link

#: Offset that keeps the seed of the projection apart from others of the same number.
PROJECTION_STREAM = 19
#: Name of the coordinate that holds the arm a person is known to be in.
KNOWN_ARM = "known_arm"


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
    """Draw the factor scores of people who were not in the fit.

    Each draw of the posterior gives one draw of a person's scores; loadings and covariate effects
    are integrated out with it, so the error of the loadings neither shrinks the scores nor is
    left out of their spread. People with a known arm are projected under that arm; people without
    one under each arm they may come to be in, which is no prediction of how they will respond.

    Parameters
    ----------
    idata : DataTree
        From `fit`.
    new_features : Dataset
        FeatureSet with the features of the fit (by name, in any order), in its unit and against
        its reference. Healthy controls are left out, unless they are an arm of the fit.
    arms : sequence of str, optional
        Arms under which people without a known arm are projected; default all treatments of the
        fit.
    new_levels : {"refuse", "average"}, default "refuse"
        What becomes of a person from a site (or another text covariate) that the fit did not see:
        an error, or the average of the known sites with the spread between them, estimated for
        each block, as further noise.
    other_reference : bool, default False
        Accept features whose ``reference`` reads differently, e.g. z against controls of the new
        site.
    include_fitted : bool, default False
        Project people of the same name as fitted ones too, e.g. their follow-up session. They
        are treated like strangers: their part in the fit is not subtracted.
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
        ``scores`` (chain, draw, subject, arm, factor), NaN where a person is known to be in
        another arm; ``log_density`` (chain, draw, subject, arm) of the person's features;
        ``efficiency`` (subject, arm) of the proposals, 0-1, low where draws are less exact;
        ``design`` (subject, covariate), the covariates as the fit codes them; where the fit links
        symptoms, ``predicted_symptom`` (chain, draw, subject, arm, symptom), draws of a new
        rating in the symptom's unit. Coordinate ``known_arm`` on ``subject``.
        ``attrs["excluded"]`` lists people left out, with the reason.

    Raises
    ------
    DataContractError
        If features, people or covariates do not fit the run: all problems in one error.
    SpecError
        If an option is out of its range, or the model has no such projection.

    Notes
    -----
    The posterior of the fit is not updated by the new person beyond loadings and covariate
    effects: scores of the fitted people, sharing, block scales and noise stay as drawn. Loadings
    are those of the model that was sampled, Gaussian within a block; edge sparsity is a second
    stage of the maps. With ``feature_noise="student"`` the noise of each feature is taken as known,
    at its expected precision: for 1000 features and 60 fitted people ``log_density`` is about half
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
    fitted = read_fitted(idata, training, max_draws=max_draws)
    chosen, excluded = choose_people(new_features, fitted, include_fitted=include_fitted)
    people = check_people(fitted, chosen, idata, new_levels, other_reference=other_reference)
    known, possible = _arms(fitted, chosen, arms)
    link = None
    if symptom_names(idata):
        link = read_symptom_link(idata, fitted, symptoms)
    rng = np.random.default_rng([seed, PROJECTION_STREAM])
    found = _draw_all(fitted, people, known, possible, link, rng, candidates)
    return found.assign_attrs(
        estimand="scores of people who were not in the fit",
        units="SD of the scores of an average arm",
        excluded=json.dumps(excluded),
        reference=str(chosen.attrs.get("reference", "not stated")),
        reference_of_fit=str(idata.attrs.get("reference", "not stated")),
        new_levels=new_levels,
        people_of_new_levels=json.dumps(
            {name: [people.names[i] for i in np.flatnonzero(u)] for name, u in _unseen(people)}
        ),
        fingerprint=_fingerprint(idata),
        seed=seed,
    )


def _unseen(people: NewPeople) -> list[tuple[str, NDArray[np.bool_]]]:
    return [(name, unseen) for name, unseen in people.new_level.items() if unseen.any()]


def _fingerprint(idata: xr.DataTree) -> str:
    provenance = json.loads(idata.attrs.get("provenance", "{}"))
    return str(provenance.get("fingerprint", "unknown"))


def _arms(
    fitted: Fitted, features: xr.Dataset, arms: Sequence[str] | None
) -> tuple[NDArray[np.str_], list[str]]:
    if isinstance(arms, str):
        raise SpecError(f"arms wants a list of names, got the text {arms!r}.")
    # Where controls are an arm of the fit, nobody waits to become one.
    every = [a for a in fitted.arms if a != CONTROL]
    possible = every if arms is None else [str(a) for a in arms]
    strange = [a for a in possible if a not in fitted.arms]
    if strange or not possible:
        raise SpecError(f"arms must be some of {some(fitted.arms)}, got {some(possible)}.")
    return known_arms(features), possible


def _draw_all(
    fitted: Fitted,
    people: NewPeople,
    known: NDArray[np.str_],
    possible: list[str],
    link: SymptomLink | None,
    rng: np.random.Generator,
    candidates: int,
) -> xr.Dataset:
    draws = fitted.draws
    shape = (len(draws.noise), len(people.names), len(fitted.arms))
    scores = np.full((*shape, len(fitted.factors)), np.nan)
    log_density = np.full(shape, np.nan)
    efficiency = np.full(shape[1:], np.nan)
    predicted = None if link is None else np.full((*shape, len(link.names)), np.nan)
    unit = np.log(fitted.feature_noise).sum()
    for i, arm in enumerate(known):
        person = read_person(fitted, people, i)
        for a, name in enumerate(fitted.arms):
            if name not in (possible if arm == MISSING else [arm]):
                continue
            scores[:, i, a], found = score_person(fitted, person, a, rng, candidates=candidates)
            log_density[:, i, a] = found.log_density - unit
            efficiency[i, a] = found.efficiency
            if link is not None and predicted is not None:
                predicted[:, i, a] = link.draw(people.design[i], scores[:, i, a], a, rng)
    sample = (len(draws.chain), len(draws.draw))
    dims = (CHAIN, DRAW, SUBJECT, ARM)
    variables = {
        "scores": ((*dims, FACTOR), scores.reshape(*sample, *scores.shape[1:])),
        "log_density": (dims, log_density.reshape(*sample, *shape[1:])),
        "efficiency": ((SUBJECT, ARM), efficiency),
        "design": ((SUBJECT, "covariate"), people.design),
    }
    coords = {
        CHAIN: draws.chain,
        DRAW: draws.draw,
        SUBJECT: np.array(people.names, dtype=object),
        ARM: np.array(fitted.arms, dtype=object),
        FACTOR: np.array(fitted.factors, dtype=object),
        KNOWN_ARM: (SUBJECT, known.astype(object)),
        "covariate": np.array(fitted.design.columns, dtype=object),
    }
    if link is not None and predicted is not None:
        variables["predicted_symptom"] = (
            (*dims, SYMPTOM),
            predicted.reshape(*sample, *predicted.shape[1:]),
        )
        coords[SYMPTOM] = np.array(link.names, dtype=object)
    return xr.Dataset(variables, coords=coords)
