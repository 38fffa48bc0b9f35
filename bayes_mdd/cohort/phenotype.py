"""Phenotype tables: symptom ratings of one scale, read with their sidecar and scored."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import pandas as pd

from bayes_mdd.cohort.levels import sidecar_problems
from bayes_mdd.cohort.participants import ID
from bayes_mdd.cohort.scales import Scale, available_scales, read_scale
from bayes_mdd.cohort.scoring import score_items, score_scale
from bayes_mdd.cohort.tables import id_problems, read_json, read_table
from bayes_mdd.cohort.totals import describe_totals, score_total, total_column
from bayes_mdd.cohort.visits import visit_problems
from bayes_mdd.dims import ARM, MISSING
from bayes_mdd.errors import DataContractError, SpecError, some

SESSION_ID = "session_id"
#: Largest number of unknown ids that are named one by one.
MOST_NAMED = 5


def sessions_of(scores: pd.DataFrame) -> list[str]:
    """List the sessions of a score table in their order.

    Parameters
    ----------
    scores : pandas.DataFrame
        Indexed by ``participant_id`` and ``session_id``.

    Returns
    -------
    list of str
        Sessions in order of appearance.
    """
    return list(scores.index.unique(level=SESSION_ID))


def read_phenotype(
    path: Path, participants: pd.DataFrame | None, options: Mapping[str, Any]
) -> tuple[Scale | None, pd.DataFrame, pd.DataFrame, list[str]]:
    """Read and score one phenotype table.

    Parameters
    ----------
    path : Path
        The table; its sidecar is the JSON file of the same name.
    participants : pandas.DataFrame or None
        Indexed by ``participant_id``; None if the participants could not be read.
    options : mapping
        Keyword arguments of `score_scale`.

    Returns
    -------
    scale : Scale or None
        The scale; None if neither file name nor sidecar names a known one.
    scores, items : pandas.DataFrame
        Dimension and item scores by participant and session.
    notes : list of str
        Decisions made while scoring, or why the table was not scored.

    Raises
    ------
    DataContractError
        If the table cannot be read, its ids or sessions do not match, or a score is impossible.
    SpecError
        If the sidecar names an unknown scale.
    """
    sidecar = read_json(path.with_suffix(".json"))
    table = read_table(path)
    problems = _key_problems(table, participants, sidecar)
    if problems:
        raise DataContractError(path.name, problems)
    scale = scale_of(path, sidecar)
    if scale is None:
        known = some(available_scales())
        note = (
            "not scored: neither the file name nor Scale in the JSON sidecar is a known scale "
            f"({known})."
        )
        return None, table, table, [note]
    column, problems = total_column(table, scale, sidecar)
    if problems:
        raise DataContractError(path.name, problems)
    if SESSION_ID not in table:
        table = table.assign(**{SESSION_ID: MISSING})
    levels = session_levels(sidecar)
    if column is not None:
        codes = options.get("missing_codes", ())
        totals = _in_session_order(score_total(table, scale, column, missing_codes=codes), levels)
        only = len(scale.dimensions) == 1
        return scale, totals, totals[[]], [] if only else [describe_totals(scale, column)]
    items = {
        str(meaning["ScaleItem"]): column
        for column, meaning in sidecar.items()
        if isinstance(meaning, Mapping) and meaning.get("ScaleItem", "total") != "total"
    }
    scored = score_scale(table, scale, items=items, **options)
    notes = list(scored.attrs.pop("notes"))
    item_scores = score_items(table, scale, items=items, **options)
    return scale, _in_session_order(scored, levels), _in_session_order(item_scores, levels), notes


def scale_of(path: Path, sidecar: Mapping[str, Any]) -> Scale | None:
    """Find the scale of a phenotype table.

    Parameters
    ----------
    path : Path
        The table.
    sidecar : mapping
        Content of its JSON sidecar.

    Returns
    -------
    Scale or None
        None if neither sidecar nor file name names a known scale.

    Raises
    ------
    SpecError
        If the sidecar names an unknown scale.
    """
    tool = sidecar.get("MeasurementToolMetadata")
    if tool is not None and not isinstance(tool, Mapping):
        raise SpecError(
            f"MeasurementToolMetadata in {path.stem}.json must be an object, got {tool!r:.80}: "
            'write {"Scale": "hamd17"}.'
        )
    name = tool.get("Scale") if isinstance(tool, Mapping) else None
    if name is not None:
        is_file = str(name).endswith((".yaml", ".yml"))
        return read_scale(path.parent / str(name) if is_file else str(name))
    return read_scale(path.stem) if path.stem in available_scales() else None


def session_levels(sidecar: Mapping[str, Any]) -> list[str]:
    """List the sessions that a sidecar states, in their order.

    Parameters
    ----------
    sidecar : mapping
        Content of the JSON sidecar of a phenotype table.

    Returns
    -------
    list of str
        Levels of ``session_id``; empty if there are none.
    """
    meaning = sidecar.get(SESSION_ID)
    levels = meaning.get("Levels") if isinstance(meaning, Mapping) else None
    return [str(level) for level in levels] if isinstance(levels, (Mapping, list)) else []


def _in_session_order(scored: pd.DataFrame, levels: list[str]) -> pd.DataFrame:
    order = [s for s in levels if s in sessions_of(scored)] or sessions_of(scored)
    parts = [scored[scored.index.get_level_values(SESSION_ID) == s] for s in order]
    return pd.concat(parts)


def _key_problems(
    table: pd.DataFrame, participants: pd.DataFrame | None, sidecar: Mapping[str, Any]
) -> list[str]:
    if ID not in table:
        return [
            f"there is no column '{ID}'; found {some(table.columns)}. Rename the column that "
            f"holds the participant ids to '{ID}'."
        ]
    if table.empty:
        return ["the table has no rows; expected one row per rating."]
    problems = id_problems(table, [ID, *([SESSION_ID] if SESSION_ID in table else [])])
    problems += sidecar_problems(sidecar, [SESSION_ID])
    levels = session_levels(sidecar)
    if SESSION_ID in table and levels:
        unknown = sorted(set(table[SESSION_ID]) - {*levels, MISSING, ""})
        problems += [
            f"session {s!r} of {some(table.loc[table[SESSION_ID] == s, ID].unique())} is not "
            f"among the Levels of {SESSION_ID} in the JSON sidecar "
            f"({some(levels)}): correct it or add it there."
            for s in unknown
        ]
    arms = participants[ARM].unique() if participants is not None and ARM in participants else ()
    problems += visit_problems(table, ID, SESSION_ID, arms=arms, levels=levels)
    return problems if participants is None else problems + _unmatched(table, participants)


def _unmatched(table: pd.DataFrame, participants: pd.DataFrame) -> list[str]:
    """List ids found in one table only. Only subjects with an arm need a rating."""
    problems = []
    rated = table[ID][~table[ID].isin(["", MISSING])].unique()
    unknown = rated[~pd.Index(rated).isin(participants.index)]
    if len(unknown) > MOST_NAMED:
        problems.append(
            f"{len(unknown)} ids are not in participants.tsv ({some(unknown)}; there: "
            f"{some(participants.index)}): make the ids agree, or remove these rows."
        )
        unknown = unknown[:0]
    for name in unknown:
        ids = [str(p) for p in participants.index]
        similar = [p for p in ids if p.removeprefix("sub-") == name.removeprefix("sub-")]
        similar = similar or get_close_matches(name, ids, n=1, cutoff=0.7)
        hint = f"Did you mean {similar[0]!r}? " if similar else ""
        problems.append(
            f"{name} is not in participants.tsv. {hint}Add the participant there or remove the row."
        )
    if ARM in participants:
        unrated = participants.index[
            (participants[ARM] != MISSING) & ~participants.index.isin(rated)
        ]
        if len(unrated):
            problems.append(
                f"no row for {some(unrated, 20)} (with an arm in participants.tsv): "
                f"add one row each, with {MISSING} for items that were not rated."
            )
    return problems
