"""Who was analysed: the section with flow and balance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from bayes_mdd.response.analysis import ResponseAnalysis
from bayes_mdd.response.missing_section import say_handling, visits_of
from bayes_mdd.results.page import Cell, format_number

#: Difference between the arms, in SD, that is worth a look.
LARGE = 0.25


def describe_patients(analysis: ResponseAnalysis) -> dict[str, Any]:
    """Describe who was assigned, scanned and analysed, and how the arms compare.

    Parameters
    ----------
    analysis : ResponseAnalysis
        The results.

    Returns
    -------
    dict
        Values of the template.
    """
    return {
        "flow": analysis.flow.to_dict("records"),
        "handling": say_handling(visits_of(analysis.response)),
        "balance": [_balance_row(row) for _, row in analysis.balance.iterrows()],
        "adjusted": say_adjusted(analysis),
    }


def say_adjusted(analysis: ResponseAnalysis) -> str:
    """List the columns that the outcome is adjusted for.

    Parameters
    ----------
    analysis : ResponseAnalysis
        The results.

    Returns
    -------
    str
        Names, or "nothing".
    """
    spec = analysis.spec
    names = [*([spec.baseline] if spec.baseline else []), *spec.covariates]
    columns = analysis.response["posterior"].coords
    if "column" in columns and any(str(c).startswith("site: ") for c in columns["column"].values):
        names.append("site")
    return ", ".join(dict.fromkeys(names)) or "nothing"


def _balance_row(row: pd.Series[Any]) -> dict[str, Any]:
    number = not row["level"]
    cells = {}
    for arm in ("default", "other"):
        text = f"{row[arm]:.1f} ({row[f'{arm}_sd']:.1f})" if number else f"{row[arm]:.0f}%"
        if abs(row[arm]) < 1 and number:
            text = f"{row[arm]:.2f} ({row[f'{arm}_sd']:.2f})"
        cells[arm] = f"{text}, n = {int(row[f'{arm}_n'])}"
    difference = float(row["difference"])
    large = bool(np.isfinite(difference) and abs(difference) >= LARGE)
    said = format_number(round(difference, 2) + 0.0)
    return {
        "name": str(row["column"]) if number else f"{row['column']}: {row['level']}",
        **cells,
        "difference": Cell(said, "strong") if large else said,
    }
