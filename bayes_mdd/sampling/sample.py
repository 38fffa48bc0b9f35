"""Sample a PyMC graph, or a log density that needs no graph, with the No-U-Turn sampler."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt
import nutpie
import pymc as pm
import xarray as xr
from joblib import cpu_count
from pytensor.compile.mode import get_default_mode
from pytensor.graph.basic import Variable
from pytensor.graph.traversal import ancestors
from pytensor.tensor.variable import TensorConstant
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from bayes_mdd.errors import SpecError
from bayes_mdd.sampling.chains import ChainStore, digest_start, sample_chains
from bayes_mdd.sampling.compiled import compile_density
from bayes_mdd.sampling.density import LogDensity, LogDensityFunction
from bayes_mdd.sampling.draws import LIBRARY, LIBRARY_VERSION, pack_draws
from bayes_mdd.specs import SamplerSpec
from bayes_mdd.streams import Stream, generator
from bayes_mdd.types import Array

#: Back ends that sample a graph with nutpie.
BY_NUTPIE = ("auto", "nutpie", "alternating")
#: Iterations of the optimiser that moves a displaced point back before a chain starts there.
INITIAL_STEPS = 20

log = logging.getLogger("bayes_mdd.sampling")


def check_backend(sampler: SamplerSpec) -> None:
    """Check that the back end is installed.

    Parameters
    ----------
    sampler : SamplerSpec
        The back end is read.

    Raises
    ------
    SpecError
        If the back end "numpyro" is chosen and NumPyro or JAX cannot be imported.
    """
    if sampler.backend != "numpyro":
        return
    try:
        for name in ("jax", "numpyro"):
            import_module(name)
    except ImportError as error:
        raise SpecError(
            "The back end 'numpyro' needs the extra 'bayes-mdd[jax]': "
            f"install it, or choose 'nutpie' or 'pymc' ({error})."
        ) from error


def sample_graph(
    model: pm.Model,
    initial: dict[str, Any],
    sampler: SamplerSpec,
    *,
    var_names: list[str],
    progressbar: bool,
    without_rewrites: tuple[str, ...] = (),
    store: ChainStore | None = None,
) -> xr.DataTree:
    """Sample a PyMC graph with the No-U-Turn sampler.

    Operations of the graph that JAX does not know must be registered before the back end
    "numpyro" is used.

    Parameters
    ----------
    model : pymc.Model
        The graph.
    initial : dict
        Initial values by variable; random variables are drawn again for each chain.
    sampler : SamplerSpec
        Draws, chains, seed and back end.
    var_names : list of str
        Variables to keep.
    progressbar : bool
        Show the progress of the chains.
    without_rewrites : tuple of str
        Names of PyTensor rewrites that the back end "pymc" leaves out when it compiles the graph.
    store : ChainStore, optional
        Keeps chains as they finish; only the back end "nutpie" does.

    Returns
    -------
    DataTree
        Groups ``posterior`` and ``sample_stats``; from "pymc" and "numpyro" as PyMC returns them.

    Raises
    ------
    SpecError
        If the back end is not installed.
    """
    check_backend(sampler)
    by_nutpie = sampler.backend in BY_NUTPIE
    used = "nutpie" if by_nutpie else sampler.backend
    _report("PyMC graph", len(model.free_RVs), "free variables", used, sampler)
    if by_nutpie:
        return _sample_with_nutpie(
            model, initial, sampler, var_names=var_names, progressbar=progressbar, store=store
        )
    options: dict[str, Any] = {"nuts": {"target_accept": sampler.target_accept}}
    if sampler.backend == "pymc":
        options["init"] = "adapt_diag"
        if without_rewrites:
            mode = get_default_mode().excluding(*without_rewrites)
            options["compile_kwargs"] = {"mode": mode}
    else:
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


def initial_numbers(value: Any) -> npt.ArrayLike:
    """Return an initial value, or the constants of the distribution from which chains draw it.

    Parameters
    ----------
    value : array_like or random variable
        What a chain starts from.

    Returns
    -------
    ndarray
        Numbers that differ where the start differs.
    """
    if not isinstance(value, Variable):
        return np.asarray(value, dtype=float)
    constants = [node for node in ancestors([value]) if isinstance(node, TensorConstant)]
    return np.concatenate([np.ravel(np.asarray(node.data, dtype=float)) for node in constants])


def _sample_with_nutpie(
    model: pm.Model,
    initial: dict[str, Any],
    sampler: SamplerSpec,
    *,
    var_names: list[str],
    progressbar: bool,
    store: ChainStore | None,
) -> xr.DataTree:
    with _quiet(), threadpool_limits(1):
        compiled = nutpie.compile_pymc_model(
            model,
            var_names=var_names,
            backend="numba",
            initial_points=initial,
            # nutpie would add a jitter of +-1 to every coordinate, far from the initial values.
            jitter_rvs=set(),
        )
        start = digest_start([initial_numbers(initial[name]) for name in sorted(initial)])
        drawn = sample_chains(compiled, sampler, start, store=store, progressbar=progressbar)
    drawn["posterior"].attrs |= {LIBRARY: "nutpie", LIBRARY_VERSION: nutpie.__version__}
    return drawn


def sample_density(
    density: LogDensity,
    first: Array,
    scale: Array,
    sampler: SamplerSpec,
    *,
    progressbar: bool,
    store: ChainStore | None = None,
) -> xr.DataTree:
    """Sample a log density with nutpie's No-U-Turn sampler.

    Parameters
    ----------
    density : LogDensity
        The density.
    first : ndarray, shape (size,)
        A point near the mode. Each chain starts about one `scale` away from it, after a short
        optimisation.
    scale : ndarray, shape (size,)
        About one posterior SD of each coordinate.
    sampler : SamplerSpec
        Draws, chains and seed.
    progressbar : bool
        Show the progress of the chains.
    store : ChainStore, optional
        Keeps chains as they finish.

    Returns
    -------
    DataTree
        Groups ``posterior`` and ``sample_stats``, as PyMC returns them.

    Raises
    ------
    EntryUnavailableError
        If the installed nutpie cannot take a density; the PyMC graph can be sampled instead.
    """
    model = _standardised(density, first, scale)
    _report("compiled density", density.size, "coordinates", "nutpie", sampler)
    with threadpool_limits(1):
        start = digest_start([first, scale])
        drawn = sample_chains(model, sampler, start, store=store, progressbar=progressbar)
        points: Array = drawn["posterior"].to_dataset()["point"].values
        rng = generator(sampler.seed, Stream.OUTCOME)
        kept = density.outcome(points.reshape(-1, density.size), rng)
    attrs = {LIBRARY: "nutpie", LIBRARY_VERSION: nutpie.__version__}
    attrs |= {str(name): value for name, value in drawn["posterior"].attrs.items()}
    stats = drawn["sample_stats"].to_dataset()
    return pack_draws(kept, density.outcome_dims, points.shape[:2], stats, **attrs)


def _standardised(density: LogDensity, first: Array, scale: Array) -> Any:
    """Compile a density in units of `scale` around `first`."""

    def log_density(z: Array) -> tuple[float, Array]:
        value, gradient = density(first + scale * z)
        return value, gradient * scale

    def to_point(z: Array) -> Array:
        return first + scale * z

    def initial_point(seed: int) -> Array:
        """Displace every coordinate by one unit, then optimise for a few iterations.

        With thousands of coordinates that depend on each other, the log density of a displaced
        point is about a thousand nats too low. The first twenty draws would then have paths of
        the maximum length, and take as long as all later draws together.
        """
        z = np.random.default_rng(seed).choice([-1.0, 1.0], size=density.size)
        options = {"maxiter": INITIAL_STEPS, "maxfun": 2 * INITIAL_STEPS}
        found = minimize(_negative(log_density), z, jac=True, method="L-BFGS-B", options=options)
        return np.asarray(found.x)

    return compile_density(log_density, density.size, to_point, initial_point)


def _negative(log_density: LogDensityFunction) -> LogDensityFunction:
    def negative(z: Array) -> tuple[float, Array]:
        value, gradient = log_density(z)
        return -value, -gradient

    return negative


def _report(what: str, size: int, unit: str, used: str, sampler: SamplerSpec) -> None:
    log.info(
        "Sampling the %s (%d %s) with %s: %d chains of %d draws after %d warm-up draws, seed %d.",
        what,
        size,
        unit,
        used,
        sampler.chains,
        sampler.draws,
        sampler.tune,
        sampler.seed,
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress messages of the sampler, divergences included: `diagnose` reports them."""
    logger = logging.getLogger("pymc")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            warnings.filterwarnings("ignore", category=FutureWarning)
            warnings.filterwarnings("ignore", message=".*[Nn]umba.*")
            yield
    finally:
        logger.setLevel(level)
