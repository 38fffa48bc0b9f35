"""What features are put against before a fit."""

from __future__ import annotations

from dataclasses import dataclass

from bayes_mdd.specs.base import Spec, check_names


@dataclass(frozen=True, kw_only=True)
class ReferenceSpec(Spec):
    """Against what features are standardised before the fit.

    Parameters
    ----------
    covariates : tuple of str
        Nuisance columns regressed out with coefficients fitted on the reference people.
    covariates_if_present : tuple of str
        The same, left out and reported where a cohort lacks them.
    """

    covariates: tuple[str, ...] = ()
    covariates_if_present: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_names(self, "covariates", "covariates_if_present")
