"""The arrays of a fit, built from a FeatureSet and a table of symptoms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayes_mdd.dims import ARM, CONTROL, DIAGNOSIS, FEATURE, MISSING, SUBJECT
from bayes_mdd.errors import DataContractError, SpecError, some
from bayes_mdd.shared_specific.data.design import build_design
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
from bayes_mdd.shared_specific.search.feature_weight import feature_weight
from bayes_mdd.specs import SharedSpecificSpec
from bayes_mdd.types import Array


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
        stats = reduce_features(y, self.design.to_numpy(), block)
        return replace(self, stats=stats.weighted(self.weight), feature_noise=relative)

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
    chosen, excluded = _select_subjects(spec, features)
    subjects = pd.DataFrame(
        {str(c): chosen[c].values for c in chosen.coords if chosen[c].dims == (SUBJECT,)}
    ).set_index(SUBJECT)
    if spec.controls == "arm":  # `check_design` ignores controls
        subjects = subjects.drop(columns=DIAGNOSIS)
    linked = linked_columns(spec, symptoms)
    design = build_design(subjects, spec.covariates)
    arms = tuple(sorted(set(subjects[ARM].astype(str))))
    _check_size(spec, design, arms)
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
    return data.with_weight(spec.n_factors) if spec.feature_dependence == "weighted" else data


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


def _select_subjects(
    spec: SharedSpecificSpec, features: xr.Dataset
) -> tuple[xr.Dataset, dict[str, str]]:
    """Subjects with an arm, or controls as an arm; the other subjects with the reason."""
    arm = features[ARM].values.astype(str)
    control = (
        features[DIAGNOSIS].values.astype(str) == CONTROL
        if DIAGNOSIS in features.coords
        else np.zeros(arm.size, dtype=bool)
    )
    keep = (arm != MISSING) & ~control
    if not keep.any():
        raise DataContractError(
            "participants to fit", ["no patient has a known arm: add arms to participants.tsv."]
        )
    if spec.controls == "arm":
        if not control.any():
            raise SpecError(
                f"controls is 'arm', but no participant has diagnosis '{CONTROL}': "
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
