"""Patients that a trial needs, by size of the moderation and reliability of the scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from bayes_mdd.response.power import Plan, Target, patients_needed

#: SD of the benefit, in residual SD of the outcome, and reliabilities that are tabulated.
SIZES = tuple(np.round(np.arange(0.2, 1.01, 0.05), 2))
RELIABILITIES = (0.5, 0.65, 0.8, 1.0)
#: Power that is wanted.
WANTED = 0.8


def tabulate_power(
    plan: Plan,
    *,
    target: Target = "moderator",
    reliabilities: Sequence[float] = RELIABILITIES,
    sizes: Sequence[float] = SIZES,
    power: float = WANTED,
) -> pd.DataFrame:
    """Tabulate the number of patients per arm that reach a power, in closed form.

    Parameters
    ----------
    plan : Plan
        Candidates, allocation and level; its size and reliability are not used.
    target : {"moderator", "policy", "learned_rule"}, default "moderator"
        What is to be found.
    reliabilities : sequence of float
        Of the scores.
    sizes : sequence of float
        SD of the benefit, in residual SD of the outcome.
    power : float, default 0.8
        Wanted power.

    Returns
    -------
    DataFrame
        ``reliability``, ``benefit_sd`` and ``n_per_arm`` (of the smaller arm); NaN where 5000 are
        not enough.

    Examples
    --------
    >>> table = tabulate_power(Plan(candidates=5), reliabilities=[0.8], sizes=[0.4, 0.6])
    >>> table["n_per_arm"].tolist()
    [219.0, 102.0]
    """
    rows = []
    for reliability in reliabilities:
        for size in sizes:
            wanted = replace(plan, benefit_sd=float(size), reliability=float(reliability))
            found = patients_needed(target, wanted, power)
            rows.append((float(reliability), float(size), np.nan if found is None else found))
    table = pd.DataFrame(rows, columns=["reliability", "benefit_sd", "n_per_arm"])
    table["n_per_arm"] = table["n_per_arm"].astype(float)
    return table
