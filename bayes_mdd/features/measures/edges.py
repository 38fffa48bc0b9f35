"""Edges of all subjects from their time series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.additions import HALF_DIFFERENCE, PIECES
from bayes_mdd.features.blocks import Index, edge_index
from bayes_mdd.features.loading import Floats
from bayes_mdd.features.measures.methods import is_fisher_z
from bayes_mdd.features.measures.scan_parts import (
    Halves,
    Parts,
    PartsRequest,
    measure_parts,
)
from bayes_mdd.features.measures.series import OneSeries, measure_series
from bayes_mdd.features.measures.subjects import Missing, UnusableDataError

#: Correlations from this value on count as 1: identical signals, up to rounding error.
ONE = 1 - 1e-12
#: What to do where nobody has a part of the scan.
_REMEDY = {HALF_DIFFERENCE: "Omit halves", PIECES: "Omit pieces, or ask for fewer pieces"}


@dataclass(frozen=True, kw_only=True)
class MeasuredEdges:
    """Edges of all subjects, with parts of their scans and what was left out.

    Parameters
    ----------
    subjects : tuple of str
        Subjects who were measured.
    values : numpy.ndarray, shape (subject, edge)
        Upper triangles.
    kept : numpy.ndarray of int
        Rows of the region table that were measured.
    left_out : mapping of str to list of str
        Subjects without data, by region.
    parts : mapping of str to mapping
        Rows of ``half_difference`` and ``pieces`` by subject, where requested.
    facts : mapping
        Subjects without a requested part, by reason, for ``provenance``.
    """

    subjects: tuple[str, ...]
    values: Floats
    kept: Index
    left_out: Mapping[str, list[str]]
    parts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _OneSubject:
    """Edges of one subject (tangent: the series, measured later), and parts of the scan."""

    values: Floats
    parts: Parts


def measure_edges(
    series: Mapping[str, OneSeries],
    regions: pd.DataFrame,
    *,
    kind: str,
    estimator: str,
    fisher_z: bool,
    missing: Missing = "refuse",
    n_jobs: int | None = None,
    parts: PartsRequest | None = None,
) -> MeasuredEdges:
    """Compute the edges of all subjects and list what was excluded.

    Parameters
    ----------
    series : mapping
        A (time, region) array or DataFrame per subject, or a function that reads it.
    regions : pandas.DataFrame
        Checked region table.
    kind, estimator : str
        See `connectivity_from_timeseries`.
    fisher_z : bool
        See `connectivity_from_timeseries`.
    missing : {"refuse", "drop-regions", "drop-subjects"}, default "refuse"
        See `connectivity_from_timeseries`.
    n_jobs : int, optional
        See `connectivity_from_timeseries`.
    parts : PartsRequest, optional
        Parts of the scans to measure. Default: none.

    Returns
    -------
    MeasuredEdges
        Upper triangles, one per subject, and the parts.

    Raises
    ------
    DataContractError
        If a series cannot be used, or no subject has a requested part. The error lists all
        problems of all series.
    """
    names = tuple(map(str, regions["region"]))
    if len(names) < 2:
        raise DataContractError("time series", ["connectivity needs at least 2 regions."])
    if kind == "tangent" and len(series) == 1:
        raise DataContractError(
            "time series",
            [
                f"{next(iter(series))}: tangent needs at least 2 participants: pass the series of "
                "all participants."
            ],
        )

    request = parts or PartsRequest()
    z = is_fisher_z(kind, fisher_z)
    measure = partial(_measure_one, kind=kind, estimator=estimator, z=z, request=request)
    measured = measure_series(series, names, measure, label=kind, missing=missing, n_jobs=n_jobs)
    own = dict(zip(measured.subjects, (v.parts for v in measured.values), strict=True))
    values = [v.values for v in measured.values]
    if kind == "tangent":
        chosen = tuple(names[i] for i in measured.kept)
        values, own = _tangents(dict(zip(own, values, strict=True)), chosen, estimator, request)
    rows, facts = _collect(own, request)
    return MeasuredEdges(
        subjects=measured.subjects,
        values=np.stack(values),
        kept=measured.kept,
        left_out=measured.left_out,
        parts=rows,
        facts=facts,
    )


def _collect(
    own: Mapping[str, Parts], request: PartsRequest
) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Rows by part and subject, and the subjects who lack a requested part."""
    rows: dict[str, dict[str, Any]] = {}
    facts: dict[str, Any] = {}
    problems = []
    for name, requested in ((HALF_DIFFERENCE, request.halves), (PIECES, request.pieces > 0)):
        if not requested:
            continue
        found = {s: getattr(p, name) for s, p in own.items() if getattr(p, name) is not None}
        lacking: dict[str, list[str]] = {}
        for subject, parts in own.items():
            for part, reason in parts.lacking:
                if part == name:
                    lacking.setdefault(reason, []).append(subject)
        if not found:
            reasons = "; ".join(f"{some(s, 3)}: {reason}" for reason, s in lacking.items())
            problems.append(f"no participant has {name}: {reasons}. {_REMEDY[name]}.")
        rows[name] = found
        if lacking:
            facts[f"without_{name}"] = lacking
    if problems:
        raise DataContractError("time series", problems)
    return rows, facts


