"""Whether the draws can be trusted, what they rest on, and how well a model predicts."""

from bayes_mdd.diagnostics.compare import Comparison, compare_models, vary_factors
from bayes_mdd.diagnostics.convergence import append_check, diagnose
from bayes_mdd.diagnostics.feature_noise import judge_feature_noise
from bayes_mdd.diagnostics.permutation import judge_permutations, permute_arms
from bayes_mdd.diagnostics.predictive import leave_one_out
from bayes_mdd.diagnostics.predictive_verdict import judge_predictive
from bayes_mdd.diagnostics.prior_draws import prior_predictive, summarise_prior
from bayes_mdd.diagnostics.residual_checks import PredictiveChecks, predictive_checks
from bayes_mdd.diagnostics.sensitivity import judge_sensitivity, prior_sensitivity

__all__ = [
    "Comparison",
    "PredictiveChecks",
    "append_check",
    "compare_models",
    "diagnose",
    "judge_feature_noise",
    "judge_permutations",
    "judge_predictive",
    "judge_sensitivity",
    "leave_one_out",
    "permute_arms",
    "predictive_checks",
    "prior_predictive",
    "prior_sensitivity",
    "summarise_prior",
    "vary_factors",
]
