"""Scoring of symptom scales: item scores are checked and combined into dimensions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from bayes_mdd.cohort.item_columns import find_item_columns
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
    """Score a scale: check all items, then compute the dimension scores.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per rating and one column per item; text or numbers, ``n/a`` or NaN where not
        rated. The columns ``participant_id`` and ``session_id``, if present, become the index.
        Other columns are ignored.
    scale : Scale, str or Path
        The scale, or an argument of `read_scale`.
    items : mapping of str to str, or str, optional
        Columns of the items: a mapping from item id to column name, or a pattern such as
        ``"hamilton{item}"``. By default, and for items that are not in the mapping, columns such as
        ``hamd17_1``, ``hamd17_item1``, ``item1``, ``item_01`` and ``1`` are recognised.
    weight_item : {"16a", "16b"}, optional
        Which of the two alternative ratings of weight loss counts where both were rated and
        differ. Default: as defined in the file of the scale.
    missing_codes : collection of int
        Numbers that mean "not rated" in this table, e.g. ``{-9999}``.

    Returns
    -------
    pandas.DataFrame
        One float column per dimension, NaN where too many items were not rated (see
        ``Scale.missing_rule`` and ``Dimension.max_missing``). ``attrs["notes"]`` lists decisions
        that concern single subjects.

    Raises
    ------
    DataContractError
        If an item has no column or several, or a score is not a whole number in the range of its
        item. The error lists all problems.

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
    """Check all items of a scale and return the item scores under standard names.

    Parameters
    ----------
    table : pandas.DataFrame
        See `score_scale`.
    scale : Scale, str or Path
        See `score_scale`.
    items : mapping of str to str, or str, optional
        See `score_scale`.
    weight_item : {"16a", "16b"}, optional
        See `score_scale`.
    missing_codes : collection of int
        See `score_scale`.

    Returns
    -------
    pandas.DataFrame
        One float column per item, named ``<scale>_<item id>`` whatever the names in `table`; NaN
        where not rated. An item with alternative ratings (weight loss) has one column. Indexed
        like the result of `score_scale`.

    Raises
    ------
    DataContractError
        See `score_scale`.

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
    """Scores by item id, the index of the ratings, and notes on single subjects."""
    keys = [key for key in _KEYS if key in table]
    rated = table.set_index(keys) if keys else table
    columns, problems = find_item_columns([str(c) for c in rated.columns], scale, items)
    problems += _choice_problems(scale, weight_item)
    named = rated.rename(columns=str)
    found: dict[str, pd.Series] = {}
    for item in scale.items:
        for part, column in columns.get(item.id, {}).items():
            found[part], wrong = _item_scores(named[column], item, scale, missing_codes)
            problems += wrong
    if problems:
        raise DataContractError(f"{scale.title} ({scale.name})", problems)
    scores, notes = _resolve_alternatives(found, scale, weight_item)
    return scores, rated.index, notes


def _choice_problems(scale: Scale, weight_item: str | None) -> list[str]:
    ids = {part for alternative in scale.alternatives.values() for part in alternative.items}
    if weight_item is None or not ids or weight_item in ids:
        return []
    return [f"weight_item must be one of {some(sorted(ids))}, got {weight_item!r}."]


def _item_scores(
    cells: pd.Series, item: Item, scale: Scale, missing_codes: Collection[int]
) -> tuple[pd.Series, list[str]]:
    """Scores of one column as floats, and the subjects with an impossible score."""
    text = cells.astype(object).where(cells.notna(), MISSING)
    known = text[text != MISSING]
    numbers = pd.to_numeric(known.map(lambda cell: str(cell).strip()), errors="coerce")
    keep = ~numbers.isin(list(missing_codes))
    known, numbers = known[keep], numbers[keep]
    # Empty cells and words became NaN, for which both comparisons are False.
    good = numbers.between(item.min, item.max) & (numbers == np.floor(numbers))
    values = np.full(len(cells), np.nan)
    # By position, because the index may have duplicates.
    rated = (text != MISSING).to_numpy().nonzero()[0][keep.to_numpy()]
    values[rated] = numbers.to_numpy(dtype=float)
    scores = pd.Series(values, index=cells.index)
    if good.all():
        return scores, []
    wrong = (f"{_label_of(index)} has {str(cell)!r}" for index, cell in known[~good].items())
    return scores, [
        f"item {item.id} ({item.text}, column {cells.name!r}) of {scale.name} must be a whole "
        f"number from {item.min} to {item.max}; {some(wrong, 20)}. Correct it, write {MISSING} if "
        "not rated, or list the code in `missing_codes`."
    ]


def _label_of(index: object) -> str:
    """Subject and session of a rating, for messages."""
    return " ".join(map(str, index)) if isinstance(index, tuple) else str(index)


def _resolve_alternatives(
    found: Mapping[str, pd.Series], scale: Scale, weight_item: str | None
) -> tuple[dict[str, pd.Series], list[str]]:
    """Reduce items with alternative ratings to one score per item."""
    scores: dict[str, pd.Series] = {}
    notes: list[str] = []
    for item in scale.items:
        alternative = scale.alternatives.get(item.id)
        if item.id in found or alternative is None:
            scores[item.id] = found[item.id]
            continue
        ratings = {part: found[part] for part in alternative.items if part in found}
        scores[item.id], note = _choose_rating(ratings, alternative, item, weight_item)
        notes += note
    return scores, notes


def _choose_rating(
    ratings: Mapping[str, pd.Series],
    alternative: Alternative,
    item: Item,
    weight_item: str | None,
) -> tuple[pd.Series, list[str]]:
    first = weight_item if weight_item in alternative.items else alternative.default
    order = [part for part in (first, *alternative.items) if part in ratings]
    values = np.column_stack([ratings[part].to_numpy() for part in dict.fromkeys(order)])
    index = next(iter(ratings.values())).index
    # The first alternative that was rated, in order of preference.
    chosen = pd.DataFrame(values, index=index).bfill(axis=1).iloc[:, 0]
    known = ~np.isnan(values)
    low = np.where(known, values, np.inf).min(axis=1)
    high = np.where(known, values, -np.inf).max(axis=1)
    differ = index[known.any(axis=1) & (low != high)]
    if differ.empty:
        return chosen, []
    listed = ", ".join(_label_of(i) for i in differ)
    return chosen, [
        f"item {item.id}: {' and '.join(alternative.items)} differ for {listed}; {first} was used."
    ]


def _aggregate(scores: Mapping[str, pd.Series], dimension: Dimension) -> pd.Series:
    """Prorated sum, or maximum, of the parts; NaN where too few were rated."""
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
