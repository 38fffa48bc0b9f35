"""How the outputs of other tools are turned into features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from bayes_mdd.errors import SpecError
from bayes_mdd.specs.base import Spec, check_names, check_number, check_positive, check_whole

Policy = Literal["refuse", "drop"]

#: What nilearn's ``load_confounds`` knows.
CONFOUNDS = (
    "motion",
    "high_pass",
    "wm_csf",
    "global_signal",
    "compcor",
    "ica_aroma",
    "scrub",
    "non_steady_state",
)


@dataclass(frozen=True, kw_only=True)
class DerivativesSpec(Spec):
    """How the outputs of other tools are turned into features.

    Parameters
    ----------
    measure : str, default "correlation"
        Measure of connectivity computed from time series (see `connectivity_from_timeseries`).
    estimator : str, default "empirical"
        Its covariance estimator.
    missing : {"refuse", "drop"}, default "refuse"
        What becomes of regions and features without data in somebody, or without variation:
        refuse them by name, or leave them out for everybody and list them in ``provenance``.
        Nothing is ever filled in.
    absent_people : {"refuse", "drop"}, default "refuse"
        What becomes of people with an arm, and controls, who have no file: refuse, or leave them
        out and list them.
    min_coverage : float, default 0.5
        Smallest share (0-1) of a region (or tract) with data; below it the region is missing.
    min_volumes : int, default 100
        Fewest volumes that may remain after censoring; 100 volumes give Fisher z a standard
        error of about 0.1 even if they were independent.
    confounds : tuple of str, default ("motion", "high_pass", "wm_csf", "scrub")
        Strategy of nilearn's ``load_confounds`` for fMRIPrep images.
    fd_threshold : float, default 0.5
        Framewise displacement (mm) above which a volume is scrubbed.
    std_dvars_threshold : float, default 1.5
        Standardised DVARS above which a volume is scrubbed.
    sphere_radius : float, default 5.0
        Radius (mm) of the spheres drawn at coordinates where the atlas gives none.
    resample : bool, default False
        Bring an atlas image that has another grid than the data to the grid of the data
        (nearest neighbour). Both must lie in the same space; only their names can tell.

    Raises
    ------
    SpecError
        If a value is out of its range.

    References
    ----------
    Power et al. (2014), Methods to detect, characterize, and remove motion artifact in resting
    state fMRI. NeuroImage 84.
    """

    measure: str = "correlation"
    estimator: str = "empirical"
    missing: Policy = "refuse"
    absent_people: Policy = "refuse"
    min_coverage: float = 0.5
    min_volumes: int = 100
    confounds: tuple[str, ...] = ("motion", "high_pass", "wm_csf", "scrub")
    fd_threshold: float = 0.5
    std_dvars_threshold: float = 1.5
    sphere_radius: float = 5.0
    resample: bool = False

    def __post_init__(self) -> None:
        for name in ("missing", "absent_people"):
            if getattr(self, name) not in get_args(Policy):
                raise SpecError(
                    f"{name} must be one of {', '.join(get_args(Policy))}, "
                    f"got {getattr(self, name)!r}."
                )
        check_number(self, "min_coverage")
        if not 0 <= self.min_coverage <= 1:
            raise SpecError(f"min_coverage is a share of 0 to 1, got {self.min_coverage}.")
        check_whole(self, 2, "min_volumes")
        check_positive(self, "fd_threshold", "std_dvars_threshold", "sphere_radius")
        check_names(self, "confounds")
        strange = [name for name in self.confounds if name not in CONFOUNDS]
        if strange:
            raise SpecError(
                f"confounds knows {', '.join(CONFOUNDS)}; got {', '.join(map(repr, strange))}."
            )
