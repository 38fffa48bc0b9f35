"""All visits of one scale: sessions in the order of time, their weeks, and values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import pandas as pd

from bayes_mdd.cohort.folder import Cohort, read_cohort
from bayes_mdd.cohort.participants import ID
from bayes_mdd.cohort.phenotype import SESSION_ID, scale_of, session_levels, sessions_of
from bayes_mdd.cohort.scales import Scale, available_scales, read_scale
from bayes_mdd.cohort.tables import read_json, read_table
from bayes_mdd.cohort.totals import name_of_total
from bayes_mdd.cohort.visit_weeks import (
    WEEK,
    order_sessions,
    week_column,
    weeks_of_sessions,
)
from bayes_mdd.dims import ARM, CONTROL, DIAGNOSIS, MISSING
from bayes_mdd.errors import DataContractError, some

VALUE = "value"


@dataclass(frozen=True, eq=False)
class Visits:
    """Ratings of patients with one scale.

    Parameters
    ----------
    scale : str
        Name of the scale.
    dimension : str
        The score.
    range : tuple of float or None
        Lowest and highest possible score; None if the scale is not at hand.
    sessions : tuple of str
        In the order of time.
    table : pandas.DataFrame
        ``participant_id``, ``session_id``, ``week`` and ``value``, one row per rating.
    higher_is_better : bool or None
        As the sidecar states it; False for the scales of the package; None if not known.
    problems : tuple of str
        Of weeks and sessions.
    """

    scale: str
    dimension: str
    range: tuple[float, float] | None
    sessions: tuple[str, ...]
    table: pd.DataFrame
    higher_is_better: bool | None
    problems: tuple[str, ...]

    def at(self, session: str) -> pd.Series:
        """Select the values at one session.

        Parameters
        ----------
        session : str
            One of `sessions`.

        Returns
        -------
        pandas.Series
            By participant.
        """
        rows = self.table[self.table[SESSION_ID] == session]
        return rows.set_index(ID)[VALUE]


def as_cohort(cohort: Cohort | str | Path) -> Cohort:
    """Read a cohort unless it has been read.

    Parameters
    ----------
    cohort : Cohort, str or Path
        A cohort or its folder.

    Returns
    -------
    Cohort
        The cohort.
    """
    return cohort if isinstance(cohort, Cohort) else read_cohort(cohort)


def patients_of(cohort: Cohort) -> pd.DataFrame:
    """Select the participants with an arm who are no controls.

    Parameters
    ----------
    cohort : Cohort
        The cohort.

    Returns
    -------
    pandas.DataFrame
        Their rows.

    Raises
    ------
    DataContractError
        If there is no arm.
    """
    people = cohort.participants
    if ARM not in people:
        raise DataContractError(
            "outcomes",
            [
                f"participants.tsv has no column '{ARM}'; found {some(people.columns, 12)}. Rename "
                f"the column that holds the treatment arm to '{ARM}'."
            ],
        )
    chosen = people[ARM].notna() & ~people[ARM].isin([MISSING, ""])
    if DIAGNOSIS in people:
        chosen &= people[DIAGNOSIS] != CONTROL
    if not chosen.any():
        raise DataContractError("outcomes", [f"no patient has an arm: fill in '{ARM}'."])
    return people[chosen]


def read_visits(
    cohort: Cohort | str | Path, *, scale: str, dimension: str | None = None
) -> pd.DataFrame:
    """Read all ratings of the patients with one scale.

    Parameters
    ----------
    cohort : Cohort, str or Path
        A cohort, or its folder.
    scale : str
        Name of the scale, such as ``"hamd17"``.
    dimension : str, optional
        A score of the scale. Default: its total.

    Returns
    -------
    pandas.DataFrame
        One row per rating of a patient with an arm, in the order of time: ``participant_id``,
        ``session_id``, ``week`` since the beginning of treatment (NaN where it is not known) and
        ``value`` (NaN where not rated). Attributes: ``scale``, ``dimension``, ``sessions``.

    Raises
    ------
    DataContractError
        If the cohort has no ratings with this scale, or weeks are contradictory.

    Notes
    -----
    Weeks are those of the column ``week`` of the table; otherwise those that the sidecar states
    (``Weeks`` of ``session_id``, a number for each session); otherwise those that the name of the
    session says (``ses-baseline``, ``ses-week8``, ``ses-day28``).

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> bm.read_visits("COHORT", scale="hamd17")  # doctest: +SKIP
    """
    visits = collect_visits(as_cohort(cohort), scale, dimension)
    if visits.problems:
        raise DataContractError(f"visits of {scale}", list(visits.problems))
    table = visits.table.reset_index(drop=True)
    table.attrs = {
        "scale": visits.scale,
        "dimension": visits.dimension,
        "sessions": list(visits.sessions),
    }
    return table


def collect_visits(cohort: Cohort, scale: str, dimension: str | None) -> Visits:
    """Gather the ratings of a scale with their weeks.

    Parameters
    ----------
    cohort : Cohort
        The cohort.
    scale : str
        Name of the scale.
    dimension : str, optional
        A score of the scale. Default: its total.

    Returns
    -------
    Visits
        Ratings of patients with an arm.

    Raises
    ------
    DataContractError
        If the cohort has no such ratings.
    """
    patients = patients_of(cohort)
    if scale not in cohort.scores:
        raise DataContractError("outcomes", [_no_scale(cohort, scale)])
    scores = cohort.scores[scale]
    source, sidecar = _source(cohort.folder, scale)
    definition = _definition(scale, source, sidecar)
    name = _dimension(scores, scale, definition, dimension)
    sessions = [str(s) for s in sessions_of(scores)]
    weeks, problems = weeks_of_sessions(sessions, sidecar)
    order, wrong = order_sessions(sessions, session_levels(sidecar), weeks)
    problems += wrong
    table = scores[name].rename(VALUE).reset_index()
    table[ID] = table[ID].astype(str)
    table[WEEK] = table[SESSION_ID].map(weeks).astype(float)
    if source is not None:
        problems += _stated_weeks(table, source)
    rank = {i: k for k, i in enumerate(map(str, patients.index))}
    table = table[table[ID].isin(list(rank))]
    time = {s: k for k, s in enumerate(order)}
    keys = pd.DataFrame({"who": table[ID].map(rank), "when": table[SESSION_ID].map(time)})
    table = table.loc[keys.sort_values(["who", "when"], kind="stable").index]
    return Visits(
        scale=scale,
        dimension=name,
        range=definition.range_of(name) if definition else None,
        sessions=tuple(order),
        table=table[[ID, SESSION_ID, WEEK, VALUE]],
        higher_is_better=_direction(scale, sidecar),
        problems=tuple(f"{source.name if source else scale}: {p}" for p in problems),
    )


def _no_scale(cohort: Cohort, scale: str) -> str:
    held = list(cohort.scores)
    near = get_close_matches(str(scale), [*held, *available_scales()], n=1)
    hint = f" Did you mean {near[0]!r}?" if near and near[0] != scale else ""
    if not held:
        found = "phenotype/ holds no table of a known scale"
        if cohort.notes:
            found += f" ({some(cohort.notes, 3)})"
        return (
            f"there are no ratings with {scale!r}: {found}. Add phenotype/{scale}.tsv with its "
            "JSON "
            "sidecar."
        )
    return (
        f"there are no ratings with {scale!r}; the cohort has {some(held)}.{hint} Set "
        "outcome.scale "
        "to one of these, or add the table."
    )


def _source(folder: Path | None, scale: str) -> tuple[Path | None, dict[str, Any]]:
    """Find the phenotype table of a scale and its sidecar, if the cohort is from a folder."""
    if folder is None:
        return None, {}
    for path in sorted((folder / "phenotype").glob("[!.]*.tsv")):
        sidecar = read_json(path.with_suffix(".json"))
        found = scale_of(path, sidecar)
        if found is not None and found.name == scale:
            return path, sidecar
    return None, {}


def _definition(scale: str, source: Path | None, sidecar: Mapping[str, Any]) -> Scale | None:
    if source is not None:
        return scale_of(source, sidecar)
    return read_scale(scale) if scale in available_scales() else None


def _dimension(
    scores: pd.DataFrame, scale: str, definition: Scale | None, wanted: str | None
) -> str:
    name = wanted
    if name is None:
        name = name_of_total(definition) if definition else f"{scale}_total"
    columns = [str(c) for c in scores.columns]
    if name in columns:
        return str(name)
    if wanted is None:
        raise DataContractError(
            "outcomes", [f"{scale} has no total: name one of its scores, {some(columns, 12)}."]
        )
    near = get_close_matches(wanted, columns, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise DataContractError(
        "outcomes", [f"{scale} has no score {wanted!r}; it has {some(columns, 12)}.{hint}"]
    )


def _stated_weeks(table: pd.DataFrame, source: Path) -> list[str]:
    """Replace weeks by those of the column ``week`` of the file."""
    raw = read_table(source)
    week, problems = week_column(raw)
    if week is None:
        return problems
    keys = [ID, *([SESSION_ID] if SESSION_ID in raw else [])]
    stated = pd.Series(week.to_numpy(), index=pd.MultiIndex.from_frame(raw[keys]))
    at = pd.MultiIndex.from_frame(table[keys])
    found = stated.reindex(at).to_numpy()
    table[WEEK] = pd.Series(found, index=table.index).fillna(table[WEEK])
    return []


def _direction(scale: str, sidecar: Mapping[str, Any]) -> bool | None:
    tool = sidecar.get("MeasurementToolMetadata")
    stated = tool.get("HigherIsBetter") if isinstance(tool, Mapping) else None
    if isinstance(stated, bool):
        return stated
    return False if scale in available_scales() else None
