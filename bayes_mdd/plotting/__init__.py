"""Figures of results: each function returns a Matplotlib Figure; none shows, saves or samples."""

from __future__ import annotations

from bayes_mdd.plotting.blocks import plot_block_map
from bayes_mdd.polar_lda.figures import plot_compositions, plot_null
from bayes_mdd.response.figures.baselines import plot_baselines
from bayes_mdd.response.figures.benefits import plot_benefits, plot_icons
from bayes_mdd.response.figures.crossover import plot_crossover
from bayes_mdd.response.figures.factors import plot_response_factors
from bayes_mdd.response.figures.missing import plot_tipping
from bayes_mdd.response.figures.policy import (
    plot_benefit_calibration,
    plot_gain_curve,
    plot_priorities,
)
from bayes_mdd.response.figures.power import plot_power
from bayes_mdd.results.figures.circle import plot_circle
from bayes_mdd.results.figures.connectome import plot_connectome
from bayes_mdd.results.figures.quality import plot_quality
from bayes_mdd.results.figures.regions import plot_regions
from bayes_mdd.results.figures.sites import plot_site_effects
from bayes_mdd.results.figures.top_edges import plot_top_edges
from bayes_mdd.shared_specific.figures.change import plot_change_maps
from bayes_mdd.shared_specific.figures.cohorts import plot_cohorts
from bayes_mdd.shared_specific.figures.combined import plot_combined
from bayes_mdd.shared_specific.figures.convergence import plot_convergence
from bayes_mdd.shared_specific.figures.factors import plot_explained, plot_sharing
from bayes_mdd.shared_specific.figures.predictive import plot_predictive
from bayes_mdd.shared_specific.figures.prior_posterior import plot_prior_posterior
from bayes_mdd.shared_specific.figures.score_symptom import plot_score_symptom
from bayes_mdd.shared_specific.figures.scores import plot_scores
from bayes_mdd.shared_specific.figures.symptoms import plot_symptom_links
from bayes_mdd.shared_specific.figures.variance import plot_variance

__all__ = [
    "plot_baselines",
    "plot_benefit_calibration",
    "plot_benefits",
    "plot_block_map",
    "plot_change_maps",
    "plot_circle",
    "plot_cohorts",
    "plot_combined",
    "plot_compositions",
    "plot_connectome",
    "plot_convergence",
    "plot_crossover",
    "plot_explained",
    "plot_gain_curve",
    "plot_icons",
    "plot_null",
    "plot_power",
    "plot_predictive",
    "plot_prior_posterior",
    "plot_priorities",
    "plot_quality",
    "plot_regions",
    "plot_response_factors",
    "plot_score_symptom",
    "plot_scores",
    "plot_sharing",
    "plot_site_effects",
    "plot_symptom_links",
    "plot_tipping",
    "plot_top_edges",
    "plot_variance",
]
