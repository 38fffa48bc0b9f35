"""Files whose names state no id: the same subjects in several scalings, measures or sessions."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bayes_mdd.errors import some
from bayes_mdd.features.derivatives.file_names import FileName

#: Parts of names that distinguish files of the same subject.
_DISTINGUISHING = re.compile(
    r"[rmz]|raw|norm(ali[sz]ed)?|[mz]?f?(alff|reho)(map)?|fisher_?z?|zr?score|zstd|rtoz|r2z"
    r"|(p|partial)?corr(elation)?s?|pearson|spearman|cov(ariance)?|precision|full|partial"
    r"|rest|task|eo|ec|eyes?(open|closed)|pre|post|baseline|follow-?up|(run|ses|session|visit|scan"
    r"|cond(ition)?|tp?|v)\d{1,3}"
    r"|aal\d*|schaefer\d*|power\d*|dosenbach\d*|shen\d*|cc200|ho|harvardoxford|bna\d*|dk\d*",
    re.IGNORECASE,
)
_LETTER_AND_NUMBER = re.compile(r"([A-Za-z])(\d+)")


def repeated_subjects_problem(files: Sequence[FileName]) -> str | None:
    """Find subjects that seem to have several files each, by the parts of the names.

    Parameters
    ----------
    files : sequence of FileName
        Files of one format. Those whose names state an id are not considered.

    Returns
    -------
    str or None
        The problem, if all names combine words such as ``r`` and ``z``, or ``rest`` and ``task``,
        with the same ids.

    Examples
    --------
    >>> from pathlib import Path
    >>> names = [FileName(Path(f"{k}_S0{i}.txt"), extension=".txt") for k in "rz" for i in (1, 2)]
    >>> repeated_subjects_problem(names)[:51]
    'the names differ in r, z and are otherwise the same'
    >>> names = [FileName(Path(f"{k}_0{i}.txt"), extension=".txt") for k in "HP" for i in (1, 2)]
    >>> repeated_subjects_problem(names) is None
    True
    """
    plain = [n for n in files if not n.own_id and "sub" not in n.entities]
    rows = [_parts(n.stem) for n in plain]
    if len(rows) < 4 or len({len(r) for r in rows}) != 1:
        return None
    for position, column in enumerate(zip(*rows, strict=True)):
        words = sorted(set(column))
        if len(words) < 2 or not all(_DISTINGUISHING.fullmatch(w) for w in words):
            continue
        rest = {w: {_without(r, position) for r in rows if r[position] == w} for w in words}
        common = set.intersection(*rest.values())
        if len(common) < 2:
            continue
        own = min(common)
        same = [n for n, r in zip(plain, rows, strict=True) if _without(r, position) == own]
        pattern = _glob(same[0].stem, position, [len(set(c)) > 1 for c in zip(*rows, strict=True)])
        return (
            f"the names differ in {', '.join(words)} and are otherwise the same "
            f"({some((n.path.name for n in same), 3)}), so these seem to be several files of the "
            f"same participants. Choose one with entities={{'name': {pattern!r}}} "
            f"(--entity name='{pattern}'), or give the "
            "pattern of the id in the names (ids=..., --ids)."
        )
    return None


def _parts(stem: str) -> tuple[str, ...]:
    return tuple(_split(stem)[::2])


def _split(stem: str) -> list[str]:
    """Split a name into its parts and, between them, the separators."""
    if match := _LETTER_AND_NUMBER.fullmatch(stem):
        return [match[1], "", match[2]]
    return re.split(r"([_.-]+)", stem)


def _glob(stem: str, position: int, differs: Sequence[bool]) -> str:
    """Replace the parts that differ, except that at one position, by ``*``."""
    words = _split(stem)
    for i, differ in enumerate(differs):
        if differ and i != position:
            words[2 * i] = "*"
    return "".join(words)


def _without(parts: tuple[str, ...], position: int) -> tuple[str, ...]:
    return parts[:position] + parts[position + 1 :]
