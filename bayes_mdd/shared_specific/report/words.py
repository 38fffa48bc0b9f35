"""Numbers and lists as words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_WORDS: Final = (
    *("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
)


def number(n: int) -> str:
    """Write a small number as a word.

    Parameters
    ----------
    n : int
        At least 0.

    Returns
    -------
    str
        A word up to ten, digits beyond.

    Examples
    --------
    >>> number(3), number(12)
    ('three', '12')
    """
    return _WORDS[n] if n < len(_WORDS) else str(n)


def count(n: int) -> str:
    """Write a small number as a word that begins a sentence.

    Parameters
    ----------
    n : int
        At least 0.

    Returns
    -------
    str
        See `number`.

    Examples
    --------
    >>> count(3)
    'Three'
    """
    return number(n).capitalize()


def join(parts: Iterable[str]) -> str:
    """Join parts as an enumeration.

    Parameters
    ----------
    parts : iterable of str
        The parts.

    Returns
    -------
    str
        With commas and "and".

    Examples
    --------
    >>> join(["F1", "F2", "F3"]), join(["F1"])
    ('F1, F2 and F3', 'F1')
    """
    listed = list(parts)
    return " and ".join([", ".join(listed[:-1]), listed[-1]] if len(listed) > 1 else listed)
