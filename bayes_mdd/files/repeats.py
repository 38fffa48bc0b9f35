"""Values that occur more than once, found in one pass however many there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable


def find_repeats[T](values: Iterable[T]) -> list[T]:
    """List the values that occur more than once.

    Parameters
    ----------
    values : iterable
        Ids, names or keys.

    Returns
    -------
    list
        Each once, in the order of first appearance.

    Examples
    --------
    >>> find_repeats(["b", "a", "b", "c", "a"])
    ['b', 'a']
    """
    return [value for value, n in Counter(values).items() if n > 1]
