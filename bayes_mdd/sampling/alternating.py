"""Chains that alternate paths of a small conditional density with exact draws of the rest.

A target whose coordinates fall into a few hundred with a density that is quick to evaluate, given
thousands of others that can be drawn exactly, given the few hundred.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final, Protocol

import numpy as np
import xarray as xr
from joblib import cpu_count

from bayes_mdd.dims import CHAIN, DRAW
from bayes_mdd.parallel.fan_out import fan_out
from bayes_mdd.sampling.around_mode import metric_from_precision, rescale_metric
from bayes_mdd.sampling.chains import GROUPS, START, ChainStore, chain_seeds, join_chains
from bayes_mdd.sampling.density import LogDensityFunction
from bayes_mdd.sampling.draws import OWN_SAMPLER
from bayes_mdd.sampling.hamiltonian import Move, State, StepSize, move
from bayes_mdd.sampling.progress import Step, show_progress
from bayes_mdd.specs import SamplerSpec
from bayes_mdd.types import Array

#: Paths for each draw of the rest.
PATHS: Final = 3
#: Share of the warm-up after which the metric is estimated, the first time and the second.
METRIC_AT: Final = (0.25, 0.5)
#: Smallest and largest factor by which a scale of the metric may change.
WIDTHS: Final = (0.5, 3.0)


class Alternation[S](Protocol):
    """A target, as conditional densities and exact draws. States are of a type of its own."""

    @property
    def outcome_dims(self) -> Mapping[str, tuple[str, ...]]:
        """Dimensions of the variables of `outcome`, without the draws."""
        ...

    def begin(self, rng: np.random.Generator) -> S:
        """First state of a chain.

        Parameters
        ----------
        rng : numpy.random.Generator
            For its displacement from the mode.
        """
        ...

    def precision(self, state: S) -> Array:
        """Negative second derivatives of the conditional log density.

        Parameters
        ----------
        state : object
            A state.
        """
        ...

    def density(self, state: S) -> LogDensityFunction:
        """Conditional log density of the few coordinates, given the rest.

        Parameters
        ----------
        state : object
            A state.
        """
        ...

    def point(self, state: S) -> Array:
        """Read the few coordinates of a state.

        Parameters
        ----------
        state : object
            A state.
        """
        ...

    def outcome(self, state: S, x: Array, rng: np.random.Generator) -> dict[str, Array]:
        """Variables to store.

        Parameters
        ----------
        state : object
            The rest.
        x : ndarray
            The few coordinates.
        rng : numpy.random.Generator
            For variables that are drawn given the others.
        """
        ...

    def draw_rest(
        self, state: S, x: Array, drawn: Mapping[str, Array], rng: np.random.Generator
    ) -> tuple[S, bool]:
        """Draw the rest given the few coordinates.

        Parameters
        ----------
        state : object
            The rest so far.
        x : ndarray
            The few coordinates.
        drawn : mapping of str to ndarray
            From `outcome`.
        rng : numpy.random.Generator
            For the draws.

        Returns
        -------
        state : object
            The next state.
        moved : bool
            Whether the draw was accepted, where it is a proposal.
        """
        ...


def sample_alternating(
    target: Alternation[Any],
    sampler: SamplerSpec,
    start: str,
    *,
    store: ChainStore | None = None,
    progressbar: bool = False,
) -> xr.DataTree:
    """Sample chains that alternate between paths and exact draws.

    Parameters
    ----------
    target : Alternation
        The target.
    sampler : SamplerSpec
        Draws, chains, seed and cores.
    start : str
        From `digest_start`; kept chains from another start are not used.
    store : ChainStore, optional
        Holds finished chains; each is written as it finishes.
    progressbar : bool, default False
        Show the progress of the chains.

    Returns
    -------
    DataTree
        Groups ``posterior`` and ``sample_stats``, the same for any number of cores.
    """
    began = time.perf_counter()
    seeds = chain_seeds(sampler.seed, sampler.chains)
    jobs = min(sampler.cores or cpu_count(), sampler.chains)

    def _chain(chain: int) -> xr.DataTree:
        kept = None if store is None else store.read(chain)
        if kept is not None and kept.attrs.get(START) == start:
            return kept
        drawn = sample_one(target, sampler, seeds[chain], progress.step_of(chain))
        drawn.attrs[START] = start
        if store is not None:
            store.write(chain, drawn)
        return drawn

    # The products of features release the interpreter lock, and threads do not copy the features.
    chains = range(sampler.chains)
    with show_progress(chains if progressbar else (), sampler) as progress:
        found = fan_out(_chain, [(chain,) for chain in chains], n_jobs=jobs, where="here")
    whole = join_chains(found)
    whole["posterior"].attrs |= {**OWN_SAMPLER, "sampling_time": time.perf_counter() - began}
    return whole


def sample_one(
    target: Alternation[Any], sampler: SamplerSpec, seed: int, report: Step | None = None
) -> xr.DataTree:
    """Sample one chain.

    Parameters
    ----------
    target : Alternation
        The target.
    sampler : SamplerSpec
        Draws.
    seed : int
        Of this chain.
    report : callable, optional
        Told after each draw how many there are, and how many paths diverged.

    Returns
    -------
    DataTree
        Groups ``posterior`` and ``sample_stats``.
    """
    rng = np.random.default_rng(seed)
    state = target.begin(rng)
    paths = _Paths(target, state, max(sampler.tune, 1))
    kept: dict[str, list[Array]] = {}
    stats: dict[str, list[float]] = {}
    diverged = 0
    for t in range(paths.tune + sampler.draws):
        done = paths.follow(target.density(state), target.point(state), rng)
        x = done[-1].state.x
        drawn = target.outcome(state, x, rng)
        state, moved = target.draw_rest(state, x, drawn, rng)
        if t >= paths.tune:
            found = _describe(done) | {"step_size": paths.steps.size, "moved": moved}
            diverged += bool(found["diverging"])
            for name, value in drawn.items():
                kept.setdefault(name, []).append(value)
            for name, number in found.items():
                stats.setdefault(name, []).append(number)
        if report is not None:
            report(t + 1, t + 1 < paths.tune, diverged)
    return _pack(target, kept, stats)


class _Paths:
    """Paths of one chain; in the warm-up, step size and scales of the metric are adapted."""

    def __init__(self, target: Alternation[Any], state: Any, tune: int) -> None:
        self.metric = metric_from_precision(target.precision(state))
        self.steps = StepSize(len(self.metric.covariance))
        self.tune, self._done = tune, 0
        self._estimated = [max(1, int(share * tune)) for share in METRIC_AT]
        self._warm: list[Array] = []

    def follow(self, density: LogDensityFunction, x: Array, rng: np.random.Generator) -> list[Move]:
        now, done, warm = State(x, *density(x)), [], self._done < self.tune
        if not np.isfinite(now.logp):
            raise FloatingPointError("a draw has no density: the exact draws do not suit it")
        for path in range(PATHS):
            done.append(move(density, self.metric, now, self.steps.size, rng))
            now = done[-1].state
            if warm:
                last = self._done == self.tune - 1 and path == PATHS - 1
                self.steps.adapt(done[-1].accepted, last=last)
        self._done += 1
        if warm:
            self._warm.append(now.x)
            if self._done in self._estimated:
                later = np.stack(self._warm[len(self._warm) // 2 :])
                self.metric = rescale_metric(self.metric, later.std(axis=0), WIDTHS)
                self.steps = StepSize(x.size)
        return done


def _describe(done: list[Move]) -> dict[str, float]:
    """Statistics of the paths of one draw."""
    return {
        "diverging": any(path.diverging for path in done),
        "energy": done[-1].energy,
        "acceptance_rate": float(np.mean([path.accepted for path in done])),
        "n_steps": sum(path.steps for path in done),
        "logp": done[-1].state.logp,
    }


def _pack(
    target: Alternation[Any],
    kept: Mapping[str, list[Array]],
    stats: Mapping[str, list[float]],
) -> xr.DataTree:
    posterior = {
        name: ((CHAIN, DRAW, *target.outcome_dims[name]), np.stack(values)[None])
        for name, values in kept.items()
    }
    sample_stats = {name: ((CHAIN, DRAW), np.array(values)[None]) for name, values in stats.items()}
    return xr.DataTree.from_dict(
        dict(zip(GROUPS, (xr.Dataset(posterior), xr.Dataset(sample_stats)), strict=True))
    )
