"""Readers of the package, and a good folder for each, to be damaged by `hostile_files.py`."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from hostile_cohorts import COHORTS
from hostile_runs import RUNS
from hostile_tools import REGIONS, TOOLS, Tool, image, mat, matrix


@dataclass(frozen=True)
class Reader:
    """A reader with the good folder of which one file is damaged.

    Parameters
    ----------
    build : callable
        Writes the good files to a folder.
    file : str
        The file that is damaged.
    read : callable
        Reads the folder.
    inside : bool
        Whether what the file holds in compressed form is damaged.
    mutants : int
        Number of damaged files.
    """

    build: Callable[[Path], object]
    file: str
    read: Callable[[Path], object]
    inside: bool = False
    mutants: int = 800

    @cached_property
    def files(self) -> Mapping[str, bytes]:
        """Good files by name."""
        with tempfile.TemporaryDirectory() as name:
            self.build(Path(name))
            found = sorted(p for p in Path(name).rglob("*") if p.is_file())
            return {p.relative_to(name).as_posix(): p.read_bytes() for p in found}

    @property
    def good(self) -> bytes:
        """Content of the file before it is damaged."""
        return self.files[self.file]

    def prepare(self, folder: Path) -> None:
        """Write the good files."""
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def _read_edges(file: str) -> Callable[[Path], object]:
    def read(folder: Path) -> object:
        import pandas as pd

        from bayes_mdd.features.matrices import read_matrix_edges

        regions = pd.DataFrame({"region": list(REGIONS), "network": ["A"] * len(REGIONS)})
        return read_matrix_edges({"sub-01": folder / file}, regions, units="r", order_stated=True)

    return read


def _read_volume(file: str) -> Callable[[Path], object]:
    def read(folder: Path) -> object:
        from bayes_mdd.features.measures.volumes import open_volume

        return open_volume(folder / file)

    return read


def _read_mat(folder: Path) -> object:
    from bayes_mdd.files.mat import read_mat

    return read_mat(folder / "m.mat")


def _scan(file: str) -> Callable[[Path], object]:
    values = np.random.default_rng(1).normal(100, 5, (4, 4, 4, 12)).astype(np.float32)
    return lambda folder: image(folder / file, values)


def _archive(save: Callable[..., object]) -> Callable[[Path], object]:
    return lambda folder: save(folder / "m.npz", matrix=matrix(), region=np.array(REGIONS))


def _mixed(packed: bool) -> Callable[[Path], object]:
    """A MATLAB file with numbers, text, cells, structures, truth values and sparse arrays."""

    def build(folder: Path) -> None:
        from scipy.sparse import csc_matrix

        mat(
            folder / "m.mat",
            packed,
            numbers=matrix(),
            labels=np.array(REGIONS, dtype=object)[None],
            note={"version": "1.0", "cells": np.array([["a", 1.0]], dtype=object)},
            mask=np.eye(4, dtype=bool),
            thin=csc_matrix(np.eye(4)),
            turned=matrix() + 1j,
        )

    return build


_ARRAYS: Mapping[str, Tool] = {
    ".npy": (lambda f: np.save(f / "m.npy", matrix()), "m.npy", _read_edges("m.npy")),
    ".npz": (_archive(np.savez), "m.npz", _read_edges("m.npz")),
    ".npz, compressed": (_archive(np.savez_compressed), "m.npz", _read_edges("m.npz")),
    ".mat": (_mixed(False), "m.mat", _read_mat),
    ".mat, compressed": (_mixed(True), "m.mat", _read_mat),
    "NIfTI": (_scan("s.nii"), "s.nii", _read_volume("s.nii")),
    "NIfTI, .gz": (_scan("s.nii.gz"), "s.nii.gz", _read_volume("s.nii.gz")),
}
#: Readers of compressed files, which are also damaged inside of the compression.
PACKED = (
    *(".npz, compressed", ".mat, compressed", "NIfTI, .gz", "atlas image", "feature archive"),
    *("session difference", "arrays", "maps", "fmriprep_bold"),
)


def readers() -> dict[str, Reader]:
    """List all readers by name; names of other tools' formats begin with the name of the format."""
    found: dict[str, Reader] = {}
    for table in (_ARRAYS, COHORTS, TOOLS, RUNS):
        for name, tool in table.items():
            found[name] = Reader(*tool)
            if name in PACKED:
                found[f"{name}, repacked"] = Reader(*tool, inside=True)
    return found
