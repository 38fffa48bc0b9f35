"""Correlation of symptom residuals with factor scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayes_mdd.dims import ARM, CHAIN, DIMENSION, DRAW, FACTOR, SUBJECT, SYMPTOM
from bayes_mdd.shared_specific.data.ratings import Symptom, link_design, read_ratings
from bayes_mdd.shared_specific.new_subjects.fitted import Fitted
from bayes_mdd.types import Array

SYMPTOMS = "symptom residuals with scores"
SYMPTOMS_BY_ARM = "symptom residuals with scores, within arms"
#: Smallest number of rated subjects of an arm for a correlation.
LEAST_RATED = 5


def stored_symptoms(idata: xr.DataTree, fitted: Fitted) -> tuple[Symptom, ...]:
    """Read the Gaussian symptom dimensions of a run as the fit saw them.

    Parameters
    ----------
    idata : DataTree
        From `fit`.
    fitted : Fitted
        The same, as arrays.

    Returns
    -------
    tuple of Symptom
        Empty where there are none, or the run does not contain them.
    """
    observed = idata["observed_data"].to_dataset()
    if not fitted.spec.symptoms or "symptoms" not in observed:
        return ()
    scores = observed["symptoms"].transpose(SUBJECT, DIMENSION)
    table = pd.DataFrame(
        scores.values,
        index=list(fitted.subjects),
        columns=[str(d) for d in observed[DIMENSION].values],
    )
    spec = replace(fitted.spec, ordinal_symptoms=())
    design = link_design(spec, fitted.design, fitted.arm, len(fitted.arms))
    return read_ratings(spec, table, design)[0]


def thinned_weights(idata: xr.DataTree, fitted: Fitted) -> Array:
    """Symptom weights of each arm at the draws of `fitted`.

    Parameters
    ----------
    idata : DataTree
        From `fit`, with symptoms.
    fitted : Fitted
        The same, as arrays.

    Returns
    -------
    ndarray, shape (T, arm, factor, symptom)
        The same for all arms where links are common.
    """
    posterior = idata["posterior"].to_dataset()
    chosen = posterior.sel({CHAIN: fitted.draws.chain, DRAW: fitted.draws.draw})
    if "symptom_weight_by_arm" in chosen:
        weight = chosen["symptom_weight_by_arm"].transpose(CHAIN, DRAW, ARM, FACTOR, SYMPTOM)
        return np.asarray(weight.values.reshape(-1, *weight.shape[2:]))
    weight = chosen["symptom_weight"].transpose(CHAIN, DRAW, FACTOR, SYMPTOM)
    flat = weight.values.reshape(-1, 1, *weight.shape[2:])
    return np.repeat(flat, len(fitted.arms), axis=1)


def symptom_statistics(
    idata: xr.DataTree, fitted: Fitted, rng: np.random.Generator
) -> tuple[dict[str, tuple[Array, Array]], dict[str, str]]:
    """Largest correlation between symptom residuals and scores, for data and replicates.

    Parameters
    ----------
    idata : DataTree
        From `fit`.
    fitted : Fitted
        The same, as arrays.
    rng : numpy.random.Generator
        For the replicates.

    Returns
    -------
    statistics : dict of str to (ndarray, ndarray)
        For the data and for replicates, shape (draw,) each.
    skipped : dict of str to str
        What was omitted, with the reason.
    """
    symptoms = stored_symptoms(idata, fitted)
    if not symptoms:
        return {}, {
            SYMPTOMS: "no Gaussian symptom dimension is linked, or the run does not contain it"
        }
    weights = thinned_weights(idata, fitted)
    scores, on = fitted.draws.scores, fitted.draws.block_scale.any(axis=(0, 1))
    if not on.any():
        return {}, {SYMPTOMS: "no factor was found"}
    found: Array = np.empty((2, 2, len(scores), len(symptoms)))
    for s, symptom in enumerate(symptoms):
        arm = fitted.arm[symptom.rated]
        for t, h in enumerate(scores):
            rated = h[symptom.rated]
            predicted = np.einsum("nk,nk->n", rated, weights[t][arm][:, :, s])
            left = symptom.value - symptom.basis.T @ predicted
            for side, residual in enumerate((left, rng.standard_normal(left.shape))):
                found[:, side, t, s] = _largest(symptom, residual, rated[:, on], arm)
    largest = found.max(axis=3)
    statistics = {SYMPTOMS: (largest[0, 0], largest[0, 1])}
    if len(fitted.arms) > 1:
        statistics[SYMPTOMS_BY_ARM] = (largest[1, 0], largest[1, 1])
    return statistics, {}


def _largest(
    symptom: Symptom, residual: Array, scores: Array, arm: NDArray[np.int64]
) -> tuple[float, float]:
    """Largest correlation over factors: among all subjects, and within arms."""
    projected = symptom.basis.T @ scores
    overall = np.abs(_cosines(residual, projected)).max()
    by_subject, projected_back = symptom.basis @ residual, symptom.basis @ projected
    within = [
        np.abs(_cosines(by_subject[arm == a], projected_back[arm == a])).max()
        for a in np.unique(arm)
        if (arm == a).sum() >= LEAST_RATED
    ]
    return float(overall), float(max(within, default=overall))


def _cosines(x: Array, columns: Array) -> Array:
    size = np.sqrt((x**2).sum() * (columns**2).sum(axis=0))
    return np.asarray(x @ columns / np.maximum(size, 1e-300))
