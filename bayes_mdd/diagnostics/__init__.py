"""Whether the draws can be trusted, and how well a model predicts people it has not seen."""

from bayes_mdd.diagnostics.compare import Comparison, compare_models, vary_factors
from bayes_mdd.diagnostics.convergence import append_check, diagnose
from bayes_mdd.diagnostics.feature_noise import judge_feature_noise
from bayes_mdd.diagnostics.permutation import judge_permutations, permute_arms
from bayes_mdd.diagnostics.predictive import leave_one_out

__all__ = [
    "Comparison",
    "append_check",
    "compare_models",
    "diagnose",
    "judge_feature_noise",
    "judge_permutations",
    "leave_one_out",
    "permute_arms",
    "vary_factors",
]
