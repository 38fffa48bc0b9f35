"""Parts of the scans that are requested or stored, and the other session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from bayes_mdd.errors import DataContractError
from bayes_mdd.features.additions import HALF_DIFFERENCE, PIECES, SESSION_DIFFERENCE
from bayes_mdd.features.folder.layout import TIMESERIES, Layout
from bayes_mdd.features.folder.other_session import read_other_session
from bayes_mdd.features.folder.part_files import find_part_files
from bayes_mdd.features.folder.part_values import read_parts
from bayes_mdd.features.folder.sources import ReadValues

_ABSENT = {
    HALF_DIFFERENCE: "halves are requested, but there are neither time series nor files of halves: "
    "expected sub-XX_half-1_relmat.tsv and sub-XX_half-2_relmat.tsv (see read_features).",
    PIECES: "pieces are requested, but there are neither time series nor files of pieces: expected "
    "sub-XX_pieces.npy (see read_features).",
}


@dataclass(frozen=True)
class ReadRequest:
    """Options of `read_features`, which documents them."""

    kind: str | None
    estimator: str | None
    session: str | None
    halves: bool | None = None
    pieces: int | None = None
    other_session: str | None = None

    def complete(self, facts: Mapping[str, Any]) -> ReadRequest:
        """Fill in what ``features.json`` states.

        Parameters
        ----------
        facts : mapping
            Its content.

        Returns
        -------
        ReadRequest
            Options that are given take precedence.
        """
        other = facts.get("other_session") if self.other_session is None else self.other_session
        return replace(
            self,
            halves=facts.get("halves") if self.halves is None else self.halves,
            pieces=facts.get("pieces") if self.pieces is None else self.pieces,
            other_session=None if other is None else str(other),
        )


def add_parts(
    folder: Path,
    layout: Layout,
    values: ReadValues,
    regions: pd.DataFrame,
    participants: pd.DataFrame,
    request: ReadRequest,
) -> tuple[ReadValues, list[Path]]:
    """Add stored parts of the scans and the other session.

    Parameters
    ----------
    folder : Path
        The cohort folder.
    layout : Layout
        Its feature files.
    values : ReadValues
        The features, with the parts that were measured from time series.
    regions : pandas.DataFrame
        Checked region table.
    participants : pandas.DataFrame
        Indexed by ``participant_id``.
    request : ReadRequest
        What is requested.

    Returns
    -------
    values : ReadValues
        The features with all parts.
    files : list of Path
        Further files that were read.

    Raises
    ------
    SpecError
        If the other session cannot be subtracted.
    DataContractError
        If requested parts are missing, or their files cannot be used.
    """
    more: list[Path] = []
    if request.other_session is not None:
        other = read_other_session(
            folder,
            layout,
            values,
            regions,
            participants,
            session=request.other_session,
            kind=request.kind,
            estimator=request.estimator,
        )
        values, more = other.values, [*other.files]
    files = find_part_files(layout)
    wanted = {
        HALF_DIFFERENCE: request.halves,
        PIECES: None if request.pieces is None else request.pieces > 0,
        SESSION_DIFFERENCE: None,
    }
    if layout.source == TIMESERIES:  # stored differences may be of another measure
        wanted = {PIECES: wanted[PIECES]}
    names = [n for n, want in wanted.items() if n not in values.parts and want is not False]
    absent = [n for n in names if wanted[n] and not files.of(n)]
    if absent:
        raise DataContractError(str(layout.folder), [_ABSENT[name] for name in absent])
    rows, facts = read_parts(layout, files, values, regions, participants, names)
    pieces = {len(own) for own in rows.get(PIECES, {}).values()}
    if request.pieces and pieces and pieces != {request.pieces}:
        raise DataContractError(
            str(layout.folder),
            [f"pieces={request.pieces}, but the files hold {pieces.pop()} pieces: omit pieces."],
        )
    more += [path for name in rows for path in files.of(name)]
    both = replace(values, parts={**values.parts, **rows}, facts={**values.facts, **facts})
    return both, more
