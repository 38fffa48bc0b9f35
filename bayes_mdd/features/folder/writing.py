"""Writing of a feature set to a cohort folder, for `read_features`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import FEATURE, MISSING, REGION, SUBJECT
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.additions import DIFFERENCES, MEASURE, PIECES
from bayes_mdd.features.contract import check_features
from bayes_mdd.features.matrices import R
from bayes_mdd.files.folders import new_folder

_REFERENCE = "none"


def write_features(features: xr.Dataset, cohort: str | Path) -> Path:
    """Write a feature set into a cohort folder.

    Parameters
    ----------
    features : xarray.Dataset
        A feature set of one kind, as measured (not standardised). Differences between halves or
        sessions and pieces of the scans are written too.
    cohort : str or Path
        The cohort folder; its folder ``features/`` must be empty or missing.

    Returns
    -------
    Path
        The folder ``features/`` with ``features.npz``, ``regions.tsv`` and ``features.json``, and
        where there are such data ``half_difference.npz``, ``session_difference.npz`` and one
        ``<subject>_pieces.npy`` per subject.
        ``participants.tsv`` is not written.

    Raises
    ------
    DataContractError
        If the features violate the contract, are of several kinds, have no regions or are
        standardised, or the folder is not empty.
    WriteError
        If they cannot be written; nothing is left behind then.
    """
    check_features(features)
    folder = Path(cohort) / "features"
    problems = [*_kind_problems(features), *_folder_problems(folder)]
    if problems:
        raise DataContractError(str(folder), problems)
    with new_folder(folder) as work:
        _regions(features).to_csv(work / "regions.tsv", sep="\t", index=False, na_rep=MISSING)
        _write_table(features, "y", work / "features.npz")
        for name in DIFFERENCES:
            if name in features:
                _write_table(features, name, work / f"{name}.npz")
        if PIECES in features:
            _write_pieces(features, work)
        text = json.dumps(_facts(features), indent=2) + "\n"
        (work / "features.json").write_text(text, encoding="utf-8")
    return folder


def _write_table(features: xr.Dataset, name: str, path: Path) -> None:
    """Write the values of the subjects who have them."""
    values = features[name].values.astype(np.float64)
    known = ~np.isnan(values).all(axis=1)
    np.savez(
        path,
        subject=features[SUBJECT].values.astype(np.str_)[known],
        feature=features[FEATURE].values.astype(np.str_),
        values=values[known],
    )


def _write_pieces(features: xr.Dataset, folder: Path) -> None:
    for subject, pieces in zip(
        features[SUBJECT].values, features[PIECES].transpose(SUBJECT, ...).values, strict=True
    ):
        if not np.isnan(pieces).all():
            np.save(folder / f"{subject}_pieces.npy", pieces.astype(np.float32))


def _kind_problems(features: xr.Dataset) -> list[str]:
    problems = []
    kinds = sorted(set(features["kind"].values.tolist())) if "kind" in features.coords else []
    if len(kinds) != 1:
        problems.append(
            f"the features must be of one kind; found {some(kinds) or 'no coordinate kind'}. "
            "Extract one view with select_view."
        )
    if REGION not in features.coords or "region_network" not in features.coords:
        problems.append(
            "the features have no regions with networks: add the coordinates 'region' and "
            "'region_network'."
        )
    reference = str(features.attrs.get("reference", _REFERENCE))
    if not reference.startswith(_REFERENCE):
        problems.append(
            f"the features are already standardised ({reference}): write the features as measured."
        )
    if str(features.attrs.get("units")) == R and any(n in features for n in DIFFERENCES):
        problems.append(
            "differences of correlations (r) cannot be read back as Fisher z: measure the features "
            "with Fisher z, or drop half_difference and session_difference."
        )
    return problems


def _folder_problems(folder: Path) -> list[str]:
    if folder.exists() and any(folder.iterdir()):
        return ["the folder is not empty: choose another cohort folder."]
    return []


def _regions(features: xr.Dataset) -> pd.DataFrame:
    columns: dict[str, Any] = {
        "region": features[REGION].values.astype(np.str_),
        "network": features["region_network"].values.astype(np.str_),
    }
    for name in ("x", "y", "z", "hemisphere", "label"):
        if f"region_{name}" in features.coords:
            columns[name] = features[f"region_{name}"].values
    return pd.DataFrame(columns)


def _facts(features: xr.Dataset) -> dict[str, Any]:
    """Kind, measure and units of the features, with their provenance."""
    text = str(features.attrs.get("provenance", "")) or "{}"
    try:
        provenance = json.loads(text)
    except json.JSONDecodeError:
        provenance = {"source": text}
    facts = {
        "kind": str(features["kind"].values[0]),
        "measure": features.attrs.get(MEASURE, provenance.get("measure")),
        "estimator": provenance.get("estimator"),
        "units": str(features.attrs.get("units", "not stated")),
        "source": "table",
        "order": "regions.tsv" if PIECES in features else None,
        "estimand": features.attrs.get("estimand"),
        "without_features": provenance.get("without_features"),
        "provenance": provenance,
    }
    return {key: value for key, value in facts.items() if value is not None}
