"""Marking of the controls of participants.tsv, and questions about groups that are unclear."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from bayes_mdd.cohort.control_question import count_people, count_words, is_same_word
from bayes_mdd.cohort.group_words import (
    describes_controls,
    is_code,
    is_control_word,
    is_no_treatment,
    is_patient_word,
    normal_form,
)
from bayes_mdd.dims import ARM, CONTROL, DIAGNOSIS, MISSING
from bayes_mdd.errors import some

#: Shown where a diagnosis must be explained.
HOW_TO_NAME: Final = (
    "name the words for controls (--controls {word!r} on the command line, controls=[{word!r}] in "
    "Python), or describe the word in participants.json, under Levels of 'diagnosis' "
    '(for example "{word}": "Healthy control")'
)


@dataclass(frozen=True)
class Groups:
    """Diagnoses with the controls marked, and what was decided and what is unclear.

    Parameters
    ----------
    diagnosis : pandas.Series
        As in the table, with ``HC`` for controls.
    notes : tuple of str
        Words that were read as controls.
    problems : tuple of str
        What is unclear or contradictory.
    """

    diagnosis: pd.Series
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def mark_controls(
    participants: pd.DataFrame, sidecar: Mapping[str, Any], controls: Sequence[str] | None = None
) -> Groups:
    """Find the controls by their diagnosis.

    ``HC`` is always a control. Without `controls`, so is a diagnosis that the sidecar describes as
    healthy controls, and any of `bayes_mdd.cohort.group_words.CONTROL_WORDS`.

    Parameters
    ----------
    participants : pandas.DataFrame
        Indexed by ``participant_id``, with text columns ``diagnosis`` and, where known, ``arm``.
    sidecar : mapping
        Content of ``participants.json``.
    controls : sequence of str, optional
        The diagnoses that mark controls, in place of the known words; empty if there are none.

    Returns
    -------
    Groups
        Diagnoses, notes and problems.

    Examples
    --------
    >>> table = pd.DataFrame({"diagnosis": ["CTRL", "MDD"], "arm": ["n/a", "SSRI"]}, ["s1", "s2"])
    >>> mark_controls(table, {}).notes
    ("diagnosis 'CTRL' (1 participant) is read as healthy control (HC).",)
    >>> mark_controls(table, {}, controls=["NC"]).problems[0][:74]
    "no participant has the diagnosis 'NC' (controls); found CTRL (1), MDD (1)."
    """
    diagnosis = participants[DIAGNOSIS].astype(str)
    words = [str(w) for w in diagnosis.unique()]
    described = describe_levels(sidecar, DIAGNOSIS)
    if controls is None:
        marked = [w for w in words if _is_marked(w, described)]
        problems = _level_problems(diagnosis, described)
    else:
        marked = [w for w in words if any(is_same_word(w, c) for c in controls)]
        absent = [c for c in controls if not any(is_same_word(w, c) for w in words)]
        problems = [
            f"no participant has the diagnosis {c!r} (controls); found {count_words(diagnosis)}. "
            "Name the word that marks controls (--controls, controls=[...])."
            for c in absent
        ]
        problems += _level_problems(diagnosis[~diagnosis.isin(marked)], described)
    problems += _own_arm_problems(participants, diagnosis, {*marked, CONTROL})
    if controls is None and not problems:
        problems += _unclear_problems(participants, diagnosis, {*marked, CONTROL}, described)
    notes = [
        f"diagnosis {w!r} ({count_people(int((diagnosis == w).sum()))}) is read as healthy control "
        f"({CONTROL})."
        for w in marked
        if w != CONTROL
    ]
    return Groups(diagnosis.where(~diagnosis.isin(marked), CONTROL), tuple(notes), tuple(problems))


def control_problems(participants: pd.DataFrame) -> list[str]:
    """List problems of the controls of a table in which ``HC`` marks them.

    Parameters
    ----------
    participants : pandas.DataFrame
        Indexed by ``participant_id``, with ``diagnosis`` and, where known, ``arm``.

    Returns
    -------
    list of str
        Other words for controls, and controls with an arm.
    """
    diagnosis = participants[DIAGNOSIS].astype(str)
    other = diagnosis[(diagnosis != CONTROL) & diagnosis.map(is_control_word)]
    problems = [
        f"diagnosis {word!r} of {some(rows.index)} is a word for healthy controls: write "
        f"{CONTROL!r} for controls."
        for word, rows in other.groupby(other, sort=False)
    ]
    return problems + _own_arm_problems(participants, diagnosis, {CONTROL})


def describe_levels(sidecar: Mapping[str, Any], column: str) -> dict[str, Any] | None:
    """Read the Levels of a column with their descriptions.

    Parameters
    ----------
    sidecar : mapping
        Content of ``participants.json``.
    column : str
        Name of the column.

    Returns
    -------
    dict or None
        Description by level (None where there is none); None if the sidecar states no Levels.
    """
    meaning = sidecar.get(column)
    levels = meaning.get("Levels") if isinstance(meaning, Mapping) else None
    if isinstance(levels, Mapping):
        return {str(k): v for k, v in levels.items()}
    return dict.fromkeys(map(str, levels)) if isinstance(levels, list) else None


def _is_marked(word: str, described: Mapping[str, Any] | None) -> bool:
    if word == CONTROL:
        return True
    said = describes_controls(described[word]) if described and word in described else None
    return is_control_word(word) if said is None else said


def _level_problems(diagnosis: pd.Series, described: Mapping[str, Any] | None) -> list[str]:
    if described is None:
        return []
    problems = []
    no_control = CONTROL not in set(diagnosis)
    unknown = diagnosis[~diagnosis.isin([*described, MISSING, ""])]
    for word, rows in unknown.groupby(unknown, sort=False):
        hint = f" If it marks the controls, {HOW_TO_NAME.format(word=word)}."
        problems.append(
            f"diagnosis {word!r} of {some(rows.index)} is not among the Levels in "
            f"participants.json ({some(described, 12)}). Correct it, or add it there."
            + (hint if no_control or is_control_word(str(word)) else "")
        )
    if problems and no_control:
        problems.append(
            f"nobody has the diagnosis {CONTROL!r} (healthy control); found "
            f"{count_words(diagnosis)}. Which is the control?"
        )
    return problems


def _own_arm_problems(
    participants: pd.DataFrame, diagnosis: pd.Series, marked: set[str]
) -> list[str]:
    if ARM not in participants:
        return []
    problems = []
    treated = ~participants[ARM].astype(str).isin([MISSING, ""])
    chosen = diagnosis[diagnosis.isin(marked) & treated]
    for word, rows in chosen.groupby(chosen, sort=False):
        other = (
            ""
            if word == CONTROL
            else f" If {word!r} does not mark controls, name the words that do (--controls "
            f"{CONTROL}, controls=[{CONTROL!r}])."
        )
        problems.append(
            f"{some(rows.index)} {'has' if len(rows) == 1 else 'have'} diagnosis {word!r} and an "
            f"arm: write {MISSING} as the arm of "
            f"controls.{other}"
        )
    return problems


def _unclear_problems(
    participants: pd.DataFrame,
    diagnosis: pd.Series,
    marked: set[str],
    described: Mapping[str, Any] | None,
) -> list[str]:
    """Ask for groups without an arm whose word does not say whether they are controls."""
    treated = pd.Series(False, index=participants.index)
    if ARM in participants:
        arm = participants[ARM].astype(str)
        treated = ~arm.isin([MISSING, ""]) & ~arm.map(is_no_treatment)
    some_control = bool(diagnosis.isin(marked).any())
    unclear = []
    for word in diagnosis.unique():
        rows = diagnosis == word
        if word in (*marked, MISSING, "") or (treated & rows).any() or is_patient_word(word):
            continue
        text = (described or {}).get(word)
        if describes_controls(text) is False or (some_control and normal_form(str(text or ""))):
            continue
        if treated.any() or (is_code(word) and not some_control):
            unclear.append(str(word))
    if not unclear:
        return []
    listed = " and ".join(
        f"{w!r} ({some(diagnosis.index[diagnosis == w], 3)})" for w in unclear[:6]
    )
    found = f"diagnoses found: {count_words(diagnosis)}"
    none = "" if some_control else f"nobody has the diagnosis {CONTROL!r} (healthy control); "
    return [
        f"{none}{found}. Nobody with diagnosis {listed} has an arm, and the word does not say "
        "whether they are controls: "
        + HOW_TO_NAME.format(word=unclear[0])
        + (
            f". If they are not controls, write --controls {CONTROL} (controls=[{CONTROL!r}])."
            if some_control
            else ". If there are no controls, write --no-controls (controls=[])."
        )
    ]
