"""Additional analyses in the report: what was run and what it showed, and how to run the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from bayes_mdd.dims import ARM, FACTOR, MISSING, SYMPTOM
from bayes_mdd.results.checks import PREDICTIVE, judge_check
from bayes_mdd.results.page import Cell, Column, Table, format_number
from bayes_mdd.shared_specific.report.numbers import write_probability
from bayes_mdd.shared_specific.report.words import count

#: Rows of the table of prior sensitivity.
MOST_ROWS: Final = 12
RUN: Final = "RUN"


@dataclass(frozen=True, kw_only=True)
class AnalysisPart:
    """One additional analysis.

    Parameters
    ----------
    title : str
        What it is.
    why : str
        What it is for.
    result : str
        What it showed; empty where it was not run.
    command : str
        How to run it.
    tables : tuple of Table
        Its tables.
    """

    title: str
    why: str
    result: str = ""
    command: str
    tables: tuple[Table, ...] = ()


def gather_analyses(
    analyses: Mapping[str, pd.DataFrame], checks: pd.DataFrame
) -> list[AnalysisPart]:
    """Gather the additional analyses, with a command for those that were not run.

    Parameters
    ----------
    analyses : mapping of str to DataFrame
        From `bayes_mdd.results.stored_analyses.read_analyses`.
    checks : pandas.DataFrame
        What `diagnose` returned, with the rows of additional analyses.

    Returns
    -------
    list of AnalysisPart
        Predictive checks, permutations and prior sensitivity.
    """
    return [
        _predictive(analyses, checks),
        _permutations(analyses.get("permutations")),
        _priors(analyses.get("prior_sensitivity")),
    ]


def _predictive(analyses: Mapping[str, pd.DataFrame], checks: pd.DataFrame) -> AnalysisPart:
    title = "Posterior predictive checks"
    why = (
        "They compare the residuals with those of data simulated from the fit: do the assumptions "
        "about errors hold?"
    )
    command = f"bayes-mdd check {RUN} --predictive"
    found = analyses.get("predictive_checks")
    if found is None or not {"check", "p_value"} <= set(found.columns):
        return AnalysisPart(title=title, why=why, command=command)
    states = {
        str(r["name"]).removeprefix(PREDICTIVE): judge_check(r["passed"])
        for _, r in checks.iterrows()
        if str(r["name"]).startswith(PREDICTIVE)
    }
    rows: list[list[str | Cell]] = []
    for _, r in found.iterrows():
        state = states.get(str(r["check"]), "not judged")
        cells = [format_number(r[c]) if c in r else MISSING for c in ("observed", "expected")]
        cls = state.replace(" ", "-")
        p = format_number(r["p_value"])
        rows.append([str(r["check"]), *cells, p, Cell(state, cls), str(r.get("meaning", ""))])
    columns = [
        Column("statistic"),
        *(Column(c, numeric=True) for c in ("observed", "expected", "p")),
        Column("result"),
        Column("meaning"),
    ]
    caption = "Statistics of the residuals, observed and as the fit expects them"
    table = Table("predictive", caption, columns, rows, stack=True)
    failed = [name for name, state in states.items() if state == "failed"]
    judged = sum(states.get(str(name), "") in ("passed", "failed") for name in found["check"])
    said = (
        f"{count(len(failed))} of {len(rows)} statistics differ from what the model expects: "
        f"{', '.join(failed)}. Intervals may be too narrow and probabilities too extreme."
        if failed
        else f"None of {len(rows)} statistics differs from what the model expects."
    )
    if judged < len(rows):
        said += f" {len(rows) - judged} could not be judged."
    return AnalysisPart(title=title, why=why, command=command, result=said, tables=(table,))


def _permutations(found: pd.DataFrame | None) -> AnalysisPart:
    title = "Permuted arms"
    why = "Fits with permuted arm labels show how specific a pattern looks by chance alone."
    command = f"bayes-mdd check {RUN} --permutations 19"
    if found is None or not {"permutation", "max_p_specific"} <= set(found.columns):
        return AnalysisPart(title=title, why=why, command=command)
    ordered = found.sort_values("permutation")
    statistic = pd.to_numeric(ordered["max_p_specific"], errors="coerce").to_numpy(dtype=float)
    if len(statistic) < 2 or not np.isfinite(statistic).all():
        return AnalysisPart(title=title, why=why, command=command)
    p = float((statistic >= statistic[0]).mean())
    n = len(statistic) - 1
    said = (
        f"The largest P(specific) was {write_probability(statistic[0])} with the arms as they are "
        f"and at most {write_probability(statistic[1:].max())} in {n} permutations (p = {p:.2g}; "
        f"with {n} permutations p cannot be below {1 / (n + 1):.2g})."
    )
    return AnalysisPart(title=title, why=why, command=command, result=said)


def _priors(found: pd.DataFrame | None) -> AnalysisPart:
    title = "Prior sensitivity"
    why = "Power scaling of priors and likelihood shows which results depend on a prior."
    command = f"bayes-mdd check {RUN} --sensitivity"
    if found is None or not {"quantity", "factor", "diagnosis"} <= set(found.columns):
        return AnalysisPart(title=title, why=why, command=command)
    chosen = found[found["diagnosis"].notna() & (found["diagnosis"].astype(str) != "")]
    if chosen.empty:
        said = f"None of {len(found)} reported quantities depends on a prior."
        return AnalysisPart(title=title, why=why, command=command, result=said)
    rows = [
        [str(_cell(r, name)) for name in (FACTOR, "quantity", ARM, SYMPTOM)]
        + [format_number(r.get("mean")), str(_cell(r, "rests_on")), str(r["diagnosis"])]
        for _, r in chosen.head(MOST_ROWS).iterrows()
    ]
    columns = [
        *map(Column, ("factor", "quantity", "arm", "symptom")),
        Column("mean", numeric=True),
        Column("prior"),
        Column("diagnosis"),
    ]
    more = len(chosen) - len(rows)
    note = f"{more} more rows: prior_sensitivity.tsv in the run folder." if more else ""
    caption = "Results that depend on a prior"
    table = Table("sensitivity", caption, columns, rows, note, stack=True)
    said = f"{len(chosen)} of {len(found)} reported quantities depend on a prior."
    return AnalysisPart(title=title, why=why, command=command, result=said, tables=(table,))


def _cell(row: pd.Series[Any], name: str) -> object:
    value = row.get(name, "")
    return "" if pd.isna(value) else value
