"""Table 1: participants of a fit by arm, as aggregated numbers that can be shared."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import ARM, CONTROL, DIAGNOSIS, MISSING, SITE
from bayes_mdd.features.disclosure import WITHHELD, mask_counts, summarise_values
from bayes_mdd.features.roles import mark_fitted, participants_of
from bayes_mdd.specs.column_names import find_similar_columns, is_motion_name

#: Columns of the table.
SAMPLE_COLUMNS: Final = (
    *("variable", "kind", "level", "group", "n", "missing", "mean", "sd", "p5", "p95"),
    *("count", "mark", "difference"),
)
#: Kinds of variables, in the order in which they are shown.
KINDS: Final = ("age", "sex", "severity", "site", "motion", "other")
#: Group of healthy controls that are not an arm, and pseudo-group of the differences.
CONTROLS: Final = "controls"
ALL_ARMS: Final = "arms"
#: Most levels of a text column that is described.
MOST_LEVELS: Final = 30
#: Most columns of symptoms where none of them is linked or a total.
MOST_SYMPTOMS: Final = 6


def describe_sample(
    features: xr.Dataset,
    symptoms: pd.DataFrame | None = None,
    *,
    covariates: Iterable[str] = (),
    linked: Iterable[str] = (),
    controls_fitted: bool = False,
) -> pd.DataFrame:
    """Describe the participants by arm and the controls, without the values of single persons.

    Parameters
    ----------
    features : xarray.Dataset
        A feature set with all participants, the columns of ``participants.tsv`` as coordinates.
    symptoms : pandas.DataFrame, optional
        Raw scores by participant.
    covariates : iterable of str, optional
        Columns that the model or the reference uses.
    linked : iterable of str, optional
        Columns of `symptoms` that the model links.
    controls_fitted : bool, default False
        Whether controls are an arm of the fit.

    Returns
    -------
    pandas.DataFrame
        One row per variable, level and group. Numbers have ``n`` (participants with a value),
        ``missing``, ``mean``, ``sd``, and 5th and 95th percentile (``p5``, ``p95``); levels have
        ``count``. ``mark`` is "< 5" or "withheld" in place of a count or mean that would describe
        fewer than five persons. Rows of the group "arms" hold the standardised difference between
        arms (the largest of all pairs): of means over the root of the mean variance, and its
        multivariate form for levels. ``kind`` is "age", "sex", "severity", "site", "motion" or
        "other". Variables: age, sex, site, head motion, `covariates`, the linked symptoms and
        total scores; text with more than 30 levels is left out.

    Examples
    --------
    >>> on = {"arm": ("subject", ["a"] * 6 + ["b"] * 6), "age": ("subject", np.arange(12.0))}
    >>> got = describe_sample(xr.Dataset(coords={"subject": list("abcdefghijkl")} | on))
    >>> got.loc[got["group"] == "b", "mean"].tolist()
    [8.5]
    """
    people = participants_of(features)
    fitted, _ = mark_fitted(features, controls_fitted=controls_fitted)
    group = np.where(fitted, people[ARM].to_numpy(dtype=str), "").astype(object)
    if DIAGNOSIS in people:
        control = people[DIAGNOSIS].to_numpy(dtype=str) == CONTROL
        group[control] = CONTROL if controls_fitted else CONTROLS
    chosen = _choose_columns(people, covariates)
    columns = {name: people[name] for name in chosen}
    scores = pd.DataFrame()
    if symptoms is not None:
        scores = symptoms.set_axis([str(s) for s in symptoms.index]).reindex(people.index)
    for name in _choose_symptoms(scores, linked):
        columns.setdefault(name, scores[name])
        chosen.setdefault(name, "severity")
    rows: list[dict[str, Any]] = []
    for name in sorted(columns, key=lambda c: KINDS.index(chosen[c])):
        rows += _describe(name, chosen[name], columns[name], group)
    return pd.DataFrame(rows, columns=list(SAMPLE_COLUMNS)).astype({"n": float, "missing": float})


def _choose_columns(people: pd.DataFrame, covariates: Iterable[str]) -> dict[str, str]:
    """Columns to describe, with their kind."""
    names = [str(c) for c in people.columns if c not in (ARM, DIAGNOSIS)]
    chosen: dict[str, str] = {}
    for kind in ("age", "sex", SITE):
        found = [kind] if kind in names else find_similar_columns(kind, names)[:1]
        chosen |= dict.fromkeys(found, kind)
    chosen |= dict.fromkeys(
        [c for c in names if is_motion_name(c) and _is_number(people[c])], "motion"
    )
    return chosen | {c: "other" for c in map(str, covariates) if c in names and c not in chosen}


def _choose_symptoms(scores: pd.DataFrame, linked: Iterable[str]) -> list[str]:
    """Total scores and linked symptoms, once where columns are copies."""
    names = [str(c) for c in scores.columns if _is_number(scores[c])]
    totals = [c for c in names if c.lower().endswith("total")]
    wanted = {*map(str, linked)}
    chosen = [*totals, *(c for c in names if c in wanted and c not in totals)]
    kept: list[str] = []
    for name in chosen or names[:MOST_SYMPTOMS]:
        if name in wanted or not any(scores[name].equals(scores[k]) for k in kept):
            kept.append(name)
    return kept


def _is_number(column: pd.Series[Any]) -> bool:
    return bool(pd.api.types.is_numeric_dtype(column))


def _describe(
    name: str, kind: str, column: pd.Series[Any], group: np.ndarray[Any, Any]
) -> list[dict[str, Any]]:
    """Rows of one variable."""
    arms = sorted({g for g in group if g and g != CONTROLS})
    groups = [*arms, *([CONTROLS] if CONTROLS in group else [])]
    known = pd.Series(column[group != ""]).dropna()
    if _is_number(column) and known.nunique() > 2:
        return _describe_numbers(name, kind, column.to_numpy(dtype=float), group, groups)
    text = column.map(lambda v: MISSING if pd.isna(v) else f"{v:g}" if _is_real(v) else str(v))
    text = text.where(~text.isin([""]), MISSING)
    levels = sorted({*text[group != ""]} - {MISSING})
    if not levels or len(levels) > MOST_LEVELS:
        return []
    return _describe_levels(name, kind, text.to_numpy(dtype=str), group, groups, levels)


def _is_real(value: object) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)


def _describe_numbers(
    name: str,
    kind: str,
    values: np.ndarray[Any, np.dtype[np.float64]],
    group: np.ndarray[Any, Any],
    groups: Sequence[str],
) -> list[dict[str, Any]]:
    by_group = {g: summarise_values(values[group == g]) for g in groups}
    rows = [
        {
            **{"variable": name, "kind": kind, "level": "", "group": g},
            **summary,
            "mark": WITHHELD if summary["n"] and np.isnan(summary["mean"]) else "",
        }
        for g, summary in by_group.items()
    ]
    patients = [s for g, s in by_group.items() if g not in (CONTROLS, CONTROL)]
    gaps = [
        abs(a["mean"] - b["mean"]) / np.sqrt((a["sd"] ** 2 + b["sd"] ** 2) / 2)
        for a, b in combinations(patients, 2)
        if a["sd"] > 0 or b["sd"] > 0
    ]
    return [*rows, *_difference(name, kind, gaps, len(patients))]


def _describe_levels(
    name: str,
    kind: str,
    text: np.ndarray[Any, np.dtype[np.str_]],
    group: np.ndarray[Any, Any],
    groups: Sequence[str],
    levels: Sequence[str],
) -> list[dict[str, Any]]:
    rows, shares, masked = [], {}, set()
    for g in groups:
        own = text[group == g]
        counts = {level: int((own == level).sum()) for level in levels}
        n = sum(counts.values())
        marks = mask_counts(counts)
        if any(marks.values()):
            masked.add(g)
        if n:
            shares[g] = np.array(list(counts.values())) / n
        rows += [
            {
                **{"variable": name, "kind": kind, "level": level, "group": g, "n": n},
                **{"missing": own.size - n, "mark": marks[level]},
                "count": np.nan if marks[level] else float(counts[level]),
            }
            for level in levels
        ]
    patients = [g for g in groups if g not in (CONTROLS, CONTROL)]
    gaps = [
        # A difference would give the counts away that are not shown.
        np.nan if {a, b} & masked else _distance(shares[a], shares[b])
        for a, b in combinations(patients, 2)
        if a in shares and b in shares
    ]
    return [*rows, *_difference(name, kind, gaps, len(patients))]


def _distance(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> float:
    """Standardised difference of two multinomial distributions (Mahalanobis distance)."""
    if a.size < 2:
        return 0.0
    p, q = a[1:], b[1:]
    spread = (np.diag(p) - np.outer(p, p) + np.diag(q) - np.outer(q, q)) / 2
    gap = p - q
    return float(np.sqrt(max(gap @ np.linalg.pinv(spread) @ gap, 0.0)))


def _difference(name: str, kind: str, gaps: Sequence[float], n_arms: int) -> list[dict[str, Any]]:
    if n_arms < 2:
        return []
    shown = bool(gaps) and all(map(np.isfinite, gaps))
    return [
        {
            **{"variable": name, "kind": kind, "level": "", "group": ALL_ARMS},
            "difference": max(gaps) if shown else np.nan,
            "mark": "" if shown else WITHHELD,
        }
    ]


def write_sample(table: pd.DataFrame) -> str:
    """Write the table as JSON, for an attribute of a result.

    Parameters
    ----------
    table : pandas.DataFrame
        From `describe_sample`.

    Returns
    -------
    str
        One object per row; numbers that are missing are null.
    """
    rounded = table.round(dict.fromkeys(("mean", "sd", "p5", "p95", "difference"), 6))
    return json.dumps(
        [
            {k: v for k, v in row.items() if not (isinstance(v, float) and np.isnan(v))}
            for row in rounded.to_dict("records")
        ]
    )


def read_sample(text: object) -> pd.DataFrame | None:
    """Read a table that `write_sample` wrote.

    Parameters
    ----------
    text : object
        JSON text.

    Returns
    -------
    pandas.DataFrame or None
        None for anything else.
    """
    try:
        rows = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return None
    if not isinstance(rows, list) or not all(isinstance(r, Mapping) for r in rows):
        return None
    table = pd.DataFrame([dict(r) for r in rows], columns=list(SAMPLE_COLUMNS))
    words = ["variable", "kind", "level", "group", "mark"]
    return table.fillna(dict.fromkeys(words, "")).astype(dict.fromkeys(words, str))
