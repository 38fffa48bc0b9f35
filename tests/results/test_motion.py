"""Motion that was not controlled is a failed check of the run."""

from __future__ import annotations

import json

import numpy as np
import pytest
from fakes import make_fake_idata

from bayes_mdd.results.motion import NAME, judge_motion_control
from bayes_mdd.results.result import read_result


def judged(kind=None, model=("site",), removed=(), columns=(), *, regional=False):
    idata = make_fake_idata(regional=regional)
    loadings = idata["loadings"].to_dataset()
    if kind is None:
        idata["loadings"] = loadings.drop_vars("kind")
    else:
        kinds = np.full(loadings.sizes["feature"], kind)
        idata["loadings"] = loadings.assign_coords(kind=("feature", kinds))
    constant = idata["constant_data"].to_dataset()
    values = np.linspace(0.1, 0.4, constant.sizes["subject"])
    idata["constant_data"] = constant.assign_coords({c: ("subject", values) for c in columns})
    note = json.loads(idata.attrs["features_provenance"])
    note["reference"] = {"people": "controls", "n": 39, "covariates": list(removed)}
    idata.attrs["features_provenance"] = json.dumps(note)
    idata.attrs["spec"] = json.dumps(json.loads(idata.attrs["spec"]) | {"covariates": list(model)})
    return judge_motion_control(read_result(idata))


@pytest.mark.parametrize("kind", ["functional_connectivity", "alff", "reho"])
def test_functional_features_without_a_motion_covariate_fail(kind):
    (check,) = judged(kind, model=("site", "age", "emotion"), columns=("meanFD",))
    assert check.passed is False and check.name == NAME
    assert check.advice.startswith("Motion not controlled")
    assert "participants.tsv has meanFD." in check.advice


@pytest.mark.parametrize("name", ["mean_fd", "meanFD", "jenkinson_fd", "head_motion", "mean_rms"])
def test_a_motion_covariate_of_the_model_or_the_reference_passes(name):
    for lists in ({"model": (name,)}, {"removed": (name,)}):
        (check,) = judged("functional_connectivity", **lists)
        assert check.passed is True and check.value == 1


def test_other_features_are_not_judged():
    assert judged("thickness", regional=True) == []
    assert judged("structural_count") == []
    assert judged(regional=True) == []
    assert judged(model=("mean_fd",)) == []
    (unknown,) = judged()
    assert unknown.passed is None and "state their kind" in unknown.advice
