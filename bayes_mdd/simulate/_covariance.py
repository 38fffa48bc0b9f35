"""Covariances of regional series: base correlations, and deviations that keep them valid.

A deviation is a symmetric matrix S. The covariance is ``C^(1/2) exp(S) C^(1/2)`` with C the base
correlations. It is positive definite for every S and equals C + C^(1/2) S C^(1/2) to first order.
A deviation with independent entries of SD s (diagonal: s times the square root of 2) changes the
Fisher z of each edge with SD s, to first order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd

from bayes_mdd.simulate._design import Rng
from bayes_mdd.types import Array

#: Parts of the variance of a region: global signal, gradient, network, neighbourhood, region.
GLOBAL, GRADIENT, NETWORK, NEIGHBOURS, REGION = 0.22, 0.10, 0.16, 0.16, 0.40
#: Reach of a neighbourhood in mm.
REACH: Final = 25.0
#: Position of a network on the gradient from sensory to association cortex.
POSITION: Final[Mapping[str, float]] = {
    "DMN": 1.0,
    "CCN": 0.6,
    "ATT": -0.4,
    "THR": 0.3,
    "REW": 0.7,
    "SM": -0.9,
    "VIS": -1.0,
}


def draw_base_correlation(rng: Rng, regions: pd.DataFrame) -> Array:
    """Draw base correlations (region, region): mean about 0.25, within networks about 0.45."""
    n, network = len(regions), regions["network"].to_numpy(str)
    xyz = regions[["x", "y", "z"]].to_numpy(float)
    distance = np.linalg.norm(xyz[:, None] - xyz[None], axis=2)
    common = 1 + 0.25 * rng.standard_normal(n)
    gradient = np.array([POSITION[name] for name in network]) + 0.2 * rng.standard_normal(n)
    member = 1 + 0.2 * rng.standard_normal(n)
    covariance = (
        GLOBAL * np.outer(common, common)
        + GRADIENT * np.outer(gradient, gradient)
        + NETWORK * np.outer(member, member) * np.equal.outer(network, network)
        + NEIGHBOURS * np.exp(-distance / REACH)
        + REGION * np.eye(n)
    )
    return to_correlation(covariance)


def draw_deviations(rng: Rng, number: int, n_regions: int, sd: float) -> Array:
    """Draw deviations (number, region, region) with independent entries."""
    entries = rng.standard_normal((number, n_regions, n_regions))
    deviations: Array = sd * (entries + np.swapaxes(entries, 1, 2)) / np.sqrt(2)
    return deviations


def deviations_of_edges(change: Array, base: Array) -> Array:
    """Find the deviations (..., region, region) that add `change` (..., edge) to the edges of C."""
    n = len(base)
    a, b = np.triu_indices(n, 1)
    matrices = np.zeros((*change.shape[:-1], n, n))
    matrices[..., a, b] = matrices[..., b, a] = change
    inverse = power(base, -0.5)
    deviations: Array = inverse @ matrices @ inverse
    return deviations


def covariance_of(deviation: Array, root: Array) -> Array:
    """Covariance of a deviation; `root` is C^(1/2)."""
    values, vectors = np.linalg.eigh(deviation)
    half = root @ (vectors * np.exp(values / 2))
    covariance: Array = half @ half.T
    return covariance


def power(matrix: Array, exponent: float) -> Array:
    """Power of a positive definite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    result: Array = (vectors * values**exponent) @ vectors.T
    return result


def to_correlation(covariance: Array) -> Array:
    """Scale a covariance to unit diagonal."""
    sd = np.sqrt(np.diagonal(covariance))
    correlation: Array = covariance / np.outer(sd, sd)
    return correlation


def fisher_z(covariance: Array) -> Array:
    """Fisher z of the correlations of a covariance, upper triangle."""
    edges: Array = np.arctanh(to_correlation(covariance)[np.triu_indices(len(covariance), 1)])
    return edges
