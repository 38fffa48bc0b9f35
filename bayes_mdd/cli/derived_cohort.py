"""Conversion of the output of another tool to a cohort folder that `fit` accepts."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bayes_mdd as bm
from bayes_mdd.cli.early import require_files
from bayes_mdd.cli.messages import log
from bayes_mdd.errors import DataContractError, SpecError, UnreadableFileError
from bayes_mdd.files.folders import new_folder, restore_folder
from bayes_mdd.files.targets import check_writable
from bayes_mdd.files.unfinished import kept_until_written

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

#: Descriptions in participants.json of the covariates that are read with the features.
_COVARIATES: Mapping[str, Mapping[str, str]] = {
    "mean_fd": {"Description": "Mean framewise displacement during the scan", "Units": "mm"},
    "volumes_kept": {"Description": "Volumes remaining after scrubbing", "Units": "1"},
    "repetition_time": {"Description": "Repetition time of the scan", "Units": "s"},
    "etiv": {"Description": "Estimated total intracranial volume (FreeSurfer)", "Units": "mm3"},
}


@dataclass(frozen=True, kw_only=True)
class CohortRequest:
    """Options of ``bayes-mdd features``; see `bayes_mdd.read_derivatives`."""

    source: Path
    output: Path
    kind: str | None = None
    format: str | None = None
    atlas: str | None = None
    labels: Path | None = None
    regions: str | None = None
    networks: str = "atlas"
    symmetrise: str | None = None
    participants: Path | None = None
    entities: tuple[str, ...] = ()
    weighting: str | None = None
    units: str | None = None
    subjects: str | None = None
    ids: str | None = None
    halves: bool = False
    pieces: int | None = None
    settings: Mapping[str, Any] | None = None
    controls: tuple[str, ...] | None = None


def check_paths(request: CohortRequest) -> None:
    """Refuse input that does not exist and an output folder in use, before heavy imports.

    Parameters
    ----------
    request : CohortRequest
        The options.

    Raises
    ------
    DataContractError
        If there is no such source or table, or the output folder is in use.
    """
    if not request.source.exists():
        raise DataContractError(
            str(request.source), ["there is no such file or folder: correct the name."]
        )
    require_files(
        [
            ("--participants", request.participants),
            ("--labels", request.labels),
            ("--subjects", _subjects_file(request)),
        ]
    )
    _check_output(request.output)


def write_derived_cohort(request: CohortRequest) -> tuple[xr.Dataset, list[str]]:
    """Read features and write them as a cohort folder; after an error, nothing is written.

    Parameters
    ----------
    request : CohortRequest
        The options.

    Returns
    -------
    tuple
        The features, and descriptions of what was left out.

    Raises
    ------
    SpecError
        If a setting is unknown.
    DataContractError
        If data are missing or ambiguous, or the output folder is in use.
    """
    check_paths(request)
    from bayes_mdd.cohort import read_participants

    participants = _participants_file(request)
    people = read_participants(participants, controls=request.controls)
    for note in people.attrs["notes"]:
        log.info("%s: %s", participants.name, note)
    log.info("Reading %s", request.source)
    with kept_until_written():
        features = _read(request, people)
        if "networks" in json.loads(features.attrs["provenance"]):
            log.warning("networks are unknown, so all regions form one block (see --regions).")
        with new_folder(request.output) as folder:
            _write_participants(features, participants, folder, request.controls)
            bm.write_features(features, folder)
    return features, left_out(features)


def _read(request: CohortRequest, people: pd.DataFrame) -> xr.Dataset:
    return bm.read_derivatives(
        request.source,
        kind=request.kind,
        format=request.format,
        atlas=request.atlas,
        regions=_regions(request),
        participants=people,
        entities=parse_entities(request.entities),
        weighting=request.weighting,
        units=request.units,
        subjects=_subjects(request),
        ids=request.ids,
        networks=request.networks,
        symmetrise=request.symmetrise,
        spec=bm.DerivativesSpec.from_mapping(dict(request.settings or {})),
        halves=request.halves,
        pieces=request.pieces,
        keep=request.output,
    )


def _check_output(output: Path) -> None:
    restore_folder(output)
    if output.is_dir() and any(output.iterdir()):
        raise DataContractError(str(output), ["is not empty: choose another folder."])
    if output.exists() and not output.is_dir():
        raise DataContractError(str(output), ["is a file, expected a folder: choose another name."])
    check_writable(output)


def _participants_file(request: CohortRequest) -> Path:
    """Find participants.tsv, which is required because a fit needs the arms."""
    source = request.source
    path = request.participants or (source if source.is_dir() else source.parent)
    path = path / "participants.tsv" if path.is_dir() else path
    if not path.exists() and source.exists():
        raise DataContractError(
            str(path),
            [
                "does not exist, but the arm of each participant is required: give a table with "
                "participant_id, arm, ... with --participants."
            ],
        )
    return path


def _regions(request: CohortRequest) -> pd.DataFrame | str | None:
    """Region table of the request; with a table of labels, the regions of its image."""
    if request.regions is not None or request.labels is None or request.atlas is None:
        return request.regions
    return bm.read_atlas(request.atlas, labels=request.labels, networks=request.networks)


def _subjects_file(request: CohortRequest) -> Path | None:
    given = request.subjects
    return None if given is None or given == "participants" else Path(given)


def _subjects(request: CohortRequest) -> list[str] | str | None:
    from bayes_mdd.features.derivatives.layer_ids import read_id_file

    path = _subjects_file(request)
    if path is None:
        return request.subjects
    try:
        return read_id_file(path)
    except UnreadableFileError as error:
        raise DataContractError(str(path), [f"{error} Expected one id per line."]) from error


def parse_entities(words: Iterable[str]) -> dict[str, str | None]:
    """Parse the entities ``KEY=VALUE`` that select files.

    Parameters
    ----------
    words : iterable of str
        For example ``["ses=1", "desc=none"]``.

    Returns
    -------
    dict
        Value by key; None where the value is ``none`` (files without that key).

    Raises
    ------
    SpecError
        If a word has another form.

    Examples
    --------
    >>> parse_entities(["task=rest", "desc=none"])
    {'task': 'rest', 'desc': None}
    """
    entities: dict[str, str | None] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not (key and equals and value):
            raise SpecError(f"--entity expects KEY=VALUE, e.g. task=rest, got '{word}'.")
        entities[key] = None if value == "none" else value
    return entities


def _write_participants(
    features: xr.Dataset,
    participants: Path,
    folder: Path,
    controls: tuple[str, ...] | None,
) -> None:
    """Write the participants, with covariates read from the images, and copy symptom scales."""
    from bayes_mdd.cohort.tables import read_json

    table = _with_covariates(features, participants, controls)
    table.to_csv(folder / "participants.tsv", sep="\t", index=False, lineterminator="\n")
    sidecar = participants.with_suffix(".json")
    meanings = read_json(sidecar)
    if controls:
        meanings = _with_control_level(meanings)
    new = {k: v for k, v in _COVARIATES.items() if k in table and k not in meanings}
    if meanings or new:
        text = json.dumps(meanings | new, indent=2) + "\n"
        (folder / "participants.json").write_text(text, encoding="utf-8")
    scales = participants.parent / "phenotype"
    if scales.is_dir():
        shutil.copytree(scales, folder / "phenotype")


def _with_control_level(meanings: dict[str, Any]) -> dict[str, Any]:
    """Add ``HC`` to the Levels of the diagnosis, where there are any without it."""
    from bayes_mdd.cohort.roles import describe_levels
    from bayes_mdd.dims import CONTROL, DIAGNOSIS

    levels = describe_levels(meanings, DIAGNOSIS)
    if levels is None or CONTROL in levels:
        return meanings
    diagnosis = {**meanings[DIAGNOSIS], "Levels": {**levels, CONTROL: "Healthy control"}}
    return {**meanings, DIAGNOSIS: diagnosis}


def _with_covariates(
    features: xr.Dataset, participants: Path, controls: tuple[str, ...] | None
) -> pd.DataFrame:
    """Read the table as text, with covariates of the files; named controls are written ``HC``."""
    from bayes_mdd.cohort import read_participants
    from bayes_mdd.cohort.spreadsheets import read_participant_cells
    from bayes_mdd.dims import MISSING

    table, _ = read_participant_cells(participants)
    people = read_participants(participants, controls=controls)
    if controls:
        table["diagnosis"] = people["diagnosis"].to_numpy()
    ids = [str(i) for i in people.index]
    row = {str(s): i for i, s in enumerate(features["subject"].values)}
    for name in _COVARIATES:
        if name in features.coords and name not in table:
            values = features[name].values
            cells = [f"{values[row[i]]:.6g}" if i in row else MISSING for i in ids]
            table[name] = [MISSING if c == "nan" else c for c in cells]
    return table


def left_out(features: xr.Dataset) -> list[str]:
    """Describe what was left out while reading.

    Parameters
    ----------
    features : xarray.Dataset
        From `bayes_mdd.read_derivatives`.

    Returns
    -------
    list of str
        One line per reason; empty if nothing was left out.
    """
    from bayes_mdd.errors import some

    facts = json.loads(features.attrs["provenance"])
    words = {
        "without_features": "participants without features",
        "regions_left_out": "regions without data in at least one participant",
        "features_missing_in_somebody": "features missing in at least one participant",
        "features_without_variation": "features without variation",
        "columns_that_are_no_regions": "columns that are not regions",
        "columns_left_out": "columns not read",
        "not_in_regions": "regions that the region table does not list",
        "other_scalings": "other scalings of the same data",
        "stacks_not_read": "files of all participants, as those of each were read",
        "tables_not_read": "tables of all participants, as the files of each were read",
        "files_without_id": "files without an id",
        "regions_without_data": "regions without data in all participants",
        "passed_over": "other formats with the same kind of data",
    }
    lines = [
        f"{text} ({len(facts[k])}): {some(facts[k])}" for k, text in words.items() if facts.get(k)
    ]
    parts = {"half_difference": "halves", "pieces": "pieces"}
    return lines + [
        f"{parts[name]} of the scans of {len(subjects)} participant(s), {some(subjects)}: {reason}"
        for name in parts
        for reason, subjects in facts.get(f"without_{name}", {}).items()
    ]
