"""The one call of the sampler, exact loadings, and the run folder."""

from bayes_mdd.inference.fit import fit
from bayes_mdd.inference.projection import project
from bayes_mdd.inference.run_folder import read_run

__all__ = ["fit", "project", "read_run"]
