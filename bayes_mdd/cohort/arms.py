"""Check of the names of arms: Levels, spellings, missing values, names of controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

import pandas as pd

from bayes_mdd.cohort.group_words import (
    describes_controls,
    is_control_word,
    is_missing_word,
    normal_form,
)
from bayes_mdd.dims import CONTROL, MISSING, WITHIN_SCAN
from bayes_mdd.errors import some

#: Names that results use for something else.
RESERVED_ARMS: Final = (WITHIN_SCAN,)


def arm_problems(arm: pd.Series, levels: Mapping[str, Any] | Sequence[str] | None) -> list[str]:
    """List problems of the names of arms.

    Parameters
    ----------
    arm : pandas.Series
        Text by participant; ``n/a`` for participants without an arm.
    levels : mapping, sequence of str or None
        The known arms, with their descriptions in a mapping. Any other arm is a problem.

    Returns
    -------
    list of str
        One problem per arm, with the participants it concerns.

    Examples
    --------
    >>> arm_problems(pd.Series(["SSRI", "SNRl"], ["s1", "s2"]), ["SSRI", "SNRI"])[0][:61]
    "unknown arm 'SNRl' of s2; participants.json lists SSRI, SNRI."
    """
    named = arm[~arm.isin([MISSING, ""])].astype(str)
    problems = [] if levels is None else _unknown_problems(named, list(levels))
    known = named[named.isin(list(levels))] if levels is not None else named
    described = levels if isinstance(levels, Mapping) else {}
    for name, rows in known.groupby(known, sort=False):
        # Beside n/a, such a word may name an arm.
        if levels is None and is_missing_word(str(name)) and not (arm == MISSING).any():
            problems.append(
                f"arm {name!r} of {some(rows.index)} looks like a missing value: write {MISSING} "
                "for participants without an arm."
            )
        elif _is_called_like_controls(str(name), described.get(str(name))):
            problems.append(
                f"arm {name!r} of {some(rows.index)} is a word for healthy controls. If they are "
                f"controls, write {CONTROL} as their diagnosis and {MISSING} as their arm; if they "
                "are patients, rename the arm (for example placebo or waitlist)."
            )
        elif name in RESERVED_ARMS:
            problems.append(f"arm {name!r} is a reserved name: rename it.")
    return problems + (_spelling_problems(known) if levels is None else [])


def _unknown_problems(named: pd.Series, known: Sequence[str]) -> list[str]:
    problems = []
    unknown = named[~named.isin(known)]
    for name, rows in unknown.groupby(unknown, sort=False):
        similar = get_close_matches(str(name), known, n=1, cutoff=0.5)
        hint = f" Did you mean {similar[0]!r}?" if similar else ""
        problems.append(
            f"unknown arm {name!r} of {some(rows.index)}; participants.json lists {some(known)}."
            f"{hint} Correct it or add it to the Levels of 'arm'."
        )
    return problems


def _is_called_like_controls(name: str, description: Any) -> bool:
    """Whether an arm has a name of controls that its description does not explain otherwise."""
    if name == CONTROL:
        return True
    return is_control_word(name) and describes_controls(description) is not False


def _spelling_problems(named: pd.Series) -> list[str]:
    spellings: dict[str, list[str]] = {}
    for name in named.unique():
        spellings.setdefault(normal_form(name), []).append(name)
    return [
        "column 'arm' has one level in several spellings: "
        + ", ".join(f"{n!a} ({some(named.index[named == n])})" for n in names)
        + ". Write one of them, or list all as Levels of 'arm' in participants.json if they differ."
        for names in spellings.values()
        if len(names) > 1
    ]
