"""Effects of the scanner site on the features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from scipy.stats import f as fisher_f
from scipy.stats import false_discovery_control

from bayes_mdd.dims import BLOCK, MISSING, SITE, SUBJECT
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.loading import Floats

#: Smallest number of subjects per site to estimate its mean and variance.
MIN_PER_SITE = 3


def site_effects(
    features: xr.Dataset, covariates: Sequence[str] = (), *, after: xr.Dataset | None = None
) -> pd.DataFrame:
    """Estimate the share of variance that site explains, by block.

    Parameters
    ----------
    features : xarray.Dataset
        A feature set with the coordinate ``site``.
    covariates : sequence of str
        Coordinates of the subjects to adjust for, e.g. ``("age", "sex", "diagnosis")``.
    after : xarray.Dataset, optional
        The same features after harmonisation, for comparison.

    Returns
    -------
    pandas.DataFrame
        One row per block and one for ``all``: ``block``, ``features``, ``chance`` (expected share
        without an effect of site), ``before`` (median share over features) and
        ``significant_before`` (share of features, false discovery rate 5 %); with `after` also
        ``after`` and ``significant_after``.

    Raises
    ------
    DataContractError
        If sites or covariates are missing, or there are too few subjects.

    See Also
    --------
    harmonize_sites : Harmonisation by ComBat.
    bayes_mdd.plotting.plot_site_effects : Plot these shares.
    """
    stages = {"before": features} | ({} if after is None else {"after": after})
    rows: dict[str, Any] = {}
    for stage, measured in stages.items():
        share, p, chance = site_variance(measured, covariates)
        block = measured[BLOCK].values.astype(str)
        for name in ["all", *dict.fromkeys(block.tolist())]:
            usable = np.isfinite(share) & ((block == name) | (name == "all"))
            row = rows.setdefault(name, {"block": name, "features": int(usable.sum())})
            row["chance"] = chance
            row[stage] = float(np.median(share[usable])) if usable.any() else np.nan
            significant = (
                false_discovery_control(p[usable]) <= 0.05 if usable.any() else np.array([np.nan])
            )
            row[f"significant_{stage}"] = float(significant.mean())
    return pd.DataFrame(list(rows.values()))


def site_variance(
    features: xr.Dataset, covariates: Sequence[str] = ()
) -> tuple[Floats, Floats, float]:
    """Compute the share of variance of each feature that site explains (partial eta squared).

    Parameters
    ----------
    features : xarray.Dataset
        A feature set with the coordinate ``site``.
    covariates : sequence of str
        Coordinates of the subjects to adjust for.

    Returns
    -------
    share, p : numpy.ndarray, shape (feature,)
        Partial eta squared and the P value of its F test; NaN where a feature does not vary.
    chance : float
        Expected share without an effect of site.

    Raises
    ------
    DataContractError
        See `site_effects`.
    """
    base = covariate_columns(features, covariates)
    site = site_of(features)
    levels = np.unique(site)
    both = np.column_stack([base, (site[:, None] == levels[None, 1:]).astype(np.float64)])
    n, added = len(site), int(np.linalg.matrix_rank(both) - np.linalg.matrix_rank(base))
    freedom = n - int(np.linalg.matrix_rank(both))
    problems = []
    if len(levels) < 2:
        problems.append(
            f"all participants are from site '{levels[0]}': at least two sites are needed."
        )
    elif not added:
        problems.append(
            f"site is confounded with {some(covariates)}: their effects cannot be separated."
        )
    elif freedom < MIN_PER_SITE:
        problems.append(
            f"{n} participants are too few for a regression with {both.shape[1]} columns."
        )
    if problems:
        raise DataContractError("sites", problems)
    y = features["y"].values.astype(np.float64)
    y = y - y.mean(axis=0)
    without, within = (_residual_squares(y, design) for design in (base, both))
    share = np.full(y.shape[1], np.nan)
    size = 1e-20 * np.square(features["y"].values).max(axis=0) * n
    np.divide(without - within, without, out=share, where=without > size)
    ratio = share / np.maximum(1 - share, 1e-300) * freedom / added
    return share, np.asarray(fisher_f.sf(ratio, added, freedom)), added / (added + freedom)


def _residual_squares(y: Floats, design: Floats) -> Floats:
    basis, _ = np.linalg.qr(design)
    residual = y - basis @ (basis.T @ y)
    squares: Floats = (residual**2).sum(axis=0)
    return squares


def site_of(features: xr.Dataset) -> npt.NDArray[np.str_]:
    """Extract the site of each subject.

    Parameters
    ----------
    features : xarray.Dataset
        A feature set.

    Returns
    -------
    numpy.ndarray of str, shape (subject,)
        Names of the sites.

    Raises
    ------
    DataContractError
        If there are no sites, or the site of a subject is missing.
    """
    if SITE not in features.coords or features[SITE].dims != (SUBJECT,):
        found = [
            str(c) for c, v in features.coords.items() if v.dims == (SUBJECT,) and c != SUBJECT
        ]
        raise DataContractError(
            "sites",
            [
                f"participants.tsv has no column 'site'; found {some(found, 12) or 'none'}. Add "
                "it, "
                "or rename the column that holds the sites."
            ],
        )
    site = features[SITE].values.astype(str)
    unknown = (site == MISSING) | (np.strings.strip(site) == "")
    if unknown.any():
        listed = some(features[SUBJECT].values[unknown])
        raise DataContractError("sites", [f"site is missing for {listed}: fill it in."])
    return site


def covariate_columns(features: xr.Dataset, covariates: Sequence[str]) -> Floats:
    """Build the intercept and covariates of a regression.

    Parameters
    ----------
    features : xarray.Dataset
        A feature set.
    covariates : sequence of str
        Coordinates of the subjects; text is dummy-coded (one column per level except the first).

    Returns
    -------
    numpy.ndarray, shape (subject, column)
        Intercept first.

    Raises
    ------
    DataContractError
        If a covariate is unknown or has missing values.
    """
    columns = [np.ones((features.sizes[SUBJECT], 1))]
    problems = []
    for name in covariates:
        if name == SITE or name not in features.coords or features[name].dims != (SUBJECT,):
            problems.append(
                f"covariate '{name}' is not a column of participants.tsv, or is the site itself."
            )
            continue
        values = features[name].values
        if values.dtype.kind in "fiub":
            number = values.astype(np.float64)
            if not np.isfinite(number).all():
                listed = some(features[SUBJECT].values[~np.isfinite(number)])
                problems.append(f"covariate '{name}' is missing for {listed}: fill it in.")
            columns.append((number - number.mean())[:, None])
        else:
            text = values.astype(str)
            # "n/a" is a level: in the column arm it distinguishes controls from patients.
            columns.append((text[:, None] == np.unique(text)[None, 1:]).astype(np.float64))
    if problems:
        raise DataContractError("sites", problems)
    return np.concatenate(columns, axis=1)
