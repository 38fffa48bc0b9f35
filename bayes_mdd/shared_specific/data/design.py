"""Design matrix of a fit: intercept and covariates."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

import numpy as np
import pandas as pd

from bayes_mdd.cohort import check_design
from bayes_mdd.dims import MISSING, SITE
from bayes_mdd.errors import DataContractError, some


def build_design(subjects: pd.DataFrame, covariates: Sequence[str]) -> pd.DataFrame:
    """Build the design matrix and check arms and covariates.

    Parameters
    ----------
    subjects : DataFrame
        Arm and covariates by subject.
    covariates : sequence of str
        Columns of `subjects` to include.

    Returns
    -------
    DataFrame, shape (subject, column)
        An intercept, standardised numeric columns, and an indicator for each level of a text
        column but the first.

    Raises
    ------
    DataContractError
        If covariates are unknown, incomplete, constant or linearly dependent, or if
        `check_design` finds a problem; every problem is listed.
    """
    problems: list[str] = []
    known = [c for c in (*covariates, SITE) if c in subjects.columns]
    design = pd.DataFrame()
    try:
        design = _design(subjects, covariates)
    except DataContractError as error:
        problems += error.problems
    try:
        check_design(subjects, known)
    except DataContractError as error:
        reported = {p.partition(":")[0] for p in problems}
        problems += [p for p in error.problems if p.partition(":")[0] not in reported]
    if problems:
        raise DataContractError("design of the model", problems)
    return design


def _design(subjects: pd.DataFrame, covariates: Sequence[str]) -> pd.DataFrame:
    problems = []
    columns: dict[str, np.ndarray] = {"intercept": np.ones(len(subjects))}
    for name in covariates:
        if name not in subjects.columns:
            near = get_close_matches(name, map(str, subjects.columns), n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            problems.append(
                f"covariate '{name}' is not a column of the participants; found "
                f"{some(subjects.columns, 12) or 'none'}.{hint} Correct the name in the spec, "
                "or add "
                "the column to participants.tsv."
            )
            continue
        column = subjects[name]
        lacking = column.isna() | (column.astype(str) == MISSING)
        if lacking.any():
            problems.append(
                f"covariate '{name}' is missing for {some(subjects.index[lacking])}: "
                "complete participants.tsv, exclude these participants, or omit the covariate."
            )
            continue
        if pd.api.types.is_numeric_dtype(column):
            sd = float(column.std())
            if not sd > 0:
                problems.append(f"covariate '{name}' does not vary: remove it from the spec.")
                continue
            columns[name] = ((column - column.mean()) / sd).to_numpy(dtype=float)
        else:
            levels = sorted(set(column.astype(str)))
            if len(levels) < 2:
                problems.append(f"covariate '{name}' has one level only: remove it from the spec.")
            for level in levels[1:]:
                columns[f"{name}={level}"] = (column.astype(str) == level).to_numpy(dtype=float)
    if problems:
        raise DataContractError("covariates of the model", problems)
    design = pd.DataFrame(columns, index=subjects.index)
    rank = np.linalg.matrix_rank(design.to_numpy())
    if rank < design.shape[1]:
        raise DataContractError(
            "covariates of the model",
            [
                f"the columns {', '.join(design.columns)} are linearly dependent (rank {rank} of "
                f"{design.shape[1]}): remove a covariate that repeats others."
            ],
        )
    return design
