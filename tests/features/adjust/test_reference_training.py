"""Standardisation of new subjects relative to an earlier cohort."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from bayes_mdd.errors import DataContractError
from bayes_mdd.features import reference_to_controls, reference_to_training


def _cohort(seed, n, *, start=0, controls=10):
    rng = np.random.default_rng(seed)
    diagnosis = np.where(np.arange(n) < controls, "HC", "MDD")
    return xr.Dataset(
        {"y": (("subject", "feature"), rng.normal(2, 3, size=(n, 4)))},
        {
            "subject": [f"s{start + i}" for i in range(n)],
            "feature": list("abcd"),
            "block": ("feature", ["X", "X", "Y", "Y"]),
            "arm": ("subject", np.where(diagnosis == "HC", "n/a", "SSRI")),
            "diagnosis": ("subject", diagnosis),
            "age": ("subject", rng.normal(40, 9, n)),
        },
        {"units": "fisher_z"},
    )


@pytest.mark.parametrize("controls", [10, 0])
def test_subjects_of_the_training_cohort_get_the_same_values(controls):
    # New subjects, controls as well as patients, must not change the reference.
    training = _cohort(0, 25, controls=controls)
    direct = reference_to_controls(training, ["age"])
    chosen = training.isel(subject=[3, 12, 20], feature=[2, 0, 3, 1])
    found = reference_to_training(chosen, training, ["age"])
    assert list(found["feature"].values) == list("abcd")
    np.testing.assert_allclose(found["y"], direct["y"].isel(subject=[3, 12, 20]))
    assert list(found["arm"].values) == list(training["arm"].values[[3, 12, 20]])
    assert found.attrs["reference"] == direct.attrs["reference"]
    assert found.attrs["units"] == "z"


def test_all_problems_are_reported_in_one_error():
    training = _cohort(0, 20)
    new = _cohort(1, 5, controls=0).isel(feature=[0, 1, 2]).drop_vars("age")
    new = new.assign_coords(feature=["a", "b", "zz"]).assign_attrs(units="r")
    with pytest.raises(DataContractError) as error:
        reference_to_training(new, training, ["age"])
    for part in ("2 feature(s) of training", "zz", "units are 'r'", "age are missing in the new"):
        assert part in str(error.value)
