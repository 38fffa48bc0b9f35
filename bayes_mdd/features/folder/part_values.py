"""Values of halves and pieces of scans, and of differences, that are stored in files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.additions import HALF_DIFFERENCE, PIECES, SESSION_DIFFERENCE
from bayes_mdd.features.blocks import Index, edge_index
from bayes_mdd.features.folder.layout import Layout
from bayes_mdd.features.folder.matching import match_files
from bayes_mdd.features.folder.part_files import PartFiles
from bayes_mdd.features.folder.sources import ReadValues
from bayes_mdd.features.folder.tables import read_feature_table
from bayes_mdd.features.loading import Floats, GroupedProblems, UnreadableFileError, read_npy
from bayes_mdd.features.matrices import FISHER_Z, R, read_matrix_edges
from bayes_mdd.features.measures.scan_parts import Pieces

#: Largest difference of the mean diagonal of the pieces from 1, where series are standardised.
DIAGONAL_TOLERANCE = 1e-3

type Rows = dict[str, dict[str, Any]]


def read_parts(
    layout: Layout,
    files: PartFiles,
    read: ReadValues,
    regions: pd.DataFrame,
    participants: pd.DataFrame,
    names: Sequence[str],
) -> tuple[Rows, dict[str, Any]]:
    """Read stored parts of the scans.

    Parameters
    ----------
    layout : Layout
        The feature files of the cohort.
    files : PartFiles
        The stored parts.
    read : ReadValues
        The features.
    regions : pandas.DataFrame
        Checked region table.
    participants : pandas.DataFrame
        Indexed by ``participant_id``.
    names : sequence of str
        Additions to read; those without files are ignored.

    Returns
    -------
    rows : dict
        Arrays by name of the addition and subject.
    facts : dict
        Subjects without files, for ``provenance``.

    Raises
    ------
    DataContractError
        If files cannot be read or do not match features, regions or participants. The error lists
        the problems of all files of an addition.
    """
    reader = _Reader(layout, files, read, regions, participants)
    tasks: dict[str, Callable[[], dict[str, Any]]] = {
        HALF_DIFFERENCE: reader.halves,
        SESSION_DIFFERENCE: lambda: reader.difference(SESSION_DIFFERENCE),
        PIECES: reader.pieces,
    }
    rows = {name: tasks[name]() for name in names if files.of(name)}
    facts = {}
    for name, own in rows.items():
        without = [s for s in read.subjects if s not in own]
        if without:
            facts[f"without_{name}"] = {"no file": without}
    return rows, facts


@dataclass(frozen=True)
class _Reader:
    layout: Layout
    files: PartFiles
    read: ReadValues
    regions: pd.DataFrame
    participants: pd.DataFrame

    def halves(self) -> dict[str, Floats]:
        """Read half the difference between the halves, by subject."""
        forms = {
            "matrices": self.files.matrices,
            "tables": self.files.tables,
            "difference": self.files.differences.get(HALF_DIFFERENCE),
        }
        given = [form for form, found in forms.items() if found]
        if len(given) > 1:
            names = some(f.name for f in self.files.of(HALF_DIFFERENCE))
            self._refuse([f"{names} all hold halves of the scans: keep one form of them."])
        if given == ["difference"]:
            return self.difference(HALF_DIFFERENCE)
        found = self.files.matrices or self.files.tables
        if set(found) != {"1", "2"}:
            (known,) = found
            names = some(f.name for f in found[known])
            self._refuse([f"{names} hold half {known} only: expected both halves."])
        values = self._half_matrices() if given == ["matrices"] else self._half_tables()
        lacking = sorted(set(values["1"]) ^ set(values["2"]))
        if lacking:
            self._refuse([f"{some(lacking)} have one half only: expected both halves or none."])
        return {s: (values["1"][s] - values["2"][s]) / 2 for s in values["1"]}

    def _half_matrices(self) -> dict[str, dict[str, Floats]]:
        self._check_columns("matrices of halves", *edge_index(len(self.regions)))
        values = {}
        for half, paths in self.files.matrices.items():
            own = match_files(paths, self.participants, required=False)
            edges = read_matrix_edges(
                own,
                self.regions,
                units=str(self.layout.facts.get("units")),
                order_stated=self.layout.order_stated,
            )
            values[half] = dict(zip(own, self._converted(edges), strict=True))
        return values

    def _half_tables(self) -> dict[str, dict[str, Floats]]:
        values = {}
        for half, paths in self.files.tables.items():
            if len(paths) > 1:
                self._refuse([f"{some(p.name for p in paths)} hold the same half: keep one."])
            values[half] = self._table(paths[0], convert=True)
        return values

    def difference(self, name: str) -> dict[str, Floats]:
        """Read stored differences, by subject."""
        path = self.files.differences[name]
        if self.read.units == FISHER_Z and self.layout.facts.get("units") == R:
            self._refuse(
                [
                    f"{path.name} holds differences of correlations (r), but the features are "
                    "converted to Fisher z: give the halves themselves, or Fisher z."
                ]
            )
        return self._table(path, convert=False)

    def _table(self, path: Path, *, convert: bool) -> dict[str, Floats]:
        table = read_feature_table(path, self.regions, self.participants, required=False)
        self._check_columns(path.name, table.first, table.second)
        values = self._converted(table.values) if convert else table.values
        return dict(zip(table.subjects, values, strict=True))

    def _converted(self, values: Floats) -> Floats:
        """Fisher z, where the features were converted to it."""
        if self.read.units != FISHER_Z or self.layout.facts.get("units") != R:
            return values
        if (np.abs(values) >= 1).any():
            self._refuse(["|r| is 1 or more in half of a scan: Fisher z needs |r| < 1."])
        return np.arctanh(values)

    def _check_columns(self, what: str, first: Index, second: Index | None) -> None:
        if self.read.rows is not None:
            same = second is None and np.array_equal(first, self.read.rows)
        else:
            own = self.read.edges or edge_index(len(self.regions))
            same = np.array_equal(first, own[0])
            same = same and second is not None and np.array_equal(second, own[1])
        if not same:
            self._refuse(
                [f"{what}: the features differ from those of the whole scans; expected the same."]
            )

    def pieces(self) -> dict[str, Pieces]:
        """Read pieces of the scans, by subject."""
        if not self.layout.order_stated:
            self._refuse(
                [
                    "*_pieces.npy have no region names: if their pairs follow the order of "
                    'regions.tsv, state "order": "regions.tsv" in features.json.'
                ]
            )
        n = len(self.regions)
        rows: dict[str, Pieces] = {}
        found = GroupedProblems()
        for subject, path in match_files(
            self.files.pieces, self.participants, required=False
        ).items():
            try:
                own = read_npy(path)
            except UnreadableFileError as error:
                found.add(subject, str(error))
                continue
            problem = _piece_problem(own, n)
            if problem is None:
                rows[subject] = own.astype(np.float32)
            else:
                found.add(subject, problem)
        counts = {len(own): s for s, own in rows.items()}
        problems = found.problems()
        if len(counts) > 1:
            listed = ", ".join(f"{k} ({s}, ...)" for k, s in sorted(counts.items()))
            problems.append(f"the number of pieces differs: {listed}; expected the same in all.")
        if problems:
            raise DataContractError("pieces", problems)
        return rows

    def _refuse(self, problems: list[str]) -> None:
        raise DataContractError(str(self.layout.folder), problems)


def _piece_problem(pieces: Floats, n: int) -> str | None:
    pairs = n * (n + 1) // 2
    if pieces.ndim != 2 or pieces.shape[1] != pairs:
        shape = " x ".join(map(str, pieces.shape))
        return (
            f"the pieces are {shape}: expected (piece, {pairs} pairs), numpy.triu_indices({n}) "
            f"of the {n} regions of regions.tsv, with the diagonal."
        )
    if len(pieces) < 2:
        return "there is one piece: expected at least 2."
    if pieces.dtype.kind != "f" or not np.isfinite(pieces).all():
        return "the pieces have missing or infinite values: compute them again."
    diagonal = np.cumsum(np.r_[0, np.arange(n, 1, -1)])
    largest = float(np.abs(pieces[:, diagonal].mean(axis=0) - 1).max())
    if largest > DIAGONAL_TOLERANCE:
        return (
            f"the mean of the diagonal over pieces differs from 1 by up to {largest:.2g}: expected "
            "products x'x / T of the series standardised over all pieces."
        )
    return None
