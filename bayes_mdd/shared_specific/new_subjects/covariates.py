"""Coding of the covariates of new subjects in the columns of a fit's design."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from bayes_mdd.dims import MISSING
from bayes_mdd.errors import some
from bayes_mdd.types import Array, BoolArray

NewLevels = Literal["refuse", "average"]


@dataclass(frozen=True, eq=False)
class CodedCovariates:
    """Design rows of new subjects.

    Parameters
    ----------
    design : ndarray, shape (subject, covariate)
        In the columns of the fit's design.
    new_level : mapping of str to ndarray of bool, shape (subject,)
        For each text covariate: which subjects have a level that was not in the fit.
    problems : tuple of str
        Problems, one sentence each.
    """

    design: Array
    new_level: Mapping[str, BoolArray]
    problems: tuple[str, ...]


def code_covariates(
    subjects: pd.DataFrame, fitted: pd.DataFrame, columns: list[str], new_levels: NewLevels
) -> CodedCovariates:
    """Code the covariates of new subjects.

    Numbers are centred and scaled with the mean and SD of the fitted subjects. A level that was
    not in the fit is coded as the average of the known levels.

    Parameters
    ----------
    subjects : DataFrame
        Covariates of the new subjects, indexed by name.
    fitted : DataFrame
        Covariates of the fitted subjects; its columns are the covariates of the model.
    columns : list of str
        Columns of the fit's design.
    new_levels : {"refuse", "average"}
        Whether a new level is a problem.

    Returns
    -------
    CodedCovariates
        Rows and problems.

    Examples
    --------
    >>> fitted = pd.DataFrame({"site": ["a", "b"]})
    >>> new = pd.DataFrame({"site": ["b", "c"]}, index=["p1", "p2"])
    >>> code_covariates(new, fitted, ["intercept", "site=b"], "average").design.tolist()
    [[1.0, 1.0], [1.0, 0.5]]
    """
    design = pd.DataFrame(0.0, index=subjects.index, columns=columns)
    design["intercept"] = 1.0
    new_level: dict[str, BoolArray] = {}
    problems: list[str] = []
    for name in fitted.columns:
        if name not in subjects.columns:
            problems.append(
                f"participants.tsv has no column '{name}' (coordinate of the subjects), which is a "
                f"covariate of the fit; found {some(subjects.columns, 12) or 'none'}. Add it."
            )
            continue
        missing = subjects[name].isna() | (subjects[name].astype(str) == MISSING)
        if missing.any():
            problems.append(
                f"covariate '{name}' is missing for {some(subjects.index[missing])}: fill it in, "
                "or leave out these participants."
            )
        elif pd.api.types.is_numeric_dtype(fitted[name]):
            problems += _code_number(design, subjects[name], fitted[name])
        else:
            new_level[name], found = _code_levels(design, subjects[name], fitted[name], new_levels)
            problems += found
    return CodedCovariates(design.to_numpy(), new_level, tuple(problems))


def _code_number(design: pd.DataFrame, values: pd.Series[Any], fitted: pd.Series[Any]) -> list[str]:
    """Fill the column of a number in place; return the problems."""
    if not pd.api.types.is_numeric_dtype(values):
        return [f"covariate '{values.name}' is text, in the fit it is a number."]
    design[str(fitted.name)] = (values - fitted.mean()) / float(fitted.std())
    return []


def _code_levels(
    design: pd.DataFrame, values: pd.Series[Any], fitted: pd.Series[Any], new_levels: NewLevels
) -> tuple[BoolArray, list[str]]:
    """Fill the columns of a text covariate in place; return who has a new level, and problems."""
    text, known = values.astype(str), sorted(set(fitted.astype(str)))
    is_new = ~text.isin(known).to_numpy()
    for level in known[1:]:
        share = np.where(is_new, 1 / len(known), (text == level).astype(float))
        design[f"{fitted.name}={level}"] = share
    if not is_new.any() or new_levels == "average":
        return is_new, []
    return is_new, [
        f"{fitted.name} {some(sorted(set(text[is_new])))} of {some(text.index[is_new])} was not in "
        f"the fit (known: {some(known, 12)}), so its effect is not known. Fit again with "
        f"participants of this {fitted.name}, or set new_levels to 'average' (--new-levels "
        "average): the average of the known levels, with the variance between them as further "
        "uncertainty."
    ]


def level_contrasts(columns: list[str], name: str) -> Array:
    """Compute weights that turn coefficients into effects of levels about their average.

    Parameters
    ----------
    columns : list of str
        Columns of the design.
    name : str
        A text covariate.

    Returns
    -------
    ndarray, shape (level, covariate)
        Columns sum to zero over levels.

    Examples
    --------
    >>> level_contrasts(["intercept", "site=b"], "site").tolist()
    [[0.0, -0.5], [0.0, 0.5]]
    """
    at = [i for i, c in enumerate(columns) if c.startswith(f"{name}=")]
    effects = np.zeros((len(at) + 1, len(columns)))
    effects[np.arange(1, len(at) + 1), at] = 1.0
    return np.asarray(effects - effects.mean(axis=0))
