"""Results as figures: each function returns a Matplotlib Figure; none shows, saves or samples."""

from __future__ import annotations

from bayes_mdd.plotting.blocks import plot_block_map
from bayes_mdd.plotting.connectome import plot_connectome
from bayes_mdd.plotting.factors import plot_explained, plot_sharing
from bayes_mdd.plotting.polar_lda import plot_compositions, plot_null
from bayes_mdd.plotting.quality import plot_quality
from bayes_mdd.plotting.sites import plot_site_effects
from bayes_mdd.plotting.symptoms import plot_symptom_links

__all__ = [
    "plot_block_map",
    "plot_compositions",
    "plot_connectome",
    "plot_explained",
    "plot_null",
    "plot_quality",
    "plot_sharing",
    "plot_site_effects",
    "plot_symptom_links",
]
