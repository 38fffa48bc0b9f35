"""How much people moved, and how much of it is left in the features."""

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

#: Fewer people than this say nothing of a correlation.
MIN_PEOPLE = 10
CONTROLS, NO_ARM = "controls", "no arm"
#: Bins of the stored distribution of correlations.
BINS = np.linspace(-1, 1, 81)


def groups_of(features: xr.Dataset) -> npt.NDArray[np.str_]:
    """Name the group of every person: controls, the arm, or no arm.

    Parameters
    ----------
    features : xarray.Dataset
        A feature set.

    Returns
    -------
    numpy.ndarray of str
        One a person.
    """
    n = features.sizes[SUBJECT]
    arm = features[ARM].values.astype(str) if ARM in features.coords else np.full(n, MISSING)
    group = np.where(arm == MISSING, NO_ARM, arm).astype(object)
    if DIAGNOSIS in features.coords:
        group[features[DIAGNOSIS].values.astype(str) == CONTROL] = CONTROLS
    return group.astype(np.str_)


def motion_of(features: xr.Dataset, name: str) -> Floats | None:
    """Take the motion of everybody.

    Parameters
    ----------
    features : xarray.Dataset
        A feature set.
    name : str
        Coordinate of the subjects.

    Returns
    -------
    numpy.ndarray or None
        NaN where it is not known; None where there is no such column of numbers.
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
        In mm, NaN where not known.
    group : numpy.ndarray of str
        Group of every person.
    limit : float
        Motion from which a person is counted.

    Returns
    -------
    pandas.DataFrame
        One row a group: ``group``, ``people``, ``known``, ``mean``, ``sd``, ``median``, ``max``,
        ``above``.
    """
    rows = []
    for name in dict.fromkeys(group.tolist()):
        own = motion[group == name]
        known = own[np.isfinite(own)]
        rows.append(
            {
                "group": name,
                "people": len(own),
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
    """Find the two groups that differ most in motion.

    Parameters
    ----------
    summary : pandas.DataFrame
        From `summarise_motion`.
    names : list of str
        Groups to compare.

    Returns
    -------
    difference : float
        In pooled SD; NaN where it cannot be told.
    words : str
        Which groups, the one that moved more first.
    """
    table = summary.set_index("group")
    best, words = np.nan, ""
    for a, b in combinations([n for n in names if n in table.index], 2):
        n = table.loc[[a, b], "known"].to_numpy(dtype=float)
        mean = table.loc[[a, b], "mean"].to_numpy(dtype=float)
        sd = table.loc[[a, b], "sd"].to_numpy(dtype=float)
        if (n < 2).any() or not (sd > 0).any():
            continue
        pooled = np.sqrt(((n - 1) * sd**2).sum() / (n.sum() - 2))
        d = float((mean[0] - mean[1]) / pooled)
        if not abs(d) <= best:
            best, words = abs(d), f"{a} over {b}" if d > 0 else f"{b} over {a}"
    return best, words


def correlate_with_motion(
    y: Floats, motion: Floats, group: npt.NDArray[np.str_], rate: float
) -> tuple[Floats, dict[str, float]]:
    r"""Correlate every feature with motion within the groups (QC-FC).

    Group means are taken out of both first, so that an effect of illness or drug on a feature
    does not pass for one of motion where the groups moved differently.

    Parameters
    ----------
    y : numpy.ndarray, shape (subject, feature)
        Features.
    motion : numpy.ndarray, shape (subject,)
        NaN where not known: these people are left aside.
    group : numpy.ndarray of str, shape (subject,)
        Group of every person.
    rate : float
        False discovery rate.

    Returns
    -------
    r : numpy.ndarray, shape (feature,)
        Pearson correlations; NaN where a feature does not vary.
    summary : dict
        ``people``, ``median_abs_r``, ``expected_abs_r`` (the median where nothing is related),
        ``share`` (of features significant at that rate).

    References
    ----------
    .. [1] Ciric, R. et al. (2017). Benchmarking of participant-level confound regression
       strategies for the control of motion artifact in studies of functional connectivity.
       NeuroImage, 154, 174-187.
    """
    known = np.isfinite(motion)
    own, group = motion[known], group[known]
    names, place = np.unique(group, return_inverse=True)
    freedom = int(known.sum()) - len(names) - 1
    empty = np.full(y.shape[1], np.nan)
    if freedom + 1 < MIN_PEOPLE:
        return empty, {"people": float(known.sum())}
    x, centred = own.copy(), y[known].astype(np.float64)
    for i in range(len(names)):
        x[place == i] -= x[place == i].mean()
        centred[place == i] -= centred[place == i].mean(axis=0)
    scale = np.sqrt((centred**2).sum(axis=0) * (x**2).sum())
    tiny = 1e-10 * np.abs(y).max(axis=0, initial=0.0) * max(float(np.abs(own).max()), 1e-300)
    r = empty
    np.divide(x @ centred, scale, out=r, where=scale > tiny)
    usable = np.isfinite(r)
    if not usable.any():
        return r, {"people": float(known.sum())}
    inner = np.clip(np.abs(r[usable]), 0, 1 - 1e-15)
    p = 2 * student.sf(inner * np.sqrt(freedom / (1 - inner**2)), freedom)
    middle = student.isf(0.25, freedom)
    return r, {
        "people": float(known.sum()),
        "median_abs_r": float(np.median(inner)),
        "expected_abs_r": float(middle / np.sqrt(freedom + middle**2)),
        "share": float((false_discovery_control(p) <= rate).mean()),
    }
