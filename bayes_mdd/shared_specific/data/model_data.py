"""From a FeatureSet and a table of symptoms to the arrays that a graph needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayes_mdd.dims import ARM, CONTROL, DIAGNOSIS, FEATURE, MISSING, SUBJECT
from bayes_mdd.errors import DataContractError, SpecError, some
from bayes_mdd.shared_specific.data.design import checked_design
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
from bayes_mdd.shared_specific.search.feature_weight import feature_weight
from bayes_mdd.specs import SharedSpecificSpec
from bayes_mdd.types import Array


@dataclass(frozen=True, eq=False)
class ModelData:
    """The people of a fit and what the model sees of them.

    Parameters
    ----------
    features : Dataset
        The part of the FeatureSet that is fitted.
    arms : tuple of str
        Arms in alphabetical order.
    arm : ndarray of int, shape (subject,)
        Position of each person's arm in `arms`.
    design : DataFrame, shape (subject, covariate)
        Intercept and covariates.
    stats : BlockStatistics
        Cross-products of the features, each divided by its `feature_noise`, times `weight`.
    feature_noise : ndarray, shape (feature,)
        Noise of each feature relative to its block (mean square 1 in a block).
    total : ndarray, shape (block, n, n)
        Cross-products of the features as they came.
    symptoms : tuple of Symptom
        Linked symptom dimensions.
    excluded : mapping of str to str
        People of the FeatureSet who are not fitted, with the reason.
    items : tuple of Item
        Linked ordinal symptoms.
    symptom_design : DataFrame, shape (subject, column)
        What is removed from symptoms: the design, and arms where links differ by arm.
    weight : float, default 1.0
        Power of the features' likelihood: effective over actual number of features.
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

    @property
    def code(self) -> NDArray[np.int64]:
        """Position of each feature's block in ``stats.blocks``."""
        at = {name: b for b, name in enumerate(self.stats.blocks)}
        return np.array([at[b] for b in self.features["block"].values.astype(str)])

    @property
    def projected(self) -> Array:
        """Features over their `feature_noise`, in the basis of `stats`, shape (n, feature)."""
        y = self.features["y"].transpose(SUBJECT, FEATURE).values / self.feature_noise
        return np.asarray(self.stats.basis.T @ y)

    @property
    def n_features(self) -> Array:
        """Number of features of each block, whatever they are taken for."""
        return np.asarray(self.stats.block_size / self.weight)

    @property
    def arm_size(self) -> Array:
        """Number of fitted people of each arm."""
        return np.bincount(self.arm, minlength=len(self.arms)).astype(float)

    @property
    def arm_average(self) -> Array:
        """Matrix that takes the mean over the people of each arm, shape (arm, subject)."""
        member = np.arange(len(self.arms))[:, None] == self.arm
        return np.asarray(member / self.arm_size[:, None])

    def moderated(self, n_factors: int) -> ModelData:
        """Divide the features by a relative noise that is estimated beforehand.

        Parameters
        ----------
        n_factors : int
            Components that are not noise, at most.

        Returns
        -------
        ModelData
            As ``feature_noise="moderated"`` makes it of the same features.
        """
        relative = feature_noise_scale(self.projected * self.feature_noise, self.code, n_factors)
        y = self.features["y"].transpose(SUBJECT, FEATURE).values / relative
        block = self.features["block"].values.astype(str)
        stats = reduce_features(y, self.design.to_numpy(), block)
        return replace(self, stats=stats.weighted(self.weight), feature_noise=relative)

    def with_weight(self, n_factors: int) -> ModelData:
        """Weigh the features by how many independent ones they are worth.

        Parameters
        ----------
        n_factors : int
            Components that are not noise, at most.

        Returns
        -------
        ModelData
            As ``feature_dependence="weighted"`` makes it of the same features.
        """
        stats, y = self.stats, self.stats.basis @ self.projected
        weight = feature_weight(y, self.code, self.arm, stats.design, n_factors)
        return replace(self, stats=stats.weighted(weight / self.weight), weight=weight)

    @property
    def subjects(self) -> list[str]:
        """Names of the fitted people."""
        return [str(s) for s in self.features[SUBJECT].values]


def prepare(
    spec: SharedSpecificSpec, features: xr.Dataset, symptoms: pd.DataFrame | None = None
) -> ModelData:
    """Select the people with a known arm, check the design and sum up the features.

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
        What `build_shared_specific` takes.

    Raises
    ------
    DataContractError
        If people, covariates or symptoms cannot serve the model; every problem is listed.
    SpecError
        If the spec asks for more factors than people can carry or for an unknown arm.
    """
    chosen, excluded = _people_to_fit(spec, features)
    people = pd.DataFrame(
        {str(c): chosen[c].values for c in chosen.coords if chosen[c].dims == (SUBJECT,)}
    ).set_index(SUBJECT)
    if spec.controls == "arm":  # `check_design` looks at everybody who is not a control
        people = people.drop(columns=DIAGNOSIS)
    linked = linked_columns(spec, symptoms)
    design = checked_design(people, spec.covariates)
    arms = tuple(sorted(set(people[ARM].astype(str))))
    _check_size(spec, design, arms)
    check_links(spec, arms)
    arm_index = np.array([arms.index(a) for a in people[ARM].astype(str)])
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
    return data.with_weight(spec.n_factors) if spec.feature_dependence == "weighted" else data


def _people_to_fit(
    spec: SharedSpecificSpec, features: xr.Dataset
) -> tuple[xr.Dataset, dict[str, str]]:
    """Select people with an arm, and controls as an arm where asked; say why others stay out."""
    arm = features[ARM].values.astype(str)
    control = (
        features[DIAGNOSIS].values.astype(str) == CONTROL
        if DIAGNOSIS in features.coords
        else np.zeros(arm.size, dtype=bool)
    )
    keep = (arm != MISSING) & ~control
    if not keep.any():
        raise DataContractError(
            "people to fit", ["nobody has a known arm: give arms in participants.tsv."]
        )
    if spec.controls == "arm":
        if not control.any():
            raise SpecError(
                f"controls is 'arm', but nobody has diagnosis '{CONTROL}': "
                "add controls, or set controls to 'reference'."
            )
        keep |= control
        arm = np.where(control, CONTROL, arm)
        features = features.assign_coords({ARM: (SUBJECT, arm.astype(object))})
    names = features[SUBJECT].values.astype(str)
    excluded = {
        str(s): "control, used as reference only" if c else "no known arm"
        for s, c in zip(names[~keep], control[~keep], strict=True)
    }
    return features.isel({SUBJECT: np.flatnonzero(keep)}), excluded


def _check_size(spec: SharedSpecificSpec, design: pd.DataFrame, arms: Sequence[str]) -> None:
    free = len(design) - design.shape[1]
    if spec.n_factors >= free:
        raise SpecError(
            f"n_factors is {spec.n_factors}, but {len(design)} people with {design.shape[1]} "
            f"design columns carry at most {free - 1} factors: lower n_factors or drop covariates."
        )
    unknown = sorted(set(spec.sharing or {}) - {"shared", *arms})
    if unknown:
        raise SpecError(
            f"sharing names {some(unknown)}, which is no arm of these people ({', '.join(arms)}) "
            "and not 'shared'."
        )
