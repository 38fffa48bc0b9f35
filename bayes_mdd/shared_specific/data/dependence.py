"""How the errors of features are modelled: the choice, and whitened edges in place of edges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import numpy as np
import xarray as xr
from threadpoolctl import threadpool_limits

from bayes_mdd.dims import BLOCK, FEATURE, SUBJECT
from bayes_mdd.errors import SpecError
from bayes_mdd.results.rules import WEIGHT_LEFT_MIN
from bayes_mdd.shared_specific.data.edges import read_edge_scale, whiten_edges
from bayes_mdd.shared_specific.data.model_data import ModelData, WhitenedEdges
from bayes_mdd.shared_specific.likelihood.collapsed import reduce_features
from bayes_mdd.shared_specific.search.feature_weight import feature_weight, largest_weight
from bayes_mdd.shared_specific.search.parallel_analysis import complement
from bayes_mdd.shared_specific.whitening.subject_scale import (
    scales_beyond_components,
    subject_scales,
)
from bayes_mdd.specs import SharedSpecificSpec

#: Shuffled copies, of which the features are one in twenty; the fewest, where all are far away.
COPIES, FEWEST_COPIES = 19, 5
#: Number of features from which on the weight of shuffled copies is 1 but for little.
MANY_FEATURES = 2000


def choose_dependence(
    data: ModelData, features: xr.Dataset, n_factors: int
) -> Literal["matrix", "weighted", "scaled", "independent"]:
    """Choose how the errors of features are modelled, by the features and by a check.

    Parameters
    ----------
    data : ModelData
        The features as they were given.
    features : Dataset
        The FeatureSet that they come from.
    n_factors : int
        Largest number of components that are not noise.

    Returns
    -------
    {"matrix", "weighted", "scaled", "independent"}
        "independent" where the effective number of features is at least `WEIGHT_LEFT_MIN` times
        their number, or not smaller than that of features that are shuffled over the subjects;
        "scaled" where features over the subjects' noise scales reach `WEIGHT_LEFT_MIN`; else
        "matrix" for correlations between all pairs of regions, if whitening raises the effective
        number; else "weighted".

    Notes
    -----
    Whitening suits the sampling errors of correlations; edges with errors of another kind become
    *more* dependent by it. Chance is no reason for "scaled": a few dozen features tell too little
    about the scales.
    """
    # Matrices are small (subjects x subjects): several threads would only wait for each other.
    with threadpool_limits(1):
        if _looks_independent(data, n_factors):
            return "independent"
        scaled = scale_subjects(data, n_factors)
        if _weight(scaled, n_factors) >= WEIGHT_LEFT_MIN:
            return "scaled"
        if isinstance(read_edge_scale(features), str):
            return "weighted"
        white = whiten(SharedSpecificSpec(n_factors=n_factors), data, features)
        return "matrix" if _bound(white, n_factors) > _bound(scaled, n_factors) else "weighted"


def scale_subjects(data: ModelData, n_factors: int) -> ModelData:
    """Give each subject a noise scale.

    Parameters
    ----------
    data : ModelData
        Data without noise scales of subjects.
    n_factors : int
        Largest number of components that are not noise.

    Returns
    -------
    ModelData
        Data of the same features with ``feature_dependence="scaled"``.
    """
    y = data.features["y"].transpose(SUBJECT, FEATURE).values / data.feature_noise
    return data.with_scale(
        scales_beyond_components(y, data.code, data.design.to_numpy(), n_factors)
    )


def _weight(data: ModelData, n_factors: int) -> float:
    """Effective over actual number of features, or its upper bound where that is small."""
    # The bound saves the search where it decides already, as with any connectivity.
    bound = _bound(data, n_factors)
    return data.with_weight(n_factors).weight if bound >= WEIGHT_LEFT_MIN / 2 else bound


def _looks_independent(data: ModelData, n_factors: int) -> bool:
    """Whether the effective number of features is about their number, or that of shuffled ones."""
    weight = _weight(data, n_factors)
    if weight >= WEIGHT_LEFT_MIN:
        return True
    by_chance: list[float] = []
    for found in _shuffled_weights(data, n_factors):
        if weight >= found:
            return True
        by_chance.append(found)
        apart = min(by_chance) - weight
        if len(by_chance) >= FEWEST_COPIES and apart > 2 * (max(by_chance) - min(by_chance)):
            break
    return False


def _bound(data: ModelData, n_factors: int) -> float:
    """Upper bound of the effective over the actual number of features."""
    stats = data.stats
    return largest_weight(stats.basis @ data.projected, data.code, stats.design, n_factors)


def _shuffled_weights(data: ModelData, n_factors: int) -> Iterator[float]:
    """Weights of copies of the features, each feature shuffled over the subjects."""
    if data.features.sizes[FEATURE] >= MANY_FEATURES:
        return
    rng = np.random.default_rng(0)
    stats = data.stats
    y = stats.basis @ data.projected
    for _ in range(COPIES):
        shuffled = complement(rng.permuted(y, axis=0), stats.design)
        yield feature_weight(shuffled, data.code, data.arm, stats.design, n_factors)


def needs_matrix(lacking: str) -> str:
    """Say what whitened edges need.

    Parameters
    ----------
    lacking : str
        What the features lack, from `read_edge_scale`.

    Returns
    -------
    str
        The problem, and what to do.
    """
    return (
        f"feature_dependence 'matrix' needs correlations between all pairs of regions, but "
        f"{lacking}: use 'auto', or 'weighted'; or compute the edges with bayes_mdd "
        "(read_features, connectivity_from_timeseries) and standardise them with "
        "reference_to_controls."
    )


def whiten(spec: SharedSpecificSpec, data: ModelData, features: xr.Dataset) -> ModelData:
    """Replace edges by whitened features, and estimate the noise scale of each subject.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model.
    data : ModelData
        Of the edges as they were given.
    features : Dataset
        The FeatureSet that they come from, for the scale of its correlations.

    Returns
    -------
    ModelData
        Of the whitened features, with the data of the edges in ``whitening``.

    Raises
    ------
    SpecError
        If the features are not correlations between all pairs of regions on a known scale.
    """
    scale = read_edge_scale(features)
    if isinstance(scale, str):
        raise SpecError(needs_matrix(scale))
    whitening, mean = whiten_edges(features, scale)
    y = data.features["y"].transpose(SUBJECT, FEATURE).values.astype(float)[:, scale.order]
    g = whitening.forward(y)
    block = whitening.block.astype(str)
    code = np.unique(block, return_inverse=True)[1]
    design = data.design.to_numpy()
    subject_scale = subject_scales(g, code, design)
    unit = float(np.sqrt(((g - g.mean(axis=0)) ** 2).mean()))
    names = np.array([f"w{i + 1}" for i in range(block.size)], dtype=object)
    white = xr.Dataset(
        {"y": ((SUBJECT, FEATURE), g / unit)},
        coords={
            **{n: c for n, c in data.features.coords.items() if c.dims == (SUBJECT,)},
            FEATURE: names,
            BLOCK: (FEATURE, whitening.block),
        },
    )
    stats = reduce_features(g / unit, design, block, subject_scale)
    given = data.features["y"].transpose(SUBJECT, FEATURE).values.astype(float)
    of_edges = reduce_features(
        given, design, data.features[BLOCK].values.astype(str), subject_scale
    )
    edges = replace(
        data,
        stats=of_edges,
        total=of_edges.products,
        feature_noise=np.ones(given.shape[1]),
    )
    found = replace(
        data,
        features=white,
        stats=stats,
        feature_noise=np.ones(block.size),
        total=stats.products,
        whitening=WhitenedEdges(
            map=whitening,
            order=scale.order,
            unit=unit,
            mean=mean,
            edges=edges.moderated(spec.n_factors) if spec.feature_noise == "moderated" else edges,
        ),
    )
    return found.moderated(spec.n_factors) if spec.feature_noise == "moderated" else found
