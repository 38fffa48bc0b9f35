"""The sampled graph is the generative model in other coordinates, with its symmetries."""

import numpy as np
import pymc as pm
import pytest
from scipy.stats import norm

from bayes_mdd.shared_specific.data.prepare import prepare
from bayes_mdd.shared_specific.graph.model import build_generative, build_shared_specific
from bayes_mdd.shared_specific.prior.arms import fixed_sharing, mean_variance
from bayes_mdd.specs import SharedSpecificSpec

pytestmark = pytest.mark.usefixtures("interpreted")


def random_point(model, rng, spread=0.7):
    return {
        name: np.asarray(rng.normal(0.0, spread, size=np.shape(value)))
        for name, value in model.initial_point().items()
    }


# One posterior in two sets of coordinates.


def softmax_pair(x):
    """Sharing from PyMC's unconstrained coordinate, shape (factor, arm)."""
    full = np.concatenate([x, -x.sum(axis=-1, keepdims=True)], axis=-1)
    e = np.exp(full)
    return e / e.sum(axis=-1, keepdims=True)


class Map:
    """Sampling coordinates of one factor to (standard scores, log length, log local scale).

    Written out on its own so that it takes complex numbers: complex steps differentiate it to
    machine precision.
    """

    def __init__(self, ratio, stats, scale, arm, mean_variance):
        """`ratio` and `mean_variance` by arm, `arm` by subject."""
        size, self.basis, self.rotation = stats.block_size, stats.basis, stats.rotation
        self.ratio, self.size, self.scale, self.arm = ratio[arm], size, scale, arm
        n_arm = np.bincount(arm)
        self.same = (arm[:, None] == arm) / n_arm[arm]
        self.along = self.ratio + (n_arm * mean_variance)[arm]

    def power(self, across, along, x, exponent):
        """The covariance of each arm written out as a matrix, and its power by its eigenvectors."""
        mean = self.same @ x
        return across**exponent * (x - mean) + along**exponent * mean

    def __call__(self, x):
        n = self.ratio.size
        log_radius, log_strength = x[n], x[n + 1 :]
        raw = self.rotation @ x[:n]
        left = 1 / (np.exp(2 * log_strength) * self.size).sum()
        v, v_along = ((r + left) / (1 + left) for r in (self.ratio, self.along))
        direction = self.power(v, v_along, raw, -0.5)
        f = np.exp(log_radius) * direction / np.sqrt((direction**2).mean())
        h = self.power(self.ratio, self.along, f, 0.5)
        log_rms = 0.5 * np.log(((self.basis.T @ h) ** 2).sum() / n)
        log_length = 0.5 * np.log((x[: self.basis.shape[1]] ** 2).sum() / n)
        return np.concatenate([f, [log_length], log_strength - log_rms - np.log(self.scale)])

    def log_det(self, x, step=1e-30):
        jacobian = [self(x + 1j * step * e).imag / step for e in np.eye(x.size)]
        return np.linalg.slogdet(np.array(jacobian))[1]

    def length_density(self, x):
        """What the sampling graph adds: a log length that nothing depends on."""
        n = self.ratio.size
        left = 1 / (np.exp(2 * x[n + 1 :]) * self.size).sum()
        return norm.logpdf(self(x)[n], 0.0, np.sqrt(left / (1 + left) / n))


def cohort(feature_set, n, arms, n_features=(3, 2), seed=0):
    rng = np.random.default_rng(seed)
    block = np.repeat(["A-A", "A-B", "B-B"][: len(n_features)], n_features)
    arm = (list(arms) * n)[:n]
    return feature_set(rng.normal(size=(n, block.size)), arm, block)


