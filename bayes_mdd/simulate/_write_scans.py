"""Writing of matrices, halves, pieces and example series of a simulated cohort."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from bayes_mdd.simulate._cohort import SimulatedCohort
from bayes_mdd.types import Array

#: Number of participants whose series are written as examples.
EXAMPLES: Final = 3
_MATRIX: Final = "stat-pearsoncorrelation_relmat"
#: Files that not every simulated cohort has.
_WRITTEN: Final = (
    "features/sub-*_atlas-demo*_relmat.tsv",
    "features/sub-*_atlas-demo*_half-[12]_*_relmat.npy",
    "features/sub-*_atlas-demo*_pieces.npy",
    "examples/sub-*_atlas-demo*_timeseries.tsv",
    "truth/noise.json",
    "truth/patients.tsv",
    "truth/factors.tsv",
    "phenotype/disposition.tsv",
)


def remove_scans(folder: Path) -> None:
    """Remove the files of an earlier simulated cohort that a new one may not replace."""
    for pattern in _WRITTEN:
        for old in folder.glob(pattern):
            old.unlink()


def write_scans(simulated: SimulatedCohort, folder: Path) -> None:
    """Write one matrix per participant and, with series, halves, pieces and examples.

    Halves and pieces have half precision, which is far below their sampling error.
    """
    names = [str(name) for name in simulated.regions["region"]]
    subjects = [str(s) for s in simulated.features["subject"].values]
    scans = folder / "features"
    write_matrices(subjects, names, simulated.features["y"].values, scans)
    if simulated.series:
        _write_parts(simulated, subjects, names, scans)
        _write_examples(simulated, subjects[:EXAMPLES], names, folder / "examples")


def write_matrices(subjects: list[str], names: list[str], edges: Array, scans: Path) -> None:
    """Write a matrix of correlations per subject from edges (subject, edge) in Fisher z."""
    for subject, z in zip(subjects, edges, strict=True):
        matrix = _square(np.tanh(z), len(names))
        rows = [
            "\t".join([n, *(f"{v:.4f}" for v in row)]) for n, row in zip(names, matrix, strict=True)
        ]
        path = scans / f"{_stem(subject, names)}_{_MATRIX}.tsv"
        _write_lines(path, ["\t".join(["Node", *names]), *rows])


def _write_parts(
    simulated: SimulatedCohort, subjects: list[str], names: list[str], scans: Path
) -> None:
    pieces = simulated.features["pieces"].values
    for i, subject in enumerate(subjects):
        stem = _stem(subject, names)
        half = len(simulated.series[subject]) // 2
        for number in (1, 2):
            part = simulated.series[subject][(number - 1) * half : number * half]
            matrix = np.corrcoef(part.T.astype(float)).astype(np.float16)
            np.fill_diagonal(matrix, 1)
            np.save(scans / f"{stem}_half-{number}_{_MATRIX}.npy", matrix)
        np.save(scans / f"{stem}_pieces.npy", pieces[i].astype(np.float16))


def _write_examples(
    simulated: SimulatedCohort, subjects: list[str], names: list[str], folder: Path
) -> None:
    folder.mkdir(exist_ok=True)
    for subject in subjects:
        rows = ["\t".join(f"{v:.4f}" for v in row) for row in simulated.series[subject]]
        path = folder / f"{subject}_task-rest_{_atlas(names)}_timeseries.tsv"
        _write_lines(path, ["\t".join(names), *rows])


def _stem(subject: str, names: list[str]) -> str:
    return f"{subject}_{_atlas(names)}"


def _atlas(names: list[str]) -> str:
    return f"atlas-demo{len(names)}"


def _square(edges: Array, n_regions: int) -> Array:
    matrix = np.eye(n_regions)
    a, b = np.triu_indices(n_regions, 1)
    matrix[a, b] = matrix[b, a] = edges
    return matrix


def _write_lines(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join([*lines, ""]), encoding="utf-8", newline="\n")
