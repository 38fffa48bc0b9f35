"""Select the files that a request asks for, and read them with the matching format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from bayes_mdd.errors import DataContractError, SpecError, some
from bayes_mdd.features.atlas.atlases import read_atlas
from bayes_mdd.features.derivatives.file_names import NAME_KEY, FileName, filter_files, list_files
from bayes_mdd.features.derivatives.interface import DerivativesRequest, FormatRequest, Reading
from bayes_mdd.features.derivatives.registry import Candidate, choose_format
from bayes_mdd.features.loading import UnreadableFileError
from bayes_mdd.features.regions import check_regions
from bayes_mdd.specs.derivatives import DerivativesSpec


@dataclass(frozen=True, kw_only=True)
class SourceReading:
    """The data read from a folder, and how they were found.

    Parameters
    ----------
    reading : Reading
        The data.
    regions : pandas.DataFrame or None
        Region table of the caller.
    format : str
        Name of the format.
    other_formats : sequence of str
        Formats in the folder that hold the same kind of data and were not read.
    root : Path
        The folder to which file names are relative.
    """

    reading: Reading
    regions: pd.DataFrame | None
    format: str
    other_formats: Sequence[str]
    root: Path


def read_source(request: DerivativesRequest) -> SourceReading:
    """Find the one format that matches a request, and read it.

    Parameters
    ----------
    request : DerivativesRequest
        The folder and the data to read.

    Returns
    -------
    SourceReading
        The data; subjects and regions are not matched yet.

    Raises
    ------
    SpecError
        If a format or setting is unknown.
    DataContractError
        If no data or several sets of data match, or files cannot be read.
    """
    folder, entities = request.folder, request.entities or {}
    _check_folder(folder, request.spec)
    all_files = list_files(folder)
    # In a single table, the entities select rows (sessions) rather than files.
    files = _matching_entities(all_files, entities, folder) if folder.is_dir() else all_files
    files = _matching_atlas(files, request.atlas)
    chosen, others = choose_format(
        files,
        folder,
        kind=request.kind,
        format_name=request.format,
        series=request.parts.halves or request.parts.pieces > 0,
    )
    _check_atlas(chosen, request.atlas)
    format_request = FormatRequest(
        kind=chosen.kind or request.kind or "",
        files=chosen.files,
        all_files=all_files,
        spec=request.spec,
        entities=entities,
        atlas=request.atlas,
        regions=_region_table(request.regions),
        weighting=request.weighting,
        subjects=request.subjects,
    )
    try:
        reading = chosen.format.read(format_request)
    except UnreadableFileError as error:
        raise DataContractError(str(folder), [str(error)]) from error
    return SourceReading(
        reading=reading if request.units is None else replace(reading, units=request.units),
        regions=format_request.regions,
        format=chosen.format.name,
        other_formats=others,
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


def _matching_entities(
    all_files: Sequence[FileName], entities: Mapping[str, str | None], folder: Path
) -> list[FileName]:
    files = filter_files(all_files, entities)
    if all_files and not files:
        known = {
            k: sorted({n.entities[k] for n in all_files if k in n.entities})
            if k != NAME_KEY
            else sorted({n.stem for n in all_files})
            for k in entities
        }
        found = "; ".join(f"{k}: {some(v) or 'in no file name'}" for k, v in known.items())
        raise DataContractError(
            str(folder),
            [f"no file matches {dict(entities)}; found {found}. Correct entities."],
        )
    return files


def _atlas_entity(atlas: str | Path) -> str:
    return str(atlas).removeprefix("atlas-").removeprefix("seg-")


def _matching_atlas(files: Sequence[FileName], atlas: str | Path | None) -> list[FileName]:
    """Keep the files of an atlas, and files whose names state none.

    All files are kept where no name states the requested atlas, because it may be an image.
    """
    wanted = "" if atlas is None else _atlas_entity(atlas)
    named = [n for n in files if n.entities.get("atlas") == wanted]
    if not named:
        return list(files)
    keep = {n.path for n in named}
    return [n for n in files if n.path in keep or "atlas" not in n.entities]


def _check_atlas(chosen: Candidate, atlas: str | Path | None) -> None:
    """Refuse an atlas that no file name states, where the format does not use it otherwise."""
    if atlas is None or chosen.format.handles_atlas:
        return
    wanted = _atlas_entity(atlas)
    found = sorted({n.entities.get("atlas", "none") for n in chosen.files} - {wanted})
    if found:
        raise DataContractError(
            chosen.format.name,
            [
                f"expected files of atlas {wanted!r} only; their names state {some(found)}. "
                "Correct atlas. To name the regions, use regions=..."
            ],
        )


def _region_table(regions: pd.DataFrame | str | Path | None) -> pd.DataFrame | None:
    if regions is None:
        return None
    if isinstance(regions, pd.DataFrame):
        return check_regions(regions)
    return read_atlas(regions)
