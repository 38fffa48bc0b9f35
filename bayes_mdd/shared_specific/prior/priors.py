"""All priors of a model as one value, built from its spec.

The compiled density, prior draws, prior sensitivity and the draws of pinned factors take their
priors from here. The PyMC graphs declare the same priors with PyMC's own distributions, so that
tests can compare the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from bayes_mdd.shared_specific.prior.arms import ArmMeans, Sharing, mean_variance
from bayes_mdd.shared_specific.prior.horseshoe import Horseshoe
from bayes_mdd.shared_specific.prior.scales import Gamma, HalfNormal, HalfT
from bayes_mdd.specs import SharedSpecificSpec

#: Scales of the half-Cauchy priors of the overall scales of symptom weights, and of the deviations
#: of arms from them, which are smaller. Both have half-Cauchy local scales and a slab of 1, in
#: units of a residual SD.
SYMPTOM_OVERALL, SYMPTOM_ARM_OVERALL = 0.2, 0.1
SYMPTOM_SLAB = 1.0
#: Gamma prior of the degrees of freedom of noise variances: weak, away from 0, and with mass
#: beyond 50, where features hardly differ.
NOISE_DF = Gamma(2.0, 0.1)


class PriorConstants(NamedTuple):
    """Constants of the priors that the compiled density reads.

    Numba takes named tuples as arguments; a flat one costs least per call.

    Parameters
    ----------
    sharing_concentration : float
        Of `Priors.sharing`.
    factor_df, factor_scale, local_df, slab : float
        Of `Priors.block_scale`; the scale of its local scales is 1.
    noise_scale : float
        Of `Priors.noise`.
    symptom_df, symptom_scale, symptom_local_df, symptom_slab : float
        Of `Priors.symptom_weight`; the scale of its local scales is 1.
    symptom_noise_scale : float
        Of `Priors.symptom_noise`.
    """

    sharing_concentration: float
    factor_df: float
    factor_scale: float
    local_df: float
    slab: float
    noise_scale: float
    symptom_df: float
    symptom_scale: float
    symptom_local_df: float
    symptom_slab: float
    symptom_noise_scale: float


@dataclass(frozen=True, eq=False)
class Priors:
    """Priors of the parameters of a model.

    Parameters
    ----------
    sharing : Sharing
        Shares of arms in the variance of a factor, where they are estimated.
    arm_mean : ArmMeans
        Means of arms in a factor.
    block_scale : Horseshoe
        Block scales; the overall scale is that of a factor.
    noise : HalfNormal
        Residual SD of a block.
    noise_df : Gamma
        Degrees of freedom of the noise variances of features.
    symptom_weight : Horseshoe
        Symptom weights in units of a residual SD, before reliability.
    symptom_arm : Horseshoe
        Deviations of arms from symptom weights.
    symptom_noise : HalfNormal
        Residual SD of a symptom dimension.
    """

    sharing: Sharing
    arm_mean: ArmMeans
    block_scale: Horseshoe
    noise: HalfNormal
    noise_df: Gamma
    symptom_weight: Horseshoe
    symptom_arm: Horseshoe
    symptom_noise: HalfNormal

    @property
    def constants(self) -> PriorConstants:
        """Constants for the compiled density."""
        block, symptom = self.block_scale, self.symptom_weight
        return PriorConstants(
            sharing_concentration=self.sharing.concentration,
            factor_df=block.overall.df,
            factor_scale=block.overall.scale,
            local_df=block.local.df,
            slab=block.slab,
            noise_scale=self.noise.scale,
            symptom_df=symptom.overall.df,
            symptom_scale=symptom.overall.scale,
            symptom_local_df=symptom.local.df,
            symptom_slab=symptom.slab,
            symptom_noise_scale=self.symptom_noise.scale,
        )


def build_priors(spec: SharedSpecificSpec, arms: tuple[str, ...]) -> Priors:
    """Build the priors of a model.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model.
    arms : tuple of str
        Arms in order.

    Returns
    -------
    Priors
        All priors, including those of parameters that the spec does not use.
    """
    half_cauchy, standard = 1.0, HalfT(df=1.0, scale=1.0)
    return Priors(
        sharing=Sharing(float(spec.sharing_concentration), len(arms)),
        arm_mean=ArmMeans(mean_variance(spec, arms)),
        block_scale=Horseshoe(
            overall=HalfT(half_cauchy, float(spec.factor_scale)),
            local=HalfT(float(spec.local_df), 1.0),
            slab=float(spec.slab_scale),
        ),
        noise=HalfNormal(float(spec.noise_scale)),
        noise_df=NOISE_DF,
        symptom_weight=Horseshoe(HalfT(half_cauchy, SYMPTOM_OVERALL), standard, SYMPTOM_SLAB),
        symptom_arm=Horseshoe(HalfT(half_cauchy, SYMPTOM_ARM_OVERALL), standard, SYMPTOM_SLAB),
        symptom_noise=HalfNormal(float(spec.symptom_scale)),
    )
