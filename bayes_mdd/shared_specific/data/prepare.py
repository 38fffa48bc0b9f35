"""Select the subjects of a fit, and build its arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.cohort.design import MIN_PER_ARM
from bayes_mdd.dims import ARM, CONTROL, DIAGNOSIS, FEATURE, SUBJECT
from bayes_mdd.errors import DataContractError, SpecError, some
from bayes_mdd.features.roles import mark_fitted
from bayes_mdd.results.rules import RULES
from bayes_mdd.shared_specific.data.dependence import choose_dependence, scale_subjects, whiten
from bayes_mdd.shared_specific.data.design import build_design
from bayes_mdd.shared_specific.data.directions import check_directions, check_scale
from bayes_mdd.shared_specific.data.model_data import ModelData
from bayes_mdd.shared_specific.data.ratings import (
    check_links,
    link_design,
    linked_columns,
    read_ratings,
)
from bayes_mdd.shared_specific.likelihood.collapsed import reduce_features
from bayes_mdd.specs import SharedSpecificSpec

#: Most arms that can all take part in a factor.
MOST_ARMS = int(np.ceil(1 / RULES.specific_below)) - 1


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
    check_scale(y, spec.noise_scale)
    check_directions(y, design.to_numpy(), spec.n_factors, chosen[FEATURE].values.tolist())
    block = chosen["block"].values.astype(str)
    plain = reduce_features(y, design.to_numpy(), block)
    data = ModelData(
        features=chosen,
        arms=arms,
        arm=arm_index,
        design=design,
        stats=plain,
        feature_noise=np.ones(block.size),
        total=plain.products,
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
        return whiten(spec, data, features)
    if dependence == "scaled":
        return scale_subjects(data, spec.n_factors)
    return data.with_weight(spec.n_factors) if dependence == "weighted" else data


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
        If controls are an arm, but there are none or too few.
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
        if control.sum() < MIN_PER_ARM:
            raise SpecError(
                f"controls is 'arm', but {int(control.sum())} of the participants "
                f"({some(features[SUBJECT].values[control])}) have diagnosis '{CONTROL}', and an "
                f"arm needs at least {MIN_PER_ARM}: add controls, or set controls to 'reference'."
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
        If there are too many factors, more arms than a label can tell apart, or `spec` names an arm
        that is not there.
    """
    if len(arms) > MOST_ARMS:
        raise SpecError(
            f"there are {len(arms)} arms ({some(arms)}), and at most {MOST_ARMS} can be compared: "
            f"an arm takes part in a factor from {RULES.specific_below:.0%} of its variance on, "
            "which more arms cannot all hold. Join arms in participants.tsv, e.g. to classes of "
            "drugs."
        )
    free = len(design) - design.shape[1]
    if free < 2:
        raise SpecError(
            f"{len(design)} participants with {design.shape[1]} design columns (intercept, "
            "covariates; one for each level of a text column but the first) leave nothing for "
            "factors to explain: remove covariates, or add participants."
        )
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
