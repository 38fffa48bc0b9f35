"""The design of a fit: an intercept and covariates."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

import numpy as np
import pandas as pd

from bayes_mdd.cohort import check_design
from bayes_mdd.dims import MISSING, SITE
from bayes_mdd.errors import DataContractError, some


def checked_design(people: pd.DataFrame, covariates: Sequence[str]) -> pd.DataFrame:
    """Build the design; problems of arms and of covariates come in one error.

    Parameters
    ----------
    people : DataFrame
        Arm, and the covariates, by subject.
    covariates : sequence of str
        Columns of `people` to take out of the features.

    Returns
    -------
    DataFrame, shape (subject, column)
        An intercept; numbers standardised; categories as differences from their first level.

    Raises
    ------
    DataContractError
        Naming every covariate that is unknown, missing for somebody, constant or a repetition,
        and what `check_design` finds.
    """
    problems: list[str] = []
    known = [c for c in (*covariates, SITE) if c in people.columns]
    design = pd.DataFrame()
    try:
        design = _design(people, covariates)
    except DataContractError as error:
        problems += error.problems
    try:
        check_design(people, known)
    except DataContractError as error:
        problems += [p for p in error.problems if "is not known for" not in p or not problems]
    if problems:
        raise DataContractError("design of the model", problems)
    return design


def _design(people: pd.DataFrame, covariates: Sequence[str]) -> pd.DataFrame:
    problems = []
    columns: dict[str, np.ndarray] = {"intercept": np.ones(len(people))}
    for name in covariates:
        if name not in people.columns:
            near = get_close_matches(name, map(str, people.columns), n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            problems.append(f"covariate '{name}' is not known of these people.{hint}")
            continue
        column = people[name]
        lacking = column.isna() | (column.astype(str) == MISSING)
        if lacking.any():
            problems.append(
                f"covariate '{name}' is missing for {some(people.index[lacking])}: "
                "fill it in participants.tsv, leave these people out, or drop the covariate."
            )
            continue
        if pd.api.types.is_numeric_dtype(column):
            sd = float(column.std())
            if not sd > 0:
                problems.append(f"covariate '{name}' does not vary: drop it from the spec.")
                continue
            columns[name] = ((column - column.mean()) / sd).to_numpy(dtype=float)
        else:
            levels = sorted(set(column.astype(str)))
            if len(levels) < 2:
                problems.append(f"covariate '{name}' has one level only: drop it from the spec.")
            for level in levels[1:]:
                columns[f"{name}={level}"] = (column.astype(str) == level).to_numpy(dtype=float)
    if problems:
        raise DataContractError("covariates of the model", problems)
    design = pd.DataFrame(columns, index=people.index)
    rank = np.linalg.matrix_rank(design.to_numpy())
    if rank < design.shape[1]:
        raise DataContractError(
            "covariates of the model",
            [
                f"the columns {', '.join(design.columns)} are linearly dependent (rank {rank} of "
                f"{design.shape[1]}): drop the covariate that repeats another."
            ],
        )
    return design
