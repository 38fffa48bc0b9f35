"""A schema finds what it does not list, and describes what it lists."""

import numpy as np
import pytest
import xarray as xr

from bayes_mdd.results.schema import Variable, check_schema, describe_variables, find_variable

SCHEMA = (
    Variable("posterior", "scores", ("draw", "subject"), "SD", "scores of subjects"),
    Variable("posterior", "noise", ("draw",), "", "residual SD"),
    Variable("sample_stats", "*", None, "", "statistic of the sampler"),
    Variable("sample_stats", "energy", ("draw",), "nats", "energy"),
)


@pytest.fixture
def tree():
    posterior = xr.Dataset(
        {"scores": (("draw", "subject"), np.zeros((2, 3))), "noise": (("draw",), np.ones(2))}
    )
    stats = xr.Dataset({"energy": (("draw",), np.ones(2)), "depth": (("draw", "x"), np.eye(2))})
    return xr.DataTree.from_dict({"posterior": posterior, "sample_stats": stats})


def test_exact_names_come_before_patterns():
    assert find_variable(SCHEMA, "sample_stats", "energy").units == "nats"
    assert find_variable(SCHEMA, "sample_stats", "depth").dims is None
    assert find_variable(SCHEMA, "posterior", "depth") is None


def test_unlisted_variables_and_other_dims_are_reported(tree):
    assert check_schema(tree, SCHEMA) == []
    tree["posterior"] = (
        tree["posterior"].to_dataset().transpose("subject", "draw").assign(tau=("draw", [1.0, 2.0]))
    )
    scores, tau = check_schema(tree, SCHEMA)
    assert scores == (
        "'scores' in 'posterior' has the dimensions ('subject', 'draw'), "
        "the schema says ('draw', 'subject')."
    )
    assert tau == "'posterior' holds 'tau', which is not in the schema."


def test_variables_carry_units_and_meaning_and_keep_their_values(tree):
    tree["posterior"]["noise"].attrs["long_name"] = "its own name"
    described = describe_variables(tree, SCHEMA)
    attrs = {n: x.attrs for n, x in described["posterior"].data_vars.items()}
    assert attrs["scores"] == {"long_name": "scores of subjects", "units": "SD"}
    assert attrs["noise"] == {"long_name": "its own name"}
    assert tree["posterior"]["scores"].attrs == {}
    for group in tree.children:
        xr.testing.assert_equal(described[group].to_dataset(), tree[group].to_dataset())
