"""Who can be projected: people, features, unit, reference and covariates against those of a fit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayes_mdd.dims import ARM, CONTROL, DIAGNOSIS, FEATURE, MISSING, SUBJECT
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.shared_specific.new_subjects.covariates import Coded, NewLevels, code_covariates
from bayes_mdd.shared_specific.new_subjects.fitted import Fitted
from bayes_mdd.shared_specific.new_subjects.subject_statistics import NewPeople


def choose_people(
    features: xr.Dataset, fitted: Fitted, *, include_fitted: bool
) -> tuple[xr.Dataset, dict[str, str]]:
    """Leave out the people of the fit, and controls where they are no arm of it.

    Parameters
    ----------
    features : Dataset
        FeatureSet of new people.
    fitted : Fitted
        The fit.
    include_fitted : bool
        Whether people with the name of a fitted person stay.

    Returns
    -------
    chosen : Dataset
        Who is to be projected.
    excluded : dict of str to str
        The others, with the reason.

    Raises
    ------
    DataContractError
        If there is no y, or nobody is left.
    """
    if "y" not in features or set(features["y"].dims) != {SUBJECT, FEATURE}:
        raise DataContractError(
            "new features", ["expected a Dataset with y (subject, feature); see read_features."]
        )
    names = features[SUBJECT].values.astype(str)
    known = pd.Index(names).isin(fitted.subjects) & (not include_fitted)
    control = _controls(features) & (CONTROL not in fitted.arms)
    excluded = dict.fromkeys(names[control].tolist(), "healthy control")
    excluded |= dict.fromkeys(names[known & ~control].tolist(), "in the fit")
    keep = ~(known | control)
    if not keep.any():
        raise DataContractError(
            "new features",
            [
                f"nobody is left to project: {int(control.sum())} control(s), "
                f"{int((known & ~control).sum())} of the fit. To project new sessions of fitted "
                "people set include_fitted (--include-fitted)."
            ],
        )
    return features.isel({SUBJECT: np.flatnonzero(keep)}), excluded


def check_people(
    fitted: Fitted,
    features: xr.Dataset,
    idata: xr.DataTree,
    new_levels: NewLevels,
    *,
    other_reference: bool,
) -> NewPeople:
    """Check people, features, unit, reference and covariates; all problems in one error.

    Parameters
    ----------
    fitted : Fitted
        The fit.
    features : Dataset
        From `choose_people`.
    idata : DataTree
        The fit, for its attributes.
    new_levels : {"refuse", "average"}
        What becomes of levels that the fit did not see.
    other_reference : bool
        Whether another reference is accepted.

    Returns
    -------
    NewPeople
        For `read_person`.

    Raises
    ------
    DataContractError
        If anything does not fit.
    """
    names = features[SUBJECT].values.astype(str)
    table = pd.DataFrame(
        {str(c): v.values for c, v in features.coords.items() if v.dims == (SUBJECT,)}, index=names
    )
    coded = code_covariates(table, fitted.people, list(fitted.design.columns), new_levels)
    problems = [
        *_feature_problems(fitted, features),
        *_scale_problems(idata, features, other_reference=other_reference),
        *coded.problems,
        *_arm_problems(fitted, features),
    ]
    twice = pd.Index(names)
    if twice.has_duplicates:
        problems.append(f"people stand more than once: {some(set(twice[twice.duplicated()]))}.")
    if problems:
        raise DataContractError("new features", problems)
    return _make_people(fitted, features, coded)


def _make_people(fitted: Fitted, features: xr.Dataset, coded: Coded) -> NewPeople:
    """Bring features into the order and unit of the fit."""
    names = pd.Index(features[FEATURE].values.astype(str))
    y = features["y"].transpose(SUBJECT, FEATURE).values.astype(float)
    order = names.get_indexer(pd.Index(list(fitted.features)))
    return NewPeople(
        names=tuple(features[SUBJECT].values.astype(str).tolist()),
        y=y[:, order] / fitted.feature_noise,
        design=coded.design,
        new_level=coded.new_level,
    )


def _feature_problems(fitted: Fitted, features: xr.Dataset) -> list[str]:
    names = pd.Index(features[FEATURE].values.astype(str))
    wanted = pd.Index(list(fitted.features))
    problems = []
    lacking = wanted.difference(names)
    if len(lacking):
        problems.append(
            f"{len(lacking)} feature(s) of the fit are missing: {some(lacking)}. All are needed."
        )
    extra = names.difference(wanted)
    if len(extra):
        problems.append(
            f"{len(extra)} feature(s) were not in the fit: {some(extra)}. Select those of the fit."
        )
    if names.has_duplicates:
        problems.append(f"features stand more than once: {some(set(names[names.duplicated()]))}.")
    bad = ~np.isfinite(features["y"].transpose(SUBJECT, FEATURE).values).all(axis=1)
    if bad.any():
        problems.append(
            f"y has missing or infinite values for {some(features[SUBJECT].values[bad])}: leave "
            "these people out or repair their features."
        )
    return problems


def _scale_problems(
    idata: xr.DataTree, features: xr.Dataset, *, other_reference: bool
) -> list[str]:
    problems = []
    units = str(features.attrs.get("units", ""))
    if units != (of_fit := str(idata.attrs.get("units", ""))):
        problems.append(
            f"units are '{units or 'not stated'}', the fit's are '{of_fit or 'not stated'}'."
        )
    reference = str(features.attrs.get("reference", "not stated"))
    of_fit = str(idata.attrs.get("reference", "not stated"))
    if reference != of_fit and not other_reference:
        problems.append(
            f"reference is '{reference}', the fit's is '{of_fit}': standardise the new people "
            "together with the reference people of the fit (on the command line: --training "
            "COHORT), or accept the difference with other_reference (--other-reference)."
        )
    return problems


def _arm_problems(fitted: Fitted, features: xr.Dataset) -> list[str]:
    arm = known_arms(features)
    strange = sorted(set(arm) - {MISSING, *fitted.arms})
    if not strange:
        return []
    who = features[SUBJECT].values[np.isin(arm, strange)]
    return [
        f"arm {some(strange)} of {some(who)} was not in the fit (known: {some(fitted.arms)}): "
        f"write {MISSING} to project these people under each known arm."
    ]


def _controls(features: xr.Dataset) -> NDArray[np.bool_]:
    if DIAGNOSIS not in features.coords:
        return np.zeros(features.sizes[SUBJECT], dtype=bool)
    return np.asarray(features[DIAGNOSIS].values.astype(str) == CONTROL)


def known_arms(features: xr.Dataset) -> NDArray[np.str_]:
    """Read each person's arm; that of a control is ``HC``, whatever the column says.

    Parameters
    ----------
    features : Dataset
        FeatureSet of new people.

    Returns
    -------
    ndarray of str, shape (person,)
        ``n/a`` where there is none.
    """
    arm = np.full(features.sizes[SUBJECT], MISSING)
    if ARM in features.coords:
        arm = features[ARM].values.astype(str)
    return np.where(_controls(features), CONTROL, arm)
