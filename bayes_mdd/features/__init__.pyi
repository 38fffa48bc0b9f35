# The names of this package, listed once: `bayes_mdd/features/__init__.py` loads them from here.

from .adjust.change import change_features as change_features
from .adjust.harmonize import harmonize_sites as harmonize_sites
from .adjust.quality import check_quality as check_quality
from .adjust.quality import Quality as Quality
from .adjust.quality import record_quality as record_quality
from .adjust.reference import reference_to_controls as reference_to_controls
from .adjust.reference_training import reference_to_training as reference_to_training
from .adjust.sites import site_effects as site_effects
from .atlas.atlases import read_atlas as read_atlas
from .atlas.atlases import read_circuits as read_circuits
from .blind import hide_arms as hide_arms
from .contract import check_features as check_features
from .derivatives import read_arrays as read_arrays
from .derivatives import read_derivatives as read_derivatives
from .folder.reading import connectivity_features as connectivity_features
from .folder.reading import read_features as read_features
from .folder.writing import write_features as write_features
from .measures.connectivity import connectivity_from_timeseries as connectivity_from_timeseries
from .measures.graph import graph_features as graph_features
from .measures.regional import regional_features as regional_features
from .measures.structural import structural_features as structural_features
from .regions import check_regions as check_regions
from .regions import read_regions as read_regions
from .views import combine_views as combine_views
from .views import select_view as select_view

__all__: list[str]
