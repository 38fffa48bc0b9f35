"""A new cohort, standardised like the cohort of a run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

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
    idata: xr.DataTree,
    folder: Path,
    *,
    session: str | None,
    training: Path | None,
    controls: Sequence[str] | None = None,
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
    controls : sequence of str, optional
        The diagnoses that mark controls in the new cohort; empty if there are none.

    Returns
    -------
    NewCohort
        Features, and the cohort of the fit where it was given.
    """
    covariates = _reference_covariates(idata)
    group = _reference_group(idata)
    log.info("Reading %s", folder)
    new = bm.read_features(folder, session=session, controls=controls)
    if training is None:
        if covariates is not None:
            if controls is not None and not controls:
                group = "patients"
            new = bm.reference_to_controls(new, covariates, group=group)
        return NewCohort(new)
    log.info("Reading %s, the cohort of the fit", training)
    words = _control_words(idata)
    fitted = bm.read_features(training, controls=words)
    symptoms = bm.read_cohort(training, controls=words).symptoms
    if covariates is not None:
        new = bm.reference_to_training(new, fitted, covariates, group=group)
        fitted = bm.reference_to_controls(fitted, covariates, group=group)
    return NewCohort(new, fitted, symptoms)


def _reference_covariates(idata: xr.DataTree) -> list[str] | None:
    """Read the covariates that were regressed out; None if features were not standardised."""
    from bayes_mdd.results.result import read_result

    reference = read_result(idata).features.get("reference")
    return [str(c) for c in reference["covariates"]] if isinstance(reference, dict) else None


def _reference_group(idata: xr.DataTree) -> Literal["patients"] | None:
    """Read whether the patients were the reference of the fit."""
    from bayes_mdd.results.result import read_result

    group = read_result(idata).provenance.get("reference_group")
    return "patients" if group == "patients" else None


def _control_words(idata: xr.DataTree) -> list[str] | None:
    """Read which diagnoses were said to mark controls in the cohort of the fit."""
    from bayes_mdd.results.result import read_result

    words = read_result(idata).features.get("controls")
    return [str(w) for w in words] if isinstance(words, list) else None


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
