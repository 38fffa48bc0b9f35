"""Differences between the session that is read and another one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.features.additions import SESSION_DIFFERENCE
from bayes_mdd.features.folder.layout import Layout, find_layout
from bayes_mdd.features.folder.matching import match_files
from bayes_mdd.features.folder.sources import ReadValues, read_values


@dataclass(frozen=True)
class OtherSession:
    """Values with the differences, and the files of the other session."""

    values: ReadValues
    files: tuple[Path, ...]


def read_other_session(
    folder: Path,
    layout: Layout,
    values: ReadValues,
    regions: pd.DataFrame,
    participants: pd.DataFrame,
    *,
    session: str,
    kind: str | None,
    estimator: str | None,
) -> OtherSession:
    """Read another session and subtract it, for the participants who have both.

    Parameters
    ----------
    folder : Path
        The cohort folder.
    layout : Layout
        Files of the session that was read.
    values : ReadValues
        Its features.
    regions : pandas.DataFrame
        Checked region table.
    participants : pandas.DataFrame
        Indexed by ``participant_id``.
    session : str
        The other session, with or without ``ses-``.
    kind, estimator : str or None
        See `bayes_mdd.features.read_features`.

    Returns
    -------
    OtherSession
        The features with ``session_difference``: (this session - other session) / 2.

    Raises
    ------
    SpecError
        If the session is the one that was read, or the measure is relative to the group.
    DataContractError
        If there are no files of the session, or they cannot be read.
    """
    if values.facts.get("measure") == "tangent":
        raise SpecError(
            "other_session: tangent features are relative to the mean of their session, so that "
            "sessions cannot be subtracted. Use another measure, or omit other_session."
        )
    other = find_layout(folder, source=layout.source, session=session)
    if set(other.files) & set(layout.files):
        raise SpecError(
            f"other_session='{other.session}' is the session that is read: give the other one."
        )
    present = match_files(other.files, participants, required=False)
    both = [s for s in values.subjects if s in present]
    if not both:
        raise DataContractError(
            str(layout.folder),
            [f"no participant has both sessions '{layout.session}' and '{other.session}'."],
        )
    chosen = participants.loc[[str(s) in set(both) for s in participants.index]]
    files = tuple(present[s] for s in both)
    later = read_values(replace(other, files=files), regions, chosen, kind, estimator)
    own, second = (dict(zip(v.subjects, v.values, strict=True)) for v in (values, later))
    rows = {s: (own[s] - second[s]) / 2 for s in both}
    parts = {**values.parts, SESSION_DIFFERENCE: rows}
    return OtherSession(replace(values, parts=parts, other_session=other.session), files)
