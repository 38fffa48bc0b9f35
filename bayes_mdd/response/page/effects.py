"""Average effect, prognosis and moderation in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from bayes_mdd.response.analysis import ResponseAnalysis
from bayes_mdd.response.facts import unit_of_number
from bayes_mdd.response.moderators import CLEAR, describe_moderators
from bayes_mdd.response.page.words import (
    count_in_words,
    say_better,
    say_interval,
    unit_of_coefficients,
)
from bayes_mdd.results.page import format_number

#: Reliability below which little can be said about a single patient.
UNRELIABLE = 0.5


def say_average(analysis: ResponseAnalysis) -> str:
    """Say which drug is better on average.

    Parameters
    ----------
    analysis : ResponseAnalysis
        The results.

    Returns
    -------
    str
        Two sentences.
    """
    found, spec = analysis.average, analysis.spec
    size = say_interval(found["mean"], found["lower"], found["upper"])
    start = (
        f"Mean outcome on {analysis.other_arm} minus that on {spec.default_arm}: {size} "
        f"{unit_of_coefficients(spec)} (90% interval). "
    )
    if found["lower"] > 0 or found["upper"] < 0:
        better = say_better(analysis, found["mean"])
        return f"{start}On average {better} is better; this says nothing about a single patient."
    return f"{start}The interval includes no difference."


def say_prognosis(analysis: ResponseAnalysis) -> str:
    """Say with which factors the outcome goes on either drug.

    Parameters
    ----------
    analysis : ResponseAnalysis
        The results.

    Returns
    -------
    str
        Sentences that do not name a drug.
    """
    spec, table = analysis.spec, analysis.summary
    clear = table[table["p_prognosis"] >= CLEAR]
    if clear.empty:
        return "No factor goes clearly with the outcome, whatever is given."
    sign = -1.0 if spec.higher_is_better else 1.0
    parts = []
    for name, row in clear.iterrows():
        worse = "worse" if sign * row["prognosis"] > 0 else "better"
        size = say_interval(row["prognosis"], row["prognosis_lower"], row["prognosis_upper"])
        parts.append(f"{name} with a {worse} outcome ({size})")
    return (
        f"On either drug, higher scores go along: {'; '.join(parts)}, in "
        f"{unit_of_coefficients(spec)} per SD of the score (90% interval)."
    )


def factor_rows(
    summary: pd.DataFrame, names: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """Write prognosis and moderation of each factor as text.

    Parameters
    ----------
    summary : DataFrame
        From `summarise_response`, with ``reliability``.
    names : mapping of str to str, optional
        Names of the factors, from `factor_names`.

    Returns
    -------
    list of dict
        Rows of the tables of the page.
    """
    rows: list[dict[str, Any]] = []
    for name, row in summary.iterrows():
        cells = {
            kind: say_interval(row[kind], row[f"{kind}_lower"], row[f"{kind}_upper"])
            for kind in ("prognosis", "moderation")
        }
        rows.append(
            {
                "factor": (names or {}).get(str(name), str(name)),
                **cells,
                "p_prognosis": f"{row['p_prognosis']:.2f}",
                "p_moderation": f"{row['p_moderation']:.2f}",
                "inclusion": f"{row['inclusion']:.2f}" if "inclusion" in row else "",
                "reliability": f"{row['reliability']:.2f}",
                "quiet": bool(row["reliability"] < UNRELIABLE),
            }
        )
    return rows


def describe_moderation(analysis: ResponseAnalysis) -> dict[str, Any] | None:
    """Write the verdict on moderation as text.

    Parameters
    ----------
    analysis : ResponseAnalysis
        The results.

    Returns
    -------
    dict or None
        Values of the template; None without factors.
    """
    found = analysis.moderation
    if found is None:
        return None
    draws = pd.Series(found.benefit_sd)
    ends = float(draws.quantile(0.05)), float(draws.quantile(0.95))
    return {
        "p": f"{found.p_value:.3f}",
        "permutations": str(len(found.null)),
        "benefit_sd": say_interval(float(draws.mean()), *ends),
        "unit": unit_of_number(analysis.spec),
        "rope": f"{found.rope:.2f}",
        "p_above": f"{found.p_above_rope:.2f}",
        "verdict": found.verdict,
        "named": say_moderators(analysis),
        "priors": [
            {name: format_number(value) for name, value in row.items()}
            for row in analysis.priors.to_dict("records")
        ],
    }


def say_moderators(analysis: ResponseAnalysis) -> str:
    """Name the factors along which the difference between the drugs changes.

    Parameters
    ----------
    analysis : ResponseAnalysis
        The results.

    Returns
    -------
    str
        One sentence for each moderator, with the crossing of the drugs; or that none is named.
    """
    table = describe_moderators(analysis.response)
    named = table[table["named"]]
    if named.empty:
        return (
            f"No factor is named as a moderator: for none is the probability of one direction at "
            f"least {CLEAR:g}."
        )
    said = [_say_moderator(analysis, str(name), row) for name, row in named.iterrows()]
    start = f"{count_in_words(len(said), 'moderator')} named by the posterior"
    return f"{start} (P ≥ {CLEAR:g}, not tested one by one). {' '.join(said)}"


def _say_moderator(analysis: ResponseAnalysis, name: str, row: pd.Series[Any]) -> str:
    of = analysis.summary.astype(float).to_dict("index")[name]
    size = say_interval(of["moderation"], of["moderation_lower"], of["moderation_upper"])
    better = say_better(analysis, of["moderation"])
    said = (
        f"{name}: the higher the score, the more favourable {better} "
        f"({analysis.other_arm} minus {analysis.spec.default_arm} changes by {size} "
        f"{unit_of_coefficients(analysis.spec)} per SD)"
    )
    if row["crossover"]:
        return (
            f"{said}; the expected outcomes cross at a score of {row['crossing'] + 0.0:.2f} SD, "
            "within the central 90% of the patients."
        )
    return f"{said}; the same drug has the better expected outcome for the central 90%."
