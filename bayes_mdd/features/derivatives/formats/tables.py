"""Plain tables of regions or tracts, in wide or long form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from bayes_mdd.dims import EDGE_SEPARATOR
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.derivatives.file_names import FileName
from bayes_mdd.features.derivatives.interface import Format, FormatRequest, Reading, SubjectValues
from bayes_mdd.features.derivatives.text_tables import (
    Cells,
    parse_number,
    parse_numbers,
    read_cells,
)
from bayes_mdd.features.loading import UnreadableFileError

#: Names of the column with subject ids, without case and underscores.
SUBJECT_COLUMNS = ("participantid", "subjectid", "subject", "subjid", "subj", "sub", "id")
_REGION_COLUMNS = ("region", "roi", "tract", "tractid", "parcel", "structure", "node", "structname")
_SESSION_COLUMNS = ("sessionid", "session", "ses", "visit", "timepoint")
#: Columns with subject covariates rather than brain measures.
_COVARIATE_COLUMNS = frozenset(
    (
        *("age", "sex", "gender", "site", "scanner", "diagnosis", "dx", "group", "arm", "drug"),
        *("icv", "etiv", "meanfd", "education", "handedness", "run", "task"),
        *_SESSION_COLUMNS,
    )
)
_UNITS = {"fa": "fractional anisotropy (0-1)", "thickness": "mm", "volume": "mm3", "area": "mm2"}


def normalise_name(name: str) -> str:
    """Normalise a column name: letters and digits in lower case.

    Parameters
    ----------
    name : str
        Name of a column.

    Returns
    -------
    str
        The name without spaces, dots and underscores.

    Examples
    --------
    >>> normalise_name("Participant_ID")
    'participantid'
    """
    return "".join(c for c in name.lower() if c.isalnum())


def find_column(header: Sequence[str], wanted: Sequence[str]) -> int | None:
    """Find the first column that has one of several names.

    Parameters
    ----------
    header : sequence of str
        Column names.
    wanted : sequence of str
        Names as returned by `normalise_name`, in order of preference.

    Returns
    -------
    int or None
        Its position.
    """
    names = [normalise_name(h) for h in header]
    return next((names.index(w) for w in wanted if w in names), None)


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
        if len(header) > 1 and find_column(header, SUBJECT_COLUMNS) is not None:
            found.append(name)
    return {"": found} if found else {}


def _read(request: FormatRequest) -> Reading:
    if len(request.files) > 1:
        shown = some((n.path.name for n in request.files), 8)
        raise DataContractError("tables", [f"found several ({shown}): give the path of one file."])
    path = request.files[0].path
    if not request.kind:
        raise DataContractError(
            path.name, ["a plain table does not state the measure: give kind='thickness', ..."]
        )
    cells = select_session(read_cells(path), request.entities)
    long = find_column(cells.header, _REGION_COLUMNS)
    by_subject, facts = (
        _read_wide(cells, request) if long is None else (_read_long(cells, long, request), {})
    )
    return Reading(
        kind=request.kind,
        shape="regional",
        by_subject=by_subject,
        units=_UNITS.get(request.kind, "not stated"),
        files=[path],
        facts=facts,
    )


def select_session(cells: Cells, entities: Mapping[str, str | None]) -> Cells:
    """Keep the rows of the requested session.

    Parameters
    ----------
    cells : Cells
        A table with a header.
    entities : mapping of str to str or None
        Requested entities; only ``ses`` is used.

    Returns
    -------
    Cells
        The table unchanged if it has no session column or no session is requested.

    Raises
    ------
    UnreadableFileError
        If no row is of that session.
    """
    column = find_column(cells.header, _SESSION_COLUMNS)
    wanted = entities.get("ses")
    if column is None or wanted is None:
        return cells
    bare = wanted.removeprefix("ses-")
    rows = tuple(r for r in cells.body if r[column].removeprefix("ses-") == bare)
    if not rows:
        known = some(dict.fromkeys(r[column] for r in cells.body))
        raise UnreadableFileError(f"{cells.path.name} has no session {wanted}: found {known}.")
    return Cells(cells.path, (cells.header, *rows), cells.separator)


def unique_ids(cells: Cells, column: int) -> list[str]:
    """Read the subject ids of a wide table.

    Parameters
    ----------
    cells : Cells
        A wide table.
    column : int
        Position of the id column.

    Returns
    -------
    list of str
        Ids as written in the table, one per row.

    Raises
    ------
    UnreadableFileError
        If ids repeat or are missing.
    """
    ids = [row[column] for row in cells.body]
    repeated = [i for i, n in Counter(ids).items() if n > 1]
    if repeated:
        session = find_column(cells.header, _SESSION_COLUMNS)
        hint = "keep one row per participant"
        if session is not None:
            known = some(dict.fromkeys(r[session] for r in cells.body))
            hint = f"choose a session, entities={{'ses': ...}}: {known}"
        raise UnreadableFileError(f"{cells.path.name} repeats {some(repeated)}: {hint}.")
    if "" in ids:
        raise UnreadableFileError(f"{cells.path.name} has rows without an id.")
    return ids


def _read_wide(
    cells: Cells, request: FormatRequest
) -> tuple[dict[str, SubjectValues], dict[str, list[str]]]:
    id_column = find_column(cells.header, SUBJECT_COLUMNS) or 0
    ids = unique_ids(cells, id_column)
    columns, left_out = _value_columns(cells, id_column, request)
    names = tuple(cells.header[i] for i in columns)
    values = parse_numbers(cells.path, [[row[i] for i in columns] for row in cells.body])
    facts = {"columns_left_out": left_out} if left_out else {}
    by_subject = {s: SubjectValues(names, row) for s, row in zip(ids, values, strict=True)}
    return by_subject, facts


def _value_columns(
    cells: Cells, id_column: int, request: FormatRequest
) -> tuple[list[int], list[str]]:
    """Find the columns with values; list the names of the others."""
    header = cells.header
    others = [i for i in range(len(header)) if i != id_column]
    if request.regions is not None:
        wanted = set(request.regions["region"])
        columns = [i for i in others if header[i] in wanted]
        absent = sorted(wanted - {header[i] for i in columns})
        if absent:
            raise UnreadableFileError(
                f"{cells.path.name} lacks the column(s) {some(absent)} of the region table; it has "
                f"{some((header[i] for i in others), 8)}. Use the column names in the region table."
            )
        return columns, [header[i] for i in others if i not in set(columns)]
    columns = [i for i in others if normalise_name(header[i]) not in _COVARIATE_COLUMNS]
    text = [header[i] for i in columns if any(parse_number(r[i]) is None for r in cells.body)]
    if text:
        raise UnreadableFileError(
            f"{cells.path.name}: column(s) {some(text)} hold text: give a region table "
            "(regions=...) that names the columns to read."
        )
    if columns and all(EDGE_SEPARATOR in header[i] for i in columns):
        raise UnreadableFileError(
            f"{cells.path.name} holds edges ({header[columns[0]]}, ...): copy it into a cohort "
            "folder as features.tsv and use read_features."
        )
    return columns, [header[i] for i in others if i not in set(columns)]


def _read_long(cells: Cells, region: int, request: FormatRequest) -> dict[str, SubjectValues]:
    subject = find_column(cells.header, SUBJECT_COLUMNS) or 0
    value = _value_column(cells, (subject, region), request)
    by_subject: dict[str, dict[str, float]] = {}
    for row in cells.body:
        own = by_subject.setdefault(row[subject], {})
        if row[region] in own:
            raise UnreadableFileError(
                f"{cells.path.name}: {row[subject]} has several rows for {row[region]}: choose a "
                "session, or keep one."
            )
        number = parse_number(row[value])
        if number is None:
            raise UnreadableFileError(
                f"{cells.path.name} has {row[value]!r} where a number was expected."
            )
        own[row[region]] = number
    return {
        s: SubjectValues(tuple(own), np.array(list(own.values()))) for s, own in by_subject.items()
    }


def _value_column(cells: Cells, key_columns: Sequence[int], request: FormatRequest) -> int:
    header = [normalise_name(h) for h in cells.header]
    candidates = [
        i for i, h in enumerate(header) if i not in key_columns and h not in _COVARIATE_COLUMNS
    ]
    if request.weighting:
        named = [i for i in candidates if header[i] == normalise_name(request.weighting)]
    else:
        usual = ("", normalise_name(request.kind), "value", "mean")
        named = [i for i in candidates if header[i] in usual] or candidates
    if len(named) != 1:
        found = some((cells.header[i] for i in candidates), 8)
        raise UnreadableFileError(
            f"{cells.path.name} has the columns {found}: choose one with weighting=..."
        )
    return named[0]


FORMATS = (
    Format(
        name="table",
        title="plain table with ids, wide (one column per region) or long (region, value)",
        find=_find,
        read=_read,
        yields_to=("afq_profiles", "freesurfer_table"),
    ),
)
