"""Roles of the subjects of a feature set: who is fitted, who is the reference, who is left out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayes_mdd.cohort.role_table import (
    LEFT_OUT,
    assign_roles,
    say_roles,
    summarise_roles,
)
from bayes_mdd.dims import ARM, CONTROL, DIAGNOSIS, MISSING, SUBJECT

#: Reasons why subjects are not fitted.
REFERENCE_ONLY = "control, used as reference only"
NOT_USED = "control, not used (the reference is the patients)"
NO_ARM = "no known arm"


def participants_of(features: xr.Dataset) -> pd.DataFrame:
    """Gather the columns of the subjects of a feature set.

    Parameters
    ----------
    features : xarray.Dataset
        A feature set.

    Returns
    -------
    pandas.DataFrame
        Indexed by subject; text columns as text.

    Examples
    --------
    >>> subjects = {"subject": ["s1", "s2"], "arm": ("subject", ["SSRI", "n/a"])}
    >>> participants_of(xr.Dataset(coords=subjects))["arm"].tolist()
    ['SSRI', 'n/a']
    """
    columns = {
        str(name): column.values if column.dtype.kind in "fiub" else column.values.astype(str)
        for name, column in features.coords.items()
        if column.dims == (SUBJECT,) and name != SUBJECT
    }
    index = pd.Index(features[SUBJECT].values.astype(str), name=SUBJECT)
    return pd.DataFrame(columns, index=index)


def mark_fitted(
    features: xr.Dataset, *, controls_fitted: bool = False
) -> tuple[NDArray[np.bool_], dict[str, str]]:
    """Mark the subjects to fit, and say why the others are not fitted.

    Parameters
    ----------
    features : xarray.Dataset
        A feature set.
    controls_fitted : bool, default False
        Whether controls are an arm of the fit.

    Returns
    -------
    fitted : numpy.ndarray of bool, shape (subject,)
        Subjects with an arm who are not controls, and controls if `controls_fitted`.
    excluded : dict of str to str
        The other subjects, with the reason.
    """
    arm = features[ARM].values.astype(str)
    control = np.zeros(arm.size, dtype=bool)
    if DIAGNOSIS in features.coords:
        control = features[DIAGNOSIS].values.astype(str) == CONTROL
    fitted = ((arm != MISSING) & ~control) | (control & controls_fitted)
    why = NOT_USED if features.attrs.get("reference_group") == "patients" else REFERENCE_ONLY
    names = features[SUBJECT].values.astype(str)
    excluded = {
        str(s): why if c else NO_ARM for s, c in zip(names[~fitted], control[~fitted], strict=True)
    }
    return fitted, excluded


def count_roles(features: xr.Dataset, *, controls_fitted: bool = False) -> pd.DataFrame:
    """Count the participants of each role, with those who have no features.

    Parameters
    ----------
    features : xarray.Dataset
        A feature set.
    controls_fitted : bool, default False
        Whether controls are an arm of the fit.

    Returns
    -------
    pandas.DataFrame
        As `bayes_mdd.cohort.summarise_roles` returns it; it holds no ids.

    Examples
    --------
    >>> subjects = {"subject": ["s1", "s2"], "arm": ("subject", ["SSRI", "n/a"])}
    >>> count_roles(xr.Dataset(coords=subjects))[["role", "participants"]].values.tolist()
    [['patient', 1], ['left out', 1]]
    """
    group = str(features.attrs.get("reference_group", "controls"))
    roles = assign_roles(participants_of(features), group=group, controls_fitted=controls_fitted)
    table = summarise_roles(roles)
    without = len(_without_features(features))
    if not without:
        return table
    row: Mapping[str, Any] = {
        "role": LEFT_OUT,
        DIAGNOSIS: "any",
        ARM: "any",
        "participants": without,
        "use": "no features",
    }
    return pd.concat([table, pd.DataFrame([row])], ignore_index=True)


def list_roles_of(
    participants: pd.DataFrame | None,
    features: xr.Dataset | None,
    *,
    group: str = "controls",
    controls_fitted: bool = False,
) -> tuple[list[str], pd.DataFrame]:
    """Describe the roles of the participants of a cohort folder.

    Parameters
    ----------
    participants : pandas.DataFrame or None
        Participants, or None where they could not be read.
    features : xarray.Dataset or None
        Their features, or None where they could not be read.
    group : {"controls", "patients"}, default "controls"
        The reference group.
    controls_fitted : bool, default False
        Whether controls are an arm of the fit.

    Returns
    -------
    lines : list of str
        One sentence per group; those who are left out with their ids.
    table : pandas.DataFrame
        From `bayes_mdd.cohort.summarise_roles`; empty without participants.
    """
    if participants is None:
        return [], pd.DataFrame()
    measured = None if features is None else features[SUBJECT].values.astype(str).tolist()
    roles = assign_roles(
        participants, measured=measured, group=group, controls_fitted=controls_fitted
    )
    return say_roles(roles), summarise_roles(roles)


def count_dropped(features: xr.Dataset) -> dict[str, int]:
    """Count the subjects that were dropped when the features were measured or combined.

    Parameters
    ----------
    features : xarray.Dataset
        A feature set.

    Returns
    -------
    dict of str to int
        Number of subjects by reason; empty where regions or edges were dropped instead.

    Examples
    --------
    >>> dropped = {"policy": "drop-subjects", "who": {"too short": ["s1", "s2"]}}
    >>> count_dropped(xr.Dataset(attrs={"left_out": json.dumps(dropped)}))
    {'too short': 2}
    """
    try:
        facts = json.loads(str(features.attrs.get("left_out", "")))
    except json.JSONDecodeError:
        return {}
    who = facts.get("who") if isinstance(facts, dict) else None
    policy = str(facts.get("policy")) if isinstance(facts, dict) else ""
    if not isinstance(who, dict) or not re.search("subject|session|shared", policy):
        return {}
    return {str(k): len(v) for k, v in who.items() if isinstance(v, list) and v}


def _without_features(features: xr.Dataset) -> list[Any]:
    try:
        facts = json.loads(str(features.attrs.get("provenance", "")))
    except json.JSONDecodeError:
        return []
    listed = facts.get("without_features") if isinstance(facts, dict) else None
    return listed if isinstance(listed, list) else []
