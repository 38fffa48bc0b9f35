"""Parcel coverage: the share of each parcel with data, from the coverage tables of XCP-D."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bayes_mdd.errors import some
from bayes_mdd.features.companions import find_companion
from bayes_mdd.features.derivatives.file_names import FileName
from bayes_mdd.features.derivatives.interface import FormatRequest, SubjectValues
from bayes_mdd.features.derivatives.text_tables import parse_number, read_cells
from bayes_mdd.features.loading import UnreadableFileError

TEXT = (".tsv", ".csv", ".txt")


class CoverageTables:
    """Coverage tables of a folder, applied to the values of each subject.

    Parameters
    ----------
    request : Request
        The data to read; its folder may hold coverage tables.
    """

    def __init__(self, request: FormatRequest) -> None:
        self._min_coverage = request.spec.min_coverage
        self._files = [n for n in request.all_files if _is_coverage(n)]
        self._without: list[str] = []
        self.facts: dict[str, Any] = {}
        if self._files:
            self.facts["min_coverage"] = self._min_coverage

    def mask(self, name: FileName, values: SubjectValues) -> SubjectValues:
        """Set parcels with low coverage to NaN.

        Parameters
        ----------
        name : FileName
            The file that was read.
        values : SubjectValues
            Its values.

        Returns
        -------
        SubjectValues
            NaN in parcels with coverage below ``min_coverage``.

        Raises
        ------
        UnreadableFileError
            If several coverage tables belong to the file, or its table cannot be read.
        """
        own = find_companion(name, self._files, "coverage table", require=("atlas",))
        if own is None:
            self._without.append(name.subject_id)
            return values
        coverage = read_coverage(own.path)
        low = np.array(
            [coverage.get(n, 1.0) < self._min_coverage for n in values.names], dtype=bool
        )
        masked = values.values.copy()
        masked[..., low] = np.nan
        if masked.ndim == 2 and masked.shape[0] == masked.shape[1] and name.suffix == "relmat":
            masked[low] = np.nan
        return SubjectValues(values.names, masked)

    def notes(self) -> list[str]:
        """Report the subjects without a coverage table, where others have one.

        Returns
        -------
        list of str
            At most one note.
        """
        if not self._files or not self._without:
            return []
        return [
            f"{some(self._without)}: no coverage table belongs to the file, so that regions with "
            "low coverage are not known."
        ]


def _is_coverage(name: FileName) -> bool:
    return name.extension in TEXT and (
        name.suffix == "coverage" or name.entities.get("stat") == "coverage"
    )


def read_coverage(path: Path) -> dict[str, float]:
    """Read a coverage table, in long form (one row per parcel).

    Parameters
    ----------
    path : Path
        Two columns, ``Node`` and ``coverage`` (0 to 1).

    Returns
    -------
    dict
        Share by parcel; 0 where it is not given.

    Raises
    ------
    UnreadableFileError
        If the table has another form or values lie outside 0 to 1.
    """
    cells = read_cells(path)
    if len(cells.header) != 2:
        raise UnreadableFileError(
            f"{path.name} has {len(cells.header)} columns: expected Node and coverage."
        )
    values = {row[0]: parse_number(row[1]) for row in cells.body}
    shares = {k: 0.0 if v is None or np.isnan(v) else v for k, v in values.items()}
    if any(not 0 <= v <= 1 + 1e-6 for v in shares.values()):
        raise UnreadableFileError(f"{path.name}: coverage must be a share between 0 and 1.")
    return shares
