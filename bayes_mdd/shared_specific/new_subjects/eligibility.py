"""Selection and checks of new subjects against the subjects, features and scale of a fit."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayes_mdd.dims import ARM, CONTROL, DIAGNOSIS, FEATURE, MISSING, SUBJECT
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.results.result import NOT_STATED, Result
from bayes_mdd.shared_specific.new_subjects.covariates import (
    CodedCovariates,
    NewLevels,
    code_covariates,
)
from bayes_mdd.shared_specific.new_subjects.fitted import Fitted
from bayes_mdd.shared_specific.new_subjects.subject_statistics import NewSubjects
from bayes_mdd.types import Array, BoolArray


def select_subjects(
    features: xr.Dataset, fitted: Fitted, *, include_fitted: bool
) -> tuple[xr.Dataset, dict[str, str]]:
    """Leave out the subjects of the fit, and controls where they are not an arm of it.

    Parameters
    ----------
    features : Dataset
        FeatureSet of new subjects.
    fitted : Fitted
        The fit.
    include_fitted : bool
        Whether subjects with the name of a fitted subject are kept.

    Returns
    -------
    selected : Dataset
        Subjects to project.
    excluded : dict of str to str
        The other subjects, with the reason.

    Raises
    ------
    DataContractError
        If there is no y, or no subject remains.
    """
    if "y" not in features or set(features["y"].dims) != {SUBJECT, FEATURE}:
        raise DataContractError(
            "new features", ["expected a Dataset with y (subject, feature); see read_features."]
        )
    names = features[SUBJECT].values.astype(str)
    known = pd.Index(names).isin(fitted.subjects) & (not include_fitted)
    control = _is_control(features) & (CONTROL not in fitted.arms)
    excluded = dict.fromkeys(names[control].tolist(), "healthy control")
    excluded |= dict.fromkeys(names[known & ~control].tolist(), "in the fit")
    keep = ~(known | control)
    if not keep.any():
        raise DataContractError(
            "new features",
            [
                f"no participant remains to be projected: {int(control.sum())} healthy "
                f"control(s) and {int((known & ~control).sum())} participant(s) of the fit are "
                "left out. To project new sessions of fitted participants, set include_fitted "
                "(--include-fitted)."
            ],
        )
    return features.isel({SUBJECT: np.flatnonzero(keep)}), excluded


def check_subjects(
    fitted: Fitted,
    features: xr.Dataset,
    result: Result,
    new_levels: NewLevels,
    *,
    other_reference: bool,
) -> NewSubjects:
    """Check subjects, features, units, reference and covariates; all problems in one error.

    Parameters
    ----------
    fitted : Fitted
        The fit.
    features : Dataset
        From `select_subjects`.
    result : Result
        The fit, for its units and reference.
    new_levels : {"refuse", "average"}
        How to treat levels that were not in the fit.
    other_reference : bool
        Whether another reference is accepted.

    Returns
    -------
    NewSubjects
        For `summarise_features`.

    Raises
    ------
    DataContractError
        If anything does not match the fit.
    """
    names = features[SUBJECT].values.astype(str)
    table = pd.DataFrame(
        {str(c): v.values for c, v in features.coords.items() if v.dims == (SUBJECT,)}, index=names
    )
    coded = code_covariates(table, fitted.covariates, list(fitted.design.columns), new_levels)
    problems = [
        *_feature_problems(fitted, features),
        *_scale_problems(result, features, other_reference=other_reference),
        *coded.problems,
        *_arm_problems(fitted, features),
        *_duplicates("participants", names),
    ]
    if problems:
        raise DataContractError("new features", problems)
    return _build_subjects(fitted, features, coded)


def _build_subjects(fitted: Fitted, features: xr.Dataset, coded: CodedCovariates) -> NewSubjects:
    """Bring features into the order and unit of the fit."""
    names = pd.Index(features[FEATURE].values.astype(str))
    y = features["y"].transpose(SUBJECT, FEATURE).values.astype(float)
    order = names.get_indexer(pd.Index(list(fitted.features)))
    y, scale = y[:, order], None
    if fitted.transform is not None:
        y = fitted.transform.apply(y)
    if fitted.subject_scale is not None:
        scale = _noise_scales(fitted, y / fitted.feature_noise, coded.design)
        y = y / scale[:, None]
    return NewSubjects(
        names=tuple(features[SUBJECT].values.astype(str).tolist()),
        y=y / fitted.feature_noise,
        design=coded.design,
        new_level=coded.new_level,
        scale=scale,
    )


def _noise_scales(fitted: Fitted, y: Array, design: Array) -> Array:
    """Noise scale of new subjects, relative to that of the fitted ones.

    What the factors explain is no noise. It is removed with least-squares loadings, given the mean
    scores of the fitted subjects.
    """
    on = np.flatnonzero(fitted.draws.block_scale.any(axis=(0, 1)))
    h = fitted.score_residual[..., on].mean(axis=0)
    inverse = np.linalg.pinv(h.T @ h, hermitian=True)
    free = len(h) - fitted.design.shape[1] - on.size
    spread, loadings = np.empty(fitted.block.size), np.empty((on.size, fitted.block.size))
    for part, at in zip(fitted.residual, fitted.members, strict=True):
        loadings[:, at] = inverse @ (h.T @ part)
        spread[at] = ((part - h @ loadings[:, at]) ** 2).sum() / (free * part.shape[1])
    residual = y - design @ fitted.coefficients
    precise = loadings / spread
    scores = residual @ precise.T @ np.linalg.pinv(precise @ loadings.T, hermitian=True)
    left = residual - scores @ loadings
    # The coefficients and loadings of the fit have errors, too.
    leverage = ((design @ fitted.design_inverse) ** 2).sum(axis=1)
    leverage += np.einsum("ik,kl,il->i", scores, inverse, scores)
    n_free = fitted.block.size - on.size
    return np.asarray(np.sqrt((left**2 / spread).sum(axis=1) / n_free / (1 + leverage)))


def _duplicates(what: str, names: Iterable[Hashable]) -> list[str]:
    index = pd.Index(list(names))
    if not index.has_duplicates:
        return []
    return [f"{what} are listed more than once: {some(set(index[index.duplicated()]))}."]


def _feature_problems(fitted: Fitted, features: xr.Dataset) -> list[str]:
    names = pd.Index(features[FEATURE].values.astype(str))
    expected = pd.Index(list(fitted.features))
    problems = []
    missing = expected.difference(names)
    if len(missing):
        problems.append(
            f"{len(missing)} feature(s) of the fit are missing: {some(missing)}. All are needed."
        )
    extra = names.difference(expected)
    if len(extra):
        problems.append(
            f"{len(extra)} feature(s) were not in the fit: {some(extra)}. Select those of the fit."
        )
    problems += _duplicates("features", names)
    bad = ~np.isfinite(features["y"].transpose(SUBJECT, FEATURE).values).all(axis=1)
    if bad.any():
        problems.append(
            f"y has missing or infinite values for {some(features[SUBJECT].values[bad])}: leave "
            "out these participants, or repair their features."
        )
    return problems


def _scale_problems(result: Result, features: xr.Dataset, *, other_reference: bool) -> list[str]:
    problems = []
    units = str(features.attrs.get("units") or NOT_STATED)
    of_fit = NOT_STATED if result.units in ("", "unknown") else result.units
    if units != of_fit:
        problems.append(
            f"units are '{units}', those of the fit are '{of_fit}': measure both in the same "
            "way, or "
            "correct features.json."
        )
    reference = str(features.attrs.get("reference", NOT_STATED))
    if reference != result.reference and not other_reference:
        problems.append(
            f"reference is '{reference}', that of the fit is '{result.reference}': standardise the "
            "new participants relative to the reference participants of the fit (on the command "
            "line: --training COHORT), or accept the difference with other_reference "
            "(--other-reference)."
        )
    return problems


def _arm_problems(fitted: Fitted, features: xr.Dataset) -> list[str]:
    arm = read_arms(features)
    unknown = sorted(set(arm) - {MISSING, *fitted.arms})
    if not unknown:
        return []
    subjects = features[SUBJECT].values[np.isin(arm, unknown)]
    return [
        f"arm {some(unknown)} of {some(subjects)} was not in the fit (known: {some(fitted.arms)}): "
        f"write {MISSING} to project these participants under each known arm."
    ]


def _is_control(features: xr.Dataset) -> BoolArray:
    if DIAGNOSIS not in features.coords:
        return np.zeros(features.sizes[SUBJECT], dtype=bool)
    return np.asarray(features[DIAGNOSIS].values.astype(str) == CONTROL)


def read_arms(features: xr.Dataset) -> NDArray[np.str_]:
    """Read each subject's arm; that of a control is ``HC``, whatever the coordinate says.

    Parameters
    ----------
    features : Dataset
        FeatureSet of new subjects.

    Returns
    -------
    ndarray of str, shape (subject,)
        ``n/a`` where there is none.
    """
    arm = np.full(features.sizes[SUBJECT], MISSING)
    if ARM in features.coords:
        arm = features[ARM].values.astype(str)
    return np.where(_is_control(features), CONTROL, arm)
