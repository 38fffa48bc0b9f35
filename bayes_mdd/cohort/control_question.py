"""Questions to the user where nobody, or nobody known, is a control."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from bayes_mdd.cohort.group_words import is_control_word, normal_form
from bayes_mdd.dims import ARM, CONTROL, DIAGNOSIS, MISSING
from bayes_mdd.errors import some


def count_words(column: pd.Series) -> str:
    """List the values of a column with the number of participants.

    Parameters
    ----------
    column : pandas.Series
        Text.

    Returns
    -------
    str
        For example ``"MDD (62), NC (39)"``.
    """
    return some([f"{word} ({n})" for word, n in column.value_counts(sort=False).items()], 12)


def is_same_word(word: str, wanted: str) -> bool:
    """Test whether a diagnosis is a word that was asked for.

    Parameters
    ----------
    word : str
        A diagnosis of the table.
    wanted : str
        As a caller wrote it.

    Returns
    -------
    bool
        True if they are equal but for case, spaces, hyphens and the like.

    Examples
    --------
    >>> is_same_word("Healthy_Volunteer", "healthy volunteer"), is_same_word("n/a", "n/a")
    (True, True)
    """
    wanted = str(wanted)
    return word == wanted or (normal_form(word) == normal_form(wanted) != "")


def count_people(n: int) -> str:
    """Write a number of participants.

    Parameters
    ----------
    n : int
        The number.

    Returns
    -------
    str
        For example ``"1 participant"``.
    """
    return f"{n} participant{'' if n == 1 else 's'}"


def no_diagnosis_problem(participants: pd.DataFrame, controls: Sequence[str]) -> str:
    """Say that controls were named, but there is no column to find them in.

    Parameters
    ----------
    participants : pandas.DataFrame
        Indexed by ``participant_id``, without ``diagnosis``.
    controls : sequence of str
        The diagnoses that mark controls.

    Returns
    -------
    str
        The problem; names columns that hold such words.
    """
    return (
        f"controls are named ({some(controls)}), but there is no column '{DIAGNOSIS}'; found "
        f"{some(participants.columns, 12)}.{_similar_columns(participants, controls)}"
    )


def _similar_columns(participants: pd.DataFrame, controls: Sequence[str] = ()) -> str:
    """Name other columns that hold words for controls."""
    holding = []
    for name in participants.columns.drop([ARM, DIAGNOSIS], errors="ignore"):
        words = [str(w) for w in participants[name].unique()]
        hits = [w for w in words if is_control_word(w) or any(is_same_word(w, c) for c in controls)]
        if hits and len(words) < len(participants):
            holding.append(f"'{name}' (with {some(map(repr, hits))})")
    if not holding:
        return ""
    return f" Column {some(holding)} may be it: rename it to '{DIAGNOSIS}'."


def control_question(participants: pd.DataFrame) -> str:
    """Ask who the controls are, for a cohort in which nobody is one.

    Parameters
    ----------
    participants : pandas.DataFrame
        Indexed by ``participant_id``, as `read_participants` returns it.

    Returns
    -------
    str
        What was found, and the ways to answer.
    """
    if DIAGNOSIS in participants:
        found = f"diagnoses found: {count_words(participants[DIAGNOSIS].astype(str))}"
        hint = ""
    else:
        found = (
            f"participants.tsv has no column '{DIAGNOSIS}'; found {some(participants.columns, 12)}"
        )
        hint = _similar_columns(participants)
    without = ""
    if ARM in participants:
        n = int((participants[ARM].astype(str) == MISSING).sum())
        without = f" {count_people(n)} {'has' if n == 1 else 'have'} no arm." if n else ""
    return (
        f"nobody is a healthy control; {found}.{without}{hint} If a diagnosis marks the controls, "
        f"name it (--controls 'WORD', controls=['WORD'] in Python) or write {CONTROL}. If there "
        "are no controls, write --no-controls (reference: {group: patients} in the spec): features "
        "are then standardised within the patients, and nothing is compared with healthy "
        "participants."
    )
