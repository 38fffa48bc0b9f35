"""Subject ids of data that number the subjects: from the caller, a file, or the cohort's order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from bayes_mdd.errors import DataContractError, SpecError, UnreadableFileError, some
from bayes_mdd.features.derivatives.interface import FormatRequest
from bayes_mdd.features.derivatives.text_tables import read_cells
from bayes_mdd.files.repeats import find_repeats
from bayes_mdd.files.text import read_text

#: Value of ``subjects`` that stands for the order of the participants table.
COHORT_ORDER = "participants"
#: Names of files with ids beside the data, in lower case; ``{}`` is the name of the data file.
_ID_FILES = (
    *("{}_ids", "{}_subjects", "{}_participants", "{}.ids"),
    *("ids", "subjects", "subjectids", "subject_ids", "subject_list", "subjids", "participant_ids"),
)
_ID_EXTENSIONS = (".txt", ".tsv", ".csv")


def resolve_subjects(
    subjects: Sequence[str] | str | None, participants: pd.DataFrame | None
) -> tuple[list[str] | None, list[str]]:
    """Resolve the argument ``subjects``: ids, or the order of the participants table.

    Parameters
    ----------
    subjects : sequence of str, "participants" or None
        The argument.
    participants : pandas.DataFrame or None
        Indexed by ``participant_id``.

    Returns
    -------
    tuple
        The ids (None if not given), and notes for the user.

    Raises
    ------
    SpecError
        If it is another text, or repeats ids.
    DataContractError
        If the order of the participants is asked for, but there is no table.
    """
    if subjects is None:
        return None, []
    if isinstance(subjects, str):
        if subjects != COHORT_ORDER:
            raise SpecError(
                f"subjects must be a list of ids, or 'participants' for the order of the "
                f"participants table; got {subjects!r}."
            )
        if participants is None:
            raise DataContractError(
                "subjects", ["'participants' needs a participants table: give participants=..."]
            )
        ids = [str(i) for i in participants.index]
        return ids, [
            f"ids were assigned by position: the data are taken to follow the {len(ids)} rows of "
            f"the participants table ({some(ids, 3)}), as requested (subjects='participants')."
        ]
    ids = [str(i) for i in subjects]
    _refuse_repeated(ids, "subjects")
    return ids, []


def find_layer_ids(n: int, path: Path, request: FormatRequest) -> tuple[list[str], list[str]]:
    """Find the ids of data that hold subjects by position.

    Parameters
    ----------
    n : int
        Number of subjects in the data.
    path : Path
        File of the data. A list of ids (``ids.txt``, ``<name>_ids.txt``, ``subjectIDs.txt``) may be
        in the same folder.
    request : FormatRequest
        Its ``subjects`` take precedence.

    Returns
    -------
    ids : list of str
        One id per subject.
    notes : list of str
        Where the ids come from, unless the caller gave them.

    Raises
    ------
    UnreadableFileError
        If there are no ids, or their number differs from `n`.
    """
    if request.subjects is not None:
        ids = [str(i) for i in request.subjects]
        if len(ids) == n:
            return ids, []
        raise UnreadableFileError(
            f"{path.name} holds {n} participants without ids, but {len(ids)} ids are given: give "
            f"the id of each, in its order ({_HOW})."
        )
    lists = {f: read_id_file(f) for f in _id_files(path)}
    fitting = {f: ids for f, ids in lists.items() if len(ids) == n}
    if len({tuple(ids) for ids in fitting.values()}) == 1:
        file, ids = next(iter(fitting.items()))
        return ids, [f"{path.name} has no ids: they were read from {file.name}, in its order."]
    listed = some(f"{f.name} ({len(ids)} ids)" for f, ids in lists.items())
    raise UnreadableFileError(
        f"{path.name} holds {n} participants without ids"
        + (f"; in the same folder: {listed}" if lists else "")
        + f": give their ids, in the order of the data (given: none), with {_HOW}."
    )


_HOW = (
    "subjects=[...] (--subjects FILE, one id per line), a file ids.txt beside it or, if it follows "
    "the rows of the participants table, subjects='participants' (--subjects participants)"
)


def _id_files(path: Path) -> list[Path]:
    stem = path.name.split(".")[0].lower()
    wanted = [name.format(stem) for name in _ID_FILES]
    found = {
        f.stem.lower(): f
        for f in sorted(path.parent.iterdir())
        if f.suffix.lower() in _ID_EXTENSIONS and f.is_file() and f != path
    }
    return [found[name] for name in wanted if name in found]


def read_id_file(path: Path) -> list[str]:
    """Read a list of ids, one per line.

    Parameters
    ----------
    path : Path
        One id per line, with or without a header ``participant_id``; or a table with that column.

    Returns
    -------
    list of str
        The ids, as text.

    Raises
    ------
    UnreadableFileError
        If the file is not text, or repeats an id.
    """
    lines = [line.strip() for line in read_text(path).splitlines() if line.strip()]
    if any("\t" in line or "," in line for line in lines):
        cells = read_cells(path)
        column = next((i for i, h in enumerate(cells.header) if _is_id_header(h)), 0)
        rows = cells.body if any(map(_is_id_header, cells.header)) else cells.rows
        lines = [row[column] for row in rows]
    elif lines and _is_id_header(lines[0]):
        lines = lines[1:]
    repeated = sorted(find_repeats(lines))
    if repeated:
        raise UnreadableFileError(
            f"{path.name} repeats {some(repeated)}: expected one id per line."
        )
    return lines


def _is_id_header(cell: str) -> bool:
    plain = "".join(c for c in cell.lower() if c.isalnum())
    return plain in ("participantid", "subjectid", "subject", "subjid", "id", "ids")


def _refuse_repeated(ids: Sequence[str], what: str) -> None:
    repeated = sorted(find_repeats(ids))
    if repeated:
        raise SpecError(f"{what} lists {some(repeated)} more than once.")
