"""Specification of the shared-specific factor model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from bayes_mdd.errors import SpecError, some
from bayes_mdd.specs.base import (
    Spec,
    check_choices,
    check_names,
    check_number,
    check_positive,
    check_whole,
)


@dataclass(frozen=True, kw_only=True)
class SharedSpecificSpec(Spec):
    """Factor model whose factors are shared by the arms or specific to one.

    Features are standardised before the fit (see `reference_to_controls`), so all scales
    below are in standard deviations of a feature.

    Parameters
    ----------
    n_factors : int, default 8
        Largest number of factors. Superfluous factors shrink to zero, so choose two or three more
        than expected. With a fixed `sharing` pattern, omit it or set it to the sum of the
        pattern.
    covariates : tuple of str
        Subject columns that are integrated out together with the intercept. Text columns
        (``site``) are coded as one column per level; numeric columns enter unchanged.
    covariates_if_present : tuple of str
        Further covariates, for a spec that is used with many cohorts: names that a cohort lacks,
        or that do not vary in it, are left out and reported.
    symptoms : tuple of str
        Symptom dimensions linked to the factors.
    symptoms_if_present : tuple of str
        Further symptom dimensions, left out and reported where a cohort lacks them.
    ordinal_symptoms : tuple of str
        Columns of the symptom table with whole-number item scores (``hamd17_1``), linked by a
        cumulative logit. The names are those of ``Cohort.item_scores``.
    symptom_links : {"common", "by_arm"}, default "common"
        One weight for all arms, or one weight per arm. Weights per arm are an average and
        deviations from it, which have a shrinkage prior of their own; each arm then also has its
        own mean symptom level.
    sharing : mapping of str to int, optional
        Fixes the pattern instead of estimating it: the number of factors shared by all arms
        (``shared``) and of factors specific to each arm, by name, e.g.
        ``{"shared": 3, "SSRI": 1, "SNRI": 1}``.
    sharing_concentration : float, default 0.6
        Concentration of the Dirichlet prior of sharing. Values below 1 favour factors of all arms
        or of a single arm over factors in between.
    mean_scale : float, default 0.5
        Prior SD of an arm's mean expression, in SD of a factor's scores. 0 removes the means.
    controls : {"reference", "arm"}, default "reference"
        "reference": controls are used to standardise the features only. "arm": they also enter
        the fit as an arm of their own (``HC``) with mean expression 0, so that means and
        variances of the other arms are relative to controls.
    spare_factors : {"pinned", "sampled"}, default "pinned"
        Treatment of superfluous factors, those without a pattern that exceeds the pattern of
        sign-flipped features, neither in all features together nor in any block: pinned to zero
        and reported as unused, or sampled anyway, which mixes slowly. Ignored when `sharing` is
        fixed.
    factor_scale : float, default 0.01
        Scale of the half-Cauchy prior of a factor's overall block scale, in units of the noise. A
        small value keeps superfluous factors near zero (Piironen & Vehtari, 2017).
    local_df : float, default 4.0
        Degrees of freedom of the half-t prior of block scales around the factor's overall scale.
        1 is the horseshoe; its heavy tails allow a superfluous factor to fit the noise of one
        small block.
    slab_scale : float, default 2.0
        Upper bound of a block scale (regularised horseshoe).
    feature_noise : {"moderated", "equal", "student"}, default "moderated"
        Noise of the features within a block. "moderated": noise ratios are estimated before the
        fit from the residual variances and shrunk towards each other. "equal": the same for all.
        "student": each feature has a noise variance of its own that is integrated out
        (inverse-gamma around the noise of the block). The last suits features that differ much in
        noise; its cost grows with their number, and ``method="fast"`` does not support it.
    feature_dependence : {"auto", "matrix", "weighted", "scaled", "independent"}, default "auto"
        How errors of features are modelled. "matrix", for correlations between all pairs of
        regions: edges are transformed to features whose sampling errors are independent, by
        whitening the regions with the mean correlation matrix; maps and variance explained refer to
        the edges. "weighted", for other features: the likelihood is raised to a power, the
        effective over the actual number of features, where the effective number is estimated from
        the correlated fluctuations of the residuals; weak factors are lost. "independent": errors
        are independent given the factors; with connectivity, patterns of errors are then reported
        as factors. "scaled": the same, with a noise scale for each participant, because scans
        differ in length and motion. "auto": "independent" where the effective number is at least
        80 % of the actual one, "scaled" where it is so after features have been divided by the
        noise scales, else "matrix" where it applies, else "weighted"; with
        ``feature_noise="student"`` always "independent".
    noise_df : float, optional
        Degrees of freedom of the noise variances with ``feature_noise="student"``. Small values
        allow large differences between features. Default: one value for all blocks, estimated
        with a gamma(2, 0.1) prior.
    edge_prior : {"spike_slab", "gaussian"}, default "spike_slab"
        Prior of the loadings of the edges of a block. "spike_slab": some may be zero, with a
        probability that is estimated for each block and factor (the maps then contain
        ``inclusion``). "gaussian": all come from one Gaussian.
    noise_scale : float, default 1.0
        Scale of the half-normal prior of the residual standard deviation of a block.
    symptom_scale : float, default 1.0
        Scale of the half-normal prior of the residual standard deviation of a symptom, in SD of
        the symptom.
    ordinal_covariate_scale : float, default 1.5
        SD of the normal prior of the effects of covariates on ordinal symptoms, in log-odds per
        SD of a numeric column or per level of a text column. (For Gaussian dimensions, covariates
        are integrated out under flat priors.)

    Raises
    ------
    SpecError
        If a value is out of its range.

    Examples
    --------
    >>> spec = SharedSpecificSpec(n_factors=6, covariates=("site",), symptoms=("retardation",))
    >>> spec.n_factors
    6
    >>> SharedSpecificSpec(sharing={"shared": 3, "SSRI": 1, "SNRI": 1}).n_factors
    5
    """

    n_factors: int = 8
    covariates: tuple[str, ...] = ()
    covariates_if_present: tuple[str, ...] = ()
    symptoms: tuple[str, ...] = ()
    symptoms_if_present: tuple[str, ...] = ()
    ordinal_symptoms: tuple[str, ...] = ()
    symptom_links: Literal["common", "by_arm"] = "common"
    sharing: Mapping[str, int] | None = None
    sharing_concentration: float = 0.6
    mean_scale: float = 0.5
    controls: Literal["reference", "arm"] = "reference"
    spare_factors: Literal["pinned", "sampled"] = "pinned"
    factor_scale: float = 0.01
    local_df: float = 4.0
    slab_scale: float = 2.0
    feature_noise: Literal["moderated", "equal", "student"] = "moderated"
    feature_dependence: Literal["auto", "matrix", "weighted", "scaled", "independent"] = "auto"
    noise_df: float | None = None
    edge_prior: Literal["spike_slab", "gaussian"] = "spike_slab"
    noise_scale: float = 1.0
    symptom_scale: float = 1.0
    ordinal_covariate_scale: float = 1.5

    def __post_init__(self) -> None:
        check_names(self, "covariates", "covariates_if_present")
        check_names(self, "symptoms", "symptoms_if_present", "ordinal_symptoms")
        check_positive(
            self,
            "sharing_concentration",
            "factor_scale",
            "local_df",
            "slab_scale",
            "noise_scale",
            "symptom_scale",
            "ordinal_covariate_scale",
        )
        check_choices(self)
        if self.noise_df is not None:
            check_positive(self, "noise_df")
            if self.feature_noise != "student":
                raise SpecError(
                    "noise_df applies to feature_noise 'student' only, but feature_noise is "
                    f"{self.feature_noise!r}: omit noise_df or change feature_noise."
                )
        unsupported = ("matrix", "weighted", "scaled")
        if self.feature_noise == "student" and self.feature_dependence in unsupported:
            raise SpecError(
                f"feature_dependence {self.feature_dependence!r} does not support feature_noise "
                "'student': set feature_noise to 'moderated', or feature_dependence to "
                "'independent'."
            )
        check_number(self, "mean_scale")
        if not 0 <= self.mean_scale < float("inf"):
            raise SpecError(f"mean_scale must be a number of at least 0, got {self.mean_scale}.")
        both = {*self.symptoms, *self.symptoms_if_present} & {*self.ordinal_symptoms}
        if both:
            raise SpecError(
                f"symptoms and ordinal_symptoms both list {some(sorted(both))}: keep one of them."
            )
        if self.sharing is not None:
            self._check_pattern(self.sharing)
        check_whole(self, 1, "n_factors")

    @classmethod
    def override(cls, raw: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
        """Replace values; a new sharing pattern also replaces `n_factors`.

        Parameters
        ----------
        raw : mapping
            From `to_mapping`.
        changes : mapping
            New values by field name; not checked.

        Returns
        -------
        dict
            A mapping for `from_mapping`.
        """
        merged = super().override(raw, changes)
        if "sharing" in changes and "n_factors" not in changes:
            merged.pop("n_factors", None)
        return merged

    @property
    def linked_symptoms(self) -> tuple[str, ...]:
        """Gaussian dimensions followed by ordinal items, in the order of the dim ``symptom``."""
        return (*self.symptoms, *self.ordinal_symptoms)

    def _check_pattern(self, pattern: Mapping[str, int]) -> None:
        if not isinstance(pattern, Mapping) or not pattern:
            raise SpecError(
                "sharing must give the number of factors of 'shared' and of arms by name, "
                f"got {pattern!r}."
            )
        clean = {str(k): v for k, v in pattern.items()}
        bad = [f"{k}: {v!r}" for k, v in clean.items() if type(v) is not int or v < 0]
        if bad:
            raise SpecError(f"sharing must hold whole numbers of at least 0, got {some(bad)}.")
        total = sum(clean.values())
        default = type(self).__dataclass_fields__["n_factors"].default
        if self.n_factors not in (default, total):
            raise SpecError(
                f"sharing gives {total} factors in all, n_factors is {self.n_factors}: "
                "make them equal or omit n_factors."
            )
        object.__setattr__(self, "sharing", clean)
        object.__setattr__(self, "n_factors", total)
