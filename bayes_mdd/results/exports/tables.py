"""Tables for R, SPSS and other statistics programs, with a data dictionary."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

import pandas as pd

from bayes_mdd.files.replace import write_text
from bayes_mdd.results.export_notes import common_note
from bayes_mdd.results.exports.material import Material, write_json

#: Meaning of columns: table, pattern of the name, unit, meaning. The first that matches counts.
_SHARE: Final = "share of the arm's variance, 0-1"
_LOADING: Final = "see Units in tables.json"
_ENDS: Final = "end of the equal-tailed interval"
MEANINGS: Final = (
    ("*", "factor", "", "factor"),
    ("*", "name", "", "name of the factor: label and largest blocks"),
    ("*", "arm", "", "arm of the study; 'A - B' is a difference of two arms"),
    ("*", "participant_id", "", "participant"),
    ("factors", "label", "", "how the arms divide the factor; see docs/guides/reading_factors"),
    ("factors", "active", "1 yes, 0 no", "whether the factor explains more than the threshold"),
    ("factors", "p_shared", "probability", "that the factor is shared by all arms"),
    ("factors", "p_alike", "probability", "that all arms express the factor alike"),
    ("factors", "p_specific_*", "probability", "that the factor is specific to this arm"),
    ("factors", "p_more_*", "probability", "that this arm expresses the factor most"),
    ("factors", "p_mean_differs", "probability", "that mean scores differ between arms"),
    ("factors", "p_reliable", "probability", "that the reliability exceeds its threshold"),
    ("factors", "explained_*", _SHARE, "variance that the factor explains in this arm"),
    ("factors", "mean_label", "", "how the mean scores of the arms differ"),
    ("factors", "mean_*", "SD of the score", "mean score of the arm against that of all arms"),
    ("factors", "expressed_*", "share of a participant, 0-1", "mean composition of the arm"),
    ("factors", "networks_share", "0-1", "share of the factor in the blocks that are named"),
    ("factors", "networks", "", "blocks of the factor, the largest first"),
    ("factors", "reproducible", "1 yes, 0 no", "whether chains or restarts find the factor"),
    ("factors", "stability", "", "whether the factor is stable within and between scans"),
    ("factors", "reliability*", "0-1", "stable part of the variance of scores"),
    ("factors", "leverage", "0-1", "largest share of one participant in the factor"),
    ("factors", "verdict", "", "the result in words"),
    ("arms", "p_most", "probability", "that all factors explain most in this arm"),
    ("arms", "explained*", _SHARE, "variance that all factors explain in this arm"),
    ("links*", "symptom", "", "symptom scale or item"),
    ("links*", "kind", "", "gaussian (scale) or ordinal (item)"),
    ("links*", "unit", "", "unit of the weight"),
    ("links*", "p_positive", "probability", "that the weight is above 0"),
    ("links*", "*", "see column unit", "weight of the factor in the symptom; an association"),
    ("top_loadings", "feature", "", "edge or feature, the strongest first"),
    ("top_*", "region*", "", "region; of an edge, one of its two ends"),
    ("top_*", "network*", "", "network of the region; of an edge, the networks of both ends"),
    ("top_*", "view", "", "kind of data"),
    ("top_loadings", "p_positive", "probability", "that the loading is above 0"),
    ("top_loadings", "*", _LOADING, "loading"),
    ("top_regions", "n_features", "count", "edges (or features) of the region"),
    ("top_regions", "n_clear", "count", "those of them whose interval excludes 0"),
    ("top_regions", "strength*", _LOADING, "mean absolute loading of the region's edges"),
    ("top_regions", "positive*", _LOADING, "part of the edges above 0 in their mean loading"),
    ("top_regions", "negative*", _LOADING, "part of the edges below 0 in their mean loading"),
    (
        *("scores", "*", "SD; polar LDA: share of the participant, 0-1"),
        "score of the participant, of the factor model relative to the mean over arms",
    ),
)
_PARTS: Final = (
    ("lower", f"lower {_ENDS}"),
    ("upper", f"upper {_ENDS}"),
    ("sd", "posterior SD"),
    ("mean", "posterior mean"),
)
_TITLES: Final = {
    "factors": "one row per factor that is used",
    "arms": "one row per arm: all factors together",
    "links": "one row per factor and symptom",
    "links_by_arm": "one row per factor, symptom and arm",
    "top_loadings": "one row per factor and loading: the 100 largest whose interval excludes 0",
    "top_regions": "one row per factor and region: the 100 that take part most",
    "scores": "one row per participant and factor; do not share",
}


def why_not(material: Material) -> str | None:
    """Say why a run has no tables: every run has them.

    Parameters
    ----------
    material : Material
        The run.

    Returns
    -------
    None
        Always.
    """
    return None


def write(material: Material, folder: Path) -> None:
    """Write the tables and ``dictionary.tsv``, which describes every column.

    Parameters
    ----------
    material : Material
        The run.
    folder : Path
        An empty folder.
    """
    rows: list[dict[str, Any]] = []
    for name, table in material.tables.items():
        plain = plain_table(table)
        write_text(folder / f"{name}.tsv", _text(plain))
        rows += describe_columns(name, table, list(plain.columns))
    write_text(folder / "dictionary.tsv", _text(pd.DataFrame(rows)))
    note = {
        "Tables": {f"{name}.tsv": _TITLES[name] for name in material.tables},
        "Model": material.model,
        "Participants": material.n_participants,
        "MissingCells": "empty",
        "Columns": "dictionary.tsv",
    }
    write_json(folder / "tables.json", {**common_note(material.sig), **note, "MissingValue": ""})


def plain_table(table: pd.DataFrame) -> pd.DataFrame:
    """Prepare a table for programs in which names have letters, digits and ``_`` only.

    Parameters
    ----------
    table : DataFrame
        A result table.

    Returns
    -------
    DataFrame
        The same with names of at most 64 characters, no two alike when case is ignored; truth
        values are 1 and 0.

    Examples
    --------
    >>> plain_table(pd.DataFrame({"p_SSRI/SNRI": [0.5], "is stable": [True]})).columns.tolist()
    ['p_SSRI_SNRI', 'is_stable']
    """
    out = table.copy()
    taken: set[str] = set()
    names = []
    for column in map(str, table.columns):
        plain = re.sub(r"[^A-Za-z0-9]+", "_", column).strip("_")
        plain = (plain if plain[:1].isalpha() else f"v_{plain}")[:60]
        name, number = plain, 2
        while name.lower() in taken:
            name, number = f"{plain}_{number}", number + 1
        taken.add(name.lower())
        names.append(name)
    out.columns = pd.Index(names)
    for name in names:
        if out[name].dtype == bool:
            out[name] = out[name].astype(int)
    return out


def describe_columns(name: str, table: pd.DataFrame, plain: list[str]) -> list[dict[str, Any]]:
    """Describe the columns of a table.

    Parameters
    ----------
    name : str
        Name of the table.
    table : DataFrame
        As the package returns it.
    plain : list of str
        Names of its columns in the file.

    Returns
    -------
    list of dict
        One per column: ``table``, ``column``, ``type``, ``unit``, ``meaning``, and
        ``name_in_python``.
    """
    return [
        {
            "table": name,
            "column": new,
            "type": "number" if pd.api.types.is_numeric_dtype(table[old]) else "text",
            "unit": unit,
            "meaning": meaning,
            "name_in_python": old,
        }
        for new, old, unit, meaning in _described(name, table, plain)
    ]


def _described(
    name: str, table: pd.DataFrame, plain: list[str]
) -> Iterator[tuple[str, str, str, str]]:
    for new, old in zip(plain, map(str, table.columns), strict=True):
        found = [
            (unit, meaning)
            for of, pattern, unit, meaning in MEANINGS
            if fnmatchcase(name, of) and fnmatchcase(old, pattern)
        ]
        unit, meaning = found[0] if found else ("", "")
        numeric = pd.api.types.is_numeric_dtype(table[old])
        part = next((t for end, t in _PARTS if numeric and _is_part(old, end)), "")
        arm = _arm_of(name, old)
        meaning = f"{meaning} ({arm})" if arm else meaning
        yield new, old, unit, f"{meaning}: {part}" if part else meaning


def _is_part(column: str, end: str) -> bool:
    return column == end or (end in ("lower", "upper") and column.endswith(f"_{end}"))


def _arm_of(table: str, column: str) -> str:
    """Name the arm that a column of the table of factors is about."""
    if table != "factors" or column in ("mean_label", "p_mean_differs"):
        return ""
    for start in ("p_specific_", "p_more_", "explained_", "mean_", "expressed_"):
        if column.startswith(start):
            return column.removeprefix(start).removesuffix("_lower").removesuffix("_upper")
    return ""


def _text(table: pd.DataFrame) -> str:
    return table.to_csv(sep="\t", index=False, na_rep="", float_format="%.8g")
