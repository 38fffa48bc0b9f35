"""From a question about a folder to what one format read of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bayes_mdd.errors import DataContractError, SpecError, some
from bayes_mdd.features.atlas.atlases import read_atlas
from bayes_mdd.features.derivatives.names import NAME, FileName, matching, scan
from bayes_mdd.features.derivatives.registry import Found, choose
from bayes_mdd.features.derivatives.values import Reading, Request
from bayes_mdd.features.loading import UnreadableFileError
from bayes_mdd.features.regions import check_regions
from bayes_mdd.specs.derivatives import DerivativesSpec


@dataclass(frozen=True, kw_only=True)
class Question:
    """What the caller of `read_derivatives` asks; the fields are its arguments."""

    folder: Path
    spec: DerivativesSpec
    kind: str | None = None
    format: str | None = None
    atlas: str | Path | None = None
    regions: pd.DataFrame | str | Path | None = None
    entities: Mapping[str, str | None] | None = None
    weighting: str | None = None
    subjects: Sequence[str] | None = None


@dataclass(frozen=True, kw_only=True)
class Source:
    """What was found and read of a folder.

    Parameters
    ----------
    reading : Reading
        The numbers.
    regions : pandas.DataFrame or None
        Region table of the caller.
    format : str
        Name of the format.
    passed_over : sequence of str
        Other formats that hold the same kind.
    root : Path
        The folder, for names relative to it.
    """

    reading: Reading
    regions: pd.DataFrame | None
    format: str
    passed_over: Sequence[str]
    root: Path


def find_source(asked: Question) -> Source:
    """Find the one format that answers the question, and read it.

    Parameters
    ----------
    asked : Question
        The folder and what is wanted of it.

    Returns
    -------
    Source
        What was read, not yet joined.

    Raises
    ------
    SpecError
        If a format or setting is unknown.
    DataContractError
        If nothing or several things fit, or files cannot be read.
    """
    folder, entities = asked.folder, asked.entities or {}
    _check_folder(folder, asked.spec)
    everything = scan(folder)
    # A single table may hold several sessions; then the filter is one of its rows.
    files = _wanted(everything, entities, folder) if folder.is_dir() else everything
    files = _of_atlas(files, asked.atlas)
    chosen, others = choose(files, folder, kind=asked.kind, format_name=asked.format)
    _check_atlas(chosen, asked.atlas)
    request = Request(
        kind=chosen.kind or asked.kind or "",
        files=chosen.files,
        everything=everything,
        spec=asked.spec,
        entities=entities,
        atlas=asked.atlas,
        regions=_region_table(asked.regions),
        weighting=asked.weighting,
        subjects=asked.subjects,
    )
    try:
        reading = chosen.format.read(request)
    except UnreadableFileError as error:
        raise DataContractError(str(folder), [str(error)]) from error
    return Source(
        reading=reading,
        regions=request.regions,
        format=chosen.format.name,
        passed_over=others,
        root=folder if folder.is_dir() else folder.parent,
    )


def _check_folder(folder: Path, spec: DerivativesSpec) -> None:
    if not isinstance(spec, DerivativesSpec):
        raise SpecError(f"spec must be a DerivativesSpec, got {type(spec).__name__}.")
    if not folder.exists() and not folder.is_symlink():
        raise DataContractError(str(folder), ["there is no such file or folder."])
    if (folder / "features" / "features.json").is_file():
        raise DataContractError(
            str(folder), ["is a cohort folder of this package: use read_features."]
        )


def _wanted(
    everything: Sequence[FileName], entities: Mapping[str, str | None], folder: Path
) -> list[FileName]:
    files = matching(everything, entities)
    if everything and not files:
        known = {
            k: sorted({n.entities[k] for n in everything if k in n.entities})
            if k != NAME
            else sorted({n.stem for n in everything})
            for k in entities
        }
        there = "; ".join(f"{k}: {some(v) or 'in no name'}" for k, v in known.items())
        raise DataContractError(
            str(folder), [f"no file has {dict(entities)}; found {there}. Correct entities."]
        )
    return files


def _of_atlas(files: Sequence[FileName], atlas: str | Path | None) -> list[FileName]:
    """Keep the files of an atlas where names tell atlases; an image is no matter of names."""
    wanted = "" if atlas is None else str(atlas).removeprefix("atlas-").removeprefix("seg-")
    named = [n for n in files if n.entities.get("atlas") == wanted]
    if not named:
        return list(files)
    keep = {n.path for n in named}
    return [n for n in files if n.path in keep or "atlas" not in n.entities]


def _check_atlas(chosen: Found, atlas: str | Path | None) -> None:
    """Refuse an atlas that is not among the files; to go on without it would be a guess."""
    if atlas is None or chosen.format.finds_atlas:
        return
    wanted = str(atlas).removeprefix("atlas-").removeprefix("seg-")
    found = sorted({n.entities.get("atlas", "none") for n in chosen.files} - {wanted})
    if found:
        raise DataContractError(
            chosen.format.name,
            [
                f"no files of atlas {wanted!r} alone: the names say {some(found)}. Correct atlas; "
                "what the regions are called is said by regions=..."
            ],
        )


def _region_table(regions: pd.DataFrame | str | Path | None) -> pd.DataFrame | None:
    if regions is None:
        return None
    if isinstance(regions, pd.DataFrame):
        return check_regions(regions)
    return read_atlas(regions)
