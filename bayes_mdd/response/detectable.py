"""The smallest moderation that a trial of its size could have found."""

from __future__ import annotations

from dataclasses import replace

from bayes_mdd.response.power import Plan, power_moderator

#: Power that counts as "could have found".
POWER = 0.8
#: Largest SD of the benefit that is searched, in residual SD of the outcome.
LARGEST = 3.0


def smallest_benefit_sd(n: int, plan: Plan, power: float = POWER) -> float | None:
    """Search the smallest SD of the benefit that a trial finds with a given power.

    Parameters
    ----------
    n : int
        Number of patients.
    plan : Plan
        Candidates, reliability, allocation and level; its `benefit_sd` is not used.
    power : float, default 0.8
        Of the F test of all interactions.

    Returns
    -------
    float or None
        In residual SD of the outcome; None if `LARGEST` is not enough.

    Examples
    --------
    >>> round(smallest_benefit_sd(200, Plan(candidates=1)), 2)
    0.4
    """
    if power_moderator(n, replace(plan, benefit_sd=LARGEST)) < power:
        return None
    low, high = 0.0, LARGEST
    while high - low > 1e-3:
        middle = (low + high) / 2
        enough = power_moderator(n, replace(plan, benefit_sd=middle)) >= power
        low, high = (low, middle) if enough else (middle, high)
    return high
