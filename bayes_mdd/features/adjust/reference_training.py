"""Standardisation of new subjects relative to the reference subjects of an earlier cohort."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import xarray as xr

from bayes_mdd.dims import ARM, DIAGNOSIS, FEATURE, MISSING, SUBJECT
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.additions import DIFFERENCES, RAW_MEAN, RAW_SD, RAW_UNITS
from bayes_mdd.features.adjust.reference import reference_to_controls
from bayes_mdd.parallel.blas import one_blas_thread


@one_blas_thread()
def reference_to_training(
    features: xr.Dataset,
    training: xr.Dataset,
    covariates: Sequence[str] = (),
    *,
    group: Literal["controls", "patients"] | None = None,
) -> xr.Dataset:
    """Standardise new subjects relative to the reference subjects of another cohort.

    The regression that `reference_to_controls` fits in `training` is applied to `features`. The new
    subjects, including their controls, do not affect it.

    Parameters
    ----------
    features : xarray.Dataset
        Feature set of the new subjects, as measured.
    training : xarray.Dataset
        Feature set of the earlier cohort, as measured.
    covariates : sequence of str, optional
        Covariates that were removed from the earlier cohort.
    group : {"controls", "patients"}, optional
        Reference subjects of the earlier cohort, see `reference_to_controls`.

    Returns
    -------
    xarray.Dataset
        `features` with ``y`` in units of the earlier cohort, in its order of features, and with its
        attributes ``units``, ``reference`` and ``provenance``. ``raw_mean`` and ``raw_sd`` are
        those of the earlier cohort; differences between halves or sessions are divided by its SD.

    Raises
    ------
    DataContractError
        If features or covariates are missing, units differ, or a level of a covariate is unknown.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> def cohort(n, arm):
    ...     return xr.Dataset(
    ...         {"y": (("subject", "feature"), rng.normal(size=(n, 1)))},
    ...         {"subject": [f"s{i}" for i in range(n)], "feature": ["a--b"],
    ...          "block": ("feature", ["N-N"]), "arm": ("subject", [arm] * n)},
    ...         {"units": "fisher_z"})
    >>> new, training = cohort(2, "n/a"), cohort(9, "SSRI")
    >>> reference_to_training(new, training, group="patients").attrs["reference"]
    'z within 9 patients with a known arm (no controls)'
    """
    problems = _problems(features, training, covariates)
    if problems:
        raise DataContractError("new features and reference of training", problems)
    new = features.sel({FEATURE: training[FEATURE].values})
    n = new.sizes[SUBJECT]
    y = np.concatenate(
        [d["y"].transpose(SUBJECT, FEATURE).values.astype(float) for d in (training, new)]
    )
    # New subjects enter as patients without an arm, who are never part of a reference.
    coords: dict[str, object] = {
        SUBJECT: [*training[SUBJECT].values.astype(str), *(f"new {i + 1}" for i in range(n))],
        FEATURE: training[FEATURE].values,
        "block": training["block"].variable,
        ARM: (SUBJECT, np.array([*training[ARM].values.astype(str), *[MISSING] * n], dtype=object)),
    }
    if DIAGNOSIS in training.coords:
        diagnoses = training[DIAGNOSIS].values.astype(str)
        coords[DIAGNOSIS] = (SUBJECT, np.array([*diagnoses, *[MISSING] * n], dtype=object))
    for name in covariates:
        coords[name] = (SUBJECT, np.concatenate([training[name].values, new[name].values]))
    for name in ("units", RAW_MEAN, RAW_SD):  # the raw scale of the earlier cohort
        if name in training.coords:
            coords[name] = training[name].variable
    empty = np.full((training.sizes[SUBJECT], y.shape[1]), np.nan)
    variables = {"y": y} | {
        name: np.concatenate([empty, new[name].values]) for name in DIFFERENCES if name in new
    }
    both = xr.Dataset(
        {name: ((SUBJECT, FEATURE), values) for name, values in variables.items()},
        coords,
        training.attrs,
    )
    z = reference_to_controls(both, covariates, group=group)
    out = new.drop_vars([RAW_MEAN, RAW_SD], errors="ignore").assign_coords(
        {name: (FEATURE, z[name].values) for name in (RAW_MEAN, RAW_SD) if name in z.coords}
    )
    out.attrs.pop(RAW_UNITS, None)
    own = {name: ((SUBJECT, FEATURE), z[name].values[-n:]) for name in variables}
    return out.assign(own).assign_attrs(z.attrs)


def _problems(features: xr.Dataset, training: xr.Dataset, covariates: Sequence[str]) -> list[str]:
    problems = []
    found, expected = (set(d[FEATURE].values.astype(str)) for d in (features, training))
    if lacking := sorted(expected - found):
        problems.append(f"{len(lacking)} feature(s) of training are missing: {some(lacking)}.")
    if extra := sorted(found - expected):
        problems.append(f"{len(extra)} feature(s) are not in training: {some(extra)}.")
    units = [str(d.attrs.get("units", "not stated")) for d in (features, training)]
    if units[0] != units[1]:
        problems.append(f"units are '{units[0]}', but '{units[1]}' in training.")
    for name, data in (("the new subjects", features), ("training", training)):
        absent = [c for c in covariates if c not in data.coords or data[c].dims != (SUBJECT,)]
        if absent:
            problems.append(f"covariate(s) {some(absent)} are missing in {name}.")
    return problems
