"""From item scores to symptom dimensions."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from bayes_mdd.cohort.scales import Alternative, Dimension, Item, Scale, read_scale
from bayes_mdd.dims import MISSING
from bayes_mdd.errors import DataContractError, some

_KEYS = ("participant_id", "session_id")


def score_scale(
    table: pd.DataFrame,
    scale: Scale | str | Path,
    *,
    items: Mapping[str, str] | str | None = None,
    weight_item: str | None = None,
    missing_codes: Collection[int] = (),
) -> pd.DataFrame:
    """Score a scale: check every item, then put the dimensions together.

    Parameters
    ----------
    table : pandas.DataFrame
        One row a rating, one column an item; text or numbers, ``n/a`` or NaN where not rated.
        Columns ``participant_id`` and ``session_id`` become the index if they are there. Other
        columns are left alone.
    scale : Scale, str or Path
        The scale, or what `read_scale` takes.
    items : mapping of str to str, or str, optional
        Where items are: item id to column name, or a pattern such as ``"hamilton{item}"``. By
        default, and for items that a mapping leaves out, columns such as ``hamd17_1``,
        ``hamd17_item1``, ``item1``, ``item_01`` and ``1`` are recognised.
    weight_item : {"16a", "16b"}, optional
        Which of the two ways to rate an item counts where both were rated and differ; default as
        the scale's file says.
    missing_codes : collection of int
        Numbers that mean "not rated" in this table, e.g. ``{-9999}``.

    Returns
    -------
    pandas.DataFrame
        One float column a dimension, NaN where too many items were not rated (the rule is in
        ``Scale.missing_rule`` and ``Dimension.max_missing``). ``attrs["notes"]`` lists choices made
        for single people.

    Raises
    ------
    DataContractError
        If an item has no column or two, or a score is not a whole number in the item's range; all
        are named.

    Examples
    --------
    >>> import pandas as pd
    >>> names = [f"item{i}" for i in range(1, 18)]
    >>> rating = pd.DataFrame([[2] * 17], columns=names, index=["sub-1"])
    >>> float(score_scale(rating, "hamd17").loc["sub-1", "retardation"])
    8.0
    """
    scale = scale if isinstance(scale, Scale) else read_scale(scale)
    scores, index, notes = _checked_items(
        table, scale, items=items, weight_item=weight_item, missing_codes=missing_codes
    )
    for dimension in scale.dimensions:
        scores[dimension.name] = _aggregate(scores, dimension)
    result = pd.DataFrame({d.name: scores[d.name] for d in scale.dimensions}, index=index)
    result.attrs["notes"] = tuple(notes)
    return result


def score_items(
    table: pd.DataFrame,
    scale: Scale | str | Path,
    *,
    items: Mapping[str, str] | str | None = None,
    weight_item: str | None = None,
    missing_codes: Collection[int] = (),
) -> pd.DataFrame:
    """Check every item of a scale and return the item scores under common names.

    Parameters
    ----------
    table : pandas.DataFrame
        As for `score_scale`.
    scale : Scale, str or Path
        As for `score_scale`.
    items : mapping of str to str, or str, optional
        As for `score_scale`.
    weight_item : {"16a", "16b"}, optional
        As for `score_scale`.
    missing_codes : collection of int
        As for `score_scale`.

    Returns
    -------
    pandas.DataFrame
        One float column an item, named ``<scale>_<item id>`` whatever the columns of `table` are
        called, NaN where not rated; an item that was rated in one of two ways (weight loss) has
        one column. Indexed like the result of `score_scale`.

    Raises
    ------
    DataContractError
        As `score_scale`.

    Examples
    --------
    >>> import pandas as pd
    >>> names = [f"item{i}" for i in range(1, 18)]
    >>> rating = pd.DataFrame([[2] * 17], columns=names, index=["sub-1"])
    >>> score_items(rating, "hamd17").columns[:3].tolist()
    ['hamd17_1', 'hamd17_2', 'hamd17_3']
    """
    scale = scale if isinstance(scale, Scale) else read_scale(scale)
    scores, index, _ = _checked_items(
        table, scale, items=items, weight_item=weight_item, missing_codes=missing_codes
    )
    named = {f"{scale.name}_{item.id}": scores[item.id].to_numpy() for item in scale.items}
    return pd.DataFrame(named, index=index)


def _checked_items(
    table: pd.DataFrame,
    scale: Scale,
    *,
    items: Mapping[str, str] | str | None,
    weight_item: str | None,
    missing_codes: Collection[int],
) -> tuple[dict[str, pd.Series], pd.Index, list[str]]:
    """Scores by item id, the index of the ratings, and choices made for single people."""
    keys = [key for key in _KEYS if key in table]
    rated = table.set_index(keys) if keys else table
    columns, problems = _find_columns([str(c) for c in rated.columns], scale, items)
    problems += _choice_problems(scale, weight_item)
    named = rated.rename(columns=str)
    found: dict[str, pd.Series] = {}
    for item in scale.items:
        for part, column in columns.get(item.id, {}).items():
            found[part], wrong = _item_scores(named[column], item, scale, missing_codes)
            problems += wrong
    if problems:
        raise DataContractError(f"{scale.title} ({scale.name})", problems)
    scores, notes = _one_per_item(found, scale, weight_item)
    return scores, rated.index, notes


def _find_columns(
    names: list[str], scale: Scale, items: Mapping[str, str] | str | None
) -> tuple[dict[str, dict[str, str]], list[str]]:
    """Map item id to {item or alternative id: column}."""
    places, problems = _places(names, scale, items)
    columns: dict[str, dict[str, str]] = {}
    for item in scale.items:
        way = scale.alternatives.get(item.id)
        wanted = (item.id, *(way.items if way else ()))
        hits = {part: places[part] for part in wanted if part in places}
        several = sorted(c for found in hits.values() for c in found)
        if not hits:
            problems.append(
                f"no column for item {item.id} ({item.text}): name it {scale.name}_{item.id}, "
                "or map it with `items` or ScaleItem in the JSON sidecar."
            )
        elif any(len(found) > 1 for found in hits.values()) or (item.id in hits and len(hits) > 1):
            problems.append(
                f"item {item.id} could be any of the columns {some(several)}: "
                "say which with `items`."
            )
        columns[item.id] = {part: found[0] for part, found in hits.items() if found[0] in names}
    return columns, problems


def _places(
    names: list[str], scale: Scale, items: Mapping[str, str] | str | None
) -> tuple[dict[str, list[str]], list[str]]:
    """Columns of every item id: by name, unless a mapping says otherwise."""
    if not isinstance(items, Mapping):
        return _recognise(names, scale, items), []
    places = _recognise(names, scale, None)
    ids = {item.id for item in scale.items}
    ids |= {part for way in scale.alternatives.values() for part in way.items}
    problems = []
    for item, column in items.items():
        places[str(item).lower()] = [column]
        if column not in names:
            problems.append(
                f"item {item} should be column {column!r}, not in the table ({some(names, 8)})."
            )
        if str(item).lower() not in ids:
            problems.append(f"{scale.name} has no item {item!r} (given for column {column!r}).")
    return places, problems


def _recognise(names: list[str], scale: Scale, pattern: str | None) -> dict[str, list[str]]:
    if pattern is None:
        form = rf"(?:{re.escape(scale.name)}[_-])?(?:item[_-]?)?0*([1-9]\d*[a-z]?)"
    else:
        before, _, after = pattern.partition("{item}")
        form = rf"{re.escape(before)}0*([1-9]\d*[a-z]?){re.escape(after)}"
    places: dict[str, list[str]] = {}
    for name in names:
        if match := re.fullmatch(form, name, flags=re.IGNORECASE):
            places.setdefault(match.group(1).lower(), []).append(name)
    return places


def _choice_problems(scale: Scale, weight_item: str | None) -> list[str]:
    ways = {part for way in scale.alternatives.values() for part in way.items}
    if weight_item is None or not ways or weight_item in ways:
        return []
    return [f"weight_item must be one of {some(sorted(ways))}, got {weight_item!r}."]


def _item_scores(
    cells: pd.Series, item: Item, scale: Scale, missing_codes: Collection[int]
) -> tuple[pd.Series, list[str]]:
    """Scores of one column as floats, and who has a score that cannot be."""
    text = cells.astype(object).where(cells.notna(), MISSING)
    known = text[text != MISSING]
    numbers = pd.to_numeric(known.map(lambda cell: str(cell).strip()), errors="coerce")
    keep = ~numbers.isin(list(missing_codes))
    known, numbers = known[keep], numbers[keep]
    # An empty or worded cell became NaN, which no comparison lets pass.
    good = numbers.between(item.min, item.max) & (numbers == np.floor(numbers))
    values = np.full(len(cells), np.nan)
    # By position, because nothing forbids a repeated index here.
    rated = (text != MISSING).to_numpy().nonzero()[0][keep.to_numpy()]
    values[rated] = numbers.to_numpy(dtype=float)
    scores = pd.Series(values, index=cells.index)
    if good.all():
        return scores, []
    who = (f"{_person(index)} has {str(cell)!r}" for index, cell in known[~good].items())
    return scores, [
        f"item {item.id} ({item.text}, column {cells.name!r}) of {scale.name} must be a whole "
        f"number from {item.min} to {item.max}; {some(who, 20)}. Correct it, write {MISSING} if "
        "not rated, or name the code in `missing_codes`."
    ]


def _person(index: object) -> str:
    return " ".join(map(str, index)) if isinstance(index, tuple) else str(index)


def _one_per_item(
    found: Mapping[str, pd.Series], scale: Scale, weight_item: str | None
) -> tuple[dict[str, pd.Series], list[str]]:
    """Settle items that were rated in several ways."""
    scores: dict[str, pd.Series] = {}
    notes: list[str] = []
    for item in scale.items:
        way = scale.alternatives.get(item.id)
        if item.id in found or way is None:
            scores[item.id] = found[item.id]
            continue
        ways = {part: found[part] for part in way.items if part in found}
        scores[item.id], note = _settle(ways, way, item, weight_item)
        notes += note
    return scores, notes


def _settle(
    ways: Mapping[str, pd.Series], way: Alternative, item: Item, weight_item: str | None
) -> tuple[pd.Series, list[str]]:
    first = weight_item if weight_item in way.items else way.default
    order = [part for part in (first, *way.items) if part in ways]
    values = np.column_stack([ways[part].to_numpy() for part in dict.fromkeys(order)])
    index = next(iter(ways.values())).index
    # The first rated one in the order of preference.
    chosen = pd.DataFrame(values, index=index).bfill(axis=1).iloc[:, 0]
    known = ~np.isnan(values)
    low = np.where(known, values, np.inf).min(axis=1)
    high = np.where(known, values, -np.inf).max(axis=1)
    differ = index[known.any(axis=1) & (low != high)]
    if differ.empty:
        return chosen, []
    who = ", ".join(_person(i) for i in differ)
    return chosen, [
        f"item {item.id}: {' and '.join(way.items)} differ, {first} was used for {who}."
    ]


def _aggregate(scores: Mapping[str, pd.Series], dimension: Dimension) -> pd.Series:
    """Sum (prorated) or maximum of the parts; NaN where too few are known."""
    parts = pd.concat([scores[part].reset_index(drop=True) for part in dimension.parts], axis=1)
    known = parts.notna().sum(axis=1)
    if dimension.aggregate == "sum":
        whole = parts.sum(axis=1) * len(dimension.parts) / known.where(known > 0)
    else:
        whole = parts.max(axis=1)
    enough = known >= max(1, len(dimension.parts) - dimension.max_missing)
    whole = whole.where(enough).astype(float)
    whole.index = scores[dimension.parts[0]].index
    return whole
