"""The cohort: participants and symptom scores of a folder laid out as in BIDS."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from bayes_mdd.cohort.disposition import DISPOSITION, read_disposition
from bayes_mdd.cohort.participants import read_participants
from bayes_mdd.cohort.phenotype import SESSION_ID, read_phenotype, sessions_of
from bayes_mdd.dims import ARM, CONTROL, DIAGNOSIS, MISSING, SITE
from bayes_mdd.errors import DataContractError, SpecError, some


@dataclass(frozen=True)
class Cohort:
    """Participants and their symptom scores. Immutable.

    Parameters
    ----------
    participants : pandas.DataFrame
        Indexed by ``participant_id``, as `read_participants` returns it.
    scores : mapping of str to pandas.DataFrame
        Dimension scores by scale, indexed by ``participant_id`` and ``session_id`` (``n/a`` where
        a table has no sessions), in the order of the sessions.
    folder : Path, optional
        Folder the cohort was read from; its features are in ``folder/features``.
    notes : tuple of str
        Decisions made while reading that a report should repeat.
    items : mapping of str to pandas.DataFrame
        Item scores by scale, laid out like `scores` and named as by `score_items`.
    """

    participants: pd.DataFrame
    scores: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    folder: Path | None = None
    notes: tuple[str, ...] = ()
    items: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    @property
    def symptoms(self) -> pd.DataFrame:
        """Dimension scores at the first session of each scale (baseline).

        One row per participant and one float column per dimension, NaN where not rated. The first
        session is the first of the ``session_id`` Levels in the sidecar of the scale or, without
        Levels, the first in its table. A dimension that two scales define is prefixed with the
        name of the scale.
        """
        return self._table(self.scores, self._first_sessions)

    @property
    def item_scores(self) -> pd.DataFrame:
        """Item scores at the first session of each scale (baseline).

        One row per participant and one float column per item, named ``<scale>_<item>`` such as
        ``hamd17_1``; NaN where not rated. To link items with factors, name them in
        ``SharedSpecificSpec(ordinal_symptoms=("hamd17_1",))`` and pass
        ``cohort.symptoms.join(cohort.item_scores)`` to ``fit``.
        """
        return self._table(self.items, self._first_sessions)

    @property
    def _first_sessions(self) -> dict[str, str]:
        return {name: sessions_of(table)[0] for name, table in self.scores.items()}

    def symptoms_at(self, session: str) -> pd.DataFrame:
        """Dimension scores at one session.

        Parameters
        ----------
        session : str
            One of `sessions`, e.g. ``"ses-week8"``.

        Returns
        -------
        pandas.DataFrame
            Laid out like `symptoms`; only scales with this session.

        Raises
        ------
        DataContractError
            If no scale has this session.
        """
        if session not in self.sessions:
            raise DataContractError(
                "symptoms", [f"there is no session {session!r}; found {some(self.sessions)}."]
            )
        chosen = {n: session for n, t in self.scores.items() if session in sessions_of(t)}
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
        """Sessions of all scales, in their order."""
        return tuple(dict.fromkeys(s for t in self.scores.values() for s in sessions_of(t)))

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


def read_cohort(
    folder: str | Path,
    *,
    weight_item: str | None = None,
    missing_codes: Collection[int] = (),
    controls: Sequence[str] | None = None,
) -> Cohort:
    """Read participants and symptom scales of a cohort folder.

    A table ``phenotype/*.tsv`` is scored if its sidecar names a scale
    (``MeasurementToolMetadata.Scale``: one of `available_scales`, or a YAML file in the same
    folder) or if its file name is that of a scale. Other tables are ignored and listed in
    ``Cohort.notes``; ``phenotype/disposition.tsv`` is for `bayes_mdd.read_outcomes`. Features are
    read by `bayes_mdd.read_features`.

    Parameters
    ----------
    folder : str or Path
        The cohort folder.
    weight_item : str, optional
        See `score_scale`.
    missing_codes : collection of int, optional
        See `score_scale`.
    controls : sequence of str, optional
        The diagnoses that mark healthy controls, e.g. ``["NC"]``, in place of the known words;
        empty if there are none (see `read_participants`).

    Returns
    -------
    Cohort
        Participants and symptom scores.

    Raises
    ------
    DataContractError
        If a table cannot be read or breaks the contract. The error lists all problems of all
        tables.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataContractError(
            str(folder), ["the folder does not exist; expected a cohort with participants.tsv."]
        )
    problems: list[str] = []
    participants = pd.DataFrame()
    try:
        participants = read_participants(folder, controls=controls)
    except DataContractError as error:
        problems += [f"participants.tsv: {p}" for p in error.problems]
    usable = None if problems else participants
    scores: dict[str, pd.DataFrame] = {}
    items: dict[str, pd.DataFrame] = {}
    notes = [f"participants.tsv: {note}" for note in participants.attrs.get("notes", ())]
    options = {"weight_item": weight_item, "missing_codes": missing_codes}
    for path in sorted((folder / "phenotype").glob("[!.]*.tsv")):
        if path.name == DISPOSITION:
            continue
        try:
            scale, table, item_table, found = read_phenotype(path, usable, options)
        except (DataContractError, SpecError) as error:
            listed = error.problems if isinstance(error, DataContractError) else (str(error),)
            problems += [f"phenotype/{path.name}: {p}" for p in listed]
            continue
        notes += [f"phenotype/{path.name}: {note}" for note in found]
        if scale is not None and scale.name in scores:
            problems.append(
                f"phenotype/{path.name}: another table holds the scale {scale.name} too; keep one."
            )
        elif scale is not None:
            scores[scale.name], items[scale.name] = table, item_table
    try:
        read_disposition(folder, None if usable is None else list(usable.index))
    except DataContractError as error:
        problems += [f"phenotype/{DISPOSITION}: {p}" for p in error.problems]
    if problems:
        raise DataContractError(f"cohort {folder}", problems)
    return Cohort(participants, scores, folder, tuple(notes), items)
