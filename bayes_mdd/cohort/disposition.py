"""Why patients left a trial: ``phenotype/disposition.tsv``."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches
from pathlib import Path
from typing import Final

import pandas as pd

from bayes_mdd.cohort.group_words import normal_form
from bayes_mdd.cohort.participants import ID
from bayes_mdd.cohort.tables import id_problems, read_table
from bayes_mdd.dims import MISSING
from bayes_mdd.errors import DataContractError, some

DISPOSITION: Final = "disposition.tsv"
LAST_SESSION, REASON = "last_session", "reason"
#: Reasons for the end of participation.
REASONS: Final = (
    "lack_of_efficacy",
    "adverse_event",
    "remission",
    "withdrew",
    "lost",
    "administrative",
    "other",
)
#: Reason of a missing outcome that no table explains.
NOT_STATED: Final = "not stated"
#: Other words for the reasons, in normal form.
_WORDS: Final = {
    "lack_of_efficacy": (
        *("lackofefficacy", "inefficacy", "noefficacy", "lackofeffect", "nonresponse", "loe"),
        *("noresponse", "treatmentfailure", "worsening", "deterioration", "relapse"),
        *("progressivedisease", "lackofresponse", "insufficientresponse"),
    ),
    "adverse_event": (
        *("adverseevent", "adverseevents", "ae", "sae", "sideeffect", "sideeffects", "intolerance"),
        *("adversereaction", "tolerability", "death", "safety"),
    ),
    "remission": ("remitted", "recovered", "recovery", "improved", "wellagain"),
    "withdrew": (
        *("withdrawal", "withdrawn", "withdrewconsent", "consentwithdrawn", "withdrawalbysubject"),
        *("withdrawalofconsent", "refused", "subjectdecision", "patientdecision", "choice"),
    ),
    "lost": ("losttofollowup", "ltfu", "lostfollowup", "noshow", "moved", "unreachable"),
    "administrative": (
        *("admin", "sponsor", "protocolviolation", "protocoldeviation", "studyclosed"),
        *("siteclosed", "sponsordecision", "physiciandecision"),
    ),
    "other": ("others", "miscellaneous", "misc"),
}
_COMPLETED: Final = ("completed", "complete", "completer", "finished", "none", "no", "0")


def read_disposition(
    folder: Path, participants: Collection[str] | None, sessions: Collection[str] = ()
) -> pd.DataFrame | None:
    """Read and check ``phenotype/disposition.tsv``.

    Parameters
    ----------
    folder : Path
        The cohort folder.
    participants : collection of str or None
        Known ids; None if they could not be read.
    sessions : collection of str
        Known sessions; empty if they are not known.

    Returns
    -------
    pandas.DataFrame or None
        Indexed by ``participant_id``: ``last_session`` and ``reason``, ``n/a`` for those who
        completed. None if there is no such file.

    Raises
    ------
    DataContractError
        If the table cannot be read, or holds unknown participants, sessions or reasons; all are
        listed.
    """
    path = folder / "phenotype" / DISPOSITION
    if not (path.exists() or path.is_symlink()):
        return None
    table = read_table(path)
    expected = (ID, LAST_SESSION, REASON)
    if absent := [c for c in expected if c not in table]:
        raise DataContractError(
            str(path),
            [
                f"there is no column {some(map(repr, absent))}; found {some(table.columns)}. "
                f"Expected {', '.join(expected)}."
            ],
        )
    problems = id_problems(table, [ID])
    if participants is not None:
        unknown = [i for i in table[ID] if i not in {*participants, "", MISSING}]
        if unknown:
            problems.append(
                f"{some(unknown)} {'is' if len(unknown) == 1 else 'are'} not in "
                "participants.tsv: correct the ids or remove the rows."
            )
    problems += _session_problems(table, sessions) + _reason_problems(table)
    if problems:
        raise DataContractError(str(path), problems)
    return table.set_index(ID)[[LAST_SESSION, REASON]]


def _session_problems(table: pd.DataFrame, sessions: Collection[str]) -> list[str]:
    if not sessions:
        return []
    problems = []
    odd = table[~table[LAST_SESSION].isin([*sessions, MISSING])]
    for name, rows in odd.groupby(LAST_SESSION, sort=False):
        near = get_close_matches(str(name), list(sessions), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        problems.append(
            f"{LAST_SESSION} {name!r} of {some(rows[ID])} is no session of the ratings; found "
            f"{some(sessions, 12)}.{hint} Write {MISSING} if it is not known."
        )
    return problems


def _reason_problems(table: pd.DataFrame) -> list[str]:
    problems = []
    odd = table[~table[REASON].isin([*REASONS, MISSING])]
    for word, rows in odd.groupby(REASON, sort=False):
        who = some(rows[ID])
        if normal_form(str(word)) in _COMPLETED or word == "":
            problems.append(
                f"{REASON} {word!r} of {who}: write {MISSING} for participants who completed, or "
                "leave them out."
            )
            continue
        near = nearest_reason(str(word))
        hint = f" Did you mean {near!r}?" if near else ""
        problems.append(
            f"{REASON} {word!r} of {who} is not known.{hint} Expected one of {', '.join(REASONS)}, "
            f"or {MISSING} for participants who completed."
        )
    return problems


def nearest_reason(word: str) -> str | None:
    """Find the reason that a word probably means.

    Parameters
    ----------
    word : str
        A cell of the table.

    Returns
    -------
    str or None
        One of `REASONS`; None if none is near.

    Examples
    --------
    >>> [nearest_reason(w) for w in ("Lack of efficacy", "LTFU", "advers event", "x")]
    ['lack_of_efficacy', 'lost', 'adverse_event', None]
    """
    form = normal_form(word)
    words = {normal_form(reason): reason for reason in REASONS}
    words |= {other: reason for reason, others in _WORDS.items() for other in others}
    near = get_close_matches(form, words, n=1, cutoff=0.75)
    return words[near[0]] if near else None
