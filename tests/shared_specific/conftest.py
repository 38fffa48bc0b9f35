"""Small FeatureSets and random parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pymc as pm
import pytensor
import pytest

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
