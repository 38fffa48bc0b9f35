"""Square text matrices with region names, as pandas, R and spreadsheets write them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from features.derivatives.conftest import PARCELS, SUBJECTS, correlations_of

from bayes_mdd.errors import DataContractError
from bayes_mdd.features import read_derivatives


@pytest.fixture
def regions() -> pd.DataFrame:
    """Regions in another order than in the files."""
    table = pd.DataFrame({"ROI": PARCELS, "Network": ["DMN", "VIS", "LIM", "CCN", "DMN"]})
    return table.iloc[::-1]


def frame(subject: str) -> pd.DataFrame:
    return pd.DataFrame(correlations_of(subject), columns=PARCELS, index=PARCELS)


WRITERS = {
    "pandas": lambda f, path: f.to_csv(path),
    "pandas, header only": lambda f, path: f.to_csv(path, index=False),
    "pandas, numbered rows": lambda f, path: f.reset_index(drop=True).to_csv(path),
    "R": lambda f, path: f.to_csv(path, quoting=2),
    "R, numbered rows": lambda f, path: f.set_axis(range(1, len(f) + 1)).to_csv(path, quoting=2),
    "semicolons": lambda f, path: f.to_csv(path, sep=";"),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_matrices_of_other_programs(writer, tmp_path, regions):
    for subject in SUBJECTS:
        WRITERS[writer](frame(subject), tmp_path / f"P{subject.removeprefix('sub-')}.csv")
    regions.to_csv(tmp_path / "rois.csv", index=False)
    features = read_derivatives(tmp_path, regions=tmp_path / "rois.csv")
    wanted = [f"P{s.removeprefix('sub-')}" for s in SUBJECTS]
    assert sorted(features["subject"].values) == sorted(wanted)
    for subject, name in zip(SUBJECTS, wanted, strict=True):
        square = frame(subject)
        for edge in features["feature"].values:
            a, b = str(edge).split("--")
            value = float(features["y"].sel(subject=name, feature=edge))
            assert value == pytest.approx(np.arctanh(square.loc[a, b]), abs=1e-6)


def test_a_series_with_as_many_volumes_as_regions_is_no_matrix(tmp_path, regions):
    rng = np.random.default_rng(0)
    for subject in SUBJECTS:
        series = pd.DataFrame(rng.normal(size=(len(PARCELS),) * 2), columns=PARCELS)
        series.to_csv(tmp_path / f"{subject}_x.csv", index=False)
    with pytest.raises(DataContractError, match="no file of a known format"):
        read_derivatives(tmp_path, regions=regions)


def test_a_damaged_matrix_is_named(tmp_path, regions):
    for subject in SUBJECTS:
        frame(subject).to_csv(tmp_path / f"{subject}_conn.csv")
    damaged = tmp_path / f"{SUBJECTS[1]}_conn.csv"
    damaged.write_text("\n".join(damaged.read_text().splitlines()[:-1]))
    with pytest.raises(DataContractError, match=damaged.name):
        read_derivatives(tmp_path, regions=regions)
