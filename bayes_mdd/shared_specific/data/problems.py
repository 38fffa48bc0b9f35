"""All reasons why the factor model cannot be fitted to features, without fitting it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import ARM, DIAGNOSIS, FEATURE, SUBJECT
from bayes_mdd.errors import BayesMDDError, problems_of
from bayes_mdd.features.contract import constant_features
from bayes_mdd.features.roles import participants_of
from bayes_mdd.shared_specific.data.dependence import needs_matrix
from bayes_mdd.shared_specific.data.design import build_design
from bayes_mdd.shared_specific.data.directions import check_directions, check_scale
from bayes_mdd.shared_specific.data.edges import read_edge_scale
from bayes_mdd.shared_specific.data.prepare import check_size, select_subjects
from bayes_mdd.shared_specific.data.ratings import (
    check_links,
    link_design,
    linked_columns,
    read_ratings,
)
from bayes_mdd.specs import SharedSpecificSpec
from bayes_mdd.types import Array


def list_problems(
    spec: SharedSpecificSpec, features: xr.Dataset, symptoms: pd.DataFrame | None = None
) -> list[str]:
    """List everything that `prepare` would refuse.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model.
    features : Dataset
        A FeatureSet, standardised or as measured.
    symptoms : DataFrame, optional
        Symptoms by participant.

    Returns
    -------
    list of str
        The problems; empty if the model can be fitted.
    """
    problems: list[str] = []

    def _attempt[T](step: Callable[[], T]) -> T | None:
        try:
            return step()
        except BayesMDDError as error:
            problems.extend(problems_of(error))
            return None

    selected = _attempt(lambda: select_subjects(spec, features))
    linked = _attempt(lambda: (linked_columns(spec, symptoms),))
    if spec.feature_dependence == "matrix" and features.attrs.get("units") == "z":
        scale = read_edge_scale(features)
        if isinstance(scale, str):
            problems.append(needs_matrix(scale))
    if selected is None:
        return problems
    subjects = participants_of(selected[0])
    if spec.controls == "arm":
        subjects = subjects.drop(columns=DIAGNOSIS)
    arms = sorted(set(subjects[ARM]))
    _attempt(lambda: check_links(spec, arms))
    design = _attempt(lambda: build_design(subjects, spec.covariates))
    if design is None:
        return problems
    _attempt(lambda: check_size(spec, design, arms))
    columns = design.to_numpy()
    _attempt(lambda: _check_values(spec, selected[0], columns))
    if linked is not None:
        index = np.array([arms.index(a) for a in subjects[ARM]])
        _attempt(lambda: read_ratings(spec, linked[0], link_design(spec, design, index, len(arms))))
    return problems


def _check_values(spec: SharedSpecificSpec, chosen: xr.Dataset, design: Array) -> None:
    """Raise what `prepare` raises about the values of features that meet their contract."""
    y = chosen["y"].transpose(SUBJECT, FEATURE).values.astype(float)
    if not np.isfinite(y).all() or constant_features(y).any():
        return
    if chosen.attrs.get("units") == "z":
        check_scale(y, spec.noise_scale)
    check_directions(y, design, spec.n_factors, chosen[FEATURE].values.tolist())
