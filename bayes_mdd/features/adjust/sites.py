"""How much of the features goes with the scanner site."""

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

#: Fewer people of a site say nothing of its mean and spread.
MIN_PER_SITE = 3


def site_effects(
    features: xr.Dataset, covariates: Sequence[str] = (), *, after: xr.Dataset | None = None
) -> pd.DataFrame:
    """Tell how much of the features' variance goes with site, by block.

    Parameters
    ----------
    features : xarray.Dataset
        A feature set with the coordinate ``site``.
    covariates : sequence of str
        Coordinates of the subjects to allow for first, e.g. ``("age", "sex", "diagnosis")``.
    after : xarray.Dataset, optional
        The same features harmonised, to be set beside.

    Returns
    -------
    pandas.DataFrame
        A row a block and one for ``all``: ``block``, ``features``, ``chance`` (share of variance
        that goes with site where there is no effect), ``before`` (median over the features of the
        share that does) and ``significant_before`` (share of features, false discovery rate 5 %);
        with `after` also ``after`` and ``significant_after``.

    Raises
    ------
    DataContractError
        If sites or covariates are absent, not known for somebody, or too few people are there.

    See Also
    --------
    harmonize_sites : ComBat.
    bayes_mdd.plotting.plot_site_effects : A picture of the same.
    """
    stages = {"before": features} | ({} if after is None else {"after": after})
    out: dict[str, Any] = {}
    for stage, one in stages.items():
        share, p, chance = site_variance(one, covariates)
        block = one[BLOCK].values.astype(str)
        for name in ["all", *dict.fromkeys(block.tolist())]:
            own = np.isfinite(share) & ((block == name) | (name == "all"))
            row = out.setdefault(name, {"block": name, "features": int(own.sum())})
            row["chance"] = chance
            row[stage] = float(np.median(share[own])) if own.any() else np.nan
            found = false_discovery_control(p[own]) <= 0.05 if own.any() else np.array([np.nan])
            row[f"significant_{stage}"] = float(found.mean())
    return pd.DataFrame(list(out.values()))


def site_variance(
    features: xr.Dataset, covariates: Sequence[str] = ()
) -> tuple[Floats, Floats, float]:
    """Compute the share of each feature's variance that goes with site (partial eta squared).

    Parameters
    ----------
    features : xarray.Dataset
        A feature set with the coordinate ``site``.
    covariates : sequence of str
        Coordinates of the subjects to allow for first.

    Returns
    -------
    share, p : numpy.ndarray, shape (feature,)
        Partial eta squared and the P value of its F test; NaN where a feature does not vary.
    chance : float
        Expected share where site does nothing.

    Raises
    ------
    DataContractError
        As `site_effects`.
    """
    base = covariate_columns(features, covariates)
    site = site_of(features)
    levels = np.unique(site)
    both = np.column_stack([base, (site[:, None] == levels[None, 1:]).astype(np.float64)])
    n, added = len(site), int(np.linalg.matrix_rank(both) - np.linalg.matrix_rank(base))
    freedom = n - int(np.linalg.matrix_rank(both))
    problems = []
    if len(levels) < 2:
        problems.append(f"everybody is of site {levels[0]!r}: there is nothing to compare.")
    elif not added:
        problems.append(f"site follows from {some(covariates)}: their effects cannot be parted.")
    elif freedom < MIN_PER_SITE:
        problems.append(f"{n} people are too few for {both.shape[1]} columns of the regression.")
    if problems:
        raise DataContractError("sites", problems)
    y = features["y"].values.astype(np.float64)
    y = y - y.mean(axis=0)
    left, rest = (_residual(y, d) for d in (base, both))
    share = np.full(y.shape[1], np.nan)
    size = 1e-20 * np.square(features["y"].values).max(axis=0) * n
    np.divide(left - rest, left, out=share, where=left > size)
    ratio = share / np.maximum(1 - share, 1e-300) * freedom / added
    return share, np.asarray(fisher_f.sf(ratio, added, freedom)), added / (added + freedom)


def _residual(y: Floats, design: Floats) -> Floats:
    basis, _ = np.linalg.qr(design)
    rest = y - basis @ (basis.T @ y)
    squares: Floats = (rest**2).sum(axis=0)
    return squares


def site_of(features: xr.Dataset) -> npt.NDArray[np.str_]:
    """Take the site of everybody.

    Parameters
    ----------
    features : xarray.Dataset
        A feature set.

    Returns
    -------
    numpy.ndarray of str
        One a person.

    Raises
    ------
    DataContractError
        If there are no sites, or somebody's is not known.
    """
    if SITE not in features.coords or features[SITE].dims != (SUBJECT,):
        raise DataContractError("sites", ["there is no column 'site' in participants.tsv."])
    site = features[SITE].values.astype(str)
    unknown = (site == MISSING) | (np.strings.strip(site) == "")
    if unknown.any():
        who = some(features[SUBJECT].values[unknown])
        raise DataContractError("sites", [f"site is not known for {who}: fill it in."])
    return site


def covariate_columns(features: xr.Dataset, covariates: Sequence[str]) -> Floats:
    """Build the intercept and covariates of a regression.

    Parameters
    ----------
    features : xarray.Dataset
        A feature set.
    covariates : sequence of str
        Coordinates of the subjects; text enters as one column a level but the first.

    Returns
    -------
    numpy.ndarray, shape (subject, column)
        Intercept first.

    Raises
    ------
    DataContractError
        If a covariate is unknown or not known for somebody.
    """
    columns = [np.ones((features.sizes[SUBJECT], 1))]
    problems = []
    for name in covariates:
        if name == SITE or name not in features.coords or features[name].dims != (SUBJECT,):
            problems.append(f"covariate '{name}' is not a column of the people (or is the site).")
            continue
        values = features[name].values
        if values.dtype.kind in "fiub":
            number = values.astype(np.float64)
            if not np.isfinite(number).all():
                who = some(features[SUBJECT].values[~np.isfinite(number)])
                problems.append(f"covariate '{name}' is not known for {who}.")
            columns.append((number - number.mean())[:, None])
        else:
            text = values.astype(str)
            # No arm is a group of its own: controls are told from patients by it.
            columns.append((text[:, None] == np.unique(text)[None, 1:]).astype(np.float64))
    if problems:
        raise DataContractError("sites", problems)
    return np.concatenate(columns, axis=1)
