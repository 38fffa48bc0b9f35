"""The report and the checks say how each covariate entered, and its range."""

from __future__ import annotations

import json

import numpy as np
from fakes import make_fake_idata

from bayes_mdd.results.covariates import describe_covariates
from bayes_mdd.results.result import read_result


def test_slopes_levels_and_ranges():
    idata = make_fake_idata()
    constant = idata["constant_data"].to_dataset()
    n = constant.sizes["subject"]
    idata["constant_data"] = constant.assign_coords(
        age=("subject", np.linspace(18, 60.5, n)),
        sex=("subject", np.array(["F", "M"])[np.arange(n) % 2]),
        unused=("subject", np.zeros(n)),
    )
    note = json.loads(idata.attrs["features_provenance"])
    reference = {"people": "controls", "covariates": ["age", "sex", "mean_fd"]}
    idata.attrs["features_provenance"] = json.dumps(note | {"reference": reference})
    spec = json.loads(idata.attrs["spec"]) | {"covariates": ["sex"]}
    idata.attrs["spec"] = json.dumps(spec)
    table = describe_covariates(read_result(idata))
    assert table.to_numpy().tolist() == [
        ["age", "reference", "slope", "18 to 60.5"],
        ["sex", "model, reference", "levels", "F, M"],
    ]
    idata.attrs["spec"] = json.dumps(spec | {"covariates": []})
    idata.attrs["features_provenance"] = json.dumps(note | {"reference": {}})
    assert describe_covariates(read_result(idata)).empty
