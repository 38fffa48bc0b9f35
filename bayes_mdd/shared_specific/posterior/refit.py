"""Sampling of the factors of a finished run again under other arm labels."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayes_mdd.dims import ARM, BLOCK, CHAIN, DRAW, FACTOR, SUBJECT
from bayes_mdd.results.result import Result, read_result
from bayes_mdd.shared_specific.data.model_data import ModelData
from bayes_mdd.shared_specific.posterior.alignment import align_factors
from bayes_mdd.shared_specific.posterior.edges import edge_explained
from bayes_mdd.shared_specific.posterior.explained import explain
from bayes_mdd.shared_specific.posterior.sampling import sample_posterior
from bayes_mdd.shared_specific.posterior.stored_data import fitted_block, read_model_data
from bayes_mdd.shared_specific.schema import BLOCK_SCALE, NOISE, NOISE_DF, SCORES, SHARING
from bayes_mdd.shared_specific.spec import spec_of
from bayes_mdd.shared_specific.start.spectral import Start, spread_over_arms
from bayes_mdd.specs import SamplerSpec, SharedSpecificSpec
from bayes_mdd.streams import Stream, generator
from bayes_mdd.types import Array

#: Smallest block scale at which a chain starts: from zero it would not move.
MIN_SCALE = 0.01


@dataclass(frozen=True, eq=False)
class Refit:
    """Aligned draws of a refit, for the factors that were sampled.

    Parameters
    ----------
    sharing : ndarray, shape (draw, arm, factor)
        Draws of all chains.
    explained : ndarray, shape (draw, arm, factor)
        Share of an arm's variance.
    """

    sharing: Array
    explained: Array


def refit_with_arms(
    idata: xr.DataTree | Result,
    arm: NDArray[np.int64],
    sampler: SamplerSpec,
    *,
    progressbar: bool = False,
) -> Refit:
    """Sample the factors of a run again with other arm labels, without symptoms.

    Parameters
    ----------
    idata : DataTree or Result
        From `fit`; the chains start at its factors.
    arm : ndarray of int, shape (subject,)
        Position of each subject's arm.
    sampler : SamplerSpec
        Draws, chains and seed.
    progressbar : bool, default False
        Show the progress of the chains.

    Returns
    -------
    Refit
        Sharing and variance explained under these labels.

    Raises
    ------
    DataContractError
        If the run is not a fit of the model ``shared_specific``.
    """
    result = read_result(idata)
    spec = spec_of(result)
    data = replace(read_model_data(result), arm=arm)
    start = _start_at(result, data)
    drawn = sample_posterior(
        without_symptoms(spec, start.n_on), data, start, sampler, progressbar=progressbar
    )
    return _summarise(data, drawn.raw["posterior"].to_dataset(), sampler.seed)


def _start_at(result: Result, data: ModelData) -> Start:
    """Start at the posterior means of the factors that were sampled, with scores of size 1."""
    posterior = result.posterior
    on = np.flatnonzero(posterior[BLOCK_SCALE].any((CHAIN, DRAW, fitted_block(data))).values)
    mean = posterior.isel({FACTOR: on}).mean((CHAIN, DRAW))
    scores = mean[SCORES].transpose(SUBJECT, FACTOR).values
    size = np.sqrt((scores**2).mean(axis=0))
    scale = mean[BLOCK_SCALE].transpose(fitted_block(data), FACTOR).values * size
    return Start(
        scores=scores / size,
        block_scale=np.maximum(scale, MIN_SCALE),
        sharing=spread_over_arms(data, scores),
        noise=mean[NOISE].values,
        n_on=on.size,
    )


def without_symptoms(spec: SharedSpecificSpec, n_factors: int) -> SharedSpecificSpec:
    """Leave the symptoms out of a spec.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model.
    n_factors : int
        Number of factors that are sampled.

    Returns
    -------
    SharedSpecificSpec
        The model of the features alone.
    """
    return replace(
        spec,
        n_factors=n_factors,
        symptoms=(),
        symptoms_if_present=(),
        ordinal_symptoms=(),
        symptom_links="common",
    )


def _summarise(data: ModelData, raw: xr.Dataset, seed: int) -> Refit:
    """Align raw draws and compute the variance explained."""
    draws = {
        SCORES: raw[SCORES].transpose(CHAIN, DRAW, SUBJECT, FACTOR).values,
        SHARING: raw[SHARING].transpose(CHAIN, DRAW, ARM, FACTOR).values,
        BLOCK_SCALE: raw[BLOCK_SCALE].transpose(CHAIN, DRAW, BLOCK, FACTOR).values,
    }
    found = align_factors(draws[SCORES], draws[BLOCK_SCALE])
    flat = {
        name: found.apply(x, signed=name == SCORES).reshape(-1, *x.shape[2:])
        for name, x in draws.items()
    }
    noise = raw[NOISE].transpose(CHAIN, DRAW, BLOCK).values.reshape(-1, len(data.stats.blocks))
    shares = explain(
        data,
        flat[SCORES],
        flat[SHARING],
        flat[BLOCK_SCALE],
        noise,
        raw[NOISE_DF].values.ravel() if NOISE_DF in raw else None,
    )
    explained = shares.overall
    if data.whitening is not None:
        rng = generator(seed, Stream.EDGE_ERRORS)
        explained, _ = edge_explained(data, flat[SCORES], flat[SHARING], noise.mean(axis=0), rng)
    return Refit(sharing=flat[SHARING], explained=explained)
