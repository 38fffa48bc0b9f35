"""The compiled density equals that of the generative graph."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from bayes_mdd.shared_specific.data.prepare import prepare
from bayes_mdd.shared_specific.density.curvature import find_mode, hessian
from bayes_mdd.shared_specific.density.density import (
    first_point,
    guess_score_variance,
    make_density,
)
from bayes_mdd.shared_specific.graph.model import build_generative
from bayes_mdd.shared_specific.start.spectral import Start
from bayes_mdd.specs import SharedSpecificSpec

pytestmark = pytest.mark.usefixtures("interpreted")

SIZES = (7, 1, 4)


@pytest.fixture(scope="module")
def cohort(feature_set):
    def make(arms, n=9, seed=0):
        rng = np.random.default_rng(seed)
        return feature_set(
            rng.normal(size=(n, sum(SIZES))), np.resize(arms, n), np.repeat(["a", "b", "c"], SIZES)
        )

    return make


def symptoms_of(features, n_missing=1):
    rng = np.random.default_rng(5)
    n = features.sizes["subject"]
    table = pd.DataFrame(rng.normal(size=(n, 2)), features["subject"].values, ["u", "v"])
    table.iloc[:n_missing, 1] = np.nan
    return table


def random_point(density, rng):
    return 0.7 * rng.normal(size=density.size)


def arm_power(density, data, sharing, column, power, left=None):
    """A power of the covariance of one factor's scores, or of that of its raw scores."""
    arms, n = len(data.arms), len(data.arm)
    root = np.zeros((n, n))
    for a in range(arms):
        at = np.flatnonzero(data.arm == a)
        across = arms * sharing[a]
        along = across + at.size * density.inputs.mean_variance[a, column]
        if left is not None:
            across, along = ((c + left) / (1 + left) for c in (across, along))
        mean = np.full((at.size, at.size), 1 / at.size)
        inside = (np.eye(at.size) - mean) * across**power + mean * along**power
        root[np.ix_(at, at)] = inside
    return root


def to_standard(turned, log_radius, root, n_seen):
    """Standard scores and log length of what is seen of raw ones; takes complex numbers."""
    direction = root @ turned
    f = np.exp(log_radius) * direction / np.sqrt((direction**2).mean())
    return np.append(f, 0.5 * np.log((turned[:n_seen] ** 2).sum() / turned.size))


def log_det(raw, log_radius, root, n_seen, step=1e-30):
    """Log determinant of the Jacobian of `to_standard`, to rounding."""
    n = raw.size
    columns = [
        to_standard(raw + 1j * step * e[:n], log_radius + 1j * step * e[n], root, n_seen).imag
        / step
        for e in np.eye(n + 1)
    ]
    return np.linalg.slogdet(np.array(columns))[1]


def of_graph(density, data, x, at_graph):
    """The density of the graph at the same place, in the coordinates of `density`."""
    parts = density.split(x)
    out = density.outcome(x[None], np.random.default_rng(0))
    n, n_seen = data.stats.basis.shape
    seen = data.stats.rotation[:, :n_seen]
    rms = np.sqrt(((seen.T @ out["scores"][0]) ** 2).sum(axis=0) / n)
    log_raw_tau = parts["log_strength"] - np.log(rms)
    point = {name: value for name, value in parts.items() if name != "raw_scores"}
    standard, extra = np.empty(parts["raw_scores"].shape), 0.0
    for k, (raw, radius) in enumerate(zip(parts["raw_scores"].T, parts["log_radius"], strict=True)):
        sharing, left = out["sharing"][0, k], density.inputs.score_variance[k]
        root = arm_power(density, data, sharing, k, -0.5, left) @ density.inputs.rotation
        *standard[:, k], length = to_standard(raw, radius, root, n_seen)
        np.testing.assert_allclose(
            arm_power(density, data, sharing, k, 0.5) @ standard[:, k], out["scores"][0, :, k]
        )
        extra += norm.logpdf(length, 0, np.sqrt(left / (1 + left) / n))
        extra += log_det(raw, radius, root, n_seen)
    point["standard_scores"] = standard
    point["local_scale_log__"] = log_raw_tau - parts["factor_scale_log__"]
    if data.symptoms:
        # The name that the residual SD of dimensions has where items have one of their own.
        point["dimension_noise_log__"] = point["symptom_noise_log__"]
        point["symptom_raw"] = np.full(parts["symptom_local_log__"].shape, 0.3)
        extra -= weights_given_the_rest(density, data, x, point["symptom_raw"])
    return at_graph(point)[0] + extra


def weights_given_the_rest(density, data, x, raw):
    """Log density of raw symptom weights given all else, from first principles."""
    parts, total = density.split(x), 0.0
    out = density.outcome(x[None], np.random.default_rng(0))
    information = (out["block_scale"][0] ** 2 * data.stats.block_size[:, None]).sum(axis=0)
    scale = np.exp(parts["symptom_local_log__"] + parts["symptom_global_log__"])
    sd = scale / np.sqrt(1 + scale**2) * (information / (1 + information))[:, None]
    for d, symptom in enumerate(data.symptoms):
        g = symptom.basis.T @ out["scores"][0][symptom.rated] * sd[:, d]
        noise = np.exp(parts["symptom_noise_log__"][d])
        precision = np.eye(len(sd)) + g.T @ g / noise**2
        off = raw[:, d] - np.linalg.solve(precision, g.T @ symptom.value / noise**2)
        total += 0.5 * (np.linalg.slogdet(precision)[1] - off @ precision @ off)
    return total


