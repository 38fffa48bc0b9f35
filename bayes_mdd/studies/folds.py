"""Who is held out together: folds by person, alike in arms and sites."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

import numpy as np
import pandas as pd
import xarray as xr
from sklearn.model_selection import StratifiedKFold

from bayes_mdd.dims import ARM, CONTROL, DIAGNOSIS, MISSING, SITE, SUBJECT
from bayes_mdd.errors import DataContractError, SpecError, some


def assign_folds(features: xr.Dataset, *, folds: int, seed: int) -> pd.Series[int]:
    """Deal the people who would be fitted out to folds, stratified by arm and site.

    Parameters
    ----------
    features : Dataset
        A FeatureSet; controls and people without an arm are not dealt out.
    folds : int
        How many.
    seed : int
        The same seed gives the same folds.

    Returns
    -------
    Series of int
        Fold of each person, indexed by person in the order of `features`.

    Raises
    ------
    SpecError
        If `folds` is below 2 or above the size of the smallest arm.

    Examples
    --------
    >>> people = {"subject": list("abcdefgh"), "arm": ("subject", ["SSRI", "SNRI"] * 4)}
    >>> assign_folds(xr.Dataset(coords=people), folds=2, seed=1).value_counts().tolist()
    [4, 4]
    """
    arm = features[ARM].values.astype(str)
    keep = arm != MISSING
    if DIAGNOSIS in features.coords:
        keep &= features[DIAGNOSIS].values.astype(str) != CONTROL
    people, arm = features[SUBJECT].values.astype(str)[keep], arm[keep]
    sizes = pd.Series(arm).value_counts()
    if folds < 2 or sizes.empty or folds > sizes.min():
        smallest = f"{sizes.idxmin()!r} has {sizes.min()} people" if len(sizes) else "nobody"
        raise SpecError(
            f"folds must be at least 2 and at most the size of the smallest arm ({smallest}), "
            f"got {folds}."
        )
    site = features[SITE].values.astype(str)[keep] if SITE in features.coords else arm
    strata = np.char.add(np.char.add(arm, "\t"), site)
    if np.unique(strata, return_counts=True)[1].max() < folds:
        strata = arm  # scikit-learn refuses strata that are all smaller than the folds
    out = np.empty(len(people), dtype=int)
    with warnings.catch_warnings():
        # Strata smaller than the number of folds are spread as evenly as can be.
        warnings.filterwarnings("ignore", message="The least populated class")
        splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
        for i, (_, held_out) in enumerate(splitter.split(people, strata)):
            out[held_out] = i
    return pd.Series(out, index=pd.Index(people, name=SUBJECT), name="fold", dtype="int64")


def check_folds(features: xr.Dataset, fold: pd.Series[int], covariates: Iterable[str]) -> None:
    """Refuse folds that hold everybody of a level of a covariate.

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
                    f"{name} '{level}' has {len(who)} people ({some(who)}), all in one fold: "
                    "leave them out, take the covariate out, or use another seed or more folds."
                )
    if problems:
        raise DataContractError("folds", problems)


def held_out(features: xr.Dataset, fold: pd.Series[int], i: int) -> tuple[xr.Dataset, xr.Dataset]:
    """Take the people of one fold out.

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
        Everybody else, controls and people without an arm included, and the fold.
    """
    out = fold.index[fold == i]
    is_out = pd.Index(features[SUBJECT].values.astype(str)).isin(out)
    positions = np.arange(len(is_out))
    training = features.isel({SUBJECT: positions[~is_out]})
    return training, features.isel({SUBJECT: positions[is_out]})
