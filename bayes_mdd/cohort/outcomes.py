"""The outcome table of a trial: arm, outcome, baseline, what was known before, declared design."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import pandas as pd

from bayes_mdd.cohort.allocation import (
    Allocation,
    far_allocation,
    propensity_of,
)
from bayes_mdd.cohort.disposition import (
    DISPOSITION,
    LAST_SESSION,
    NOT_STATED,
    REASON,
    read_disposition,
)
from bayes_mdd.cohort.folder import Cohort
from bayes_mdd.cohort.tables import read_json
from bayes_mdd.cohort.trial_design import STRATUM, TrialDesign, find_design, stratum_of
from bayes_mdd.cohort.visit_values import Visits, as_cohort, collect_visits, patients_of
from bayes_mdd.dims import ARM, MISSING
from bayes_mdd.errors import DataContractError, some

PROPENSITY: Final = "propensity"
MISSING_REASON: Final = "missing_reason"


def read_outcomes(
    cohort: Cohort | str | Path,
    *,
    scale: str,
    endpoint: str | None = None,
    baseline: str | None = None,
    dimension: str | None = None,
    higher_is_better: bool | None = None,
    assignment: str | None = None,
    default: str | None = None,
    allocation: Allocation | None = None,
    strata: str | Sequence[str] | None = None,
) -> pd.DataFrame:
    """Read the outcomes of a trial, one row per patient.

    Parameters
    ----------
    cohort : Cohort, str or Path
        A cohort, or its folder.
    scale : str
        Scale of the outcome, such as ``"hamd17"``: a table of ``phenotype/`` with its items or its
        totals.
    endpoint, baseline : str
        Sessions of the outcome and of the value before treatment. Both must be named; an error
        lists the sessions.
    dimension : str, optional
        A score of the scale, such as ``"core"``. Default: its total.
    higher_is_better : bool, optional
        Direction of the outcome. Default: as the sidecar of the table states it
        (``HigherIsBetter`` under ``MeasurementToolMetadata``); False for the scales of the
        package.
    assignment : {"randomised", "observational"}, optional
        How patients came to their arm. This and the next three arguments replace what
        ``participants.json`` declares under ``arm``: here ``Assignment``.
    default : str, optional
        The arm that is given without further knowledge (``Default``).
    allocation : float or mapping, optional
        Planned probability of the other arm, of each arm, or of the other arm by stratum
        (``AllocationProbability``).
    strata : str or sequence of str, optional
        Columns of participants within which arms were randomised (``Strata``).

    Returns
    -------
    pandas.DataFrame
        Indexed by ``participant_id``; patients with an arm. Columns: ``arm``; the outcome, named
        like the scale (or the dimension), in points, NaN where missing; ``<outcome>_baseline``;
        ``missing_reason``, empty where the outcome is known; the other columns of participants;
        ``propensity``, the probability of the other arm, where the allocation is declared or
        participants have such a column; ``stratum`` where strata are declared. Attributes:
        ``outcome``, ``baseline``, ``scale``, ``units``, ``range``, ``higher_is_better``,
        ``endpoint_session``, ``baseline_session``, ``assignment``, ``default``, ``allocation``,
        ``strata`` and ``notes`` (contradictions between data and design, and who was left out).

    Raises
    ------
    DataContractError
        If sessions or design are not stated, or anything contradicts them. The error lists all
        problems.

    See Also
    --------
    read_visits : All ratings in between.
    response_spec : The spec of such a table.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> outcomes = bm.read_outcomes(
    ...     "COHORT", scale="hamd17", endpoint="ses-week8", baseline="ses-baseline"
    ... )  # doctest: +SKIP
    """
    cohort = as_cohort(cohort)
    patients = patients_of(cohort)
    stated = {
        "Assignment": assignment,
        "Default": default,
        "AllocationProbability": allocation,
        "Strata": [strata] if isinstance(strata, str) else strata and list(strata),
    }
    sidecar = {} if cohort.folder is None else read_json(cohort.folder / "participants.json")
    design, problems = find_design(patients, sidecar, stated)
    try:
        visits = collect_visits(cohort, scale, dimension)
    except DataContractError as error:
        raise DataContractError("outcomes", [*error.problems, *problems]) from error
    problems = [*visits.problems, *_session_problems(visits, endpoint, baseline), *problems]
    name = scale if dimension is None else dimension
    problems += _column_problems(patients, name)
    if higher_is_better is None:
        higher_is_better = visits.higher_is_better
    if higher_is_better is None:
        problems.append(
            f'the direction of {scale} is not stated: add "HigherIsBetter": true or false under '
            "MeasurementToolMetadata in its sidecar, or pass higher_is_better=..."
        )
    disposition = None
    if cohort.folder is not None:
        try:
            disposition = read_disposition(
                cohort.folder, list(cohort.participants.index), visits.sessions
            )
        except DataContractError as error:
            problems += [f"phenotype/{DISPOSITION}: {p}" for p in error.problems]
    if problems or design is None or endpoint is None or baseline is None:
        raise DataContractError("outcomes", problems)
    table, notes = _build(patients, visits, name, (endpoint, baseline), disposition)
    table, found = _add_design(table, design)
    table.attrs = {
        "outcome": name,
        "baseline": f"{name}_baseline",
        "scale": scale,
        "units": "points",
        "range": None if visits.range is None else list(map(float, visits.range)),
        "higher_is_better": bool(higher_is_better),
        "endpoint_session": endpoint,
        "baseline_session": baseline,
        "assignment": design.assignment,
        "default": design.default,
        "allocation": _plain(design.allocation),
        "strata": list(design.strata),
        "notes": [*design.notes, *_left_out(cohort, patients), *notes, *found],
    }
    return table


def _session_problems(visits: Visits, endpoint: str | None, baseline: str | None) -> list[str]:
    sessions = [s for s in visits.sessions if s != MISSING]
    listed = f"sessions of {visits.scale}, in the order of time: {some(sessions, 20)}"
    if len(sessions) < 2:
        found = f"one session ({sessions[0]})" if sessions else "no column 'session_id'"
        return [
            f"the table of {visits.scale} has {found}: a trial needs ratings before treatment and "
            "at its end, one row per participant and session."
        ]
    problems = []
    for name, session in (("endpoint", endpoint), ("baseline", baseline)):
        if session is None:
            problems.append(f"the {name} is not named: pass {name}=...; {listed}.")
        elif session not in sessions:
            near = get_close_matches(str(session), sessions, n=1, cutoff=0.5)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            problems.append(f"there is no session {session!r} ({name}); {listed}.{hint}")
    if problems:
        return problems
    if endpoint == baseline:
        return [f"baseline and endpoint are the same session {endpoint!r}; {listed}."]
    if sessions.index(str(baseline)) > sessions.index(str(endpoint)):
        return [
            f"the baseline {baseline!r} comes after the endpoint {endpoint!r}; {listed}. If this "
            "order is wrong, state the Levels of session_id in the JSON sidecar."
        ]
    return []


def _column_problems(patients: pd.DataFrame, name: str) -> list[str]:
    taken = [c for c in (name, f"{name}_baseline", MISSING_REASON) if c in patients]
    problems = []
    if taken:
        problems.append(
            f"participants.tsv has a column {some(map(repr, taken))}, which the table of outcomes "
            "fills from phenotype/: rename it."
        )
    if PROPENSITY in patients:
        given = pd.to_numeric(patients[PROPENSITY], errors="coerce")
        bad = patients.index[~((given > 0) & (given < 1))]
        if len(bad):
            problems.append(
                f"'{PROPENSITY}' in participants.tsv is the probability of the other arm and must "
                f"lie strictly between 0 and 1; it does not for {some(bad)}. Correct these cells."
            )
    return problems


def _build(
    patients: pd.DataFrame,
    visits: Visits,
    name: str,
    sessions: tuple[str, str],
    disposition: pd.DataFrame | None,
) -> tuple[pd.DataFrame, list[str]]:
    outcome, before = (visits.at(s).reindex(patients.index).astype(float) for s in sessions)
    table = pd.DataFrame({ARM: patients[ARM].astype(str), name: outcome}, index=patients.index)
    table[f"{name}_baseline"] = before
    reason = pd.Series("", index=table.index, dtype=object)
    missing = table[name].isna()
    reason[missing] = NOT_STATED
    notes = []
    if disposition is not None:
        stated = disposition[REASON].reindex(table.index)
        known = stated.notna() & (stated != MISSING)
        reason[missing & known] = stated[missing & known]
        stayed = int((known & ~missing).sum())
        if stayed:
            notes.append(
                f"{stayed} patient(s) ended treatment early but were rated at {sessions[0]}: their "
                "outcome counts (treatment policy)."
            )
        late = _rated_after(visits, disposition)
        if late:
            notes.append(f"ratings after {LAST_SESSION} of {some(late)} are kept.")
    if unexplained := int((reason == NOT_STATED).sum()):
        notes.append(
            f"{unexplained} of {int(missing.sum())} missing outcomes have no stated reason "
            f"(phenotype/{DISPOSITION})."
        )
    table[MISSING_REASON] = reason
    others = patients.drop(columns=[ARM])
    return table.join(others), notes


def _rated_after(visits: Visits, disposition: pd.DataFrame) -> list[str]:
    time = {s: k for k, s in enumerate(visits.sessions)}
    rated = visits.table[visits.table["value"].notna()]
    last = rated.groupby("participant_id")["session_id"].agg(lambda s: max(time[x] for x in s))
    stated = disposition[LAST_SESSION].map(time).dropna()
    both = last.index.intersection(stated.index)
    return [str(i) for i in both if last[i] > stated[i]]


def _add_design(table: pd.DataFrame, design: TrialDesign) -> tuple[pd.DataFrame, list[str]]:
    """Add propensity and stratum, and compare the arms with the allocation."""
    notes: list[str] = []
    arms = sorted(set(table[ARM]))
    stratum = None
    if design.strata:
        stratum = stratum_of(table, design.strata)
        table = table.assign(**{STRATUM: stratum})
    if design.allocation is not None and len(arms) == 2:
        planned = propensity_of(design.allocation, arms, design.default, stratum)
        if PROPENSITY in table and not (table[PROPENSITY].astype(float) == planned).all():
            raise DataContractError(
                "outcomes",
                [
                    f"AllocationProbability and the column '{PROPENSITY}' of participants.tsv "
                    "differ: state one of them."
                ],
            )
        table = table.assign(**{PROPENSITY: planned})
        notes += far_allocation(table, design.default, table[PROPENSITY])
    return table, notes


def _left_out(cohort: Cohort, patients: pd.DataFrame) -> list[str]:
    people = cohort.participants.drop(index=patients.index)
    controls = cohort.controls.index
    without = people.index[~people.index.isin(controls)]
    notes = []
    if len(people) > len(without):
        notes.append(f"{len(people) - len(without)} control(s) have no row.")
    if len(without):
        notes.append(f"{some(without)} have no arm and no row.")
    return notes


def _plain(allocation: Allocation | None) -> Any:
    if isinstance(allocation, Mapping):
        return {str(k): float(v) for k, v in allocation.items()}
    return allocation