CASES = {
    "two arms": (["x", "y", "x"], {"n_factors": 2}),
    "three arms": (["x", "y", "z"], {"n_factors": 2}),
    "one arm": (["x"], {"n_factors": 2}),
    "fixed": (["x", "y"], {"sharing": {"shared": 2}}),
    "symptoms": (["x", "y"], {"n_factors": 2, "symptoms": ("u", "v")}),
    "weighted": (["x", "y"], {"n_factors": 2, "feature_dependence": "weighted"}),
    "noise scales of subjects": (["x", "y"], {"n_factors": 2, "symptoms": ("u", "v")}),
}


def data_of(case, cohort, spec, arms):
    features = cohort(arms)
    data = prepare(spec, features, symptoms_of(features) if spec.symptoms else None)
    if case != "noise scales of subjects":
        return data
    return data.with_scale(np.random.default_rng(6).uniform(0.4, 1.8, len(data.arm)))


@pytest.fixture
def fraction(monkeypatch):
    """A weight that leaves blocks a fraction of a feature, which chance would not."""
    monkeypatch.setattr("bayes_mdd.shared_specific.data.model_data.feature_weight", lambda *_: 0.37)


@pytest.mark.parametrize("case", CASES)
def test_density_is_that_of_the_graph(case, cohort, at_point, fraction):
    arms, options = CASES[case]
    spec = SharedSpecificSpec(**{"feature_dependence": "independent"} | options)
    data = data_of(case, cohort, spec, arms)
    assert data.weight == (0.37 if case == "weighted" else 1.0)
    density = make_density(spec, data, np.linspace(0.02, 0.6, spec.n_factors))
    model = build_generative(spec, data)
    at_graph = at_point(model, model.logp())
    rng = np.random.default_rng(1)
    points = [random_point(density, rng) for _ in range(4)]
    values = np.array([density(x)[0] for x in points])
    difference = values - [of_graph(density, data, x, at_graph) for x in points]
    assert values.std() > 1.0
    np.testing.assert_allclose(difference, difference[0], rtol=0, atol=1e-8)


@pytest.mark.parametrize("case", [*CASES, "means", "specific"])
def test_gradient(case, cohort):
    arms, options = CASES.get(case, (["x", "y"], {"sharing": {"shared": 1, "x": 1}}))
    spec = SharedSpecificSpec(**{"feature_dependence": "independent"} | options)
    data = data_of(case, cohort, spec, arms)
    density = make_density(spec, data, 0.2)
    if case == "means":
        density.inputs.mean_variance[:] = 0.3
    rng = np.random.default_rng(2)
    for _ in range(2):
        x = random_point(density, rng)
        gradient = density(x)[1]

        def along(e, t, x=x):
            return density(x + t * e)[0]

        slope = [
            (8 * (along(e, 1e-3) - along(e, -1e-3)) - (along(e, 2e-3) - along(e, -2e-3))) / 12e-3
            for e in np.eye(density.size)
        ]
        np.testing.assert_allclose(gradient, slope, rtol=1e-6, atol=1e-6 * abs(gradient).max())


def test_a_point_out_of_range_has_no_mass(cohort):
    spec = SharedSpecificSpec(n_factors=1)
    density = make_density(spec, prepare(spec, cohort(["x", "y"])))
    value, gradient = density(np.full(density.size, 800.0))
    assert value == -np.inf and not gradient.any()


def test_mode_and_curvature(cohort):
    spec = SharedSpecificSpec(n_factors=1)
    data = prepare(spec, cohort(["x", "y"], n=16))
    rng = np.random.default_rng(3)
    start = Start(
        rng.normal(size=(16, 1)), np.full((3, 1), 0.4), np.full((1, 2), 0.5), np.ones(3), 1
    )
    density = make_density(spec, data, guess_score_variance(data, start))
    first = first_point(density, start)
    mode, height = find_mode(density, first)
    assert height > density(first)[0]
    assert np.abs(density(mode)[1]).max() < 1e-2
    second = hessian(density, mode)
    step = 1e-3 * rng.normal(size=density.size)
    np.testing.assert_allclose(
        density(mode + step)[1] - density(mode - step)[1], 2 * second @ step, atol=1e-5
    )


def test_weights_are_drawn_from_their_conditional(cohort):
    spec = SharedSpecificSpec(n_factors=2, symptoms=("u", "v"))
    features = cohort(["x", "y"])
    data = prepare(spec, features, symptoms_of(features))
    density = make_density(spec, data)
    x = random_point(density, np.random.default_rng(4))
    many = density.outcome(np.repeat(x[None], 20_000, axis=0), np.random.default_rng(5))
    parts, weight = density.split(x), many["symptom_weight"]
    information = (many["block_scale"][0] ** 2 * data.stats.block_size[:, None]).sum(axis=0)
    scale = np.exp(parts["symptom_local_log__"] + parts["symptom_global_log__"])
    sd = scale / np.sqrt(1 + scale**2) * (information / (1 + information))[:, None]
    for d, symptom in enumerate(data.symptoms):
        g = symptom.basis.T @ many["scores"][0][symptom.rated]
        noise = np.exp(parts["symptom_noise_log__"][d])
        cov = np.linalg.inv(np.diag(sd[:, d] ** -2) + g.T @ g / noise**2)
        mean = cov @ g.T @ symptom.value / noise**2
        error = np.sqrt(np.diag(cov) / len(weight))
        assert (np.abs(weight[:, :, d].mean(axis=0) - mean) < 5 * error).all()
        np.testing.assert_allclose(np.cov(weight[:, :, d].T), cov, atol=0.05 * np.abs(cov).max())
