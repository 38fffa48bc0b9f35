"""The same cohort in other files, another folder, another language and time zone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayes_mdd as bm


def read(folder: Path) -> xr.Dataset:
    return bm.read_features(folder)


@pytest.fixture(scope="module")
def features(small_cohort: Path) -> xr.Dataset:
    return read(small_cohort)


def copy(small_cohort: Path, folder: Path) -> Path:
    return Path(shutil.copytree(small_cohort, folder))


def matrices(folder: Path) -> list[Path]:
    return sorted((folder / "features").glob("*relmat.tsv"))


def test_rows_of_tables_may_be_in_any_order(small_cohort, features, tmp_path):
    folder = copy(small_cohort, tmp_path / "another place, with spaces" / "Kohorte ü")
    for path in (folder / "participants.tsv", *(folder / "phenotype").glob("*.tsv")):
        head, *rows = path.read_text(encoding="utf-8").splitlines()
        path.write_text("\n".join([head, *rows[::-1]]) + "\n", encoding="utf-8")
    found = read(folder)
    ids = features["subject"].values
    assert found["subject"].values.tolist() != ids.tolist()
    for name, values in features.sel(subject=ids).coords.items():
        assert found.sel(subject=ids)[name].values.tolist() == values.values.tolist(), name
    assert np.array_equal(found.sel(subject=ids)["y"].values, features["y"].values)
    own, other = (bm.read_cohort(f).symptoms for f in (small_cohort, folder))
    pd.testing.assert_frame_equal(other.loc[own.index], own)


@pytest.mark.parametrize("kind", ["csv", "npy", "npz"])
def test_files_of_another_format_hold_the_same_numbers(small_cohort, features, tmp_path, kind):
    folder = copy(small_cohort, tmp_path / "cohort")
    for path in matrices(folder):
        table = pd.read_csv(path, sep="\t", index_col=0)
        other = path.with_suffix(f".{kind}")
        if kind == "csv":
            table.to_csv(other)
        elif kind == "npy":
            np.save(other, table.to_numpy())
        else:
            np.savez(other, matrix=table.to_numpy(), region=np.array(table.columns, dtype=str))
        path.unlink()
    if kind == "npy":
        sidecar = folder / "features" / "features.json"
        text = sidecar.read_text(encoding="utf-8")
        sidecar.write_text(text.replace("{", '{"order": "regions.tsv", ', 1), encoding="utf-8")
    found = read(folder)
    assert found["subject"].values.tolist() == features["subject"].values.tolist()
    assert np.array_equal(found["y"].values, features["y"].values)


@pytest.mark.slow
@pytest.mark.timeout(0)  # two commands, which a busy machine may slow down
def test_language_and_time_zone_change_nothing(small_cohort, small_spec, tmp_path):
    runs = []
    for i, (language, zone) in enumerate([("C.UTF-8", "UTC"), ("C", "Asia/Kathmandu")]):
        folder = tmp_path / f"run{i}"
        given = {"LC_ALL": language, "LANG": language, "TZ": zone, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "bayes_mdd", "fit", small_spec, small_cohort]
        subprocess.run(
            [*map(str, command), "--fast", "-o", str(folder)],
            env={**os.environ, **given},
            check=False,
            capture_output=True,
        )
        runs.append(bm.read_run(folder))
    for group in ("posterior", "loadings", "sample_stats"):
        first, second = (r[group].to_dataset().drop_attrs() for r in runs)
        xr.testing.assert_identical(first, second)
