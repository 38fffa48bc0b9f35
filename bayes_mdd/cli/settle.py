"""Fit a spec that serves many cohorts to the one at hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

import bayes_mdd as bm
from bayes_mdd.cli import show
from bayes_mdd.dims import ARM, CONTROL, DIAGNOSIS, MISSING, SUBJECT
from bayes_mdd.specs import AnalysisSpec


def varying(subjects: xr.Dataset) -> list[str]:
    """Name the subject columns that are known and vary.

    Parameters
    ----------
    subjects : xarray.Dataset
        The people in question, with their columns as coordinates on ``subject``.

    Returns
    -------
    list of str
        Columns with at least two different known values.
    """
    return [
        str(name)
        for name, column in subjects.coords.items()
        if column.dims == (SUBJECT,) and name != SUBJECT and _varies(pd.Series(column.values))
    ]


def _varies(values: pd.Series[Any]) -> bool:
    known = values[values.notna() & (values != MISSING)].to_numpy()
    return bool((known != known[:1]).any())


def settle_spec(
    spec: AnalysisSpec, features: xr.Dataset, symptoms: pd.DataFrame
) -> tuple[AnalysisSpec, list[str]]:
    """Settle a spec that serves many cohorts against this one.

    Parameters
    ----------
    spec : AnalysisSpec
        May have ``*_if_present`` lists.
    features : xarray.Dataset
        Features of the cohort.
    symptoms : pandas.DataFrame
        Symptom dimensions of the cohort, by participant.

    Returns
    -------
    spec : AnalysisSpec
        The spec that will be run.
    notes : list of str
        One sentence for every name that was left out.
    """
    control = features[DIAGNOSIS].values == CONTROL
    fitted = (features[ARM].values != MISSING) & ~control
    reference = control if control.any() else fitted
    known = symptoms.reindex(pd.Index(features[SUBJECT].values[fitted]))
    return spec.resolve(
        varying(features.isel({SUBJECT: np.flatnonzero(fitted)})),
        [str(c) for c in known.columns if _varies(known[c])],
        available_reference=varying(features.isel({SUBJECT: np.flatnonzero(reference)})),
    )


def read_inputs(spec: AnalysisSpec, folder: Path) -> tuple[AnalysisSpec, xr.Dataset, pd.DataFrame]:
    """Read a cohort and settle what the spec leaves to it.

    Parameters
    ----------
    spec : AnalysisSpec
        What is asked.
    folder : Path
        The cohort.

    Returns
    -------
    spec : AnalysisSpec
        Without what this cohort lacks; that is told.
    features : xarray.Dataset
        As measured, not yet against the controls.
    symptoms : pandas.DataFrame
        Dimensions and, where the spec links them, items.
    """
    show.note(f"Reading {folder}")
    cohort = bm.read_cohort(folder)
    features = bm.read_features(folder)
    symptoms = cohort.symptoms
    if getattr(spec.model, "ordinal_symptoms", ()):
        symptoms = symptoms.join(cohort.item_scores)
    spec, notes = settle_spec(spec, features, cohort.symptoms)
    for text in notes:
        show.note(f"Note: {text}")
    return spec, features, symptoms
