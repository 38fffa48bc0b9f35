# The public names, listed once: `bayes_mdd/polar_lda/__init__.py` loads them from here at first
# use.

from .em.counts import make_counts as make_counts
from .em.counts import published_z as published_z
from .em.counts import PublishedReference as PublishedReference
from .em.fitting import fit_counts as fit_counts
from .em.fitting import infer_counts as infer_counts
from .em.published import read_documents as read_documents
from .em.published import read_published_model as read_published_model
from .robustness.bootstrap import bootstrap_maps as bootstrap_maps
from .robustness.null import null_run as null_run
from .robustness.overlap import posterior_overlap as posterior_overlap
from .robustness.overlap import published_overlap as published_overlap
from .robustness.stability import nestedness as nestedness
from .robustness.stability import split_half as split_half
from .robustness.token_scale import token_sensitivity as token_sensitivity

__all__: list[str]
