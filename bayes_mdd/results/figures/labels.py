"""Names of regions, short enough for figures."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

#: Longest name in a figure, in characters.
LONGEST: Final = 22


def shorten_names(names: Iterable[str], most: int = LONGEST) -> dict[str, str]:
    """Shorten names of regions where they are too long, without making two alike.

    Parameters
    ----------
    names : iterable of str
        Names of regions.
    most : int, default 22
        Longest name, in characters.

    Returns
    -------
    dict of str to str
        Name to what is written. Where the longest is too long, words at the start that all names
        share are left out, and then the middle is replaced by "…".

    Examples
    --------
    >>> names = ["7Networks_LH_Default_PFC_1", "7Networks_RH_Cont_Par_2"]
    >>> shorten_names(names)["7Networks_LH_Default_PFC_1"]
    'LH_Default_PFC_1'
    >>> shorten_names(["Left superior longitudinal fasciculus"], 22)
    {'Left superior longitudinal fasciculus': 'Left superi…fasciculus'}
    """
    full = list(dict.fromkeys(names))
    if not any(len(n) > most for n in full):
        return {n: n for n in full}
    cut = _shared_start(full)
    rest = {n: n[cut:] or n for n in full}
    short = {n: _squeeze(r, most) for n, r in rest.items()}
    counts: dict[str, int] = {}
    for written in short.values():
        counts[written] = counts.get(written, 0) + 1
    return {n: rest[n] if counts[s] > 1 else s for n, s in short.items()}


def _shared_start(names: list[str]) -> int:
    """Length of the words at the start that all names share."""
    if len(names) < 2:
        return 0
    first, last = min(names), max(names)  # what these two share, all share
    same = next((i for i, c in enumerate(first) if last[i : i + 1] != c), len(first))
    return max((m.end() for m in re.finditer(r"[_\-. ]", first[:same])), default=0)


def _squeeze(name: str, most: int) -> str:
    """Replace the middle of a long name."""
    if len(name) <= most:
        return name
    tail = (most - 1) // 2
    return f"{name[: most - 1 - tail]}…{name[-tail:]}"
