"""Who takes part: participants.tsv, read and checked."""

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
#: Columns that are names even where they look like numbers.
TEXT_COLUMNS: Final = (ID, ARM, DIAGNOSIS, SITE, "session_id")
#: Columns that must be numbers wherever they occur.
NUMBER_COLUMNS: Final = ("age", "mean_fd")
#: Other people's words for a control, which would make patients of controls if they passed.
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
        The table, or the cohort folder that holds ``participants.tsv``.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``participant_id`` (text), columns as in the file. Numeric columns are float with
        NaN for ``n/a``; in text columns ``n/a`` stays ``n/a``. A column is numeric if the sidecar
        gives it Units, or if all its known cells are numbers and the sidecar gives no Levels;
        arm, diagnosis and site are always text.

    Raises
    ------
    DataContractError
        If the file cannot be read or breaks the contract; every problem is named.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "participants.tsv"
    return participants_table(read_table(path), read_json(path.with_suffix(".json")), str(path))


def participants_table(table: pd.DataFrame, sidecar: Mapping[str, Any], what: str) -> pd.DataFrame:
    """Turn text cells into a checked participants table.

    Parameters
    ----------
    table : pandas.DataFrame
        As `bayes_mdd.cohort.tables.read_table` gives it.
    sidecar : mapping
        Content of ``participants.json``.
    what : str
        Name of the table in messages.

    Returns
    -------
    pandas.DataFrame
        As `read_participants` describes.

    Raises
    ------
    DataContractError
        If the table breaks the contract.
    """
    if ID not in table:
        raise DataContractError(
            what, [f"column '{ID}' is missing; found {some(table.columns)}. Name the id column so."]
        )
    problems = id_problems(table, [ID])
    columns = {ID: table[ID]}
    for name in table.columns.drop(ID):
        columns[name], found = _convert(table, str(name), sidecar.get(name))
        problems += found
    people = pd.DataFrame(columns).set_index(ID)
    problems += _people_problems(people, _levels(sidecar))
    if problems:
        raise DataContractError(what, problems)
    return people


def check_participants(participants: pd.DataFrame, *, arms: Sequence[str] | None = None) -> None:
    """Raise one error that names every way a participants table breaks the contract.

    Parameters
    ----------
    participants : pandas.DataFrame
        Indexed by ``participant_id``, as `read_participants` returns it.
    arms : sequence of str, optional
        The known arms; an arm outside them is an error.

    Raises
    ------
    DataContractError
        If there is nobody, an id is repeated or missing, an arm is unknown, or a control has one.

    Examples
    --------
    >>> import pandas as pd
    >>> people = pd.DataFrame({"arm": ["SSRI", "n/a"]}, index=["sub-1", "sub-2"])
    >>> check_participants(people, arms=["SSRI", "SNRI"])
    """
    ids = pd.Series(participants.index, index=range(1, len(participants) + 1), dtype=object)
    table = ids.where(ids.notna(), MISSING).astype(str).to_frame(ID)
    problems = id_problems(table, [ID]) + _people_problems(participants, arms)
    if problems:
        raise DataContractError("participants", problems)


def _convert(table: pd.DataFrame, name: str, meaning: Any) -> tuple[pd.Series, list[str]]:
    """Numbers where the column is of numbers; problems where it should be and is not."""
    cells = table[name]
    known = cells[cells != MISSING]
    meaning = meaning if isinstance(meaning, Mapping) else {}
    numbers = known.map(is_number).astype(bool)
    must = name in NUMBER_COLUMNS or ("Units" in meaning and "Levels" not in meaning)
    if name in TEXT_COLUMNS or "Levels" in meaning or not (must or (numbers.all() and len(known))):
        return cells, _empty_problems(table, name)
    if not numbers.all():
        wrong = known[~numbers]
        pairs = (
            f"{who} ({cell!r})" for who, cell in zip(table.loc[wrong.index, ID], wrong, strict=True)
        )
        return cells, [
            f"column '{name}' must hold numbers or {MISSING}; not so for {some(pairs)}. "
            "Correct these cells."
        ]
    return pd.to_numeric(cells.where(cells != MISSING)).astype(float), []


def _empty_problems(table: pd.DataFrame, name: str) -> list[str]:
    empty = table.loc[table[name] == "", ID]
    if empty.empty:
        return []
    return [f"column '{name}' is empty for {some(empty)}: write {MISSING} where nothing is known."]


def _levels(sidecar: Mapping[str, Any]) -> list[str] | None:
    meaning = sidecar.get(ARM)
    levels = meaning.get("Levels") if isinstance(meaning, Mapping) else None
    return [str(level) for level in levels] if isinstance(levels, (Mapping, list)) else None


def _people_problems(people: pd.DataFrame, arms: Sequence[str] | None) -> list[str]:
    if people.empty and not len(people):
        return ["the cohort is empty: expected one row a person."]
    lower = {str(name).lower(): name for name in people.columns}
    problems = [
        f"column {lower[name]!r} must be written {name!r}."
        for name in (ARM, DIAGNOSIS, SITE)
        if name in lower and lower[name] != name
    ]
    if ARM in people and arms is not None:
        problems += _arm_problems(people[ARM], arms)
    if DIAGNOSIS in people:
        problems += _control_problems(people)
    return problems


def _arm_problems(arm: pd.Series, known: Sequence[str]) -> list[str]:
    problems = []
    # Empty cells are reported as such.
    strange = arm[~arm.isin([*known, MISSING, ""])]
    for name, rows in strange.groupby(strange, sort=False):
        near = get_close_matches(str(name), known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}? " if near else ""
        problems.append(
            f"unknown arm {name!r} of {some(rows.index)}; participants.json knows {some(known)}: "
            f"{hint}Correct it or add it to the Levels of 'arm'."
        )
    return problems


def _control_problems(people: pd.DataFrame) -> list[str]:
    diagnosis = people[DIAGNOSIS].astype(str)
    alias = people.index[diagnosis.str.lower().isin(_CONTROL_WORDS) & (diagnosis != CONTROL)]
    problems = []
    if len(alias):
        words = some(sorted(set(diagnosis[alias])))
        problems.append(
            f"diagnosis {words} of {some(alias)} reads like a control but would count as a "
            f"patient: write {CONTROL!r}."
        )
    if ARM in people:
        treated = people.index[(diagnosis == CONTROL) & (people[ARM] != MISSING)]
        if len(treated):
            problems.append(
                f"{some(treated)} has diagnosis {CONTROL!r} and an arm: "
                f"write {MISSING} as arm of controls."
            )
    return problems
