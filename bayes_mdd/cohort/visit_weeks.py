"""Weeks of visits: stated in the table or its sidecar, or clear from the name of the session."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import pandas as pd

from bayes_mdd.cohort.group_words import normal_form
from bayes_mdd.cohort.tables import is_number
from bayes_mdd.dims import MISSING
from bayes_mdd.errors import some

#: Column of a phenotype table with the week of each rating, and key of ``session_id`` in the
#: sidecar with the week of each session.
WEEK, WEEKS = "week", "Weeks"
_BASELINE: Final = frozenset(("baseline", "base", "bl", "pre", "pretreatment", "pretx"))
_WEEK: Final = re.compile(r"(?:week|wk|w)(\d+(?:\.\d+)?)|(\d+(?:\.\d+)?)(?:weeks?|wks?|w)")
_DAY: Final = re.compile(r"(?:day|d)(\d+)|(\d+)(?:days?|d)")


def week_of(session: str) -> float | None:
    """Read the week of a session from its name.

    Parameters
    ----------
    session : str
        For example ``ses-week8``.

    Returns
    -------
    float or None
        Weeks since the beginning of treatment, 0 for baseline; None if the name does not say it
        (months, or numbered visits).

    Examples
    --------
    >>> [week_of(s) for s in ("ses-baseline", "ses-week8", "W2", "ses-day28", "ses-2")]
    [0.0, 8.0, 2.0, 4.0, None]
    """
    form = normal_form(session.removeprefix("ses-"))
    if form in _BASELINE:
        return 0.0
    for pattern, days in ((_WEEK, 1), (_DAY, 7)):
        found = pattern.fullmatch(form)
        if found:
            return float(found[1] or found[2]) / days
    return None


def weeks_of_sessions(
    sessions: Sequence[str], sidecar: Mapping[str, Any]
) -> tuple[dict[str, float], list[str]]:
    """Find the week of each session.

    Parameters
    ----------
    sessions : sequence of str
        The sessions.
    sidecar : mapping
        Content of the JSON sidecar; ``Weeks`` of ``session_id`` may state the weeks.

    Returns
    -------
    weeks : dict
        Those that are known.
    problems : list of str
        Weeks that are no numbers, or of no session.

    Examples
    --------
    >>> weeks_of_sessions(["ses-1", "ses-2"], {"session_id": {"Weeks": {"ses-1": 0, "ses-2": 6}}})
    ({'ses-1': 0.0, 'ses-2': 6.0}, [])
    """
    weeks = {s: week for s in sessions if (week := week_of(s)) is not None}
    meaning = sidecar.get("session_id")
    stated = meaning.get(WEEKS) if isinstance(meaning, Mapping) else None
    if stated is None:
        return weeks, []
    if not isinstance(stated, Mapping):
        return weeks, [
            f"{WEEKS} of session_id must give a number for each session, got {stated!r}."
        ]
    wrong = [
        f"{k}: {v!r}"
        for k, v in stated.items()
        if isinstance(v, bool) or not isinstance(v, (int, float))
    ]
    problems = [f"{WEEKS} of session_id must be numbers, got {some(wrong)}."] if wrong else []
    if not problems:
        weeks |= {s: float(stated[s]) for s in sessions if s in stated}
    return weeks, problems


def order_sessions(
    sessions: Sequence[str], levels: Sequence[str], weeks: Mapping[str, float]
) -> tuple[list[str], list[str]]:
    """Bring sessions into the order of time.

    Parameters
    ----------
    sessions : sequence of str
        In the order of the table.
    levels : sequence of str
        As the sidecar states them; empty if it does not.
    weeks : mapping
        Known weeks by session.

    Returns
    -------
    sessions : list of str
        By the sidecar; else by week, where all weeks are known; else as in the table.
    problems : list of str
        Levels whose weeks do not rise.
    """
    if levels:
        order = [s for s in levels if s in sessions]
        known = [(s, weeks[s]) for s in order if s in weeks]
        for (a, first), (b, second) in pairwise(known):
            if second < first:
                return order, [
                    f"the Levels of session_id state {a} (week {first:g}) before {b} (week "
                    f"{second:g}): put them in the order of time."
                ]
        return order, []
    if all(s in weeks for s in sessions):
        return sorted(sessions, key=lambda s: weeks[s]), []
    return list(sessions), []


def week_column(table: pd.DataFrame) -> tuple[pd.Series | None, list[str]]:
    """Read the column ``week`` of a phenotype table.

    Parameters
    ----------
    table : pandas.DataFrame
        Text cells.

    Returns
    -------
    week : pandas.Series or None
        Weeks, NaN where ``n/a``; None without such a column.
    problems : list of str
        Cells that are no numbers.
    """
    if WEEK not in table:
        return None, []
    cells = table[WEEK]
    wrong = cells[(cells != MISSING) & ~cells.map(is_number).astype(bool)]
    if len(wrong):
        return None, [
            f"column '{WEEK}' must hold numbers or {MISSING}, found {some(wrong.unique())} in "
            f"line(s) {some(wrong.index)}."
        ]
    return pd.to_numeric(cells.where(cells != MISSING)).astype(float), []
