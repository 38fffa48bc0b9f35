"""Tables of what enters a fit: columns of the participants, and features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import ARM, BLOCK, DIAGNOSIS, FEATURE, MISSING, SUBJECT
from bayes_mdd.errors import some
from bayes_mdd.features.roles import mark_fitted, participants_of

KIND = "kind"


def tabulate_columns(
    features: xr.Dataset,
    *,
    model: Sequence[str] = (),
    reference: Sequence[str] = (),
    symptoms: pd.DataFrame | None = None,
    linked: Sequence[str] = (),
) -> pd.DataFrame:
    """Tabulate the columns of the participants and how each enters a fit.

    Parameters
    ----------
    features : xarray.Dataset
        A feature set.
    model, reference : sequence of str
        Covariates of the model, and covariates removed with the reference subjects.
    symptoms : pandas.DataFrame, optional
        Symptoms by participant.
    linked : sequence of str
        Symptoms that the model links.

    Returns
    -------
    pandas.DataFrame
        ``column``; ``used_in`` ("model", "reference", "model, reference", "symptom link" or "not
        used"); ``enters_as`` ("slope", "levels", "score" or "n/a"); ``values`` (range of numbers,
        levels of text); ``missing`` (number of participants with features, for symptoms of fitted
        participants, without a value).

    Examples
    --------
    >>> subjects = {"subject": ["s1", "s2"], "arm": ("subject", ["A", "A"]),
    ...             "age": ("subject", [31.0, 42.0]), "sex": ("subject", ["F", "n/a"])}
    >>> tabulate_columns(xr.Dataset(coords=subjects), model=["age"]).values.tolist()
    [['age', 'model', 'slope', '31 to 42', 0], ['sex', 'not used', 'n/a', 'F', 1]]
    """
    table = participants_of(features)
    rows = []
    for name in table.columns.drop([ARM, DIAGNOSIS], errors="ignore"):
        uses = [use for use, names in (("model", model), ("reference", reference)) if name in names]
        numeric = pd.api.types.is_numeric_dtype(table[name])
        how = "n/a"
        if uses:
            how = "slope" if numeric else "levels"
        rows.append((str(name), ", ".join(uses) or "not used", how, *_describe(table[name])))
    if symptoms is not None:
        fitted = features[SUBJECT].values.astype(str)[mark_fitted(features)[0]]
        for name in symptoms.columns:
            use = "symptom link" if name in linked else "not used"
            how = "score" if name in linked else "n/a"
            rows.append((str(name), use, how, *_describe(symptoms[name].reindex(fitted))))
    return pd.DataFrame(rows, columns=["column", "used_in", "enters_as", "values", "missing"])


def _describe(column: pd.Series[Any]) -> tuple[str, int]:
    """Range or levels of a column, and the number of missing values."""
    if pd.api.types.is_numeric_dtype(column):
        known = column[np.isfinite(column.astype(float))].astype(float)
        text = f"{known.min():g} to {known.max():g}" if len(known) else MISSING
        return text, len(column) - len(known)
    known = column[(column != MISSING) & column.notna() & (column != "")]
    levels = sorted(map(str, set(known)))
    return some(levels, 6) or MISSING, len(column) - len(known)


def tabulate_features(features: xr.Dataset) -> pd.DataFrame:
    """Count the features of each block.

    Parameters
    ----------
    features : xarray.Dataset
        A feature set.

    Returns
    -------
    pandas.DataFrame
        One row per kind and block: ``kind``, ``block``, ``features`` (number).

    Examples
    --------
    >>> features = xr.Dataset(coords={"feature": ["a", "b"], "block": ("feature", ["X", "X"])})
    >>> tabulate_features(features).values.tolist()
    [['n/a', 'X', 2]]
    """
    n = features.sizes[FEATURE]
    kinds = features[KIND].values.astype(str) if KIND in features.coords else [MISSING] * n
    table = pd.DataFrame({KIND: kinds, BLOCK: features[BLOCK].values.astype(str)})
    counts = table.groupby([KIND, BLOCK], sort=False).size().rename("features")
    return counts.reset_index()
