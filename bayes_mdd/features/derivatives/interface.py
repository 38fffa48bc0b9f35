"""Types exchanged between the format readers and the steps common to all formats."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from bayes_mdd.features.derivatives.file_names import FileName
from bayes_mdd.features.measures.scan_parts import PartsRequest
from bayes_mdd.specs.derivatives import DerivativesSpec
from bayes_mdd.types import Array

Shape = Literal["regional", "matrix", "series"]


@dataclass(frozen=True, kw_only=True)
class DerivativesRequest:
    """Arguments of `read_derivatives`, which documents them."""

    folder: Path
    spec: DerivativesSpec = field(default_factory=DerivativesSpec)
    kind: str | None = None
    format: str | None = None
    atlas: str | Path | None = None
    regions: pd.DataFrame | str | Path | None = None
    participants: pd.DataFrame | str | Path | None = None
    entities: Mapping[str, str | None] | None = None
    weighting: str | None = None
    units: str | None = None
    subjects: Sequence[str] | str | None = None
    ids: str | None = None
    networks: str = "atlas"
    symmetrise: str | None = None
    keep: Path | None = None
    parts: PartsRequest = field(default_factory=PartsRequest)


@dataclass(frozen=True)
class SubjectValues:
    """Values of one subject and the regions they belong to.

    Parameters
    ----------
    names : tuple of str
        Regions (or tracts).
    values : ndarray, shape (region,), (region, region) or (time, region)
        NaN: missing.
    """

    names: tuple[str, ...]
    values: Array


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Data of all subjects, as read by a format reader.

    Parameters
    ----------
    kind : str
        Kind of data, e.g. ``functional_connectivity``.
    shape : {"regional", "matrix", "series"}
        Shape of the values of one subject.
    by_subject : mapping of str to SubjectValues
        Values by subject id, as written in the files.
    units : str
        Units. Empty for functional matrices where the diagonal determines them.
    files : sequence of Path
        The files that were read.
    regions : pandas.DataFrame, optional
        Region table that came with the files.
    zero_is_missing : bool
        Whether a value of exactly 0 means that there were no data.
    covariates : mapping of str to mapping of str to float
        Subject covariates found in the files (mean FD, volumes kept): name, subject, value.
    facts : mapping
        Entries for ``provenance``.
    notes : sequence of str
        Changes made while reading, reported to the user.
    id_hint : str
        How to give the ids, for the message about ids that no participant has.
    """

    kind: str
    shape: Shape
    by_subject: Mapping[str, SubjectValues]
    units: str = ""
    files: Sequence[Path] = ()
    regions: pd.DataFrame | None = None
    zero_is_missing: bool = False
    covariates: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()
    id_hint: str = ""


@dataclass(frozen=True, kw_only=True)
class FormatRequest:
    """What a format reader has to read.

    Parameters
    ----------
    kind : str
        Kind of data.
    files : sequence of FileName
        Files of that format and kind that match the requested entities.
    all_files : sequence of FileName
        All files of the folder, for companion files (coverage, confounds).
    spec : DerivativesSpec
        Settings.
    entities : mapping of str to str or None
        Requested entities, for tables that hold several sessions.
    atlas : str, Path or None
        Name of an atlas, or its image.
    regions : pandas.DataFrame or None
        Region table of the caller.
    weighting : str or None
        Measure to read from files that hold several.
    subjects : sequence of str or None
        Subject ids of the layers of a stacked array.
    units : str or None
        Units stated by the caller.
    keep : Path or None
        Folder in which values of images are kept until all are read.
    """

    kind: str
    files: Sequence[FileName]
    all_files: Sequence[FileName]
    spec: DerivativesSpec
    entities: Mapping[str, str | None] = field(default_factory=dict)
    atlas: str | Path | None = None
    regions: pd.DataFrame | None = None
    weighting: str | None = None
    subjects: Sequence[str] | None = None
    units: str | None = None
    keep: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Format:
    """A file format: how to find its files and how to read them.

    Parameters
    ----------
    name : str
        Name by which users select it.
    title : str
        Description for messages.
    find : callable
        Selects, from all files, those of this format, by kind of data. May open the files.
    read : callable
        Reads the files of a `FormatRequest`.
    yields_to : tuple of str
        Formats of the same kind that are preferred where both are found.
    handles_atlas : bool
        Whether the reader uses the requested atlas itself. Otherwise the atlas only selects files
        by name.
    has_series : bool
        Whether the files are time series, from which halves and pieces can be measured.
    tools : tuple of str
        Tools whose files the format reads (`FileName.tool`). Files of other known tools are not
        offered to it, unless the caller names the format.
    """

    name: str
    title: str
    find: Callable[[Sequence[FileName]], Mapping[str, list[FileName]]]
    read: Callable[[FormatRequest], Reading]
    yields_to: tuple[str, ...] = ()
    handles_atlas: bool = False
    has_series: bool = False
    tools: tuple[str, ...] = ()
