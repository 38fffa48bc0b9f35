"""Values of a cohort folder from matrices, time series or one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bayes_mdd.dims import EDGE_SEPARATOR
from bayes_mdd.errors import DataContractError, SpecError, some
from bayes_mdd.features.blocks import Index
from bayes_mdd.features.folder.layout import MATRICES, TIMESERIES, Layout
from bayes_mdd.features.folder.matching import match_files
from bayes_mdd.features.folder.tables import read_feature_table
from bayes_mdd.features.loading import (
    Floats,
    UnreadableFileError,
    read_npy,
    read_text_table,
)
from bayes_mdd.features.matrices import FISHER_Z, R, read_matrix_edges
from bayes_mdd.features.measures.edges import measure_edges
from bayes_mdd.features.measures.methods import check_method, units_of
from bayes_mdd.features.measures.scan_parts import check_parts


@dataclass(frozen=True, kw_only=True)
class ReadValues:
    """Values as read or computed, with their units and provenance."""

    subjects: Sequence[str]
    values: Floats
    units: str
    facts: Mapping[str, Any]
    edges: tuple[Index, Index] | None = None
    rows: Index | None = None
    parts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    other_session: str | None = None


def read_values(
    layout: Layout,
    regions: pd.DataFrame,
    participants: pd.DataFrame,
    kind: str | None,
    estimator: str | None,
    *,
    halves: bool = False,
    pieces: int | None = None,
) -> ReadValues:
    """Read or compute the values of all subjects.

    Parameters
    ----------
    layout : Layout
        Files of the cohort.
    regions : pandas.DataFrame
        Checked region table.
    participants : pandas.DataFrame
        Indexed by ``participant_id``.
    kind, estimator : str or None
        See `bayes_mdd.features.read_features`.
    halves : bool, default False
        Whether to measure halves of time series.
    pieces : int, optional
        Number of pieces of time series to measure.

    Returns
    -------
    ReadValues
        Correlations as Fisher z, all other measures unchanged.

    Raises
    ------
    SpecError
        If a measure or estimator is unknown, or given although nothing is computed.
    DataContractError
        If files cannot be read, fail a check or do not match the tables.
    """
    if layout.source == TIMESERIES:
        return _from_series(layout, regions, participants, kind, estimator, halves, pieces)
    _refuse_recomputing(layout, kind, estimator)
    reader = _from_matrices if layout.source == MATRICES else _from_table
    return reader(layout, regions, participants)


def _refuse_recomputing(layout: Layout, kind: str | None, estimator: str | None) -> None:
    for name, requested, stated in (
        ("kind", kind, layout.facts.get("measure")),
        ("estimator", estimator, layout.facts.get("estimator")),
    ):
        if requested is not None and requested != stated:
            source = {MATRICES: "matrices"}.get(layout.source, "a feature table")
            raise SpecError(
                f"{name}={requested!r} cannot be computed from {source} (features.json states "
                f"{stated or f'no {name}'}); it needs time series. Omit {name}."
            )


def _stated_units(layout: Layout) -> str:
    units = layout.facts.get("units")
    if not units:
        raise DataContractError(
            str(layout.description),
            ['states no units: expected "units": "r", "fisher_z" or the unit of another measure.'],
        )
    return str(units)


def _from_matrices(layout: Layout, regions: pd.DataFrame, participants: pd.DataFrame) -> ReadValues:
    units = _stated_units(layout)
    files = match_files(layout.files, participants)
    edges = read_matrix_edges(files, regions, units=units, order_stated=layout.order_stated)
    if units == R:
        edges, units = np.arctanh(edges), FISHER_Z
    return ReadValues(subjects=list(files), values=edges, units=units, facts=_measured(layout))


def _from_table(layout: Layout, regions: pd.DataFrame, participants: pd.DataFrame) -> ReadValues:
    units = _stated_units(layout)
    table = read_feature_table(layout.files[0], regions, participants)
    facts = _measured(layout)
    if table.second is None:
        return ReadValues(
            subjects=table.subjects, values=table.values, units=units, facts=facts, rows=table.first
        )
    values = table.values
    if units == R:
        names = regions["region"].to_numpy()
        _refuse_perfect_correlations(
            values, table.subjects, names[table.first], names[table.second], layout
        )
        values, units = np.arctanh(values), FISHER_Z
    edges = (table.first, table.second)
    return ReadValues(subjects=table.subjects, values=values, units=units, facts=facts, edges=edges)


def _measured(layout: Layout) -> dict[str, Any]:
    return {key: layout.facts.get(key) for key in ("measure", "estimator")}


def _refuse_perfect_correlations(
    values: Floats, subjects: Sequence[str], first: Any, second: Any, layout: Layout
) -> None:
    beyond = np.abs(values) >= 1
    if not beyond.any():
        return
    in_subjects = some(np.asarray(subjects)[beyond.any(axis=1)])
    edges = np.flatnonzero(beyond.any(axis=0))
    in_features = some(f"{first[i]}{EDGE_SEPARATOR}{second[i]}" for i in edges)
    raise DataContractError(
        layout.files[0].name,
        [
            f"|r| is 1 or more in {int(beyond.sum())} value(s): participants {in_subjects}; "
            f"features {in_features}. Fisher z needs |r| < 1: exclude one of two regions with the "
            'same signal, or correct "units" in features.json if the values are Fisher z.'
        ],
    )


def _from_series(
    layout: Layout,
    regions: pd.DataFrame,
    participants: pd.DataFrame,
    kind: str | None,
    estimator: str | None,
    halves: bool,
    pieces: int | None,
) -> ReadValues:
    kind = kind or layout.facts.get("measure") or "correlation"
    estimator = estimator or layout.facts.get("estimator") or "empirical"
    try:
        check_method(kind, estimator)
    except SpecError as error:
        stated = {layout.facts.get("measure"), layout.facts.get("estimator")} & {kind, estimator}
        where = f"{layout.description}: the measure is called kind here. " if stated else ""
        raise SpecError(f"{where}{error}") from error
    parts = check_parts(halves, pieces, kind, estimator)
    files = match_files(layout.files, participants)
    # Each series is read when it is needed, so that memory does not hold all of them.
    series = {s: partial(_load_series, path, layout.order_stated) for s, path in files.items()}
    measured = measure_edges(
        series, regions, kind=kind, estimator=estimator, fisher_z=True, parts=parts
    )
    return ReadValues(
        subjects=list(series),
        values=measured.values,
        units=units_of(kind, True),
        facts={"measure": kind, "estimator": estimator, **measured.facts},
        parts=measured.parts,
    )


def _load_series(path: Path, order_stated: bool) -> Floats | pd.DataFrame:
    if path.suffix == ".npy":
        if not order_stated:
            raise UnreadableFileError(
                ".npy time series have no region names: if they follow the order of regions.tsv, "
                'state "order": "regions.tsv" in features.json; otherwise use .tsv files.'
            )
        array = read_npy(path)
        if array.dtype.kind != "f":
            raise UnreadableFileError(f"{path.name} contains text: expected numbers.")
        return array
    table = read_text_table(path, named_rows=False)
    return pd.DataFrame(table.values, columns=list(table.columns))
