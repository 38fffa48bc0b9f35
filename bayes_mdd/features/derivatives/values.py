"""What a format gives: numbers of people with the names they belong to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from bayes_mdd.features.derivatives.names import FileName
from bayes_mdd.features.loading import Floats
from bayes_mdd.specs.derivatives import DerivativesSpec

Shape = Literal["regional", "matrix", "series"]


@dataclass(frozen=True)
class Measured:
    """Numbers of one person and the regions they belong to.

    Parameters
    ----------
    names : tuple of str
        Regions (or tracts).
    values : numpy.ndarray
        (region,), (region, region) or (time, region); NaN is missing.
    """

    names: tuple[str, ...]
    values: Floats


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What was read of a whole folder.

    Parameters
    ----------
    kind : str
        Kind of data, e.g. ``functional_connectivity``.
    shape : {"regional", "matrix", "series"}
        What one person has.
    people : mapping of str to Measured
        By id as the files write it.
    units : str
        Unit; for functional matrices empty, because the diagonal tells.
    files : sequence of Path
        What was read.
    regions : pandas.DataFrame, optional
        Region table that came with the files.
    zero_is_missing : bool
        Whether a value of exactly 0 says that there were no data.
    covariates : mapping of str to mapping of str to float
        Facts about people that came with the files (mean FD, volumes kept): name, person, value.
    facts : mapping
        Provenance.
    notes : sequence of str
        What was changed on the way in; told to the user.
    """

    kind: str
    shape: Shape
    people: Mapping[str, Measured]
    units: str = ""
    files: Sequence[Path] = ()
    regions: pd.DataFrame | None = None
    zero_is_missing: bool = False
    covariates: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked of a format.

    Parameters
    ----------
    kind : str
        Kind of data.
    files : sequence of FileName
        The files of that format and kind that passed the filter of entities.
    everything : sequence of FileName
        All files of the folder, for those that stand beside others (coverage, confounds).
    spec : DerivativesSpec
        Settings.
    entities : mapping of str to str or None
        The filter as the caller gave it, for tables that hold several sessions.
    atlas : str, Path or None
        Name of an atlas, or its image.
    regions : pandas.DataFrame or None
        Region table of the caller.
    weighting : str or None
        Which of several measures of one file.
    subjects : sequence of str or None
        Who the layers of a stacked array are.
    """

    kind: str
    files: Sequence[FileName]
    everything: Sequence[FileName]
    spec: DerivativesSpec
    entities: Mapping[str, str | None] = field(default_factory=dict)
    atlas: str | Path | None = None
    regions: pd.DataFrame | None = None
    weighting: str | None = None
    subjects: Sequence[str] | None = None


@dataclass(frozen=True, kw_only=True)
class Format:
    """One layout of files: how it is recognised and how it is read.

    Parameters
    ----------
    name : str
        How users ask for it.
    title : str
        What it is, for messages.
    find : callable
        All files to the files of every kind that this format reads; looks at names and content.
    read : callable
        A request to a reading.
    yields_to : tuple of str
        Formats of the same kind that are taken before this one where both are found.
    finds_atlas : bool
        Whether the format itself knows what to do with an atlas; else names of files must tell.
    """

    name: str
    title: str
    find: Callable[[Sequence[FileName]], Mapping[str, list[FileName]]]
    read: Callable[[Request], Reading]
    yields_to: tuple[str, ...] = ()
    finds_atlas: bool = False
