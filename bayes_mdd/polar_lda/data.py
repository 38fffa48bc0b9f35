"""Subjects of a polar LDA fit and their counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayes_mdd.cohort import check_design
from bayes_mdd.dims import ARM, BLOCK, FEATURE, SUBJECT
from bayes_mdd.errors import DataContractError, SpecError, some
from bayes_mdd.features.roles import mark_fitted
from bayes_mdd.polar_lda.em.counts import make_counts
from bayes_mdd.specs import PolarLDASpec


@dataclass(frozen=True, eq=False)
class PolarData:
    """Subjects of a fit and their counts.

    Parameters
    ----------
    features : Dataset
        FeatureSet of the subjects that are fitted.
    counts : ndarray of int, shape (subject, feature)
        Signed counts.
    excluded : mapping of str to str
        Subjects that are not fitted, with the reason.
    """

    features: xr.Dataset
    counts: NDArray[np.int32]
    excluded: dict[str, str]

    @property
    def arm(self) -> NDArray[np.str_]:
        """Arm of each subject."""
        return np.asarray(self.features[ARM].values.astype(str))

    @property
    def blocks(self) -> NDArray[np.str_]:
        """Block of each feature."""
        return np.asarray(self.features[BLOCK].values.astype(str))


def prepare_counts(spec: PolarLDASpec, features: xr.Dataset) -> PolarData:
    """Select the subjects with a known arm and count their deviations.

    Parameters
    ----------
    spec : PolarLDASpec
        The model.
    features : Dataset
        A FeatureSet from `reference_to_controls`.

    Returns
    -------
    PolarData
        Subjects and counts to fit.

    Raises
    ------
    DataContractError
        If features are not standardised as the spec requires, arms are too small, or a subject or
        a feature has no token.
    SpecError
        If there are more factors than subjects.
    """
    _check_reference(spec, features)
    keep, excluded = mark_fitted(features)
    if not keep.any():
        raise DataContractError(
            "participants",
            ["no participant has an arm. Fill in the column 'arm' of participants.tsv."],
        )
    chosen = features.isel({SUBJECT: np.flatnonzero(keep)})
    subjects = pd.DataFrame(
        {str(c): chosen[c].values for c in chosen.coords if chosen[c].dims == (SUBJECT,)}
    ).set_index(SUBJECT)
    check_design(subjects, [])
    if spec.n_factors > len(subjects):
        raise SpecError(
            f"model.n_factors is {spec.n_factors}, but only {len(subjects)} participants have an "
            "arm. Reduce n_factors."
        )
    counts = make_counts(chosen["y"].values, scale=spec.scale, rounding=spec.rounding)
    _check_counts(spec, chosen, counts)
    return PolarData(chosen, counts, excluded)


def _check_reference(spec: PolarLDASpec, features: xr.Dataset) -> None:
    stated = str(features.attrs.get("reference", "not stated")).removeprefix("robust ")
    if stated.startswith("z against"):
        return
    if stated.startswith("z within"):
        if spec.reference == "patients":
            return
        problem = (
            f"there are no controls (reference of the features: {stated}), and polar LDA counts "
            "deviations from controls. Add controls (diagnosis HC), or set model.reference to "
            "patients: hyper- and hypo-connection then mean more and less than in the average "
            "patient."
        )
    else:
        problem = (
            f"the features are not standardised (their reference: {stated}). Apply "
            "reference_to_controls first; tokens are counted per SD of the controls."
        )
    raise DataContractError("reference", [problem])


def _check_counts(spec: PolarLDASpec, chosen: xr.Dataset, counts: NDArray[np.int32]) -> None:
    problems = []
    empty = ~counts.any(axis=1)
    if empty.any():
        problems.append(
            f"{some(chosen[SUBJECT].values[empty])}: all deviations are rounded to 0 tokens, and "
            "without tokens there is no composition. Exclude them, or raise model.scale."
        )
    absent = ~counts.any(axis=0)
    if absent.any() and spec.absent_edges == "raise":
        problems.append(
            f"{int(absent.sum())} feature(s) have no token in any participant: "
            f"{some(chosen[FEATURE].values[absent])}. Exclude them, raise model.scale, or set "
            "model.absent_edges to keep."
        )
    if problems:
        raise DataContractError("counts", problems)
