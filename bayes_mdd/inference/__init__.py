"""The one call of the sampler, exact loadings, the run folder, and people not in the fit."""

from bayes_mdd.inference.fit import fit
from bayes_mdd.inference.projection import project
from bayes_mdd.inference.projection_files import export_projection, summarise_projection
from bayes_mdd.inference.run_folder import read_run

__all__ = ["export_projection", "fit", "project", "read_run", "summarise_projection"]
