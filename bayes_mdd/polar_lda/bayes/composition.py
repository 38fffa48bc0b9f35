r"""Polar LDA of signed network blocks, with an estimated effective number of tokens.

Subject m has :math:`N_m` tokens, spread over the 2 B signed blocks (block b with :math:`P_b`
edges, hypo- or hyper-connected) as :math:`n_m`. Factor k shifts the edges of block b by
:math:`\lambda_{kb}` on average, in SD of an edge; a subject is a mixture of the factors:

.. math::
    n_m &\sim \mathrm{DirichletMultinomial}(N_m,\; \kappa\, p_m), \qquad
    p_{m,(b,\pm)} \propto P_b\, f(\pm \theta_m^\top \lambda_b) \\
    \lambda_{kb} &\sim N(0, s^2), \qquad
    \theta_m \sim \mathrm{Dirichlet}(c\, \pi_{a(m)}), \qquad
    \pi_a = \mathrm{softmax}(\mu + \tau \delta_a)

with :math:`f(x) = E \max(x + \epsilon, 0) = x \Phi(x) + \phi(x)`, the expected tokens on one side
of zero from normal edges with mean x. The model differs from the published one in two ways:

- :math:`\kappa` limits the effective number of tokens. In LDA :math:`\kappa = \infty`, so ten
  times as many tokens make an interval about three times narrower. Here it is estimated.
- Factors are mixed as deviations, the scale on which edges are measured. LDA mixes tokens. Edges
  that deviate half as much have less than half of the additional tokens, so mixtures of tokens
  push compositions outward (by up to .07 for patterns of one SD).

Without any pattern s becomes small and compositions follow their prior, instead of moving into
the corners of the simplex. :math:`\pi_a` is the mean composition of the population of arm a.

The sampler moves in coordinates of compositions and patterns that are nearly independent of each
other; `coordinates` defines and explains them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from scipy.linalg import helmert

from bayes_mdd.dims import ARM, BLOCK, FACTOR, SUBJECT
from bayes_mdd.polar_lda.bayes.coordinates import (
    Coordinates,
    build_coordinates,
    initial_position,
    transform_compositions,
    transform_patterns,
)
from bayes_mdd.polar_lda.bayes.data import CompositionData
from bayes_mdd.types import Array

WORD = "word"
AXIS = "axis"
COORDINATE = "coordinate"
RIDGE = "ridge_direction"
#: Variables of the graph that a result keeps.
STORED = (
    "composition",
    "arm_expression",
    "pattern",
    "token_worth",
    "spread",
    "concentration",
)


def build_composition(
    data: CompositionData, n_factors: int, initial: Array | None = None
) -> pm.Model:
    """Build the PyMC graph.

    Parameters
    ----------
    data : CompositionData
        Tokens over signed blocks.
    n_factors : int
        Number of factors, at least 2.
    initial : ndarray, shape (subject, factor), optional
        Initial estimate of compositions, from `refine_compositions`, on which the coordinates are
        based. The posterior does not depend on it, but sampling is slow if it is far from the
        posterior. The default assigns subjects to the factors in turn, which suffices to evaluate
        the graph but not to sample it.

    Returns
    -------
    pymc.Model
        Variables of `STORED`; the likelihood is ``tokens``.
    """
    if initial is None:
        initial = np.eye(n_factors)[np.arange(len(data.subjects)) % n_factors]
    fixed = build_coordinates(initial)
    coords = {
        SUBJECT: list(data.subjects),
        FACTOR: [f"F{k + 1}" for k in range(n_factors)],
        AXIS: range(n_factors - 1),
        COORDINATE: range(fixed.ridge.shape[0]),
        RIDGE: range(fixed.ridge.shape[1]),
        ARM: list(data.arms),
        BLOCK: list(data.blocks),
        WORD: [f"{b} {s}" for s in ("hypo", "hyper") for b in data.blocks],
    }
    with pm.Model(coords=coords) as model:
        # As data, so that a compiled graph can be used for other cohorts of the same shape.
        seen = pm.Data("token_counts", data.tokens, dims=(SUBJECT, WORD))
        at = replace(
            fixed,
            projection=pm.Data("projection", fixed.projection, dims=(FACTOR, SUBJECT)),
            ridge=pm.Data("ridge", fixed.ridge, dims=(COORDINATE, RIDGE)),
        )
        theta = _compositions(data, n_factors, at)
        pattern = _patterns(data, theta, at)
        deviation = pt.dot(theta, pattern)
        weight = pt.concatenate(
            [data.size * _one_sided(-deviation), data.size * _one_sided(deviation)], axis=1
        )
        # As many independent observations as edges, within a factor of 4.5 (one SD).
        kappa = pm.LogNormal("token_worth", np.log(data.n_edges), 1.5)
        pm.DirichletMultinomial(
            "tokens",
            n=seen.sum(axis=1),
            a=kappa * weight / weight.sum(axis=1, keepdims=True),
            observed=seen,
            dims=(SUBJECT, WORD),
        )
    return model


def _one_sided(x: Any) -> Any:
    """Mean of the positive part of N(x, 1); the last term keeps it positive despite rounding."""
    return 0.5 * x * pt.erfc(-x / np.sqrt(2.0)) + pt.exp(-0.5 * x**2) / np.sqrt(2 * np.pi) + 1e-9


def _compositions(data: CompositionData, n_factors: int, at: Coordinates) -> Any:
    """Declare compositions and their hierarchical prior, in the coordinates of the sampler."""
    mean = pm.ZeroSumNormal("mean", 1.0, dims=FACTOR)
    if len(data.arms) > 1:
        scale = pm.HalfNormal("arm_scale", 0.5)
        shift = pm.ZeroSumNormal("arm_shift", n_zerosum_axes=2, dims=(ARM, FACTOR))
        logit = mean[None, :] + scale * shift
    else:
        logit = mean[None, :]
    expression = pm.Deterministic(
        "arm_expression", pm.math.softmax(logit, axis=1), dims=(ARM, FACTOR)
    )
    # Around a flat Dirichlet, from identical subjects to subjects of one factor each.
    concentration = pm.LogNormal("concentration", np.log(n_factors), 1.0)
    a = (concentration * expression)[data.arm]
    position = pm.Flat("position", dims=(SUBJECT, AXIS))
    log_theta, log_jacobian = transform_compositions(position, a, at)
    density = (
        pt.gammaln(concentration)
        - pt.gammaln(a).sum(axis=1)
        + ((a - 1.0) * log_theta).sum(axis=1)
        + log_jacobian
    )
    pm.Potential("composition_prior", density, dims=SUBJECT)
    return pm.Deterministic("composition", pt.exp(log_theta), dims=(SUBJECT, FACTOR))


def _patterns(data: CompositionData, theta: Any, at: Coordinates) -> Any:
    """Declare patterns and their prior, in the coordinates of the sampler."""
    spread = pm.LogNormal("spread", np.log(0.2), 1.0)
    profile = pm.Flat("profile", dims=(FACTOR, BLOCK))
    value, log_det = transform_patterns(profile, theta, at)
    pattern = pm.Deterministic("pattern", value, dims=(FACTOR, BLOCK))
    density = -0.5 * (pattern / spread) ** 2 - pt.log(spread) - 0.5 * np.log(2 * np.pi)
    pm.Potential("pattern_prior", density.sum() - len(data.blocks) * log_det)
    return pattern


def refine_compositions(data: CompositionData, composition: Array, *, steps: int = 20) -> Array:
    """Adapt a variational solution to the deviations of blocks by alternating least squares.

    Parameters
    ----------
    data : CompositionData
        Tokens over signed blocks.
    composition : ndarray, shape (subject, factor)
        Rows sum to 1.
    steps : int, default 20
        Number of alternations between patterns and compositions.

    Returns
    -------
    ndarray, shape (subject, factor)
        Compositions inside the simplex.
    """
    theta = _inside(composition)
    net = _net_deviation(data)
    root = np.sqrt(data.size)
    for _ in range(steps):
        pattern = np.linalg.lstsq(theta, net, rcond=None)[0]
        # Least squares on the plane of sum 1, with a weak ridge penalty towards equal shares.
        basis = helmert(len(pattern))
        design = (basis @ pattern) * root
        centred = (net - pattern.mean(axis=0)) * root
        gram = design @ design.T
        gram += 0.01 * np.trace(gram) * np.eye(len(basis))
        theta = _inside(1.0 / len(pattern) + np.linalg.solve(gram, design @ centred.T).T @ basis)
    return theta


def composition_start(
    data: CompositionData, composition: Array, initial: Array | None = None
) -> dict[str, Any]:
    """Compute initial values of all variables from compositions.

    Parameters
    ----------
    data : CompositionData
        Tokens over signed blocks.
    composition : ndarray, shape (subject, factor)
        Rows sum to 1.
    initial : ndarray, shape (subject, factor), optional
        As for `build_composition`. Default: `composition`, moved inside the simplex.

    Returns
    -------
    dict
        Initial value of each variable.
    """
    safe = _inside(composition)
    at = build_coordinates(safe if initial is None else initial)
    mean = np.log(safe.mean(axis=0))
    pattern = np.clip(np.linalg.lstsq(safe, _net_deviation(data), rcond=None)[0], -2, 2)
    start: dict[str, Any] = {
        "spread": max(float(pattern.std()), 0.05),
        "profile": at.projection @ safe @ pattern,
        "mean": mean - mean.mean(),
        "position": initial_position(safe, at),
        "concentration": float(composition.shape[1]),
        "token_worth": float(data.n_edges),
    }
    if len(data.arms) > 1:
        start["arm_scale"] = 0.2
        start["arm_shift"] = np.zeros((len(data.arms), composition.shape[1]))
    return start


def _inside(composition: Array) -> Array:
    """Move compositions a little inside the simplex."""
    safe = np.clip(composition, 0.02, None)
    return np.asarray(safe / safe.sum(axis=1, keepdims=True))


def _net_deviation(data: CompositionData) -> Array:
    """Approximate mean deviation of each subject's blocks, in SD of an edge."""
    n = len(data.blocks)
    net = (data.tokens[:, n:] - data.tokens[:, :n]) / data.size
    level = data.tokens.sum(axis=1) / data.size.sum()
    # Standard normal edges have 0.8 tokens (both signs) per net token of a deviation of 1 SD.
    return np.asarray(0.8 * net / level[:, None])
