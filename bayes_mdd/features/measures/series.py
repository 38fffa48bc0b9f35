"""Checks of regional time series, and measures computed from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.blocks import Index
from bayes_mdd.features.loading import Floats, UnreadableFileError, order_problem
from bayes_mdd.features.measures.subjects import (
    Measured,
    Missing,
    UnusableDataError,
    measure_subjects,
)

#: Smallest number of volumes (below it the standard error of Fisher z would exceed 0.24).
MIN_VOLUMES = 20
#: A series is constant if its range is below this fraction of its magnitude.
FLAT = 1e-12

type OneSeries = npt.ArrayLike | pd.DataFrame | Callable[[], npt.ArrayLike | pd.DataFrame]
type Series = Mapping[str, OneSeries] | npt.NDArray[np.floating[Any]]
#: Function of checked values (time, region) and region names that returns the values of a subject.
type Measure[T] = Callable[[Floats, tuple[str, ...]], T]


def named_series(series: Series, participants: pd.DataFrame | None) -> dict[str, OneSeries]:
    """Arrange series by subject.

    Parameters
    ----------
    series : mapping or array
        See `bayes_mdd.connectivity_from_timeseries`.
    participants : pandas.DataFrame or None
        Participants in the order of the rows of an array.

    Returns
    -------
    dict
        Series by subject.

    Raises
    ------
    DataContractError
        If an array does not have three dimensions, or has another number of subjects than the
        table.
    """
    if isinstance(series, Mapping):
        return {str(k): v for k, v in series.items()}
    stack = np.asarray(series)
    if stack.ndim != 3:
        raise DataContractError(
            "time series",
            [f"the array has {stack.ndim} dimensions: expected (subject, time, region)."],
        )
    if participants is None:
        return {f"sub-{i + 1:03d}": values for i, values in enumerate(stack)}
    if len(participants) != len(stack):
        raise DataContractError(
            "time series",
            [
                f"the array has {len(stack)} subjects, but participants has {len(participants)} "
                "rows: expected one row per subject."
            ],
        )
    return dict(zip(map(str, participants.index), stack, strict=True))


def load_series(series: OneSeries, names: tuple[str, ...]) -> Floats:
    """Load and check the series of one subject.

    Parameters
    ----------
    series : array, DataFrame or callable
        The series, or a function that reads it.
    names : tuple of str
        Regions in the order of the region table.

    Returns
    -------
    numpy.ndarray, shape (time, region)
        Finite values.

    Raises
    ------
    UnusableDataError
        If shape, region names, length or values fail a check, or regions have no data.
    """
    if callable(series):
        try:
            series = series()
        except UnreadableFileError as error:
            raise UnusableDataError([str(error)]) from error
    try:
        values = np.asarray(series, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise UnusableDataError(
            [f"the series contains values that are not numbers: {error}."]
        ) from error
    labels = tuple(map(str, series.columns)) if isinstance(series, pd.DataFrame) else None
    problem = _shape_problem(values, labels, names)
    if problem is not None:
        raise UnusableDataError([problem])
    finite = np.isfinite(values)
    absent = ~finite.any(axis=0)
    incomplete = ~finite.all(axis=0) & ~absent
    if incomplete.any():
        raise UnusableDataError([_missing_values_problem(names, incomplete)])
    largest = np.abs(values).max(axis=0, initial=0.0, where=finite)
    low = values.min(axis=0, initial=np.inf, where=finite)
    high = values.max(axis=0, initial=-np.inf, where=finite)
    flat = absent | (high - low <= FLAT * largest)
    if flat.any():
        raise UnusableDataError([], [names[i] for i in np.flatnonzero(flat)])
    return values


def _shape_problem(
    values: Floats, labels: tuple[str, ...] | None, names: tuple[str, ...]
) -> str | None:
    n = len(names)
    if values.ndim != 2:
        return f"the series has {values.ndim} dimensions: expected (time, region)."
    if values.shape[1] != n and values.shape[0] == n:
        return (
            f"the series is {values.shape[0]} x {values.shape[1]}, regions by time: transpose it."
        )
    if labels is not None and (problem := order_problem(labels, names)) is not None:
        return problem
    if values.shape[1] != n:
        return f"the series has {values.shape[1]} regions, but regions.tsv has {n}."
    if len(values) < MIN_VOLUMES:
        return f"{len(values)} volumes: at least {MIN_VOLUMES} are needed; exclude the participant."
    return None


def _missing_values_problem(names: tuple[str, ...], affected: npt.NDArray[np.bool_]) -> str:
    listed = some(names[i] for i in np.flatnonzero(affected))
    return (
        f"missing or infinite values in region(s) {listed}: exclude the regions for all "
        "participants, exclude the participant, or (if volumes were censored) remove these "
        "volumes."
    )


def measure_series[T](
    series: Mapping[str, OneSeries],
    names: tuple[str, ...],
    measure: Measure[T],
    *,
    label: str,
    missing: Missing = "refuse",
    n_jobs: int | None = None,
) -> Measured[T]:
    """Measure the series of all subjects; each is read when it is needed and then released.

    Parameters
    ----------
    series : mapping
        Series by subject, or functions that read them.
    names : tuple of str
        Regions in the order of the region table.
    measure : callable
        Function of the checked values (time, region) of one subject and the names of the regions
        that returns its values. May raise `UnusableDataError`.
    label : str
        Label of the progress bar.
    missing : {"refuse", "drop-regions", "drop-subjects"}, default "refuse"
        Treatment of regions without data (only n/a, or no variation) in some subjects.
    n_jobs : int, optional
        Number of subjects in parallel.

    Returns
    -------
    Measured
        Values of the remaining subjects and regions.

    Raises
    ------
    DataContractError
        If series cannot be used, or no subjects or regions remain. The error lists all problems of
        all series.
    """
    return measure_subjects(
        series,
        names,
        partial(_measure_one, names=names, measure=measure),
        what="time series",
        label=label,
        missing=missing,
        n_jobs=n_jobs,
    )


def _measure_one[T](
    series: OneSeries,
    kept: Index | None,
    *,
    names: tuple[str, ...],
    measure: Measure[T],
) -> T:
    chosen = names if kept is None else tuple(names[i] for i in kept)
    return measure(select_series(series, names, kept), chosen)


def select_series(series: OneSeries, names: tuple[str, ...], kept: Index | None) -> Floats:
    """Select regions of the series of one subject.

    Parameters
    ----------
    series : array, DataFrame or callable
        The series, or a function that reads it.
    names : tuple of str
        All regions in the order of the region table.
    kept : numpy.ndarray of int or None
        Positions of the regions to select; None for all.

    Returns
    -------
    numpy.ndarray, shape (time, region)
        Values, checked by `load_series`.

    Raises
    ------
    UnusableDataError
        See `load_series`.
    """
    if kept is None:
        return load_series(series, names)
    loaded = series() if callable(series) else series
    chosen = tuple(names[i] for i in kept)
    if isinstance(loaded, pd.DataFrame):
        return load_series(loaded.iloc[:, kept], chosen)
    return load_series(np.asarray(loaded)[:, kept], chosen)
