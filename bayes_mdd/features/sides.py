"""Hemisphere of regions, from their names or a column, compared with the sign of x."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from bayes_mdd.errors import some

#: Columns of region tables with the hemisphere, in order of preference.
HEMISPHERE_COLUMNS = ("hemisphere", "hemi", "side")
#: Distance from the midline (mm) up to which a region may lie on either side.
_MIDLINE = 4.0
#: Smallest number of regions with a known hemisphere for the comparison with x.
_MIN_LATERAL = 2
_WORDS = {
    **dict.fromkeys(("left", "lh", "lefthemisphere", "hemil"), "L"),
    **dict.fromkeys(("right", "rh", "righthemisphere", "hemir"), "R"),
}
#: Words without separators: LeftAmygdala, amygdalaRight.
_JOINED = re.compile(r"^([Ll]eft|[Rr]ight)(?=[A-Z0-9])|(?<=[a-z0-9])(Left|Right)$")
_LETTERS = {"l": "L", "r": "R"}
_STATED = {**_WORDS, **_LETTERS}


def stated_sides(table: pd.DataFrame) -> list[object] | None:
    """Get the column of a region table that states the hemisphere.

    Parameters
    ----------
    table : pandas.DataFrame
        A region table.

    Returns
    -------
    list or None
        Cells of the column ``hemisphere``, ``hemi`` or ``side``; None if there is none.
    """
    column = next((c for c in HEMISPHERE_COLUMNS if c in table), None)
    return None if column is None else table[column].tolist()


def hemispheres(names: Sequence[str], stated: Sequence[object] | None = None) -> list[str]:
    """Determine the hemisphere of regions.

    Parameters
    ----------
    names : sequence of str
        Names of all regions of an atlas: with ``lh``, ``Left``, ``LH_``, ``_L``, ``(L)``, ...
    stated : sequence, optional
        Column with the hemisphere (``L``, ``left``, ``lh``, ...), which is preferred to the names.

    Returns
    -------
    list of str
        ``L``, ``R``, or empty where neither states a side or the name states both. Single letters
        do not count where the names use other letters in the same place, nor at the beginning
        unless both occur (``r_1``, ``r_2`` are no sides).

    Examples
    --------
    >>> hemispheres(["7Networks_LH_Vis_1", "Amygdala_R", "SFG_L_7_1", "Vermis"])
    ['L', 'R', 'L', '']
    """
    parts = [[p for p in re.split(r"[^A-Za-z0-9]+", str(name)) if p] for name in names]
    letters = _by_letters(parts)
    named = [_by_word(p) or s for p, s in zip(parts, letters, strict=True)]
    column = [""] * len(named) if stated is None else [_STATED.get(_plain(v), "") for v in stated]
    return [c or n for c, n in zip(column, named, strict=True)]


def _plain(value: object) -> str:
    return re.sub(r"[^a-z]", "", str(value).lower())


def _by_word(parts: Sequence[str]) -> str:
    found = {_WORDS[p.lower()] for p in parts if p.lower() in _WORDS}
    for part in parts:
        if match := _JOINED.search(part):
            found.add(_WORDS[(match[1] or match[2]).lower()])
    return found.pop() if len(found) == 1 else ""


def _by_letters(parts: Sequence[Sequence[str]]) -> list[str]:
    """Sides by single letters: at the end, at the beginning, or in capitals in the middle."""
    several = [p if len(p) > 1 else [] for p in parts]
    last = _letter_sides([p[-1] if p else "" for p in several])
    first = _letter_sides([p[0] if p else "" for p in several])
    if not {"L", "R"} <= set(first):  # r_1, r_2: regions by number
        first = [""] * len(first)
    inside = [{q for q in p[1:-1] if q in ("L", "R")} for p in several]
    middle = [found.pop() if len(found) == 1 else "" for found in inside]
    return [
        (a or b or c) if not (a and b and a != b) else ""
        for a, b, c in zip(last, first, middle, strict=True)
    ]


def _letter_sides(words: Sequence[str]) -> list[str]:
    """Sides of words; none where other single letters occur, too (regions A, B, ..., L, ...)."""
    single = {w.lower() for w in words if len(w) == 1 and w.isalpha()}
    return [_LETTERS.get(w.lower(), "") if single <= {*_LETTERS, "b", "m"} else "" for w in words]


def side_problems(
    names: Sequence[str], x: npt.ArrayLike, stated: Sequence[object] | None = None
) -> list[str]:
    """Compare the hemisphere of regions with their x coordinates.

    Parameters
    ----------
    names : sequence of str
        Names of the regions.
    x : array_like, shape (region,)
        Coordinate in mm, negative on the left; NaN if not known.
    stated : sequence, optional
        Column with the hemisphere.

    Returns
    -------
    list of str
        At most one problem: most lateral regions lie on the other side, or the left regions lie
        to the right of the right ones.

    Examples
    --------
    >>> side_problems(["A_L", "A_R"], [-20.0, 20.0])
    []
    >>> len(side_problems(["A_L", "A_R"], [20.0, -20.0]))
    1
    """
    sides = np.array(hemispheres(names, stated), dtype=str)
    at = np.asarray(x, dtype=np.float64)
    known = (sides != "") & np.isfinite(at)
    if known.sum() < _MIN_LATERAL:
        return []
    lateral = known & (np.abs(at) > _MIDLINE)
    wrong = lateral & ((sides == "L") != (at < 0))
    left, right = at[known & (sides == "L")], at[known & (sides == "R")]
    if left.size and right.size and left.mean() - right.mean() > 2 * _MIDLINE:
        # The origin may lie outside the brain: only the order of the two sides counts.
        middle = (left.mean() + right.mean()) / 2
        reversed_order = known & ((sides == "L") != (at < middle))
        wrong = wrong if wrong.sum() > reversed_order.sum() else reversed_order
        lateral = known
    elif lateral.sum() < _MIN_LATERAL or wrong.sum() * 2 <= lateral.sum():
        return []
    listed = some(pd.Series(list(names))[wrong])
    return [
        f"in {int(wrong.sum())} of {int(lateral.sum())} regions the hemisphere contradicts x "
        f"({listed}): x < 0 is left. The coordinates or the label image are mirrored, or in "
        "another order than the names: correct them before use."
    ]
