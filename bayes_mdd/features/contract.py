"""The feature contract and its checker, which reports all violations in one error."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from bayes_mdd.dims import ARM, BLOCK, CONTROL, DIAGNOSIS, FEATURE, MISSING, REGION, SITE, SUBJECT
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.addition_checks import addition_problems

#: Smallest number of subjects of a feature set.
MIN_SUBJECTS = 3
#: A feature is constant if its range is below this fraction of its magnitude.
CONSTANT_TOLERANCE = 1e-12

type Values = npt.NDArray[np.floating[Any]]


def check_features(features: xr.Dataset) -> None:
    """Check the feature contract and raise one error that lists all violations.

    Parameters
    ----------
    features : xarray.Dataset
        ``y`` (subject, feature), float and finite; on ``subject`` the coordinate ``arm`` (text,
        ``n/a`` for subjects without an arm, never ``HC``); on ``feature`` the coordinate ``block``
        (text). Names of subjects and features are unique text. There are at least 3 subjects, and
        each feature varies across all subjects and, if at least 3 subjects have an arm, across
        these.

    Raises
    ------
    DataContractError
        If the contract is violated. Each problem says which subjects or features are concerned,
        what was expected and what to do.

    Notes
    -----
    A feature set may have these additions, which are checked too:

    - ``raw_mean``, ``raw_sd`` (coordinates of the features): mean of each feature in the reference
      subjects before standardisation, and the SD by which it was divided
      (`reference_to_controls`), so that ``y = (raw - raw_mean - covariates) / raw_sd``. Their units
      are the attribute ``raw_units`` (``fisher_z`` or ``r``). Features without a raw scale (of
      other views) have NaN in both. Of a change between sessions, ``raw_mean`` is the mean at
      baseline.
    - ``half_difference`` (subject, feature): (first half of the scan - second half) / 2 of the raw
      measure, divided by ``raw_sd`` if ``y`` is standardised; it is not centred, and no covariates
      are removed. NaN for subjects without halves.
    - ``session_difference`` (subject, feature): (this session - other session) / 2 in the same
      units. NaN for subjects without the other session.
    - ``pieces`` (subject, piece, pair), usually float32: products ``x' x / T`` of equal consecutive
      pieces of the scan (T volumes each), where x is the series (time, region) standardised over
      the scan. Pairs are in the order of ``numpy.triu_indices(R)`` for R regions, with the
      diagonal. The mean over pieces is the correlation matrix. NaN for subjects without series.
    - ``measure`` (attribute): measure of connectivity, e.g. ``correlation``.

    Examples
    --------
    >>> check_features(xr.Dataset())
    Traceback (most recent call last):
    ...
    bayes_mdd.errors.DataContractError: features: 1 problem(s)
      1. there is no variable y: expected y (subject, feature).
    """
    problems = list(_structure(features))
    if not problems:
        problems = [
            *_axis(features, SUBJECT),
            *_axis(features, FEATURE),
            *_text(features, ARM, SUBJECT),
            *_arm_names(features),
            *_text(features, BLOCK, FEATURE),
            *_optional(features),
            *_values(features),
            *addition_problems(features),
        ]
    if problems:
        raise DataContractError("features", problems)


def _structure(features: object) -> Iterator[str]:
    if not isinstance(features, xr.Dataset):
        yield (
            f"got {type(features).__name__}: expected an xarray.Dataset with the variable y "
            "(subject, feature), as read_features returns it."
        )
    elif "y" not in features.data_vars:
        yield "there is no variable y: expected y (subject, feature)."
    elif features["y"].dims != (SUBJECT, FEATURE):
        yield (
            f"y has dims {features['y'].dims}: expected ('{SUBJECT}', '{FEATURE}'); "
            "rename or transpose it."
        )
    elif not features["y"].size:
        yield (
            f"y is empty ({features.sizes[SUBJECT]} subjects, {features.sizes[FEATURE]} features)."
        )


def _axis(features: xr.Dataset, dim: str) -> Iterator[str]:
    if dim not in features.coords:
        yield f"the {dim}s have no names: add the coordinate '{dim}'."
        return
    names = features[dim].values
    if not _is_text(names):
        yield f"the names of the {dim}s have dtype {names.dtype}: expected text; use .astype(str)."
    unique, count = np.unique(names.astype(str), return_counts=True)
    if (count > 1).any():
        yield f"names of {dim}s must be unique; repeated: {some(unique[count > 1])}."


def _text(features: xr.Dataset, name: str, dim: str) -> Iterator[str]:
    if name not in features.coords:
        yield _missing_coordinate(features, name, dim)
        return
    if features[name].dims != (dim,):
        yield f"coordinate '{name}' has dims {features[name].dims}: expected ('{dim}',)."
        return
    values = features[name].values
    if not _is_text(values):
        bad = [v for v in values.ravel().tolist() if not isinstance(v, str)]
        yield (
            f"coordinate '{name}' must be text; found {some(dict.fromkeys(map(repr, bad)))}. "
            f"Write '{MISSING}' for missing values."
        )
        return
    blank = np.strings.strip(values.astype(str)) == ""
    if name == BLOCK:
        blank |= values.astype(str) == MISSING
    if blank.any():
        yield f"coordinate '{name}' is blank for {_named(features, dim, blank)}: fill it in."


def _arm_names(features: xr.Dataset) -> Iterator[str]:
    """Find arms called like the controls, which results could not tell from them."""
    if ARM not in features.coords or features[ARM].dims != (SUBJECT,):
        return
    arm = features[ARM].values.astype(str)
    if (arm == CONTROL).any():
        yield (
            f"arm '{CONTROL}' of {_named(features, SUBJECT, arm == CONTROL)} is the diagnosis of "
            f"healthy controls: rename the arm, or write '{MISSING}' as the arm of controls."
        )


def _missing_coordinate(features: xr.Dataset, name: str, dim: str) -> str:
    found = [str(c) for c, v in features.coords.items() if v.dims == (dim,) and str(c) != dim]
    if name == ARM:
        return (
            f"participants.tsv has no column '{ARM}' (coordinate of the subjects); found "
            f"{some(found, 12) or 'no columns'}. Rename the column that holds the treatment arm "
            f"to '{ARM}'."
        )
    return (
        f"there is no coordinate '{name}' on '{dim}'; found {some(found, 12) or 'none'}. Add it, "
        f"with one text per {dim}."
    )


def _optional(features: xr.Dataset) -> Iterator[str]:
    for name in (DIAGNOSIS, SITE):
        if name in features.coords:
            yield from _text(features, name, SUBJECT)
    on_features = ("region_a", "region_b", "network_a", "network_b", "kind", "network")
    for name in on_features:
        if name in features.coords and features[name].dims != (FEATURE,):
            yield f"coordinate '{name}' has dims {features[name].dims}: expected ('{FEATURE}',)."
    if REGION in features.dims and REGION in features.coords:
        yield from _axis(features, REGION)


def _values(features: xr.Dataset) -> Iterator[str]:
    y = features["y"].values
    if y.dtype.kind != "f" or y.dtype.itemsize < 4:
        yield f"y has dtype {y.dtype}: expected float64 (or float32); use .astype(float)."
        if y.dtype.kind not in "fiu":
            return
    if len(y) < MIN_SUBJECTS:
        yield f"there are {len(y)} subject(s): expected at least {MIN_SUBJECTS}."
    finite = np.isfinite(y)
    if not finite.all():
        in_subjects = _named(features, SUBJECT, ~finite.all(axis=1))
        in_features = _named(features, FEATURE, ~finite.all(axis=0))
        yield (
            f"y has {int((~finite).sum())} missing or infinite value(s): subjects {in_subjects}; "
            f"features {in_features}. Exclude these subjects or these features."
        )
    if len(y) >= MIN_SUBJECTS:
        yield from _constant(features, y, finite.all(axis=0))


def _constant(features: xr.Dataset, y: Values, usable: npt.NDArray[np.bool_]) -> Iterator[str]:
    in_all = constant_features(y) & usable
    if in_all.any():
        yield (
            f"{int(in_all.sum())} feature(s) have the same value in all {len(y)} subjects: "
            f"{_named(features, FEATURE, in_all)}. Exclude them."
        )
    if ARM not in features.coords or features[ARM].dims != (SUBJECT,):
        return
    treated = features[ARM].values.astype(str) != MISSING
    if MIN_SUBJECTS <= treated.sum() < len(y):
        in_treated = constant_features(y[treated]) & usable & ~in_all
        if in_treated.any():
            yield (
                f"{int(in_treated.sum())} feature(s) have the same value in all "
                f"{int(treated.sum())} subjects with an arm: "
                f"{_named(features, FEATURE, in_treated)}. Exclude them."
            )


def constant_features(y: Values) -> npt.NDArray[np.bool_]:
    """Mark the features that do not vary across subjects.

    Parameters
    ----------
    y : numpy.ndarray, shape (subject, feature)
        Values of the features.

    Returns
    -------
    numpy.ndarray of bool, shape (feature,)
        True where the range does not exceed rounding error; False where a value is not finite.
    """
    low, high = y.min(axis=0), y.max(axis=0)
    with np.errstate(invalid="ignore"):
        flat: npt.NDArray[np.bool_] = high - low <= CONSTANT_TOLERANCE * np.maximum(
            np.abs(low), np.abs(high)
        )
    return flat


def _named(features: xr.Dataset, dim: str, chosen: npt.NDArray[np.bool_]) -> str:
    positions = np.flatnonzero(chosen)
    names: list[Hashable] = (
        list(features[dim].values[positions]) if dim in features.coords else list(positions)
    )
    return some(names)


def _is_text(values: npt.NDArray[Any]) -> bool:
    # Strings of pandas 3 have a variable-length dtype; those of netCDF are fixed-length or object.
    if values.dtype.kind in "UT":
        return True
    return values.dtype == object and all(isinstance(v, str) for v in values.ravel())