CASES = {
    # The smallest that `prepare` takes: three subjects an arm.
    "two arms": ({"n_factors": 1}, 6, ("a", "b")),
    "one arm": ({"n_factors": 1}, 5, ("a",)),
    "three arms": ({"n_factors": 2}, 9, ("a", "b", "c")),
    "fixed sharing": ({"sharing": {"shared": 1, "a": 1, "b": 1}}, 7, ("a", "b")),
    "two factors, other scales": (
        {"n_factors": 2, "local_df": 1.5, "factor_scale": 0.2, "slab_scale": 0.7},
        6,
        ("a", "b"),
    ),
    "no arm means": ({"n_factors": 1, "mean_scale": 0.0}, 6, ("a", "b")),
    "controls as an arm": ({"n_factors": 1, "mean_scale": 1.5}, 6, ("HC", "b")),
    "noise by feature": ({"n_factors": 1, "feature_noise": "student"}, 6, ("a", "b")),
    "known degrees of freedom": (
        {"n_factors": 2, "feature_noise": "student", "noise_df": 3.0},
        6,
        ("a", "b"),
    ),
    "symptom": ({"n_factors": 2, "symptoms": ("sleep",)}, 8, ("a", "b")),
    "item by arm": (
        {"n_factors": 1, "ordinal_symptoms": ("item",), "symptom_links": "by_arm"},
        8,
        ("a", "b"),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_sampling_graph_is_the_generative_model(name, feature_set, at_point):
    """log p_sampling = log p_generative + log p(length) + log |Jacobian| + constant."""
    settings, n, arms = CASES[name]
    spec = SharedSpecificSpec(**settings)
    features = cohort(feature_set, n, arms)
    symptoms = features["y"].to_pandas().iloc[:, :1].set_axis(["sleep"], axis=1) ** 2
    symptoms["item"] = np.arange(n) % 3
    data = prepare(spec, features, symptoms)
    sampled, plain = build_shared_specific(spec, data), build_generative(spec, data)
    sampled_at = at_point(sampled, sampled.logp(), sampled["scores"], sampled["block_scale"])
    plain_at = at_point(plain, plain.logp(), plain["scores"], plain["block_scale"])
    rng = np.random.default_rng(4)
    pattern = fixed_sharing(spec, data.arms)
    differences, values = [], []
    plain_names = list(plain.initial_point())
    for _ in range(20):
        here = random_point(sampled, rng)
        sharing = pattern if pattern is not None else softmax_pair(here["sharing_simplex__"])
        ratio = len(data.arms) * sharing.T
        there = {k: x for k, x in here.items() if k in plain_names}
        f, z, added = [], [], 0.0
        for k in range(spec.n_factors):
            to = Map(
                ratio[:, k],
                data.stats,
                np.exp(here["factor_scale_log__"][k]),
                data.arm,
                mean_variance(spec, data.arms)[:, k],
            )
            x = np.concatenate(
                [
                    here["raw_scores"][:, k],
                    here["log_radius"][[k]],
                    here["log_strength"][:, k],
                ]
            )
            out = to(x)
            f.append(out[:n])
            z.append(out[n + 1 :])
            added += to.length_density(x) + to.log_det(x)
        there["standard_scores"] = np.stack(f, axis=1)
        there["local_scale_log__"] = np.stack(z, axis=1)
        value, scores, tau = sampled_at(here)
        expected, plain_scores, plain_tau = plain_at(there)
        np.testing.assert_allclose(scores, plain_scores, rtol=1e-9)
        np.testing.assert_allclose(tau, plain_tau, rtol=1e-9)
        values.append(float(value))
        differences.append(float(value) - float(expected) - added)
    assert np.std(values) > 1.0
    np.testing.assert_allclose(differences, differences[0], rtol=0, atol=1e-6)


def test_both_graphs_name_the_same_axes(feature_set):
    spec = SharedSpecificSpec(n_factors=2)
    data = prepare(spec, cohort(feature_set, 6, ("a", "b")))
    for build in (build_generative, build_shared_specific):
        model = build(spec, data)
        assert {k: list(v) for k, v in model.coords.items()} == {
            "subject": data.subjects,
            "factor": ["F1", "F2"],
            "arm": ["a", "b"],
            "block": ["A-A", "A-B"],
        }
        assert model.named_vars_to_dims["sharing"] == ("factor", "arm")
        assert model.named_vars_to_dims["block_scale"] == ("block", "factor")
        assert model.named_vars_to_dims["scores"] == ("subject", "factor")
        assert [v.name for v in model.observed_RVs] == ["features"]


def test_fixed_sharing_is_the_pattern_of_the_spec():
    spec = SharedSpecificSpec(sharing={"shared": 1, "SSRI": 2, "SNRI": 1})
    np.testing.assert_array_equal(
        fixed_sharing(spec, ("SNRI", "SSRI")), [[0.5, 0.5], [1, 0], [0, 1], [0, 1]]
    )
    learned = SharedSpecificSpec(n_factors=2)
    assert fixed_sharing(learned, ("SNRI", "SSRI")) is None
    np.testing.assert_array_equal(fixed_sharing(learned, ("SSRI",)), [[1], [1]])


def test_a_factor_of_one_arm_has_no_scores_in_the_other(feature_set, at_point):
    spec = SharedSpecificSpec(sharing={"shared": 1, "b": 1})
    data = prepare(spec, cohort(feature_set, 8, ("a", "b")))
    for build in (build_generative, build_shared_specific):
        model = build(spec, data)
        point = random_point(model, np.random.default_rng(0))
        (scores,) = at_point(model, model["scores"])(point)
        np.testing.assert_array_equal(scores[data.arm == 0, 1], 0.0)
        assert (scores[data.arm == 1] != 0).all() and (scores[:, 0] != 0).all()


# Symmetries, shown on the graph that is sampled.


def logp_of(spec, features, at_point):
    data = prepare(spec, features)
    model = build_shared_specific(spec, data)
    return data, model, at_point(model, model.logp())


@pytest.fixture(scope="module")
def uneven(feature_set):
    return cohort(feature_set, 10, ("a", "b", "a"), n_features=(4, 1, 6), seed=2)


def test_order_of_subjects_features_and_blocks_does_not_matter(uneven, at_point):
    spec = SharedSpecificSpec(n_factors=3)
    rng = np.random.default_rng(6)
    subjects, columns = rng.permutation(10), rng.permutation(11)
    shuffled = uneven.isel(subject=subjects, feature=columns)
    data, model, logp = logp_of(spec, uneven, at_point)
    new_data, _, new_logp = logp_of(spec, shuffled, at_point)
    to_old = [data.stats.blocks.index(b) for b in new_data.stats.blocks]
    assert to_old != [0, 1, 2]
    for _ in range(3):
        point = random_point(model, rng)
        moved = point | {
            "raw_scores": new_data.stats.rotation.T
            @ (data.stats.rotation @ point["raw_scores"])[subjects],
            "log_strength": point["log_strength"][to_old],
            "noise_log__": point["noise_log__"][to_old],
        }
        assert new_logp(moved)[0] == pytest.approx(float(logp(point)[0]), rel=1e-10)
        wrong = moved | {"log_strength": point["log_strength"]}
        assert abs(float(new_logp(wrong)[0]) - float(logp(point)[0])) > 1e-3


def test_swapping_the_labels_of_arms_mirrors_the_density(uneven, at_point):
    spec = SharedSpecificSpec(n_factors=2)
    swapped = uneven.assign_coords(
        arm=("subject", np.where(uneven["arm"].values == "a", "b", "a").astype(object))
    )
    _, model, logp = logp_of(spec, uneven, at_point)
    _, _, mirrored = logp_of(spec, swapped, at_point)
    rng = np.random.default_rng(7)
    for _ in range(3):
        point = random_point(model, rng)
        # With two arms PyMC's coordinate of a share changes sign.
        mirror = point | {"sharing_simplex__": -point["sharing_simplex__"]}
        assert mirrored(mirror)[0] == pytest.approx(float(logp(point)[0]), rel=1e-10)
        assert abs(float(mirrored(point)[0]) - float(logp(point)[0])) > 1e-3


def test_order_and_sign_of_factors_do_not_matter(uneven, at_point):
    spec = SharedSpecificSpec(n_factors=3)
    _, model, logp = logp_of(spec, uneven, at_point)
    point = random_point(model, np.random.default_rng(8))
    order, sign = [2, 0, 1], np.array([1.0, -1.0, -1.0])
    moved = point | {
        "raw_scores": (point["raw_scores"] * sign)[:, order],
        "log_strength": point["log_strength"][:, order],
        "log_radius": point["log_radius"][order],
        "factor_scale_log__": point["factor_scale_log__"][order],
        "sharing_simplex__": point["sharing_simplex__"][order],
    }
    assert logp(moved)[0] == pytest.approx(float(logp(point)[0]), rel=1e-10)


# Draws from the prior.


def test_prior_predictive_draws_are_cross_products(uneven):
    spec = SharedSpecificSpec(n_factors=2)
    data = prepare(spec, uneven)
    with build_generative(spec, data):
        draws = pm.sample_prior_predictive(draws=5, random_seed=1)
    cross = draws["prior_predictive"]["features"].values[0]
    n = data.stats.basis.shape[1]
    assert cross.shape == (5, 3, n, n)
    np.testing.assert_allclose(cross, np.swapaxes(cross, -1, -2), rtol=1e-12)
    values = np.linalg.eigvalsh(cross)
    assert (values > -1e-9 * values.max(axis=-1, keepdims=True)).all()
    # A block of p features has cross-products of rank p.
    rank = (values > 1e-9 * values.max(axis=-1, keepdims=True)).sum(axis=-1)
    np.testing.assert_array_equal(rank, np.broadcast_to([4, 1, 6], (5, 3)))
    np.testing.assert_allclose(draws["prior"]["sharing"].sum("arm"), 1.0)


def test_predictive_spread_is_that_of_the_model(uneven):
    """Mean cross-products at fixed parameters: P_b sigma_b^2 (I + H D_b^2 H')."""
    from bayes_mdd.shared_specific.graph.observed import _random

    data = prepare(SharedSpecificSpec(n_factors=2), uneven)
    rng = np.random.default_rng(3)
    n = data.stats.basis.shape[1]
    scores, tau = rng.normal(size=(n, 2)), rng.uniform(0.2, 1.0, size=(3, 2))
    noise = np.array([0.5, 1.0, 2.0])
    draw = _random(data.stats)
    mean = np.mean([draw(scores, tau, noise, rng=rng) for _ in range(4000)], axis=0)
    for b, size in enumerate(data.stats.block_size):
        expected = size * noise[b] ** 2 * (np.eye(n) + (scores * tau[b] ** 2) @ scores.T)
        assert np.abs(mean[b] - expected).max() < 0.1 * np.abs(expected).max()


def test_gradient_of_the_sampling_graph(uneven, at_point):
    spec = SharedSpecificSpec(n_factors=2)
    model = build_shared_specific(spec, prepare(spec, uneven))
    evaluate = at_point(model, model.logp(), model.dlogp())
    rng = np.random.default_rng(9)
    point = random_point(model, rng)
    direction = {k: rng.normal(size=v.shape) for k, v in point.items()}

    def logp(t):
        return float(evaluate({k: v + t * direction[k] for k, v in point.items()})[0])

    along = np.concatenate([direction[v.name].ravel() for v in model.value_vars])
    assert model.value_vars == [model.rvs_to_values[v] for v in model.free_RVs]
    slope = (8 * (logp(1e-3) - logp(-1e-3)) - (logp(2e-3) - logp(-2e-3))) / 12e-3
    assert evaluate(point)[1] @ along == pytest.approx(slope, rel=1e-6)
