"""Figures of prognosis, moderation and power."""

from __future__ import annotations

import numpy as np

from bayes_mdd.response.analysis import ResponseAnalysis
from bayes_mdd.response.facts import unit_of_number
from bayes_mdd.response.figures.crossover import plot_crossover
from bayes_mdd.response.figures.factors import plot_response_factors
from bayes_mdd.response.figures.power import plot_power
from bayes_mdd.response.moderators import describe_moderators
from bayes_mdd.response.page.words import in_points
from bayes_mdd.response.power_curves import RELIABILITIES, SIZES, tabulate_power
from bayes_mdd.results.page import Picture, embed

#: Most crossover plots on a page.
MOST_CROSSOVERS = 4


def draw_factors(analysis: ResponseAnalysis) -> Picture | None:
    """Draw prognosis beside moderation.

    Parameters
    ----------
    analysis : ResponseAnalysis
        The results.

    Returns
    -------
    Picture or None
        None without factors.
    """
    if not len(analysis.summary):
        return None
    return embed(
        plot_response_factors(analysis.response), "Prognosis and moderation",
        "Prognosis beside moderation of each factor, with 50% and 90% intervals",
    )  # fmt: skip


def draw_crossovers(analysis: ResponseAnalysis) -> list[tuple[str, Picture]]:
    """Draw outcomes and benefit against each moderator, or the factor nearest to one.

    Parameters
    ----------
    analysis : ResponseAnalysis
        The results.

    Returns
    -------
    list of tuple
        Caption and picture of each; empty where the outcome is not in points.
    """
    if not len(analysis.summary) or not in_points(analysis.spec):
        return []
    table = describe_moderators(analysis.response)
    named = table[table["named"]]
    if named.empty:
        name = str(table.index[0])
        said = f"No moderator is named; {name} has the largest estimate of moderation."
        return [(said, _draw_crossover(analysis, name))]
    return [
        (
            f"{name}: {'crossover' if row['crossover'] else 'no crossover among these patients'}.",
            _draw_crossover(analysis, str(name)),
        )
        for name, row in named.head(MOST_CROSSOVERS).iterrows()
    ]


def _draw_crossover(analysis: ResponseAnalysis, factor: str) -> Picture:
    return embed(
        plot_crossover(analysis.response, factor=factor, points=False), f"crossover {factor}",
        f"Outcome on each drug, and the benefit of the other drug, against the score of {factor}",
    )  # fmt: skip


def say_detectable(analysis: ResponseAnalysis) -> str:
    """Say which moderation the trial could have found.

    Parameters
    ----------
    analysis : ResponseAnalysis
        The results.

    Returns
    -------
    str
        Empty without factors.
    """
    plan = analysis.plan
    if plan is None:
        return ""
    n, k = int(analysis.flow["analysed"].sum()), plan.candidates
    start = (
        f"With {n} patients, {k} factor{'s' if k > 1 else ''} and a mean reliability of the scores "
        f"of {plan.reliability:.2f} as the fit believes it, "
    )
    if analysis.detectable is None:
        return start + "this trial could not have found any plausible moderation."
    digits = 1 if in_points(analysis.spec) else 2
    points = f"{analysis.detectable:.{digits}f} {unit_of_number(analysis.spec)}"
    return (
        f"{start}this trial could have found a benefit SD of {points} with a power of 0.8 (F test "
        "of all interactions at 0.05, closed form). Smaller differences between patients may exist."
    )


def draw_power(analysis: ResponseAnalysis) -> Picture | None:
    """Draw how many patients a trial needs, with the place of this one.

    Parameters
    ----------
    analysis : ResponseAnalysis
        The results.

    Returns
    -------
    Picture or None
        None without factors.
    """
    plan = analysis.plan
    if plan is None:
        return None
    own = round(plan.reliability, 2)
    others = [r for r in RELIABILITIES if abs(r - own) > 0.07]
    found = plan.benefit_sd
    sizes = sorted({*SIZES, *([round(found, 2)] if np.isfinite(found) and found < 2 else [])})
    table = tabulate_power(plan, reliabilities=sorted([*others, own]), sizes=sizes)
    arms = analysis.flow["analysed"].to_numpy()
    trial = (found, float(arms.min())) if np.isfinite(found) else None
    return embed(
        plot_power(table, trial=trial), "Patients needed",
        "Patients per arm that a trial needs against the SD of the benefit, by reliability",
    )  # fmt: skip
