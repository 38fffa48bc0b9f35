"""Resolving the optional names of a spec against a cohort."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import ARM, CONTROL, DIAGNOSIS, MISSING, SUBJECT
from bayes_mdd.specs import AnalysisSpec


def resolve_spec(
    spec: AnalysisSpec, features: xr.Dataset, symptoms: pd.DataFrame
) -> tuple[AnalysisSpec, list[str]]:
    """Replace every ``*_if_present`` list of a spec by the names that a cohort has.

    Covariates and symptoms of the model must vary among the subjects to be fitted. Covariates of
    the reference must vary among the controls, or among the subjects to be fitted where there are
    no controls.

    Parameters
    ----------
    spec : AnalysisSpec
        May have ``*_if_present`` lists.
    features : xarray.Dataset
        FeatureSet of the cohort.
    symptoms : pandas.DataFrame
        Symptom dimensions of the cohort, indexed by participant.

    Returns
    -------
    spec : AnalysisSpec
        The spec with empty ``*_if_present`` lists.
    notes : list of str
        One sentence for each name that was left out.
    """
    control = features[DIAGNOSIS].values == CONTROL
    fitted = (features[ARM].values != MISSING) & ~control
    reference = control if control.any() else fitted
    known = symptoms.reindex(pd.Index(features[SUBJECT].values[fitted]))
    return spec.resolve(
        find_varying(features.isel({SUBJECT: np.flatnonzero(fitted)})),
        [str(c) for c in known.columns if _varies(known[c])],
        available_reference=find_varying(features.isel({SUBJECT: np.flatnonzero(reference)})),
    )


def find_varying(subjects: xr.Dataset) -> list[str]:
    """List the subject columns with at least two different known values.

    Parameters
    ----------
    subjects : xarray.Dataset
        The subjects in question, with their columns as coordinates on ``subject``.

    Returns
    -------
    list of str
        Names of the columns.
    """
    return [
        str(name)
        for name, column in subjects.coords.items()
        if column.dims == (SUBJECT,) and name != SUBJECT and _varies(pd.Series(column.values))
    ]


def _varies(values: pd.Series[Any]) -> bool:
    known = values[values.notna() & (values != MISSING)].to_numpy()
    return bool((known != known[:1]).any())
