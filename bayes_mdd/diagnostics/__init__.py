"""Can the draws be trusted?"""

from bayes_mdd.diagnostics.convergence import diagnose

__all__ = ["diagnose"]
