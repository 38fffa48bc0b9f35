"""Columns that the outcome is adjusted for, coded alike for fitted and new patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayes_mdd.types import Array

#: Prior SD of the intercept and of a standardised column, in residual SD of the outcome.
INTERCEPT_SD, COLUMN_SD = 5.0, 1.0
#: Prior SD of an indicator of a site.
SITE_SD = 0.3


@dataclass(frozen=True)
class Coding:
    """How one column of the outcome table becomes columns of the design.

    Parameters
    ----------
    name : str
        Column of the table.
    centre, sd : float
        Of a numeric column.
    levels : tuple of str
        Levels of a text column; empty for numbers.
    prior_sd : float
        Prior SD of each coefficient.
    """

    name: str
    centre: float
    sd: float
    levels: tuple[str, ...]
    prior_sd: float

    @property
    def columns(self) -> list[str]:
        """Names of the columns of the design."""
        return [f"{self.name}: {v}" for v in self.levels] if self.levels else [self.name]

    def code(self, values: pd.Series) -> Array:
        """Code values.

        Parameters
        ----------
        values : Series
            Of this column.

        Returns
        -------
        ndarray, shape (subject, column)
            Standardised numbers, or indicators of levels around their mean; 0 for a level that
            was not fitted.
        """
        if not self.levels:
            return ((values.to_numpy(dtype=float) - self.centre) / self.sd)[:, None]
        given = values.astype(str).to_numpy()
        known = np.isin(given, self.levels)
        found = (given[:, None] == np.array(self.levels)) - 1.0 / len(self.levels)
        return np.where(known[:, None], found, 0.0)


def learn_coding(table: pd.DataFrame, columns: Sequence[str], site: str | None) -> list[Coding]:
    """Learn the coding of columns from the fitted patients.

    Parameters
    ----------
    table : DataFrame
        Fitted patients; columns without missing values that vary.
    columns : sequence of str
        Baseline and covariates.
    site : str, optional
        Column of sites.

    Returns
    -------
    list of Coding
        In the order of the columns, the site last.
    """
    found = []
    for name in [*columns, *([site] if site else [])]:
        values = table[name]
        if name != site and pd.api.types.is_numeric_dtype(values):
            number = values.to_numpy(dtype=float)
            found.append(Coding(name, float(number.mean()), float(number.std()), (), COLUMN_SD))
        else:
            levels = tuple(sorted(set(values.astype(str))))
            sd = SITE_SD if name == site else COLUMN_SD
            found.append(Coding(name, 0.0, 1.0, levels, sd))
    return found


def build_design(table: pd.DataFrame, codings: Sequence[Coding]) -> tuple[Array, Array]:
    """Build the design of patients.

    Parameters
    ----------
    table : DataFrame
        Patients.
    codings : sequence of Coding
        From `learn_coding`.

    Returns
    -------
    design : ndarray, shape (subject, column)
        Intercept first.
    prior_sd : ndarray, shape (column,)
        Prior SD of each coefficient.
    """
    parts = [np.ones((len(table), 1)), *(c.code(table[c.name]) for c in codings)]
    sd = [INTERCEPT_SD, *(c.prior_sd for c in codings for _ in c.columns)]
    return np.column_stack(parts), np.array(sd)
