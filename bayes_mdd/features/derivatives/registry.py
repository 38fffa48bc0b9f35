"""Registry of the formats, and the choice of the format that a folder holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from bayes_mdd.errors import DataContractError, SpecError, some
from bayes_mdd.features.derivatives.file_names import FileName
from bayes_mdd.features.derivatives.formats import (
    arrays,
    bold,
    cat12,
    cifti,
    conn,
    cpac,
    dpabi,
    dpabi_maps,
    freesurfer,
    fsl,
    halfpipe,
    maps,
    mat,
    named_square,
    netcc,
    one_d,
    square,
    stacks,
    tables,
    tracts,
    xcpd,
)
from bayes_mdd.features.derivatives.interface import Format
from bayes_mdd.features.tool_names import READ_FILES

#: All formats, more specific ones first.
FORMATS: tuple[Format, ...] = (
    *dpabi.FORMATS,
    *dpabi_maps.FORMATS,
    *conn.FORMATS,
    *halfpipe.FORMATS,
    *cat12.FORMATS,
    *xcpd.FORMATS,
    *cifti.FORMATS,
    *mat.FORMATS,
    *stacks.FORMATS,
    *cpac.FORMATS,
    *netcc.FORMATS,
    *one_d.FORMATS,
    *fsl.FORMATS,
    *square.FORMATS,
    *named_square.FORMATS,
    *freesurfer.FORMATS,
    *tracts.FORMATS,
    *tables.FORMATS,
    *bold.FORMATS,
    *maps.FORMATS,
    *arrays.FORMATS,
)


@dataclass(frozen=True)
class Candidate:
    """Files of one kind of data in one format."""

    format: Format
    kind: str
    files: tuple[FileName, ...]


def find_format(name: str) -> Format:
    """Return a format by its name.

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
        If no format has that name; the message suggests the closest one.
    """
    known = {f.name: f for f in FORMATS}
    if name not in known:
        near = get_close_matches(name, known, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise SpecError(f"format must be one of {', '.join(known)}; got {name!r}.{hint}")
    return known[name]


def choose_format(
    files: Sequence[FileName],
    folder: Path,
    *,
    kind: str | None,
    format_name: str | None,
    series: bool = False,
) -> tuple[Candidate, list[str]]:
    """Find the one format and kind that match the request.

    Parameters
    ----------
    files : sequence of FileName
        Files that match the requested entities.
    folder : Path
        The folder, for messages.
    kind : str or None
        Requested kind of data.
    format_name : str or None
        Requested format.
    series : bool, default False
        Consider formats of time series only.

    Returns
    -------
    tuple
        The files to read, and the names of other formats in the folder with the same kind of data.

    Raises
    ------
    SpecError
        If the format is unknown.
    DataContractError
        If no format matches, or several do; the message lists the choices.
    """
    formats = FORMATS if format_name is None else (find_format(format_name),)
    if series:
        formats = tuple(f for f in formats if f.has_series)
    found = [
        Candidate(f, own_kind, tuple(own_files))
        for f in formats
        for own_kind, own_files in f.find(_offered(f, files, format_name)).items()
        if own_files
    ]
    matches = [c for c in found if kind is None or c.kind in (kind, "")]
    if not matches and series:
        titles = "; ".join(f"{f.name}: {f.title}" for f in FORMATS if f.has_series)
        raise DataContractError(
            str(folder),
            [
                "halves and pieces need time series, but no files of them were found"
                f"{f' in format {format_name}' if format_name else ''}: expected {titles}. Omit "
                "halves and pieces, or give the folder with the series."
            ],
        )
    if not matches:
        raise DataContractError(str(folder), [_no_match(files, found, kind)])
    # Files that state their kind take precedence over generic ones (tables, images).
    matches = [c for c in matches if c.kind] or matches
    names = {c.format.name for c in matches}
    preferred = [c for c in matches if not names & set(c.format.yields_to)]
    if len(preferred) > 1:
        choices = [
            f"kind={c.kind!r}, format={c.format.name!r} ({c.files[0].path.name})" for c in preferred
        ]
        raise DataContractError(
            str(folder), [f"holds several sets of data: choose {' or '.join(choices[:8])}."]
        )
    chosen = preferred[0]
    read = {n.path for n in chosen.files}
    # Formats that would read the same files are no other data.
    others = {c.format.name for c in matches if {n.path for n in c.files} - read}
    return chosen, sorted(others - {chosen.format.name})


def _offered(own: Format, files: Sequence[FileName], format_name: str | None) -> Sequence[FileName]:
    """Files that a format may read: those of no known tool and of its own tools.

    A format that the caller names may read all files.
    """
    if format_name is not None:
        return files
    return [n for n in files if not n.tool or n.tool in own.tools]


def _no_match(files: Sequence[FileName], found: Sequence[Candidate], kind: str | None) -> str:
    if found:
        kinds = "; ".join(f"{c.kind} ({c.format.name})" for c in found)
        return f"holds no {kind}: found {kinds}. Choose one of these."
    titles = "; ".join(f"{f.name}: {f.title}" for f in FORMATS)
    shown = some((n.path.name for n in files), 5) or "nothing"
    empty = [n.path.name for n in files if not n.path.exists() or not n.path.stat().st_size]
    hint = (
        f" Empty, or links to content that is not here (run 'datalad get'): {some(empty)}."
        if empty
        else ""
    )
    if any(n.extension == ".stats" for n in files):
        hint += " FreeSurfer: create group tables with aparcstats2table, asegstats2table."
    if by_tool := _files_by_tool(files):
        return f"holds no file of a known format.{hint} {by_tool}"
    return f"holds no file of a known format (found {shown}).{hint} Known formats: {titles}."


def _files_by_tool(files: Sequence[FileName]) -> str:
    """Name the tools whose files are there but not read, and what is read of each."""
    tools = list(dict.fromkeys(n.tool for n in files if n.tool))
    return " ".join(
        f"Files of {tool}: {some((n.path.name for n in files if n.tool == tool), 3)}. Of the files "
        f"that {tool} writes, this package reads {READ_FILES[tool]}."
        for tool in tools
        if tool in READ_FILES
    )
