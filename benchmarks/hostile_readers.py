"""Readers of the package, and a good file for each, to be damaged by `hostile_files.py`."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

REGIONS = ("LH_Vis_1", "LH_Cont_Par_1", "RH_Default_PFC_1", "RH_Limbic_OFC_1")
N = len(REGIONS)


@dataclass(frozen=True)
class Reader:
    """A reader with the good file that is damaged.

    Parameters
    ----------
    file : str
        Name of the file in a folder.
    good : bytes
        Its content.
    read : callable
        Reads the file in a folder.
    prepare : callable
        Writes the other files of the folder.
    mutants : int
        Number of damaged files.
    """

    file: str
    good: bytes
    read: Callable[[Path], object]
    prepare: Callable[[Path], object] = lambda folder: None
    mutants: int = 800


def matrix(seed: int = 0) -> np.ndarray:
    series = np.random.default_rng(seed).normal(size=(60, N)) @ np.linspace(0.5, 1, N * N).reshape(
        N, N
    )
    return np.corrcoef(series + np.random.default_rng(seed).normal(size=(60, N)), rowvar=False)


def _bytes(save: Callable[[Any], object]) -> bytes:
    stream = io.BytesIO()
    save(stream)
    return stream.getvalue()


def mat_file(packed: bool, seed: int = 0) -> bytes:
    from scipy.io import savemat

    labels = np.empty((1, N), dtype=object)
    for i, name in enumerate(REGIONS):
        labels[0, i] = np.array([name])
    counts = np.round(100 * np.abs(matrix(seed)))
    arrays = {
        "atlas_A_region_ids": np.arange(1, N + 1)[None],
        "atlas_A_region_labels": labels,
        "atlas_A_radius2_count_connectivity": counts,
        "note": {"version": "1.0", "cells": np.array([["a", 1.0]], dtype=object)},
        "mask": np.eye(N, dtype=bool),
    }
    return _bytes(lambda stream: savemat(stream, arrays, do_compression=packed))


def image_file(values: np.ndarray, packed: bool = False) -> bytes:
    import nibabel as nib

    image = nib.Nifti1Image(values, np.diag([3.0, 3, 3, 1]))
    image.header.set_xyzt_units("mm", "sec")
    raw = image.to_bytes()
    return gzip.compress(raw, mtime=0) if packed else raw


def cifti_file(seed: int = 0) -> bytes:
    import nibabel as nib
    from nibabel.cifti2.cifti2_axes import BrainModelAxis, ParcelsAxis

    models = [
        (name, BrainModelAxis.from_surface(np.arange(3) + 3 * i, 40, name="CortexLeft"))
        for i, name in enumerate(REGIONS)
    ]
    parcels = ParcelsAxis.from_brain_models(models)
    return nib.Cifti2Image(matrix(seed).astype(np.float32), (parcels, parcels)).to_bytes()


def table(rows: int = 12) -> str:
    lines = ["participant_id\tdiagnosis\tarm\tage\tsex\tsite"]
    for i in range(rows):
        arm = ("n/a", "ssri", "snri")[i % 3]
        who = "HC" if arm == "n/a" else "MDD"
        lines.append(f"sub-{i + 1:02d}\t{who}\t{arm}\t{25 + i}.5\t{'MF'[i % 2]}\tsite{i % 2 + 1}")
    return "\n".join(lines) + "\n"


def matrix_table() -> str:
    rows = ["\t".join(("Node", *REGIONS))]
    rows += [
        "\t".join((n, *map(repr, map(float, r)))) for n, r in zip(REGIONS, matrix(), strict=True)
    ]
    return "\n".join(rows) + "\n"


SIDECAR = {
    "diagnosis": {"Levels": {"HC": "healthy control", "MDD": "major depression"}},
    "age": {"Description": "Age", "Units": "years"},
    "arm": {"Levels": {"ssri": "an SSRI", "snri": "an SNRI"}, "HED": [["a", {"b": 1e3}], None]},
}
REGION_TABLE = "region\tnetwork\n" + "".join(f"{name}\t{name.split('_')[1]}\n" for name in REGIONS)


def _read_edges(file: str) -> Callable[[Path], object]:
    def read(folder: Path) -> object:
        import pandas as pd

        from bayes_mdd.features.matrices import read_matrix_edges

        regions = pd.DataFrame({"region": list(REGIONS), "network": ["A"] * N})
        return read_matrix_edges({"sub-01": folder / file}, regions, units="r", order_stated=True)

    return read


def _read_derivatives(folder: Path) -> object:
    from bayes_mdd.features import read_derivatives

    return read_derivatives(folder, regions=folder / "regions.tsv")


def _beside(file: str, make: Callable[[int], bytes]) -> Callable[[Path], object]:
    """Write good files of two other subjects, and the regions."""
    others = {f"sub-0{i}": make(i) for i in (2, 3)}

    def prepare(folder: Path) -> None:
        (folder / "regions.tsv").write_text(REGION_TABLE, encoding="utf-8")
        for subject, good in others.items():
            (folder / file.replace("sub-01", subject)).write_bytes(good)

    return prepare


def _read_participants(folder: Path) -> object:
    from bayes_mdd.cohort.participants import read_participants

    return read_participants(folder / "participants.tsv")


def _read_volume(file: str) -> Callable[[Path], object]:
    def read(folder: Path) -> object:
        from bayes_mdd.features.measures.volumes import open_volume

        return open_volume(folder / file)

    return read


def _read_labels(folder: Path) -> object:
    from bayes_mdd.features.atlas.label_images import label_values, load_volume

    path = folder / "atlas.nii.gz"
    return label_values(load_volume(path), path.name)


def _read_spec(folder: Path) -> object:
    import bayes_mdd as bm

    return bm.read_spec(folder / "spec.yaml")


def _read_scale(folder: Path) -> object:
    from bayes_mdd.cohort.scales import read_scale

    return read_scale(folder / "scale.yaml")


def shipped(name: str) -> bytes:
    import bayes_mdd

    root = Path(bayes_mdd.__file__).parent
    return next(p for p in (root / name, root.parent / name) if p.is_file()).read_bytes()


def readers() -> dict[str, Reader]:
    """List all readers by name."""
    rng = np.random.default_rng(1)
    mat, mat_packed, cifti = mat_file(False), mat_file(True), cifti_file()
    arrays = {"matrix": matrix(), "region": np.array(REGIONS)}
    connectivity, pconn = "sub-01_connectivity.mat", "sub-01_task-rest.pconn.nii"
    scan = rng.normal(100, 5, (4, 4, 4, 12)).astype(np.float32)
    labels = rng.integers(0, 5, (6, 6, 6)).astype(np.int16)
    both = (table().encode(), json.dumps(SIDECAR, indent=1).encode())

    def other(name: str, content: bytes) -> Callable[[Path], object]:
        return lambda folder: (folder / name).write_bytes(content)

    return {
        "CIFTI": Reader(pconn, cifti, _read_derivatives, _beside(pconn, cifti_file)),
        ".npy": Reader("m.npy", _bytes(lambda s: np.save(s, matrix())), _read_edges("m.npy")),
        ".npz": Reader("m.npz", _bytes(lambda s: np.savez(s, **arrays)), _read_edges("m.npz")),
        ".npz, compressed": Reader(
            "m.npz", _bytes(lambda s: np.savez_compressed(s, **arrays)), _read_edges("m.npz")
        ),
        ".mat": Reader(
            connectivity, mat, _read_derivatives, _beside(connectivity, partial(mat_file, False))
        ),
        ".mat, compressed": Reader(
            connectivity,
            mat_packed,
            _read_derivatives,
            _beside(connectivity, partial(mat_file, True)),
        ),
        "NIfTI": Reader("s.nii", image_file(scan), _read_volume("s.nii")),
        "NIfTI, .gz": Reader("s.nii.gz", image_file(scan, packed=True), _read_volume("s.nii.gz")),
        "NIfTI, labels": Reader("atlas.nii.gz", image_file(labels, packed=True), _read_labels),
        "TSV, participants": Reader(
            "participants.tsv", both[0], _read_participants, other("participants.json", both[1])
        ),
        "TSV, matrix": Reader("m.tsv", matrix_table().encode(), _read_edges("m.tsv")),
        "JSON": Reader(
            "participants.json", both[1], _read_participants, other("participants.tsv", both[0])
        ),
        "YAML, spec": Reader("spec.yaml", shipped("models/shared_specific.yaml"), _read_spec),
        "YAML, scale": Reader("scale.yaml", shipped("cohort/scales/hamd17.yaml"), _read_scale),
    }
