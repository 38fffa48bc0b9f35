"""From the outputs of another tool to a cohort folder that `fit` takes."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bayes_mdd as bm
from bayes_mdd.cli import show
from bayes_mdd.errors import DataContractError, SpecError

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

#: What is said of columns that came with the images, in participants.json.
_MEANINGS: Mapping[str, Mapping[str, str]] = {
    "mean_fd": {"Description": "Mean framewise displacement during the scan", "Units": "mm"},
    "volumes_kept": {"Description": "Volumes left after scrubbing", "Units": "1"},
    "etiv": {"Description": "Estimated total intracranial volume (FreeSurfer)", "Units": "mm3"},
}


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the command line asks for; see `bayes_mdd.read_derivatives`."""

    source: Path
    output: Path
    kind: str | None = None
    format: str | None = None
    atlas: str | None = None
    labels: Path | None = None
    regions: str | None = None
    networks: str = "atlas"
    participants: Path | None = None
    entities: tuple[str, ...] = ()
    weighting: str | None = None
    units: str | None = None
    subjects: Path | None = None
    settings: Mapping[str, Any] | None = None


def write_cohort_of(wanted: Wanted) -> tuple[xr.Dataset, list[str]]:
    """Read features and write them as a cohort folder, or write nothing at all.

    Parameters
    ----------
    wanted : Wanted
        What was asked for.

    Returns
    -------
    tuple
        The features, and what was left out, in plain words.

    Raises
    ------
    SpecError
        If a setting is unknown.
    DataContractError
        If data are missing or doubtful, or the output folder is in use.
    """
    _check_output(wanted.output)
    participants = _participants_file(wanted)
    show.note(f"Reading {wanted.source}")
    features = bm.read_derivatives(
        wanted.source,
        kind=wanted.kind,
        format=wanted.format,
        atlas=wanted.atlas,
        regions=_regions(wanted),
        participants=participants,
        entities=parse_entities(wanted.entities),
        weighting=wanted.weighting,
        units=wanted.units,
        subjects=None if wanted.subjects is None else _lines(wanted.subjects),
        spec=bm.DerivativesSpec.from_mapping(dict(wanted.settings or {})),
    )
    if "networks" in json.loads(features.attrs["provenance"]):
        show.note("Note: no networks are known, so all regions are one block (see --regions)")
    wanted.output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=wanted.output.parent, prefix=".features-") as made:
        folder = Path(made) / "cohort"
        folder.mkdir()
        _write_people(features, participants, folder)
        bm.write_features(features, folder)
        if wanted.output.exists():
            wanted.output.rmdir()  # empty, or it would have been refused
        folder.rename(wanted.output)
    return features, left_out(features)


def _check_output(output: Path) -> None:
    if output.is_dir() and any(output.iterdir()):
        raise DataContractError(str(output), ["is not empty: give another folder."])
    if output.exists() and not output.is_dir():
        raise DataContractError(str(output), ["is a file, expected a folder: give another name."])


def _participants_file(wanted: Wanted) -> Path:
    """Find participants.tsv: a cohort without arms is none that can be fitted."""
    source = wanted.source
    given = wanted.participants or (source if source.is_dir() else source.parent)
    path = given / "participants.tsv" if given.is_dir() else given
    if not path.exists() and source.exists():
        raise DataContractError(
            str(path),
            [
                "is not there: who belongs to which arm must be known; give a table of "
                "participant_id, arm, ... with --participants."
            ],
        )
    return path


def _regions(wanted: Wanted) -> pd.DataFrame | None:
    """Read the region table where one is asked for, with circuits as networks where they are."""
    named = wanted.regions
    if named is None and (wanted.labels is not None or wanted.networks != "atlas"):
        named = wanted.atlas
    if named is None:
        if wanted.networks != "atlas":
            raise SpecError("--networks circuit needs --regions, or an --atlas of images.")
        return None
    networks: Any = wanted.networks
    return bm.read_atlas(named, labels=wanted.labels, networks=networks)


def parse_entities(words: Iterable[str]) -> dict[str, str | None]:
    """Read ``KEY=VALUE`` words that choose files.

    Parameters
    ----------
    words : iterable of str
        For example ``["ses=1", "desc=none"]``.

    Returns
    -------
    dict
        Value by key; None for ``none`` (files without that key).

    Raises
    ------
    SpecError
        If a word is not of that form.

    Examples
    --------
    >>> parse_entities(["task=rest", "desc=none"])
    {'task': 'rest', 'desc': None}
    """
    chosen: dict[str, str | None] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not (key and equals and value):
            raise SpecError(f"--entity wants KEY=VALUE, e.g. task=rest, got '{word}'.")
        chosen[key] = None if value == "none" else value
    return chosen


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text("utf-8-sig").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise DataContractError(str(path), ["is no text: expected one id a line."]) from error


def _write_people(features: xr.Dataset, participants: Path, folder: Path) -> None:
    """Copy who takes part, with what the images told of them, and their symptom scales."""
    table = _with_new_columns(features, participants)
    table.to_csv(folder / "participants.tsv", sep="\t", index=False, lineterminator="\n")
    sidecar = participants.with_suffix(".json")
    meanings = json.loads(sidecar.read_text("utf-8-sig")) if sidecar.exists() else {}
    new = {k: v for k, v in _MEANINGS.items() if k in table and k not in meanings}
    if meanings or new:
        text = json.dumps(meanings | new, indent=2) + "\n"
        (folder / "participants.json").write_text(text, encoding="utf-8")
    scales = participants.parent / "phenotype"
    if scales.is_dir():
        shutil.copytree(scales, folder / "phenotype")


def _with_new_columns(features: xr.Dataset, participants: Path) -> pd.DataFrame:
    from bayes_mdd.cohort import read_participants
    from bayes_mdd.cohort.tables import read_table
    from bayes_mdd.dims import MISSING

    table = read_table(participants)
    ids = [str(i) for i in read_participants(participants).index]
    of = {str(w): i for i, w in enumerate(features["subject"].values)}
    for name in _MEANINGS:
        if name in features.coords and name not in table:
            held = features[name].values
            cells = [f"{held[of[i]]:.6g}" if i in of else MISSING for i in ids]
            table[name] = [MISSING if c == "nan" else c for c in cells]
    return table


def left_out(features: xr.Dataset) -> list[str]:
    """Say in plain words what reading left out.

    Parameters
    ----------
    features : xarray.Dataset
        As `bayes_mdd.read_derivatives` returns it.

    Returns
    -------
    list of str
        One line a thing, empty if nothing was left out.
    """
    from bayes_mdd.errors import some

    facts = json.loads(features.attrs["provenance"])
    words = {
        "without_features": "people without features",
        "regions_left_out": "regions without data in somebody",
        "features_missing_in_somebody": "features missing in somebody",
        "features_without_variation": "features without variation",
        "columns_that_are_no_regions": "columns that are no regions",
        "columns_left_out": "columns not taken",
        "not_in_regions": "regions of the files that the region table does not list",
        "passed_over": "other formats of the same kind",
    }
    return [
        f"{len(facts[k])} {text}: {some(facts[k])}" for k, text in words.items() if facts.get(k)
    ]
