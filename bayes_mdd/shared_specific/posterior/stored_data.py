"""Data of a fit as its result stores them, and back to what the likelihood needs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayes_mdd.dims import ARM, BLOCK, COVARIATE, DIMENSION, FEATURE, SUBJECT, SYMPTOM
from bayes_mdd.results.result import Result
from bayes_mdd.shared_specific.data.edges import MeanMatrix
from bayes_mdd.shared_specific.data.model_data import ModelData, WhitenedEdges
from bayes_mdd.shared_specific.likelihood.collapsed import BlockStatistics, reduce_features
from bayes_mdd.shared_specific.likelihood.cross_products import CrossProducts
from bayes_mdd.shared_specific.posterior.symptoms import describe_symptoms, observed_ratings
from bayes_mdd.shared_specific.schema import (
    COMPONENT,
    COMPONENT_2,
    EDGE,
    MATRIX_COLUMN,
    MATRIX_ROW,
    OBSERVED_DATA,
    SUBJECT_SCALE,
    WHITENED_BLOCK,
    WHITENED_FEATURE,
    WHITENING,
)
from bayes_mdd.shared_specific.whitening.transform import Whitening
from bayes_mdd.types import Array


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
    block = fitted_block(data)
    y = data.shown.features["y"].transpose(SUBJECT, FEATURE).astype(np.float32)
    observed = xr.Dataset(
        {
            # Of many subjects the features themselves take less room.
            **(
                {}
                if data.stats.products.many
                else {
                    "features": (
                        (block, COMPONENT, COMPONENT_2),
                        data.stats.cross_products / data.weight,
                    )
                }
            ),
            "y": ((SUBJECT, FEATURE), y.values),
        },
        coords={block: coords[block]},
    )
    return observed.assign(observed_ratings(data)).assign_coords(
        {
            SUBJECT: coords[SUBJECT],
            FEATURE: data.shown.features[FEATURE].values,
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
        Group ``constant_data``: arms, design, sizes, weight and relative noise of features, kind
        and unit of symptom links, with the covariates of the subjects as coordinates.
    """
    of_subjects = {
        str(name): c.variable
        for name, c in data.shown.features.coords.items()
        if c.dims == (SUBJECT,) and name not in (SUBJECT, ARM)
    }
    return xr.Dataset(
        {
            ARM: ((SUBJECT,), np.array([data.arms[a] for a in data.arm], dtype=object)),
            "design": ((SUBJECT, COVARIATE), data.design.to_numpy()),
            "block_size": ((fitted_block(data),), data.n_features),
            "feature_weight": ((), data.weight),
            "feature_noise": ((FEATURE,), data.shown.feature_noise),
            **_scales_without_whitening(data),
            **describe_symptoms(data),
        },
        coords={
            SUBJECT: coords[SUBJECT],
            **({SYMPTOM: coords[SYMPTOM]} if SYMPTOM in coords else {}),
            fitted_block(data): coords[fitted_block(data)],
            FEATURE: data.shown.features[FEATURE].values,
            COVARIATE: np.array(data.design.columns, dtype=object),
            **of_subjects,
        },
    )


def _scales_without_whitening(data: ModelData) -> dict[str, tuple[tuple[str], Array]]:
    """Noise scales of subjects; those of whitened features are stored with the map."""
    scale = data.stats.subject_scale
    if data.whitening is not None or scale is None:
        return {}
    return {SUBJECT_SCALE: ((SUBJECT,), scale)}


def read_subject_scale(result: Result) -> Array | None:
    """Read the noise scales of subjects.

    Parameters
    ----------
    result : Result
        A fit.

    Returns
    -------
    ndarray of shape (subject,), or None
        Mean square 1; None where all subjects have the same noise.
    """
    whitened = WHITENING in result.tree.children
    stored = result.group(WHITENING) if whitened else result.constant
    return stored[SUBJECT_SCALE].values.astype(float) if SUBJECT_SCALE in stored else None


def fitted_block(data: ModelData) -> str:
    """Dimension of the blocks of the features that are fitted.

    Parameters
    ----------
    data : ModelData
        The fitted data.

    Returns
    -------
    str
        ``block``, or ``whitened_block`` where whitened edges are fitted.
    """
    return BLOCK if data.whitening is None else WHITENED_BLOCK


def build_whitening_data(data: ModelData) -> xr.Dataset:
    """Build the group of the map between edges and whitened features.

    Parameters
    ----------
    data : ModelData
        The fitted data, with whitened edges.

    Returns
    -------
    Dataset
        Group ``whitening``: mean correlation matrix, rotation, scales, and the whitened features.
    """
    white = data.whitening
    if white is None:
        raise ValueError("the features are not whitened")
    y = data.features["y"].transpose(SUBJECT, FEATURE).values.astype(np.float32)
    return xr.Dataset(
        {
            "correlation": ((MATRIX_ROW, MATRIX_COLUMN), white.map.correlation),
            "basis": ((MATRIX_ROW, MATRIX_COLUMN), white.map.basis),
            "edge_scale": ((EDGE,), white.map.edge_scale),
            "edge_position": ((EDGE,), white.order.astype(np.int64)),
            SUBJECT_SCALE: ((SUBJECT,), data.subject_scale),
            "y": ((SUBJECT, WHITENED_FEATURE), y),
            "feature_noise": ((WHITENED_FEATURE,), data.feature_noise),
        },
        coords={
            SUBJECT: np.array(data.subjects, dtype=object),
            WHITENED_FEATURE: data.features[FEATURE].values,
            "feature_block": (WHITENED_FEATURE, white.map.block.astype(object)),
        },
        attrs={
            "unit": white.unit,
            "mean_over": white.mean.subjects,
            "mean_n": white.mean.n,
            "shrinkage": white.mean.shrinkage,
            "least_eigenvalue": white.mean.least_eigenvalue,
        },
    )


