"""A new cohort, standardised like the cohort of a run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import bayes_mdd as bm
from bayes_mdd.cli.messages import log

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


@dataclass(frozen=True, eq=False)
class NewCohort:
    """Features to project, and what is known of the cohort of the fit.

    Parameters
    ----------
    features : xarray.Dataset
        FeatureSet of the new cohort, standardised.
    training : xarray.Dataset or None
        FeatureSet of the cohort of the fit, standardised.
    symptoms : pandas.DataFrame or None
        Its symptom dimensions.
    """

    features: xr.Dataset
    training: xr.Dataset | None = None
    symptoms: pd.DataFrame | None = None


def read_new_cohort(
    idata: xr.DataTree, folder: Path, *, session: str | None, training: Path | None
) -> NewCohort:
    """Read a new cohort and standardise it like the features of a run.

    Parameters
    ----------
    idata : xarray.DataTree
        The fitted run.
    folder : Path
        The new cohort.
    session : str or None
        Session of the new cohort.
    training : Path or None
        Cohort of the fit; its controls are then the reference. Otherwise the controls of the new
        cohort are.

    Returns
    -------
    NewCohort
        Features, and the cohort of the fit where it was given.
    """
    covariates = _reference_covariates(idata)
    log.info("Reading %s", folder)
    new = bm.read_features(folder, session=session)
    if training is None:
        if covariates is not None:
            new = bm.reference_to_controls(new, covariates)
        return NewCohort(new)
    log.info("Reading %s, the cohort of the fit", training)
    fitted = bm.read_features(training)
    symptoms = bm.read_cohort(training).symptoms
    if covariates is not None:
        new = bm.reference_to_training(new, fitted, covariates)
        fitted = bm.reference_to_controls(fitted, covariates)
    return NewCohort(new, fitted, symptoms)


def _reference_covariates(idata: xr.DataTree) -> list[str] | None:
    """Read the covariates that were regressed out; None if features were not standardised."""
    from bayes_mdd.results.result import read_result

    reference = read_result(idata).features.get("reference")
    return [str(c) for c in reference["covariates"]] if isinstance(reference, dict) else None


def report_excluded(projection: xr.Dataset) -> None:
    """Report how many participants were not projected, by reason.

    Parameters
    ----------
    projection : xarray.Dataset
        As `bayes_mdd.project` returns it.
    """
    reasons = list(json.loads(projection.attrs["excluded"]).values())
    for reason in dict.fromkeys(reasons):
        log.info("Not projected (%s): %d participants", reason, reasons.count(reason))
