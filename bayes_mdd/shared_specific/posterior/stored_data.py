"""Data of a fit as its result stores them, and back to what the likelihood needs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import ARM, BLOCK, COVARIATE, DIMENSION, FEATURE, SUBJECT
from bayes_mdd.results.result import Result
from bayes_mdd.shared_specific.data.model_data import ModelData
from bayes_mdd.shared_specific.likelihood.collapsed import BlockStatistics
from bayes_mdd.shared_specific.posterior.symptoms import observed_ratings
from bayes_mdd.shared_specific.schema import COMPONENT, COMPONENT_2, OBSERVED_DATA


def build_observed_data(data: ModelData, coords: dict[str, Any]) -> xr.Dataset:
    """Build the group of the data that were fitted.

    Parameters
    ----------
    data : ModelData
        The fitted data.
    coords : dict
        Coordinates of the result.

    Returns
    -------
    Dataset
        Group ``observed_data``: cross-products, features and ratings.
    """
    y = data.features["y"].transpose(SUBJECT, FEATURE).astype(np.float32)
    observed = xr.Dataset(
        {
            "features": (
                (BLOCK, COMPONENT, COMPONENT_2),
                data.stats.cross_products / data.weight,
            ),
            "y": ((SUBJECT, FEATURE), y.values),
        },
        coords={BLOCK: coords[BLOCK]},
    )
    return observed.assign(observed_ratings(data)).assign_coords(
        {
            SUBJECT: coords[SUBJECT],
            FEATURE: data.features[FEATURE].values,
            **({DIMENSION: [s.name for s in data.symptoms]} if data.symptoms else {}),
        }
    )


def build_constant_data(data: ModelData, coords: dict[str, Any]) -> xr.Dataset:
    """Build the group of what the model conditions on.

    Parameters
    ----------
    data : ModelData
        The fitted data.
    coords : dict
        Coordinates of the result.

    Returns
    -------
    Dataset
        Group ``constant_data``: arms, design, sizes, weight and relative noise of features, with
        the covariates of the subjects as coordinates.
    """
    of_subjects = {
        str(name): c.variable
        for name, c in data.features.coords.items()
        if c.dims == (SUBJECT,) and name not in (SUBJECT, ARM)
    }
    return xr.Dataset(
        {
            ARM: ((SUBJECT,), np.array([data.arms[a] for a in data.arm], dtype=object)),
            "design": ((SUBJECT, COVARIATE), data.design.to_numpy()),
            "block_size": ((BLOCK,), data.n_features),
            "feature_weight": ((), data.weight),
            "feature_noise": ((FEATURE,), data.feature_noise),
        },
        coords={
            SUBJECT: coords[SUBJECT],
            BLOCK: coords[BLOCK],
            FEATURE: data.features[FEATURE].values,
            COVARIATE: np.array(data.design.columns, dtype=object),
            **of_subjects,
        },
    )


def read_model_data(result: Result) -> ModelData:
    """Read what the likelihood of the features needs from a result.

    Parameters
    ----------
    result : Result
        A fit.

    Returns
    -------
    ModelData
        Cross-products, design, arms and, where the result holds them, features with their blocks;
        without symptoms.
    """
    constant, observed = result.constant, result.group(OBSERVED_DATA, ["features"])
    design = pd.DataFrame(
        constant["design"].values,
        index=constant[SUBJECT].values.astype(str),
        columns=constant[COVARIATE].values.astype(str),
    )
    cross_products = observed["features"].values
    # The same decomposition as in `reduce_features`, so the same basis.
    basis = np.linalg.qr(design.to_numpy(), mode="complete")[0][:, design.shape[1] :]
    stats = BlockStatistics(
        basis=np.ascontiguousarray(basis),
        cross_products=cross_products,
        block_size=constant["block_size"].values.astype(float),
        blocks=tuple(str(b) for b in constant[BLOCK].values),
    )
    # Results of versions without a weight of the features do not hold one.
    weight = float(constant.get("feature_weight", 1.0))
    features = xr.Dataset(coords={SUBJECT: constant[SUBJECT].values})
    if "y" in observed:
        block = result.group("loadings")[BLOCK].values
        features = observed[["y"]].astype(float).assign_coords({BLOCK: (FEATURE, block)})
    return ModelData(
        features=features,
        arms=result.arms,
        arm=np.array([result.arms.index(a) for a in constant[ARM].values.astype(str)]),
        design=design,
        stats=stats.weighted(weight),
        feature_noise=constant["feature_noise"].values,
        total=cross_products,
        symptoms=(),
        excluded={},
        items=(),
        symptom_design=pd.DataFrame(index=design.index),
        weight=weight,
    )
