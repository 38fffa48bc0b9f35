"""The one place that calls a sampler."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pymc as pm
import xarray as xr
from joblib import cpu_count
from threadpoolctl import threadpool_limits

from bayes_mdd.errors import SpecError
from bayes_mdd.specs import SamplerSpec


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


def _register_jax() -> None:
    try:
        from bayes_mdd.model import collapsed_jax
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
