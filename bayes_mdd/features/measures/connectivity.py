"""Connectivity from time series, computed by nilearn after checks of the series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal, get_args

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.features.assemble import edge_features
from bayes_mdd.features.blocks import edge_index
from bayes_mdd.features.loading import Floats
from bayes_mdd.features.matrices import FISHER_Z, R
from bayes_mdd.features.measures.series import OneSeries, Series, measure_series, named_series
from bayes_mdd.features.measures.subjects import (
    Measured,
    Missing,
    UnusableDataError,
    check_missing,
)
from bayes_mdd.features.provenance import left_out_text, provenance_text
from bayes_mdd.features.regions import check_regions

Measure = Literal["correlation", "partial correlation", "tangent"]
Estimator = Literal["empirical", "ledoit-wolf"]

#: Correlations from this value on count as 1: identical signals, up to rounding error.
ONE = 1 - 1e-12


def connectivity_from_timeseries(
    series: Series,
    regions: pd.DataFrame,
    kind: Measure = "correlation",
    estimator: Estimator = "empirical",
    fisher_z: bool = True,
    *,
    participants: pd.DataFrame | None = None,
    missing: Missing = "refuse",
    n_jobs: int | None = None,
) -> xr.Dataset:
    """Compute connectivity features of all subjects from regional time series.

    Parameters
    ----------
    series : mapping of str to array, or array
        A (time, region) array or DataFrame per subject, or one array (subject, time, region). The
        columns of a DataFrame are region names in the order of `regions`; arrays are assumed to
        have this order. A function without arguments that reads the array is accepted as well.
    regions : pandas.DataFrame
        Region table: ``region``, ``network``, optional ``x``, ``y``, ``z``, ...
    kind : {"correlation", "partial correlation", "tangent"}, default "correlation"
        Measure of connectivity. ``tangent`` is relative to the mean of all subjects passed;
        in prediction, do not include the subjects to be predicted.
    estimator : {"empirical", "ledoit-wolf"}, default "empirical"
        Covariance estimator: empirical (Pearson's r for ``correlation``) or with Ledoit-Wolf
        shrinkage, the default of nilearn.
    fisher_z : bool, default True
        Apply Fisher's z transform to (partial) correlations. Not used with ``tangent``.
    participants : pandas.DataFrame, optional
        Indexed by ``participant_id``; its columns become coordinates of the subjects. Without it,
        the result has no coordinate ``arm``. If `series` is an array, its rows are these
        participants.
    missing : {"refuse", "drop-regions", "drop-subjects"}, default "refuse"
        Treatment of regions without data (only n/a, or no variation) in some subjects: raise an
        error, exclude the regions for all subjects, or exclude the subjects. The attribute
        ``left_out`` lists what was excluded. "drop-people" is the former name of "drop-subjects".
    n_jobs : int, optional
        Number of subjects in parallel (threads). Default: as set by ``joblib.parallel_config``,
        else 1. Subjects are measured one after another, so that memory holds the edges and only a
        few series; ``tangent`` needs all series at once.

    Returns
    -------
    xarray.Dataset
        Feature set with edges in the order of ``numpy.triu_indices``. ``units`` is ``fisher_z``,
        ``r`` or ``tangent``; estimator and measure are in the attribute ``provenance``.

    Raises
    ------
    SpecError
        If `kind`, `estimator` or `missing` is unknown.
    DataContractError
        If a series has fewer than 20 volumes, another number or order of regions, missing values,
        a region without variation, or two regions with the same signal. The error lists all
        problems.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> table = pd.DataFrame({"region": ["a", "b", "c"], "network": ["N", "N", "M"]})
    >>> edges = connectivity_from_timeseries({"sub-01": rng.normal(size=(50, 3))}, table)
    >>> edges["block"].values.tolist()
    ['N-N', 'N-M', 'N-M']
    """
    check_method(kind, estimator)
    missing = check_missing(missing)
    table = check_regions(regions)
    measured = measure_edges(
        named_series(series, participants),
        table,
        kind=kind,
        estimator=estimator,
        fisher_z=fisher_z,
        missing=missing,
        n_jobs=n_jobs,
    )
    out = edge_features(
        np.stack(measured.values),
        measured.subjects,
        table.iloc[measured.kept].reset_index(drop=True),
        participants=participants,
        units=units_of(kind, fisher_z),
        measure=kind,
        provenance=provenance_text(
            source="timeseries", measure=kind, estimator=estimator, fisher_z=_is_z(kind, fisher_z)
        ),
    )
    return out.assign_attrs(left_out_text(missing, measured.left_out))


def check_method(kind: str, estimator: str) -> None:
    """Check the names of measure and estimator.

    Parameters
    ----------
    kind, estimator : str
        See `connectivity_from_timeseries`.

    Raises
    ------
    SpecError
        If one of them is unknown.
    """
    for name, value, choices in (
        ("kind", kind, get_args(Measure)),
        ("estimator", estimator, get_args(Estimator)),
    ):
        if value not in choices:
            raise SpecError(f"{name} must be one of {', '.join(choices)}; got {value!r}.")


def units_of(kind: str, fisher_z: bool) -> str:
    """Units of a measure.

    Parameters
    ----------
    kind : str
        Measure of connectivity.
    fisher_z : bool
        Whether Fisher's z transform was applied.

    Returns
    -------
    str
        ``tangent``, ``fisher_z`` or ``r``.
    """
    if kind == "tangent":
        return kind
    return FISHER_Z if fisher_z else R


def _is_z(kind: str, fisher_z: bool) -> bool:
    return units_of(kind, fisher_z) == FISHER_Z


def edges_from_series(
    series: Mapping[str, OneSeries],
    regions: pd.DataFrame,
    *,
    kind: str,
    estimator: str,
    fisher_z: bool,
) -> Floats:
    """Compute the edges of all subjects.

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

    Returns
    -------
    numpy.ndarray, shape (subject, edge)
        Upper triangles.

    Raises
    ------
    DataContractError
        If a series cannot be used. The error lists all problems of all series.
    """
    measured = measure_edges(series, regions, kind=kind, estimator=estimator, fisher_z=fisher_z)
    return np.stack(measured.values)


def measure_edges(
    series: Mapping[str, OneSeries],
    regions: pd.DataFrame,
    *,
    kind: str,
    estimator: str,
    fisher_z: bool,
    missing: Missing = "refuse",
    n_jobs: int | None = None,
) -> Measured:
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

    Returns
    -------
    Measured
        Upper triangles, one per subject.

    Raises
    ------
    DataContractError
        If a series cannot be used. The error lists all problems of all series.
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

    measure = partial(_edges_of, kind=kind, estimator=estimator, z=_is_z(kind, fisher_z))
    measured = measure_series(series, names, measure, label=kind, missing=missing, n_jobs=n_jobs)
    if kind != "tangent":
        return measured
    upper = edge_index(len(measured.kept))
    matrices = _matrices(measured.values, kind, estimator)
    return replace(measured, values=[m[upper] for m in matrices])


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


def _matrices(series: Sequence[Floats], kind: str, estimator: str) -> Floats:
    # Importing takes seconds and is not needed to read tables of edges.
    from nilearn.connectome import ConnectivityMeasure
    from sklearn.covariance import EmpiricalCovariance, LedoitWolf

    shrunk = estimator == "ledoit-wolf"
    covariance = (LedoitWolf if shrunk else EmpiricalCovariance)(store_precision=False)
    measure = ConnectivityMeasure(cov_estimator=covariance, kind=kind)
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
