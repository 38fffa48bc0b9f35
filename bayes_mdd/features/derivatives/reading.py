"""The outputs of other tools to a checked feature set, in one step."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.features.derivatives.build import build_features
from bayes_mdd.features.derivatives.join import join_regions
from bayes_mdd.features.derivatives.matching import Question, find_source
from bayes_mdd.features.derivatives.subjects import find_participants, makers, match_people
from bayes_mdd.features.derivatives.values import Shape
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
    spec = spec or DerivativesSpec()
    found = find_source(
        Question(
            folder=Path(folder),
            spec=spec,
            kind=kind,
            format=format,
            atlas=atlas,
            regions=regions,
            entities=entities,
            weighting=weighting,
            subjects=subjects,
        )
    )
    reading = found.reading if units is None else replace(found.reading, units=units)
    for note in reading.notes:
        warnings.warn(note, UserWarning, stacklevel=2)
    return build_features(
        reading,
        participants=find_participants(Path(folder), participants),
        regions=found.regions,
        spec=spec,
        root=found.root,
        facts={
            "source": "derivatives",
            "format": found.format,
            "generated_by": makers(found.root) or None,
            "passed_over": list(found.passed_over) or None,
            "atlas": None if atlas is None else Path(atlas).name,
            "entities": dict(entities) if entities else None,
            "weighting": weighting,
            "settings": spec.to_mapping(),
        },
    )


@dataclass(frozen=True, kw_only=True)
class Arrays:
    """Arrays of people as their files hold them, on the same regions.

    Parameters
    ----------
    kind : str
        Kind of data.
    shape : {"regional", "matrix", "series"}
        What one person has.
    units : str
        Unit where the format tells it.
    people : mapping of str to pandas.DataFrame
        A (region, region) matrix, a (time, region) series, or one row of regions.
    regions : pandas.DataFrame
        Region table in the order of the arrays.
    participants : pandas.DataFrame
        Indexed by ``participant_id``.
    """

    kind: str
    shape: Shape
    units: str
    people: Mapping[str, pd.DataFrame]
    regions: pd.DataFrame
    participants: pd.DataFrame


def read_arrays(
    folder: str | Path,
    *,
    kind: str | None = None,
    format: str | None = None,
    atlas: str | Path | None = None,
    regions: pd.DataFrame | str | Path | None = None,
    participants: pd.DataFrame | str | Path | None = None,
    entities: Mapping[str, str | None] | None = None,
    weighting: str | None = None,
    subjects: Sequence[str] | None = None,
    spec: DerivativesSpec | None = None,
) -> Arrays:
    """Read the outputs of another tool as one array a person, not yet as features.

    For what is computed from whole matrices or series: `structural_features`, `graph_features`,
    connectivity with other settings.

    Parameters
    ----------
    folder : str or Path
        As in `read_derivatives`, like all the others.
    kind, format : str, optional
        What was measured, and the format.
    atlas : str or Path, optional
        The atlas.
    regions : pandas.DataFrame, str or Path, optional
        Region table.
    participants : pandas.DataFrame, str or Path, optional
        Who takes part.
    entities : mapping of str to str or None, optional
        Which files.
    weighting : str, optional
        Which of several measures within a file.
    subjects : sequence of str, optional
        Who the layers of a stacked array are.
    spec : DerivativesSpec, optional
        Settings.

    Returns
    -------
    Arrays
        People in the order of the participants, regions in that of the table.

    Raises
    ------
    SpecError
        As `read_derivatives`.
    DataContractError
        As `read_derivatives`, up to the join of people and regions.

    Warns
    -----
    UserWarning
        If something was changed on the way in.
    """
    spec = spec or DerivativesSpec()
    found = find_source(
        Question(
            folder=Path(folder),
            spec=spec,
            kind=kind,
            format=format,
            atlas=atlas,
            regions=regions,
            entities=entities,
            weighting=weighting,
            subjects=subjects,
        )
    )
    for note in found.reading.notes:
        warnings.warn(note, UserWarning, stacklevel=2)
    people, table, _ = match_people(
        found.reading.people,
        find_participants(Path(folder), participants),
        drop_absent=spec.absent_subjects == "drop",
    )
    joined = join_regions(found.reading, people, found.regions, drop=spec.missing == "drop")
    names = list(joined.regions["region"])
    square = found.reading.shape == "matrix"
    return Arrays(
        kind=found.reading.kind,
        shape=found.reading.shape,
        units=found.reading.units,
        people={
            who: pd.DataFrame(np.atleast_2d(v), index=names if square else None, columns=names)
            for who, v in joined.people.items()
        },
        regions=joined.regions,
        participants=table,
    )
