"""Square matrices as text without names: MRtrix connectomes, BrainNet Viewer, GRETNA, NBS.

References
----------
Tournier et al. (2019), MRtrix3. NeuroImage 202.
Xia et al. (2013), BrainNet Viewer. PLoS ONE 8.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.assemble import FUNCTIONAL
from bayes_mdd.features.derivatives.cells import numbers, read_cells
from bayes_mdd.features.derivatives.names import FileName
from bayes_mdd.features.derivatives.nodes import (
    STRUCTURAL,
    labelled_names,
    mirrored,
    weighting_units,
)
from bayes_mdd.features.derivatives.subjects import one_per_person, read_people
from bayes_mdd.features.derivatives.values import Format, Measured, Reading, Request
from bayes_mdd.features.loading import Floats, UnreadableFileError


def _square(path: Path) -> Floats | None:
    """Read the matrix where the text is one: no header, as many rows as columns."""
    try:
        if not read_cells(path, lines=1).numeric:
            return None
        cells = read_cells(path)
        if len(cells.rows) != len(cells.header) or len(cells.rows) < 2 or not cells.numeric:
            return None
        return numbers(path, cells.rows)
    except UnreadableFileError:
        return None


def _looks_functional(matrix: Floats) -> bool:
    """Whether numbers are those of correlations: signed, or within 1 with a diagonal of 1."""
    off = matrix[~np.eye(len(matrix), dtype=bool)]
    known = off[np.isfinite(off)]
    diagonal = np.diag(matrix)
    return bool((known < 0).any()) or bool(
        np.allclose(diagonal, 1) and known.size and known.max() <= 1
    )


def _find(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    held: dict[str, list[FileName]] = {}
    signs: list[bool] = []
    for name in files:
        if name.extension in (".csv", ".txt", ".tsv") and (m := _square(name.path)) is not None:
            signs.append(_looks_functional(m))
            held.setdefault("", []).append(name)
    if not held:
        return {}
    like = {(n.suffix, n.extension) for n in held[""]}
    # A person's file of the same name that is no matrix is damaged, not another thing.
    damaged = {n.path for n in files if "sub" in n.entities and (n.suffix, n.extension) in like} - {
        n.path for n in held[""]
    }
    held[""] += [n for n in files if n.path in damaged]
    # One matrix with a negative value settles it for all: counts and lengths have none.
    return {FUNCTIONAL if any(signs) else STRUCTURAL: held[""]}


def _read(request: Request) -> Reading:
    files = one_per_person(request.files)
    names: dict[int, tuple[str, ...]] = {}

    def read(name: FileName) -> Measured:
        cells = read_cells(name.path)
        matrix = numbers(name.path, cells.rows)
        n = len(matrix)
        if matrix.shape != (n, n):
            raise UnreadableFileError(
                f"{name.path.name} is {n} x {matrix.shape[1]}: expected a square matrix."
            )
        if n not in names:
            names[n] = labelled_names(n, name.path, request)
        if "length" in (request.weighting or ""):
            matrix[matrix == 0] = np.nan
        return Measured(names[n], matrix)

    functional = request.kind == FUNCTIONAL
    people = read_people(files, read)
    facts: Mapping[str, Any] = {}
    notes: list[str] = []
    if not functional:
        people, facts, notes = mirrored(people)
    return Reading(
        kind=request.kind,
        shape="matrix",
        people=people,
        units="" if functional else weighting_units(request.weighting),
        files=[n.path for n in files.values()],
        facts=facts,
        notes=notes,
    )


# BrainNet Viewer: .edge with one .node


def _brainnet(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    edges = [n for n in files if n.extension == ".edge"]
    if not edges:
        return {}
    shown = [_square(n.path) for n in edges]
    signs = any(_looks_functional(m) for m in shown if m is not None)
    return {FUNCTIONAL if signs else STRUCTURAL: edges}


def _read_brainnet(request: Request) -> Reading:
    files = one_per_person(request.files)
    regions = None if request.regions is not None else _nodes(request)

    def read(name: FileName) -> Measured:
        matrix = _square(name.path)
        if matrix is None:
            raise UnreadableFileError(f"{name.path.name} is no square matrix of numbers.")
        if regions is None:
            return Measured(labelled_names(len(matrix), name.path, request), matrix)
        if len(matrix) != len(regions):
            raise UnreadableFileError(
                f"{name.path.name} is {len(matrix)} x {len(matrix)}, the .node file has "
                f"{len(regions)} nodes: they do not belong together."
            )
        return Measured(tuple(regions["region"]), matrix)

    functional = request.kind == FUNCTIONAL
    return Reading(
        kind=request.kind,
        shape="matrix",
        people=read_people(files, read),
        units="" if functional else weighting_units(request.weighting),
        files=[n.path for n in files.values()],
        regions=regions,
    )


def _nodes(request: Request) -> pd.DataFrame:
    held = [n.path for n in request.everything if n.extension == ".node"]
    if len(held) != 1:
        found = some(p.name for p in held) or "none"
        raise DataContractError(
            "BrainNet Viewer", [f"one .node file must name the nodes; found {found}."]
        )
    cells = read_cells(held[0])
    if len(cells.header) != 6:
        raise UnreadableFileError(
            f"{held[0].name} has {len(cells.header)} columns: expected x, y, z, color, size, label."
        )
    labels = [row[5] for row in cells.rows]
    twice = [k for k, n in Counter(labels).items() if n > 1 or k == "-"]
    if twice:
        raise UnreadableFileError(
            f"{held[0].name} names several nodes {some(twice)}: nodes cannot be told apart; give "
            "a region table with a column label instead (regions=...)."
        )
    table = pd.DataFrame(numbers(held[0], [r[:3] for r in cells.rows]), columns=["x", "y", "z"])
    modules = [f"module {row[3]}" for row in cells.rows]
    return table.assign(region=labels, network=modules)[["region", "network", "x", "y", "z"]]


FORMATS = (
    Format(
        name="brainnet",
        title="matrices of BrainNet Viewer (.edge, with one .node)",
        find=_brainnet,
        read=_read_brainnet,
    ),
    Format(
        name="square_text",
        title="square matrices as text without names (MRtrix tck2connectome, GRETNA, NBS)",
        find=_find,
        read=_read,
    ),
)
