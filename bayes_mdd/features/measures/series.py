"""Time series of many people: what they must be to be measured."""

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
    measure_people,
)

#: Fewer volumes than this give no usable correlation (its standard error would exceed 0.24).
MIN_VOLUMES = 20
#: A region whose range is below this share of its size does not vary.
FLAT = 1e-12

type OneSeries = npt.ArrayLike | pd.DataFrame | Callable[[], npt.ArrayLike | pd.DataFrame]
type Series = Mapping[str, OneSeries] | npt.NDArray[np.floating[Any]]
#: From clean values (time, region) and the names of the regions to the numbers of one person.
type Measure = Callable[[Floats, tuple[str, ...]], Floats]


def named_series(series: Series, participants: pd.DataFrame | None) -> dict[str, OneSeries]:
    """Give every series the name of its person.

    Parameters
    ----------
    series : mapping or array
        As in `bayes_mdd.features.connectivity_from_timeseries`.
    participants : pandas.DataFrame or None
        Names the rows of an array.

    Returns
    -------
    dict
        One series a person.

    Raises
    ------
    DataContractError
        If an array has not three dimensions or another number of people than the table.
    """
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


def load_series(one: OneSeries, names: tuple[str, ...]) -> Floats:
    """Take one series for what it is, or say why it cannot be used.

    Parameters
    ----------
    one : array, DataFrame or callable
        The series, or a function that reads it.
    names : tuple of str
        Regions in the order of the region table.

    Returns
    -------
    numpy.ndarray, shape (time, region)
        Finite.

    Raises
    ------
    UnusableDataError
        If its shape, names, length or values do not serve, or regions have no data.
    """
    if callable(one):
        try:
            one = one()
        except UnreadableFileError as error:
            raise UnusableDataError([str(error)]) from error
    try:
        values = np.asarray(one, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise UnusableDataError(
            [f"the series holds something else than numbers: {error}."]
        ) from error
    own = tuple(map(str, one.columns)) if isinstance(one, pd.DataFrame) else None
    problem = _shape_problem(values, own, names)
    if problem is not None:
        raise UnusableDataError([problem])
    finite = np.isfinite(values)
    gone = ~finite.any(axis=0)
    partly = ~finite.all(axis=0) & ~gone
    if partly.any():
        raise UnusableDataError([_partly(names, partly)])
    largest = np.abs(values).max(axis=0, initial=0.0, where=finite)
    low = values.min(axis=0, initial=np.inf, where=finite)
    high = values.max(axis=0, initial=-np.inf, where=finite)
    flat = gone | (high - low <= FLAT * largest)
    if flat.any():
        raise UnusableDataError([], [names[i] for i in np.flatnonzero(flat)])
    return values


def _shape_problem(
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
    return None


def _partly(names: tuple[str, ...], partly: npt.NDArray[np.bool_]) -> str:
    who = some(names[i] for i in np.flatnonzero(partly))
    return (
        f"missing or infinite values in region(s) {who}: leave the region out everywhere, or "
        "the person, or (where volumes were censored) take those volumes out."
    )


def measure_series(
    series: Mapping[str, OneSeries],
    names: tuple[str, ...],
    measure: Measure,
    *,
    label: str,
    missing: Missing = "refuse",
    n_jobs: int | None = None,
) -> Measured:
    """Measure the series of everybody; each is read when its turn comes and let go afterwards.

    Parameters
    ----------
    series : mapping
        One series a person, or a function that reads it.
    names : tuple of str
        Regions in the order of the region table.
    measure : callable
        From the checked (time, region) values of one person and the names of the regions to
        numbers. May raise `UnusableDataError`.
    label : str
        For the progress bar.
    missing : {"refuse", "drop-regions", "drop-people"}, default "refuse"
        What to do where a region has no data (n/a all along, or no variation) in some people.
    n_jobs : int, optional
        People at a time.

    Returns
    -------
    Measured
        The numbers of those people and regions that were kept.

    Raises
    ------
    DataContractError
        All problems of all series, or nothing is left.
    """
    one_person = partial(_measure_one, names=names, measure=measure)
    return measure_people(
        series,
        names,
        one_person,
        what="time series",
        label=label,
        missing=missing,
        n_jobs=n_jobs,
    )


def _measure_one(
    one: OneSeries,
    kept: Index | None,
    *,
    names: tuple[str, ...],
    measure: Measure,
) -> Floats:
    chosen = names if kept is None else tuple(names[i] for i in kept)
    return measure(chosen_series(one, names, kept), chosen)


def chosen_series(one: OneSeries, names: tuple[str, ...], kept: Index | None) -> Floats:
    """Take some regions of one series.

    Parameters
    ----------
    one : array, DataFrame or callable
        The series, or a function that reads it.
    names : tuple of str
        All regions in the order of the region table.
    kept : numpy.ndarray of int or None
        Positions of those to take; None for all.

    Returns
    -------
    numpy.ndarray, shape (time, region)
        Checked as in `load_series`.

    Raises
    ------
    UnusableDataError
        As `load_series`.
    """
    if kept is None:
        return load_series(one, names)
    held = one() if callable(one) else one
    chosen = tuple(names[i] for i in kept)
    if isinstance(held, pd.DataFrame):
        return load_series(held.iloc[:, kept], chosen)
    return load_series(np.asarray(held)[:, kept], chosen)
