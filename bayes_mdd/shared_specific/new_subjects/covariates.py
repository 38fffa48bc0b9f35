"""Covariates of people who were not in the fit, coded as the fit coded its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayes_mdd.dims import MISSING
from bayes_mdd.errors import some
from bayes_mdd.types import Array

NewLevels = Literal["refuse", "average"]


@dataclass(frozen=True, eq=False)
class Coded:
    """Design rows of new people.

    Parameters
    ----------
    design : ndarray, shape (person, covariate)
        In the columns of the fit's design.
    new_level : mapping of str to ndarray of bool, shape (person,)
        By text covariate: who has a level that the fit did not see.
    problems : tuple of str
        What is wrong.
    """

    design: Array
    new_level: Mapping[str, NDArray[np.bool_]]
    problems: tuple[str, ...]


def code_covariates(
    people: pd.DataFrame, fitted: pd.DataFrame, columns: list[str], new_levels: NewLevels
) -> Coded:
    """Code the covariates of new people.

    Numbers are centred and scaled with the mean and SD of the fitted people. A level that the
    fit did not see enters as the average of the known levels.

    Parameters
    ----------
    people : DataFrame
        New people, by name.
    fitted : DataFrame
        Covariates of the fitted people; its columns are the covariates of the model.
    columns : list of str
        Columns of the fit's design.
    new_levels : {"refuse", "average"}
        Whether an unseen level is a problem.

    Returns
    -------
    Coded
        Rows and problems.

    Examples
    --------
    >>> fitted = pd.DataFrame({"site": ["a", "b"]})
    >>> new = pd.DataFrame({"site": ["b", "c"]}, index=["p1", "p2"])
    >>> code_covariates(new, fitted, ["intercept", "site=b"], "average").design.tolist()
    [[1.0, 1.0], [1.0, 0.5]]
    """
    design = pd.DataFrame(0.0, index=people.index, columns=columns)
    design["intercept"] = 1.0
    unseen: dict[str, NDArray[np.bool_]] = {}
    problems: list[str] = []
    for name in fitted.columns:
        if name not in people.columns:
            problems.append(f"covariate '{name}' of the fit is not known of these people: add it.")
            continue
        lacking = people[name].isna() | (people[name].astype(str) == MISSING)
        if lacking.any():
            problems.append(
                f"covariate '{name}' is missing for {some(people.index[lacking])}: fill it in, or "
                "leave these people out."
            )
        elif pd.api.types.is_numeric_dtype(fitted[name]):
            problems += _number(design, people[name], fitted[name])
        else:
            unseen[name], trouble = _levels(design, people[name], fitted[name], new_levels)
            problems += trouble
    return Coded(design.to_numpy(), unseen, tuple(problems))


def _number(design: pd.DataFrame, values: pd.Series[Any], fitted: pd.Series[Any]) -> list[str]:
    if not pd.api.types.is_numeric_dtype(values):
        return [f"covariate '{values.name}' is a number in the fit, here it is text."]
    design[str(fitted.name)] = (values - fitted.mean()) / float(fitted.std())
    return []


def _levels(
    design: pd.DataFrame, values: pd.Series[Any], fitted: pd.Series[Any], new_levels: NewLevels
) -> tuple[NDArray[np.bool_], list[str]]:
    text, known = values.astype(str), sorted(set(fitted.astype(str)))
    unseen = ~text.isin(known).to_numpy()
    for level in known[1:]:
        share = np.where(unseen, 1 / len(known), (text == level).astype(float))
        design[f"{fitted.name}={level}"] = share
    if not unseen.any() or new_levels == "average":
        return unseen, []
    return unseen, [
        f"{fitted.name} {some(sorted(set(text[unseen])))} of {some(text.index[unseen])} was not in "
        f"the fit (known: {some(known, 12)}), so its effect is not known. Fit again with people "
        'from there, or set new_levels to "average" (--new-levels average): the average of the '
        "known levels, with the spread between them as further uncertainty."
    ]


def level_contrasts(columns: list[str], name: str) -> Array:
    """Weights that turn coefficients into the effects of all levels about their average.

    Parameters
    ----------
    columns : list of str
        Columns of the design.
    name : str
        A text covariate.

    Returns
    -------
    ndarray, shape (level, covariate)
        Rows add up to zero over levels.

    Examples
    --------
    >>> level_contrasts(["intercept", "site=b"], "site").tolist()
    [[0.0, -0.5], [0.0, 0.5]]
    """
    at = [i for i, c in enumerate(columns) if c.startswith(f"{name}=")]
    effects = np.zeros((len(at) + 1, len(columns)))
    effects[np.arange(1, len(at) + 1), at] = 1.0
    return np.asarray(effects - effects.mean(axis=0))
