"""Connectivity from time series, by nilearn, with what it silently accepts refused."""

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
from bayes_mdd.features.measures.subjects import Measured, Missing, UnusableDataError
from bayes_mdd.features.provenance import left_out_text, provenance_text
from bayes_mdd.features.regions import check_regions

Measure = Literal["correlation", "partial correlation", "tangent"]
Estimator = Literal["empirical", "ledoit-wolf"]

#: A correlation of equal signals may come out as 1 less a rounding error.
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
    """Compute the edges of everybody from regional time series.

    Parameters
    ----------
    series : mapping of str to array, or array
        A (time, region) array or DataFrame a person, or one array (subject, time, region). The
        columns of a DataFrame are region names and must follow `regions`; arrays are taken to.
        In place of an array, a function without arguments that reads it when its turn comes.
    regions : pandas.DataFrame
        Region table: ``region``, ``network``, optional ``x``, ``y``, ``z``, ...
    kind : {"correlation", "partial correlation", "tangent"}, default "correlation"
        Measure of connectivity. ``tangent`` is relative to the mean of all the people given, so
        in prediction it must not see the people to be predicted.
    estimator : {"empirical", "ledoit-wolf"}, default "empirical"
        Covariance estimator: plain (Pearson's r for ``correlation``), or shrunk, which is what
        nilearn takes when it is not told.
    fisher_z : bool, default True
        Take the inverse hyperbolic tangent of (partial) correlations. Not used with ``tangent``.
    participants : pandas.DataFrame, optional
        Indexed by ``participant_id``; its columns become coordinates of the subjects. Without
        it the result has no ``arm`` yet. Names the rows of an array.
    missing : {"refuse", "drop-regions", "drop-people"}, default "refuse"
        What to do where a region has no data (n/a all along, or no variation) in some people:
        leave the region out for everybody, or the people. The attribute ``left_out`` lists
        either.
    n_jobs : int, optional
        People at a time (threads); default what ``joblib.parallel_config`` says, else 1. People
        are measured one after another, so that memory holds the edges and few series; only
        ``tangent`` needs all series at once.

    Returns
    -------
    xarray.Dataset
        Feature set, edges in the order of ``numpy.triu_indices``; units ``fisher_z``, ``r`` or
        ``tangent``; estimator and measure are in the attribute ``provenance``.

    Raises
    ------
    SpecError
        If `kind`, `estimator` or `missing` is unknown.
    DataContractError
        If a series has fewer than 20 volumes, another number or order of regions, missing
        values, a region without variation, or two regions with one signal; all at once.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> table = pd.DataFrame({"region": ["a", "b", "c"], "network": ["N", "N", "M"]})
    >>> edges = connectivity_from_timeseries({"sub-01": rng.normal(size=(50, 3))}, table)
    >>> edges["block"].values.tolist()
    ['N-N', 'N-M', 'N-M']
    """
    check_method(kind, estimator)
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
        provenance=provenance_text(
            source="timeseries", measure=kind, estimator=estimator, fisher_z=_is_z(kind, fisher_z)
        ),
    )
    return out.assign_attrs(left_out_text(missing, measured.left_out))


def check_method(kind: str, estimator: str) -> None:
    """Refuse a measure or estimator that is not offered.

    Parameters
    ----------
    kind, estimator : str
        See `connectivity_from_timeseries`.

    Raises
    ------
    SpecError
        With the choices.
    """
    for name, value, choices in (
        ("kind", kind, get_args(Measure)),
        ("estimator", estimator, get_args(Estimator)),
    ):
        if value not in choices:
            raise SpecError(f"{name} must be one of {', '.join(choices)}; got {value!r}.")


def units_of(kind: str, fisher_z: bool) -> str:
    """Name the units of a measure.

    Parameters
    ----------
    kind : str
        The measure.
    fisher_z : bool
        Whether correlations were transformed.

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
    """Compute the table of edges.

    Parameters
    ----------
    series : mapping
        A (time, region) array or DataFrame a person, or a function that reads it.
    regions : pandas.DataFrame
        Checked region table.
    kind, estimator : str
        See `connectivity_from_timeseries`.
    fisher_z : bool
        See `connectivity_from_timeseries`.

    Returns
    -------
    numpy.ndarray
        People by edges.

    Raises
    ------
    DataContractError
        All problems of all series.
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
    """Compute the edges of everybody and say who or what was left out.

    Parameters
    ----------
    series : mapping
        A (time, region) array or DataFrame a person, or a function that reads it.
    regions : pandas.DataFrame
        Checked region table.
    kind, estimator : str
        See `connectivity_from_timeseries`.
    fisher_z : bool
        See `connectivity_from_timeseries`.
    missing : {"refuse", "drop-regions", "drop-people"}, default "refuse"
        See `connectivity_from_timeseries`.
    n_jobs : int, optional
        See `connectivity_from_timeseries`.

    Returns
    -------
    Measured
        Upper triangles, one a person.

    Raises
    ------
    DataContractError
        All problems of all series.
    """
    names = tuple(map(str, regions["region"]))
    if len(names) < 2:
        raise DataContractError("time series", ["connectivity needs at least 2 regions."])
    if kind == "tangent" and len(series) == 1:
        who = next(iter(series))
        raise DataContractError(
            "time series", [f"{who}: tangent needs at least 2 people: give all at once."]
        )

    one_person = partial(_edges_of, kind=kind, estimator=estimator, z=_is_z(kind, fisher_z))
    measured = measure_series(series, names, one_person, label=kind, missing=missing, n_jobs=n_jobs)
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
    if kind == "tangent":  # relative to the group, so measured when everybody is there
        return values
    edges = _matrices([values], kind, estimator)[0][edge_index(len(names))]
    return _transformed(edges, names) if z else edges


def _rank_problem(shape: tuple[int, ...], kind: str, estimator: str) -> str | None:
    volumes, n = shape
    if kind == "correlation" or estimator != "empirical" or volumes > n:
        return None
    return (
        f"{volumes} volumes for {n} regions: the empirical covariance has no inverse, which "
        f"{kind} needs; use estimator 'ledoit-wolf' or fewer regions."
    )


def _matrices(series: Sequence[Floats], kind: str, estimator: str) -> Floats:
    # Seconds to import; reading a table of finished edges should not pay for it.
    from nilearn.connectome import ConnectivityMeasure
    from sklearn.covariance import EmpiricalCovariance, LedoitWolf

    shrunk = estimator == "ledoit-wolf"
    covariance = (LedoitWolf if shrunk else EmpiricalCovariance)(store_precision=False)
    measure = ConnectivityMeasure(cov_estimator=covariance, kind=kind)
    return np.asarray(measure.fit_transform(list(series)), dtype=np.float64)


def _transformed(edges: Floats, names: tuple[str, ...]) -> Floats:
    one = np.flatnonzero(np.abs(edges) >= ONE)
    if one.size:
        first, second = edge_index(len(names))
        raise UnusableDataError(
            [
                f"|r| = 1 between {names[first[e]]} and {names[second[e]]}: leave one of the two "
                "out."
                for e in one[:1000]
            ]
        )
    return np.arctanh(edges)
