"""Fit a finished run again with something changed, from what the run itself holds."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayes_mdd.dims import ARM, BLOCK, CHAIN, DRAW, FACTOR, FEATURE, SUBJECT
from bayes_mdd.errors import DataContractError
from bayes_mdd.shared_specific.data.model_data import ModelData
from bayes_mdd.shared_specific.likelihood.collapsed import BlockStatistics
from bayes_mdd.shared_specific.posterior.alignment import align_factors
from bayes_mdd.shared_specific.posterior.explained import explain
from bayes_mdd.shared_specific.posterior.sampling import explore
from bayes_mdd.shared_specific.start.spectral import Start, spread_over_arms
from bayes_mdd.specs import SamplerSpec, SharedSpecificSpec
from bayes_mdd.types import Array

#: Block scales below this are where a chain cannot start.
LEAST_SCALE = 0.01


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


def stored_model_data(idata: xr.DataTree) -> ModelData:
    """Rebuild what the likelihood needs, symptoms left out.

    Parameters
    ----------
    idata : DataTree
        From `fit`.

    Returns
    -------
    ModelData
        Cross-products, design, arms and, where the run holds them, features with their blocks.
    """
    constant = idata["constant_data"].to_dataset()
    observed = idata["observed_data"].to_dataset()
    design = pd.DataFrame(
        constant["design"].values,
        index=constant[SUBJECT].values.astype(str),
        columns=constant["covariate"].values.astype(str),
    )
    arms = tuple(str(a) for a in idata["posterior"].to_dataset()[ARM].values)
    cross = observed["features"].values
    # The same decomposition as in `reduce_features`, so the same basis.
    basis = np.linalg.qr(design.to_numpy(), mode="complete")[0][:, design.shape[1] :]
    stats = BlockStatistics(
        basis=np.ascontiguousarray(basis),
        cross_products=cross,
        block_size=constant["block_size"].values.astype(float),
        blocks=tuple(str(b) for b in constant[BLOCK].values),
    )
    # Runs from before features had a weight do not hold one.
    weight = float(constant.get("feature_weight", 1.0))
    own = constant[ARM].values.astype(str)
    features = xr.Dataset(coords={SUBJECT: constant[SUBJECT].values})
    if "y" in observed:
        block = idata["loadings"].to_dataset()[BLOCK].values
        features = observed[["y"]].astype(float).assign_coords({BLOCK: (FEATURE, block)})
    return ModelData(
        features=features,
        arms=arms,
        arm=np.array([arms.index(a) for a in own]),
        design=design,
        stats=stats.weighted(weight),
        feature_noise=constant["feature_noise"].values,
        total=cross,
        symptoms=(),
        excluded={},
        items=(),
        symptom_design=pd.DataFrame(index=design.index),
        weight=weight,
    )


def stored_spec(idata: xr.DataTree) -> SharedSpecificSpec:
    """Read the spec that a run was fitted with.

    Parameters
    ----------
    idata : DataTree
        From `fit`.

    Returns
    -------
    SharedSpecificSpec
        The spec.

    Raises
    ------
    DataContractError
        If the run is of another model.
    """
    try:
        return SharedSpecificSpec.from_mapping(json.loads(idata.attrs["spec"]))
    except (KeyError, ValueError) as error:
        raise DataContractError(
            "run", [f"it was not made by fitting a shared_specific model ({error})."]
        ) from error


def refit_with_arms(
    idata: xr.DataTree, arm: NDArray[np.int64], sampler: SamplerSpec, *, progressbar: bool = False
) -> Refit:
    """Sample the factors of a run again with other arm labels.

    Parameters
    ----------
    idata : DataTree
        From `fit`; its factors are where the chains start.
    arm : ndarray of int, shape (subject,)
        Position of each person's arm.
    sampler : SamplerSpec
        Draws, chains and seed.
    progressbar : bool, default False
        Show the progress of the chains.

    Returns
    -------
    Refit
        Sharing and variance explained under these labels.
    """
    data = replace(stored_model_data(idata), arm=arm)
    posterior = idata["posterior"].to_dataset()
    on = np.flatnonzero(posterior["block_scale"].any((CHAIN, DRAW, BLOCK)).values)
    mean = posterior.isel({FACTOR: on}).mean((CHAIN, DRAW))
    scores = mean["scores"].transpose(SUBJECT, FACTOR).values
    size = np.sqrt((scores**2).mean(axis=0))
    scale = mean["block_scale"].transpose(BLOCK, FACTOR).values * size
    start = Start(
        scores=scores / size,
        block_scale=np.maximum(scale, LEAST_SCALE),
        sharing=spread_over_arms(data, scores),
        noise=mean["noise"].values,
        n_on=on.size,
    )
    spec = replace(
        stored_spec(idata),
        n_factors=on.size,
        symptoms=(),
        symptoms_if_present=(),
        ordinal_symptoms=(),
        symptom_links="common",
    )
    drawn, _ = explore(spec, data, start, sampler, progressbar=progressbar)
    raw = drawn["posterior"].to_dataset()
    draws = {
        "scores": raw["scores"].transpose(CHAIN, DRAW, SUBJECT, FACTOR).values,
        "sharing": raw["sharing"].transpose(CHAIN, DRAW, ARM, FACTOR).values,
        "block_scale": raw["block_scale"].transpose(CHAIN, DRAW, BLOCK, FACTOR).values,
    }
    found = align_factors(draws["scores"], draws["block_scale"])
    flat = {
        name: found.apply(x, signed=name == "scores").reshape(-1, *x.shape[2:])
        for name, x in draws.items()
    }
    noise = raw["noise"].transpose(CHAIN, DRAW, BLOCK).values.reshape(-1, len(data.stats.blocks))
    shares = explain(
        data,
        flat["scores"],
        flat["sharing"],
        flat["block_scale"],
        noise,
        raw["noise_df"].values.ravel() if "noise_df" in raw else None,
    )
    return Refit(sharing=flat["sharing"], explained=shares.overall)
