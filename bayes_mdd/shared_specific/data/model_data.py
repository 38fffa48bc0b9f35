"""The arrays of a fit, built from a FeatureSet and a table of symptoms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayes_mdd.dims import ARM, BLOCK, CONTROL, DIAGNOSIS, FEATURE, SUBJECT
from bayes_mdd.errors import DataContractError, SpecError, some
from bayes_mdd.features.roles import mark_fitted
from bayes_mdd.results.rules import WEIGHT_LEFT_MIN
from bayes_mdd.shared_specific.data.design import build_design
from bayes_mdd.shared_specific.data.edges import MeanMatrix, read_edge_scale, whiten_edges
from bayes_mdd.shared_specific.data.ratings import (
    Item,
    Symptom,
    check_links,
    link_design,
    linked_columns,
    read_ratings,
)
from bayes_mdd.shared_specific.likelihood.collapsed import BlockStatistics, reduce_features
from bayes_mdd.shared_specific.likelihood.noise import feature_noise_scale
from bayes_mdd.shared_specific.likelihood.student import FeatureRows
from bayes_mdd.shared_specific.search.feature_weight import feature_weight, largest_weight
from bayes_mdd.shared_specific.search.parallel_analysis import complement
from bayes_mdd.shared_specific.whitening.subject_scale import subject_scales
from bayes_mdd.shared_specific.whitening.transform import Whitening
from bayes_mdd.specs import SharedSpecificSpec
from bayes_mdd.types import Array, IntArray

#: Copies with random signs, and number of features from which on their weight is 1 but for little.
COPIES, MANY_FEATURES = 19, 2000


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
    total : ndarray, shape (block, n, n)
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
    total: Array
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
            total=reduce_features(y, design, block, scale).cross_products,
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


def prepare(
    spec: SharedSpecificSpec, features: xr.Dataset, symptoms: pd.DataFrame | None = None
) -> ModelData:
    """Select subjects, check the design and compute sufficient statistics of the features.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model.
    features : Dataset
        A FeatureSet, standardised.
    symptoms : DataFrame, optional
        One column a dimension or item, indexed by participant; needed where `spec` names symptoms.

    Returns
    -------
    ModelData
        Input of `build_shared_specific` and `make_density`.

    Raises
    ------
    DataContractError
        If subjects, covariates or symptoms do not suit the model; every problem is listed.
    SpecError
        If the spec has more factors than the subjects support, or an unknown arm.
    """
    chosen, excluded = select_subjects(spec, features)
    subjects = pd.DataFrame(
        {str(c): chosen[c].values for c in chosen.coords if chosen[c].dims == (SUBJECT,)}
    ).set_index(SUBJECT)
    if spec.controls == "arm":  # `check_design` ignores controls
        subjects = subjects.drop(columns=DIAGNOSIS)
    linked = linked_columns(spec, symptoms)
    design = build_design(subjects, spec.covariates)
    arms = tuple(sorted(set(subjects[ARM].astype(str))))
    check_size(spec, design, arms)
    check_links(spec, arms)
    arm_index = np.array([arms.index(a) for a in subjects[ARM].astype(str)])
    symptom_design = link_design(spec, design, arm_index, len(arms))
    dimensions, items = read_ratings(spec, linked, symptom_design)
    y = chosen["y"].transpose(SUBJECT, FEATURE).values.astype(float)
    block = chosen["block"].values.astype(str)
    plain = reduce_features(y, design.to_numpy(), block)
    data = ModelData(
        features=chosen,
        arms=arms,
        arm=arm_index,
        design=design,
        stats=plain,
        feature_noise=np.ones(block.size),
        total=plain.cross_products,
        symptoms=dimensions,
        excluded=excluded,
        items=items,
        symptom_design=symptom_design,
    )
    if spec.feature_noise == "moderated":
        data = data.moderated(spec.n_factors)
    dependence = spec.feature_dependence
    if dependence == "auto":
        # One noise variance per feature has a density of its own, which supports nothing else.
        student = spec.feature_noise == "student"
        dependence = "independent" if student else choose_dependence(data, features, spec.n_factors)
    if dependence == "matrix":
        return _whitened(spec, data, features)
    return data.with_weight(spec.n_factors) if dependence == "weighted" else data


def choose_dependence(
    data: ModelData, features: xr.Dataset, n_factors: int
) -> Literal["matrix", "weighted", "independent"]:
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
    {"matrix", "weighted", "independent"}
        "independent" where the effective number of features is at least `WEIGHT_LEFT_MIN` times
        their number, or not smaller than that of features with random signs; else "matrix" for
        correlations between all pairs of regions, and "weighted" for other features.
    """
    stats = data.stats
    # The bound saves the search where it decides already, as with any connectivity.
    weight = largest_weight(stats.basis @ data.projected, data.code, stats.design, n_factors)
    if weight >= WEIGHT_LEFT_MIN / 2:
        weight = data.with_weight(n_factors).weight
    if weight >= WEIGHT_LEFT_MIN or weight >= _least_weight_by_chance(data, n_factors):
        return "independent"
    return "weighted" if isinstance(read_edge_scale(features), str) else "matrix"


