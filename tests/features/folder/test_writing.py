"""Writing of feature sets to cohort folders."""

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
def participants() -> pd.DataFrame:
    return pd.DataFrame(
        {"diagnosis": ["HC"] * 4 + ["MDD"] * 4, "arm": ["n/a"] * 4 + ["None", "SSRI"] * 2},
        index=pd.Index([f"{i:03d}" for i in range(8)], name="participant_id"),
    )


@pytest.fixture
def features(region_table, participants):
    rng = np.random.default_rng(2)
    series = {s: rng.normal(size=(40, 5)) + rng.normal(size=(40, 1)) for s in participants.index}
    return connectivity_from_timeseries(series, region_table, participants=participants)


def test_written_features_can_be_read(features, participants, tmp_path):
    participants.to_csv(tmp_path / "participants.tsv", sep="\t", na_rep="n/a")
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


def test_features_that_cannot_be_written_are_refused(features, tmp_path):
    with pytest.raises(DataContractError, match="already standardised"):
        write_features(reference_to_controls(features), tmp_path)
    two = features.assign_coords(kind=("feature", ["a"] + ["b"] * 9))
    with pytest.raises(DataContractError, match="must be of one kind; found a, b"):
        write_features(two, tmp_path)
    assert not any(tmp_path.iterdir())
    write_features(features, tmp_path)
    with pytest.raises(DataContractError, match="not empty"):
        write_features(features, tmp_path)