def read_whitening(result: Result) -> tuple[Whitening, NDArray[np.int64], float] | None:
    """Read the map between edges and whitened features.

    Parameters
    ----------
    result : Result
        A fit.

    Returns
    -------
    whitening : Whitening
        The map.
    order : ndarray of int, shape (edge,)
        Positions of the edges among the features.
    unit : float
        By which whitened features are divided. None is returned in place of all three where the
        fit did not whiten edges.
    """
    if WHITENING not in result.tree.children:
        return None
    stored = result.group(WHITENING)
    whitening = Whitening(
        stored["correlation"].values,
        stored["edge_scale"].values,
        stored["basis"].values,
        stored["feature_block"].values,
    )
    return whitening, stored["edge_position"].values, float(stored.attrs["unit"])


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
    constant, observed = result.constant, result.group(OBSERVED_DATA)
    design = pd.DataFrame(
        constant["design"].values,
        index=constant[SUBJECT].values.astype(str),
        columns=constant[COVARIATE].values.astype(str),
    )
    white = result.group(WHITENING) if WHITENING in result.tree.children else None
    block_dim = BLOCK if white is None else WHITENED_BLOCK
    scale = read_subject_scale(result)
    columns = design.to_numpy() if scale is None else design.to_numpy() / scale[:, None]
    # The same decomposition as in `reduce_features`, so the same basis.
    basis = np.linalg.qr(columns, mode="complete")[0][:, design.shape[1] :]
    blocks = constant[block_dim].values.astype(str)
    if "features" in observed:
        products = CrossProducts(given=observed["features"].values)
    else:
        source = white if white is not None else observed
        of = "feature_block" if white is not None else BLOCK
        y = source["y"].transpose(SUBJECT, ...).values.astype(float)
        noise = (white if white is not None else constant)["feature_noise"].values
        names = (white[of] if white is not None else result.group("loadings")[BLOCK]).values
        place = {name: b for b, name in enumerate(blocks)}
        code = np.array([place[str(name)] for name in names])
        even = y / noise if scale is None else y / noise / scale[:, None]
        products = CrossProducts.of(basis.T @ even, code)
    stats = BlockStatistics(
        basis=np.ascontiguousarray(basis),
        products=products,
        block_size=constant["block_size"].values.astype(float),
        blocks=tuple(str(b) for b in blocks),
        subject_scale=scale,
    )
    # Results of versions without a weight of the features do not hold one.
    weight = float(constant.get("feature_weight", 1.0))
    features = xr.Dataset(coords={SUBJECT: constant[SUBJECT].values})
    if "y" in observed:
        block = result.group("loadings")[BLOCK].values
        features = observed[["y"]].astype(float).assign_coords({BLOCK: (FEATURE, block)})
    found = ModelData(
        features=features,
        arms=result.arms,
        arm=np.array([result.arms.index(a) for a in constant[ARM].values.astype(str)]),
        design=design,
        stats=stats.weighted(weight),
        feature_noise=constant["feature_noise"].values,
        total=products,
        symptoms=(),
        excluded={},
        items=(),
        symptom_design=pd.DataFrame(index=design.index),
        weight=weight,
    )
    return found if white is None else _with_whitening(result, found, white)


def _with_whitening(result: Result, edges: ModelData, white: xr.Dataset) -> ModelData:
    """Whitened features with the data of the edges, from what was read for both."""
    read = read_whitening(result)
    if read is None:
        return edges
    whitening, order, unit = read
    y = edges.features["y"].transpose(SUBJECT, FEATURE).values
    block = edges.features[BLOCK].values.astype(str)
    scale, design = white[SUBJECT_SCALE].values, edges.design.to_numpy()
    own = reduce_features(y / edges.feature_noise, design, block, scale)
    attrs = white.attrs
    mean = MeanMatrix(
        str(attrs["mean_over"]),
        int(attrs["mean_n"]),
        float(attrs["shrinkage"]),
        float(attrs["least_eigenvalue"]),
    )
    of_edges = replace(
        edges, stats=own, total=reduce_features(y, design, block, scale).products, weight=1.0
    )
    noise = white["feature_noise"].values
    features = xr.Dataset(
        {"y": ((SUBJECT, FEATURE), white["y"].values.astype(float))},
        coords={
            SUBJECT: white[SUBJECT].values,
            FEATURE: white[WHITENED_FEATURE].values,
            BLOCK: (FEATURE, white["feature_block"].values),
        },
    )
    total = reduce_features(features["y"].values, design, features[BLOCK].values.astype(str), scale)
    return replace(
        edges,
        features=features,
        feature_noise=noise,
        total=total.products,
        whitening=WhitenedEdges(whitening, order, unit, mean, of_edges),
    )
