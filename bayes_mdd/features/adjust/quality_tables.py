"""Tables behind the quality checks: motion and outliers, silent regions, QC-FC, sites."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from bayes_mdd.dims import FEATURE, SITE, SUBJECT
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.adjust.motion import BINS, correlate_with_motion
from bayes_mdd.features.adjust.reference import reference_to_controls
from bayes_mdd.features.loading import Floats
from bayes_mdd.specs import QualitySpec


def summarise_subjects(
    features: xr.Dataset, group: npt.NDArray[np.str_], motion: Floats, spec: QualitySpec
) -> pd.DataFrame:
    """Summarise motion and outliers of each subject.

    Parameters
    ----------
    features : xarray.Dataset
        A feature set; it is standardised here unless it already is.
    group : numpy.ndarray of str
        Group of each subject.
    motion : numpy.ndarray
        In mm, NaN where missing.
    spec : QualitySpec
        Thresholds.

    Returns
    -------
    pandas.DataFrame
        See ``Quality.subjects``; values are in SD of the reference subjects.
    """
    y = features["y"].values
    if features.attrs.get("units") != "z":
        try:
            y = reference_to_controls(features)["y"].values
        except DataContractError:  # raised again when the features are standardised for the fit
            y = np.full(features["y"].shape, np.nan)
    size = np.where(np.isfinite(y), np.abs(y), -1.0)
    at = size.argmax(axis=1)
    largest = size[np.arange(len(size)), at]
    return pd.DataFrame(
        {
            "subject": features[SUBJECT].values.astype(str),
            "group": group,
            "motion": motion,
            "outliers": (size > spec.outlier_z).sum(axis=1),
            "largest_z": np.where(largest >= 0, largest, np.nan),
            "at": features[FEATURE].values.astype(str)[at],
        }
    )


def find_silent_regions(raw: xr.Dataset) -> pd.DataFrame:
    """Find regions of which all features are 0 or missing in at least one subject.

    Parameters
    ----------
    raw : xarray.Dataset
        A feature set, as measured.

    Returns
    -------
    pandas.DataFrame
        See ``Quality.regions``.
    """
    y = raw["y"].values
    void = ~np.isfinite(y) | (y == 0)
    subjects = raw[SUBJECT].values.astype(str)
    columns = [c for c in ("region_a", "region_b") if c in raw.coords]
    columns = columns if len(columns) == 2 else [c for c in ("region_name",) if c in raw.coords]
    rows = []
    if columns and void.any():
        regions = np.stack([raw[c].values.astype(str) for c in columns])
        names, code = np.unique(regions, return_inverse=True)
        code = code.reshape(regions.shape)
        for i, region in enumerate(names):
            silent = void[:, (code == i).any(axis=0)].all(axis=1)
            if silent.any():
                rows.append((str(region), int(silent.sum()), some(subjects[silent], 10)))
    return pd.DataFrame(rows, columns=["region", "people", "who"])


def correlate_stages(
    features: xr.Dataset,
    before: xr.Dataset | None,
    motion: Floats,
    group: npt.NDArray[np.str_],
    spec: QualitySpec,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Correlate features with motion before and after standardisation.

    Parameters
    ----------
    features : xarray.Dataset
        The feature set to be fitted.
    before : xarray.Dataset or None
        The same features as measured.
    motion : numpy.ndarray
        In mm, NaN where missing.
    group : numpy.ndarray of str
        Group of each subject.
    spec : QualitySpec
        Thresholds.

    Returns
    -------
    qcfc, distribution : pandas.DataFrame
        See ``Quality.qcfc`` and ``Quality.distribution``.
    """
    stages = {"after": features} if before is None else {"before": before, "after": features}
    rows: list[dict[str, Any]] = []
    counts: dict[str, npt.NDArray[Any]] = {"low": BINS[:-1]}
    for stage, measured in stages.items():
        r, summary = correlate_with_motion(measured["y"].values, motion, group, spec.fdr)
        rows.append({"stage": stage} | summary)
        counts[stage] = np.histogram(r[np.isfinite(r)], BINS)[0]
    columns = ["stage", "people", "median_abs_r", "expected_abs_r", "share"]
    return pd.DataFrame(rows).reindex(columns=columns), pd.DataFrame(counts)


def count_by_site(features: xr.Dataset, group: npt.NDArray[np.str_]) -> pd.DataFrame:
    """Count subjects by group and site.

    Parameters
    ----------
    features : xarray.Dataset
        A feature set.
    group : numpy.ndarray of str
        Group of each subject.

    Returns
    -------
    pandas.DataFrame
        See ``Quality.sites``.
    """
    if SITE not in features.coords:
        return pd.DataFrame()
    table = pd.crosstab(pd.Series(group, name="group"), features[SITE].values.astype(str))
    return table.rename_axis(columns=None).reset_index()
