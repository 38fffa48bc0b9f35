"""Connectivity from time series, by nilearn, with what it silently accepts refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from joblib import Parallel, delayed

from bayes_mdd.errors import DataContractError, SpecError, some
from bayes_mdd.features.assemble import edge_features
from bayes_mdd.features.blocks import edge_index
from bayes_mdd.features.loading import Floats, Grouped, order_problem
from bayes_mdd.features.matrices import FISHER_Z, R, gap_problems
from bayes_mdd.features.provenance import provenance_text
from bayes_mdd.features.regions import check_regions

Measure = Literal["correlation", "partial correlation", "tangent"]
Estimator = Literal["empirical", "ledoit-wolf"]

#: Fewer volumes than this give no usable correlation (its standard error would exceed 0.24).
MIN_VOLUMES = 20

type Series = Mapping[str, npt.ArrayLike | pd.DataFrame] | npt.NDArray[np.floating[Any]]


def connectivity_from_timeseries(
    series: Series,
    regions: pd.DataFrame,
    kind: Measure = "correlation",
    estimator: Estimator = "empirical",
    fisher_z: bool = True,
    *,
    participants: pd.DataFrame | None = None,
) -> xr.Dataset:
    """Compute the edges of everybody from regional time series.

    Parameters
    ----------
    series : mapping of str to array, or array
        A (time, region) array or DataFrame a person, or one array (subject, time, region). The
        columns of a DataFrame are region names and must follow `regions`; arrays are taken to.
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

    Returns
    -------
    xarray.Dataset
        Feature set, edges in the order of ``numpy.triu_indices``; units ``fisher_z``, ``r`` or
        ``tangent``; estimator and measure are in the attribute ``provenance``.

    Raises
    ------
    SpecError
        If `kind` or `estimator` is unknown.
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
    named = _named_series(series, participants)
    edges = edges_from_series(named, table, kind=kind, estimator=estimator, fisher_z=fisher_z)
    return edge_features(
        edges,
        list(named),
        table,
        participants=participants,
        units=units_of(kind, fisher_z),
        provenance=provenance_text(
            source="timeseries", measure=kind, estimator=estimator, fisher_z=_is_z(kind, fisher_z)
        ),
    )


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


def _named_series(
    series: Series, participants: pd.DataFrame | None
) -> dict[str, npt.ArrayLike | pd.DataFrame]:
    if isinstance(series, Mapping):
        return {str(k): v for k, v in series.items()}
    stack = np.asarray(series)
    if stack.ndim != 3:
        raise DataContractError(
            "time series", [f"array has {stack.ndim} dims: expected (subject, time, region)."]
        )
    if participants is None:
        return {f"sub-{i + 1:03d}": one for i, one in enumerate(stack)}
    if len(participants) != len(stack):
        raise DataContractError(
            "time series",
            [f"array has {len(stack)} subjects, participants {len(participants)}: one row each."],
        )
    return dict(zip(map(str, participants.index), stack, strict=True))


def edges_from_series(
    series: Mapping[str, npt.ArrayLike | pd.DataFrame],
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
        A (time, region) array or DataFrame a person.
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
    names = tuple(map(str, regions["region"]))
    found, gaps, clean = Grouped(), Grouped(), []
    if len(names) < 2:
        raise DataContractError("time series", ["connectivity needs at least 2 regions."])
    for subject, one in series.items():
        values = np.asarray(one, dtype=np.float64)
        own = tuple(map(str, one.columns)) if isinstance(one, pd.DataFrame) else None
        problem = _series_problem(values, own, names) or _rank_problem(
            values.shape, kind, estimator
        )
        if problem is not None:
            found.add(subject, problem)
            continue
        flat = np.ptp(values, axis=0) <= 1e-12 * np.abs(values).max(axis=0)
        for i in np.flatnonzero(flat):
            gaps.add(subject, names[i])
        clean.append(values)
    if not series:
        raise DataContractError("time series", ["there are none: expected one a person."])
    if kind == "tangent" and len(series) < 2:
        found.add(next(iter(series)), "tangent needs at least 2 people: give all at once.")
    problems = [*found.problems(), *gap_problems(gaps)]
    if problems:
        raise DataContractError("time series", problems)
    edges = _measure(clean, kind, estimator)
    return _transformed(edges, list(series), names) if _is_z(kind, fisher_z) else edges


def _series_problem(
    values: Floats, own: tuple[str, ...] | None, names: tuple[str, ...]
) -> str | None:
    n = len(names)
    if values.ndim != 2:
        return f"the series has {values.ndim} dims: expected (time, region)."
    if values.shape[1] != n and values.shape[0] == n:
        return (
            f"the series is {values.shape[0]} x {values.shape[1]}, regions by time: transpose it."
        )
    if own is not None and (problem := order_problem(own, names)) is not None:
        return problem
    if values.shape[1] != n:
        return f"the series has {values.shape[1]} regions, regions.tsv {n}."
    if len(values) < MIN_VOLUMES:
        return f"{len(values)} volumes: at least {MIN_VOLUMES} are needed; leave the person out."
    bad = ~np.isfinite(values).all(axis=0)
    if bad.any():
        who = some(names[i] for i in np.flatnonzero(bad))
        return (
            f"missing or infinite values in region(s) {who}: leave the region out everywhere, or "
            "the person, or (where volumes were censored) take those volumes out."
        )
    return None


def _rank_problem(shape: tuple[int, ...], kind: str, estimator: str) -> str | None:
    volumes, n = shape[0], shape[1] if len(shape) > 1 else 0
    if kind == "correlation" or estimator != "empirical" or volumes > n:
        return None
    return (
        f"{volumes} volumes for {n} regions: the empirical covariance has no inverse, which "
        f"{kind} needs; use estimator 'ledoit-wolf' or fewer regions."
    )


def _measure(series: Sequence[Floats], kind: str, estimator: str) -> Floats:
    upper = edge_index(series[0].shape[1])
    if kind == "tangent":  # relative to the group, so everybody at once
        matrices = _matrices(series, kind, estimator)
        return np.stack([m[upper] for m in matrices])
    each = Parallel()(delayed(_matrices)([one], kind, estimator) for one in series)
    return np.stack([m[0][upper] for m in each])


def _matrices(series: Sequence[Floats], kind: str, estimator: str) -> Floats:
    # Seconds to import; reading a table of finished edges should not pay for it.
    from nilearn.connectome import ConnectivityMeasure
    from sklearn.covariance import EmpiricalCovariance, LedoitWolf

    shrunk = estimator == "ledoit-wolf"
    covariance = (LedoitWolf if shrunk else EmpiricalCovariance)(store_precision=False)
    measure = ConnectivityMeasure(cov_estimator=covariance, kind=kind)
    return np.asarray(measure.fit_transform(list(series)), dtype=np.float64)


def _transformed(edges: Floats, subjects: Sequence[str], names: tuple[str, ...]) -> Floats:
    first, second = edge_index(len(names))
    # A correlation of equal signals may come out as 1 less a rounding error.
    one = np.abs(edges) >= 1 - 1e-12
    if one.any():
        found = Grouped()
        for row, edge in np.argwhere(one)[:1000]:
            pair = f"{names[first[edge]]} and {names[second[edge]]}"
            found.add(subjects[row], f"|r| = 1 between {pair}: leave one of the two out.")
        raise DataContractError("time series", found.problems())
    return np.arctanh(edges)
