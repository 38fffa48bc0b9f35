"""The fit of polar LDA, with the permutation null, restarts and token scales shown next to it."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import xarray as xr

from bayes_mdd.dims import ARM, CHAIN, DRAW, FACTOR, FEATURE, SUBJECT
from bayes_mdd.polar_lda.data import PolarData
from bayes_mdd.polar_lda.em.fitting import fit_counts
from bayes_mdd.polar_lda.groups import blocks_group, judge_restarts, summarise_maps
from bayes_mdd.polar_lda.robustness.bootstrap import bootstrap_maps
from bayes_mdd.polar_lda.robustness.null import null_run
from bayes_mdd.polar_lda.robustness.overlap import posterior_overlap, published_overlap
from bayes_mdd.polar_lda.robustness.token_scale import nominal_sd, token_sensitivity
from bayes_mdd.sampling.chains import ChainStore
from bayes_mdd.sampling.draws import sampler_version
from bayes_mdd.specs import PolarLDASpec, SamplerSpec


def fit_polar_lda(
    spec: PolarLDASpec,
    data: PolarData,
    sampler: SamplerSpec,
    *,
    progressbar: bool,
    store: ChainStore | None = None,
) -> tuple[xr.DataTree, dict[str, Any]]:
    """Fit the model, and compute what a reader needs to judge the fit.

    Parameters
    ----------
    spec : PolarLDASpec
        The model.
    data : PolarData
        From `prepare_counts`.
    sampler : SamplerSpec
        Seed and intervals; with ``method="full_bayes"`` also draws and chains.
    progressbar : bool
        Whether the sampler shows one.
    store : ChainStore, optional
        Keeps chains as they finish.

    Returns
    -------
    idata : DataTree
        Groups ``posterior``, ``loadings``, ``factors``, ``blocks``, ``model``, ``restarts``,
        ``null``, ``sensitivity``, ``constant_data``.
    facts : dict
        For the provenance: seconds of each stage; with ``method="full_bayes"`` also what was
        sampled and with which sampler.
    """
    clock = _Clock()
    model = fit_counts(
        data.counts,
        spec.n_factors,
        spec.n_restarts,
        sampler.seed,
        choose_by=spec.choose_by,
        tolerance=1e-8,
        absent_edges=spec.absent_edges,
    )
    clock.lap("variational_em")
    null = null_run(data.counts, spec.n_factors, n_null=spec.n_null, seed=sampler.seed)
    clock.lap("null")
    sensitivity = token_sensitivity(data.features["y"].values, model, rounding=spec.rounding)
    clock.lap("sensitivity")
    if spec.method == "full_bayes":
        from bayes_mdd.polar_lda.bayes.sampling import sample_composition

        groups = sample_composition(
            spec, data, model, sampler, progressbar=progressbar, store=store
        )
        clock.lap("compile_and_sample")
    else:
        groups = _bootstrap(spec, data, model, sampler)
        clock.lap("bootstrap")
    idata = xr.DataTree.from_dict(
        {
            **groups,
            "model": _labelled(model, data),
            "restarts": model[["restart_elbo", "restart_agreement", "restart_match"]],
            "null": null,
            "sensitivity": sensitivity.set_index("scale").to_xarray(),
            "constant_data": _constant(data),
        }
    )
    idata.attrs["method"] = spec.method
    facts: dict[str, Any] = {**clock.seconds}
    if spec.method == "full_bayes":
        facts |= {"sampled": "graph", "sampler_used": sampler_version(idata)}
    return idata, facts


class _Clock:
    """Seconds per stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._at = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name] = round(now - self._at, 2)
        self._at = now


def _bootstrap(
    spec: PolarLDASpec, data: PolarData, model: xr.Dataset, sampler: SamplerSpec
) -> dict[str, xr.Dataset]:
    """Uncertainty of the fitted solution from subjects resampled within arms."""
    boot = bootstrap_maps(
        data.counts,
        model,
        blocks=data.blocks.tolist(),
        strata=data.arm.tolist(),
        n_resamples=spec.n_resamples,
        seed=sampler.seed,
    )
    theta = boot["composition_draws"].values[None].astype(np.float64)
    posterior = xr.Dataset(
        {
            "composition": ((CHAIN, DRAW, SUBJECT, FACTOR), theta),
            "scores": ((CHAIN, DRAW, SUBJECT, FACTOR), theta),
            "arm_expression": ((CHAIN, DRAW, ARM, FACTOR), boot["arm_draws"].values[None]),
        },
        coords={
            CHAIN: [0],
            DRAW: np.arange(spec.n_resamples),
            SUBJECT: data.features[SUBJECT].values.astype(object),
            ARM: boot[ARM].values,
            FACTOR: boot[FACTOR].values,
        },
        attrs={
            "draws_are": "bootstrap resamples of participants, each refitted; not posterior draws",
            "nominal_sd": float(np.sqrt((nominal_sd(model["gamma"].values) ** 2).mean())),
        },
    )
    n = data.counts.shape[1]
    draws = boot["map_draws"].values.astype(np.float64) * n
    loadings = summarise_maps(draws, data, sampler, kind="bootstrap percentile")
    loadings["mean"] = ((FACTOR, FEATURE), boot["map"].values * n)
    rule, joint = published_overlap(boot), posterior_overlap(boot["block_draws"])
    return {
        "posterior": posterior,
        "loadings": loadings,
        "factors": judge_restarts(model),
        "blocks": blocks_group(boot["block_map"] * n, rule, joint),
    }


def _labelled(model: xr.Dataset, data: PolarData) -> xr.Dataset:
    kept = model[["beta", "rho", "map", "composition", "gamma", "history"]]
    named = kept.rename(person=SUBJECT, edge=FEATURE)
    return named.assign_coords(
        {
            SUBJECT: data.features[SUBJECT].values.astype(object),
            FEATURE: data.features[FEATURE].values.astype(object),
        }
    )


def _constant(data: PolarData) -> xr.Dataset:
    known = {
        str(name): c.variable
        for name, c in data.features.coords.items()
        if c.dims == (SUBJECT,) and name not in (SUBJECT, ARM)
    }
    tokens = np.abs(data.counts.astype(np.int64)).sum(axis=1)
    return xr.Dataset(
        {ARM: ((SUBJECT,), data.arm.astype(object)), "tokens": ((SUBJECT,), tokens)},
        coords={SUBJECT: data.features[SUBJECT].values.astype(object), **known},
    )
