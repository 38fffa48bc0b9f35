"""Counts and summaries that do not describe one person, for tables that are shared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from bayes_mdd.types import Array

#: Smallest count of participants with a property that is shown, and smallest group that is
#: described by mean and SD.
LEAST: Final = 5
#: Smallest group of which percentiles are shown.
LEAST_PERCENTILES: Final = 20
#: Marks in place of a number: a small count, and a count from which a small one would follow.
SMALL: Final = f"< {LEAST}"
WITHHELD: Final = "withheld"


def mask_counts(counts: Mapping[str, int]) -> dict[str, str]:
    """Mark counts of levels that would describe a few persons.

    Parameters
    ----------
    counts : mapping of str to int
        Participants of one group by level; their sum is known to readers.

    Returns
    -------
    dict of str to str
        Mark of each level: "" where the count may be shown, "< 5" for counts from 1 to 4. Where
        small counts would follow from the sum, they and the next larger ones are "withheld".
        Counts of 0 are shown.

    Examples
    --------
    >>> mask_counts({"F": 20, "M": 11})
    {'F': '', 'M': ''}
    >>> mask_counts({"F": 28, "M": 3})
    {'F': 'withheld', 'M': 'withheld'}
    >>> mask_counts({"a": 2, "b": 3, "c": 20})
    {'a': '< 5', 'b': '< 5', 'c': ''}
    """
    small = [level for level, n in counts.items() if 0 < n < LEAST]
    hidden = sum(counts[level] for level in small)
    if not small or (hidden >= LEAST and len(small) > 1):
        return {level: SMALL if level in small else "" for level in counts}
    others = sorted((n, level) for level, n in counts.items() if n >= LEAST)
    masked = [*small, *(level for _, level in others[:1])]
    return {level: WITHHELD if level in masked else "" for level in counts}


def summarise_values(values: Array) -> dict[str, float]:
    """Summarise numbers of one group without the values of single participants.

    Parameters
    ----------
    values : ndarray, shape (subject,)
        NaN where missing.

    Returns
    -------
    dict of str to float
        ``n``, ``missing``, ``mean``, ``sd``, ``p5`` and ``p95``; NaN for groups too small to be
        described.

    Examples
    --------
    >>> summarise_values(np.array([1.0, 2.0, np.nan]))["mean"]
    nan
    """
    known = values[np.isfinite(values)]
    shown = known.size >= LEAST
    wide = known.size >= LEAST_PERCENTILES
    low, high = np.quantile(known, [0.05, 0.95]) if wide else (np.nan, np.nan)
    return {
        "n": float(known.size),
        "missing": float(values.size - known.size),
        "mean": float(known.mean()) if shown else np.nan,
        "sd": float(known.std(ddof=1)) if shown else np.nan,
        "p5": float(low),
        "p95": float(high),
    }
