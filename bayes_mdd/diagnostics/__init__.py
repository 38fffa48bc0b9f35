"""Whether the draws can be trusted."""

from bayes_mdd.diagnostics.convergence import diagnose

__all__ = ["diagnose"]
