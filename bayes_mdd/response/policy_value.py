"""What is known about the value of a learned rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from bayes_mdd.response.overlap import Overlap


@dataclass(frozen=True, eq=False)
class PolicyValue:
    """Value of the learned rule.

    Parameters
    ----------
    table : DataFrame
        Indexed by what the rule is compared with: "declared default", "better fixed drug", "random"
        (either drug with probability 1/2). ``gain``, ``se``, ``lower``, ``upper`` (90%) in points,
        positive where the rule is better; ``gain_ipw``, ``se_ipw``, without predictions of
        outcomes; ``z``, descriptive only; ``remission`` and ``nnt`` where remission is defined.
    p_randomisation : float
        Of what ranking patients by their cross-fitted benefit gains, beyond the average effect:
        arms drawn again, rule learned again. NaN if not computed.
    z_sequential, p_sequential : float
        Test of the gain over the declared default in which each fold is judged by a rule that only
        earlier folds taught.
    changed : float
        Share of patients for whom the rule chooses the other drug.
    curve : DataFrame
        Gain, share of patients with a preference and share changed, by `p_star`.
    toc : DataFrame
        Share of patients by priority, and their gain beyond the average (descriptive).
    calibration : DataFrame
        Predicted and observed benefit in groups of predicted benefit; ``attrs["slope"]``, the slope
        of observed on predicted benefit within folds.
    people : DataFrame
        Predicted ``benefit`` of each patient with its 90% and 50% intervals, ``p_benefit``,
        ``preference`` (1: the other drug, -1: the default, 0: none) and choice (``other_drug``),
        all held out. Patients without an outcome come last.
    stage_one : {"refit", "once"}
        "refit": the factors were fitted again in each fold. "once": the same scores served all
        folds; they come from scans alone, never from outcomes.
    factors : tuple of int
        Smallest and largest number of factors of a fold.
    counts : mapping of str to int
        Patients ``observed``, ``without_outcome`` (who enter by their predicted outcome, while
        known outcomes count by the inverse probability of being known), ``left_out`` (without an
        outcome, and baseline, a covariate or the stratum unknown); ``seldom_observed``, whose
        probability of a known outcome was raised to 0.05.
    overlap : Overlap or None
        For observational arms: overlap, balance and E-values.
    """

    table: pd.DataFrame
    p_randomisation: float
    z_sequential: float
    p_sequential: float
    changed: float
    curve: pd.DataFrame
    toc: pd.DataFrame
    calibration: pd.DataFrame
    people: pd.DataFrame
    stage_one: Literal["refit", "once"]
    factors: tuple[int, int]
    counts: Mapping[str, int]
    overlap: Overlap | None

    def describe(self) -> str:
        """Say how the scores were made and what was done about missing outcomes.

        Returns
        -------
        str
            Sentences for a reader.
        """
        low, high = self.factors
        number = f"{low}" if low == high else f"{low} to {high}"
        said = {
            "refit": (
                f"The factors were fitted again without the patients of each fold ({number} "
                "factors, fast method)."
            ),
            "once": (
                f"The scores ({number} factors) were estimated once, from the scans of all "
                "patients and without any outcome; the rule was learned again in each fold."
            ),
        }[self.stage_one]
        if gone := self.counts["without_outcome"]:
            said += (
                f" {gone} patients without an outcome enter by their predicted outcome; known "
                "outcomes count by the inverse of the estimated probability of being known"
            )
            raised = self.counts["seldom_observed"]
            said += f" (raised to 0.05 for {raised} patients)." if raised else "."
        if left := self.counts["left_out"]:
            said += (
                f" {left} patients without an outcome are left out, because baseline, a covariate "
                "or the stratum is unknown."
            )
        if self.overlap is not None:
            said += (
                " Arms were not randomised: this is an association. The E-value of the average "
                f"effect is {self.overlap.e_values['e_value'].iloc[0]:.2f}, that of the gain "
                f"{self.overlap.e_values['e_value'].iloc[1]:.2f}; estimated probabilities of a "
                f"drug were moved to 0.05 or 0.95 for {self.overlap.clipped} patients."
            )
        return said
