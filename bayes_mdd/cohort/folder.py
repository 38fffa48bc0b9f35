"""A cohort folder in BIDS manner: participants and symptom scales in one value."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import pandas as pd

from bayes_mdd.cohort.participants import ID, read_participants
from bayes_mdd.cohort.scales import Scale, available_scales, read_scale
from bayes_mdd.cohort.scoring import score_items, score_scale
from bayes_mdd.cohort.tables import id_problems, read_json, read_table
from bayes_mdd.dims import ARM, CONTROL, DIAGNOSIS, MISSING, SITE
from bayes_mdd.errors import DataContractError, SpecError, some

SESSION_ID = "session_id"


@dataclass(frozen=True)
class Cohort:
    """Who takes part and how they were rated. Nothing in it is changed in place.

    Parameters
    ----------
    participants : pandas.DataFrame
        Indexed by ``participant_id``, as `read_participants` returns it.
    scores : mapping of str to pandas.DataFrame
        By scale: dimension scores indexed by ``participant_id`` and ``session_id`` (``n/a`` where a
        table has no sessions), sessions in their order.
    folder : Path, optional
        Where it was read from; features lie in ``folder/features``.
    notes : tuple of str
        Choices made while reading that a report should repeat.
    items : mapping of str to pandas.DataFrame
        By scale: item scores, laid out like `scores`, as `score_items` names them.
    """

    participants: pd.DataFrame
    scores: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    folder: Path | None = None
    notes: tuple[str, ...] = ()
    items: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    @property
    def symptoms(self) -> pd.DataFrame:
        """Dimension scores at the first session of each scale (baseline).

        One row a participant, one float column a dimension, NaN where not rated. The first session
        is the first of the ``session_id`` Levels in the scale's sidecar, else the first to appear
        in its table. A dimension that two scales define carries the scale's name in front.
        """
        return self._table(self.scores, self._first_sessions)

    @property
    def item_scores(self) -> pd.DataFrame:
        """Item scores at the first session of each scale (baseline).

        One row a participant, one float column an item, named ``<scale>_<item>`` such as
        ``hamd17_1``; NaN where not rated. To link items with factors, name them in
        ``SharedSpecificSpec(ordinal_symptoms=("hamd17_1",))`` and give ``fit`` the table
        ``cohort.symptoms.join(cohort.item_scores)``.
        """
        return self._table(self.items, self._first_sessions)

    @property
    def _first_sessions(self) -> dict[str, str]:
        return {name: _sessions(table)[0] for name, table in self.scores.items()}

    def symptoms_at(self, session: str) -> pd.DataFrame:
        """Dimension scores at one session.

        Parameters
        ----------
        session : str
            One of `sessions`, e.g. ``"ses-week8"``.

        Returns
        -------
        pandas.DataFrame
            Laid out like `symptoms`, with the scales that have this session.

        Raises
        ------
        DataContractError
            If no scale has such a session.
        """
        if session not in self.sessions:
            raise DataContractError(
                "symptoms", [f"no session {session!r}; known are {some(self.sessions)}."]
            )
        chosen = {n: session for n, t in self.scores.items() if session in _sessions(t)}
        return self._table(self.scores, chosen)

    def _table(self, tables: Mapping[str, pd.DataFrame], chosen: Mapping[str, str]) -> pd.DataFrame:
        names = [str(column) for table in tables.values() for column in table.columns]
        parts = []
        for scale, session in chosen.items():
            if scale not in tables:
                continue
            table = tables[scale]
            part = table[table.index.get_level_values(SESSION_ID) == session]
            part = part.droplevel(SESSION_ID).reindex(self.participants.index)
            part.columns = [f"{scale}_{c}" if names.count(c) > 1 else c for c in part.columns]
            parts.append(part)
        if not parts:
            return pd.DataFrame(index=self.participants.index)
        return pd.concat(parts, axis=1)

    @property
    def sessions(self) -> tuple[str, ...]:
        """Sessions of all scales, in order."""
        return tuple(dict.fromkeys(s for t in self.scores.values() for s in _sessions(t)))

    @property
    def patients(self) -> pd.DataFrame:
        """Participants who are not controls."""
        return self.participants[~self._is_control]

    @property
    def controls(self) -> pd.DataFrame:
        """Participants with diagnosis ``HC``."""
        return self.participants[self._is_control]

    @property
    def arms(self) -> tuple[str, ...]:
        """Arms in order of appearance, without ``n/a``."""
        return self._levels(ARM)

    @property
    def sites(self) -> tuple[str, ...]:
        """Sites in order of appearance, without ``n/a``."""
        return self._levels(SITE)

    @property
    def _is_control(self) -> pd.Series:
        if DIAGNOSIS not in self.participants:
            return pd.Series(False, index=self.participants.index)
        return self.participants[DIAGNOSIS] == CONTROL

    def _levels(self, column: str) -> tuple[str, ...]:
        if column not in self.participants:
            return ()
        return tuple(v for v in self.participants[column].unique() if v != MISSING)


def _sessions(table: pd.DataFrame) -> list[str]:
    return list(table.index.unique(level=SESSION_ID))


def read_cohort(
    folder: str | Path, *, weight_item: str | None = None, missing_codes: Collection[int] = ()
) -> Cohort:
    """Read participants and symptom scales of a cohort folder.

    Every ``phenotype/*.tsv`` whose sidecar names a scale (``MeasurementToolMetadata.Scale``: a name
    of `available_scales` or a YAML file beside it), or whose file name is one, is scored; others
    are left alone and noted. Features are read by `bayes_mdd.features.read_features`.

    Parameters
    ----------
    folder : str or Path
        The cohort folder.
    weight_item : str, optional
        As for `score_scale`.
    missing_codes : collection of int, optional
        As for `score_scale`.

    Returns
    -------
    Cohort
        The cohort.

    Raises
    ------
    DataContractError
        If a table cannot be read or breaks the contract: all problems of all tables are named.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataContractError(
            str(folder), ["there is no such folder; expected a cohort with participants.tsv."]
        )
    problems: list[str] = []
    people = pd.DataFrame()
    try:
        people = read_participants(folder)
    except DataContractError as error:
        problems += [f"participants.tsv: {p}" for p in error.problems]
    usable = None if problems else people
    scores: dict[str, pd.DataFrame] = {}
    items: dict[str, pd.DataFrame] = {}
    notes: list[str] = []
    options = {"weight_item": weight_item, "missing_codes": missing_codes}
    for path in sorted((folder / "phenotype").glob("[!.]*.tsv")):
        try:
            scale, table, single, found = _read_phenotype(path, usable, options)
        except (DataContractError, SpecError) as error:
            listed = error.problems if isinstance(error, DataContractError) else (str(error),)
            problems += [f"phenotype/{path.name}: {p}" for p in listed]
            continue
        notes += [f"phenotype/{path.name}: {note}" for note in found]
        if scale is not None and scale.name in scores:
            problems.append(f"phenotype/{path.name}: scale {scale.name} was read before; keep one.")
        elif scale is not None:
            scores[scale.name], items[scale.name] = table, single
    if problems:
        raise DataContractError(f"cohort {folder}", problems)
    return Cohort(people, scores, folder, tuple(notes), items)


def _read_phenotype(
    path: Path, people: pd.DataFrame | None, options: Mapping[str, Any]
) -> tuple[Scale | None, pd.DataFrame, pd.DataFrame, list[str]]:
    """Dimensions and items of one phenotype table; without a known scale it is only noted."""
    sidecar = read_json(path.with_suffix(".json"))
    table = read_table(path)
    problems = _key_problems(table, people, sidecar)
    if problems:
        raise DataContractError(path.name, problems)
    scale = _scale_of(path, sidecar)
    if scale is None:
        known = some(available_scales())
        note = f"not scored: neither its name nor its sidecar's Scale is a known scale ({known})."
        return None, table, table, [note]
    if SESSION_ID not in table:
        table = table.assign(**{SESSION_ID: MISSING})
    items = {
        str(meaning["ScaleItem"]): column
        for column, meaning in sidecar.items()
        if isinstance(meaning, Mapping) and "ScaleItem" in meaning
    }
    scored = score_scale(table, scale, items=items, **options)
    notes = list(scored.attrs.pop("notes"))
    single = score_items(table, scale, items=items, **options)
    levels = _session_levels(sidecar)
    return scale, _in_session_order(scored, levels), _in_session_order(single, levels), notes


def _scale_of(path: Path, sidecar: Mapping[str, Any]) -> Scale | None:
    tool = sidecar.get("MeasurementToolMetadata")
    name = tool.get("Scale") if isinstance(tool, Mapping) else None
    if name is not None:
        own = str(name).endswith((".yaml", ".yml"))
        return read_scale(path.parent / str(name) if own else str(name))
    return read_scale(path.stem) if path.stem in available_scales() else None


def _session_levels(sidecar: Mapping[str, Any]) -> list[str]:
    meaning = sidecar.get(SESSION_ID)
    levels = meaning.get("Levels") if isinstance(meaning, Mapping) else None
    return [str(level) for level in levels] if isinstance(levels, (Mapping, list)) else []


def _in_session_order(scored: pd.DataFrame, levels: list[str]) -> pd.DataFrame:
    order = [s for s in levels if s in _sessions(scored)] or _sessions(scored)
    parts = [scored[scored.index.get_level_values(SESSION_ID) == s] for s in order]
    return pd.concat(parts)


def _key_problems(
    table: pd.DataFrame, people: pd.DataFrame | None, sidecar: Mapping[str, Any]
) -> list[str]:
    if ID not in table:
        return [f"column '{ID}' is missing; found {some(table.columns)}. Name the id column so."]
    if table.empty:
        return ["the table has no rows: expected one a rating."]
    problems = id_problems(table, [ID, *([SESSION_ID] if SESSION_ID in table else [])])
    levels = _session_levels(sidecar)
    if SESSION_ID in table and levels:
        strange = sorted(set(table[SESSION_ID]) - {*levels, MISSING, ""})
        problems += [
            f"session {s!r} is not among the sidecar's Levels {some(levels)}: correct or add it."
            for s in strange
        ]
    return problems if people is None else problems + _unmatched(table, people)


def _unmatched(table: pd.DataFrame, people: pd.DataFrame) -> list[str]:
    """Ids of one table only. Controls and people without an arm need no rating."""
    problems = []
    rated = table[ID][~table[ID].isin(["", MISSING])].unique()
    for name in rated[~pd.Index(rated).isin(people.index)]:
        ids = [str(p) for p in people.index]
        near = [p for p in ids if p.removeprefix("sub-") == name.removeprefix("sub-")]
        near = near or get_close_matches(name, ids, n=1, cutoff=0.7)
        hint = f"did you mean {near[0]!r}? " if near else ""
        problems.append(
            f"{name} is not in participants.tsv: {hint}Add the person there or remove the row."
        )
    if ARM in people:
        waiting = people.index[(people[ARM] != MISSING) & ~people.index.isin(rated)]
        if len(waiting):
            problems.append(
                f"{some(waiting, 20)} has an arm in participants.tsv but no row here: "
                f"add one, with {MISSING} for items that were not rated."
            )
    return problems
