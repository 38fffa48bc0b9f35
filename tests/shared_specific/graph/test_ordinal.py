"""Ordinal symptoms: the cumulative logit, its prior, missing ratings, and links by arm."""

import numpy as np
import pandas as pd
import pymc as pm
import pytest
from scipy.special import expit
from scipy.stats import norm

from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.shared_specific.data.prepare import prepare
from bayes_mdd.shared_specific.data.ratings import LOGISTIC_SD, arm_contrasts
from bayes_mdd.shared_specific.graph.model import build_generative, build_shared_specific
from bayes_mdd.shared_specific.graph.ordinal import observe_levels
from bayes_mdd.specs import SharedSpecificSpec

pytestmark = pytest.mark.usefixtures("interpreted")

N = 18
SPEC = {"n_factors": 2, "symptoms": ("mood",), "ordinal_symptoms": ("sleep", "guilt")}


@pytest.fixture
def rated(feature_set):
    """Two arms with a covariate, one dimension and two items; one subject lacks ``sleep``."""
    rng = np.random.default_rng(1)
    y = rng.normal(size=(N, 7))
    features = feature_set(y, ["a", "b"] * (N // 2), ["A-A"] * 3 + ["A-B"] * 4)
    features = features.assign_coords(age=("subject", rng.normal(size=N)))
    table = pd.DataFrame(
        {
            "mood": rng.normal(size=N),
            "sleep": rng.permutation(np.resize([0.0, 1.0, 3.0], N)),
            "guilt": rng.permutation(np.resize([1.0, 2.0], N)),
        },
        index=features["subject"].values,
    )
    table.loc["sub-04", "sleep"] = np.nan
    return features, table


def a_point(model, seed=3):
    rng = np.random.default_rng(seed)
    return {k: rng.normal(0, 0.7, size=np.shape(v)) for k, v in model.initial_point().items()}


def level_logp(level, position, cuts):
    """Log-probability of ratings from their definition."""
    edges = np.concatenate([[-np.inf], cuts, [np.inf]])
    return np.log(expit(edges[level + 1] - position) - expit(edges[level] - position))


def test_levels_have_the_probabilities_of_a_cumulative_logit(at_point):
    item, n_cuts = np.array([0, 0, 1, 0, 1, 0]), np.array([3, 1])
    level = np.array([0, 1, 0, 2, 1, 3])
    position, cuts = np.array([0.3, -1.0, 2.0, 0.0, -0.5, 4.0]), np.array([-1.0, 0.2, 2.5, 0.7])
    with pm.Model() as model:
        eta = pm.Normal("eta", shape=6)
        cut = pm.Normal("cut", shape=4)
        rv = observe_levels("y", eta, cut, item=item, n_cuts=n_cuts, level=level)
    parts = model.logp(vars=[rv], sum=False)[0]
    (found,) = at_point(model, parts)({"eta": position, "cut": cuts})
    of_item = (cuts[:3], cuts[3:])
    expected = [level_logp(c, x, of_item[j]) for c, x, j in zip(level, position, item, strict=True)]
    np.testing.assert_allclose(np.ravel(found), expected, rtol=1e-10)
    # In the tails a difference of probabilities would be 0 and its logarithm infinite.
    far = {"eta": np.full(6, -800.0), "cut": cuts}
    (tail,) = at_point(model, parts)(far)
    assert np.ravel(tail)[3] == pytest.approx(np.log1p(-np.exp(-2.3)) - 800.2, rel=1e-6)


def test_drawn_levels_have_these_probabilities():
    n_cuts, n = np.array([1, 2]), 4000
    item = np.repeat([0, 1], n)
    with pm.Model():
        rv = observe_levels(
            "y",
            np.repeat([0.4, -0.3], n),
            np.array([0.0, -0.5, 1.0]),
            item=item,
            n_cuts=n_cuts,
            level=np.zeros(2 * n, dtype=int),
        )
    drawn = np.ravel(pm.draw(rv, random_seed=1))
    for j, (position, cuts) in enumerate([(0.4, [0.0]), (-0.3, [-0.5, 1.0])]):
        share = np.bincount(drawn[item == j], minlength=len(cuts) + 1) / n
        expected = np.exp(level_logp(np.arange(len(cuts) + 1), position, cuts))
        np.testing.assert_allclose(share, expected, atol=4 * 0.5 / np.sqrt(n))


@pytest.mark.parametrize(
    ("links", "build"), [("common", build_generative), ("by_arm", build_shared_specific)]
)
def test_items_are_linked_as_the_model_says(rated, at_point, links, build):
    features, table = rated
    spec = SharedSpecificSpec(**SPEC, covariates=("age",), symptom_links=links)
    data = prepare(spec, features, table)
    model = build(spec, data)
    names = ["scores", "symptom_weight", "symptom_cutpoint", "symptom_covariate", "block_scale"]
    names += ["symptom_weight_by_arm"] if links == "by_arm" else []
    rv = model["item_ratings"]
    evaluate = at_point(model, model.logp(vars=[rv]), *(model[n] for n in names))
    point = a_point(model)
    logp, scores, weight, cuts, effect, *rest = evaluate(point)
    by_arm = rest[1] if links == "by_arm" else np.stack([weight, weight])
    if links == "by_arm":
        np.testing.assert_allclose(by_arm.mean(axis=0), weight, rtol=1e-9)
        assert np.abs(by_arm[0] - by_arm[1]).min() > 1e-6
    x = data.symptom_design.to_numpy()[:, 1:]
    x = x - x.mean(axis=0)
    assert x.shape[1] == (2 if links == "by_arm" else 1)
    expected = 0.0
    for j, (name, values, of_item) in enumerate(
        [("sleep", [0, 1, 3], cuts[:2]), ("guilt", [1, 2], cuts[2:])]
    ):
        for i, score in enumerate(table[name]):
            if np.isfinite(score):
                eta = scores[i] @ by_arm[data.arm[i], :, 1 + j] + x[i] @ effect[j]
                expected += level_logp(values.index(score), eta, of_item)
    assert float(logp) == pytest.approx(expected, rel=1e-9)
    # The dimension, given the same scores.
    s, noise = data.symptoms[0], np.exp(point["dimension_noise_log__"][0])
    mean = (scores * by_arm[data.arm, :, 0]).sum(axis=1)
    found = at_point(model, model.logp(vars=[model["rating_mood"]], jacobian=False))(point)[0]
    expected = norm.logpdf(s.value, s.basis.T @ mean[s.rated], noise).sum()
    assert float(found) == pytest.approx(expected, rel=1e-9)


def test_weights_share_one_prior_in_units_of_the_residual(rated, at_point):
    features, table = rated
    spec = SharedSpecificSpec(**SPEC)
    model = build_generative(spec, prepare(spec, features, table))
    point = a_point(model)
    for name in ("symptom_raw", "symptom_local_log__"):
        point[name] = np.broadcast_to(point[name][:, :1], point[name].shape)
    weight, noise = at_point(model, model["symptom_weight"], model["symptom_noise"])(point)
    np.testing.assert_allclose(weight[:, 1:], LOGISTIC_SD * weight[:, [0, 0]])

    np.testing.assert_allclose(noise[1:], 1.8138, atol=1e-4)


def test_shares_of_levels_are_flat_a_priori(rated):
    """Of a Dirichlet(1, 1, 1): mean 1/3 and variance 1/18 of each of three shares."""
    features, table = rated
    spec = SharedSpecificSpec(**SPEC)
    model = build_generative(spec, prepare(spec, features, table))
    cuts = pm.draw(model["symptom_cutpoint"], draws=4000, random_seed=2)
    assert cuts.shape == (4000, 3)
    edges = np.column_stack([np.zeros(4000), expit(cuts[:, :2]), np.ones(4000)])
    share = np.diff(edges, axis=1)
    assert (share > 0).all()
    np.testing.assert_allclose(share.mean(axis=0), 1 / 3, atol=0.015)
    np.testing.assert_allclose(share.var(axis=0), 1 / 18, atol=0.005)


def test_a_missing_rating_is_left_out_and_nothing_else(rated, at_point):
    """The density with the rating is that without it plus the log-probability of the rating."""
    features, table = rated
    spec = SharedSpecificSpec(**SPEC)
    whole = table.fillna({"sleep": 1.0})
    names = ["scores", "symptom_weight", "symptom_cutpoint"]
    found = {}
    for kind, ratings in {"without": table, "with": whole}.items():
        data = prepare(spec, features, ratings)
        assert len(data.subjects) == N and not data.excluded
        model = build_generative(spec, data)
        found[kind] = at_point(model, model.logp(), *(model[n] for n in names))(a_point(model))
    logp, scores, weight, cuts = found["without"]
    added = level_logp(1, scores[4] @ weight[:, 1], cuts[:2])
    assert float(found["with"][0]) - float(logp) == pytest.approx(added, rel=1e-7)


def test_swapping_arms_mirrors_links_by_arm(rated, at_point):
    features, table = rated
    spec = SharedSpecificSpec(**SPEC, symptom_links="by_arm")
    other = features.assign_coords(
        arm=("subject", np.where(features["arm"].values == "a", "b", "a").astype(object))
    )
    model = build_generative(spec, prepare(spec, features, table))
    mirror = build_generative(spec, prepare(spec, other, table))
    point = a_point(model)
    turned = point | {k: -point[k] for k in ("sharing_simplex__", "symptom_arm_raw")}
    turned["symptom_covariate"] = -point["symptom_covariate"]
    here = float(at_point(model, model.logp())(point)[0])
    there = at_point(mirror, mirror.logp())
    assert float(there(turned)[0]) == pytest.approx(here, rel=1e-9)
    assert abs(float(there(point)[0]) - here) > 1e-3


def test_contrasts_treat_arms_alike():
    for n in (2, 3, 5):
        spread = arm_contrasts(n) @ arm_contrasts(n).T
        np.testing.assert_allclose(np.diag(spread), 1.0)
        np.testing.assert_allclose(spread[~np.eye(n, dtype=bool)], -1 / (n - 1))


def test_prior_predictive_ratings_are_levels(rated):
    features, table = rated
    spec = SharedSpecificSpec(**SPEC)
    data = prepare(spec, features, table)
    with build_generative(spec, data):
        drawn = pm.sample_prior_predictive(draws=20, random_seed=1)
    level = drawn["prior_predictive"]["item_ratings"].values[0]
    assert level.shape == (20, N - 1 + N)
    assert set(np.unique(level[:, : N - 1])) == {0, 1, 2}
    assert set(np.unique(level[:, N - 1 :])) == {0, 1}


def test_what_is_no_item_is_refused_in_one_error(rated):
    features, table = rated
    table = table.assign(
        half=np.where(np.arange(N) == 2, 1.5, table["guilt"]), total=np.arange(N) * 1.0, none=1.0
    )
    spec = SharedSpecificSpec(n_factors=2, ordinal_symptoms=("half", "total", "none"))
    with pytest.raises(DataContractError) as error:
        prepare(spec, features, table)
    half, total, none = error.value.problems
    assert "'half' is not a whole number for sub-02" in half
    assert "'total' has 18 different scores, more than 10" in total
    assert "'none'" in none and "SD is 0" in none
    with pytest.raises(DataContractError, match=r"join\(cohort.item_scores\)"):
        prepare(SharedSpecificSpec(ordinal_symptoms=("hamd17_1",)), features, table)


def test_specs_that_do_not_suit_the_data(rated, feature_set):
    with pytest.raises(SpecError, match="symptoms and ordinal_symptoms both list sleep"):
        SharedSpecificSpec(symptoms=("sleep",), ordinal_symptoms=("sleep",))
    with pytest.raises(SpecError, match="symptom_links must be one of"):
        SharedSpecificSpec(symptom_links="per_arm")
    features, table = rated
    single = features.assign_coords(arm=("subject", np.full(N, "a", dtype=object)))
    with pytest.raises(SpecError, match="all participants are in arm a"):
        prepare(SharedSpecificSpec(**SPEC, symptom_links="by_arm"), single, table)
