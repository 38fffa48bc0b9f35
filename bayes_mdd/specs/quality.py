"""Thresholds of the data quality checks."""

from __future__ import annotations

from dataclasses import dataclass

from bayes_mdd.errors import SpecError
from bayes_mdd.specs.base import Spec, check_number, check_positive


@dataclass(frozen=True, kw_only=True)
class QualitySpec(Spec):
    """Thresholds of `bayes_mdd.check_quality`.

    Parameters
    ----------
    motion : str, default "mean_fd"
        Subject covariate with head motion, in mm.
    max_motion : float, default 0.5
        Motion (mm) above which a subject is listed.
    max_motion_difference : float, default 0.5
        Largest difference in mean motion between two groups, in pooled SD (Cohen's d).
    outlier_z : float, default 8.0
        Absolute value, in SD of the reference subjects, above which a value counts as an outlier.
    max_qcfc : float, default 0.05
        Largest share of features that may correlate with motion, after correction for multiple
        testing.
    fdr : float, default 0.05
        False discovery rate of that correction.
    max_arm_site : float, default 0.3
        Largest association between arm and site (Cramer's V, bias-corrected; 1: complete).

    Examples
    --------
    >>> QualitySpec(outlier_z=6).outlier_z
    6
    """

    motion: str = "mean_fd"
    max_motion: float = 0.5
    max_motion_difference: float = 0.5
    outlier_z: float = 8.0
    max_qcfc: float = 0.05
    fdr: float = 0.05
    max_arm_site: float = 0.3

    def __post_init__(self) -> None:
        if not isinstance(self.motion, str) or not self.motion:
            raise SpecError(f"motion must be the name of a covariate, got {self.motion!r}.")
        check_positive(self, "max_motion", "max_motion_difference", "outlier_z", "fdr")
        check_number(self, "max_qcfc", "max_arm_site")
        for name in ("max_qcfc", "fdr", "max_arm_site"):
            if not 0 <= (value := getattr(self, name)) <= 1:
                raise SpecError(f"{name} must be a share between 0 and 1, got {value}.")
