"""One fold of a cross-validation: fit the training subjects, score the held-out ones."""

from __future__ import annotations

from dataclasses import dataclass

import arviz as az
import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import logsumexp

from bayes_mdd.dims import ARM, CHAIN, DRAW, SUBJECT
from bayes_mdd.shared_specific.new_subjects.projection import KNOWN_ARM, project
from bayes_mdd.shared_specific.new_subjects.read_fitted import read_fitted
from bayes_mdd.shared_specific.new_subjects.symptoms import (
    log_density_without_link,
    read_symptom_link,
)
from bayes_mdd.specs import SamplerSpec, SharedSpecificSpec
from bayes_mdd.types import Array
from bayes_mdd.workflow.fit import fit


@dataclass(frozen=True, eq=False)
class Scored:
    """Densities of the subjects of one fold under one model.

    Parameters
    ----------
    subjects : tuple of str
        The held-out subjects.
    elpd : ndarray, shape (subject,)
        Log density of their features.
    mcse : ndarray, shape (subject,)
        Its simulation error.
    symptoms : ndarray, shape (subject, symptom)
        Log density of their ratings given their features; NaN where not rated.
    rhat : float
        Largest R-hat of the invariants of the fit.
    divergences : int
        Of the fit.
    """

    subjects: tuple[str, ...]
    elpd: Array
    mcse: Array
    symptoms: Array
    rhat: float
    divergences: int


def score_fold(
    spec: SharedSpecificSpec,
    training: xr.Dataset,
    test: xr.Dataset,
    symptoms: pd.DataFrame | None,
    linked: tuple[str, ...],
    sampler: SamplerSpec,
    max_draws: int,
) -> Scored:
    """Fit the training subjects and score the held-out ones.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model.
    training, test : Dataset
        FeatureSets of the fitted and of the held-out subjects.
    symptoms : DataFrame or None
        Ratings of both.
    linked : tuple of str
        Symptoms that some model of the comparison links.
    sampler : SamplerSpec
        How the posterior is sampled.
    max_draws : int
        Draws to average over.

    Returns
    -------
    Scored
        One value per subject.
    """
    idata = fit(spec, training, symptoms=symptoms, sampler=sampler, progressbar=False)
    found = project(idata, test, training=training, max_draws=max_draws)
    own = found.sel({ARM: found[KNOWN_ARM]}).stack(sample=(CHAIN, DRAW))
    log_density = own["log_density"].transpose(SUBJECT, "sample").values
    n = log_density.shape[1]
    weight = np.exp(log_density - log_density.max(axis=1, keepdims=True))
    return Scored(
        subjects=tuple(str(s) for s in found[SUBJECT].values),
        elpd=logsumexp(log_density, axis=1) - np.log(n),
        # Standard error of the log of a mean of n weights.
        mcse=weight.std(axis=1) / weight.mean(axis=1) / np.sqrt(n),
        symptoms=_score_symptoms(idata, training, found, symptoms, linked, max_draws),
        rhat=_worst_rhat(idata),
        divergences=int(idata["sample_stats"]["diverging"].sum()),
    )


def _score_symptoms(
    idata: xr.DataTree,
    training: xr.Dataset,
    found: xr.Dataset,
    symptoms: pd.DataFrame | None,
    linked: tuple[str, ...],
    max_draws: int,
) -> Array:
    """Log density of each subject's ratings, shape (subject, symptom); NaN where not rated."""
    subjects = found[SUBJECT].values.astype(str)
    out = np.full((len(subjects), len(linked)), np.nan)
    if symptoms is None or not linked:
        return out
    fitted = read_fitted(idata, training, max_draws=max_draws)
    link = read_symptom_link(idata, fitted, symptoms) if fitted.spec.symptoms else None
    rating = symptoms.reindex(subjects)
    design = found["design"].values
    arms = [fitted.arms.index(str(a)) for a in found[KNOWN_ARM].values]
    scores = found["scores"].stack(sample=(CHAIN, DRAW))
    for d, name in enumerate(linked):
        ratings = rating[name].to_numpy(dtype=float)
        if link is not None and name in link.names:
            at = link.names.index(name)
            for i, arm in enumerate(arms):
                own = scores.isel({SUBJECT: i, ARM: arm}).transpose("sample", ...).values
                every = np.full(len(link.names), ratings[i])
                out[i, d] = link.log_density(design[i], own, arm, every)[at]
        else:
            known = symptoms[name].reindex(list(fitted.subjects)).to_numpy(dtype=float)
            for i in range(len(subjects)):
                out[i, d] = log_density_without_link(
                    ratings[i],
                    design[i],
                    known,
                    fitted.design.to_numpy(),
                    noise_scale=fitted.spec.symptom_scale,
                )
    return out


def _worst_rhat(idata: xr.DataTree) -> float:
    invariants = idata["invariants"].to_dataset()
    if invariants.sizes[CHAIN] < 2 or invariants.sizes[DRAW] < 4:
        return float("nan")
    # Of quantities that do not vary R-hat is 0 / 0, which `max` leaves out.
    with np.errstate(invalid="ignore"):
        found = az.rhat(invariants)
    return max(float(v.max()) for v in found.data_vars.values())
