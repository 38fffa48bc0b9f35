"""Select the files that a request asks for, and read them with the matching format."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from bayes_mdd.errors import DataContractError, SpecError, some
from bayes_mdd.features.companions import list_siblings
from bayes_mdd.features.derivatives.file_names import (
    FOLDER_KEY,
    NAME_KEY,
    FileName,
    filter_files,
    list_files,
)
from bayes_mdd.features.derivatives.interface import DerivativesRequest, FormatRequest, Reading
from bayes_mdd.features.derivatives.layer_ids import resolve_subjects
from bayes_mdd.features.derivatives.matrix_measures import CONVERTED, convert_matrices
from bayes_mdd.features.derivatives.region_sources import complete_regions, requested_regions
from bayes_mdd.features.derivatives.registry import Candidate, choose_format
from bayes_mdd.features.derivatives.subject_ids import (
    assign_ids,
    compile_id_pattern,
    rename_subjects,
)
from bayes_mdd.features.derivatives.subjects import find_participants
from bayes_mdd.features.derivatives.symmetry import check_symmetrise, symmetrise_matrices
from bayes_mdd.features.loading import UnreadableFileError
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
    check_symmetrise(request.symmetrise)
    _check_folder(folder, request.spec)
    pattern = compile_id_pattern(request.ids)
    root = folder if folder.is_dir() else folder.parent
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
    subjects, notes = _listed_subjects(request)
    own_files, without_id = assign_ids(chosen.files, pattern, root)
    by_path = own_files is not None
    chosen = chosen if own_files is None else replace(chosen, files=tuple(own_files))
    _check_atlas(chosen, request.atlas)
    format_request = FormatRequest(
        kind=chosen.kind or request.kind or "",
        files=chosen.files,
        # Companions of a single file are searched beside it.
        all_files=all_files if folder.is_dir() else list_siblings(all_files[0]),
        spec=request.spec,
        entities=entities,
        atlas=request.atlas,
        regions=requested_regions(request, chosen.files, all_files),
        weighting=request.weighting,
        subjects=subjects,
        units=request.units,
        keep=request.keep,
    )
    try:
        reading = chosen.format.read(format_request)
    except UnreadableFileError as error:
        raise DataContractError(str(folder), [str(error)]) from error
    if not reading.by_subject:
        raise DataContractError(str(folder), [f"the files of {chosen.format.name} hold no data."])
    if (request.parts.halves or request.parts.pieces) and reading.shape != "series":
        raise DataContractError(
            str(folder),
            [
                f"halves and pieces need time series, but the files of {chosen.format.name} hold "
                "values that are already computed: omit halves and pieces, or give the folder with "
                "the series."
            ],
        )
    reading = convert_matrices(reading, chosen.files, request.units)
    reading = symmetrise_matrices(reading, request.symmetrise)
    reading = replace(reading, notes=[*reading.notes, *notes])
    reading, regions = complete_regions(reading, format_request.regions, request)
    if request.units is not None and request.units not in CONVERTED:
        reading = replace(reading, units=request.units)
    if pattern is not None and not by_path:
        reading = _with_found_ids(reading, pattern, folder)
    if without_id:
        reading = _noting_files_without_id(reading, without_id, str(request.ids))
    return SourceReading(
        reading=reading,
        regions=regions,
        format=chosen.format.name,
        other_formats=others,
        root=root,
    )


def _with_found_ids(reading: Reading, pattern: re.Pattern[str], folder: Path) -> Reading:
    return replace(
        reading,
        by_subject=rename_subjects(reading.by_subject, pattern, folder),
        covariates={
            name: rename_subjects(values, pattern, folder)
            for name, values in reading.covariates.items()
        },
    )


def _noting_files_without_id(reading: Reading, names: Sequence[str], ids: str) -> Reading:
    note = f"ids={ids!r} does not match {len(names)} file(s), which were not read: {some(names)}."
    return replace(
        reading,
        notes=[*reading.notes, note],
        facts={**reading.facts, "files_without_id": list(names)},
    )


def _check_folder(folder: Path, spec: DerivativesSpec) -> None:
    if not isinstance(spec, DerivativesSpec):
        raise SpecError(f"spec must be a DerivativesSpec, got {type(spec).__name__}.")
    if not folder.exists() and not folder.is_symlink():
        raise DataContractError(str(folder), ["there is no such file or folder: correct the name."])
    if (folder / "features" / "features.json").is_file():
        raise DataContractError(
            str(folder), ["is a cohort folder of this package: use read_features."]
        )


def _listed_subjects(request: DerivativesRequest) -> tuple[list[str] | None, list[str]]:
    """Ids of the argument ``subjects``, which may stand for the order of the participants."""
    table = (
        find_participants(request.folder, request.participants)
        if isinstance(request.subjects, str)
        else None
    )
    return resolve_subjects(request.subjects, table)


def _matching_entities(
    all_files: Sequence[FileName], entities: Mapping[str, str | None], folder: Path
) -> list[FileName]:
    files = filter_files(all_files, entities)
    if all_files and not files:
        known = {k: _known_values(k, all_files) for k in entities}
        found = "; ".join(f"{k}: {some(v) or 'in no file name'}" for k, v in known.items())
        raise DataContractError(
            str(folder),
            [f"no file matches {dict(entities)}; found {found}. Correct entities."],
        )
    return files


def _known_values(key: str, files: Sequence[FileName]) -> list[str]:
    if key == NAME_KEY:
        return sorted({n.stem for n in files})
    if key == FOLDER_KEY:
        return sorted({n.path.parent.name for n in files})
    return sorted({n.entities[key] for n in files if key in n.entities})


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
