"""The one place that calls a sampler.

A model reaches it as a PyMC graph, or as a density with its gradient that needs no compilation.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import nutpie
import pymc as pm
import xarray as xr
from joblib import cpu_count
from nutpie.compiled_pyfunc import from_pyfunc
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from bayes_mdd.errors import SpecError
from bayes_mdd.sampling.draws import pack_draws
from bayes_mdd.shared_specific.density.density import Density
from bayes_mdd.specs import SamplerSpec
from bayes_mdd.types import Array

#: Stream of random numbers for what is drawn given the points of the chains.
OUTCOME_STREAM = 23
#: Steps of an optimiser from a displaced point before a chain begins there.
SETTLING = 20

#: A log density with its gradient.
Logp = Callable[[Array], tuple[float, Array]]


def sample(
    model: pm.Model,
    initial: dict[str, Any],
    sampler: SamplerSpec,
    *,
    var_names: list[str],
    progressbar: bool,
) -> xr.DataTree:
    """Sample a graph with the No-U-Turn sampler.

    Parameters
    ----------
    model : pymc.Model
        The graph.
    initial : dict
        Initial values by variable; random variables are drawn anew by each chain.
    sampler : SamplerSpec
        Draws, chains, seed and back end.
    var_names : list of str
        Variables to keep.
    progressbar : bool
        Whether to show one.

    Returns
    -------
    DataTree
        As PyMC returns it.

    Raises
    ------
    SpecError
        If the back end is not installed.
    """
    options: dict[str, Any] = {"nuts": {"target_accept": sampler.target_accept}}
    if sampler.backend == "nutpie":
        # nutpie would add a jitter of +-1 to every coordinate, far from any start.
        options["compile_kwargs"] = {"jitter_rvs": set()}
    elif sampler.backend == "pymc":
        options["init"] = "adapt_diag"
    else:
        _register_jax()
        options["nuts"]["chain_method"] = "sequential"
    with model, _quiet(), threadpool_limits(1):
        drawn: xr.DataTree = pm.sample(
            sampler.draws,
            tune=sampler.tune,
            chains=sampler.chains,
            cores=min(sampler.cores or cpu_count(), sampler.chains),
            random_seed=sampler.seed,
            nuts_sampler=sampler.backend,
            initvals=initial,
            var_names=var_names,
            progressbar=progressbar,
            **options,
        )
    return drawn


def sample_density(
    density: Density,
    first: Array,
    width: Array,
    sampler: SamplerSpec,
    *,
    progressbar: bool,
) -> xr.DataTree:
    """Sample a written-out density with nutpie's No-U-Turn sampler.

    Parameters
    ----------
    density : Density
        The density.
    first : ndarray, shape (size,)
        A point near the mode; each chain starts about one `width` away from it and settles first.
    width : ndarray, shape (size,)
        About one posterior SD of each coordinate.
    sampler : SamplerSpec
        Draws, chains and seed.
    progressbar : bool
        Whether to show one.

    Returns
    -------
    DataTree
        Groups ``posterior`` and ``sample_stats``, as PyMC returns them.
    """
    model = _in_units(density, first, width)
    began = time.perf_counter()
    with threadpool_limits(1):
        drawn = nutpie.sample(
            model,
            draws=sampler.draws,
            tune=sampler.tune,
            chains=sampler.chains,
            cores=min(sampler.cores or cpu_count(), sampler.chains),
            seed=sampler.seed,
            target_accept=sampler.target_accept,
            save_warmup=False,
            progress_bar=progressbar,
        )
        seconds = time.perf_counter() - began
        points = drawn["posterior"]["point"].values
        rng = np.random.default_rng([sampler.seed, OUTCOME_STREAM])
        kept = density.outcome(points.reshape(-1, density.size), rng)
    return pack_draws(
        kept,
        points.shape[:2],
        drawn["sample_stats"].to_dataset(),
        inference_library="nutpie",
        inference_library_version=nutpie.__version__,
        sampling_time=seconds,
    )


def _in_units(density: Density, first: Array, width: Array) -> Any:
    """Hand a density to nutpie in units of `width` around `first`."""

    def logp(z: Array) -> tuple[float, Array]:
        value, gradient = density(first + width * z)
        return value, gradient * width

    def make_logp() -> Any:
        return logp

    def make_expand(*_: int) -> Any:
        return lambda z: {"point": first + width * z}

    def settled(seed: int) -> Array:
        """One unit away in every coordinate, then some way back towards the mass.

        With thousands of coordinates that depend on each other, a displaced point lies a thousand
        nats too low: paths of the first twenty draws would be at their longest, and cost as much
        as all that follow.
        """
        z = np.random.default_rng(seed).choice([-1.0, 1.0], size=density.size)
        options = {"maxiter": SETTLING, "maxfun": 2 * SETTLING}
        found = minimize(_negative(logp), z, jac=True, method="L-BFGS-B", options=options)
        return np.asarray(found.x)

    return from_pyfunc(
        density.size,
        make_logp,
        make_expand,
        [np.dtype("float64")],
        [(density.size,)],
        ["point"],
        make_initial_point_fn=settled,
    )


def _negative(logp: Logp) -> Logp:
    def energy(z: Array) -> tuple[float, Array]:
        value, gradient = logp(z)
        return -value, -gradient

    return energy


def _register_jax() -> None:
    try:
        from bayes_mdd.shared_specific.likelihood import jax_kernels as collapsed_jax
    except ImportError as error:
        raise SpecError(
            "The back end 'numpyro' needs the extra 'bayes-mdd[jax]': "
            f"install it, or choose 'nutpie' or 'pymc' ({error})."
        ) from error
    collapsed_jax.register()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the sampler's own remarks back: `diagnose` says the same with what to do."""
    log = logging.getLogger("pymc")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            warnings.filterwarnings("ignore", category=FutureWarning)
            warnings.filterwarnings("ignore", message=".*[Nn]umba.*")
            yield
    finally:
        log.setLevel(level)
