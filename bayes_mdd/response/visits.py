"""Ratings of all visits between baseline and endpoint, joined with scores and outcomes."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import ARM, MISSING
from bayes_mdd.errors import DataContractError, SpecError, some
from bayes_mdd.response.outcome_values import as_numbers
from bayes_mdd.response.prepare import Prepared, prepare
from bayes_mdd.specs.response import ResponseSpec
from bayes_mdd.types import Array, BoolArray, IntArray

#: Columns of a table of visits.
ID, SESSION, WEEK, VALUE = "participant_id", "session_id", "week", "value"
#: Why a patient with visits is not analysed.
INCOMPLETE = "no outcome, and baseline or covariate missing"

log = logging.getLogger("bayes_mdd.response")


@dataclass(frozen=True, eq=False)
class VisitData:
    """Patients with a rating after baseline.

    Parameters
    ----------
    prepared : Prepared
        The patients; the outcome of those without one is NaN.
    values : ndarray, shape (subject, visit)
        Ratings, lower is better, in points around the level of `prepared`; NaN where missing. The
        last visit is the endpoint.
    weeks : ndarray, shape (visit,)
        Time of each visit.
    sessions : tuple of str
        Its name.
    """

    prepared: Prepared
    values: Array
    weeks: Array
    sessions: tuple[str, ...]

    @property
    def gone(self) -> BoolArray:
        """Whether each patient has no outcome, shape (subject,)."""
        return np.isnan(self.values[:, -1])

    def take(self, rows: IntArray | BoolArray) -> VisitData:
        """Select patients.

        Parameters
        ----------
        rows : ndarray
            Positions, or a mask.

        Returns
        -------
        VisitData
            With the same units; of `prepared`, the arrays of the trial are selected.
        """
        trial = self.prepared.trial.take(rows)
        return replace(self, prepared=replace(self.prepared, trial=trial), values=self.values[rows])


def prepare_visits(
    spec: ResponseSpec,
    scores: xr.Dataset,
    outcomes: pd.DataFrame,
    visits: pd.DataFrame | None,
    *,
    everyone: bool = False,
) -> VisitData:
    """Join scores, outcomes and visits, and check them.

    Parameters
    ----------
    spec : ResponseSpec
        The model, of kind "gaussian".
    scores : Dataset
        From `score_moments`.
    outcomes : DataFrame
        As for `fit_response`.
    visits : DataFrame or None
        As from `bayes_mdd.read_visits`; None: the endpoint only.
    everyone : bool, default False
        Whether patients without any visit after baseline stay, with NaN.

    Returns
    -------
    VisitData
        Patients and their ratings.

    Raises
    ------
    DataContractError
        If a table cannot be used; every problem of the visits is listed.
    SpecError
        If the kind of the outcome is not supported.
    """
    if spec.kind != "gaussian":
        raise SpecError(
            f"Visits are supported for kind 'gaussian', got '{spec.kind}': omit visits, or set "
            "missing='complete' to leave out patients without an outcome."
        )
    if spec.outcome not in outcomes or ARM not in outcomes:
        prepare(spec, scores, outcomes)  # raises, with all problems
    table = _arrange(spec, outcomes, visits)
    rows = table.values.index
    rated = set(rows if everyone else rows[table.values.notna().any(axis=1)])
    lacking = rated & set(_incomplete(spec, outcomes))
    prepared = prepare(spec, scores, outcomes, rated - lacking)
    excluded = {**prepared.excluded, **{i: INCOMPLETE for i in lacking if i in prepared.excluded}}
    prepared = replace(prepared, excluded=excluded)
    values = table.values.reindex(list(prepared.subjects)).to_numpy(dtype=float)
    values = prepared.sign * values - prepared.level
    values = np.column_stack([values, prepared.trial.outcome])
    return VisitData(prepared, values, table.weeks, table.sessions)


def check_visits(spec: ResponseSpec, outcomes: pd.DataFrame, visits: pd.DataFrame) -> int:
    """Check a table of visits before the scans are fitted.

    Parameters
    ----------
    spec : ResponseSpec
        The model.
    outcomes : DataFrame
        As for `fit_response`.
    visits : DataFrame
        As for `fit_response`.

    Returns
    -------
    int
        Number of patients without an outcome who have a rating after baseline.

    Raises
    ------
    DataContractError
        If it cannot be used.
    """
    rated = _arrange(spec, outcomes, visits).values.notna().any(axis=1).to_numpy()
    return int((rated & outcomes[spec.outcome].isna().to_numpy()).sum())


def _incomplete(spec: ResponseSpec, outcomes: pd.DataFrame) -> list[str]:
    """Patients without an outcome whose baseline or covariates are not known."""
    names = [*([spec.baseline] if spec.baseline else []), *spec.covariates]
    rows = outcomes[outcomes[spec.outcome].isna()]
    lacking = pd.Series(False, index=rows.index)
    for name in names:
        if name in rows:
            lacking |= rows[name].isna() | rows[name].astype(str).isin([MISSING, ""])
    return [str(i) for i in rows.index[lacking]]


@dataclass(frozen=True, eq=False)
class _Arranged:
    """Ratings before the endpoint (participant, session); weeks and sessions with the endpoint."""

    values: pd.DataFrame
    weeks: Array
    sessions: tuple[str, ...]


def _arrange(spec: ResponseSpec, outcomes: pd.DataFrame, visits: pd.DataFrame | None) -> _Arranged:
    ids = pd.Index([str(i) for i in outcomes.index])
    endpoint = str(outcomes.attrs.get("endpoint_session") or spec.outcome)
    if visits is None:
        return _Arranged(pd.DataFrame(index=ids), np.zeros(1), (endpoint,))
    table = _check_table(visits, ids)
    weeks = table.groupby(SESSION, sort=False)[WEEK].median()
    seen = table.groupby(SESSION, sort=False)[VALUE].count()
    weeks = weeks[seen.reindex(weeks.index) > 0]
    outcome = pd.to_numeric(outcomes[spec.outcome].set_axis(ids), errors="coerce")
    named = outcomes.attrs.get("endpoint_session")
    wide = table.set_index([ID, SESSION])[VALUE].unstack().reindex(ids)  # noqa: PD010
    endpoint = _endpoint(wide, outcome, weeks, None if named is None else str(named))
    _same_outcomes(wide, outcome, endpoint)
    start = outcomes.attrs.get("baseline_session")
    begin = float(weeks.get(str(start), 0.0)) if start is not None else 0.0
    begin = begin if np.isfinite(begin) else 0.0
    before = _candidates(list(weeks.index), visits, (start, endpoint))
    if unknown := [s for s in before if not np.isfinite(weeks[s])]:
        raise DataContractError("visits", [_no_weeks(unknown)])
    end = float(weeks.get(endpoint, np.nan))
    if before and not np.isfinite(end):
        raise DataContractError("visits", [_no_weeks([endpoint])])
    between = sorted((s for s in before if begin < weeks[s] < end), key=lambda s: float(weeks[s]))
    times = np.array([*(float(weeks[s]) for s in between), end if between else 0.0])
    return _Arranged(wide[between], times, (*map(str, between), endpoint))


def _candidates(
    sessions: list[str], visits: pd.DataFrame, ends: tuple[str | None, str]
) -> list[str]:
    """Leave out baseline, endpoint, and what a declared order puts before or after them."""
    order = [str(s) for s in visits.attrs.get("sessions", ())]
    if ends[0] in order and ends[1] in order:
        inside = order[order.index(str(ends[0])) + 1 : order.index(ends[1])]
        return [s for s in sessions if s in inside]
    return [s for s in sessions if s not in ends]


def _no_weeks(sessions: list[str]) -> str:
    return (
        f"the week of {some(sessions)} is not known: fill in the column 'week', state Weeks of "
        "session_id in the sidecar of the ratings, or set missing='complete' to leave out patients "
        "without an outcome."
    )


def _check_table(visits: pd.DataFrame, ids: pd.Index) -> pd.DataFrame:
    columns = (ID, SESSION, WEEK, VALUE)
    if absent := [c for c in columns if c not in visits]:
        raise DataContractError(
            "visits",
            [
                f"there is no column {some(absent)}; found {some(visits.columns)}. Expected one "
                f"row per rating with {', '.join(columns)}, as from read_visits."
            ],
        )
    table = visits[list(columns)].assign(
        **{ID: visits[ID].astype(str), SESSION: visits[SESSION].astype(str)}
    )
    problems = []
    for name, what in ((VALUE, "rating"), (WEEK, "week")):
        number = as_numbers(table[name])
        if not pd.api.types.is_numeric_dtype(number):
            bad = pd.to_numeric(table[name], errors="coerce").isna() & table[name].notna()
            problems.append(f"the {what} is not a number for {some(table.loc[bad, ID])}.")
        elif np.isinf(number).any():
            problems.append(f"the {what} is infinite for {some(table.loc[np.isinf(number), ID])}.")
        else:
            table[name] = number
    table = table[table[ID].isin(ids)]
    if not len(table):
        problems.append(
            f"no participant has both visits and outcomes: visits are of {some(visits[ID])}, "
            f"outcomes of {some(ids)}. Make the ids agree."
        )
    twice = table[table.duplicated([ID, SESSION])]
    if len(twice):
        pairs = [f"{i} at {s}" for i, s in zip(twice[ID], twice[SESSION], strict=True)]
        problems.append(f"{some(pairs)} are there more than once: keep one row per visit.")
    if problems:
        raise DataContractError("visits", problems)
    return table


def _endpoint(wide: pd.DataFrame, outcome: pd.Series, weeks: pd.Series, named: str | None) -> str:
    """Find the session of the outcome: as named, or the one whose ratings are the outcomes."""
    if named is not None:
        return named
    same: dict[str, int] = {}
    for session in wide:
        both = wide[session].notna() & outcome.notna()
        if both.any() and np.allclose(wide[session][both], outcome[both], atol=1e-6):
            same[str(session)] = int(both.sum())
    if not same:
        raise DataContractError(
            "visits",
            [
                f"no session has the ratings that are the outcome '{outcome.name}' (sessions: "
                f"{some(wide.columns)}). Give the visits of the same scale, or name the session of "
                "the outcome: outcomes.attrs['endpoint_session'] = ..."
            ],
        )
    most = max(same.values())
    last = [s for s, n in same.items() if n == most]
    return max(last, key=lambda s: -np.inf if np.isnan(weeks.get(s, np.nan)) else weeks[s])


def _same_outcomes(wide: pd.DataFrame, outcome: pd.Series, endpoint: str) -> None:
    if endpoint not in wide:
        return
    both = wide[endpoint].notna() & outcome.notna()
    differ = wide.index[both & ((wide[endpoint] - outcome).abs() > 1e-6)]
    if len(differ):
        raise DataContractError(
            "visits",
            [
                f"the rating at '{endpoint}' is not the outcome '{outcome.name}' of "
                f"{some(differ)}: give the visits of the same score."
            ],
        )
    if unused := int((wide[endpoint].notna() & outcome.isna()).sum()):
        log.warning(
            "%d ratings at '%s' are not used: the outcome '%s' of these patients is missing.",
            unused, endpoint, outcome.name,
        )  # fmt: skip
