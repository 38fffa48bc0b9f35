"""Densities and slopes of priors as compiled functions, for the loops of the density."""

from __future__ import annotations

from bayes_mdd.kernels import compiled
from bayes_mdd.shared_specific.prior import arms, horseshoe, scales

add_sharing = compiled(arms.add_sharing)
half_normal_log = compiled(scales.half_normal_log)
half_normal_slope = compiled(scales.half_normal_slope)
half_t_log = compiled(scales.half_t_log)
half_t_slope = compiled(scales.half_t_slope)
slab_ratio = compiled(horseshoe.slab_ratio)
