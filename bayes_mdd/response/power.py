r"""How many patients a trial needs, in closed form.

Sizes are in residual SD of the outcome: g is the SD of the benefit over patients, r the reliability
of the scores, q the share of patients on the other drug, v = 1 / (N q (1 - q) r).

The F test of K interactions A m_k is one of the columns that are left of them after intercept,
baseline, arm and the K scores themselves: of N subjects, N - K - 3 remain, and the interaction with
the moderator has the sum of squares (N - K - 3) q (1 - q) r. The variance of the noise is

.. math:: 1 + (1 - r) (g^2 / 4 + R^2 / (1 - R^2))

where the second part is what the error of the scores leaves of benefit and prognosis.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import f as f_distribution
from scipy.stats import ncf, norm

from bayes_mdd.response.column_checks import LEAST_PER_ARM

Target = Literal["moderator", "policy", "learned_rule", "specific_factor"]
#: Share of the variance of the outcome that scores explain on either drug.
PROGNOSIS_R2 = 0.2
#: Columns besides the scores: intercept, baseline, arm.
COLUMNS = 3
#: Largest number of patients per arm that is searched.
MOST_PER_ARM = 5000


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a trial is planned for.

    Parameters
    ----------
    benefit_sd : float
        SD of the benefit over patients, in residual SD of the outcome.
    candidates : int
        Number of factors that may moderate.
    reliability : float
        Of the scores.
    share_other : float
        Share of patients on the other drug.
    alpha : float
        Level of the test.
    explained : float
        Share of the variance of features that a specific factor explains in its arm.
    features : float
        Effective number of features.
    """

    benefit_sd: float = 0.4
    candidates: int = 5
    reliability: float = 1.0
    share_other: float = 0.5
    alpha: float = 0.05
    explained: float = 0.05
    features: float = 1000.0


def power_moderator(n: float, plan: Plan) -> float:
    """Power of the F test of all interactions, of which together they have SD g.

    Parameters
    ----------
    n : float
        Number of patients.
    plan : Plan
        Sizes.

    Returns
    -------
    float
        Power of the two-sided test.
    """
    g, q, r, k = plan.benefit_sd, plan.share_other, plan.reliability, plan.candidates
    left = n - k - COLUMNS
    free = left - k
    if free < 1:
        return plan.alpha
    unexplained = (g**2 / 4 + PROGNOSIS_R2 / (1 - PROGNOSIS_R2)) * (1 - r)
    size = left * q * (1 - q) * r * g**2 / (1 + unexplained)
    return float(ncf.sf(f_distribution.isf(plan.alpha, k, free), k, free, size))


def oracle_gain(benefit_sd: float, drug_effect: float = 0.0, reliability: float = 1.0) -> float:
    """Gain of the best rule on the scan over the better fixed drug.

    Parameters
    ----------
    benefit_sd : float
        SD of the benefit over patients.
    drug_effect : float, default 0.0
        Average benefit.
    reliability : float, default 1.0
        Of the scores.

    Returns
    -------
    float
        In the unit of `benefit_sd`.

    Examples
    --------
    >>> round(oracle_gain(0.4), 3)
    0.16
    """
    s = benefit_sd * np.sqrt(reliability)
    if s == 0:
        return 0.0
    size = abs(drug_effect)
    return float(s * norm.pdf(size / s) + size * norm.cdf(size / s) - size)


def learned_fraction(n: float, plan: Plan) -> float:
    """Share of the gain of the oracle on true scores that a linear rule learned from n reaches.

    Parameters
    ----------
    n : float
        Number of patients.
    plan : Plan
        Sizes.

    Returns
    -------
    float
        Optimistic below about 0.6.
    """
    g, q, r = plan.benefit_sd, plan.share_other, plan.reliability
    if g == 0:
        return 0.0
    v = (1 + g**2 / 4 * (1 - r)) / (n * q * (1 - q) * r)
    return float(np.sqrt(r) / np.sqrt(1 + (plan.candidates + 1) * v / g**2))


def gain_variance(plan: Plan) -> float:
    """Variance per patient of the gain over the default of a rule that changes half of them.

    Parameters
    ----------
    plan : Plan
        Sizes.

    Returns
    -------
    float
        In squared residual SD.
    """
    g, q, r = plan.benefit_sd, plan.share_other, plan.reliability
    noise = 1 + g**2 / 4 * (1 - r)
    return 0.5 * (noise / q + noise / (1 - q) + g**2 * r) - oracle_gain(g, 0, r) ** 2


def power_policy(n: float, plan: Plan, fraction: float = 1.0) -> float:
    """Power of the one-sided test that a rule gains over the default.

    Parameters
    ----------
    n : float
        Number of patients.
    plan : Plan
        Sizes.
    fraction : float, default 1.0
        Share of the gain of the best rule on the scan that the rule reaches.

    Returns
    -------
    float
        Power.
    """
    gain = fraction * oracle_gain(plan.benefit_sd, 0, plan.reliability)
    shift = gain * np.sqrt(n / gain_variance(plan))
    return float(norm.sf(norm.isf(plan.alpha) - shift))


def power_learned_rule(n: float, plan: Plan, folds: int = 5) -> float:
    """Power of the sequential test of a rule that the trial itself teaches.

    Parameters
    ----------
    n : float
        Number of patients.
    plan : Plan
        Sizes.
    folds : int, default 5
        Number of folds, of which each is judged by a rule that earlier ones taught.

    Returns
    -------
    float
        Power, optimistic where the rule reaches less than about 0.6 of the best.
    """
    first = max(1, folds // 3)
    used = [j for j in range(first, folds)]
    root = np.sqrt(plan.reliability)
    reached = np.mean([learned_fraction(n * j / folds, plan) / root for j in used])
    return power_policy(n * len(used) / folds, plan, float(reached))


def power_specific_factor(n: float, plan: Plan) -> float:
    """Tell whether a factor of one arm is found there and called specific.

    Parameters
    ----------
    n : float
        Number of patients in both arms.
    plan : Plan
        Sizes.

    Returns
    -------
    float
        1 from the number of patients on that both need, otherwise 0: a rule of thumb.
    """
    per_arm = n * min(plan.share_other, 1 - plan.share_other)
    s = plan.features * plan.explained / (1 - plan.explained)
    if s <= np.sqrt(plan.features / per_arm):
        return 0.0
    r = s / (1 + s)
    needed = 2 * (1.28 * (1 - r) / (0.11 * r)) ** 2
    return float(per_arm >= needed)


POWER: dict[Target, Callable[[float, Plan], float]] = {
    "moderator": power_moderator,
    "policy": power_policy,
    "learned_rule": power_learned_rule,
    "specific_factor": power_specific_factor,
}


def patients_needed(target: Target, plan: Plan, power: float) -> int | None:
    """Search the smallest number of patients per arm that reaches a power.

    Parameters
    ----------
    target : {"moderator", "policy", "learned_rule", "specific_factor"}
        What is to be found.
    plan : Plan
        Sizes; the arm with fewer patients counts.
    power : float
        Wanted power.

    Returns
    -------
    int or None
        Patients in the smaller arm, at least as many as a fit needs; None if `MOST_PER_ARM` are
        not enough.
    """
    share = min(plan.share_other, 1 - plan.share_other)
    if POWER[target](MOST_PER_ARM / share, plan) < power:
        return None
    low, high = LEAST_PER_ARM - 1, MOST_PER_ARM
    while high - low > 1:
        middle = (low + high) // 2
        reached = POWER[target](middle / share, plan) >= power
        low, high = (low, middle) if reached else (middle, high)
    return high
