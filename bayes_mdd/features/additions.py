"""Optional additions to a feature set: raw scale, differences within subjects, pieces of scans."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from bayes_mdd.dims import FEATURE, PAIR, PIECE, SUBJECT
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

#: Units with a raw scale.
RAW_SCALES = (FISHER_Z, R)
_DIMS = {**dict.fromkeys(DIFFERENCES, (FEATURE,)), PIECES: (PIECE, PAIR)}


def add_rows(features: xr.Dataset, parts: Mapping[str, Mapping[str, Any]]) -> xr.Dataset:
    """Add differences and pieces, given as one array per subject.

    Parameters
    ----------
    features : xarray.Dataset
        A feature set.
    parts : mapping of str to mapping
        By name of the addition: arrays by subject, of equal shape. Subjects without one get NaN.

    Returns
    -------
    xarray.Dataset
        With the data variables; unchanged if there are no parts. Pieces are float32.
    """
    subjects = [str(s) for s in features[SUBJECT].values]
    variables = {}
    for name, rows in parts.items():
        if not rows:
            continue
        shape = np.shape(next(iter(rows.values())))
        kind = np.float32 if name == PIECES else np.float64
        values = np.full((len(subjects), *shape), np.nan, dtype=kind)
        for i, subject in enumerate(subjects):
            if subject in rows:
                values[i] = rows[subject]
        variables[name] = ((SUBJECT, *_DIMS[name]), values)
    return features.assign(variables) if variables else features


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
    raw = np.isin(units, RAW_SCALES)
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
