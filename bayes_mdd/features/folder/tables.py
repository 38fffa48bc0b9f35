"""Features of everybody in one file: ids, labels, values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from bayes_mdd.dims import EDGE_SEPARATOR, FEATURE, MISSING, SUBJECT
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.blocks import Index, Text, edge_index, edge_labels
from bayes_mdd.features.folder.layout import IdMatcher, absence_problems
from bayes_mdd.features.loading import Floats, UnreadableFileError, read_npz, read_text_table

ID = "participant_id"


@dataclass(frozen=True)
class FeatureTable:
    """Values of people (in the order of participants.tsv) and what each column is."""

    subjects: tuple[str, ...]
    values: Floats
    first: Index
    second: Index | None  # None: one value a region, not a pair


def read_feature_table(
    path: Path, regions: pd.DataFrame, participants: pd.DataFrame
) -> FeatureTable:
    """Read ``features.tsv``, ``.csv`` or ``.npz`` and bring it into the order of the tables.

    Parameters
    ----------
    path : Path
        Text: ``participant_id`` and one column a feature. Archive: ``subject``, ``feature``,
        ``values``. Features are named ``A--B`` (or ``B--A``) for edges, by the region for regions.
    regions : pandas.DataFrame
        Checked region table.
    participants : pandas.DataFrame
        Indexed by ``participant_id``.

    Returns
    -------
    FeatureTable
        People in the order of `participants`, features in the order of `regions`.

    Raises
    ------
    DataContractError
        If the file cannot be read, or ids or labels do not match; all problems at once.
    """
    try:
        ids, labels, values = _load(path)
    except UnreadableFileError as error:
        raise DataContractError(str(path), [str(error)]) from error
    rows, problems = _match_rows(ids, participants)
    first, second, trouble = _match_columns(labels, regions)
    problems += trouble
    if problems:
        raise DataContractError(str(path), problems)
    columns = np.lexsort((first,) if second is None else (second, first))
    row_of = {who: i for i, who in enumerate(rows)}
    subjects = tuple(str(p) for p in participants.index if str(p) in row_of)
    # Most files are in order already; then nothing is copied.
    if not np.array_equal(columns, np.arange(len(columns))):
        values = values[:, columns]
    order = [row_of[s] for s in subjects]
    return FeatureTable(
        subjects,
        values if order == list(range(len(order))) else values[order],
        first[columns],
        None if second is None else second[columns],
    )


def _load(path: Path) -> tuple[list[str], Text, Floats]:
    if path.suffix != ".npz":
        table = read_text_table(path, named_rows=True, corner=ID)
        return list(table.rows or ()), np.array(table.columns, dtype=np.str_), table.values
    held = read_npz(path, (SUBJECT, FEATURE, "values"))
    for key in (SUBJECT, FEATURE):
        if held[key].dtype.kind != "U":
            raise UnreadableFileError(f"{path.name} [{key}] holds numbers: names must be text.")
    ids, labels, values = [str(i) for i in held[SUBJECT].ravel()], held[FEATURE], held["values"]
    if values.dtype.kind != "f" or values.shape != (len(ids), labels.size):
        raise UnreadableFileError(
            f"{path.name} [values] is {values.dtype} {values.shape}: expected numbers, "
            f"({len(ids)} subjects, {labels.size} features)."
        )
    return ids, labels.ravel(), values


def _match_rows(ids: list[str], participants: pd.DataFrame) -> tuple[list[str], list[str]]:
    known = IdMatcher(participants.index)
    owners = [known.owner(i) for i in ids]
    problems = []
    blank = [str(n + 1) for n, i in enumerate(ids) if i.strip() in ("", MISSING)]
    if blank:
        problems.append(f"row(s) {some(blank)} have no id.")
    if not ids:
        problems.append("has no rows: expected one a person.")
    strangers = [i for i, o in zip(ids, owners, strict=True) if o is None and i.strip()]
    if strangers:
        problems.append(
            f"{len(strangers)} id(s) are not in participants.tsv: {some(strangers)}. Add the "
            "people or take the rows away."
        )
    found = pd.Series([o for o in owners if o is not None], dtype=object)
    twice = found[found.duplicated()].unique()
    if len(twice):
        problems.append(f"{some(twice)} occur(s) more than once: keep one row a person.")
    problems += absence_problems(participants, found, "row")
    return [str(o) for o in owners], problems


def _match_columns(labels: Text, regions: pd.DataFrame) -> tuple[Index, Index | None, list[str]]:
    none = np.array([], dtype=np.intp)
    if len(regions) > 1 and np.array_equal(labels, edge_labels(regions)):
        first, second = edge_index(len(regions))
        return first, second, []
    place = {str(name): i for i, name in enumerate(regions["region"])}
    if all(str(label) in place for label in labels):
        rows = np.array([place[str(label)] for label in labels], dtype=np.intp)
        return rows, None, _repeated(labels, rows)
    pairs = [_pair(str(label), place) for label in labels]
    bad = [str(label) for label, pair in zip(labels, pairs, strict=True) if pair is None]
    if bad:
        return (
            none,
            None,
            [
                f"{len(bad)} of {len(labels)} feature name(s) do not fit regions.tsv: {some(bad)}. "
                f"Expected 'A{EDGE_SEPARATOR}B' of two different regions, or for every feature the "
                "name of a region."
            ],
        )
    both = np.array(pairs, dtype=np.intp)
    first, second = both.min(axis=1), both.max(axis=1)
    return first, second, _repeated(labels, first * len(regions) + second)


def _pair(label: str, place: dict[str, int]) -> tuple[int, int] | None:
    """Find the two regions; a name may itself hold the separator."""
    cells = label.split(EDGE_SEPARATOR)
    for cut in range(1, len(cells)):
        a, b = (place.get(EDGE_SEPARATOR.join(part)) for part in (cells[:cut], cells[cut:]))
        if a is not None and b is not None and a != b:
            return a, b
    return None


def _repeated(labels: Text, keys: Index) -> list[str]:
    again = pd.Index(keys).duplicated()
    if not again.any():
        return []
    return [
        f"{int(again.sum())} feature(s) occur more than once (an edge also as B--A): "
        f"{some(labels[again])}. Keep one column each."
    ]
