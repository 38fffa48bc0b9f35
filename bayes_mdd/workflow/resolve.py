"""Resolving the optional names of a spec against a cohort."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import ARM, CONTROL, DIAGNOSIS, MISSING, SUBJECT
from bayes_mdd.specs import AnalysisSpec
from bayes_mdd.workflow.similar_names import raise_similar_names


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

    Raises
    ------
    DataContractError
        If a name is absent but another column or symptom may be meant by it, such as ``meanFD``
        for ``mean_fd``; every such name is listed.
    """
    control = np.zeros(features.sizes[SUBJECT], dtype=bool)
    if DIAGNOSIS in features.coords:
        control = features[DIAGNOSIS].values.astype(str) == CONTROL
    fitted = (features[ARM].values.astype(str) != MISSING) & ~control
    of_controls = control.any() and spec.reference.group == "controls"
    reference = control if of_controls else fitted
    known = symptoms.reindex(pd.Index(features[SUBJECT].values[fitted]))
    in_model = find_varying(features.isel({SUBJECT: np.flatnonzero(fitted)}))
    in_reference = find_varying(features.isel({SUBJECT: np.flatnonzero(reference)}))
    rated = [str(c) for c in known.columns if _varies(known[c])]
    raise_similar_names(
        spec,
        {
            "model.covariates": in_model,
            "reference.covariates": in_reference,
            "model.symptoms": rated,
        },
    )
    return spec.resolve(in_model, rated, available_reference=in_reference)


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
