"""Which formats there are, and which of them a folder holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from bayes_mdd.errors import DataContractError, SpecError, some
from bayes_mdd.features.derivatives.formats import (
    bold,
    cifti,
    freesurfer,
    maps,
    mat,
    square,
    stacks,
    tables,
    tracts,
    xcpd,
)
from bayes_mdd.features.derivatives.names import FileName
from bayes_mdd.features.derivatives.values import Format

#: Every format, the more particular ones first.
FORMATS: tuple[Format, ...] = (
    *xcpd.FORMATS,
    *cifti.FORMATS,
    *mat.FORMATS,
    *stacks.FORMATS,
    *square.FORMATS,
    *freesurfer.FORMATS,
    *tracts.FORMATS,
    *tables.FORMATS,
    *bold.FORMATS,
    *maps.FORMATS,
)


@dataclass(frozen=True)
class Found:
    """Files of one kind in one format."""

    format: Format
    kind: str
    files: tuple[FileName, ...]


def format_named(name: str) -> Format:
    """Look a format up.

    Parameters
    ----------
    name : str
        Its name.

    Returns
    -------
    Format
        The format.

    Raises
    ------
    SpecError
        If there is none of that name; the nearest is named.
    """
    known = {f.name: f for f in FORMATS}
    if name not in known:
        near = get_close_matches(name, known, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise SpecError(f"format must be one of {', '.join(known)}; got {name!r}.{hint}")
    return known[name]


def choose(
    files: Sequence[FileName], folder: Path, *, kind: str | None, format_name: str | None
) -> tuple[Found, list[str]]:
    """Find the one format and kind that a folder holds, or that was asked for.

    Parameters
    ----------
    files : sequence of FileName
        Files that passed the filter of entities.
    folder : Path
        For messages.
    kind : str or None
        Kind of data asked for.
    format_name : str or None
        Format asked for.

    Returns
    -------
    tuple
        What was chosen, and the names of formats that hold the same kind and were passed over.

    Raises
    ------
    SpecError
        If the format is unknown.
    DataContractError
        If nothing fits, or several do; the choices are named.
    """
    formats = FORMATS if format_name is None else (format_named(format_name),)
    found = [
        Found(f, own, tuple(held)) for f in formats for own, held in f.find(files).items() if held
    ]
    fitting = [f for f in found if kind is None or f.kind in (kind, "")]
    if not fitting:
        raise DataContractError(str(folder), [_nothing(files, found, kind)])
    # What tells its own kind goes before what would be taken for anything (tables, images).
    fitting = [f for f in fitting if f.kind] or fitting
    names = {f.format.name for f in fitting}
    first = [f for f in fitting if not names & set(f.format.yields_to)]
    if len({f.kind for f in first}) > 1 or len(first) > 1:
        choices = [
            f"kind={f.kind!r}, format={f.format.name!r} ({f.files[0].path.name})" for f in first
        ]
        raise DataContractError(
            str(folder), [f"holds several things: say which one, {' or '.join(choices[:8])}."]
        )
    others = sorted(names - {first[0].format.name})
    return first[0], others


def _nothing(files: Sequence[FileName], found: Sequence[Found], kind: str | None) -> str:
    if found:
        there = "; ".join(f"{f.kind} ({f.format.name})" for f in found)
        return f"holds no {kind}: found {there}. Ask for one of these."
    titles = "; ".join(f"{f.name}: {f.title}" for f in FORMATS)
    shown = some((n.path.name for n in files), 5) or "nothing"
    void = [n.path.name for n in files if not n.path.exists() or not n.path.stat().st_size]
    hint = (
        f" Empty, or links to content that is elsewhere (datalad get): {some(void)}."
        if void
        else ""
    )
    if any(n.extension == ".stats" for n in files):
        hint += " FreeSurfer: make group tables with aparcstats2table, asegstats2table."
    return f"holds no file of a known format (found {shown}).{hint} Known are {titles}."