def _measure_one(
    values: Floats,
    names: tuple[str, ...],
    *,
    kind: str,
    estimator: str,
    z: bool,
    request: PartsRequest,
) -> _OneSubject:
    edges = _edges_of(values, names, kind=kind, estimator=estimator, z=z)
    if kind == "tangent":  # the halves are relative to the group, too
        return _OneSubject(edges, Parts())

    def of_halves(halves: Halves) -> Halves:
        first, second = (
            _edges_of(half, names, kind=kind, estimator=estimator, z=z) for half in halves
        )
        return first, second

    return _OneSubject(edges, measure_parts(values, names, request, of_halves))


def _tangents(
    series: Mapping[str, Floats], names: tuple[str, ...], estimator: str, request: PartsRequest
) -> tuple[list[Floats], dict[str, Parts]]:
    """Tangent vectors of all subjects and halves, relative to the mean of the whole scans."""
    upper = edge_index(len(names))
    measure = _connectivity_measure("tangent", estimator)
    matrices = np.asarray(measure.fit_transform(list(series.values())), dtype=np.float64)

    def of_halves(halves: Halves) -> Halves:
        problem = _rank_problem(halves[0].shape, "tangent", estimator)
        if problem is not None:
            raise UnusableDataError([problem])
        first, second = np.asarray(measure.transform(list(halves)), dtype=np.float64)
        return first[upper], second[upper]

    own = {s: measure_parts(x, names, request, of_halves) for s, x in series.items()}
    return [m[upper] for m in matrices], own


def _edges_of(
    values: Floats, names: tuple[str, ...], *, kind: str, estimator: str, z: bool
) -> Floats:
    problem = _rank_problem(values.shape, kind, estimator)
    if problem is not None:
        raise UnusableDataError([problem])
    if kind == "tangent":  # relative to the group: computed later from all series
        return values
    edges = _matrices([values], kind, estimator)[0][edge_index(len(names))]
    return _transformed(edges, names) if z else edges


def _rank_problem(shape: tuple[int, ...], kind: str, estimator: str) -> str | None:
    volumes, n = shape
    if kind == "correlation" or estimator != "empirical" or volumes > n:
        return None
    return (
        f"{volumes} volumes for {n} regions: {kind} needs the inverse of the empirical covariance, "
        "which does not exist; use estimator='ledoit-wolf' or fewer regions."
    )


def _connectivity_measure(kind: str, estimator: str) -> Any:
    # Importing takes seconds and is not needed to read tables of edges.
    from nilearn.connectome import ConnectivityMeasure
    from sklearn.covariance import EmpiricalCovariance, LedoitWolf

    shrunk = estimator == "ledoit-wolf"
    covariance = (LedoitWolf if shrunk else EmpiricalCovariance)(store_precision=False)
    return ConnectivityMeasure(cov_estimator=covariance, kind=kind)


def _matrices(series: Sequence[Floats], kind: str, estimator: str) -> Floats:
    measure = _connectivity_measure(kind, estimator)
    return np.asarray(measure.fit_transform(list(series)), dtype=np.float64)


def _transformed(edges: Floats, names: tuple[str, ...]) -> Floats:
    perfect = np.flatnonzero(np.abs(edges) >= ONE)
    if perfect.size:
        first, second = edge_index(len(names))
        raise UnusableDataError(
            [
                f"|r| = 1 between {names[first[e]]} and {names[second[e]]}: exclude one of the two "
                "regions."
                for e in perfect[:1000]
            ]
        )
    return np.arctanh(edges)
