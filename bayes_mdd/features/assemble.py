"""Assembly of feature sets from values, participants and regions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import FEATURE, MISSING, SUBJECT
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.additions import MEASURE, NAMES
from bayes_mdd.features.blocks import (
    Index,
    edge_coordinates,
    edge_index,
    region_coordinates,
    regional_coordinates,
)
from bayes_mdd.features.loading import Floats

#: Names of coordinates and dimensions that a column of participants.tsv must not have.
RESERVED = frozenset(
    (
        *("subject", "feature", "region", "y", "block", "kind", "factor", "chain", "draw"),
        *("region_a", "region_b", "network_a", "network_b", "region_name", "network"),
        *("mni_x", "mni_y", "mni_z", "region_network", "region_x", "region_y", "region_z"),
        *("region_label", "region_hemisphere", "symptom", "view", "units"),
        *NAMES,
    )
)
FUNCTIONAL = "functional_connectivity"


def edge_features(
    values: Floats,
    subjects: Sequence[str],
    regions: pd.DataFrame,
    *,
    participants: pd.DataFrame | None,
    units: str,
    provenance: str,
    kind: str = FUNCTIONAL,
    edges: tuple[Index, Index] | None = None,
    measure: str | None = None,
) -> xr.Dataset:
    """Build a feature set of edges.

    Parameters
    ----------
    values : numpy.ndarray
        Shape (subject, edge).
    subjects : sequence of str
        Ids of the subjects.
    regions : pandas.DataFrame
        Checked region table.
    participants : pandas.DataFrame or None
        Indexed by ``participant_id``; its columns become coordinates.
    units, provenance, kind : str
        Attributes of the feature set, and the kind of data of all features.
    edges : tuple of numpy.ndarray, optional
        Rows of the two regions of each edge. Default: all edges.
    measure : str, optional
        Attribute ``measure``, where it is known.

    Returns
    -------
    xarray.Dataset
        A feature set, not standardised.
    """
    first, second = edges if edges is not None else edge_index(len(regions))
    coords = edge_coordinates(regions, first, second, kind=kind)
    return _dataset(values, subjects, coords, regions, participants, units, provenance, measure)


def regional_features(
    values: Floats,
    subjects: Sequence[str],
    regions: pd.DataFrame,
    rows: Index,
    *,
    participants: pd.DataFrame | None,
    units: str,
    provenance: str,
    kind: str = "regional",
    measure: str | None = None,
) -> xr.Dataset:
    """Build a feature set with one value per region.

    Parameters
    ----------
    values : numpy.ndarray
        Shape (subject, feature).
    subjects : sequence of str
        Ids of the subjects.
    regions : pandas.DataFrame
        Checked region table.
    rows : numpy.ndarray of int
        Row of the region of each feature.
    participants : pandas.DataFrame or None
        Indexed by ``participant_id``; its columns become coordinates.
    units, provenance, kind : str
        Attributes of the feature set, and the kind of data of all features.
    measure : str, optional
        Attribute ``measure``, where it is known.

    Returns
    -------
    xarray.Dataset
        A feature set, not standardised.
    """
    coords = regional_coordinates(regions, rows, kind=kind)
    return _dataset(values, subjects, coords, regions, participants, units, provenance, measure)


def _dataset(
    values: Floats,
    subjects: Sequence[str],
    on_feature: Mapping[str, Any],
    regions: pd.DataFrame,
    participants: pd.DataFrame | None,
    units: str,
    provenance: str,
    measure: str | None,
) -> xr.Dataset:
    coords = {
        SUBJECT: (SUBJECT, np.asarray(subjects, dtype=np.str_)),
        **on_feature,
        **region_coordinates(regions),
        **({} if participants is None else subject_coordinates(participants, subjects)),
    }
    return xr.Dataset(
        {"y": ((SUBJECT, FEATURE), np.asarray(values, dtype=np.float64))},
        coords=coords,
        attrs={
            "units": units,
            "reference": "none (as read)",
            "provenance": provenance,
            **({} if measure is None else {MEASURE: measure}),
        },
    )


def subject_coordinates(participants: pd.DataFrame, subjects: Sequence[str]) -> dict[str, Any]:
    """Convert the columns of ``participants.tsv`` to coordinates of the subjects.

    Parameters
    ----------
    participants : pandas.DataFrame
        Indexed by ``participant_id``.
    subjects : sequence of str
        Ids of the subjects to select, in this order.

    Returns
    -------
    dict
        Name to ``("subject", values)``: numbers as float (missing: NaN), all other columns as text
        (missing: ``n/a``).

    Raises
    ------
    DataContractError
        If subjects are missing or repeated, or the name of a column is reserved.
    """
    ids = [str(i) for i in participants.index]
    absent = [s for s in subjects if s not in set(ids)]
    repeated = pd.Index(ids)[pd.Index(ids).duplicated()].unique()
    reserved = [str(c) for c in participants.columns if str(c) in RESERVED or "/" in str(c)]
    problems = []
    if absent:
        problems.append(f"no row in participants.tsv for {some(absent)}: add it.")
    if len(repeated):
        problems.append(f"participants.tsv repeats {some(repeated)}: keep one row per participant.")
    if reserved:
        problems.append(
            f"column name(s) {some(reserved)} of participants.tsv are reserved or contain '/': "
            "rename them."
        )
    if problems:
        raise DataContractError("participants", problems)
    table = participants.set_axis(ids, axis=0).loc[list(subjects)]
    return {str(name): (SUBJECT, _column(table[name])) for name in table.columns}


def _column(column: pd.Series[Any]) -> np.ndarray[Any, np.dtype[Any]]:
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.array([MISSING if pd.isna(v) else str(v) for v in column], dtype=np.str_)
