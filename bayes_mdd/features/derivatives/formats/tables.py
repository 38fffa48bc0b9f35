"""Plain tables of regions or tracts, wide or long: people by id, columns by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from bayes_mdd.dims import EDGE_SEPARATOR
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.derivatives.cells import Cells, number_or_none, numbers, read_cells
from bayes_mdd.features.derivatives.names import FileName
from bayes_mdd.features.derivatives.values import Format, Measured, Reading, Request
from bayes_mdd.features.loading import UnreadableFileError

#: How tables call the person, compared without case and underscores.
PERSON_COLUMNS = ("participantid", "subjectid", "subject", "subjid", "subj", "sub", "id")
_REGION_COLUMNS = ("region", "roi", "tract", "tractid", "parcel", "structure", "node", "structname")
_SESSION_COLUMNS = ("sessionid", "session", "ses", "visit", "timepoint")
#: Columns of people, not of brains.
_ABOUT_PEOPLE = frozenset(
    (
        *("age", "sex", "gender", "site", "scanner", "diagnosis", "dx", "group", "arm", "drug"),
        *("icv", "etiv", "meanfd", "education", "handedness", "run", "task"),
        *_SESSION_COLUMNS,
    )
)
_UNITS = {"fa": "fractional anisotropy (0-1)", "thickness": "mm", "volume": "mm3", "area": "mm2"}


def plain(name: str) -> str:
    """Compare names of columns without case, blanks, dots and underscores.

    Parameters
    ----------
    name : str
        Name of a column.

    Returns
    -------
    str
        Letters and digits in lower case.

    Examples
    --------
    >>> plain("Participant_ID")
    'participantid'
    """
    return "".join(c for c in name.lower() if c.isalnum())


def column_of(header: Sequence[str], wanted: Sequence[str]) -> int | None:
    """Find the first column of one of the wanted names.

    Parameters
    ----------
    header : sequence of str
        Names of columns.
    wanted : sequence of str
        Names as `plain` gives them, best first.

    Returns
    -------
    int or None
        Its place.
    """
    own = [plain(h) for h in header]
    return next((own.index(w) for w in wanted if w in own), None)


def _find(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    found = []
    for name in files:
        if name.extension not in (".tsv", ".csv", ".txt", ".tsv.gz", ".csv.gz"):
            continue
        if name.path.name == "participants.tsv" or "phenotype" in name.path.parts:
            continue
        try:
            header = read_cells(name.path, lines=1).header
        except UnreadableFileError:
            continue
        if len(header) > 1 and column_of(header, PERSON_COLUMNS) is not None:
            found.append(name)
    return {"": found} if found else {}


def _read(request: Request) -> Reading:
    if len(request.files) > 1:
        shown = some((n.path.name for n in request.files), 8)
        raise DataContractError("tables", [f"there are several ({shown}): give the one file."])
    path = request.files[0].path
    if not request.kind:
        raise DataContractError(
            path.name, ["a plain table does not say what was measured: give kind='thickness', ..."]
        )
    cells = of_session(read_cells(path), request.entities)
    long = column_of(cells.header, _REGION_COLUMNS)
    people, facts = _wide(cells, request) if long is None else (_long(cells, long, request), {})
    return Reading(
        kind=request.kind,
        shape="regional",
        people=people,
        units=_UNITS.get(request.kind, "not stated"),
        files=[path],
        facts=facts,
    )


def of_session(cells: Cells, entities: Mapping[str, str | None]) -> Cells:
    """Keep the rows of the session asked for.

    Parameters
    ----------
    cells : Cells
        A table with a header.
    entities : mapping of str to str or None
        As the caller gave them; ``ses`` counts.

    Returns
    -------
    Cells
        The same table where it has no column of sessions.

    Raises
    ------
    UnreadableFileError
        If no row is of that session.
    """
    place = column_of(cells.header, _SESSION_COLUMNS)
    wanted = entities.get("ses")
    if place is None or wanted is None:
        return cells
    bare = wanted.removeprefix("ses-")
    rows = tuple(r for r in cells.body if r[place].removeprefix("ses-") == bare)
    if not rows:
        known = some(dict.fromkeys(r[place] for r in cells.body))
        raise UnreadableFileError(f"{cells.path.name} has no session {wanted}: found {known}.")
    return Cells(cells.path, (cells.header, *rows), cells.separator)


def ids_once(cells: Cells, place: int) -> list[str]:
    """Give the id of every row.

    Parameters
    ----------
    cells : Cells
        A wide table.
    place : int
        The column of the id.

    Returns
    -------
    list of str
        Ids as they are written.

    Raises
    ------
    UnreadableFileError
        If ids repeat or are missing.
    """
    ids = [row[place] for row in cells.body]
    twice = [i for i, n in Counter(ids).items() if n > 1]
    if twice:
        session = column_of(cells.header, _SESSION_COLUMNS)
        hint = "keep one row a person"
        if session is not None:
            known = some(dict.fromkeys(r[session] for r in cells.body))
            hint = f"choose a session, entities={{'ses': ...}}: {known}"
        raise UnreadableFileError(f"{cells.path.name} repeats {some(twice)}: {hint}.")
    if "" in ids:
        raise UnreadableFileError(f"{cells.path.name} has rows without an id.")
    return ids


def _wide(cells: Cells, request: Request) -> tuple[dict[str, Measured], dict[str, list[str]]]:
    place = column_of(cells.header, PERSON_COLUMNS) or 0
    ids = ids_once(cells, place)
    taken, left_out = _value_columns(cells, place, request)
    names = tuple(cells.header[i] for i in taken)
    values = numbers(cells.path, [[row[i] for i in taken] for row in cells.body])
    facts = {"columns_left_out": left_out} if left_out else {}
    return {who: Measured(names, row) for who, row in zip(ids, values, strict=True)}, facts


def _value_columns(cells: Cells, place: int, request: Request) -> tuple[list[int], list[str]]:
    header = cells.header
    others = [i for i in range(len(header)) if i != place]
    if request.regions is not None:
        wanted = set(request.regions["region"])
        taken = [i for i in others if header[i] in wanted]
        absent = sorted(wanted - {header[i] for i in taken})
        if absent:
            raise UnreadableFileError(
                f"{cells.path.name} lacks the column(s) {some(absent)} of the region table; it has "
                f"{some((header[i] for i in others), 8)}. Use the names of the file."
            )
        return taken, [header[i] for i in others if i not in set(taken)]
    taken = [i for i in others if plain(header[i]) not in _ABOUT_PEOPLE]
    text = [header[i] for i in taken if any(number_or_none(r[i]) is None for r in cells.body)]
    if text:
        raise UnreadableFileError(
            f"{cells.path.name}: column(s) {some(text)} hold text: give a region table "
            "(regions=...) that names the columns to take."
        )
    if taken and all(EDGE_SEPARATOR in header[i] for i in taken):
        raise UnreadableFileError(
            f"{cells.path.name} holds edges ({header[taken[0]]}, ...): put it as features.tsv into "
            "a cohort folder and use read_features."
        )
    return taken, [header[i] for i in others if i not in set(taken)]


def _long(cells: Cells, region: int, request: Request) -> dict[str, Measured]:
    place = column_of(cells.header, PERSON_COLUMNS) or 0
    value = _value_column(cells, (place, region), request)
    held: dict[str, dict[str, float]] = {}
    for row in cells.body:
        own = held.setdefault(row[place], {})
        if row[region] in own:
            raise UnreadableFileError(
                f"{cells.path.name}: {row[place]} has several rows of {row[region]}: choose a "
                "session, or keep one."
            )
        number = number_or_none(row[value])
        if number is None:
            raise UnreadableFileError(
                f"{cells.path.name} holds {row[value]!r} where a number was expected."
            )
        own[row[region]] = number
    return {who: Measured(tuple(own), np.array(list(own.values()))) for who, own in held.items()}


def _value_column(cells: Cells, not_these: Sequence[int], request: Request) -> int:
    names = {plain(request.weighting or ""), plain(request.kind), "value", "mean"}
    left = [
        i
        for i, h in enumerate(cells.header)
        if i not in not_these and plain(h) not in _ABOUT_PEOPLE
    ]
    if request.weighting:
        named = [i for i in left if plain(cells.header[i]) == plain(request.weighting)]
    else:
        named = [i for i in left if plain(cells.header[i]) in names] or left
    if len(named) != 1:
        found = some((cells.header[i] for i in left), 8)
        raise UnreadableFileError(
            f"{cells.path.name} has the columns {found}: say which one with weighting=..."
        )
    return named[0]


FORMATS = (
    Format(
        name="table",
        title="plain table, wide (a column a region) or long (region, value), with a column of ids",
        find=_find,
        read=_read,
        yields_to=("afq_profiles", "freesurfer_table"),
    ),
)
