"""Scores integrated out in closed form, against quadrature."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

import bayes_mdd as bm
from bayes_mdd.response.graph import Outcomes, build_response_graph
from bayes_mdd.response.mixture import Scales
from bayes_mdd.response.pointwise import log_likelihood
from bayes_mdd.response.prepare import Prepared, prepare

GRID = np.linspace(-12, 12, 60001)
CUT = np.array([-0.6, 0.7])


def trial_of(kind: str) -> Prepared:
    made = bm.simulate_trial(seed=3, n=24, n_factors=1, reliability=0.6, benefit_sd=0.6)
    table = made.outcomes
    if kind != "gaussian":
        edges = np.quantile(table["hamd17"], [0.5] if kind == "binary" else [0.3, 0.7])
        table = table.assign(hamd17=np.digitize(table["hamd17"], edges).astype(float))
    spec = bm.ResponseSpec(
        outcome="hamd17",
        default_arm="SSRI",
        assignment="randomised",
        baseline="hamd17_baseline",
        kind=kind,
    )
    return prepare(spec, made.scores, table)


def parameters(prepared: Prepared) -> dict[str, np.ndarray]:
    unit = 7.0 if prepared.spec.kind == "gaussian" else 1.0
    columns = prepared.trial.design.shape[1] - (prepared.spec.kind == "ordinal")
    values = {
        "drug": np.array(0.3),
        "moderation": np.array([0.8]),
        "prognosis": np.array([-0.5]),
        "coefficient": np.linspace(-0.2, 0.4, columns),
    }
    if prepared.spec.kind == "gaussian":
        values["sigma"] = np.array([0.9, 1.3])
    return {name: unit * x[None, None] for name, x in values.items()}


def by_quadrature(prepared: Prepared) -> np.ndarray:
    """Log density of each outcome, integrated over the score on a grid."""
    trial, kind = prepared.trial, prepared.spec.kind
    draw = {name: x[0, 0] for name, x in parameters(prepared).items()}
    design = trial.design[:, 1:] if kind == "ordinal" else trial.design
    found = []
    for i, y in enumerate(trial.outcome):
        a = 0.5 if trial.other[i] else -0.5
        mu = design[i] @ draw["coefficient"] + a * draw["drug"]
        mean = mu + (draw["prognosis"][0] + a * draw["moderation"][0]) * GRID
        if kind == "gaussian":
            density = norm.pdf(y, mean, draw["sigma"][int(trial.other[i])])
        elif kind == "binary":
            density = norm.cdf(mean) if y == 1 else norm.cdf(-mean)
        else:
            edges = np.array([-np.inf, *CUT, np.inf])
            density = norm.cdf(edges[int(y) + 1] - mean) - norm.cdf(edges[int(y)] - mean)
        prior = norm.pdf(GRID, trial.mean[i, 0], np.sqrt(trial.covariance[i, 0, 0]))
        found.append(np.log(np.trapezoid(density * prior, GRID)))
    return np.array(found)


class Cut:
    """Stands for the array of cut points."""

    values = CUT[None, None]


@pytest.mark.parametrize(
    ("kind", "tolerance"), [("gaussian", 1e-10), ("binary", 1e-8), ("ordinal", 1e-8)]
)
def test_the_log_likelihood_integrates_over_scores(kind: str, tolerance: float) -> None:
    prepared = trial_of(kind)
    found = log_likelihood(prepared, parameters(prepared), {"cut": Cut()})
    assert found is not None and found.shape == (1, 1, 24)
    np.testing.assert_allclose(found[0, 0], by_quadrature(prepared), rtol=0, atol=tolerance)


@pytest.mark.parametrize("kind", ["gaussian", "binary", "ordinal"])
def test_the_graph_has_the_density_of_the_closed_form(kind: str) -> None:
    prepared = trial_of(kind)
    unit = prepared.unit
    model = build_response_graph(
        prepared.trial,
        Outcomes(kind, prepared.trial.outcome / unit, n_levels=2 if kind == "binary" else 3),
        Scales(),
    )
    density = model.compile_logp(vars=[model["outcome"]], mode="FAST_COMPILE")
    draw = {name: x[0, 0] / unit for name, x in parameters(prepared).items()}
    size = 0.7
    point = {
        "coefficient": draw["coefficient"],
        "prognosis": draw["prognosis"],
        "drug": draw["drug"],
        "benefit_scale_log__": np.log(size),
        "direction": draw["moderation"] / size,
    }
    if kind == "gaussian":
        point["noise_log__"] = np.log(draw["sigma"])
    if kind == "ordinal":
        point["cut_ordered__"] = np.array([CUT[0], np.log(CUT[1] - CUT[0])])
    expected = by_quadrature(prepared).sum()
    if kind == "gaussian":
        expected += len(prepared.trial.outcome) * np.log(unit)  # density per residual SD
    assert float(density(point)) == pytest.approx(float(expected), abs=1e-6)


def test_full_covariances_enter_the_graph_through_their_roots() -> None:
    from bayes_mdd.response.graph import _added_variance

    rng = np.random.default_rng(1)
    root = rng.standard_normal((5, 3, 2))  # singular: rank 2 of 3
    covariance = root @ np.swapaxes(root, 1, 2)
    slope = rng.standard_normal((5, 3))
    expected = [c @ v @ c for c, v in zip(slope, covariance, strict=True)]
    import pytensor.tensor as pt

    found = _added_variance(pt.as_tensor_variable(slope), covariance).eval(mode="FAST_COMPILE")
    np.testing.assert_allclose(found, expected, atol=1e-10)
