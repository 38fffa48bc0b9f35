"""Checks of the optional additions to a feature set."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import xarray as xr

from bayes_mdd.dims import FEATURE, PAIR, PIECE, REGION, SUBJECT
from bayes_mdd.errors import some
from bayes_mdd.features.additions import (
    DIFFERENCES,
    HALF_DIFFERENCE,
    MEASURE,
    PIECES,
    RAW_MEAN,
    RAW_SCALES,
    RAW_SD,
    RAW_UNITS,
)
from bayes_mdd.features.loading import Floats

#: Fewest values of a difference of which it is noticed that all are 0, and how large a 0 may be,
#: relative to the features: rounding error.
LEAST_VALUES, ROUNDING = 3, 1e-12


def addition_problems(features: xr.Dataset) -> Iterator[str]:
    """Check the optional additions of a feature set.

    Parameters
    ----------
    features : xarray.Dataset
        A feature set whose ``y`` has the right dimensions.

    Yields
    ------
    str
        What is wrong, what was expected and what to do.
    """
    yield from _raw_problems(features)
    for name in DIFFERENCES:
        if name in features:
            yield from _row_problems(features, name, (SUBJECT, FEATURE))
            yield from _zero_problems(features, name)
    if PIECES in features:
        yield from _row_problems(features, PIECES, (SUBJECT, PIECE, PAIR))
        yield from _pair_problems(features)
        yield from _repeated_pieces(features)
    measure = features.attrs.get(MEASURE, "")
    if not isinstance(measure, str):
        yield f"attribute '{MEASURE}' is {measure!r}: expected text, e.g. 'correlation'."


def _raw_problems(features: xr.Dataset) -> Iterator[str]:
    present = [name for name in (RAW_MEAN, RAW_SD) if name in features.variables]
    if not present:
        if RAW_UNITS in features.attrs:
            yield f"attribute '{RAW_UNITS}' is set, but '{RAW_MEAN}' and '{RAW_SD}' are missing."
        return
    for name in {RAW_MEAN, RAW_SD}.difference(present):
        yield f"coordinate '{name}' is missing, but '{present[0]}' is there: expected both or none."
    units = features.attrs.get(RAW_UNITS)
    if units not in RAW_SCALES:
        yield (
            f"attribute '{RAW_UNITS}' is {units!r}: expected the units of '{present[0]}', "
            f"{' or '.join(RAW_SCALES)}."
        )
    values = {}
    for name in present:
        variable = features[name]
        if variable.dims != (FEATURE,):
            yield f"coordinate '{name}' has dims {variable.dims}: expected ('{FEATURE}',)."
        elif variable.dtype.kind != "f":
            yield f"coordinate '{name}' has dtype {variable.dtype}: expected float64."
        else:
            values[name] = variable.values
    if len(values) == 2:
        yield from _raw_value_problems(features, values[RAW_MEAN], values[RAW_SD])


def _raw_value_problems(features: xr.Dataset, mean: Floats, sd: Floats) -> Iterator[str]:
    # Features of a view without a raw scale have NaN in both.
    unknown = np.isnan(mean) & np.isnan(sd)
    for name, bad, expected in (
        (RAW_MEAN, ~np.isfinite(mean) & ~unknown, f"a finite value, or NaN with NaN in '{RAW_SD}'"),
        (RAW_SD, ~(np.isfinite(sd) & (sd > 0)) & ~unknown, "a finite value above 0"),
    ):
        if bad.any():
            yield (
                f"coordinate '{name}' is wrong for {int(bad.sum())} feature(s), "
                f"{some(features[FEATURE].values[bad]) if FEATURE in features.coords else ''}: "
                f"expected {expected}."
            )


def _row_problems(features: xr.Dataset, name: str, dims: tuple[str, ...]) -> Iterator[str]:
    variable = features[name]
    if variable.dims != dims:
        yield f"{name} has dims {variable.dims}: expected {dims}; rename or transpose it."
        return
    if variable.dtype.kind != "f":
        yield f"{name} has dtype {variable.dtype}: expected float; use .astype(float)."
        return
    partial = _partial_rows(variable.values)
    if partial.any():
        yield (
            f"{name} has missing or infinite values for part of the values of {int(partial.sum())} "
            f"subject(s), {_listed(features, partial)}: expected finite values, or NaN in all "
            "values of a subject."
        )


def _zero_problems(features: xr.Dataset, name: str) -> Iterator[str]:
    """Find differences that are zero: the same data were given twice."""
    values = features[name].values
    if features[name].dims != (SUBJECT, FEATURE) or values.shape[1] < LEAST_VALUES:
        return
    largest = np.abs(features["y"].values).max(axis=1)
    with np.errstate(invalid="ignore"):
        zero = np.abs(values).max(axis=1) <= ROUNDING * largest
    if zero.any():
        if name == HALF_DIFFERENCE and features.attrs.get("estimand") == "change":
            yield (
                f"{name} of the change is 0 in all features of {int(zero.sum())} subject(s), "
                f"{_listed(features, zero)}: the two sessions hold the same differences of halves, "
                "and reliability would seem perfect. Give each session the halves of its own scan, "
                "or NaN in all values of these subjects."
            )
            return
        what = "halves of the scan" if name == HALF_DIFFERENCE else "sessions"
        yield (
            f"{name} is 0 in all features of {int(zero.sum())} subject(s), "
            f"{_listed(features, zero)}: their two {what} hold the same data, and reliability "
            f"would seem perfect. Give different {what}, or NaN in all values of these subjects."
        )


def _repeated_pieces(features: xr.Dataset) -> Iterator[str]:
    """Find subjects whose pieces of the scan are all the same."""
    pieces = features[PIECES]
    if pieces.dims != (SUBJECT, PIECE, PAIR) or min(pieces.shape[1:]) < 2:
        return
    same = np.array([bool((own == own[0]).all()) for own in pieces.values])
    if same.any():
        yield (
            f"{PIECES} are all the same in {int(same.sum())} subject(s), "
            f"{_listed(features, same)}: expected consecutive pieces of one scan, or NaN in all "
            "values of a subject."
        )


def _listed(features: xr.Dataset, chosen: npt.NDArray[np.bool_]) -> str:
    at = np.flatnonzero(chosen)
    return some(features[SUBJECT].values[at] if SUBJECT in features.coords else at)


def _partial_rows(values: Floats) -> npt.NDArray[np.bool_]:
    """Mark subjects whose values are neither all finite nor all NaN."""
    partial = np.zeros(len(values), dtype=bool)
    for row, own in enumerate(values):  # one subject at a time: pieces can be large
        partial[row] = not (np.isfinite(own).all() or np.isnan(own).all())
    return partial


def _pair_problems(features: xr.Dataset) -> Iterator[str]:
    if features[PIECES].dims != (SUBJECT, PIECE, PAIR):
        return
    pieces, pairs = features.sizes[PIECE], features.sizes[PAIR]
    if pieces < 2:
        yield f"{PIECES} has {pieces} piece(s) per scan: expected at least 2."
    n = _n_regions(features)
    if n is None:
        yield (
            f"{PIECES} needs the regions of its pairs: add the coordinate '{REGION}', with one "
            "name per region in atlas order."
        )
    elif pairs != n * (n + 1) // 2:
        yield (
            f"{PIECES} has {pairs} pairs, but {n} regions have {n * (n + 1) // 2}: expected "
            f"numpy.triu_indices({n}), with the diagonal."
        )


def _n_regions(features: xr.Dataset) -> int | None:
    if REGION in features.dims:
        return int(features.sizes[REGION])
    if "region_a" in features.coords and "region_b" in features.coords:
        names = np.concatenate([features[n].values.astype(str) for n in ("region_a", "region_b")])
        return len(np.unique(names))
    return None
