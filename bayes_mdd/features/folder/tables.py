"""Feature tables: one file with ids, feature names and values of all participants."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from bayes_mdd.dims import EDGE_SEPARATOR, FEATURE, MISSING, SUBJECT
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.blocks import Index, Text, edge_index, edge_labels
from bayes_mdd.features.folder.matching import IdMatcher, absence_problems
from bayes_mdd.features.loading import Floats, UnreadableFileError, read_npz, read_text_table

ID = "participant_id"


@dataclass(frozen=True)
class FeatureTable:
    """Values by subject, in the order of participants.tsv, and the regions of each column."""

    subjects: tuple[str, ...]
    values: Floats
    first: Index
    second: Index | None  # None: one region per feature, not a pair


def read_feature_table(
    path: Path, regions: pd.DataFrame, participants: pd.DataFrame, *, required: bool = True
) -> FeatureTable:
    """Read ``features.tsv``, ``.csv`` or ``.npz``, sorted like participants and regions.

    Parameters
    ----------
    path : Path
        Text files: ``participant_id`` and one column per feature. Archives: ``subject``,
        ``feature``, ``values``. Edges are named ``A--B`` (or ``B--A``), regional features by their
        region.
    regions : pandas.DataFrame
        Checked region table.
    participants : pandas.DataFrame
        Indexed by ``participant_id``.
    required : bool, default True
        Whether controls and subjects with an arm must have a row.

    Returns
    -------
    FeatureTable
        Subjects in the order of `participants`, features in the order of `regions`.

    Raises
    ------
    DataContractError
        If the file cannot be read, or ids or feature names do not match. The error lists all
        problems.
    """
    try:
        ids, labels, values = _load(path)
    except UnreadableFileError as error:
        raise DataContractError(str(path), [str(error)]) from error
    rows, problems = _match_rows(ids, participants, required)
    first, second, found = _match_columns(labels, regions)
    problems += found
    if problems:
        raise DataContractError(str(path), problems)
    columns = np.lexsort((first,) if second is None else (second, first))
    row_of = {subject: i for i, subject in enumerate(rows)}
    subjects = tuple(str(p) for p in participants.index if str(p) in row_of)
    # Files that are already sorted are not copied.
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
    arrays = read_npz(path, (SUBJECT, FEATURE, "values"))
    for key in (SUBJECT, FEATURE):
        if arrays[key].dtype.kind != "U":
            raise UnreadableFileError(f"{path.name} [{key}] contains numbers: names must be text.")
    ids = [str(i) for i in arrays[SUBJECT].ravel()]
    labels, values = arrays[FEATURE], arrays["values"]
    if values.dtype.kind != "f" or values.shape != (len(ids), labels.size):
        raise UnreadableFileError(
            f"{path.name} [values] has dtype {values.dtype} and shape {values.shape}: expected "
            f"numbers, ({len(ids)} subjects, {labels.size} features)."
        )
    return ids, labels.ravel(), values


def _match_rows(
    ids: list[str], participants: pd.DataFrame, required: bool
) -> tuple[list[str], list[str]]:
    known = IdMatcher(participants.index)
    subjects = [known.match(i) for i in ids]
    problems = []
    blank = [str(n + 1) for n, i in enumerate(ids) if i.strip() in ("", MISSING)]
    if blank:
        problems.append(f"row(s) {some(blank)} have no id: fill it in.")
    if not ids:
        problems.append("the table has no rows: expected one per participant.")
    unknown = [i for i, s in zip(ids, subjects, strict=True) if s is None and i.strip()]
    if unknown:
        problems.append(
            f"{len(unknown)} id(s) are not in participants.tsv: {some(unknown)}. Add the "
            "participants or remove the rows."
        )
    found = pd.Series([s for s in subjects if s is not None], dtype=object)
    repeated = found[found.duplicated()].unique()
    if len(repeated):
        problems.append(f"{some(repeated)} occur(s) more than once: keep one row per participant.")
    if required:
        problems += absence_problems(participants, found, "row")
    return [str(s) for s in subjects], problems


def _match_columns(labels: Text, regions: pd.DataFrame) -> tuple[Index, Index | None, list[str]]:
    none = np.array([], dtype=np.intp)
    if len(regions) > 1 and np.array_equal(labels, edge_labels(regions)):
        first, second = edge_index(len(regions))
        return first, second, []
    row_of = {str(name): i for i, name in enumerate(regions["region"])}
    if all(str(label) in row_of for label in labels):
        rows = np.array([row_of[str(label)] for label in labels], dtype=np.intp)
        return rows, None, _repeated(labels, rows)
    pairs = [_pair(str(label), row_of) for label in labels]
    bad = [str(label) for label, pair in zip(labels, pairs, strict=True) if pair is None]
    if bad:
        return (
            none,
            None,
            [
                f"{len(bad)} of {len(labels)} feature name(s) do not match regions.tsv: "
                f"{some(bad)}. Expected 'A{EDGE_SEPARATOR}B' with two different regions (edges), "
                "or only names of regions (regional features)."
            ],
        )
    both = np.array(pairs, dtype=np.intp)
    first, second = both.min(axis=1), both.max(axis=1)
    return first, second, _repeated(labels, first * len(regions) + second)


def _pair(label: str, row_of: dict[str, int]) -> tuple[int, int] | None:
    """Find the two regions of an edge; names of regions may contain the separator."""
    cells = label.split(EDGE_SEPARATOR)
    for cut in range(1, len(cells)):
        a, b = (row_of.get(EDGE_SEPARATOR.join(part)) for part in (cells[:cut], cells[cut:]))
        if a is not None and b is not None and a != b:
            return a, b
    return None


def _repeated(labels: Text, keys: Index) -> list[str]:
    repeated = pd.Index(keys).duplicated()
    if not repeated.any():
        return []
    return [
        f"{int(repeated.sum())} feature(s) occur more than once (for edges, also as B--A): "
        f"{some(labels[repeated])}. Keep one column for each."
    ]
