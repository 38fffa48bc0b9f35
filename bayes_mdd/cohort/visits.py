"""Visits: sessions are points in time, and each participant has one arm (no crossover)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Final

import pandas as pd

from bayes_mdd.cohort.group_words import normal_form
from bayes_mdd.dims import ARM, MISSING
from bayes_mdd.errors import some

NO_CROSSOVER: Final = (
    "Crossover designs, in which a participant receives several treatments one after the other, "
    "are not supported"
)
#: Treatments that may name a visit.
_TREATMENTS: Final = frozenset(
    (
        *("ssri", "ssris", "snri", "snris", "tca", "maoi", "placebo", "pbo", "sham", "drug"),
        *("active", "verum", "citalopram", "escitalopram", "fluoxetine", "fluvoxamine"),
        *("paroxetine", "sertraline", "vortioxetine", "vilazodone", "venlafaxine", "duloxetine"),
        *("desvenlafaxine", "levomilnacipran", "milnacipran", "bupropion", "mirtazapine"),
        *("trazodone", "agomelatine", "reboxetine", "amitriptyline", "nortriptyline"),
        *("imipramine", "desipramine", "clomipramine", "ketamine", "esketamine", "lithium"),
        *("quetiapine", "psilocybin", "tms", "rtms", "tdcs", "cbt"),
    )
)
_TREATMENT_COLUMNS: Final = ("arm", "treatment", "condition", "intervention")
_BASELINE: Final = frozenset(
    (
        *(
            "baseline",
            "base",
            "bl",
            "pre",
            "pretreatment",
            "pretx",
            "screening",
            "intake",
            "before",
        ),
        *("t0", "v0", "week0", "wk0", "w0", "day0", "d0", "month0", "m0", "0weeks", "0"),
    )
)
_SEPARATORS: Final = re.compile(r"\s*(?:[/+,;|>&\u2192]|->|-|_|\bthen\b|\band\b)\s*", re.IGNORECASE)


def crossover_problems(table: pd.DataFrame, key: str, known: Collection[str] | None) -> list[str]:
    """Find participants with several arms in a participants table.

    Parameters
    ----------
    table : pandas.DataFrame
        Text cells, with the ids in column `key`.
    key : str
        Column of the ids.
    known : collection of str or None
        Arms that the sidecar lists; a combination that it lists is one arm.

    Returns
    -------
    list of str
        One problem for repeated rows with different arms, and one for cells with several arms.

    Examples
    --------
    >>> table = pd.DataFrame({"participant_id": ["s1", "s1"], "arm": ["SSRI", "SNRI"]})
    >>> crossover_problems(table, "participant_id", None)[0][:53]
    's1 (SSRI, SNRI) have several arms. Crossover designs,'
    """
    if ARM not in table:
        return []
    arms = table[ARM].astype(str)
    real = arms[~arms.isin([MISSING, ""])]
    problems = []
    if several := several_arms(table, key):
        listed = some(f"{i} ({', '.join(own)})" for i, own in several.items())
        problems.append(
            f"{listed} have several arms. {NO_CROSSOVER}: keep one row per participant, for "
            "example that of the first period, with its arm."
        )
    combined = [a for a in real.unique() if a not in (known or ()) and _is_combined(a, real)]
    if combined:
        chosen = real[real.isin(combined)]
        ids = table[key].loc[chosen.index]
        listed = some(f"{i} ({arm!r})" for i, arm in zip(ids, chosen, strict=True))
        problems.append(
            f"arm of {listed} names several arms. {NO_CROSSOVER}: write the arm of one period, or "
            "list the combination as one of the Levels of 'arm' in participants.json if it was "
            "one treatment."
        )
    return problems


def several_arms(table: pd.DataFrame, key: str) -> dict[str, list[str]]:
    """Find participants whose rows have different arms.

    Parameters
    ----------
    table : pandas.DataFrame
        Text cells.
    key : str
        Column of the ids.

    Returns
    -------
    dict
        The arms by participant.
    """
    if ARM not in table:
        return {}
    arms = table[ARM].astype(str)
    real = arms[~arms.isin([MISSING, ""])]
    return _several(table[key].astype(str).loc[real.index], real)


def _several(ids: pd.Series, arms: pd.Series) -> dict[str, list[str]]:
    found = {str(i): list(dict.fromkeys(own)) for i, own in arms.groupby(ids, sort=False)}
    return {
        i: own for i, own in found.items() if len({normal_form(a) for a in own}) > 1 and i != ""
    }


def _is_combined(arm: str, arms: pd.Series) -> bool:
    """Test whether an arm names several other arms, or a sequence that another arm reverses."""
    if normal_form(arm) in ("both", "crossover"):
        return True
    parts = [normal_form(p) for p in _SEPARATORS.split(arm) if normal_form(p)]
    others = {normal_form(str(a)) for a in arms.unique() if a != arm}
    if len(parts) == 1 and 1 < len(arm) <= 4:  # AB and BA
        parts = list(parts[0])
        return parts[::-1] != parts and "".join(reversed(parts)) in others
    if len(set(parts)) < 2:
        return False
    return {*parts} <= others or "".join(reversed(parts)) in others


def visit_problems(
    table: pd.DataFrame,
    key: str,
    session: str,
    *,
    arms: Iterable[str] = (),
    levels: Collection[str] = (),
) -> list[str]:
    """Find visits that are named by treatment, change of treatment, and an unclear first visit.

    Parameters
    ----------
    table : pandas.DataFrame
        Ratings as text, with the ids in column `key`.
    key, session : str
        Columns of ids and sessions.
    arms : iterable of str
        Arms of the cohort.
    levels : collection of str
        Sessions in their order, as the sidecar states them; empty if it does not.

    Returns
    -------
    list of str
        The problems; empty if there are none.

    Examples
    --------
    >>> table = pd.DataFrame({"id": ["s1", "s1"], "ses": ["ses-ssri", "ses-placebo"]})
    >>> visit_problems(table, "id", "ses", arms=["SSRI", "placebo"])[0][:56]
    'sessions ses-ssri, ses-placebo are named by treatment. A'
    """
    known = {normal_form(a) for a in map(str, arms) if a != MISSING}
    problems = _treatment_column_problems(table, key, known)
    if session not in table:
        return problems
    sessions = [str(s) for s in table[session].unique() if s not in ("", MISSING)]
    # Arms that are named by one letter or a number say nothing about sessions 1, 2 or A, B.
    words = _TREATMENTS | {w for w in known if len(w) > 1 and not w.isdigit()}
    named = [s for s in sessions if _visit(s) in words]
    if named and (not levels or _several(table[key], table[session][table[session].isin(named)])):
        problems.append(
            f"sessions {some(named)} are named by treatment. A session is a point in time "
            "(ses-baseline, ses-week8), and the treatment is the arm in participants.tsv. "
            f"{NO_CROSSOVER}: keep one period, and name its visits by time."
        )
    elif not levels:
        problems += _order_problems(sessions)
    return problems


def _treatment_column_problems(table: pd.DataFrame, key: str, known: set[str]) -> list[str]:
    problems = []
    for name in (str(c) for c in table.columns if str(c).lower() in _TREATMENT_COLUMNS):
        cells = table[name].astype(str)
        # Other treatments, such as those before the study, are no crossover.
        treated = cells.map(lambda c: normal_form(c) in known).astype(bool)
        several = _several(table[key].astype(str)[treated], cells[treated])
        if several:
            listed = some(f"{i} ({', '.join(own)})" for i, own in several.items())
            problems.append(
                f"column {name!r} has several treatments for {listed}. {NO_CROSSOVER}: keep the "
                "ratings of one period."
            )
    return problems


def _order_problems(sessions: list[str]) -> list[str]:
    """Ask where the first session in the table is not the first by its name."""
    if len(sessions) < 2:
        return []
    baseline = [s for s in sessions if _visit(s) in _BASELINE]
    numbers = [re.fullmatch(r"(\D*)(\d+)(\D*)", _visit(s)) for s in sessions]
    first = baseline[0] if baseline else ""
    if not baseline and all(numbers) and len({(m[1], m[3]) for m in numbers if m}) == 1:
        first = min(sessions, key=lambda s: int(re.sub(r"\D", "", _visit(s))))
    if first in ("", sessions[0]):
        return []
    return [
        f"the first session in the table is {sessions[0]}, but {first} seems to be the first in "
        f"time. State the Levels of session_id, in their order, in the JSON sidecar."
    ]


def _visit(session: str) -> str:
    return normal_form(session.removeprefix("ses-"))
