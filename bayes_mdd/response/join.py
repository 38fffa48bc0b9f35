"""Join scores and outcomes of patients, and check the table of outcomes."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import ARM, MISSING, SUBJECT
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.order import natural_order
from bayes_mdd.response.column_checks import PROPENSITY, STRATUM, check_columns
from bayes_mdd.response.outcome_values import as_numbers, check_outcome, check_range
from bayes_mdd.specs.response import ResponseSpec
from bayes_mdd.types import IntArray

#: Largest number of probabilities of a drug that are strata as they are; groups otherwise.
MOST_PROBABILITIES, PROBABILITY_GROUPS = 10, 5

#: Why a patient is not analysed.
NO_OUTCOME = "no outcome"


def join_tables(
    spec: ResponseSpec,
    scores: xr.Dataset,
    outcomes: pd.DataFrame,
    rated: Collection[str] | None = None,
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Select the patients with scores, arm and outcome.

    Parameters
    ----------
    spec : ResponseSpec
        The model.
    scores : Dataset
        Of which ``subject`` is read.
    outcomes : DataFrame
        Indexed by participant.
    rated : collection of str, optional
        Patients who stay without an outcome, because an earlier visit of theirs is known.

    Returns
    -------
    table : DataFrame
        Rows of these patients.
    excluded : dict of str to str
        The others, with the reason.

    Raises
    ------
    DataContractError
        If the table cannot be used; every problem is listed.
    """
    problems = _find_columns(spec, outcomes)
    ids = pd.Index([str(i) for i in outcomes.index])
    if twice := sorted(set(ids[ids.duplicated()])):
        problems.append(f"{some(twice)} have more than one row: keep one row per participant.")
    if problems:
        raise DataContractError("outcomes", problems)
    # Folds and draws go row by row: they must not depend on the order of the table.
    order = natural_order(ids)
    ids = ids[order]
    table = outcomes.iloc[order].set_axis(ids, axis=0)
    scored = set(scores[SUBJECT].values.astype(str))
    if not scored & set(ids):
        column = next((str(c) for c in outcomes if {*map(str, outcomes[c])} & scored), None)
        advice = f"set the index to the column '{column}'" if column else "make the ids agree"
        raise DataContractError(
            "outcomes",
            [
                "no participant has both scores and outcomes: scores are of "
                f"{some(sorted(scored))}, outcomes of {some(ids)}: {advice}."
            ],
        )
    excluded = {i: "no scores (not scanned, or not in the fit)" for i in ids if i not in scored}
    table = table.loc[[i for i in ids if i in scored]]
    arm = table[ARM].astype(str)
    without = table.index[table[ARM].isna() | arm.isin([MISSING, "", "nan", "None"])]
    excluded |= dict.fromkeys(without, "no arm")
    table = table.drop(index=without)
    table = table.assign(**{ARM: table[ARM].astype(str)})
    numeric = [spec.outcome, *([spec.baseline] if spec.baseline else [])]
    table = table.assign(**{c: as_numbers(table[c]) for c in numeric})
    problems = _arm_problems(spec, table) + check_outcome(spec, table)
    problems += check_range(spec, table, outcomes.attrs)
    unknown = table.index[table[spec.outcome].isna() & ~table.index.isin(list(rated or ()))]
    why = NO_OUTCOME if rated is None else f"{NO_OUTCOME} and no visit after baseline"
    excluded |= dict.fromkeys(unknown, why)
    table = table.drop(index=unknown)
    if problems := problems + check_columns(spec, table, sizes=not problems):
        raise DataContractError("outcomes", problems)
    return table, excluded


def _find_columns(spec: ResponseSpec, outcomes: Any) -> list[str]:
    """List the columns that are named and missing, each with the nearest that is there."""
    if not isinstance(outcomes, pd.DataFrame):
        found = type(outcomes).__name__
        raise DataContractError(
            "outcomes", [f"expected a table (DataFrame) indexed by participant, got {found}."]
        )
    needed = [ARM, spec.outcome, *([spec.baseline] if spec.baseline else []), *spec.covariates]
    problems = []
    for name in needed:
        if name not in outcomes:
            near = get_close_matches(str(name), [str(c) for c in outcomes.columns], n=1)
            hint = f" Did you mean '{near[0]}'?" if near and near[0] not in needed else ""
            problems.append(
                f"there is no column '{name}'; found {some(outcomes.columns, 12)}.{hint} Add "
                "it, or "
                "correct the name."
            )
    return problems


def _arm_problems(spec: ResponseSpec, table: pd.DataFrame) -> list[str]:
    arms = sorted(set(table[ARM]))
    if spec.default_arm not in arms:
        return [
            f"default_arm is '{spec.default_arm}', but the arms are {some(arms)}: name one of them."
        ]
    if len(arms) == 1:
        return [f"all participants are in arm '{arms[0]}': two arms are needed."]
    if len(arms) > 2:
        return [
            f"there are {len(arms)} arms ({some(arms)}): two can be compared. Keep the rows of the "
            "default and of one other arm."
        ]
    return []


def number_strata(table: pd.DataFrame, site: str | None) -> IntArray:
    """Assign patients to the groups within which arms can be drawn again.

    Parameters
    ----------
    table : DataFrame
        Patients.
    site : str or None
        Column of sites, where there are several; used where there is no column ``stratum``.

    Returns
    -------
    ndarray of int, shape (subject,)
        Patients of one group have the same stratum and probability of the other drug.
    """
    of_site = [site] if site else []
    columns = [STRATUM] if STRATUM in table else of_site
    groups = [table[c].astype(str) for c in columns]
    if PROPENSITY in table:
        probability = table[PROPENSITY].astype(float)
        if probability.nunique() > MOST_PROBABILITIES:
            # Estimated for each patient: groups of similar probability.
            probability = (probability.rank(pct=True) * PROBABILITY_GROUPS).apply(np.ceil)
        groups.append(probability.astype(str))
    if not groups:
        return np.zeros(len(table), dtype=np.int64)
    return np.asarray(table.groupby(groups).ngroup(), dtype=np.int64)
