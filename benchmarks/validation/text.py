"""Numbers and tables as Markdown text."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence

import numpy as np

#: Width of lines of prose.
WIDTH = 100
#: Lines that are kept as they are, and beginnings of items of a list.
KEPT = re.compile(r"\s*$|#|\||<!--")
ITEM = re.compile(r"(- |\d+\. )")


def percent(value: float, digits: int = 1) -> str:
    """Write a share as a percentage.

    >>> percent(0.927), percent(1.0, 0)
    ('92.7%', '100%')
    """
    return f"{value:.{digits}%}"


def estimate(value: float, error: float) -> str:
    """Write a value with its standard error.

    >>> estimate(0.905, 0.0317)
    '0.905 (0.032)'
    """
    return f"{value:.3f} ({error:.3f})"


def proportion(values: Sequence[bool]) -> str:
    """Write the share of true values as a percentage with its standard error and count.

    The standard error of an observed 0% or 100% is that of half a case in all.

    >>> proportion([True] * 90 + [False] * 10)
    '90.0% ± 3.0% (n = 100)'
    """
    x = np.asarray(values, dtype=float)
    if not x.size:
        return "n/a"
    p = float(x.mean())
    error = np.sqrt(max(p * (1 - p), 0.25 / x.size) / x.size)
    return f"{percent(p)} ± {percent(float(error))} (n = {x.size})"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Write a Markdown table.

    >>> print(table(["a", "b"], [[1, "x"]]))
    | a | b |
    |---|---|
    | 1 | x |
    """
    lines = [header, *rows]
    text = ["| " + " | ".join(str(cell) for cell in line) + " |" for line in lines]
    return "\n".join([text[0], "|" + "---|" * len(header), *text[1:]])


def reflow(text: str) -> str:
    """Wrap the prose of a page again after figures were filled in.

    >>> print(reflow("One\\ntwo.\\n\\n- three\\n  four"))
    One two.
    <BLANKLINE>
    - three four
    """
    parts: list[list[str]] = []
    for line in text.splitlines():
        starts = KEPT.match(line) or ITEM.match(line) or not parts or KEPT.match(parts[-1][-1])
        if starts:
            parts.append([line])
        else:
            parts[-1].append(line.strip())
    return "\n".join(part[0] if KEPT.match(part[0]) else _wrap(part) for part in parts)


def _wrap(lines: Sequence[str]) -> str:
    item = ITEM.match(lines[0])
    return textwrap.fill(
        " ".join(lines),
        WIDTH,
        subsequent_indent=" " * len(item[0]) if item else "",
        break_long_words=False,
        break_on_hyphens=False,
    )
