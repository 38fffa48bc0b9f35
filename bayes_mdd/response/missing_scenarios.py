"""Who is assumed to be worse than visits say, and what that does to the coefficients."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

import numpy as np
import pandas as pd

from bayes_mdd.dims import MISSING
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.response.trial import Trial
from bayes_mdd.types import Array, BoolArray

#: Reasons of a missing outcome, and words for one that is not known.
REASONS: Final = (
    "lack_of_efficacy", "adverse_event", "remission", "withdrew", "lost", "administrative", "other",
)  # fmt: skip
UNKNOWN: Final = ("not stated", "", MISSING, "nan", "None")
#: Column with the reasons.
MISSING_REASON: Final = "missing_reason"
#: Arms whose missing outcomes are shifted.
ARMS: Final = ("both", "other", "default")
#: Names of the groups of reasons.
ALL, NOT_REMISSION, LACK = "all", "all but remission", "lack of efficacy"


@dataclass(frozen=True, eq=False)
class Scenario:
    """Patients whose missing outcomes are shifted.

    Parameters
    ----------
    arms : {"both", "other", "default"}
        Their arms.
    reasons : str
        Their reasons.
    shifted : ndarray of bool, shape (subject,)
        Who they are.
    """

    arms: str
    reasons: str
    shifted: BoolArray

    def shift(self, trial: Trial, rows: BoolArray | None = None) -> Array:
        """Compute what one point does to the coefficients at the endpoint.

        Parameters
        ----------
        trial : Trial
            All patients.
        rows : ndarray of bool, shape (subject,), optional
            The patients of a fit. Default: all.

        Returns
        -------
        ndarray, shape (coefficient,)
            Least squares of the shifted patients on the columns of the model: the change of
            estimates from outcomes that are one point higher for them.
        """
        rows = np.ones(self.shifted.size, dtype=bool) if rows is None else rows
        worse = self.shifted[rows].astype(float)
        return np.asarray(np.linalg.lstsq(trial.take(rows).columns, worse, rcond=1e-10)[0])


def list_scenarios(gone: BoolArray, other: BoolArray, reason: Array | None) -> list[Scenario]:
    """List the scenarios that differ.

    Parameters
    ----------
    gone : ndarray of bool, shape (subject,)
        Who has no outcome.
    other : ndarray of bool, shape (subject,)
        Who received the other drug.
    reason : ndarray of str, shape (subject,), optional
        Why the outcome is missing.

    Returns
    -------
    list of Scenario
        All missing outcomes in both arms, the other, the default; then by reason, where reasons
        make a difference.
    """
    groups = {ALL: gone}
    if reason is not None:
        groups[NOT_REMISSION] = gone & (reason != "remission")
        groups[LACK] = gone & (reason == "lack_of_efficacy")
    in_arms = {"both": np.ones(gone.size, dtype=bool), "other": other, "default": ~other}
    scenarios = []
    for name, group in groups.items():
        if name != ALL and (not group.any() or (group == gone).all()):
            continue
        scenarios += [Scenario(arms, name, group & rows) for arms, rows in in_arms.items()]
    return scenarios


def read_reasons(table: pd.DataFrame, gone: BoolArray) -> Array | None:
    """Read why outcomes are missing.

    Parameters
    ----------
    table : DataFrame
        Patients.
    gone : ndarray of bool, shape (subject,)
        Who has no outcome.

    Returns
    -------
    ndarray of str, shape (subject,), or None
        Empty where not known; None if no reason is known.

    Raises
    ------
    DataContractError
        If a reason is unknown.
    """
    if MISSING_REASON not in table:
        return None
    given = table[MISSING_REASON].astype(object).where(table[MISSING_REASON].notna(), "")
    word = given.astype(str).str.strip()
    word = word.where(~word.isin(UNKNOWN), "").where(gone, "")
    odd = word[~word.isin([*REASONS, ""])]
    problems = []
    for name, rows in odd.groupby(odd):
        near = get_close_matches(str(name).lower().replace(" ", "_"), REASONS, n=1, cutoff=0.5)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        problems.append(
            f"{MISSING_REASON} '{name}' of {some(rows.index)} is not known.{hint} Expected one of "
            f"{', '.join(REASONS)}, or 'not stated'."
        )
    if problems:
        raise DataContractError("outcomes", problems)
    found = word.to_numpy(dtype=object)
    return found if (found != "").any() else None
