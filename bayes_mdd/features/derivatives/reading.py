"""The outputs of other tools to a checked feature set, in one step."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import xarray as xr

from bayes_mdd.errors import DataContractError, SpecError, some
from bayes_mdd.features.atlases import read_atlas
from bayes_mdd.features.derivatives.build import build_features
from bayes_mdd.features.derivatives.names import FileName, matching, scan
from bayes_mdd.features.derivatives.people import find_participants
from bayes_mdd.features.derivatives.registry import Found, choose
from bayes_mdd.features.derivatives.values import Request
from bayes_mdd.features.loading import UnreadableFileError
from bayes_mdd.features.regions import check_regions
from bayes_mdd.specs.derivatives import DerivativesSpec


def read_derivatives(
    folder: str | Path,
    *,
    kind: str | None = None,
    format: str | None = None,
    atlas: str | Path | None = None,
    regions: pd.DataFrame | str | Path | None = None,
    participants: pd.DataFrame | str | Path | None = None,
    entities: Mapping[str, str | None] | None = None,
    weighting: str | None = None,
    units: str | None = None,
    subjects: Sequence[str] | None = None,
    spec: DerivativesSpec | None = None,
) -> xr.Dataset:
    """Read the outputs of another tool as a checked feature set.

    What the files are is found out from their content and the key-value pairs of their names.
    Wherever two readings are possible the choices are named and nothing is guessed; people are
    joined by id and regions by name, never by position.

    Parameters
    ----------
    folder : str or Path
        The folder a tool wrote (subfolders are searched), or one table.
    kind : str, optional
        What was measured, where a folder holds several things or a table does not say:
        ``functional_connectivity``, ``structural_connectivity``, ``alff``, ``reho``,
        ``thickness``, ``area``, ``volume``, ``fa``, ``activation``, ...
    format : str, optional
        Name of the format, where several fit (the error lists them).
    atlas : str or Path, optional
        The atlas among the files of several (``4S156Parcels``: entity ``atlas`` or ``seg``); with
        images, an atlas of `read_atlas` or the label image to average in.
    regions : pandas.DataFrame, str or Path, optional
        Region table (``region``, ``network``; see `read_regions`), its file, or the name of an
        atlas (see `read_atlas`). It decides which regions are
        taken. Default: what comes with the files; Schaefer names tell their network, any other
        regions without a table make one network ``all``.
    participants : pandas.DataFrame, str or Path, optional
        Who takes part, indexed by ``participant_id``, or the file; default
        ``participants.tsv`` of `folder`. Without any, the arm of everybody is ``n/a``.
    entities : mapping of str to str or None, optional
        Which files, e.g. ``{"ses": "1", "task": "rest", "desc": None}``; None: without that key.
    weighting : str, optional
        Which of several measures within a file: ``sift_radius2_count``, ``md``, ...
    units : {"r", "fisher_z"} or str, optional
        Units where the files do not tell. Contradicted by a diagonal it is refused.
    subjects : sequence of str, optional
        Who the layers of a stacked array are, in their order (NBS, CONN), where it has no ids.
    spec : DerivativesSpec, optional
        Thresholds, confounds, and what becomes of missing regions and people.

    Returns
    -------
    xarray.Dataset
        Meets `check_features`. Correlations come back as Fisher z. ``provenance`` names the
        format, the settings, whoever and whatever was left out, and one checksum of all files.

    Raises
    ------
    SpecError
        If a name or setting is unknown.
    DataContractError
        If files are missing, unreadable or doubtful, or do not match the regions or people.

    Warns
    -----
    UserWarning
        If something was changed on the way in, such as a triangle mirrored.

    See Also
    --------
    read_features : Our own cohort folder.
    bayes_mdd.features.write_features : A feature set to a cohort folder.

    Examples
    --------
    >>> read_derivatives("no/such/folder")
    Traceback (most recent call last):
    ...
    bayes_mdd.errors.DataContractError: no/such/folder: 1 problem(s)
      1. there is no such file or folder.
    """
    folder, spec = Path(folder), spec or DerivativesSpec()
    _check_folder(folder, spec)
    everything = scan(folder)
    # A single table may hold several sessions; then the filter is one of its rows.
    files = _wanted(everything, entities or {}, folder) if folder.is_dir() else everything
    files = _of_atlas(files, atlas)
    chosen, others = choose(files, folder, kind=kind, format_name=format)
    _check_atlas(chosen, atlas)
    request = Request(
        kind=chosen.kind or kind or "",
        files=chosen.files,
        everything=everything,
        spec=spec,
        entities=entities or {},
        atlas=atlas,
        regions=_region_table(regions),
        weighting=weighting,
        subjects=subjects,
    )
    try:
        reading = chosen.format.read(request)
    except UnreadableFileError as error:
        raise DataContractError(str(folder), [str(error)]) from error
    if units is not None:
        reading = replace(reading, units=units)
    for note in reading.notes:
        warnings.warn(note, UserWarning, stacklevel=2)
    return build_features(
        reading,
        participants=find_participants(folder, participants),
        regions=request.regions,
        spec=spec,
        root=folder if folder.is_dir() else folder.parent,
        facts={
            "source": "derivatives",
            "format": chosen.format.name,
            "passed_over": others or None,
            "atlas": None if atlas is None else Path(atlas).name,
            "entities": dict(entities) if entities else None,
            "weighting": weighting,
            "settings": spec.to_mapping(),
        },
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
            k: sorted({n.entities[k] for n in everything if k in n.entities}) for k in entities
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
