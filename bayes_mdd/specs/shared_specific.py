"""The factor model of shared and arm-specific patterns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bayes_mdd.errors import SpecError, some
from bayes_mdd.specs.base import Spec, check_names, check_number, check_positive, check_whole


@dataclass(frozen=True, kw_only=True)
class SharedSpecificSpec(Spec):
    """The factor model whose factors may be shared by the arms or belong to one.

    Features are standardised before the fit (see `reference_to_controls`), so every scale
    below is in standard deviations of a feature.

    Parameters
    ----------
    n_factors : int, default 8
        Factors offered; unused ones shrink to nothing, so offer two or three more than expected.
        With a fixed `sharing` pattern it must equal the pattern's sum or be left out.
    covariates : tuple of str
        Columns of the subject axis that are integrated out, next to the intercept. Text columns
        (``site``) enter as one column a level, numbers as they are.
    covariates_if_present : tuple of str
        The same, for a spec that serves many cohorts: names that a cohort lacks, or that do not
        vary in it, are left out and reported.
    symptoms : tuple of str
        Symptom dimensions linked to the factors.
    symptoms_if_present : tuple of str
        The same, left out and reported where a cohort lacks them.
    ordinal_symptoms : tuple of str
        Columns of the symptom table that hold whole-number item scores (``hamd17_1``); they are
        linked by a cumulative logit. Names are those of ``Cohort.item_scores``.
    symptom_links : {"common", "by_arm"}, default "common"
        One weight for all arms, or a weight for each arm: an average and deviations from it that
        are shrunk apart, with arms' own mean symptom levels.
    sharing : mapping of str to int, optional
        Fixes the pattern instead of learning it: number of factors of all arms (``shared``) and
        of each arm by name, e.g. ``{"shared": 3, "SSRI": 1, "SNRI": 1}``.
    sharing_concentration : float, default 0.6
        Of the Dirichlet prior of sharing; below 1 it prefers factors of all arms or of one.
    mean_scale : float, default 0.5
        Prior SD of an arm's mean expression, in SD of a factor's scores; 0 leaves means out.
    controls : {"reference", "arm"}, default "reference"
        Controls only standardise the features, or they also enter the fit as an arm of their own
        (``HC``) whose mean expression is 0, so that means and spread of the others are placed
        against theirs.
    spare_factors : {"pinned", "sampled"}, default "pinned"
        What becomes of factors for which neither all features together nor any block shows a
        pattern above that of sign-flipped features: pinned to zero and reported as unused, or
        sampled all the same, which mixes slowly. Not read when `sharing` is fixed.
    factor_scale : float, default 0.01
        Scale of the half-Cauchy prior of a factor's overall block scale, in units of the noise;
        small, so that a factor that nothing needs stays away (Piironen & Vehtari, 2017).
    local_df : float, default 4.0
        Degrees of freedom of the half-t prior of block scales around the factor's overall one.
        1 is the horseshoe, whose tails let a spare factor chase the noise of one small block.
    slab_scale : float, default 2.0
        Upper bound of a block scale (regularised horseshoe).
    feature_noise : {"moderated", "equal", "student"}, default "moderated"
        Whether features of a block differ in noise by factors estimated beforehand from their
        residual variance and shrunk toward each other, or are taken as equally noisy, or each
        have a noise variance of their own that is integrated out (inverse-gamma around the
        block's). The last is for features that differ much in noise; its cost grows with their
        number, and ``method="fast"`` does not know it.
    feature_dependence : {"independent", "weighted"}, default "independent"
        Errors of features are taken as independent given the factors, or all features together
        count as the smaller number of independent ones that their residuals fluctuate like: the
        likelihood to that power. Edges that share a region share its error, so with connectivity
        intervals of "independent" are too narrow where ``check --predictive`` says so; those of
        "weighted" are too wide for strong factors. Correlated noise then hardly ever starts a
        factor, unless one pattern dominates it.
    noise_df : float, optional
        Degrees of freedom of the noise variances with ``feature_noise="student"``: few let
        features differ much. Default: learned, one for all blocks, with a gamma(2, 0.1) prior.
    edge_prior : {"spike_slab", "gaussian"}, default "spike_slab"
        Loadings of the edges of a block: some may be zero, with a probability that is learned for
        each block and factor (the maps then carry ``inclusion``), or all are drawn from one
        Gaussian.
    noise_scale : float, default 1.0
        Scale of the half-normal prior of the residual standard deviation of a block.
    symptom_scale : float, default 1.0
        Scale of the half-normal prior of residual symptom standard deviations, in SD of the
        symptom.
    ordinal_covariate_scale : float, default 1.5
        SD of the normal prior of covariates' effects on ordinal symptoms, in log-odds per SD of a
        number or per level of a text column. (From Gaussian dimensions covariates are integrated
        out under flat priors.)

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
    feature_dependence: Literal["independent", "weighted"] = "independent"
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
        for name, known in {
            "feature_noise": ("moderated", "equal", "student"),
            "feature_dependence": ("independent", "weighted"),
            "controls": ("reference", "arm"),
            "spare_factors": ("pinned", "sampled"),
            "edge_prior": ("spike_slab", "gaussian"),
            "symptom_links": ("common", "by_arm"),
        }.items():
            if (value := getattr(self, name)) not in known:
                raise SpecError(f"{name} must be one of {known}, got {value!r}.")
        if self.noise_df is not None:
            check_positive(self, "noise_df")
            if self.feature_noise != "student":
                raise SpecError(
                    "noise_df is read with feature_noise 'student' only, here that is "
                    f"{self.feature_noise!r}: leave noise_df out, or change feature_noise."
                )
        if self.feature_noise == "student" and self.feature_dependence == "weighted":
            raise SpecError(
                "feature_dependence 'weighted' needs a noise common to a block: set feature_noise "
                "to 'moderated', or feature_dependence to 'independent'."
            )
        check_number(self, "mean_scale")
        if not 0 <= self.mean_scale < float("inf"):
            raise SpecError(f"mean_scale must be a number of at least 0, got {self.mean_scale}.")
        both = {*self.symptoms, *self.symptoms_if_present} & {*self.ordinal_symptoms}
        if both:
            raise SpecError(
                f"{some(sorted(both))} stands under symptoms and ordinal_symptoms: choose one."
            )
        if self.sharing is not None:
            self._check_pattern(self.sharing)
        check_whole(self, 1, "n_factors")

    @property
    def linked_symptoms(self) -> tuple[str, ...]:
        """Gaussian dimensions, then ordinal items: the order of the axis ``symptom``."""
        return (*self.symptoms, *self.ordinal_symptoms)

    def _check_pattern(self, pattern: Mapping[str, int]) -> None:
        if not isinstance(pattern, Mapping) or not pattern:
            raise SpecError(
                "sharing wants a number of factors for 'shared' and for arms by name, "
                f"got {pattern!r}."
            )
        clean = {str(k): v for k, v in pattern.items()}
        bad = [f"{k}: {v!r}" for k, v in clean.items() if type(v) is not int or v < 0]
        if bad:
            raise SpecError(f"sharing wants whole numbers of at least 0, got {some(bad)}.")
        total = sum(clean.values())
        default = type(self).__dataclass_fields__["n_factors"].default
        if self.n_factors not in (default, total):
            raise SpecError(
                f"sharing asks for {total} factors in all, n_factors for {self.n_factors}: "
                "make them equal or leave n_factors out."
            )
        object.__setattr__(self, "sharing", clean)
        object.__setattr__(self, "n_factors", total)
