"""Columns of a table that hold the items of a symptom scale."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bayes_mdd.cohort.scales import Scale
from bayes_mdd.errors import some


def find_item_columns(
    names: list[str], scale: Scale, items: Mapping[str, str] | str | None
) -> tuple[dict[str, dict[str, str]], list[str]]:
    """Find the columns of the items of a scale.

    Parameters
    ----------
    names : list of str
        Columns of the table.
    scale : Scale
        The scale.
    items : mapping of str to str, str or None
        See `bayes_mdd.cohort.score_scale`.

    Returns
    -------
    columns : dict
        For each item id a mapping from the id of the item, or of its alternative ratings, to the
        column.
    problems : list of str
        Items without a column or with several, and errors in the mapping.
    """
    columns_of, problems = _candidate_columns(names, scale, items)
    columns: dict[str, dict[str, str]] = {}
    for item in scale.items:
        alternative = scale.alternatives.get(item.id)
        ids = (item.id, *(alternative.items if alternative else ()))
        hits = {part: columns_of[part] for part in ids if part in columns_of}
        several = sorted(c for found in hits.values() for c in found)
        if not hits:
            problems.append(
                f"there is no column for item {item.id} ({item.text}): name it "
                f"{scale.name}_{item.id}, or map it with `items` or with ScaleItem in the JSON "
                "sidecar."
            )
        elif any(len(found) > 1 for found in hits.values()) or (item.id in hits and len(hits) > 1):
            problems.append(
                f"several columns match item {item.id}: {some(several)}. Choose one with `items`."
            )
        columns[item.id] = {part: found[0] for part, found in hits.items() if found[0] in names}
    return columns, problems


def _candidate_columns(
    names: list[str], scale: Scale, items: Mapping[str, str] | str | None
) -> tuple[dict[str, list[str]], list[str]]:
    """Columns by item id: recognised by name, unless the mapping names them."""
    if not isinstance(items, Mapping):
        return _recognise_columns(names, scale, items), []
    columns_of = _recognise_columns(names, scale, None)
    ids = {item.id for item in scale.items}
    ids |= {part for alternative in scale.alternatives.values() for part in alternative.items}
    problems = []
    for item, column in items.items():
        columns_of[str(item).lower()] = [column]
        if column not in names:
            problems.append(
                f"item {item} is mapped to column {column!r}, which is not in the table; found "
                f"{some(names, 8)}."
            )
        if str(item).lower() not in ids:
            problems.append(f"{scale.name} has no item {item!r} (mapped to column {column!r}).")
    return columns_of, problems


def _recognise_columns(names: list[str], scale: Scale, pattern: str | None) -> dict[str, list[str]]:
    if pattern is None:
        form = rf"(?:{re.escape(scale.name)}[_-])?(?:item[_-]?)?0*([1-9]\d*[a-z]?)"
    else:
        before, _, after = pattern.partition("{item}")
        form = rf"{re.escape(before)}0*([1-9]\d*[a-z]?){re.escape(after)}"
    columns_of: dict[str, list[str]] = {}
    for name in names:
        if match := re.fullmatch(form, name, flags=re.IGNORECASE):
            columns_of.setdefault(match.group(1).lower(), []).append(name)
    return columns_of
