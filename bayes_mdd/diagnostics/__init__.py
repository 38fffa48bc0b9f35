"""Whether the draws can be trusted, and how well a model predicts people it has not seen."""

from bayes_mdd.diagnostics.compare import Comparison, compare_models, vary_factors
from bayes_mdd.diagnostics.convergence import diagnose
from bayes_mdd.diagnostics.predictive import leave_one_out

__all__ = ["Comparison", "compare_models", "diagnose", "leave_one_out", "vary_factors"]
