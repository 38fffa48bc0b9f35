"""The participants table: read from participants.tsv and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import pandas as pd

from bayes_mdd.cohort.tables import id_problems, is_number, read_json, read_table
from bayes_mdd.dims import ARM, CONTROL, DIAGNOSIS, MISSING, SITE
from bayes_mdd.errors import DataContractError, some

ID: Final = "participant_id"
#: Columns that are text even where all cells look like numbers.
TEXT_COLUMNS: Final = (ID, ARM, DIAGNOSIS, SITE, "session_id")
#: Columns that must be numeric.
NUMBER_COLUMNS: Final = ("age", "mean_fd")
#: Common spellings of "control". They are refused, because only ``HC`` marks a control and all
#: other diagnoses count as patients.
_CONTROL_WORDS: Final = frozenset(
    (
        "hc",
        "control",
        "controls",
        "healthy",
        "healthy control",
        "healthy controls",
        "healthy_control",
    )
)


def read_participants(path: str | Path) -> pd.DataFrame:
    """Read and check ``participants.tsv`` with its JSON sidecar.

    Parameters
    ----------
    path : str or Path
        The table, or the cohort folder with ``participants.tsv``.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``participant_id`` (text), columns as in the file. Numeric columns are float,
        with NaN for ``n/a``; text columns keep ``n/a``. A column is numeric if the sidecar states
        Units for it, or if all its cells other than ``n/a`` are numbers and the sidecar states no
        Levels. Arm, diagnosis and site are always text.

    Raises
    ------
    DataContractError
        If the file cannot be read or breaks the contract. The error lists all problems.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "participants.tsv"
    return participants_table(read_table(path), read_json(path.with_suffix(".json")), str(path))


def participants_table(table: pd.DataFrame, sidecar: Mapping[str, Any], what: str) -> pd.DataFrame:
    """Convert text cells to a checked participants table.

    Parameters
    ----------
    table : pandas.DataFrame
        As `bayes_mdd.cohort.tables.read_table` returns it.
    sidecar : mapping
        Content of ``participants.json``.
    what : str
        Name of the table in messages.

    Returns
    -------
    pandas.DataFrame
        See `read_participants`.

    Raises
    ------
    DataContractError
        If the table breaks the contract.
    """
    if ID not in table:
        raise DataContractError(
            what,
            [
                f"there is no column '{ID}'; found {some(table.columns)}. Rename the column that "
                f"holds the participant ids to '{ID}'."
            ],
        )
    problems = id_problems(table, [ID])
    columns = {ID: table[ID]}
    for name in table.columns.drop(ID):
        columns[name], found = _convert(table, str(name), sidecar.get(name))
        problems += found
    participants = pd.DataFrame(columns).set_index(ID)
    problems += _content_problems(participants, _levels(sidecar))
    if problems:
        raise DataContractError(what, problems)
    return participants


def check_participants(participants: pd.DataFrame, *, arms: Sequence[str] | None = None) -> None:
    """Check a participants table and raise one error that lists all problems.

    Parameters
    ----------
    participants : pandas.DataFrame
        Indexed by ``participant_id``, as `read_participants` returns it.
    arms : sequence of str, optional
        The known arms. Any other arm is an error.

    Raises
    ------
    DataContractError
        If the table is empty, an id is repeated or missing, an arm is unknown, or a control has an
        arm.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"arm": ["SSRI", "n/a"]}, index=["sub-1", "sub-2"])
    >>> check_participants(table, arms=["SSRI", "SNRI"])
    """
    ids = pd.Series(participants.index, index=range(1, len(participants) + 1), dtype=object)
    table = ids.where(ids.notna(), MISSING).astype(str).to_frame(ID)
    problems = id_problems(table, [ID]) + _content_problems(participants, arms)
    if problems:
        raise DataContractError("participants", problems)


def _convert(table: pd.DataFrame, name: str, meaning: Any) -> tuple[pd.Series, list[str]]:
    """Convert a numeric column to floats; report cells that are not numbers but should be."""
    cells = table[name]
    known = cells[cells != MISSING]
    meaning = meaning if isinstance(meaning, Mapping) else {}
    numbers = known.map(is_number).astype(bool)
    required = name in NUMBER_COLUMNS or ("Units" in meaning and "Levels" not in meaning)
    numeric = required or (numbers.all() and len(known))
    if name in TEXT_COLUMNS or "Levels" in meaning or not numeric:
        return cells, _empty_problems(table, name)
    if not numbers.all():
        wrong = known[~numbers]
        pairs = (
            f"{subject} ({cell!r})"
            for subject, cell in zip(table.loc[wrong.index, ID], wrong, strict=True)
        )
        return cells, [
            f"column '{name}' must contain numbers or {MISSING}; found other text for "
            f"{some(pairs)}. Correct these cells."
        ]
    return pd.to_numeric(cells.where(cells != MISSING)).astype(float), []


def _empty_problems(table: pd.DataFrame, name: str) -> list[str]:
    empty = table.loc[table[name] == "", ID]
    if empty.empty:
        return []
    return [f"column '{name}' is empty for {some(empty)}: write {MISSING} for missing values."]


def _levels(sidecar: Mapping[str, Any]) -> list[str] | None:
    meaning = sidecar.get(ARM)
    levels = meaning.get("Levels") if isinstance(meaning, Mapping) else None
    return [str(level) for level in levels] if isinstance(levels, (Mapping, list)) else None


def _content_problems(participants: pd.DataFrame, arms: Sequence[str] | None) -> list[str]:
    if participants.empty and not len(participants):
        return ["the cohort is empty: expected one row per participant."]
    lower = {str(name).lower(): name for name in participants.columns}
    problems = [
        f"column {lower[name]!r} must be written {name!r}."
        for name in (ARM, DIAGNOSIS, SITE)
        if name in lower and lower[name] != name
    ]
    if ARM in participants and arms is not None:
        problems += _arm_problems(participants[ARM], arms)
    if DIAGNOSIS in participants:
        problems += _control_problems(participants)
    return problems


def _arm_problems(arm: pd.Series, known: Sequence[str]) -> list[str]:
    problems = []
    # Empty cells are reported separately.
    unknown = arm[~arm.isin([*known, MISSING, ""])]
    for name, rows in unknown.groupby(unknown, sort=False):
        similar = get_close_matches(str(name), known, n=1, cutoff=0.5)
        hint = f" Did you mean {similar[0]!r}?" if similar else ""
        problems.append(
            f"unknown arm {name!r} of {some(rows.index)}; participants.json lists {some(known)}."
            f"{hint} Correct it or add it to the Levels of 'arm'."
        )
    return problems


def _control_problems(participants: pd.DataFrame) -> list[str]:
    diagnosis = participants[DIAGNOSIS].astype(str)
    alias = participants.index[diagnosis.str.lower().isin(_CONTROL_WORDS) & (diagnosis != CONTROL)]
    problems = []
    if len(alias):
        words = some(sorted(set(diagnosis[alias])))
        problems.append(
            f"diagnosis {words} of {some(alias)} looks like a control but would count as a "
            f"patient: write {CONTROL!r} for controls."
        )
    if ARM in participants:
        treated = participants.index[(diagnosis == CONTROL) & (participants[ARM] != MISSING)]
        if len(treated):
            problems.append(
                f"{some(treated)} has diagnosis {CONTROL!r} and an arm: "
                f"write {MISSING} as the arm of controls."
            )
    return problems
