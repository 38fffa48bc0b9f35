"""Covariances between regions for cohorts of time series: group matrix, patterns of traits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

#: Networks and their share of the regions, as in the atlas of Schaefer et al. with 100 parcels.
NETWORKS = {"Vis": 17, "SomMot": 14, "DorsAttn": 15, "SalVentAttn": 12, "Limbic": 7, "Cont": 13,
            "Default": 24}  # fmt: skip
#: Position of each network on the gradient from sensory to association cortex, and on that from
#: visual to motor cortex.
GRADIENTS = {"Vis": (-0.9, -1.0), "SomMot": (-1.0, 0.9), "DorsAttn": (-0.5, -0.3),
             "SalVentAttn": (-0.1, 0.5), "Limbic": (0.7, 0.2), "Cont": (0.6, -0.1),
             "Default": (1.0, 0.0)}  # fmt: skip
#: Radius of the cortex and reach of spatial smoothness, mm.
RADIUS, REACH = 65.0, 22.0
#: Variance of the parts of a region's signal.
GLOBAL, GRADIENT, SECOND, NETWORK, FIELDS, SPATIAL = 0.20, 0.10, 0.06, 0.15, 0.20, 0.17
#: Number of fields that extend over networks, and the power by which their variance falls.
N_FIELDS, DECAY = 30, 1.0
#: Range of the variance that is a region's own.
OWN = (0.06, 0.30)
#: Eigenvalues are kept positive by a smooth bend of this width.
BEND = 0.2
#: Number of pairs of networks that a trait changes, and share of the pairs in its sparse part.
PAIRS, SPARSE = 4, 0.15


@dataclass(frozen=True, eq=False)
class Group:
    """Regions and group covariance of a cohort.

    `correlation` and its powers `root` and `inverse_root` (region, region); `sd` (region,) of the
    series; `regions` with names, networks and coordinates.
    """

    regions: pd.DataFrame
    correlation: np.ndarray
    root: np.ndarray
    inverse_root: np.ndarray
    sd: np.ndarray

    @property
    def network(self) -> np.ndarray:
        return self.regions["network"].to_numpy(str)


def make_group(rng: np.random.Generator, n_regions: int) -> Group:
    """Draw regions and their group correlations."""
    regions = make_regions(rng, n_regions)
    network = regions["network"].to_numpy(str)
    xyz = regions[["x", "y", "z"]].to_numpy()
    distance = np.linalg.norm(xyz[:, None] - xyz[None], axis=2)
    near = np.linalg.cholesky(np.exp(-((distance / REACH) ** 2)) + 1e-6 * np.eye(n_regions))
    smooth = near @ rng.standard_normal((n_regions, 4 + N_FIELDS))
    overall = 1.0 + 0.3 * smooth[:, 0]
    axes = np.array([GRADIENTS[n] for n in network]).T + 0.35 * smooth[:, 1:3].T
    member = np.clip(1.0 + 0.35 * smooth[:, 3], 0.2, None)
    falls = np.arange(1, N_FIELDS + 1) ** -DECAY
    fields = smooth[:, 4:] * np.sqrt(falls / falls.sum())
    covariance = (
        GLOBAL * np.outer(overall, overall)
        + GRADIENT * np.outer(axes[0], axes[0])
        + SECOND * np.outer(axes[1], axes[1])
        + NETWORK * np.outer(member, member) * np.equal.outer(network, network)
        + FIELDS * fields @ fields.T
        + SPATIAL * np.exp(-distance / REACH)
        + np.diag(rng.uniform(*OWN, n_regions))
    )
    return group_of(regions, covariance, np.exp(0.3 * rng.standard_normal(n_regions)))


def group_of(regions: pd.DataFrame, covariance: np.ndarray, sd: np.ndarray) -> Group:
    """Standardise a covariance and compute its powers."""
    scale = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(scale, scale)
    values, vectors = np.linalg.eigh(correlation)
    values = np.maximum(values, 1e-3)
    return Group(
        regions=regions,
        correlation=correlation,
        root=(vectors * np.sqrt(values)) @ vectors.T,
        inverse_root=(vectors / np.sqrt(values)) @ vectors.T,
        sd=sd,
    )


def make_regions(rng: np.random.Generator, n_regions: int) -> pd.DataFrame:
    """Draw names, networks and places of regions: each network has a patch or two a hemisphere."""
    share = np.array(list(NETWORKS.values())) / sum(NETWORKS.values())
    size = np.maximum(np.floor(share * n_regions).astype(int), 1)
    size[: n_regions - size.sum()] += 1
    rows = []
    for name, n in zip(NETWORKS, size, strict=True):
        patches = _on_sphere(rng.standard_normal((2, 3)))
        patches[:, 0] = np.abs(patches[:, 0])
        for k in range(n):
            side = -1 if k < n // 2 else 1
            place = _on_sphere(patches[rng.integers(2)] + 0.35 * rng.standard_normal(3))
            x, y, z = RADIUS * place * (side if place[0] > 0 else -side, 1, 1)
            hemisphere = "L" if side < 0 else "R"
            rows.append((f"{hemisphere}H_{name}_{k + 1}", name, x, y, z, hemisphere))
    return pd.DataFrame(rows, columns=["region", "network", "x", "y", "z", "hemisphere"])


def _on_sphere(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def smooth_pattern(rng: np.random.Generator, group: Group) -> np.ndarray:
    """Draw a pattern (region, region) of a few pairs of networks in whitened coordinates.

    It is amplified along the large components of the group correlations, which makes the change of
    the edges smooth and the whitened pattern weak.
    """
    pattern = np.zeros_like(group.root)
    for weight, *pair in _pairs(rng, group):
        first, second = (at * (1.0 + 0.2 * rng.standard_normal(at.size)) for at in pair)
        pattern += weight * (np.outer(first, second) + np.outer(second, first))
    return _unit(pattern)


def _pairs(
    rng: np.random.Generator, group: Group
) -> Iterator[tuple[float, np.ndarray, np.ndarray]]:
    """Weight and members of the two networks of a few pairs."""
    names = np.unique(group.network)
    pairs = [(a, b) for k, a in enumerate(names) for b in names[k:]]
    for at in rng.choice(len(pairs), PAIRS, replace=False):
        weight = rng.choice([-1.0, 1.0]) * rng.uniform(0.6, 1.4)
        yield weight, *(group.network == name for name in pairs[at])


def edge_pattern(rng: np.random.Generator, group: Group) -> np.ndarray:
    """Draw a smooth change and a sparse one of single pairs of regions, of equal size on edges."""
    smooth = smooth_pattern(rng, group)
    n = len(smooth)
    sparse = np.triu(rng.standard_normal((n, n)) * (rng.random((n, n)) < SPARSE), 1)
    sparse = sparse + sparse.T
    size = [np.linalg.norm(group.root @ m @ group.root) for m in (smooth, sparse)]
    return _unit(smooth / size[0] + sparse / size[1])


def state_direction(rng: np.random.Generator, group: Group) -> np.ndarray:
    """Draw the direction (region,) whose power a state changes: networks with random weights."""
    names, code = np.unique(group.network, return_inverse=True)
    weight = rng.standard_normal(names.size)[code] + 0.3 * rng.standard_normal(code.size)
    return _on_sphere(group.root @ weight)


def _unit(pattern: np.ndarray) -> np.ndarray:
    return pattern / np.abs(np.linalg.eigvalsh(pattern)).max()


def positive(x: np.ndarray) -> np.ndarray:
    """1 + x, bent smoothly so that it stays positive.

    >>> positive(np.array([-1.5, 0.0, 1.0])).round(2).tolist()
    [0.02, 1.01, 2.0]
    """
    return 0.5 * (1.0 + x + np.sqrt((1.0 + x) ** 2 + BEND**2))


def root_of(deviation: np.ndarray) -> np.ndarray:
    """Symmetric square root of the identity plus a deviation, kept positive definite."""
    values, vectors = np.linalg.eigh(deviation)
    return (vectors * np.sqrt(positive(values))[..., None, :]) @ np.swapaxes(vectors, -1, -2)


def fisher_z(covariance: np.ndarray) -> np.ndarray:
    """Fisher z (..., edge) of the correlations of covariances (..., region, region)."""
    i, j = np.triu_indices(covariance.shape[-1], 1)
    sd = np.sqrt(np.diagonal(covariance, axis1=-2, axis2=-1))
    return np.arctanh(covariance[..., i, j] / (sd[..., i] * sd[..., j]))
