"""Draws from the priors: the same as those of the graph, and read into a table."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

import bayes_mdd as bm
from bayes_mdd.errors import SpecError
from bayes_mdd.shared_specific.data.prepare import prepare
from bayes_mdd.shared_specific.graph.model import build_generative

SPEC = bm.SharedSpecificSpec(n_factors=3, symptoms=("retardation", "cognitive"))


@pytest.fixture(scope="module")
def cohort():
    return bm.simulate_cohort(seed=1, n_controls=0, n_regions=14, source="edges")


def drawn(cohort, spec=SPEC, **kwargs):
    tree = bm.prior_predictive(spec, cohort.features, symptoms=cohort.symptoms, **kwargs)
    return tree["prior"].to_dataset()


def test_shares_are_shares(cohort):
    prior = drawn(cohort, draws=1000)
    np.testing.assert_allclose(prior["sharing"].sum("arm"), 1)
    assert float(prior["explained"].min()) >= 0
    assert float(prior["explained"].sum("factor").max()) < 1
    # Symmetric in the arms, and sharing has the moments of its Dirichlet.
    assert float(prior["sharing"].isel(arm=0).mean()) == pytest.approx(0.5, abs=0.02)
    variance = 0.25 / (2 * 0.6 + 1)
    assert float(prior["sharing"].isel(arm=0).var()) == pytest.approx(variance, rel=0.05)
    assert float(prior["arm_mean"].std()) == pytest.approx(0.5, rel=0.05)
    assert float(prior["symptom_linked"].max()) <= 1


@pytest.mark.slow
def test_settings_move_what_they_are_meant_to(cohort):
    few, many = (drawn(cohort, replace(SPEC, factor_scale=s))["n_active"] for s in (0.001, 0.1))
    assert float(few.mean()) < 0.5 < 1.5 < float(many.mean())
    fixed = drawn(cohort, bm.SharedSpecificSpec(sharing={"shared": 1, "SSRI": 1}))
    assert fixed["sharing"].sel(arm="SNRI").isel(draw=0, chain=0).values.tolist() == [0.5, 0.0]
    assert float(fixed["explained"].sel(arm="SNRI").isel(factor=1).max()) == 0
    assert float(abs(fixed["arm_mean"].sel(arm="SNRI").isel(factor=1)).max()) == 0


def test_the_table_puts_draws_beside_plausible_ranges(cohort):
    tree = bm.prior_predictive(SPEC, cohort.features, symptoms=cohort.symptoms, draws=500)
    table = bm.summarise_prior(tree).set_index("quantity")
    known = table.dropna(subset="q50")
    assert (known["q05"] <= known["q50"]).all()
    assert (known["q50"] <= known["q95"]).all()
    assert known["p_plausible"].between(0, 1).all()
    part = tree["prior"]["sharing"] >= 0.10
    both = table.loc["P(a factor is shared by all arms)", "mean"]
    alone = table.loc["P(a factor is specific to some arm)", "mean"]
    assert both + alone == pytest.approx(1)
    assert both == pytest.approx(float(part.all("arm").mean()))
    used = table.loc["factors in use"]
    active = tree["prior"]["n_active"]
    assert used["plausible"] == "1 to 3"
    assert used["p_plausible"] == pytest.approx(float((active >= 1).mean()))
    one = bm.SharedSpecificSpec(n_factors=2)
    same_arm = cohort.features.isel(subject=cohort.features["arm"].values == "SSRI")
    names = bm.summarise_prior(bm.prior_predictive(one, same_arm, draws=200))["quantity"]
    assert not names.str.contains("shared|arm means|symptom").any()


def test_seed_and_refusals(cohort):
    first, again = (drawn(cohort, draws=100, seed=3) for _ in range(2))
    assert first.identical(again)
    assert not first.identical(drawn(cohort, draws=100, seed=4))
    with pytest.raises(SpecError, match="at least 100"):
        drawn(cohort, draws=10)


@pytest.mark.slow
@pytest.mark.parametrize("links", ["common", "by_arm"])
def test_draws_are_those_of_the_generative_graph(cohort, links):
    import pymc as pm

    spec = replace(SPEC, symptom_links=links, n_factors=2)
    data = prepare(spec, cohort.features, cohort.symptoms)
    with build_generative(spec, data) as model:
        names = ["sharing", "block_scale", "noise"]
        weight = "symptom_weight" if links == "common" else "symptom_weight_by_arm"
        graph = pm.draw([model[n] for n in (*names, weight)], draws=1500, random_seed=1)
    sharing, tau, noise, weights = graph
    size = data.stats.block_size
    rng = np.random.default_rng(0)
    squares = (noise[:, :, None] * tau) ** 2 * rng.chisquare(size[:, None], tau.shape)
    parts = 2 * sharing[:, :, 0] * squares.sum(axis=1)
    left = noise**2 @ size
    explained = parts / (parts.sum(axis=1) + left)[:, None]
    prior = drawn(cohort, spec, draws=1500).isel(chain=0)
    pairs = {
        "explained": (explained.sum(axis=1), prior["explained"].isel(arm=0).sum("factor")),
        "variance": (
            (parts.sum(axis=1) + left) / size.sum(),
            prior["feature_variance"].isel(arm=0),
        ),
        "sharing": (sharing[:, 0, 0], prior["sharing"].isel(arm=0, factor=0)),
        "weight": (
            (weights if links == "common" else weights[:, 0])[:, 0, 0],
            prior["symptom_weight"].isel(factor=0, symptom=0),
        ),
    }
    for name, (ours, theirs) in pairs.items():
        assert stats.ks_2samp(ours, np.asarray(theirs)).pvalue > 0.005, name
