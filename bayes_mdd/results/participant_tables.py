"""Table 1 as it stands in reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import ARM, CONTROL, DIAGNOSIS, MISSING, SUBJECT
from bayes_mdd.features.disclosure import WITHHELD
from bayes_mdd.features.sample import ALL_ARMS, CONTROLS, describe_sample, read_sample
from bayes_mdd.files.marks import SAMPLE
from bayes_mdd.results.page import Column, Table
from bayes_mdd.results.result import Result
from bayes_mdd.specs.column_names import is_motion_name

#: Names of the columns that every cohort has.
_TITLES: Final = {"age": "Age", "sex": "Sex", "site": "Site"}
NO_RECORD: Final = (
    "This run was made by an earlier version, which did not record Table 1: it shows the fitted "
    "participants only. Fit again for healthy controls and raw scores."
)


def read_or_describe_sample(result: Result) -> tuple[pd.DataFrame, bool]:
    """Read Table 1 of a fit, or make it of what an earlier version stored.

    Parameters
    ----------
    result : Result
        A fit.

    Returns
    -------
    table : DataFrame
        As `bayes_mdd.features.sample.describe_sample` returns it.
    recorded : bool
        Whether it was recorded at the time of the fit.
    """
    table = read_sample(result.tree.attrs.get(SAMPLE))
    if table is not None:
        return table, True
    constant = result.constant
    columns: dict[str, Any] = {
        str(name): (SUBJECT, c.values)
        for name, c in constant.coords.items()
        if c.dims == (SUBJECT,) and name not in (SUBJECT, DIAGNOSIS)
    }
    arm = constant[ARM].values
    if np.issubdtype(arm.dtype, np.integer):
        arm = np.asarray(result.arms)[arm]
    columns |= {SUBJECT: constant[SUBJECT].values.astype(str), ARM: (SUBJECT, arm.astype(str))}
    used = [str(c) for c in getattr(result.spec, "covariates", ())]
    return describe_sample(
        xr.Dataset(coords=columns), _stored_symptoms(result), covariates=used
    ), False


def _stored_symptoms(result: Result) -> pd.DataFrame | None:
    """Symptoms as the fit stored them."""
    if "observed_data" not in result.tree.children:
        return None
    observed = result.group("observed_data")
    columns = {
        str(n).removeprefix("symptom_"): v.values.astype(float)
        for n, v in observed.data_vars.items()
        if v.dims == (SUBJECT,) and str(n).startswith("symptom_")
    }
    if not columns:
        return None
    return pd.DataFrame(columns, index=observed[SUBJECT].values.astype(str))


def tabulate_sample(
    table: pd.DataFrame,
    sizes: Mapping[str, int],
    *,
    n_controls: int = 0,
    note: str = "",
) -> Table:
    """Write Table 1 for a report.

    Parameters
    ----------
    table : DataFrame
        From `read_or_describe_sample`.
    sizes : mapping of str to int
        Number of participants of each arm.
    n_controls : int, default 0
        Number of controls that are not an arm; 0 where the table does not hold them.
    note : str, default ""
        What is added to the note.

    Returns
    -------
    Table
        Mean (SD) or count (share) by arm and for controls, with missing values and the
        standardised difference between arms.
    """
    groups = list(sizes)
    shown = {g: f"{g} (n = {n})" for g, n in sizes.items()}
    if (table["group"] == CONTROLS).any():
        groups.append(CONTROLS)
        shown[CONTROLS] = f"Healthy controls (n = {n_controls})"
    differ = (table["group"] == ALL_ARMS).any()
    columns = [Column("Characteristic"), *(Column(shown[g], numeric=True) for g in groups)]
    columns += [Column("Missing"), *([Column("SMD", numeric=True)] if differ else [])]
    rows: list[list[str]] = []
    for name in table["variable"].unique():
        own = table[table["variable"] == name]
        rows += _write_variable(str(name), own, groups, differ=bool(differ))
    said = ["Numbers: mean (SD); levels: count (%)."]
    if differ:
        said.append(
            "SMD: standardised difference between arms (difference of means in SD; its "
            "multivariate form for levels)"
            + (", the largest of all pairs." if len(_patients(sizes)) > 2 else ".")
        )
    if (table["mark"] != "").any():
        said.append(
            "Counts below five, and those from which they would follow, are not shown, so that "
            "the table describes no single person."
        )
    return Table("table-1", "Characteristics of the participants by arm", columns, rows,
                 note=" ".join([*said, *([note] if note else [])]))  # fmt: skip


def _patients(sizes: Mapping[str, int]) -> list[str]:
    return [arm for arm in sizes if arm != CONTROL]


def _write_variable(
    name: str, own: pd.DataFrame, groups: Sequence[str], *, differ: bool
) -> list[list[str]]:
    """Rows of one variable: one for a number, one for each level otherwise."""
    kind = str(own["kind"].iloc[0])
    by_group = {g: own[own["group"] == g] for g in groups}
    first = {g: rows.iloc[0] for g, rows in by_group.items() if len(rows)}
    gap = own[own["group"] == ALL_ARMS]
    end = [_say_missing(first, groups), *([_write_gap(gap)] if differ else [])]
    levels = [str(level) for level in own["level"].unique() if level]
    title = _title(name, kind)
    if not levels:
        return [[title, *(_write_mean(first.get(g)) for g in groups), *end]]
    rows: list[list[str]] = []
    for level in levels:
        cells = []
        for g in groups:
            found = by_group[g][by_group[g]["level"] == level]
            cells.append(_write_count(found.iloc[0]) if len(found) else MISSING)
        # What is said of the variable as a whole stands in its first row.
        rows.append([f"{title}: {level}", *cells, *(end if not rows else [""] * len(end))])
    return rows


def _title(name: str, kind: str) -> str:
    if is_motion_name(name):
        return f"Head motion ({name})"
    if kind == "severity":
        return f"Severity: {name}"
    title = _TITLES.get(kind, name)
    return title if title.lower() == name.lower() or title == name else f"{title} ({name})"


def _write_mean(row: pd.Series[Any] | None) -> str:
    if row is None or not row["n"]:
        return "not rated" if row is not None and row["kind"] == "severity" else MISSING
    if row["mark"]:
        return WITHHELD
    digits = 3 if abs(row["mean"]) < 1 else 1
    return f"{row['mean']:.{digits}f} ({row['sd']:.{digits}f})"


def _write_count(row: pd.Series[Any]) -> str:
    if row["mark"]:
        return str(row["mark"])
    n = float(row["n"])
    return f"{row['count']:.0f} ({row['count'] / n:.0%})" if n else MISSING


def _write_gap(gap: pd.DataFrame) -> str:
    if gap.empty:
        return ""
    row = gap.iloc[0]
    return WITHHELD if row["mark"] else f"{row['difference']:.2f}"


def _say_missing(first: Mapping[str, pd.Series[Any]], groups: Sequence[str]) -> str:
    """Numbers of missing values by group; groups that were not rated at all are not counted."""
    said = [
        f"{first[g]['missing']:.0f} {g}"
        for g in groups
        if g in first and first[g]["missing"] and first[g]["n"]
    ]
    return ", ".join(said) or "0"
