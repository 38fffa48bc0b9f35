"""The first screen of the report: what the data support and what not, in plain words."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from bayes_mdd.results.checks import judge, weigh
from bayes_mdd.results.result import Result
from bayes_mdd.results.study import Study
from bayes_mdd.shared_specific.report.caveats import (
    say_assignment,
    say_assumption,
    say_reliability,
)
from bayes_mdd.shared_specific.report.claims import (
    list_claimed,
    say_claims,
    say_links,
    write_headline,
)
from bayes_mdd.shared_specific.report.content import say_detectable
from bayes_mdd.shared_specific.report.key_checks import list_consequences
from bayes_mdd.shared_specific.report.words import count

State = Literal["clear", "caution", "stop"]


@dataclass(frozen=True)
class Part:
    """Sentences of the paragraph about one question.

    Parameters
    ----------
    label : str
        A few words that lead in.
    text : str
        The sentences.
    """

    label: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Opening:
    """The first screen in words.

    Parameters
    ----------
    state : {"clear", "caution", "stop"}
        From `bayes_mdd.results.checks.weigh`.
    headline : str
        One line.
    paragraph : sequence of Part
        One paragraph.
    """

    state: State
    headline: str
    paragraph: Sequence[Part]

    @property
    def text(self) -> str:
        """The paragraph without its lead-ins."""
        return " ".join(part.text for part in self.paragraph)


def write_opening(
    result: Result,
    table: pd.DataFrame,
    checks: pd.DataFrame,
    study: Study,
    *,
    data: Collection[str] = (),
    links: pd.DataFrame | None = None,
    n_considered: int,
    limits: pd.DataFrame | None = None,
    min_explained: float = 0.01,
) -> Opening:
    """Write what the data do and do not support.

    Parameters
    ----------
    result : Result
        A fit.
    table : pandas.DataFrame
        What `classify_factors` returned.
    checks : pandas.DataFrame
        What `diagnose` returned, with whatever was appended.
    study : Study
        Name, assignment and time of the scans.
    data : collection of str
        Names of the checks that are about the data.
    links : pandas.DataFrame, optional
        What `summarise_symptom_links` returned; None without symptoms.
    n_considered : int
        Largest number of factors that the model could have.
    limits : pandas.DataFrame, optional
        From `smallest_trait`.
    min_explained : float, default 0.01
        Smallest share of variance of an active factor.

    Returns
    -------
    Opening
        Where checks failed, it says what not to interpret; where none but checks of the data or of
        an assumption failed, claims follow a warning; otherwise claims with their probabilities,
        then what they are not.
    """
    state, failed = weigh(checks, data), judge(checks).failed
    if state == "stop":
        headline = "Do not interpret these results yet"
        parts = _say_stop(checks, failed, data, study)
        return Opening(state=state, headline=headline, paragraph=parts)
    found = not list_claimed(table).empty
    claims = say_claims(result, table, study, n_considered)
    if links is not None and found:
        claims.append(say_links(table, links))
    if not found and (detectable := say_detectable(limits, min_explained)):
        claims.append(detectable)
    headline = write_headline(result, table)
    parts = [Part("What the data support.", " ".join(claims))]
    if state == "caution":
        n = count(len(failed))
        warning = f"{n} {'check' if len(failed) == 1 else 'checks'} failed."
        warned = " ".join([warning, *list_consequences(failed, data)])
        parts = [Part("Why caution is needed.", warned), Part("What was fitted.", parts[0].text)]
        headline = f"Interpret with caution. {headline}"
    if found:
        arms = [say_assignment(result, study)] if len(result.arms) > 1 else []
        parts.append(Part("How lasting.", say_reliability(result, table)))
        parts += [Part("What this does not show.", text) for text in arms]
        parts.append(Part("What it rests on.", say_assumption(result, checks)))
    return Opening(state=state, headline=headline, paragraph=parts)


def _say_stop(
    checks: pd.DataFrame, failed: Sequence[str], data: Collection[str], study: Study
) -> list[Part]:
    """Say why nothing may be read off yet, and what to do first."""
    which = "check" if len(checks) == 1 else "checks"
    why = f"{count(len(failed))} of {len(checks)} {which} failed."
    of = "these simulated data" if study.synthetic else "these data"
    parts = [
        Part("Why.", " ".join([why, *list_consequences(failed, data)])),
        Part(
            "What not to interpret.",
            f"Until all checks pass, this page supports no conclusion about {of}: not the number "
            "of patterns, which arm they belong to, their probabilities, maps or symptom links.",
        ),
    ]
    advice = next((r["advice"] for _, r in checks.iterrows() if r["name"] == failed[0]), None)
    if isinstance(advice, str) and advice:
        parts.append(Part("What to do first.", advice))
    return parts
