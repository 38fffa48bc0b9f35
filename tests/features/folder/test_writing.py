"""A feature set to files and back."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bayes_mdd.errors import DataContractError
from bayes_mdd.features import (
    connectivity_from_timeseries,
    read_features,
    reference_to_controls,
    write_features,
)


@pytest.fixture
def people() -> pd.DataFrame:
    return pd.DataFrame(
        {"diagnosis": ["HC"] * 4 + ["MDD"] * 4, "arm": ["n/a"] * 4 + ["None", "SSRI"] * 2},
        index=pd.Index([f"{i:03d}" for i in range(8)], name="participant_id"),
    )


@pytest.fixture
def features(region_table, people):
    rng = np.random.default_rng(2)
    series = {w: rng.normal(size=(40, 5)) + rng.normal(size=(40, 1)) for w in people.index}
    return connectivity_from_timeseries(series, region_table, participants=people)


def test_there_and_back(features, people, tmp_path):
    people.to_csv(tmp_path / "participants.tsv", sep="\t", na_rep="n/a")
    folder = write_features(features, tmp_path)
    assert sorted(p.name for p in folder.iterdir()) == [
        "features.json",
        "features.npz",
        "regions.tsv",
    ]
    again = read_features(tmp_path)
    np.testing.assert_array_equal(again["y"], features["y"])
    assert again.attrs["units"] == features.attrs["units"]
    for name in ("subject", "arm", "block", "region", "region_x", "region_label"):
        assert again[name].values.tolist() == features[name].values.tolist()


def test_what_is_not_written(features, tmp_path):
    with pytest.raises(DataContractError, match="standardised already"):
        write_features(reference_to_controls(features), tmp_path)
    two = features.assign_coords(kind=("feature", ["a"] + ["b"] * 9))
    with pytest.raises(DataContractError, match="one kind of features is wanted, got a, b"):
        write_features(two, tmp_path)
    assert not any(tmp_path.iterdir())
    write_features(features, tmp_path)
    with pytest.raises(DataContractError, match="holds something"):
        write_features(features, tmp_path)
