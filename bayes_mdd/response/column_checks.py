"""Checks of the columns of the fitted patients other than their outcome."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from bayes_mdd.dims import ARM, MISSING, SITE
from bayes_mdd.errors import some
from bayes_mdd.specs.response import ResponseSpec
from bayes_mdd.types import BoolArray

#: Fewest patients with an outcome in an arm.
LEAST_PER_ARM = 8
#: Largest number of levels of a text column.
MOST_LEVELS = 10
#: Columns with the known probability of the other drug, and with strata of randomisation.
PROPENSITY, STRATUM = "propensity", "stratum"
#: Words of a name that say that a column was measured after treatment began: week4, wk_8, endpoint.
_LATER = re.compile(
    r"(?<![a-z])(?:(?:week|wk|month)[_\- ]?0*[1-9]\d*|endpoint|follow[_\- ]?up"
    r"|post[_\- ]?treatment|end[_\- ]of[_\- ]treatment)(?![a-z])",
    re.IGNORECASE,
)
#: Correlation from which on a column is the outcome in other units.
SAME = 0.9999
#: Smallest share of the variance of the arm that covariates must leave unexplained.
LEAST_OWN = 1e-3


def check_columns(spec: ResponseSpec, table: pd.DataFrame, *, sizes: bool = True) -> list[str]:
    """Check arms, covariates, sites, strata and propensities.

    Parameters
    ----------
    spec : ResponseSpec
        The model.
    table : DataFrame
        Patients with arm, scores and outcome.
    sizes : bool, default True
        Whether to check how many patients each arm has.

    Returns
    -------
    list of str
        Problems; empty if there are none.
    """
    covariates = [*([spec.baseline] if spec.baseline else []), *spec.covariates]
    problems = _arm_sizes(table[table[spec.outcome].notna()]) if sizes else []
    for name in covariates:
        problems += _covariate(spec, table, name) or _later(name)
    used = [SITE] if spec.site_effects else []
    for name in [*used, STRATUM]:
        if name in table and name not in covariates and (gone := _missing(table[name])).any():
            problems.append(
                f"'{name}' is missing for {some(table.index[gone])}: fill it in, or leave the "
                "column out."
            )
    if not problems:
        problems = _confounded(table, covariates)
    return problems + _propensity(table)


def _confounded(table: pd.DataFrame, covariates: list[str]) -> list[str]:
    """Find covariates that are the arm, alone or together, but for rounding."""
    if not covariates:
        return []
    arm = (table[ARM] == table[ARM].iloc[0]).to_numpy(dtype=float)
    coded = pd.get_dummies(table[covariates], drop_first=True, dtype=float)
    values = coded.to_numpy(dtype=float, na_value=np.nan)
    if not covariates or len(table) <= values.shape[1] + 1 or not np.isfinite(values).all():
        return []
    columns = np.column_stack([np.ones(len(table)), values / np.abs(values).max(axis=0)])
    left = arm - columns @ np.linalg.lstsq(columns, arm, rcond=None)[0]
    if float(left @ left) > LEAST_OWN * float(((arm - arm.mean()) ** 2).sum()):
        return []
    how = "predicts" if len(covariates) == 1 else "together predict"
    return [
        f"{some(covariates)} {how} the arm (almost) exactly, so that the effects of the drugs "
        "cannot be told from theirs: leave a covariate out."
    ]


def _arm_sizes(table: pd.DataFrame) -> list[str]:
    counts = table[ARM].value_counts()
    problems = [
        f"arm '{arm}' has {n} participants with scores and an outcome, expected at least "
        f"{LEAST_PER_ARM}."
        for arm, n in counts.items()
        if n < LEAST_PER_ARM
    ]
    if len(counts) < 2:
        problems.append("one arm has no participant with scores and an outcome.")
    return problems


def _missing(values: pd.Series) -> BoolArray:
    return np.asarray(values.isna() | values.astype(str).isin([MISSING, "", "nan"]), dtype=bool)


def _later(name: str) -> list[str]:
    found = _LATER.search(name)
    if found is None:
        return []
    return [
        f"'{name}' is of '{found[0]}', after treatment began, by its name: adjust for columns that "
        "were measured before, or rename it if it was."
    ]


def _covariate(spec: ResponseSpec, table: pd.DataFrame, name: str) -> list[str]:
    values = table[name]
    numeric = pd.api.types.is_numeric_dtype(values)
    if (gone := _missing(values)).any():
        return [
            f"'{name}' is missing for {some(table.index[gone])}: fill it in, leave these "
            "participants out, or drop the covariate."
        ]
    if values.nunique() < 2:
        return [f"'{name}' is the same for everyone: leave it out."]
    if not numeric:
        return _text(spec, values, name)
    number = values.to_numpy(dtype=float)
    if (wrong := ~np.isfinite(number)).any():
        return [f"'{name}' is infinite for {some(table.index[wrong])}."]
    outcome = table[spec.outcome]
    if not pd.api.types.is_numeric_dtype(outcome) or outcome.std() == 0:
        return []  # reported by the checks of the outcome
    known = outcome.notna().to_numpy()
    if abs(np.corrcoef(number[known], outcome.to_numpy(dtype=float)[known])[0, 1]) > SAME:
        return [
            f"'{name}' equals the outcome '{spec.outcome}', up to its unit: name a column that "
            "was measured before treatment."
        ]
    return []


def _text(spec: ResponseSpec, values: pd.Series, name: str) -> list[str]:
    if name == spec.baseline:
        return [f"the baseline '{name}' must be a number, found {some(values.unique(), 3)}."]
    if values.nunique() > MOST_LEVELS:
        return [
            f"'{name}' has {values.nunique()} levels of text ({some(sorted(set(values)), 3)}), at "
            f"most {MOST_LEVELS} are supported: write numbers as numbers, or join levels."
        ]
    return []


def _propensity(table: pd.DataFrame) -> list[str]:
    if PROPENSITY not in table:
        return []
    number = pd.to_numeric(table[PROPENSITY], errors="coerce").to_numpy(dtype=float)
    wrong = ~((number > 0) & (number < 1))
    if not wrong.any():
        return []
    return [
        f"'{PROPENSITY}' must be a number between 0 and 1, both excluded, but is not for "
        f"{some(table.index[wrong])}: patients who could receive one drug only do not belong to "
        "the comparison."
    ]
