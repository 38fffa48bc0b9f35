"""Head motion by group, and its correlation with the features (QC-FC)."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from scipy.stats import false_discovery_control
from scipy.stats import t as student

from bayes_mdd.dims import ARM, CONTROL, DIAGNOSIS, MISSING, SUBJECT
from bayes_mdd.features.loading import Floats

#: Smallest number of subjects for a correlation with motion.
MIN_SUBJECTS = 10
CONTROLS, NO_ARM = "controls", "no arm"
#: Bins of the histogram of correlations.
BINS = np.linspace(-1, 1, 81)


def groups_of(features: xr.Dataset) -> npt.NDArray[np.str_]:
    """Assign each subject to a group: controls, the arm, or no arm.

    Parameters
    ----------
    features : xarray.Dataset
        A feature set.

    Returns
    -------
    numpy.ndarray of str, shape (subject,)
        Names of the groups.
    """
    n = features.sizes[SUBJECT]
    arm = features[ARM].values.astype(str) if ARM in features.coords else np.full(n, MISSING)
    group = np.where(arm == MISSING, NO_ARM, arm).astype(object)
    if DIAGNOSIS in features.coords:
        group[features[DIAGNOSIS].values.astype(str) == CONTROL] = CONTROLS
    return group.astype(np.str_)


def motion_of(features: xr.Dataset, name: str) -> Floats | None:
    """Extract the motion of each subject.

    Parameters
    ----------
    features : xarray.Dataset
        A feature set.
    name : str
        Coordinate of the subjects with the motion.

    Returns
    -------
    numpy.ndarray or None
        Motion, NaN where it is missing; None if there is no such numeric coordinate.
    """
    if name not in features.coords or features[name].dims != (SUBJECT,):
        return None
    values = features[name].values
    if values.dtype.kind not in "fiu":
        return None
    number = values.astype(np.float64)
    return np.where(np.isfinite(number), number, np.nan)


def summarise_motion(motion: Floats, group: npt.NDArray[np.str_], limit: float) -> pd.DataFrame:
    """Summarise motion by group.

    Parameters
    ----------
    motion : numpy.ndarray
        In mm, NaN where missing.
    group : numpy.ndarray of str
        Group of each subject.
    limit : float
        Motion (mm) above which a subject is counted.

    Returns
    -------
    pandas.DataFrame
        One row per group: ``group``, ``people`` (number of subjects), ``known`` (number with known
        motion), ``mean``, ``sd``, ``median``, ``max``, ``above`` (number above the limit).
    """
    rows = []
    for name in dict.fromkeys(group.tolist()):
        in_group = motion[group == name]
        known = in_group[np.isfinite(in_group)]
        rows.append(
            {
                "group": name,
                "people": len(in_group),
                "known": len(known),
                "mean": float(known.mean()) if len(known) else np.nan,
                "sd": float(known.std(ddof=1)) if len(known) > 1 else np.nan,
                "median": float(np.median(known)) if len(known) else np.nan,
                "max": float(known.max()) if len(known) else np.nan,
                "above": int((known > limit).sum()),
            }
        )
    return pd.DataFrame(rows)


def largest_difference(summary: pd.DataFrame, names: list[str]) -> tuple[float, str]:
    """Find the two groups with the largest difference in mean motion.

    Parameters
    ----------
    summary : pandas.DataFrame
        From `summarise_motion`.
    names : list of str
        Groups to compare.

    Returns
    -------
    difference : float
        Absolute difference in pooled SD (Cohen's d); NaN if it cannot be computed.
    pair : str
        The two groups, that with more motion first, e.g. ``"SSRI > SNRI"``; empty if the difference
        is NaN.
    """
    table = summary.set_index("group")
    largest, pair = np.nan, ""
    for a, b in combinations([n for n in names if n in table.index], 2):
        n = table.loc[[a, b], "known"].to_numpy(dtype=float)
        mean = table.loc[[a, b], "mean"].to_numpy(dtype=float)
        sd = table.loc[[a, b], "sd"].to_numpy(dtype=float)
        if (n < 2).any() or not (sd > 0).any():
            continue
        pooled = np.sqrt(((n - 1) * sd**2).sum() / (n.sum() - 2))
        d = float((mean[0] - mean[1]) / pooled)
        if not abs(d) <= largest:
            largest, pair = abs(d), f"{a} > {b}" if d > 0 else f"{b} > {a}"
    return largest, pair


def correlate_with_motion(
    y: Floats, motion: Floats, group: npt.NDArray[np.str_], rate: float
) -> tuple[Floats, dict[str, float]]:
    r"""Correlate each feature with motion within the groups (QC-FC).

    Group means of features and motion are subtracted first. Otherwise an effect of illness or drug
    on a feature would appear as an effect of motion if the groups differ in motion.

    Parameters
    ----------
    y : numpy.ndarray, shape (subject, feature)
        Features.
    motion : numpy.ndarray, shape (subject,)
        Motion; subjects with NaN are ignored.
    group : numpy.ndarray of str, shape (subject,)
        Group of each subject.
    rate : float
        False discovery rate.

    Returns
    -------
    r : numpy.ndarray, shape (feature,)
        Pearson correlations; NaN where a feature does not vary.
    summary : dict
        ``people`` (number of subjects with known motion) and, if there are enough of them,
        ``median_abs_r``, ``expected_abs_r`` (the median expected without any association) and
        ``share`` (fraction of features significant at this rate).

    References
    ----------
    .. [1] Ciric, R. et al. (2017). Benchmarking of participant-level confound regression
       strategies for the control of motion artifact in studies of functional connectivity.
       NeuroImage, 154, 174-187.
    """
    known = np.isfinite(motion)
    known_motion, group = motion[known], group[known]
    names, code = np.unique(group, return_inverse=True)
    freedom = int(known.sum()) - len(names) - 1
    r = np.full(y.shape[1], np.nan)
    if freedom + 1 < MIN_SUBJECTS:
        return r, {"people": float(known.sum())}
    x, centred = known_motion.copy(), y[known].astype(np.float64)
    for i in range(len(names)):
        x[code == i] -= x[code == i].mean()
        centred[code == i] -= centred[code == i].mean(axis=0)
    scale = np.sqrt((centred**2).sum(axis=0) * (x**2).sum())
    largest = max(float(np.abs(known_motion).max()), 1e-300)
    tiny = 1e-10 * np.abs(y).max(axis=0, initial=0.0) * largest
    np.divide(x @ centred, scale, out=r, where=scale > tiny)
    usable = np.isfinite(r)
    if not usable.any():
        return r, {"people": float(known.sum())}
    abs_r = np.clip(np.abs(r[usable]), 0, 1 - 1e-15)
    p = 2 * student.sf(abs_r * np.sqrt(freedom / (1 - abs_r**2)), freedom)
    quartile = student.isf(0.25, freedom)
    return r, {
        "people": float(known.sum()),
        "median_abs_r": float(np.median(abs_r)),
        "expected_abs_r": float(quartile / np.sqrt(freedom + quartile**2)),
        "share": float((false_discovery_control(p) <= rate).mean()),
    }
