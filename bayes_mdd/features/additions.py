"""Optional additions to a feature set: raw scale, differences within subjects, pieces of scans."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import xarray as xr

from bayes_mdd.dims import FEATURE, PAIR, PIECE, REGION, SUBJECT
from bayes_mdd.errors import some
from bayes_mdd.features.loading import Floats
from bayes_mdd.features.matrices import FISHER_Z, R
from bayes_mdd.features.provenance import extend_provenance

#: Coordinates of the features: mean in the reference subjects and SD before standardisation.
RAW_MEAN, RAW_SD = "raw_mean", "raw_sd"
#: Attribute: units before standardisation.
RAW_UNITS = "raw_units"
#: Attribute: measure of connectivity, e.g. "correlation".
MEASURE = "measure"
#: Half the difference between the halves of a scan, and between two sessions.
HALF_DIFFERENCE, SESSION_DIFFERENCE = "half_difference", "session_difference"
DIFFERENCES = (HALF_DIFFERENCE, SESSION_DIFFERENCE)
#: Products of the standardised series in consecutive pieces of the scan.
PIECES = "pieces"
#: Names that columns of participants.tsv must not have.
NAMES = (RAW_MEAN, RAW_SD, *DIFFERENCES, PIECES, PIECE, PAIR)

_RAW_UNITS = (FISHER_Z, R)


def standardise_additions(features: xr.Dataset, centre: Floats, sd: Floats) -> xr.Dataset:
    """Apply the scale of a standardisation to the additions of a feature set.

    Parameters
    ----------
    features : xarray.Dataset
        A feature set with its units before the standardisation.
    centre, sd : numpy.ndarray, shape (feature,)
        Mean of the features in the reference subjects, and the SD by which they are divided.

    Returns
    -------
    xarray.Dataset
        The feature set with ``raw_mean``, ``raw_sd`` and ``raw_units`` where the units were Fisher
        z or r, or where an earlier standardisation set them; differences divided by `sd`; pieces
        and ``y`` unchanged. The mean of a change between sessions stays that of the baseline.
        ``provenance`` records the raw scale.
    """
    scaled = {
        name: ((SUBJECT, FEATURE), features[name].values.astype(np.float64) / sd)
        for name in DIFFERENCES
        if name in features
    }
    out = features.assign(scaled)
    known = _raw_scale(features)
    if known is None:
        return out
    mean, scale, units = known
    if features.attrs.get("estimand") != "change":
        mean = mean + scale * centre
    words = f"raw_mean and raw_sd are mean and SD of the reference subjects in {units}"
    if features.attrs.get("estimand") == "change":
        words += "; the mean is that at baseline"
    return out.assign_coords(
        {RAW_MEAN: (FEATURE, mean), RAW_SD: (FEATURE, scale * sd)}
    ).assign_attrs(
        {
            RAW_UNITS: units,
            "provenance": extend_provenance(features.attrs.get("provenance"), raw_scale=words),
        }
    )


def _raw_scale(features: xr.Dataset) -> tuple[Floats, Floats, str] | None:
    """Mean, SD and units of the features so far (0 and 1 as measured); NaN where not known."""
    if RAW_SD in features.coords and RAW_MEAN in features.coords:
        mean, sd = (features[n].values.astype(np.float64) for n in (RAW_MEAN, RAW_SD))
        return mean, sd, str(features.attrs.get(RAW_UNITS))
    if features.attrs.get("estimand") == "change":
        return None
    n = features.sizes[FEATURE]
    units = (
        features["units"].values.astype(str)
        if "units" in features.coords and features["units"].dims == (FEATURE,)
        else np.full(n, str(features.attrs.get("units")))
    )
    raw = np.isin(units, _RAW_UNITS)
    found = np.unique(units[raw])
    if len(found) != 1 or features.attrs.get("units") == "z":
        return None
    return np.where(raw, 0.0, np.nan), np.where(raw, 1.0, np.nan), str(found[0])


def drop_additions(features: xr.Dataset, names: Sequence[str], reason: str) -> xr.Dataset:
    """Remove additions that a transformation invalidates, and record why.

    Parameters
    ----------
    features : xarray.Dataset
        A feature set.
    names : sequence of str
        Additions to remove; those that the feature set lacks are ignored.
    reason : str
        Sentence for ``provenance``.

    Returns
    -------
    xarray.Dataset
        The feature set without them; unchanged if it has none of them.
    """
    present = [name for name in names if name in features]
    if not present:
        return features
    out = features.drop_vars(present)
    if PIECES in present:
        out = out.drop_dims([d for d in (PIECE, PAIR) if d in out.dims])
    if RAW_SD in present:
        out.attrs.pop(RAW_UNITS, None)
    return out.assign_attrs(provenance=left_out_additions(features, present, reason))


def left_out_additions(features: xr.Dataset, names: Sequence[str], reason: str) -> str:
    """Add to a provenance text why additions were left out.

    Parameters
    ----------
    features : xarray.Dataset
        A feature set with these additions.
    names : sequence of str
        Additions; those that the feature set lacks are ignored.
    reason : str
        The reason.

    Returns
    -------
    str
        JSON text; key ``additions_left_out``. Unchanged if there are none of them.
    """
    present = {name: reason for name in names if name in features}
    text = features.attrs.get("provenance")
    if not present:
        return extend_provenance(text)
    known = json.loads(extend_provenance(text)).get("additions_left_out", {})
    return extend_provenance(text, additions_left_out=known | present)


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
    if PIECES in features:
        yield from _row_problems(features, PIECES, (SUBJECT, PIECE, PAIR))
        yield from _pair_problems(features)
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
    if units not in _RAW_UNITS:
        yield (
            f"attribute '{RAW_UNITS}' is {units!r}: expected the units of '{present[0]}', "
            f"{' or '.join(_RAW_UNITS)}."
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
        listed = (
            some(features[SUBJECT].values[partial])
            if SUBJECT in features.coords
            else some(np.flatnonzero(partial))
        )
        yield (
            f"{name} has missing or infinite values for part of the values of {int(partial.sum())} "
            f"subject(s), {listed}: expected finite values, or NaN in all values of a subject."
        )


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
