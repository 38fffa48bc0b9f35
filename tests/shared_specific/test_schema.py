"""The schema of a result lists every variable that a fit of the factor model stores."""

import numpy as np
import pytest
import xarray as xr
from fakes import make_fake_idata

import bayes_mdd as bm
from bayes_mdd.results.schema import check_schema
from bayes_mdd.shared_specific.data.prepare import prepare
from bayes_mdd.shared_specific.graph.symptoms import symptom_coords
from bayes_mdd.shared_specific.posterior.assemble import assemble
from bayes_mdd.shared_specific.schema import DRAWN, RELIABILITY, SCHEMA, WHITENING

DRAWS = (2, 5)
#: Groups of a fit of whitened edges, and of one with halves, pieces or a second session.
OPTIONAL = {WHITENING, RELIABILITY}


def test_a_run_follows_the_schema_and_says_what_its_variables_are(small_run):
    idata = bm.read_run(small_run.folder)
    assert check_schema(idata, SCHEMA) == []
    for node in idata.children.values():
        for name, variable in node.data_vars.items():
            assert variable.attrs.get("long_name"), name
    assert idata["posterior"]["scores"].attrs["units"] == "SD of the scores of an average arm"
    assert idata["posterior"]["symptom_weight"].attrs["units"] == "see symptom_unit"
    assert idata["observed_data"]["symptom_cognitive"].attrs["units"] == "unit of the scale"


def test_every_group_of_a_run_is_in_the_schema(small_run):
    assert {v.group for v in SCHEMA} - OPTIONAL == set(bm.read_run(small_run.folder).children)


@pytest.mark.parametrize("links", ["common", "by_arm"])
def test_test_doubles_follow_the_schema(made, links):
    assert check_schema(make_fake_idata(links=links), SCHEMA) == []
    assert check_schema(made.idata, SCHEMA) == []


def test_links_by_arm_items_and_noise_by_feature_follow_the_schema(feature_set):
    """Assembled of random draws of every variable that a spec can ask for."""
    rng = np.random.default_rng(0)
    n, p = 24, 12
    arm, block = np.repeat(["a", "b"], n // 2), np.repeat(["A-A", "B-B"], p // 2)
    features = feature_set(rng.normal(size=(n, p)), arm, block, age=rng.normal(40, 9, n))
    ratings = features["y"].to_pandas()[["e0"]].rename(columns={"e0": "mood"})
    ratings["sleep"] = np.tile([0.0, 1.0, 2.0], n // 3)
    spec = bm.SharedSpecificSpec(
        n_factors=2,
        covariates=("age",),
        symptoms=("mood",),
        ordinal_symptoms=("sleep",),
        symptom_links="by_arm",
        feature_noise="student",
    )
    data = prepare(spec, features, ratings)
    raw = raw_draws(rng, {**model_sizes(data), "factor": 2})
    idata = assemble(spec, data, raw, bm.SamplerSpec(loading_draws=4))
    assert check_schema(idata, SCHEMA) == []
    drawn = {v.name for v in DRAWN}
    assert drawn <= set(idata["posterior"].data_vars)
    assert {"noise_df", "symptom_noise", "symptom_spread"} <= set(idata["invariants"].data_vars)
    assert "noise" in idata["loadings"]
    assert idata["posterior"]["symptom_weight_by_arm"].attrs["units_ordinal"].startswith("log-odds")


def model_sizes(data):
    """Sizes of all dimensions of the posterior but those of draws and factors."""
    named = {
        "subject": data.subjects, "arm": data.arms, "block": data.stats.blocks,
        **symptom_coords(data),
    }  # fmt: skip
    return {dim: len(names) for dim, names in named.items()}


def raw_draws(rng, sizes):
    """What a sampler returns: all variables that are drawn, but the arm means."""
    posterior = {}
    for variable in DRAWN:
        if variable.name != "arm_mean":
            shape = tuple(DRAWS[variable.dims.index(d)] if d in ("chain", "draw") else sizes[d]
                          for d in variable.dims)  # fmt: skip
            posterior[variable.name] = (variable.dims, rng.gamma(2.0, size=shape))
    posterior["sharing"] = (
        ("chain", "draw", "factor", "arm"),
        rng.dirichlet(np.ones(sizes["arm"]), size=(*DRAWS, sizes["factor"])),
    )
    stats = xr.Dataset({"diverging": (("chain", "draw"), np.zeros(DRAWS, dtype=bool))})
    return xr.DataTree.from_dict({"posterior": xr.Dataset(posterior), "sample_stats": stats})
