"""Small cohort folders and feature sets for tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

REGIONS = pd.DataFrame(
    {
        "region": ["R1", "R2", "R3", "R4", "R5"],
        "network": ["DMN", "CCN", "DMN", "Reward", "CCN"],
        "x": [1.0, 2.0, 3.0, 4.0, 5.0],
        "y": [0.5] * 5,
        "z": [-1.0] * 5,
        "label": [11, 12, 13, 14, 15],
    }
)


@dataclass
class Folder:
    """A cohort folder with the arrays that were written to it."""

    root: Path
    subjects: list[str]
    series: dict[str, np.ndarray] = field(default_factory=dict)
    matrices: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def features(self) -> Path:
        return self.root / "features"

    def facts(self, **changes: Any) -> None:
        path = self.features / "features.json"
        known = json.loads(path.read_text()) if path.exists() else {}
        merged = {k: v for k, v in (known | changes).items() if v is not None}
        path.write_text(json.dumps(merged))

    def edges(self) -> np.ndarray:
        upper = np.triu_indices(len(REGIONS), 1)
        return np.stack([m[upper] for m in self.matrices.values()])

    def write_matrix(
        self, subject: str, matrix: np.ndarray, form: str = "tsv", names: list[str] | None = None
    ) -> Path:
        names = list(REGIONS["region"]) if names is None else names
        path = self.features / f"{subject}_task-rest_relmat.{form}"
        if form == "npy":
            np.save(path, matrix)
        elif form == "npz":
            np.savez(path, matrix=matrix, region=np.array(names))
        else:
            sep = "," if form == "csv" else "\t"
            table = pd.DataFrame(matrix, index=names, columns=names)
            table.to_csv(path, sep=sep, index_label="Node", na_rep="n/a")
        return path

    def write_series(self, subject: str, series: np.ndarray, form: str = "tsv") -> Path:
        path = self.features / f"{subject}_task-rest_timeseries.{form}"
        if form == "npy":
            np.save(path, series)
        else:
            table = pd.DataFrame(series, columns=list(REGIONS["region"]))
            table.to_csv(path, sep="\t", index=False, na_rep="n/a")
        return path

    def write_participants(self, **columns: list[str]) -> None:
        table = pd.DataFrame({"participant_id": self.subjects} | columns)
        table.to_csv(self.root / "participants.tsv", sep="\t", index=False, na_rep="n/a")


@pytest.fixture
def region_table() -> pd.DataFrame:
    return REGIONS.copy()


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[..., Folder]:
    """Return a function that writes a folder with six subjects (two controls), five regions."""

    def make(form: str = "tsv", *, source: str = "matrices", units: str = "r") -> Folder:
        rng = np.random.default_rng(7)
        subjects = [f"sub-{i:02d}" for i in range(1, 7)]
        folder = Folder(tmp_path / "cohort", subjects)
        folder.features.mkdir(parents=True)
        folder.write_participants(
            diagnosis=["HC", "HC", "MDD", "MDD", "MDD", "MDD"],
            arm=["n/a", "n/a", "None", "None", "SSRI", "SSRI"],
            age=["20", "30", "40", "n/a", "60", "70"],
        )
        REGIONS.to_csv(folder.features / "regions.tsv", sep="\t", index=False)
        folder.facts(kind="functional_connectivity", measure="correlation", units=units)
        if form == "npy":
            folder.facts(order="regions.tsv")
        for subject in subjects:
            series = rng.normal(size=(60, 5)) + rng.normal(size=(60, 1))
            folder.series[subject] = series
            r = np.corrcoef(series, rowvar=False)
            matrix = r if units == "r" else np.arctanh(r - np.eye(5)) + 7 * np.eye(5)
            folder.matrices[subject] = matrix
            if source == "matrices":
                folder.write_matrix(subject, matrix, form)
            elif source == "timeseries":
                folder.write_series(subject, series, form)
        return folder

    return make


@pytest.fixture
def make_features() -> Callable[..., xr.Dataset]:
    """Return a function that builds feature sets: controls, then two arms, at three sites."""

    def make(
        n_controls: int = 20, n_patients: int = 24, n_features: int = 6, seed: int = 0
    ) -> xr.Dataset:
        rng = np.random.default_rng(seed)
        n = n_controls + n_patients
        arms = ["n/a"] * n_controls + [["SSRI", "SNRI"][i % 2] for i in range(n_patients)]
        return xr.Dataset(
            {"y": (("subject", "feature"), rng.normal(0.3, 0.2, size=(n, n_features)))},
            coords={
                "subject": [f"sub-{i:03d}" for i in range(n)],
                "feature": [f"a--b{i}" for i in range(n_features)],
                "block": ("feature", ["DMN-CCN"] * n_features),
                "arm": ("subject", arms),
                "diagnosis": ("subject", ["HC"] * n_controls + ["MDD"] * n_patients),
                "site": ("subject", [["A", "B", "C"][i % 3] for i in range(n)]),
                "age": ("subject", rng.uniform(20, 60, n)),
                "motion": ("subject", rng.gamma(2, 0.05, n)),
            },
            attrs={"units": "fisher_z", "reference": "none (as read)", "provenance": "{}"},
        )

    return make
