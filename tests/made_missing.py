"""Trials with drop-out for the tests of visits and of missing outcomes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

import bayes_mdd as bm

SPEC = bm.ResponseSpec(
    outcome="hamd17", default_arm="SSRI", assignment="randomised", baseline="hamd17_baseline"
)
#: The same with wide priors, where estimates are compared with least squares.
WIDE = bm.ResponseSpec(**{**SPEC.to_mapping(), "drug_scale": 5.0, "covariates": ()})


def drop_out(
    trial: bm.SimulatedTrial,
    seed: int,
    *,
    share: float = 0.3,
    by_arm: float = 0.0,
    reason: str = "lack_of_efficacy",
) -> bm.SimulatedTrial:
    """Patients whose rating at week 4 is poor have none at week 8, with chance in it."""
    rng = np.random.default_rng(seed)
    week4 = trial.visits[trial.visits["session_id"] == "ses-week4"]
    drive = week4.set_index("participant_id")["value"].loc[list(trial.outcomes.index)]
    other = (trial.outcomes["arm"] != "SSRI").to_numpy()
    drive = (drive - drive.mean()) / drive.std() * 1.5 + by_arm * other
    drive = drive + rng.logistic(size=drive.size)
    gone = trial.outcomes.index[np.argsort(-drive.to_numpy())[: round(share * drive.size)]]
    return without(trial, gone, reason)


def without(trial: bm.SimulatedTrial, gone: pd.Index, reason: str) -> bm.SimulatedTrial:
    outcomes = trial.outcomes.copy()
    outcomes.loc[gone, ["hamd17", "missing_reason"]] = [np.nan, reason]
    visits = trial.visits.copy()
    last = (visits["session_id"] == "ses-week8") & visits["participant_id"].isin(gone)
    visits.loc[last, "value"] = np.nan
    return replace(trial, outcomes=outcomes, visits=visits)


def effect(fitted: object) -> float:
    return float(fitted["posterior"]["drug"].mean())
