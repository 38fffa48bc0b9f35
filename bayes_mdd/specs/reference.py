"""Standardisation of features before a fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bayes_mdd.specs.base import Spec, check_choices, check_names


@dataclass(frozen=True, kw_only=True)
class ReferenceSpec(Spec):
    """How features are standardised before the fit.

    Parameters
    ----------
    group : {"controls", "patients"}, default "controls"
        The reference subjects: healthy controls, or the patients with an arm. A cohort without
        controls is fitted with "patients" only; nothing is then compared with healthy subjects.
    covariates : tuple of str
        Nuisance columns that are regressed out, with coefficients fitted on the reference
        subjects.
    covariates_if_present : tuple of str
        Used where a cohort has them; otherwise left out and reported.

    Examples
    --------
    >>> ReferenceSpec(group="patients").group
    'patients'
    """

    group: Literal["controls", "patients"] = "controls"
    covariates: tuple[str, ...] = ()
    covariates_if_present: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_choices(self)
        check_names(self, "covariates", "covariates_if_present")
