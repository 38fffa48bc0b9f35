"""The participants table: read from participants.tsv and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd

from bayes_mdd.cohort.arms import arm_problems
from bayes_mdd.cohort.columns import convert_column, table_problems
from bayes_mdd.cohort.control_question import no_diagnosis_problem
from bayes_mdd.cohort.levels import invisible_problems, levels_of, sidecar_problems
from bayes_mdd.cohort.roles import control_problems, describe_levels, mark_controls
from bayes_mdd.cohort.spreadsheets import read_participant_cells
from bayes_mdd.cohort.tables import id_problems, read_json
from bayes_mdd.cohort.visits import crossover_problems, several_arms
from bayes_mdd.dims import ARM, CONTROL, DIAGNOSIS, MISSING, SITE
from bayes_mdd.errors import DataContractError, some

ID: Final = "participant_id"


def read_participants(path: str | Path, *, controls: Sequence[str] | None = None) -> pd.DataFrame:
    """Read and check ``participants.tsv`` with its JSON sidecar.

    Parameters
    ----------
    path : str or Path
        The table, or the cohort folder with ``participants.tsv``. Empty cells of a ``.csv`` file
        are missing values.
    controls : sequence of str, optional
        The diagnoses that mark healthy controls, in place of the known words (see Notes). Empty if
        there are none.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``participant_id`` (text), columns as in the file. Numeric columns are float,
        with NaN for ``n/a``; text columns keep ``n/a``. A column is numeric if the sidecar states
        Units for it, or if at least half of its cells other than ``n/a`` are numbers and the
        sidecar states no Levels. Arm, diagnosis, site and sex are always text. The diagnosis of
        controls is ``HC``; ``attrs["notes"]`` lists the words that were read as such, and the
        columns with empty cells.

    Raises
    ------
    DataContractError
        If the file cannot be read or breaks the contract. The error lists all problems.

    Notes
    -----
    A participant is a healthy control if the diagnosis is ``HC``, a word that ``participants.json``
    describes as healthy controls (Levels of ``diagnosis``), or one of
    `bayes_mdd.cohort.CONTROL_WORDS` in any spelling. Where a group without an arm has another
    word, such as a number, `controls` or the sidecar must say what it means.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "participants.tsv"
    sidecar = read_json(path.with_suffix(".json"))
    table, notes = read_participant_cells(path)
    participants = participants_table(table, sidecar, str(path), controls=controls)
    participants.attrs["notes"] = [*notes, *participants.attrs["notes"]]
    return participants


def participants_table(
    table: pd.DataFrame,
    sidecar: Mapping[str, Any],
    what: str,
    *,
    controls: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Convert text cells to a checked participants table.

    Parameters
    ----------
    table : pandas.DataFrame
        As `bayes_mdd.cohort.tables.read_table` returns it.
    sidecar : mapping
        Content of ``participants.json``.
    what : str
        Name of the table in messages.
    controls : sequence of str, optional
        See `read_participants`.

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
                f"{_other_names(table)}"
            ],
        )
    once = table[~table[ID].isin(several_arms(table, ID))]
    problems = id_problems(once, [ID]) + invisible_problems(table, ID)
    problems += sidecar_problems(sidecar, list(table.columns))
    problems += crossover_problems(table, ID, levels_of(sidecar, ARM))
    columns = {ID: table[ID]}
    for name in table.columns.drop(ID):
        columns[name], found = convert_column(table[name], table[ID], sidecar)
        problems += found
    participants = pd.DataFrame(columns).set_index(ID)
    notes: tuple[str, ...] = ()
    if DIAGNOSIS in participants:
        groups = mark_controls(participants, sidecar, controls)
        participants[DIAGNOSIS], notes = groups.diagnosis, groups.notes
        problems += groups.problems
    elif controls:
        problems.append(no_diagnosis_problem(participants, controls))
    problems += _content_problems(participants, describe_levels(sidecar, ARM))
    if problems:
        raise DataContractError(what, problems)
    participants.attrs["notes"] = list(notes)
    if controls is not None:
        participants.attrs["controls"] = list(controls)
    return participants


def _other_names(table: pd.DataFrame) -> str:
    """Name the other columns that are to be renamed, so that it is done at once."""
    meanings = {ARM: "the treatment arm, n/a for controls", DIAGNOSIS: "HC for controls"}
    lacking = [f"'{name}' ({said})" for name, said in meanings.items() if name not in table]
    return f" Likewise {' and '.join(lacking)}." if lacking else ""


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
    problems = id_problems(table, [ID]) + invisible_problems(table, ID)
    problems += table_problems(participants) + _content_problems(participants, arms)
    if DIAGNOSIS in participants:
        problems += control_problems(participants)
    if problems:
        raise DataContractError("participants", problems)


def _content_problems(
    participants: pd.DataFrame, arms: Mapping[str, Any] | Sequence[str] | None
) -> list[str]:
    if participants.empty and not len(participants):
        return ["the cohort is empty: expected one row per participant."]
    lower = {str(name).lower(): name for name in participants.columns}
    problems = [
        f"column {lower[name]!r} must be written {name!r}."
        for name in (ARM, DIAGNOSIS, SITE)
        if name in lower and lower[name] != name
    ]
    if ARM in participants:
        arm = participants[ARM]
        if DIAGNOSIS in participants:  # an arm of controls is a problem of its own
            arm = arm[participants[DIAGNOSIS] != CONTROL]
        problems += arm_problems(arm, arms)
    return problems
