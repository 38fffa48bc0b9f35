"""Features that subjects lack or that do not vary: refused, or left out and listed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from bayes_mdd.dims import ARM, FEATURE, MISSING, SUBJECT
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.contract import MIN_SUBJECTS, constant_features
from bayes_mdd.features.derivatives.hints import setting_hint
from bayes_mdd.features.provenance import extend_provenance
from bayes_mdd.specs.derivatives import DerivativesSpec
from bayes_mdd.types import BoolArray


def treat_gaps(features: xr.Dataset, spec: DerivativesSpec) -> xr.Dataset:
    """Leave out features that subjects lack or that do not vary, or refuse them.

    Parameters
    ----------
    features : xarray.Dataset
        A feature set that may have missing values.
    spec : DerivativesSpec
        ``missing_features`` and ``constant_features``.

    Returns
    -------
    xarray.Dataset
        Without these features, which are listed in ``provenance``.

    Raises
    ------
    DataContractError
        If there are such features and the spec does not leave them out; the message names the
        setting that does.
    """
    y = features["y"].values
    lacking: BoolArray = ~np.isfinite(y).all(axis=0)
    constant = _constant_in_all_or_treated(features) & ~lacking
    drop = np.zeros(len(lacking), dtype=bool)
    problems: list[str] = []
    if lacking.any():
        if spec.drops("missing_features"):
            drop |= lacking
        else:
            problems.append(_lacking_problem(features, lacking))
    if constant.any() and len(y) > 1:
        if spec.drops("constant_features"):
            drop |= constant
        else:
            problems.append(_constant_problem(features, constant))
    if problems:
        raise DataContractError("features", problems)
    if not drop.any() or drop.all():  # all: reported by the check of the feature set
        return features
    names = features[FEATURE].values
    listed: dict[str, Sequence[str]] = {
        "features_missing_in_somebody": names[drop & lacking].tolist(),
        "features_without_variation": names[drop & constant].tolist(),
    }
    text = extend_provenance(features.attrs["provenance"], **{k: v for k, v in listed.items() if v})
    return features.isel({FEATURE: ~drop}).assign_attrs(provenance=text)


def _constant_in_all_or_treated(features: xr.Dataset) -> BoolArray:
    """Features without variation in all subjects, or in those with an arm, who are fitted."""
    y = features["y"].values
    constant: BoolArray = constant_features(y)
    if ARM in features.coords:
        treated = features[ARM].values.astype(str) != MISSING
        if MIN_SUBJECTS <= treated.sum() < len(y):
            constant = constant | constant_features(y[treated])
    return constant


def _lacking_problem(features: xr.Dataset, lacking: BoolArray) -> str:
    gaps = ~np.isfinite(features["y"].values)
    subjects = features[SUBJECT].values[gaps.any(axis=1)]
    names = features[FEATURE].values[lacking]
    return (
        f"{int(gaps.sum())} missing value(s): subjects {some(subjects)}; features {some(names)}. "
        "Exclude these participants or, to leave out these features for all participants, set "
        f"{setting_hint('missing_features', 'drop')}."
    )


def _constant_problem(features: xr.Dataset, constant: BoolArray) -> str:
    names = features[FEATURE].values[constant]
    return (
        f"{len(names)} feature(s) have the same value in all participants (or in all with an arm): "
        f"{some(names)}. To leave them out, set {setting_hint('constant_features', 'drop')}."
    )
