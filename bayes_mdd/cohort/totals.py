"""Symptom tables that hold the total of a scale only, without its items."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd

from bayes_mdd.cohort.item_columns import find_item_columns
from bayes_mdd.cohort.scales import Scale, available_scales, read_scale
from bayes_mdd.cohort.tables import is_number
from bayes_mdd.dims import MISSING
from bayes_mdd.errors import DataContractError, some

#: What ``MeasurementToolMetadata.Items`` states for a table of totals.
TOTAL_ONLY: Final = "total only"
_KEYS: Final = ("participant_id", "session_id")
#: Other names of the scales in column names.
_ALIASES: Final = {
    "hamd17": ("hamd", "hdrs", "hrsd", "hamilton", "hdrs17", "hrsd17"),
    "hamd24": ("hamd", "hdrs", "hrsd", "hamilton", "hdrs24", "hrsd24"),
    "qids_sr16": ("qids", "qidssr"),
}
_ENDINGS: Final = ("", "total", "totalscore", "score", "sum", "sumscore", "tot", "gesamt")


def total_column(
    table: pd.DataFrame, scale: Scale, sidecar: Mapping[str, Any]
) -> tuple[str | None, list[str]]:
    """Find the column of the total in a table that has no items.

    Parameters
    ----------
    table : pandas.DataFrame
        As `bayes_mdd.cohort.read_table` returns it.
    scale : Scale
        The scale.
    sidecar : mapping
        Content of the JSON sidecar of the table. ``MeasurementToolMetadata.Items`` states
        ``"total only"``; ``ScaleItem`` of a column may be ``"total"``.

    Returns
    -------
    column : str or None
        The column; None if the table holds items.
    problems : list of str
        Why the column cannot be chosen; empty if it can, or if the table holds items.
    """
    tool = sidecar.get("MeasurementToolMetadata")
    stated = tool.get("Items") if isinstance(tool, Mapping) else None
    if stated is not None and _plain(str(stated)) not in ("totalonly", "total"):
        return None, [
            f'Items in the JSON sidecar must be "{TOTAL_ONLY}" or be left out, got {stated!r}.'
        ]
    mapped = _mapped(sidecar)
    items = {k: v for k, v in mapped.items() if k != "total"}
    found = find_item_columns([str(c) for c in table.columns], scale, items)[0]
    own = sorted({c for parts in found.values() for c in parts.values()})
    if own or items:
        listed = some(own or items.values())
        problem = f'Items in the JSON sidecar is "{TOTAL_ONLY}", but the table has items: {listed}.'
        return None, [] if stated is None else [problem]
    if "total" in mapped and mapped["total"] in table:
        return mapped["total"], []
    return _choose_column(table, scale, stated=stated is not None)


def _mapped(sidecar: Mapping[str, Any]) -> dict[str, str]:
    """Columns by ScaleItem."""
    return {
        str(meaning["ScaleItem"]).strip().lower(): str(column)
        for column, meaning in sidecar.items()
        if isinstance(meaning, Mapping) and "ScaleItem" in meaning
    }


def _choose_column(
    table: pd.DataFrame, scale: Scale, *, stated: bool
) -> tuple[str | None, list[str]]:
    columns = [str(c) for c in table.columns if c not in _KEYS]
    names = (_plain(scale.name), *_ALIASES.get(scale.name, ()))
    allowed = {f"{name}{end}" for name in names for end in _ENDINGS}
    clear = [c for c in columns if _plain(c) in allowed]
    if stated:
        clear = clear or [c for c in columns if _plain(c) in _ENDINGS]
        clear = clear or (columns if len(columns) == 1 else [])
    else:
        clear = [c for c in clear if _plain(c) == f"{_plain(scale.name)}total"]
    if len(clear) == 1:
        return clear[0], []
    if stated:
        return None, [
            f"the column with the total of {scale.name} is not clear; found {some(columns, 12)}. "
            f'Name it {scale.name}_total, or state "ScaleItem": "total" for it in the JSON sidecar.'
        ]
    return None, [
        f"the table has no column of an item of {scale.name}; found {some(columns, 12)}. If it "
        f'holds total scores, state "Items": "{TOTAL_ONLY}" beside "Scale": "{scale.name}" under '
        "MeasurementToolMetadata in the JSON sidecar. If it holds items, name their columns "
        f"{scale.name}_1, {scale.name}_2, ..., or state the ScaleItem of each column there."
    ]


def score_total(
    table: pd.DataFrame,
    scale: Scale | str | Path,
    column: str,
    *,
    missing_codes: Collection[int] = (),
) -> pd.DataFrame:
    """Check the totals of a scale that were computed elsewhere.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per rating. The columns ``participant_id`` and ``session_id``, if present, become
        the index.
    scale : Scale, str or Path
        The scale, or an argument of `read_scale`.
    column : str
        Column with the totals; ``n/a`` or NaN where not rated. Prorated totals may be fractions.
    missing_codes : collection of int
        Numbers that mean "not rated" in this table.

    Returns
    -------
    pandas.DataFrame
        One float column, the total under its standard name such as ``hamd17_total``. The other
        dimensions of the scale need its items.

    Raises
    ------
    DataContractError
        If the scale has no total, or totals are not numbers in its range; all are listed.

    Examples
    --------
    >>> table = pd.DataFrame({"participant_id": ["sub-1", "sub-2"], "HAMD": ["21", "n/a"]})
    >>> score_total(table, "hamd17", "HAMD")["hamd17_total"].tolist()
    [21.0, nan]
    """
    scale = scale if isinstance(scale, Scale) else read_scale(scale)
    name = name_of_total(scale)
    what = f"{scale.title} ({scale.name})"
    if name is None:
        raise DataContractError(what, ["the scale defines no total: give its items."])
    if column not in table:
        raise DataContractError(what, [f"there is no column {column!r}."])
    keys = [key for key in _KEYS if key in table]
    cells = (table.set_index(keys) if keys else table)[column]
    text = cells.astype(object).where(cells.notna(), MISSING).map(lambda cell: str(cell).strip())
    numbers = pd.to_numeric(text.where(text.map(is_number)), errors="coerce").astype(float)
    coded = numbers.isin([float(code) for code in missing_codes])
    low, high = scale.range_of(name)
    wrong = (text != MISSING) & ~coded & ~numbers.between(low, high)
    if wrong.any():
        listed = some((f"{_label(i)} has {c!r}" for i, c in text[wrong].items()), 20)
        raise DataContractError(
            what,
            [
                f"the total (column {column!r}) must be a number from {low} to {high}; {listed}. "
                f"Correct it, write {MISSING} if not rated, or list the code in `missing_codes`."
            ],
        )
    return pd.DataFrame({name: numbers.mask(coded)}, index=cells.index)


def name_of_total(scale: Scale) -> str | None:
    """Name the dimension that is the total of a scale.

    Parameters
    ----------
    scale : Scale
        The scale.

    Returns
    -------
    str or None
        ``<scale>_total``, or the only dimension that sums all items; None if there is none.
    """
    names = [d.name for d in scale.dimensions]
    if f"{scale.name}_total" in names:
        return f"{scale.name}_total"
    every = {item.id for item in scale.items}
    sums = [d.name for d in scale.dimensions if d.aggregate == "sum" and {*d.parts} == every]
    return sums[0] if len(sums) == 1 else None


def describe_totals(scale: Scale, column: str) -> str:
    """Say what a table of totals offers and what it lacks.

    Parameters
    ----------
    scale : Scale
        The scale.
    column : str
        Column with the totals.

    Returns
    -------
    str
        A note.
    """
    total = name_of_total(scale)
    others = [d.name for d in scale.dimensions if d.name != total]
    return (
        f"total scores only (column {column!r}), read as {total}. The dimensions "
        f"{', '.join(others)} need the items of {scale.name}. To link the total with factors, set "
        f"model.symptoms=[{total}]."
    )


def explain_absent(name: str, columns: Iterable[str]) -> str:
    """Say that a symptom needs the items of a scale whose total is known.

    Parameters
    ----------
    name : str
        A dimension such as ``retardation`` or an item such as ``hamd17_1``.
    columns : iterable of str
        Symptoms that are known.

    Returns
    -------
    str
        A sentence; empty if no total of a scale with this dimension or item is known.

    Examples
    --------
    >>> explain_absent("retardation", ["hamd17_total"])
    "'retardation' needs the items of hamd17, but only hamd17_total is known."
    """
    known = {*map(str, columns)}
    for scale in map(read_scale, available_scales()):
        total = name_of_total(scale)
        named = {d.name for d in scale.dimensions} | {f"{scale.name}_{i.id}" for i in scale.items}
        if total in known and name in named - known:
            return f"'{name}' needs the items of {scale.name}, but only {total} is known."
    return ""


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _label(index: object) -> str:
    """Participant and session of a rating, for messages."""
    return " ".join(map(str, index)) if isinstance(index, tuple) else str(index)
