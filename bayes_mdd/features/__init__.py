"""What was measured: features of the brain under one contract."""

from __future__ import annotations

from bayes_mdd.features.adjust.change import change_features
from bayes_mdd.features.adjust.harmonize import harmonize_sites
from bayes_mdd.features.adjust.quality import Quality, check_quality, record_quality
from bayes_mdd.features.adjust.reference import reference_to_controls
from bayes_mdd.features.adjust.reference_training import reference_to_training
from bayes_mdd.features.adjust.sites import site_effects
from bayes_mdd.features.atlas.atlases import read_atlas, read_circuits
from bayes_mdd.features.contract import check_features
from bayes_mdd.features.derivatives import read_arrays, read_derivatives
from bayes_mdd.features.folder.reading import connectivity_features, read_features
from bayes_mdd.features.folder.writing import write_features
from bayes_mdd.features.measures.connectivity import connectivity_from_timeseries
from bayes_mdd.features.measures.graph import graph_features
from bayes_mdd.features.measures.regional import regional_features
from bayes_mdd.features.measures.structural import structural_features
from bayes_mdd.features.regions import check_regions, read_regions
from bayes_mdd.features.views import combine_views, select_view

__all__ = [
    "Quality",
    "change_features",
    "check_features",
    "check_quality",
    "check_regions",
    "combine_views",
    "connectivity_features",
    "connectivity_from_timeseries",
    "graph_features",
    "harmonize_sites",
    "read_arrays",
    "read_atlas",
    "read_circuits",
    "read_derivatives",
    "read_features",
    "read_regions",
    "record_quality",
    "reference_to_controls",
    "reference_to_training",
    "regional_features",
    "select_view",
    "site_effects",
    "structural_features",
    "write_features",
]
