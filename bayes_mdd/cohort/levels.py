"""Levels of text columns: those that the sidecar lists, and two spellings of one level."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

import pandas as pd

from bayes_mdd.cohort.group_words import is_control_word, is_missing_word, normal_form
from bayes_mdd.cohort.tables import is_number
from bayes_mdd.dims import ARM, DIAGNOSIS, MISSING, SITE
from bayes_mdd.errors import some

#: Columns of categories whatever their cells look like; the first three always matter.
_CATEGORIES: Final = (ARM, DIAGNOSIS, SITE, "sex", "gender", "scanner", "center", "centre")
CATEGORY_COLUMNS: Final = frozenset((*_CATEGORIES, "race", "ethnicity"))
#: Their levels are checked with the roles of the participants.
_GROUPS: Final = (ARM, DIAGNOSIS)
#: Different words for one level, by column ("": any).
_SYNONYMS: Final = (
    (("sex", "gender"), ("f", "female", "w", "woman", "women", "girl", "weiblich")),
    (("sex", "gender"), ("m", "male", "man", "men", "boy", "maennlich", "männlich")),
    ((), ("y", "yes", "true")),
    ((), ("n", "no", "false")),
    (("handedness", "hand"), ("r", "right", "rh", "righthanded")),
    (("handedness", "hand"), ("l", "left", "lh", "lefthanded")),
    (("handedness", "hand"), ("a", "ambi", "ambidextrous", "both", "mixed")),
    ((), ("placebo", "pbo", "plc", "plb")),
)
#: Cyrillic and Greek letters that look like Latin ones.
_LOOKALIKES: Final = str.maketrans(
    "\u0430\u0432\u0435\u043a\u043c\u043d\u043e\u0440\u0441\u0442\u0443\u0445\u0456\u0455"
    "\u03b1\u03b2\u03b5\u03b9\u03ba\u03bc\u03bd\u03bf\u03c1\u03c4\u03c5\u03c7",
    "abekmhopctyxisabeikmnoptyx",
)
#: Numbers that are codes for a missing value where levels were expected.
_CODES: Final = ("-9", "-99", "-999", "-9999", "999", "9999")
_SEX_CODES: Final = ("9", "88", "99")


def levels_of(sidecar: Mapping[str, Any], column: str) -> list[str] | None:
    """List the Levels of a column.

    Parameters
    ----------
    sidecar : mapping
        Content of a JSON sidecar.
    column : str
        Name of the column.

    Returns
    -------
    list of str or None
        The Levels; None if the sidecar states none.
    """
    meaning = sidecar.get(column)
    levels = meaning.get("Levels") if isinstance(meaning, Mapping) else None
    if not isinstance(levels, (Mapping, list)) or not levels:
        return None
    return [str(level) for level in levels]


def sidecar_problems(sidecar: Mapping[str, Any], columns: Sequence[str]) -> list[str]:
    """List Levels that are neither an object nor a list, and would be ignored.

    Parameters
    ----------
    sidecar : mapping
        Content of a JSON sidecar.
    columns : sequence of str
        Columns of its table.

    Returns
    -------
    list of str
        One problem for each column.

    Examples
    --------
    >>> sidecar_problems({"sex": {"Levels": "F, M"}}, ["sex"])[0][:63]
    "Levels of 'sex' in the JSON sidecar must be an object or a list"
    """
    return [
        f"Levels of '{name}' in the JSON sidecar must be an object or a list, got "
        f'{meaning["Levels"]!r:.80}: write {{"value": "meaning", ...}}.'
        for name, meaning in sidecar.items()
        if name in columns
        and isinstance(meaning, Mapping)
        and not isinstance(meaning.get("Levels", {}), Mapping | list)
    ]


def level_problems(cells: pd.Series, sidecar: Mapping[str, Any]) -> list[str]:
    """Name the values of a text column that are no levels of their own.

    Parameters
    ----------
    cells : pandas.Series of str
        One column, indexed by ``participant_id``.
    sidecar : mapping
        Content of ``participants.json``.

    Returns
    -------
    list of str
        With Levels in the sidecar: each value that is not among them. Without: levels in two
        spellings, other words for ``n/a``, and codes for missing values. All values are accepted
        where the sidecar lists them. Levels of arm and diagnosis are checked by
        `bayes_mdd.cohort.arms` and `bayes_mdd.cohort.roles`.

    Examples
    --------
    >>> sex = pd.Series(["F", "M", "female"], index=["sub-1", "sub-2", "sub-3"], name="sex")
    >>> level_problems(sex, {"sex": {"Levels": {"F": "", "M": ""}}})[0][:51]
    "column 'sex': 'female' of sub-3 is not among the Le"
    >>> level_problems(sex, {})[0][:60]
    "column 'sex' has one level in several spellings: 'F' (sub-1)"
    """
    name = str(cells.name)
    known = cells[~cells.isin([MISSING, ""])]
    levels = levels_of(sidecar, name)
    if levels is not None:
        return [] if name in _GROUPS else _unlisted(known, name, levels)
    problems = _spelling_problems(known, len(cells))
    return problems if name in _GROUPS else problems + _missing_problems(known, len(cells))


def _unlisted(known: pd.Series, name: str, levels: Sequence[str]) -> list[str]:
    problems = []
    unknown = known[~known.isin(levels)]
    for value, rows in unknown.groupby(unknown, sort=False):
        hint = _suggest(str(value), name, levels)
        problems.append(
            f"column '{name}': {value!a} of {some(rows.index)} is not among the Levels in "
            f"participants.json ({some(levels, 12)}).{hint} Correct it, write {MISSING} if it is "
            f"unknown, or add it to the Levels of '{name}'."
        )
    return problems


def _suggest(value: str, name: str, levels: Sequence[str]) -> str:
    same = [x for x in levels if _same_level(value, x, name)]
    near = same or get_close_matches(value, levels, n=1, cutoff=0.6)
    invisible = " It contains a character without width." if _has_invisible(value) else ""
    return f"{invisible} Did you mean {near[0]!r}?" if near else invisible


def _is_category(known: pd.Series, n: int) -> bool:
    """Test whether a text column holds categories; free text and ids are left alone."""
    if known.name in CATEGORY_COLUMNS:
        return True
    return len(known) >= n / 2 and known.nunique() <= max(2, len(known) / 2)


def _spelling_problems(known: pd.Series, n: int) -> list[str]:
    name = str(known.name)
    values = [str(v) for v in known.unique()]
    if name == DIAGNOSIS:
        values = [v for v in values if not is_control_word(v)]
    if not _is_category(known, n):
        # Free text: only what looks the same on the screen.
        values = [v for v in values if _has_invisible(v)]
        values += [str(v) for v in known.unique() if v in {_visible(x) for x in values}]
    groups: list[list[str]] = []
    for value in values:
        group = next((g for g in groups if _same_level(value, g[0], name)), None)
        if group is None:
            groups.append([value])
        else:
            group.append(value)
    problems = []
    for group in groups:
        # Other spellings of an arm in case or punctuation are reported with the arms.
        shown = {normal_form(v) for v in group} if name == ARM else set(group)
        if len(shown) > 1:
            listed = ", ".join(f"{v!a} ({some(known.index[known == v])})" for v in group)
            problems.append(
                f"column '{name}' has one level in several spellings: {listed}. Write one of "
                f"them, or list all as Levels of '{name}' in participants.json if they differ."
            )
    return problems


def _missing_problems(known: pd.Series, n: int) -> list[str]:
    if not _is_category(known, n):
        return []
    name = str(known.name)
    codes = (*_CODES, *(_SEX_CODES if name in ("sex", "gender") else ()))
    chosen = known.map(lambda cell: is_missing_word(cell) or cell in codes)
    # A column of codes only, such as 9 for all, holds nothing to compare with.
    if not chosen.any() or chosen.all():
        return []
    listed = some(f"{i} ({c!r})" for i, c in known[chosen].items())
    return [
        f"column '{name}': {listed} would be a level of its own. Write {MISSING} if the value is "
        f"missing, or list it as one of the Levels of '{name}' in participants.json."
    ]


def _same_level(a: str, b: str, column: str) -> bool:
    """Test whether two values are one level in two spellings."""
    if a == b or _key(a) == _key(b):
        return True
    x, y = _key(a), _key(b)
    for columns, words in _SYNONYMS:
        if (not columns or column.lower() in columns) and x in words and y in words:
            return True
    return _is_typo(x, y)


def _key(value: str) -> str:
    """Reduce a value to what distinguishes it: no case, punctuation or leading zeros."""
    if is_number(value.strip()):
        return f"{float(value):g}"
    text = _visible(unicodedata.normalize("NFKC", value)).casefold().translate(_LOOKALIKES)
    text = re.sub(r"[\s_.\-\u2010-\u2015]+", "", text) or text
    return re.sub(r"(?<!\d)0+(?=\d)", "", text)


def _is_typo(a: str, b: str) -> bool:
    """Test for one wrong, missing, additional or exchanged letter in a long word."""
    if min(len(a), len(b)) < 7 or not (a.isalpha() and b.isalpha()) or abs(len(a) - len(b)) > 1:
        return False
    start = next((i for i, (p, q) in enumerate(zip(a, b, strict=False)) if p != q), len(a))
    x, y = a[start:], b[start:]
    return x[1:] == y[1:] or x[1:] == y or x == y[1:] or (x[1::-1] == y[:2] and x[2:] == y[2:])


def _has_invisible(value: str) -> bool:
    return _visible(value) != value


def _visible(value: str) -> str:
    """Remove characters without width."""
    return "".join(c for c in value if unicodedata.category(c) not in ("Cf", "Cc")).strip()


def invisible_problems(table: pd.DataFrame, key: str) -> list[str]:
    r"""Name ids and column names with characters without width.

    Parameters
    ----------
    table : pandas.DataFrame
        As `bayes_mdd.cohort.tables.read_table` returns it.
    key : str
        Column of the ids.

    Returns
    -------
    list of str
        The problems; empty if there are none.

    Examples
    --------
    >>> table = pd.DataFrame({"participant_id": ["sub-1", "sub-2\u200b"]})
    >>> invisible_problems(table, "participant_id")[0][:69]
    "participant_id 'sub-2\\u200b' contains characters without width: write"
    """
    values = [("column name", str(c)) for c in table.columns]
    if key in table:
        values += [(key, str(i)) for i in table[key]]
    return [
        f"{what} {value!a} contains characters without width: write {_visible(value)!r}."
        for what, value in values
        if _has_invisible(value)
    ]
