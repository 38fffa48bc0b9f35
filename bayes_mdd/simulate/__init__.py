"""Simulation of cohorts with known truth, independent of the code of the models (NumPy only).

In Fisher z, the edges of patients are ``base + noise_sd * (scores @ loadings + covariates +
noise)``; controls have the same effects of covariates and noise, but no factors. Scores are
N(0, 1); scores of a factor that is specific to one arm are exactly 0 in the other arms. A factor
has non-zero loadings in about six network pairs. There a loading is the mean of the pair, N(0, 0.5)
with an absolute value of at least 0.35, plus N(0, 0.3) for each edge, in residual SD of the edge.
HAMD-17 items are thresholded latent severities, some of which depend on a factor.

Alternatively (``source="series"``) a time series is drawn for each participant, on whose covariance
scores, covariates and sites act, and the edges are measured from it.
"""

from __future__ import annotations

from bayes_mdd.simulate._cohort import SimulatedCohort, simulate_cohort
from bayes_mdd.simulate._design import DEMO_ARMS, DEMO_LINKS, DEMO_PATTERNS, DEMO_SEED
from bayes_mdd.simulate._sources import write_sources
from bayes_mdd.simulate._trial import SimulatedTrial, simulate_trial
from bayes_mdd.simulate._trial_write import write_trial
from bayes_mdd.simulate._write import write_cohort

__all__ = [
    "DEMO_ARMS",
    "DEMO_LINKS",
    "DEMO_PATTERNS",
    "DEMO_SEED",
    "SimulatedCohort",
    "SimulatedTrial",
    "simulate_cohort",
    "simulate_trial",
    "write_cohort",
    "write_sources",
    "write_trial",
]
