"""Folders as other tools write them, tiny, made on the spot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

PARCELS = ("LH_Vis_1", "LH_Cont_Par_1", "RH_Default_PFC_1", "RH_Default_PFC_2", "RH_Limbic_OFC_1")
PEOPLE = ("sub-01", "sub-02", "sub-03", "sub-04")


def series_of(who: str, names: Sequence[str] = PARCELS, volumes: int = 120) -> np.ndarray:
    """Numbers that depend on the person and the name, not on the place of the name."""
    columns = []
    common = np.random.default_rng(abs(hash_of(who))).normal(size=volumes)
    for name in names:
        rng = np.random.default_rng(hash_of(f"{who}/{name}"))
        columns.append(rng.normal(size=volumes) + 0.6 * common)
    return np.stack(columns, axis=1)


def hash_of(text: str) -> int:
    return int.from_bytes(text.encode()[-12:], "little")


def correlations_of(who: str, names: Sequence[str] = PARCELS) -> np.ndarray:
    return np.corrcoef(series_of(who, names), rowvar=False)


def write_square(path: Path, matrix: np.ndarray, names: Sequence[str]) -> None:
    """As XCP-D writes a relmat: header cell ``Node``, names in the first column, n/a."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame(matrix, index=list(names), columns=list(names))
    table.to_csv(path, sep="\t", index_label="Node", na_rep="n/a")


def write_wide(path: Path, values: np.ndarray, names: Sequence[str]) -> None:
    """As XCP-D writes series, ALFF and ReHo: names in the header, no index."""
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
        index=pd.Index(PEOPLE, name="participant_id"),
    )


@pytest.fixture
def regions() -> pd.DataFrame:
    """Another order than that of the files."""
    return pd.DataFrame(
        {
            "region": [PARCELS[i] for i in (2, 0, 1, 4, 3)],
            "network": ["DMN", "VIS", "CCN", "LIM", "DMN"],
        }
    )


@pytest.fixture
def xcpd(tmp_path: Path) -> Callable[..., Path]:
    """Write a folder of one of the three generations of names."""
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
        for who in PEOPLE:
            head = folder / who / "func" / f"{who}_task-rest_space-MNI152NLin2009cAsym_"
            if "matrix" in parts:
                write_square(Path(f"{head}{matrix}.tsv"), correlations_of(who), PARCELS)
            if "series" in parts:
                write_wide(Path(f"{head}{series}.tsv"), series_of(who), PARCELS)
            for stat in ("alff", "reho"):
                if stat in parts:
                    values = np.abs(series_of(who)[0]) + (stat == "reho")
                    write_wide(Path(f"{head}{regional.format(stat)}.tsv"), values, PARCELS)
        return folder

    return make
