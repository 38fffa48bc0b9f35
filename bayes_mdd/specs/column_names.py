"""Names of participant columns: their words, and columns that may be meant by a name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

#: Words that do not change what a column holds, as in ``age_at_scan`` or ``site_id``.
_FILLERS: Final = frozenset(
    (
        *("at", "in", "of", "the", "for", "by", "to"),
        *("years", "year", "yrs", "yr", "y", "months", "month", "days", "day", "mm"),
        *("scan", "scanning", "mri", "fmri", "rest", "run", "ses", "session", "visit", "baseline"),
        *("bl", "interview", "assessment", "assigned", "birth", "self", "reported", "registered"),
        *("mean", "avg", "average", "value", "id", "code", "name", "num", "no", "nr", "number"),
        *("subject", "participant", "patient", "demo", "demographics", "dem", "study", "acq"),
        *("data", "collection", "test", "label", "index", "group"),
    )
)
#: Other words for the columns that the shipped models name.
_SYNONYMS: Final = {
    "sex": ("gender", "male", "female", "ismale", "isfemale", "geschlecht"),
    "site": ("center", "centre", "hospital", "institution", "institute", "location"),
    "age": ("alter", "ageyears", "ageyrs"),
    "education": ("edu", "educ", "schooling"),
    "arm": ("treatment", "drug"),
}
_MOTION_WORDS: Final = frozenset(
    (
        *("motion", "movement", "displacement", "framewise", "rms", "rmsd", "dvars", "mcflirt"),
        *("scrubbed", "scrubbing", "scrub", "censored", "translation", "rotation"),
    )
)


def split_name(name: str) -> tuple[str, ...]:
    """Split the name of a column into words in lower case.

    Parameters
    ----------
    name : str
        Name of a column.

    Returns
    -------
    tuple of str
        Its words, without numbers, punctuation and characters without width.

    Examples
    --------
    >>> split_name("meanFD"), split_name("Age_at-scan (years)")
    (('mean', 'fd'), ('age', 'at', 'scan', 'years'))
    """
    text = unicodedata.normalize("NFKC", name)
    text = "".join(c for c in text if unicodedata.category(c) != "Cf")
    words = re.findall(r"[^\W\d_]+", text)
    parts = [p for w in words for p in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[^\WA-Z\d_]+|[A-Z]+", w)]
    return tuple(p.casefold() for p in parts)


def is_motion_name(name: str) -> bool:
    """Test whether a column is named after head motion.

    Parameters
    ----------
    name : str
        Name of a column.

    Returns
    -------
    bool
        True for ``mean_fd``, ``meanFD``, ``FD``, ``rms_motion``, ``framewise_displacement``, ...

    Examples
    --------
    >>> [is_motion_name(n) for n in ("mean_fd", "FDmean", "Jenkinson_rms", "emotion", "age")]
    [True, True, True, False, False]
    """
    words = split_name(name)
    joined = "".join(words)
    # "fd" at a word's edge: mean_fd, FDmean, fdpower; not "dfd" or "selfdestruct".
    return (
        bool(_MOTION_WORDS & set(words))
        or joined.startswith("fd")
        or joined.endswith("fd")
        or ("fd" in words)
    )


def find_similar_columns(name: str, columns: Iterable[str]) -> list[str]:
    """List columns that may be meant by a name.

    Parameters
    ----------
    name : str
        Name of a column, as a spec states it.
    columns : iterable of str
        The columns that exist.

    Returns
    -------
    list of str
        Other spellings (``meanFD``, ``fd_mean``), usual other words (``gender`` for ``sex``), and
        the name with words that add no meaning (``age_at_scan``); not `name` itself.

    Examples
    --------
    >>> find_similar_columns("mean_fd", ["age", "FD_mean", "emotion"])
    ['FD_mean']
    >>> find_similar_columns("age", ["age_at_onset", "Age (years)", "wage"])
    ['Age (years)']
    """
    others = [str(c) for c in columns if str(c) != name]
    if is_motion_name(name):
        return [c for c in others if is_motion_name(c)]
    wanted = split_name(name)
    return [c for c in others if _is_similar(wanted, split_name(c))]


def _is_similar(wanted: tuple[str, ...], words: tuple[str, ...]) -> bool:
    a, b = "".join(wanted), "".join(words)
    if not a or not b:
        return False
    core = [w for w in words if w not in _FILLERS]
    joined = "".join(core)
    synonyms = _SYNONYMS.get(a, ())
    same = a in (b, joined, b.rstrip("s")) or sorted(wanted) == sorted(words)
    known = b in synonyms or joined in synonyms
    typo = len(a) >= 4 and bool(get_close_matches(a, [b], cutoff=0.85))
    return same or known or typo or _transposed(a, b)


def _transposed(a: str, b: str) -> bool:
    """Test whether two neighbouring letters were exchanged, as in ``stie``."""
    if len(a) != len(b) or len(a) < 3 or a == b:
        return False
    at = [i for i in range(len(a)) if a[i] != b[i]]
    return len(at) == 2 and at[1] == at[0] + 1 and a[at[0]] == b[at[1]] and a[at[1]] == b[at[0]]
