"""Where the region table comes from: the caller, the atlas beside the files, or region names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from bayes_mdd.errors import DataContractError, SpecError, UnreadableFileError, some
from bayes_mdd.features.atlas.atlases import (
    read_atlas,
    read_region_argument,
    with_circuit_networks,
)
from bayes_mdd.features.atlas.published import COORDINATE_ATLASES, SCHAEFER
from bayes_mdd.features.atlas.region_tables import ATLAS, CIRCUIT, read_region_table
from bayes_mdd.features.derivatives.file_names import FileName
from bayes_mdd.features.derivatives.interface import DerivativesRequest, Reading
from bayes_mdd.features.derivatives.join import regions_of_names
from bayes_mdd.features.networks import networks_of_table
from bayes_mdd.files.regular import read_bytes

_IMAGES = (".nii", ".nii.gz")
#: Largest table of an atlas, in bytes.
_LARGEST_TABLE = 10_000_000


def requested_regions(
    request: DerivativesRequest, files: Sequence[FileName], all_files: Sequence[FileName]
) -> pd.DataFrame | None:
    """Read the region table that a request names, or the one of the atlas beside the files.

    Parameters
    ----------
    request : DerivativesRequest
        Its ``regions``, ``atlas`` and ``networks``.
    files : sequence of FileName
        The files to read.
    all_files : sequence of FileName
        All files of the folder; ``atlas-*_dseg.tsv`` of XCP-D and QSIRecon may be among them.

    Returns
    -------
    pandas.DataFrame or None
        None if there is no table; the networks are then those in the region names.

    Raises
    ------
    SpecError
        If ``networks`` asks for circuits or for a column, but there is no table.
    DataContractError
        If a table cannot be read.
    """
    if request.regions is not None:
        return read_region_argument(request.regions, request.networks)
    atlas = request.atlas
    if atlas is not None and request.networks != ATLAS and _is_atlas(atlas):
        return read_atlas(atlas, networks=request.networks)
    shipped = _shipped_table(files, all_files)
    if shipped is not None:
        table = read_region_table(shipped, request.networks)
        return with_circuit_networks(table) if request.networks == CIRCUIT else table
    if request.networks == CIRCUIT:
        raise SpecError(
            "networks='circuit' (--networks circuit) needs --regions (regions=...), an --atlas of "
            "images, or the table atlas-*_dseg.tsv of the atlas in the folder."
        )
    if request.networks != ATLAS:
        raise SpecError(
            f"networks={request.networks!r} is a column of a region table, but there is none: give "
            "regions=... (--regions), for example the table atlas-*_dseg.tsv of XCP-D."
        )
    return None


def _is_atlas(atlas: str | Path) -> bool:
    """Whether an atlas has a table of its own; otherwise it is an entity of file names."""
    name = str(atlas)
    published = name in COORDINATE_ATLASES or SCHAEFER.fullmatch(name) is not None
    return published or name.endswith((*_IMAGES, ".tsv", ".csv"))


def _shipped_table(files: Sequence[FileName], all_files: Sequence[FileName]) -> Path | None:
    """Find the table of the atlas that the names of the files state."""
    atlases = {n.entities.get("atlas") for n in files}
    if len(atlases) != 1 or None in atlases:
        return None
    found = [
        n.path
        for n in all_files
        if n.suffix == "dseg"
        and n.extension in (".tsv", ".csv")
        and n.entities.get("atlas") in atlases
        and n.path.is_file()
    ]
    try:
        contents = {read_bytes(path, limit=_LARGEST_TABLE, empty=True) for path in found}
    except UnreadableFileError:
        return None
    return found[0] if len(contents) == 1 else None


def complete_regions(
    reading: Reading, regions: pd.DataFrame | None, request: DerivativesRequest
) -> tuple[Reading, pd.DataFrame | None]:
    """Add the region table to a reading, and say which regions have no network of their own.

    Parameters
    ----------
    reading : Reading
        Data of all subjects.
    regions : pandas.DataFrame or None
        From `requested_regions`.
    request : DerivativesRequest
        Whether the caller gave the table.

    Returns
    -------
    reading : Reading
        With a region table and notes.
    regions : pandas.DataFrame or None
        Table of the caller, which determines the regions that are read. A table that was found
        beside the files only describes the regions of the files.

    Raises
    ------
    DataContractError
        If a table was found beside the files, but lacks some of their regions.
    """
    own, notes = reading.regions, list(reading.notes)
    by_caller = request.regions is not None or (
        request.atlas is not None and _is_atlas(request.atlas)
    )
    if regions is not None and not by_caller:
        if own is None:
            own, text = _described(reading, regions, request.networks)
            notes += text
        regions = None
    if own is None and regions is None:
        own = regions_of_names(next(iter(reading.by_subject.values())).names)
    table = regions if regions is not None else own
    notes += [] if table is None else networks_of_table(table).notes
    return replace(reading, regions=own, notes=notes), regions


def _described(
    reading: Reading, table: pd.DataFrame, networks: str
) -> tuple[pd.DataFrame | None, list[str]]:
    """Keep the rows of a table for the regions that the files have; None if it lacks some."""
    names = dict.fromkeys(n for own in reading.by_subject.values() for n in own.names)
    known = set(map(str, table["region"]))
    unknown = [n for n in names if n not in known]
    if not unknown:
        return table[table["region"].astype(str).isin(names)].reset_index(drop=True), []
    text = (
        f"the table of the atlas in the folder (atlas-*_dseg.tsv) lacks {len(unknown)} of "
        f"{len(names)} regions of the files ({some(unknown)})"
    )
    if networks != ATLAS:
        raise DataContractError(
            "regions", [f"{text}: give their table with regions=... (--regions)."]
        )
    return None, [f"{text} and was not used."]
