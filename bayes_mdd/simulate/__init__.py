"""Cohorts with known truth, drawn without the code of the model they test (NumPy only).

A patient's edges are ``base + covariates + noise_sd * (scores @ loadings + noise)`` in Fisher z;
controls carry covariates and noise but no factors. Scores are N(0, 1); of a factor that belongs to
one arm they are exactly 0 in the others. A factor lives in about six network pairs; there a loading
is the pair's mean, N(0, 0.5) and at least 0.35 in size, plus N(0, 0.3) an edge, in units of the
edge's residual SD. HAMD-17 items come from thresholded latent severities that lean on a factor.
"""

from __future__ import annotations

from bayes_mdd.simulate._cohort import SimulatedCohort, simulate_cohort
from bayes_mdd.simulate._design import DEMO_ARMS, DEMO_LINKS, DEMO_PATTERNS, DEMO_SEED
from bayes_mdd.simulate._write import write_cohort

__all__ = [
    "DEMO_ARMS",
    "DEMO_LINKS",
    "DEMO_PATTERNS",
    "DEMO_SEED",
    "SimulatedCohort",
    "simulate_cohort",
    "write_cohort",
]
