"""New people against the reference people of an earlier cohort."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from bayes_mdd.dims import ARM, DIAGNOSIS, FEATURE, MISSING, SUBJECT
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.adjust.reference import reference_to_controls


def reference_to_training(
    features: xr.Dataset, training: xr.Dataset, covariates: Sequence[str] = ()
) -> xr.Dataset:
    """Express new people in standard deviations of the reference people of another cohort.

    The same regression as `reference_to_controls` makes of `training` is applied to `features`:
    new people, their controls included, do not change it.

    Parameters
    ----------
    features : Dataset
        FeatureSet of the new people, as read.
    training : Dataset
        FeatureSet of the earlier cohort, as read.
    covariates : sequence of str, optional
        What was removed there.

    Returns
    -------
    Dataset
        `features` with y in the unit of the earlier cohort, in its order of features, and the
        attributes ``units``, ``reference`` and ``provenance`` of the earlier cohort.

    Raises
    ------
    DataContractError
        If features or covariates are missing, units differ, or a level of a covariate is unknown.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> def people(n, arm):
    ...     return xr.Dataset(
    ...         {"y": (("subject", "feature"), rng.normal(size=(n, 1)))},
    ...         {"subject": [f"s{i}" for i in range(n)], "feature": ["a--b"],
    ...          "block": ("feature", ["N-N"]), "arm": ("subject", [arm] * n)},
    ...         {"units": "fisher_z"})
    >>> reference_to_training(people(2, "n/a"), people(9, "SSRI")).attrs["reference"]
    'z within 9 patients with a known arm (no controls)'
    """
    problems = _problems(features, training, covariates)
    if problems:
        raise DataContractError("new features against the reference of training", problems)
    new = features.sel({FEATURE: training[FEATURE].values})
    n = new.sizes[SUBJECT]
    y = np.concatenate(
        [d["y"].transpose(SUBJECT, FEATURE).values.astype(float) for d in (training, new)]
    )
    # As patients without an arm, new people are never part of a reference.
    coords: dict[str, object] = {
        SUBJECT: [*training[SUBJECT].values.astype(str), *(f"new {i + 1}" for i in range(n))],
        FEATURE: training[FEATURE].values,
        "block": training["block"].variable,
        ARM: (SUBJECT, np.array([*training[ARM].values.astype(str), *[MISSING] * n], dtype=object)),
    }
    if DIAGNOSIS in training.coords:
        known = training[DIAGNOSIS].values.astype(str)
        coords[DIAGNOSIS] = (SUBJECT, np.array([*known, *["new"] * n], dtype=object))
    for name in covariates:
        coords[name] = (SUBJECT, np.concatenate([training[name].values, new[name].values]))
    together = xr.Dataset({"y": ((SUBJECT, FEATURE), y)}, coords, training.attrs)
    done = reference_to_controls(together, covariates)
    return new.assign(y=((SUBJECT, FEATURE), done["y"].values[-n:])).assign_attrs(done.attrs)


def _problems(features: xr.Dataset, training: xr.Dataset, covariates: Sequence[str]) -> list[str]:
    problems = []
    known, wanted = (set(d[FEATURE].values.astype(str)) for d in (features, training))
    if lacking := sorted(wanted - known):
        problems.append(f"{len(lacking)} feature(s) of training are missing: {some(lacking)}.")
    if extra := sorted(known - wanted):
        problems.append(f"{len(extra)} feature(s) are not in training: {some(extra)}.")
    units = [str(d.attrs.get("units", "not stated")) for d in (features, training)]
    if units[0] != units[1]:
        problems.append(f"units are '{units[0]}', those of training '{units[1]}'.")
    for who, data in (("new people", features), ("training", training)):
        absent = [c for c in covariates if c not in data.coords or data[c].dims != (SUBJECT,)]
        if absent:
            problems.append(f"covariate(s) {some(absent)} are not known of {who}.")
    return problems
