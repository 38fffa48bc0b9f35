"""Share of every parcel inside the image, from the files that XCP-D writes beside the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bayes_mdd.features.derivatives.cells import number_or_none, read_cells
from bayes_mdd.features.derivatives.names import FileName
from bayes_mdd.features.derivatives.values import Measured, Request
from bayes_mdd.features.loading import UnreadableFileError

TEXT = (".tsv", ".csv", ".txt")


def same_recording(a: FileName, b: FileName) -> bool:
    """Whether two files are of one recording: person, session, task, run and the like are equal.

    Parameters
    ----------
    a, b : FileName
        The files.

    Returns
    -------
    bool
        False also where only one of them names, say, a run.
    """
    keys = ("sub", "ses", "task", "acq", "run", "dir")
    return all(a.entities.get(k) == b.entities.get(k) for k in keys)


class Coverage:
    """Share of every parcel inside the image, from the files that XCP-D writes beside the others.

    Parameters
    ----------
    request : Request
        What is read.
    """

    def __init__(self, request: Request) -> None:
        self._least = request.spec.min_coverage
        self._files = [n for n in request.everything if _is_coverage(n)]
        self.facts: dict[str, Any] = {}
        if self._files:
            self.facts["min_coverage"] = self._least

    def applied(self, name: FileName, measured: Measured) -> Measured:
        """Mark parcels of too little coverage as missing.

        Parameters
        ----------
        name : FileName
            The file that was read.
        measured : Measured
            Its numbers.

        Returns
        -------
        Measured
            NaN where the parcel is too little covered.
        """
        own = [
            n
            for n in self._files
            if same_recording(n, name)
            and all(n.entities.get(k) == name.entities.get(k) for k in ("atlas", "space"))
        ]
        if not own:
            return measured
        known = read_coverage(own[0].path)
        poor = np.array([known.get(n, 1.0) < self._least for n in measured.names])
        values = measured.values.copy()
        values[..., poor] = np.nan
        if values.ndim == 2 and values.shape[0] == values.shape[1] and name.suffix == "relmat":
            values[poor] = np.nan
        return Measured(measured.names, values)


def _is_coverage(name: FileName) -> bool:
    return name.extension in TEXT and (
        name.suffix == "coverage" or name.entities.get("stat") == "coverage"
    )


def read_coverage(path: Path) -> dict[str, float]:
    """Read a coverage table; unlike its neighbours it is long.

    Parameters
    ----------
    path : Path
        Two columns, ``Node`` and ``coverage`` (0 to 1).

    Returns
    -------
    dict
        Share by parcel; 0 where it is missing.

    Raises
    ------
    UnreadableFileError
        If the table is of another form or values lie outside 0 to 1.
    """
    cells = read_cells(path)
    if len(cells.header) != 2:
        raise UnreadableFileError(
            f"{path.name} has {len(cells.header)} columns: expected Node and coverage."
        )
    values = {row[0]: number_or_none(row[1]) for row in cells.body}
    shares = {k: 0.0 if v is None or np.isnan(v) else v for k, v in values.items()}
    if any(not 0 <= v <= 1 + 1e-6 for v in shares.values()):
        raise UnreadableFileError(f"{path.name} holds values outside 0 to 1: coverage is a share.")
    return shares
