"""What was measured: features of the brain under one contract."""

from __future__ import annotations

from bayes_mdd.features.atlases import read_atlas, read_circuits
from bayes_mdd.features.connectivity import connectivity_from_timeseries
from bayes_mdd.features.contract import check_features
from bayes_mdd.features.derivatives import read_arrays, read_derivatives
from bayes_mdd.features.reading import connectivity_features, read_features
from bayes_mdd.features.reference import reference_to_controls
from bayes_mdd.features.reference_others import reference_to_training
from bayes_mdd.features.regions import check_regions, read_regions
from bayes_mdd.features.writing import write_features

__all__ = [
    "check_features",
    "check_regions",
    "connectivity_features",
    "connectivity_from_timeseries",
    "read_arrays",
    "read_atlas",
    "read_circuits",
    "read_derivatives",
    "read_features",
    "read_regions",
    "reference_to_controls",
    "reference_to_training",
    "write_features",
]
