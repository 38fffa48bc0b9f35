"""Small FeatureSets and random parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pymc as pm
import pytensor
import pytest
import xarray as xr

from bayes_mdd.shared_specific.likelihood.collapsed import BlockStatistics, reduce_features


@dataclass(frozen=True)
class Case:
    """Data, design and one value of the parameters that the likelihood takes."""

    y: np.ndarray
    design: np.ndarray
    block: np.ndarray
    scores: np.ndarray
    tau: np.ndarray
    noise: np.ndarray

    @property
    def stats(self) -> BlockStatistics:
        return reduce_features(self.y, self.design, self.block)

    @property
    def arguments(self) -> tuple[np.ndarray, ...]:
        s = self.stats
        return (
            s.basis.T @ self.scores,
            self.tau,
            self.noise,
            s.cross_products,
            s.traces,
            s.block_size,
        )


#: Unequal blocks whose features are interleaved; one block has one feature, all have fewer
#: features than there are subjects.
BLOCK_SIZES = {"long": 7, "one": 1, "mid": 4}


def _case(n_factors: int, *, n: int = 12, n_covariates: int = 2, seed: int = 0) -> Case:
    rng = np.random.default_rng([seed, n_factors])
    block = rng.permutation(np.repeat(list(BLOCK_SIZES), list(BLOCK_SIZES.values())))
    design = np.column_stack([np.ones(n), rng.normal(size=(n, n_covariates))])
    b = len(BLOCK_SIZES)
    return Case(
        y=rng.normal(size=(n, block.size)) + 3.0,
        design=design,
        block=block,
        scores=rng.normal(size=(n, n_factors)),
        tau=rng.uniform(0.05, 1.5, size=(b, n_factors)),
        noise=rng.uniform(0.4, 1.6, size=b),
    )


@pytest.fixture(scope="session")
def case() -> Callable[..., Case]:
    """Build a case for the likelihood: ``case(n_factors, n=12, n_covariates=2, seed=0)``."""
    return _case


@pytest.fixture
def interpreted() -> Iterator[None]:
    """Graphs are evaluated a few times only: compiling them costs more than it saves."""
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        yield


def _at_point(model: pm.Model, *outputs: Any) -> Callable[[dict[str, np.ndarray]], list[Any]]:
    """Compile `outputs` of a graph as a function of a point in unconstrained coordinates."""
    values = [model.rvs_to_values[v] for v in model.free_RVs]
    function = pytensor.function(
        values,
        model.replace_rvs_by_values(list(outputs)),
        mode=pytensor.compile.Mode(linker="py", optimizer="fast_compile"),
        on_unused_input="ignore",
    )
    return lambda point: function(*(point[v.name] for v in values))


@pytest.fixture(scope="session")
def at_point() -> Callable[..., Callable[[dict[str, np.ndarray]], list[Any]]]:
    """``at_point(model, model["scores"], model.logp())(point)``, by the interpreter."""
    return _at_point


def _root(matrix: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.maximum(values, 0.05))) @ vectors.T


def _correlations(
    n: int = 40,
    n_regions: int = 12,
    *,
    seed: int = 0,
    nu: int = 120,
    n_controls: int = 0,
    scores: np.ndarray | None = None,
    patterns: np.ndarray | None = None,
    halves: bool = False,
) -> xr.Dataset:
    """Fisher z of series whose covariance is C, or that of the subject's traits."""
    rng = np.random.default_rng([seed, n_regions])
    x = rng.normal(size=(3 * n_regions, n_regions)) + rng.normal(size=(3 * n_regions, 1))
    x[:, ::3] += 1.5 * rng.normal(size=(3 * n_regions, 1))
    root, total = _root(np.corrcoef(x.T)), n + n_controls
    upper = np.triu_indices(n_regions, 1)
    z = np.empty((total, 2, upper[0].size))
    whole = np.empty((total, upper[0].size))
    for i in range(total):
        inside = np.eye(n_regions)
        if scores is not None and patterns is not None and i < n:
            inside = inside + np.einsum("k,kij->ij", scores[i], patterns)
        series = rng.normal(size=(nu, n_regions)) @ _root(inside) @ root
        whole[i] = np.arctanh(np.corrcoef(series.T)[upper])
        z[i] = [np.arctanh(np.corrcoef(part.T)[upper]) for part in np.split(series, 2)]
    regions = np.array([f"R{j + 1:02d}" for j in range(n_regions)])
    network = np.array(["A", "B", "C"])[np.arange(n_regions) % 3]
    a, b = network[upper[0]], network[upper[1]]
    arm = np.r_[np.array(["x", "y"])[np.arange(n) % 2], np.full(n_controls, "n/a")]
    control = np.arange(total) >= n
    features = xr.Dataset(
        {"y": (("subject", "feature"), whole)},
        coords={
            "subject": [f"s{i:02d}" for i in range(total)],
            "arm": ("subject", arm.astype(object)),
            "diagnosis": ("subject", np.where(control, "HC", "MDD").astype(object)),
            "age": ("subject", rng.normal(40, 10, total)),
            "feature": [f"{regions[i]}--{regions[j]}" for i, j in zip(*upper, strict=True)],
            "block": ("feature", np.array(["-".join(sorted(p)) for p in zip(a, b, strict=True)])),
            "region_a": ("feature", regions[upper[0]]),
            "region_b": ("feature", regions[upper[1]]),
            "network_a": ("feature", a),
            "network_b": ("feature", b),
        },
        attrs={"units": "fisher_z", "measure": "correlation", "reference": "none"},
    )
    if halves:
        difference = (z[:, 0] - z[:, 1]) / 2
        features = features.assign(half_difference=(("subject", "feature"), difference))
    return features


@pytest.fixture(scope="session")
def correlations() -> Callable[..., xr.Dataset]:
    """``correlations(n=40, n_regions=12, seed=0, nu=120, ...)``: correlations of drawn series."""
    return _correlations
