"""Standardisation of features before a fit."""

from __future__ import annotations

from dataclasses import dataclass

from bayes_mdd.specs.base import Spec, check_names


@dataclass(frozen=True, kw_only=True)
class ReferenceSpec(Spec):
    """How features are standardised before the fit.

    Parameters
    ----------
    covariates : tuple of str
        Nuisance columns that are regressed out, with coefficients fitted on the reference
        subjects.
    covariates_if_present : tuple of str
        Used where a cohort has them; otherwise left out and reported.
    """

    covariates: tuple[str, ...] = ()
    covariates_if_present: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_names(self, "covariates", "covariates_if_present")
