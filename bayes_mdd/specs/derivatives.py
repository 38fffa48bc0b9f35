"""Settings for reading the outputs of other tools as features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from bayes_mdd.errors import SpecError
from bayes_mdd.specs.base import (
    Spec,
    check_choices,
    check_names,
    check_number,
    check_positive,
    check_whole,
    renamed_fields,
)

Policy = Literal["refuse", "drop"]
#: Decisions about gaps, for which `missing` is the default.
GAPS = ("missing_regions", "missing_features", "constant_features")

#: Strategies of nilearn's ``load_confounds``.
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


@renamed_fields(absent_people="absent_subjects")
@dataclass(frozen=True, kw_only=True)
class DerivativesSpec(Spec):
    """Settings for reading the outputs of other tools as features.

    Parameters
    ----------
    measure : str, default "correlation"
        Connectivity measure computed from time series (see `connectivity_from_timeseries`).
    estimator : str, default "empirical"
        Covariance estimator of that measure.
    missing : {"refuse", "drop"}, default "refuse"
        Default of the following three, for those that are not given.
    missing_regions : {"refuse", "drop"}, optional
        Treatment of regions without data (or with less coverage than `min_coverage`) in at least
        one subject: raise an error that names them, or leave them out for all subjects and list
        them in ``provenance``. Values are never imputed. Default: `missing`.
    missing_features : {"refuse", "drop"}, optional
        Treatment of single features (edges, regional values) that are missing in at least one
        subject although their regions have data, likewise.
    constant_features : {"refuse", "drop"}, optional
        Treatment of features that have the same value in all subjects (edges that no streamline
        reaches), likewise.
    absent_subjects : {"refuse", "drop"}, default "refuse"
        Treatment of controls and of subjects with an arm who have no file: raise an error that
        names them, or leave them out and list them in ``provenance``. Formerly ``absent_people``.
    min_coverage : float, default 0.5
        Smallest share (0-1) of a region or tract with data. Regions below it count as missing.
    min_volumes : int, default 100
        Smallest number of volumes after censoring. Even 100 independent volumes leave Fisher z
        with a standard error of about 0.1.
    confounds : tuple of str, default ("motion", "high_pass", "wm_csf", "scrub")
        Strategy of nilearn's ``load_confounds`` for fMRIPrep images.
    fd_threshold : float, default 0.5
        Framewise displacement (mm) above which a volume is scrubbed.
    std_dvars_threshold : float, default 1.5
        Standardised DVARS above which a volume is scrubbed.
    sphere_radius : float, default 5.0
        Radius (mm) of spheres at coordinates, where the atlas does not give one.
    resample : bool, default False
        Resample an atlas image to the grid of the data where the two differ (nearest neighbour).
        Both must be in the same space, which can only be checked by their names.

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
    missing_regions: Policy | None = None
    missing_features: Policy | None = None
    constant_features: Policy | None = None
    absent_subjects: Policy = "refuse"
    min_coverage: float = 0.5
    min_volumes: int = 100
    confounds: tuple[str, ...] = ("motion", "high_pass", "wm_csf", "scrub")
    fd_threshold: float = 0.5
    std_dvars_threshold: float = 1.5
    sphere_radius: float = 5.0
    resample: bool = False

    def __post_init__(self) -> None:
        check_choices(self)
        for name in GAPS:
            value = getattr(self, name)
            if value is not None and value not in get_args(Policy):
                raise SpecError(f"{name} must be one of {get_args(Policy)}, got {value!r}.")
        check_number(self, "min_coverage")
        if not 0 <= self.min_coverage <= 1:
            raise SpecError(
                f"min_coverage must be a share between 0 and 1, got {self.min_coverage}."
            )
        check_whole(self, 2, "min_volumes")
        check_positive(self, "fd_threshold", "std_dvars_threshold", "sphere_radius")
        check_names(self, "confounds")
        unknown = [name for name in self.confounds if name not in CONFOUNDS]
        if unknown:
            raise SpecError(
                f"confounds must be among {', '.join(CONFOUNDS)}; got "
                f"{', '.join(map(repr, unknown))}."
            )

    def drops(self, gap: str) -> bool:
        """Whether what has a gap is left out and listed, instead of refused.

        Parameters
        ----------
        gap : {"missing_regions", "missing_features", "constant_features"}
            The decision.

        Returns
        -------
        bool
            Its own setting or, if it is not given, that of `missing`.

        Examples
        --------
        >>> spec = DerivativesSpec(missing="drop", missing_regions="refuse")
        >>> spec.drops("missing_regions"), spec.drops("missing_features")
        (False, True)
        """
        own = getattr(self, gap)
        return bool((self.missing if own is None else own) == "drop")