def _least_weight_by_chance(data: ModelData, n_factors: int) -> float:
    """Smallest weight of copies with random signs, of which the features are one in twenty."""
    if data.features.sizes[FEATURE] >= MANY_FEATURES:
        return 1.0
    rng = np.random.default_rng(0)
    stats = data.stats
    y = stats.basis @ data.projected
    return min(
        feature_weight(
            complement(np.where(rng.random(y.shape) < 0.5, y, -y), stats.design),
            data.code,
            data.arm,
            stats.design,
            n_factors,
        )
        for _ in range(COPIES)
    )


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


def _whitened(spec: SharedSpecificSpec, data: ModelData, features: xr.Dataset) -> ModelData:
    """Replace edges by whitened features, and estimate the noise scale of each subject."""
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
        total=of_edges.cross_products,
        feature_noise=np.ones(given.shape[1]),
    )
    found = replace(
        data,
        features=white,
        stats=stats,
        feature_noise=np.ones(block.size),
        total=stats.cross_products,
        whitening=WhitenedEdges(
            map=whitening,
            order=scale.order,
            unit=unit,
            mean=mean,
            edges=edges.moderated(spec.n_factors) if spec.feature_noise == "moderated" else edges,
        ),
    )
    return found.moderated(spec.n_factors) if spec.feature_noise == "moderated" else found


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


def select_subjects(
    spec: SharedSpecificSpec, features: xr.Dataset
) -> tuple[xr.Dataset, dict[str, str]]:
    """Select subjects with an arm, and controls if they are an arm of the fit.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model.
    features : Dataset
        A FeatureSet.

    Returns
    -------
    chosen : Dataset
        The features of these subjects.
    excluded : dict of str to str
        The other subjects, with the reason.

    Raises
    ------
    DataContractError
        If nobody has an arm.
    SpecError
        If controls are an arm, but there are none.
    """
    with_arm, _ = mark_fitted(features)
    if not with_arm.any():
        raise DataContractError(
            "participants to fit", ["no patient has a known arm: add arms to participants.tsv."]
        )
    keep, excluded = mark_fitted(features, controls_fitted=spec.controls == "arm")
    if spec.controls == "arm":
        control = keep & ~with_arm
        if not control.any():
            raise SpecError(
                f"controls is 'arm', but no participant has diagnosis '{CONTROL}': "
                "add controls, or set controls to 'reference'."
            )
        arm = np.where(control, CONTROL, features[ARM].values.astype(str))
        features = features.assign_coords({ARM: (SUBJECT, arm.astype(object))})
    return features.isel({SUBJECT: np.flatnonzero(keep)}), excluded


def check_size(spec: SharedSpecificSpec, design: pd.DataFrame, arms: Sequence[str]) -> None:
    """Check the number of factors and the names of arms in the spec.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model.
    design : DataFrame
        The design matrix.
    arms : sequence of str
        Arms of the fit.

    Raises
    ------
    SpecError
        If there are too many factors, or `spec` names an arm that is not there.
    """
    free = len(design) - design.shape[1]
    if spec.n_factors >= free:
        raise SpecError(
            f"n_factors is {spec.n_factors}, but {len(design)} participants with "
            f"{design.shape[1]} design columns support at most {free - 1} factors: lower "
            "n_factors or remove covariates."
        )
    unknown = sorted(set(spec.sharing or {}) - {"shared", *arms})
    if unknown:
        raise SpecError(
            f"sharing names {some(unknown)}: expected 'shared' or an arm of the participants "
            f"({', '.join(arms)})."
        )
