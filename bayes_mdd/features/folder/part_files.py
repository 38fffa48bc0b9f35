"""Files of halves and pieces of scans, and of differences, in the folder ``features/``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bayes_mdd.features.additions import DIFFERENCES, HALF_DIFFERENCE, PIECES
from bayes_mdd.features.folder.layout import HALF, Layout, is_matrix, of_session

_TABLE = re.compile(r"features_half-[12]\.(?:tsv|csv|npz)")
_PIECES = re.compile(r"[^.].*_pieces\.npy")


@dataclass(frozen=True, kw_only=True)
class PartFiles:
    """Files of parts of the scans in the folder ``features/``.

    Parameters
    ----------
    matrices, tables : mapping of str to tuple of Path
        Files of the halves "1" and "2": one per subject, or one table.
    differences : mapping of str to Path
        ``half_difference.npz`` and ``session_difference.npz``, by name of the addition.
    pieces : tuple of Path
        One ``*_pieces.npy`` per subject.
    """

    matrices: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    tables: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    differences: Mapping[str, Path] = field(default_factory=dict)
    pieces: tuple[Path, ...] = ()

    def of(self, name: str) -> list[Path]:
        """List the files of one addition.

        Parameters
        ----------
        name : str
            For example ``half_difference``.

        Returns
        -------
        list of Path
            Empty if there are none.
        """
        found = [self.differences[name]] if name in self.differences else []
        if name == HALF_DIFFERENCE:
            found += [f for by in (self.matrices, self.tables) for own in by.values() for f in own]
        return found + (list(self.pieces) if name == PIECES else [])


def find_part_files(layout: Layout) -> PartFiles:
    """Find the files of parts of the scans, of the session of the layout.

    Parameters
    ----------
    layout : Layout
        The feature files of the cohort.

    Returns
    -------
    PartFiles
        The files; they are not opened.
    """
    present = sorted(p for p in layout.folder.iterdir() if not p.name.startswith("."))
    used = set(layout.files)
    halves = {
        p: m.group(1)
        for p in of_session(present, layout)
        if p not in used and (m := HALF.search(p.name)) is not None
    }
    by_half = {
        kind: {h: own for h in "12" if (own := tuple(p for p in chosen if halves[p] == h))}
        for kind, chosen in (
            ("matrices", [p for p in halves if is_matrix(p)]),
            ("tables", [p for p in halves if _TABLE.fullmatch(p.name)]),
        )
    }
    return PartFiles(
        **by_half,
        differences={
            name: layout.folder / f"{name}.npz"
            for name in DIFFERENCES
            # A link to content that was not downloaded is there, and refused when it is read.
            if (path := layout.folder / f"{name}.npz").exists() or path.is_symlink()
        },
        pieces=tuple(p for p in of_session(present, layout) if _PIECES.fullmatch(p.name)),
    )
