"""Small output folders of other tools, written by the tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

PARCELS = ("LH_Vis_1", "LH_Cont_Par_1", "RH_Default_PFC_1", "RH_Default_PFC_2", "RH_Limbic_OFC_1")
SUBJECTS = ("sub-01", "sub-02", "sub-03", "sub-04")


def series_of(subject: str, names: Sequence[str] = PARCELS, volumes: int = 120) -> np.ndarray:
    """Values that depend on the subject and the region name, not on the position of the name."""
    columns = []
    common = np.random.default_rng(abs(hash_of(subject))).normal(size=volumes)
    for name in names:
        rng = np.random.default_rng(hash_of(f"{subject}/{name}"))
        columns.append(rng.normal(size=volumes) + 0.6 * common)
    return np.stack(columns, axis=1)


def hash_of(text: str) -> int:
    return int.from_bytes(text.encode()[-12:], "little")


def correlations_of(subject: str, names: Sequence[str] = PARCELS) -> np.ndarray:
    return np.corrcoef(series_of(subject, names), rowvar=False)


def write_square(path: Path, matrix: np.ndarray, names: Sequence[str]) -> None:
    """Write a matrix as XCP-D does: header cell ``Node``, names in the first column, n/a."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame(matrix, index=list(names), columns=list(names))
    table.to_csv(path, sep="\t", index_label="Node", na_rep="n/a")


def write_wide(path: Path, values: np.ndarray, names: Sequence[str]) -> None:
    """Write series, ALFF or ReHo as XCP-D does: names in the header, no index."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame(np.atleast_2d(values), columns=list(names))
    table.to_csv(path, sep="\t", index=False, na_rep="n/a")


@pytest.fixture
def participants() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "diagnosis": ["HC", "MDD", "MDD", "MDD"],
            "arm": ["n/a", "SSRI", "None", "SSRI"],
            "site": ["a", "a", "b", "b"],
        },
        index=pd.Index(SUBJECTS, name="participant_id"),
    )


@pytest.fixture
def regions() -> pd.DataFrame:
    """Region table in another order than the files."""
    return pd.DataFrame(
        {
            "region": [PARCELS[i] for i in (2, 0, 1, 4, 3)],
            "network": ["DMN", "VIS", "CCN", "LIM", "DMN"],
        }
    )


@pytest.fixture
def xcpd(tmp_path: Path) -> Callable[..., Path]:
    """Write a folder with the file names of one of three generations of XCP-D."""
    forms = {
        "a": (
            "atlas-X_measure-pearsoncorrelation_conmat",
            "atlas-X_timeseries",
            "atlas-X_{}",
            "atlas-X_coverage",
        ),
        "b": (
            "seg-X_stat-pearsoncorrelation_relmat",
            "seg-X_stat-mean_timeseries",
            "seg-X_stat-{}_bold",
            "seg-X_stat-coverage_bold",
        ),
        "c": (
            "atlas-X_stat-pearsoncorrelation_relmat",
            "atlas-X_stat-mean_timeseries",
            "atlas-X_stat-{}_bold",
            "atlas-X_stat-coverage_bold",
        ),
    }

    def make(generation: str = "c", parts: str = "matrix series alff reho") -> Path:
        matrix, series, regional, _ = forms[generation]
        folder = tmp_path / f"xcpd_{generation}"
        for subject in SUBJECTS:
            head = folder / subject / "func" / f"{subject}_task-rest_space-MNI152NLin2009cAsym_"
            if "matrix" in parts:
                write_square(Path(f"{head}{matrix}.tsv"), correlations_of(subject), PARCELS)
            if "series" in parts:
                write_wide(Path(f"{head}{series}.tsv"), series_of(subject), PARCELS)
            for stat in ("alff", "reho"):
                if stat in parts:
                    values = np.abs(series_of(subject)[0]) + (stat == "reho")
                    write_wide(Path(f"{head}{regional.format(stat)}.tsv"), values, PARCELS)
        return folder

    return make
