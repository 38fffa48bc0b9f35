"""Chains of nutpie, each with a seed of its own, kept as they finish.

A chain depends on its seed alone, so that a fit that was stopped continues with the chains that
are missing and ends with the same draws.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
import nutpie
import xarray as xr
from joblib import cpu_count

from bayes_mdd.dims import CHAIN
from bayes_mdd.sampling.progress import ChainProgress, show_progress
from bayes_mdd.specs import SamplerSpec
from bayes_mdd.streams import Stream, generator

#: Seconds between two looks at a chain.
WAIT: Final = 0.05
#: Attribute of a kept chain.
START: Final = "start"
GROUPS: Final = ("posterior", "sample_stats")


class ChainStore(Protocol):
    """Where finished chains are kept until the fit is complete."""

    def read(self, chain: int) -> xr.DataTree | None:
        """Read a finished chain.

        Parameters
        ----------
        chain : int
            Its number, from 0.

        Returns
        -------
        DataTree or None
            None where it is not kept.
        """
        ...

    def write(self, chain: int, drawn: xr.DataTree) -> None:
        """Keep a finished chain.

        Parameters
        ----------
        chain : int
            Its number, from 0.
        drawn : DataTree
            Draws and statistics.
        """
        ...


def chain_seeds(seed: int, chains: int) -> list[int]:
    """Make the seed of every chain.

    Parameters
    ----------
    seed : int
        The user's seed.
    chains : int
        Number of chains.

    Returns
    -------
    list of int
        The first ones do not depend on `chains`.

    Examples
    --------
    >>> chain_seeds(1, 4)[:2] == chain_seeds(1, 2)
    True
    """
    drawn = generator(seed, Stream.CHAINS).integers(2**63 - 1, size=chains)
    return [int(s) for s in drawn]


def digest_start(values: Iterable[npt.ArrayLike]) -> str:
    """Identify where chains start, which they depend on besides their seed.

    Parameters
    ----------
    values : iterable of array_like
        Initial values and scales.

    Returns
    -------
    str
        SHA-256 in hexadecimal digits.
    """
    digest = hashlib.sha256()
    for value in values:
        digest.update(np.ascontiguousarray(value, dtype=float).data)
    return digest.hexdigest()


def sample_chains(
    model: Any, sampler: SamplerSpec, start: str, *, store: ChainStore | None, progressbar: bool
) -> xr.DataTree:
    """Sample the chains that are not kept yet, as many at a time as there are cores.

    Parameters
    ----------
    model : nutpie model
        Compiled.
    sampler : SamplerSpec
        Draws, chains, seed, cores and target acceptance probability.
    start : str
        From `digest_start`; kept chains from another start are not used.
    store : ChainStore, optional
        Holds finished chains; each is written as it finishes.
    progressbar : bool
        Show the progress of the chains.

    Returns
    -------
    DataTree
        Groups ``posterior`` and ``sample_stats`` of all chains, in order. The attribute
        ``sampling_time`` of the posterior is the time in seconds of the chains sampled here.
    """
    began = time.perf_counter()
    drawn: dict[int, xr.DataTree] = {}
    if store is not None:
        found = {chain: store.read(chain) for chain in range(sampler.chains)}
        drawn = {c: tree for c, tree in found.items() if tree and tree.attrs.get(START) == start}
    missing = [chain for chain in range(sampler.chains) if chain not in drawn]
    with show_progress(missing if progressbar else (), sampler) as progress:
        for chain, tree in _run(model, sampler, missing, progress):
            drawn[chain] = tree
            if store is not None:
                tree.attrs[START] = start
                store.write(chain, tree)
    whole = join_chains([drawn[chain] for chain in range(sampler.chains)])
    whole["posterior"].attrs["sampling_time"] = time.perf_counter() - began
    return whole


def _run(
    model: Any, sampler: SamplerSpec, chains: Iterable[int], progress: ChainProgress
) -> Iterable[tuple[int, xr.DataTree]]:
    """Yield chains as they finish; stop the others where the caller or the user stops."""
    seeds = chain_seeds(sampler.seed, sampler.chains)
    waiting = list(chains)
    cores = min(sampler.cores or cpu_count(), sampler.chains)
    running: dict[int, Any] = {}
    try:
        while waiting or running:
            while waiting and len(running) < cores:
                chain = waiting.pop(0)
                running[chain] = _start(model, sampler, seeds[chain], progress.of(chain))
            for chain, process in list(running.items()):
                tree = _finished(process)
                if tree is not None:
                    del running[chain]
                    yield chain, tree
    finally:
        for process in running.values():
            process.cancel()


def _start(model: Any, sampler: SamplerSpec, seed: int, report: Any) -> Any:
    return nutpie.sample(
        model,
        draws=sampler.draws,
        # nutpie needs one warm-up draw.
        tune=max(sampler.tune, 1),
        chains=1,
        cores=1,
        seed=seed,
        target_accept=sampler.target_accept,
        save_warmup=False,
        progress_bar=False,
        progress_callback=report,
        blocking=False,
    )


def _finished(process: Any) -> xr.DataTree | None:
    try:
        drawn: xr.DataTree = process.wait(timeout=WAIT)
    except TimeoutError:
        return None
    # Texts and times of the sampler differ between runs and carry no draws.
    groups = {name: drawn[name].to_dataset() for name in GROUPS}
    stats = groups["sample_stats"]
    groups["sample_stats"] = stats[[v for v in stats.data_vars if stats[v].dtype != object]]
    return xr.DataTree.from_dict({name: g.drop_attrs(deep=False) for name, g in groups.items()})


def join_chains(drawn: list[xr.DataTree]) -> xr.DataTree:
    """Join chains in their order.

    Parameters
    ----------
    drawn : list of DataTree
        One tree a chain, with the groups of `GROUPS`.

    Returns
    -------
    DataTree
        The same groups of all chains.
    """
    groups = {
        name: xr.concat(
            [tree[name].to_dataset().assign_coords({CHAIN: [i]}) for i, tree in enumerate(drawn)],
            dim=CHAIN,
        )
        for name in GROUPS
    }
    return xr.DataTree.from_dict(groups)
