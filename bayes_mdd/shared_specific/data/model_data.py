"""The arrays of a fit, built from a FeatureSet and a table of symptoms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayes_mdd.dims import FEATURE, SUBJECT
from bayes_mdd.shared_specific.data.edges import MeanMatrix
from bayes_mdd.shared_specific.data.ratings import (
    Item,
    Symptom,
)
from bayes_mdd.shared_specific.likelihood.collapsed import BlockStatistics, reduce_features
from bayes_mdd.shared_specific.likelihood.cross_products import CrossProducts
from bayes_mdd.shared_specific.likelihood.noise import feature_noise_scale
from bayes_mdd.shared_specific.likelihood.student import FeatureRows
from bayes_mdd.shared_specific.search.feature_weight import feature_weight
from bayes_mdd.shared_specific.whitening.transform import Whitening
from bayes_mdd.types import Array, IntArray


@dataclass(frozen=True, eq=False)
class WhitenedEdges:
    """What belongs to a fit of whitened edges, besides the whitened features.

    Parameters
    ----------
    map : Whitening
        From edges, in the order of `order`, to whitened features.
    order : ndarray of int, shape (edge,)
        Positions of the edges among the features as they were given.
    unit : float
        Whitened features are divided by it, so that their noise is about 1.
    mean : MeanMatrix
        Whose mean correlation matrix the map uses.
    edges : ModelData
        Data of the edges themselves.
    """

    map: Whitening
    order: IntArray
    unit: float
    mean: MeanMatrix
    edges: ModelData


@dataclass(frozen=True, eq=False)
class ModelData:
    """Subjects, features, symptoms and design of a fit.

    Parameters
    ----------
    features : Dataset
        The part of the FeatureSet that is fitted.
    arms : tuple of str
        Arms in alphabetical order.
    arm : ndarray of int, shape (subject,)
        Position of each subject's arm in `arms`.
    design : DataFrame, shape (subject, covariate)
        Intercept and covariates.
    stats : BlockStatistics
        Cross-products of the features, each divided by its `feature_noise`, times `weight`.
    feature_noise : ndarray, shape (feature,)
        Noise of each feature relative to its block (mean square 1 in a block).
    total : CrossProducts
        Cross-products of the features without this division and weight.
    symptoms : tuple of Symptom
        Linked symptom dimensions.
    excluded : mapping of str to str
        Subjects of the FeatureSet that are not fitted, with the reason.
    items : tuple of Item
        Linked ordinal symptoms.
    symptom_design : DataFrame, shape (subject, column)
        Columns projected out of symptoms: the design, and arms where links differ by arm.
    weight : float, default 1.0
        Power of the likelihood of the features: effective over actual number of features.
    whitening : WhitenedEdges, optional
        Where the features are whitened edges: the map, and the data of the edges themselves, which
        loadings and variance explained refer to.
    """

    features: xr.Dataset
    arms: tuple[str, ...]
    arm: np.ndarray
    design: pd.DataFrame
    stats: BlockStatistics
    feature_noise: Array
    total: CrossProducts
    symptoms: tuple[Symptom, ...]
    excluded: Mapping[str, str]
    items: tuple[Item, ...]
    symptom_design: pd.DataFrame
    weight: float = 1.0
    whitening: WhitenedEdges | None = None

    @property
    def shown(self) -> ModelData:
        """Data of the features as they were given: edges where whitened edges are fitted."""
        return self if self.whitening is None else self.whitening.edges

    @property
    def subject_scale(self) -> Array:
        """Noise scale of each subject, shape (subject,)."""
        scale = self.stats.subject_scale
        return np.ones(len(self.arm)) if scale is None else scale

    @property
    def code(self) -> NDArray[np.int64]:
        """Position of each feature's block in ``stats.blocks``."""
        at = {name: b for b, name in enumerate(self.stats.blocks)}
        return np.array([at[b] for b in self.features["block"].values.astype(str)])

    @property
    def projected(self) -> Array:
        """Features over their `feature_noise`, in the basis of `stats`, shape (n, feature)."""
        y = self.features["y"].transpose(SUBJECT, FEATURE).values / self.feature_noise
        return np.asarray(self.stats.score_basis.T @ y)

    @property
    def n_features(self) -> Array:
        """Actual number of features of each block, shape (block,)."""
        return np.asarray(self.stats.block_size / self.weight)

    @property
    def arm_size(self) -> Array:
        """Number of fitted subjects of each arm, shape (arm,)."""
        return np.bincount(self.arm, minlength=len(self.arms)).astype(float)

    @property
    def arm_average(self) -> Array:
        """Matrix that averages over the subjects of each arm, shape (arm, subject)."""
        member = np.arange(len(self.arms))[:, None] == self.arm
        return np.asarray(member / self.arm_size[:, None])

    def moderated(self, n_factors: int) -> ModelData:
        """Divide the features by their estimated relative noise.

        Parameters
        ----------
        n_factors : int
            Largest number of components that are not noise.

        Returns
        -------
        ModelData
            Data of the same features with ``feature_noise="moderated"``.
        """
        relative = feature_noise_scale(self.projected * self.feature_noise, self.code, n_factors)
        y = self.features["y"].transpose(SUBJECT, FEATURE).values / relative
        block = self.features["block"].values.astype(str)
        stats = reduce_features(y, self.design.to_numpy(), block, self.stats.subject_scale)
        return replace(self, stats=stats.weighted(self.weight), feature_noise=relative)

    def with_scale(self, scale: Array) -> ModelData:
        """Divide features, design and scores by other noise scales of the rows.

        Parameters
        ----------
        scale : ndarray, shape (subject,)
            Noise scale of each row. The edges that are shown have those of the first rows.

        Returns
        -------
        ModelData
            Data of the same features.
        """
        y = self.features["y"].transpose(SUBJECT, FEATURE).values.astype(float)
        design, block = self.design.to_numpy(), self.features["block"].values.astype(str)
        white = self.whitening
        if white is not None:
            edges = white.edges
            white = replace(white, edges=edges.with_scale(scale[: len(edges.arm)]))
        return replace(
            self,
            stats=reduce_features(y / self.feature_noise, design, block, scale).weighted(
                self.weight
            ),
            total=reduce_features(y, design, block, scale).products,
            whitening=white,
        )

    def with_weight(self, n_factors: int) -> ModelData:
        """Weight the likelihood by the effective number of independent features.

        Parameters
        ----------
        n_factors : int
            Largest number of components that are not noise.

        Returns
        -------
        ModelData
            Data of the same features with ``feature_dependence="weighted"``.
        """
        stats, y = self.stats, self.stats.basis @ self.projected
        weight = feature_weight(y, self.code, self.arm, stats.design, n_factors)
        return replace(self, stats=stats.weighted(weight / self.weight), weight=weight)

    def weighted(self, weight: float) -> ModelData:
        """Raise the likelihood of the features to a given power.

        Parameters
        ----------
        weight : float
            The power.

        Returns
        -------
        ModelData
            Data of the same features.
        """
        return replace(self, stats=self.stats.weighted(weight / self.weight), weight=weight)

    @property
    def subjects(self) -> list[str]:
        """Names of the fitted subjects."""
        return [str(s) for s in self.features[SUBJECT].values]


def sort_features(data: ModelData) -> FeatureRows:
    """Sort the features by block.

    Parameters
    ----------
    data : ModelData
        From `prepare`.

    Returns
    -------
    FeatureRows
        Blocks in the order of ``data.stats.blocks``.
    """
    code = data.code
    order = np.argsort(code, kind="stable")
    counts = np.bincount(code, minlength=len(data.stats.blocks))
    return FeatureRows(
        y=np.ascontiguousarray(data.projected.T[order]),
        start=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        order=order.astype(np.int64),
    )
