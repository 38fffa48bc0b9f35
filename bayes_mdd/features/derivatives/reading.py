"""`read_derivatives` and `read_arrays`: from the outputs of other tools to features or arrays."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.features.derivatives.build import build_features
from bayes_mdd.features.derivatives.interface import DerivativesRequest, Shape
from bayes_mdd.features.derivatives.join import join_regions
from bayes_mdd.features.derivatives.selection import SourceReading, read_source
from bayes_mdd.features.derivatives.subjects import (
    find_participants,
    match_subjects,
    read_generators,
)
from bayes_mdd.features.measures.scan_parts import check_parts
from bayes_mdd.parallel.keep import keep_results
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
    subjects: Sequence[str] | str | None = None,
    ids: str | None = None,
    networks: str = "atlas",
    symmetrise: str | None = None,
    spec: DerivativesSpec | None = None,
    halves: bool = False,
    pieces: int | None = None,
    keep: str | Path | None = None,
) -> xr.Dataset:
    r"""Read the outputs of another tool as a checked feature set.

    The format is determined from the content of the files and the entities of their names. Where
    several readings are possible, an error lists the choices. Subjects are matched by id and
    regions by name, never by position.

    Parameters
    ----------
    folder : str or Path
        The output folder of a tool (subfolders are searched), or one table.
    kind : str, optional
        Kind of data, where a folder holds several or a table does not state it:
        ``functional_connectivity``, ``structural_connectivity``, ``alff``, ``reho``,
        ``thickness``, ``area``, ``volume``, ``fa``, ``activation``, ...
    format : str, optional
        Name of the format, where several match (the error lists them).
    atlas : str or Path, optional
        Which atlas, where the files come from several (``4S156Parcels``: entity ``atlas`` or
        ``seg``). For images: an atlas of `read_atlas`, or the label image in which to average.
    regions : pandas.DataFrame, str or Path, optional
        Region table (``region``, ``network``; see `read_regions`), its file, or the name of an
        atlas (see `read_atlas`). It determines which regions are read, and their order. Default:
        the table that comes with the files (``atlas-*_dseg.tsv`` of XCP-D). Without one, the
        networks are taken from Schaefer names. Regions without a network belong to groups of
        their own (see `read_atlas`), which a warning lists; if none has one, all regions form a
        single network ``all``.
    participants : pandas.DataFrame, str or Path, optional
        Table of participants, indexed by ``participant_id``, or its file. Default:
        ``participants.tsv`` in `folder`. Without a table, the arm of all subjects is ``n/a``.
    entities : mapping of str to str or None, optional
        Entities of the files to read, e.g. ``{"ses": "1", "task": "rest", "desc": None}``. None
        selects files without that key.
    weighting : str, optional
        Measure to read from files that hold several: ``sift_radius2_count``, ``md``, ...
    units : {"r", "fisher_z", "z", "covariance", "precision"} or str, optional
        Units, where the files do not state them. Units that contradict the diagonal or the range
        are refused. ``z``: z-statistics (FSLNets), which are not converted.
        Covariances are converted to correlations, precision matrices to partial correlations.
    subjects : sequence of str or "participants", optional
        Subject ids of the layers of a stacked array without ids (NBS, CONN, FSLNets, ``.npy``), in
        their order. ``participants``: the data follow the rows of the participants table, which a
        warning repeats. Default: a list of ids beside the data (``ids.txt``). For the files of
        CONN, whose names number the subjects: the ids in the order of the project.
    ids : str, optional
        Regular expression that finds the subject id in the path of a file below `folder`, where
        names do not state it as ``sub-``: ``r"Sub_(\d+)"``. The id is what its group matches, or
        the whole match if it has no group. For tables, it is applied to the ids in the table.
        Files of the format whose path does not match are not read, and are listed in a warning.
    networks : str, default "atlas"
        Networks that define the blocks: those of the region table (``atlas``), the circuits of
        depression (``circuit``), or a column of the region table (``network_label_17network``).
    symmetrise : {"mean", "max", "min", "sum", "upper", "lower"}, optional
        How to combine the two directions of each edge of asymmetric matrices, as of probabilistic
        tractography. By default, they are refused.
    spec : DerivativesSpec, optional
        Thresholds, confounds, and the treatment of missing regions and subjects.
    halves : bool, default False
        Add the differences between the halves of each scan (see `connectivity_from_timeseries`).
        Only time series are then read, also where a folder holds matrices.
    pieces : int, optional
        Add the products of the series in so many pieces of each scan, likewise.
    keep : str or Path, optional
        Folder that the features will be written to. Values of each image are kept in a hidden
        folder beside it until all are read, so that the same call continues after a stop. Images
        that have changed, or are read with other settings, are read again.

    Returns
    -------
    xarray.Dataset
        Meets `check_features`. Correlations are returned as Fisher z. ``provenance`` records the
        format, the settings, the subjects and regions left out, and one checksum of all files.

    Raises
    ------
    SpecError
        If a name or setting is unknown.
    DataContractError
        If files are missing, unreadable or ambiguous, or do not match the regions or participants.

    Warns
    -----
    UserWarning
        If values were changed while reading, for example by mirroring a triangle.

    See Also
    --------
    read_features : Read a cohort folder of this package.
    write_features : Write a feature set to a cohort folder.

    Examples
    --------
    >>> read_derivatives("no/such/folder")
    Traceback (most recent call last):
    ...
    bayes_mdd.errors.DataContractError: no/such/folder: 1 problem(s)
      1. there is no such file or folder: correct the name.
    """
    spec = spec or DerivativesSpec()
    request = DerivativesRequest(
        folder=Path(folder),
        kind=kind,
        format=format,
        atlas=atlas,
        regions=regions,
        participants=participants,
        entities=entities,
        weighting=weighting,
        units=units,
        subjects=subjects,
        ids=ids,
        networks=networks,
        symmetrise=symmetrise,
        spec=spec,
        parts=check_parts(halves, pieces, spec.measure, spec.estimator),
    )
    with keep_results(keep, {"study": "read_derivatives"}, noun="images") as kept:
        source = _read_and_warn(replace(request, keep=kept))
        return build_features(
            source.reading,
            participants=find_participants(request.folder, request.participants),
            regions=source.regions,
            spec=request.spec,
            root=source.root,
            facts=_source_facts(source, request),
            parts=request.parts,
        )


def _read_and_warn(request: DerivativesRequest) -> SourceReading:
    """Read the requested data; report changes in the caller of the public function."""
    source = read_source(request)
    for note in source.reading.notes:
        warnings.warn(note, UserWarning, stacklevel=3)
    return source


def _source_facts(source: SourceReading, request: DerivativesRequest) -> dict[str, Any]:
    return {
        "source": "derivatives",
        "format": source.format,
        "generated_by": read_generators(source.root) or None,
        "passed_over": list(source.other_formats) or None,
        "atlas": None if request.atlas is None else Path(request.atlas).name,
        "entities": dict(request.entities) if request.entities else None,
        "weighting": request.weighting,
        "ids": request.ids,
        "networks_column": None if request.networks == "atlas" else request.networks,
        "settings": request.spec.to_mapping(),
    }


@dataclass(frozen=True, kw_only=True)
class Arrays:
    """Arrays of all subjects, on the same regions.

    Parameters
    ----------
    kind : str
        Kind of data.
    shape : {"regional", "matrix", "series"}
        Shape of the array of one subject.
    units : str
        Units, where the format states them.
    by_subject : mapping of str to pandas.DataFrame
        By subject: a (region, region) matrix, a (time, region) series, or one row of regions.
    regions : pandas.DataFrame
        Region table in the order of the arrays.
    participants : pandas.DataFrame
        Indexed by ``participant_id``.
    """

    kind: str
    shape: Shape
    units: str
    by_subject: Mapping[str, pd.DataFrame]
    regions: pd.DataFrame
    participants: pd.DataFrame

    @property
    def people(self) -> Mapping[str, pd.DataFrame]:
        """Former name of `by_subject`."""
        warnings.warn(
            "Arrays.people is now called by_subject; the former name will be removed in the next "
            "version.",
            DeprecationWarning,
            stacklevel=2,
        )
        return self.by_subject


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
    subjects: Sequence[str] | str | None = None,
    ids: str | None = None,
    networks: str = "atlas",
    symmetrise: str | None = None,
    spec: DerivativesSpec | None = None,
) -> Arrays:
    """Read the outputs of another tool as one array per subject, without computing features.

    For measures of whole matrices or series: `structural_features`, `graph_features`,
    connectivity with other settings.

    Parameters
    ----------
    folder : str or Path
        As in `read_derivatives`.
    kind, format, atlas, regions, participants, entities, weighting, subjects, ids : optional
        As in `read_derivatives`.
    networks, symmetrise, spec : optional
        As in `read_derivatives`.

    Returns
    -------
    Arrays
        Subjects in the order of the participants, regions in the order of the region table.

    Raises
    ------
    SpecError
        As `read_derivatives`.
    DataContractError
        As `read_derivatives`, up to the matching of subjects and regions.

    Warns
    -----
    UserWarning
        If values were changed while reading.
    """
    request = DerivativesRequest(
        folder=Path(folder),
        kind=kind,
        format=format,
        atlas=atlas,
        regions=regions,
        participants=participants,
        entities=entities,
        weighting=weighting,
        subjects=subjects,
        ids=ids,
        networks=networks,
        symmetrise=symmetrise,
        spec=spec or DerivativesSpec(),
    )
    source = _read_and_warn(request)
    reading = source.reading
    by_subject, table, _ = match_subjects(
        reading.by_subject,
        find_participants(request.folder, request.participants),
        drop_absent=request.spec.absent_subjects == "drop",
        id_hint=reading.id_hint,
    )
    drop = request.spec.drops("missing_regions")
    joined = join_regions(reading, by_subject, source.regions, drop=drop)
    names = list(joined.regions["region"])
    rows = names if reading.shape == "matrix" else None
    return Arrays(
        kind=reading.kind,
        shape=reading.shape,
        units=reading.units,
        by_subject={
            subject: pd.DataFrame(np.atleast_2d(values), index=rows, columns=names)
            for subject, values in joined.by_subject.items()
        },
        regions=joined.regions,
        participants=table,
    )
