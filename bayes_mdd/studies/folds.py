"""Folds of subjects, balanced by arm and site."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

import numpy as np
import pandas as pd
import xarray as xr
from sklearn.model_selection import StratifiedKFold

from bayes_mdd.dims import ARM, CONTROL, DIAGNOSIS, MISSING, SITE, SUBJECT
from bayes_mdd.errors import DataContractError, SpecError, some
from bayes_mdd.features.order import natural_order


def assign_folds(features: xr.Dataset, *, folds: int, seed: int) -> pd.Series[int]:
    """Assign the subjects that would be fitted to folds, stratified by arm and site.

    Parameters
    ----------
    features : Dataset
        A FeatureSet; controls and subjects without an arm are not assigned.
    folds : int
        Number of folds.
    seed : int
        The same seed gives the same folds, in whatever order the subjects are.

    Returns
    -------
    Series of int
        Fold of each subject, in the order of `features`.

    Raises
    ------
    SpecError
        If `folds` is below 2 or above the size of the smallest arm.

    Examples
    --------
    >>> subjects = {"subject": list("abcdefgh"), "arm": ("subject", ["SSRI", "SNRI"] * 4)}
    >>> assign_folds(xr.Dataset(coords=subjects), folds=2, seed=1).value_counts().tolist()
    [4, 4]
    """
    arm = features[ARM].values.astype(str)
    keep = arm != MISSING
    if DIAGNOSIS in features.coords:
        keep &= features[DIAGNOSIS].values.astype(str) != CONTROL
    subjects, arm = features[SUBJECT].values.astype(str)[keep], arm[keep]
    sizes = pd.Series(arm).value_counts()
    if folds < 2 or sizes.empty or folds > sizes.min():
        smallest = "no subjects"
        if len(sizes):
            smallest = f"{sizes.idxmin()!r} has {sizes.min()} participants"
        raise SpecError(
            f"folds must be at least 2 and at most the size of the smallest arm ({smallest}), "
            f"got {folds}."
        )
    site = features[SITE].values.astype(str)[keep] if SITE in features.coords else arm
    strata = np.char.add(np.char.add(arm, "\t"), site)
    if np.unique(strata, return_counts=True)[1].max() < folds:
        strata = arm  # scikit-learn refuses strata that are all smaller than the folds
    out = np.empty(len(subjects), dtype=int)
    order = natural_order(subjects)
    with warnings.catch_warnings():
        # Strata smaller than the number of folds are spread as evenly as can be.
        warnings.filterwarnings("ignore", message="The least populated class")
        splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
        for i, (_, held_out) in enumerate(splitter.split(subjects[order], strata[order])):
            out[order[held_out]] = i
    return pd.Series(out, index=pd.Index(subjects, name=SUBJECT), name="fold", dtype="int64")


def check_folds(features: xr.Dataset, fold: pd.Series[int], covariates: Iterable[str]) -> None:
    """Refuse folds that contain all subjects of a level of a covariate.

    Parameters
    ----------
    features : Dataset
        The FeatureSet.
    fold : Series of int
        From `assign_folds`.
    covariates : iterable of str
        Covariates of all models.

    Raises
    ------
    DataContractError
        Naming every level whose effect could not be estimated without a fold.
    """
    chosen = features.sel({SUBJECT: fold.index.to_numpy()})
    problems = []
    for name in dict.fromkeys(covariates):
        if name not in chosen.coords or chosen[name].dtype.kind in "fiub":
            continue
        table = pd.crosstab(chosen[name].values.astype(str), fold.to_numpy())
        for level, counts in table.iterrows():
            if (counts > 0).sum() == 1:
                who = fold.index[chosen[name].values.astype(str) == level]
                problems.append(
                    f"{name} '{level}' has {len(who)} participants ({some(who)}), all in one fold: "
                    "exclude them, omit the covariate, or use another seed or more folds."
                )
    if problems:
        raise DataContractError("folds", problems)


def held_out(features: xr.Dataset, fold: pd.Series[int], i: int) -> tuple[xr.Dataset, xr.Dataset]:
    """Split off the subjects of one fold.

    Parameters
    ----------
    features : Dataset
        The FeatureSet.
    fold : Series of int
        From `assign_folds`.
    i : int
        The fold that is held out.

    Returns
    -------
    training, test : Dataset
        All other subjects, including controls and subjects without an arm; and the fold.
    """
    out = fold.index[fold == i]
    is_out = pd.Index(features[SUBJECT].values.astype(str)).isin(out)
    positions = np.arange(len(is_out))
    training = features.isel({SUBJECT: positions[~is_out]})
    return training, features.isel({SUBJECT: positions[is_out]})
