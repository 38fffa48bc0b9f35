"""The result of a fit from the draws of a sampler: alignment, and assembly of all groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from bayes_mdd.dims import (
    ARM,
    BLOCK,
    CHAIN,
    DRAW,
    FACTOR,
    FEATURE,
    REGION,
    SUBJECT,
)
from bayes_mdd.files.layout import add_coordinates, by_chain, spaced
from bayes_mdd.results.schema import describe_variables
from bayes_mdd.shared_specific.data.model_data import ModelData
from bayes_mdd.shared_specific.posterior.alignment import Alignment, align_factors
from bayes_mdd.shared_specific.posterior.derived import (
    block_log_likelihood,
    collect_invariants,
    summarise_agreement,
)
from bayes_mdd.shared_specific.posterior.edge_maps import summarise_edge_maps
from bayes_mdd.shared_specific.posterior.edges import edge_explained, edge_scales
from bayes_mdd.shared_specific.posterior.explained import Explained, explain
from bayes_mdd.shared_specific.posterior.feature_noise import typical_noise
from bayes_mdd.shared_specific.posterior.loadings import STORED_NUMBERS, summarise_loadings
from bayes_mdd.shared_specific.posterior.means import draw_arm_means
from bayes_mdd.shared_specific.posterior.stability import collect_reliability
from bayes_mdd.shared_specific.posterior.stored_data import (
    build_constant_data,
    build_observed_data,
    build_whitening_data,
    fitted_block,
)
from bayes_mdd.shared_specific.posterior.symptoms import describe_weights, result_coords
from bayes_mdd.shared_specific.prior.arms import fixed_sharing, mean_variance
from bayes_mdd.shared_specific.schema import (
    ARM_MEAN,
    BLOCK_DENSITY,
    BLOCK_SCALE,
    COMMUNALITY,
    CONSTANT_DATA,
    DRAWN,
    EXPLAINED,
    EXPLAINED_BLOCK,
    FACTORS,
    INVARIANTS,
    LOADING_UNIT,
    LOADINGS,
    NOISE,
    NOISE_DF,
    OBSERVED_DATA,
    POSTERIOR,
    RELIABILITY,
    SAMPLE_STATS,
    SCHEMA,
    SCORES,
    SHARING,
    SYMPTOM_WEIGHT,
    SYMPTOM_WEIGHT_BY_ARM,
    WHITENING,
)
from bayes_mdd.specs import SamplerSpec, SharedSpecificSpec
from bayes_mdd.streams import Stream, generator
from bayes_mdd.types import Array

#: Fewest and most draws that loadings are summarised over; in between, features times draws are
#: bounded. Means, SDs and probabilities are averages of closed forms; only intervals need draws.
MIN_SUMMARY, MOST_SUMMARY, SUMMARY_NUMBERS = 100, 400, 12_000_000

#: Dimensions of drawn variables in a result.
_DIMS = {v.name: v.dims or () for v in DRAWN}
#: The same within a draw, the factor last, which is how they are handled here.
_AXES = {
    name: tuple(sorted((d for d in dims if d not in (CHAIN, DRAW)), key=lambda d: d == FACTOR))
    for name, dims in _DIMS.items()
}
#: Variables that change sign with their factor.
_SIGNED = (SCORES, SYMPTOM_WEIGHT, SYMPTOM_WEIGHT_BY_ARM)


def assemble(
    spec: SharedSpecificSpec,
    data: ModelData,
    raw: xr.DataTree,
    sampler: SamplerSpec,
    *,
    most_draws: int = MOST_SUMMARY,
) -> xr.DataTree:
    """Align the draws of a sampler and add the quantities that follow from them.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model.
    data : ModelData
        The fitted data.
    raw : DataTree
        Groups ``posterior`` and ``sample_stats``, as a sampler returns them.
    sampler : SamplerSpec
        Its seed, and what it says of intervals and draws of loadings, are read.
    most_draws : int, default 400
        Draws that loadings are summarised over, at most.

    Returns
    -------
    DataTree
        All groups of a result, see `bayes_mdd.shared_specific.schema`; without attributes of its
        own. Factors are in descending order of the variance that they explain. Those that were
        pinned to zero are left out: they are no result.
    """
    draws, match = _align(spec, data, raw[POSTERIOR].to_dataset())
    if spec.mean_scale > 0 and len(data.arms) > 1:
        rng = generator(sampler.seed, Stream.ARM_MEANS)
        # A spec that fixes the pattern has no pinned factors, which are not drawn.
        n_drawn = draws[SHARING].shape[-1]
        drawn = replace(spec, n_factors=n_drawn) if spec.sharing is None else spec
        variance = mean_variance(drawn, data.arms)
        draws[ARM_MEAN] = draw_arm_means(data, draws[SCORES], draws[SHARING], variance, rng)
    flat = {name: x.reshape(-1, *x.shape[2:]) for name, x in draws.items()}
    shares = explain(
        data, flat[SCORES], flat[SHARING], flat[BLOCK_SCALE], flat[NOISE], flat.get(NOISE_DF)
    )
    if data.whitening is not None:
        rng = generator(sampler.seed, Stream.EDGE_ERRORS)
        scores = np.where(flat[BLOCK_SCALE].any(axis=1)[:, None], flat[SCORES], 0.0)
        overall, by_block = edge_explained(
            data, scores, flat[SHARING], flat[NOISE].mean(axis=0), rng
        )
        shares = replace(shares, overall=overall, by_block=by_block)
    order = np.argsort(-shares.overall.mean(axis=(0, 1)), kind="stable")
    draws, flat = _in_order(draws, order), _in_order(flat, order)
    coords = _coords(data, len(order))
    posterior = _posterior(data, draws, shares, order, coords, raw[POSTERIOR].attrs)
    reliable = collect_reliability(data, posterior)
    tree = xr.DataTree.from_dict(
        {
            **({} if reliable is None else {RELIABILITY: reliable}),
            **({} if data.whitening is None else {WHITENING: build_whitening_data(data)}),
            POSTERIOR: posterior,
            LOADINGS: _loadings(spec, data, flat, coords, sampler, most_draws, len(match)),
            FACTORS: summarise_agreement(posterior, match[:, order]),
            INVARIANTS: collect_invariants(spec, posterior, shares, data),
            BLOCK_DENSITY: block_log_likelihood(data, posterior),
            SAMPLE_STATS: _storable(raw[SAMPLE_STATS].to_dataset()),
            OBSERVED_DATA: build_observed_data(data, coords),
            CONSTANT_DATA: build_constant_data(data, coords),
        }
    )
    return describe_variables(add_coordinates(tree), SCHEMA)


def _has_factors(name: str) -> bool:
    return FACTOR in _AXES[name]


def _in_order(draws: dict[str, Array], order: np.ndarray) -> dict[str, Array]:
    return {n: x[..., order] if _has_factors(n) else x for n, x in draws.items()}


def _align(
    spec: SharedSpecificSpec, data: ModelData, posterior: xr.Dataset
) -> tuple[dict[str, Array], Array]:
    """Aligned draws with the factor last, and each chain's agreement with the consensus."""
    draws = {
        name: posterior[name].transpose(CHAIN, DRAW, *axes).values
        for name, axes in _AXES.items()
        if name in posterior
    }
    # With one arm all rows are equal, and as many factors as were sampled may be exchanged.
    fixed = None if spec.sharing is None else fixed_sharing(spec, data.arms)
    found = align_factors(draws[SCORES], draws[BLOCK_SCALE], fixed=fixed)
    found = Alignment(found.order, found.sign * _orientation(data, draws, found), found.match)
    aligned = {
        name: found.apply(x, signed=name in _SIGNED) if _has_factors(name) else x
        for name, x in draws.items()
    }
    return aligned, found.match


def _orientation(data: ModelData, draws: dict[str, Array], found: Alignment) -> Array:
    """Signs that make the sum of each factor's loadings positive."""
    mean = found.apply(draws[SCORES], signed=True).mean(axis=(0, 1))
    shown = data.shown
    total = shown.stats.score_basis.T @ shown.features["y"].sum(FEATURE).values
    return np.where(total @ (shown.stats.score_basis.T @ mean) < 0, -1.0, 1.0)


def _coords(data: ModelData, n_factors: int) -> dict[str, Any]:
    return {
        SUBJECT: np.array(data.subjects, dtype=object),
        FACTOR: np.array([f"F{i + 1}" for i in range(n_factors)], dtype=object),
        ARM: np.array(data.arms, dtype=object),
        BLOCK: np.array(data.shown.stats.blocks, dtype=object),
        fitted_block(data): np.array(data.stats.blocks, dtype=object),
        **result_coords(data),
    }


def _posterior(
    data: ModelData,
    draws: dict[str, Array],
    shares: Explained,
    order: np.ndarray,
    coords: dict[str, Any],
    attrs: Mapping[Any, Any],
) -> xr.Dataset:
    """Group ``posterior``: aligned draws, and the variance that the factors explain."""
    chains, n_draws = draws[NOISE].shape[:2]
    of = {BLOCK: fitted_block(data)}
    found = xr.Dataset(
        {n: ((CHAIN, DRAW, *(of.get(d, d) for d in _AXES[n])), x) for n, x in draws.items()},
        coords={**coords, CHAIN: np.arange(chains), DRAW: np.arange(n_draws)},
        attrs=dict(attrs),
    )
    found = found.assign(
        {name: found[name].transpose(*(of.get(d, d) for d in _DIMS[name])) for name in draws}
    )
    derived: dict[str, tuple[tuple[str, ...], np.ndarray]] = {
        EXPLAINED: ((ARM, FACTOR), shares.overall[..., order]),
        EXPLAINED_BLOCK: ((ARM, BLOCK, FACTOR), shares.by_block[..., order].astype(np.float32)),
        COMMUNALITY: ((ARM, fitted_block(data)), shares.communality),
    }
    return describe_weights(
        found.assign(
            {
                name: ((CHAIN, DRAW, *axes), x.reshape(chains, n_draws, *x.shape[1:]))
                for name, (axes, x) in derived.items()
            }
        )
    )


def _loadings(
    spec: SharedSpecificSpec,
    data: ModelData,
    flat: dict[str, Array],
    coords: dict[str, Any],
    sampler: SamplerSpec,
    most_draws: int,
    chains: int,
) -> xr.Dataset:
    """Group ``loadings``: maps of the factors, from a thinned part of the draws."""
    shown = data.shown
    n, p = flat[NOISE].shape[0], shown.feature_noise.size
    wanted = int(np.clip(SUMMARY_NUMBERS // p, MIN_SUMMARY, most_draws))
    rows = spaced(n, min(n, max(wanted, sampler.loading_draws or 0)))
    keep = _kept_draws(len(rows), len(coords[FACTOR]) * p, sampler.loading_draws, chains)
    draws = (flat[SCORES][rows], flat[BLOCK_SCALE][rows], flat[NOISE][rows])
    if data.whitening is not None:
        scores = np.where(draws[1].any(axis=1)[:, None], draws[0], 0.0)
        draws = (draws[0], *edge_scales(data, scores))
    noise_df = flat[NOISE_DF][rows] if NOISE_DF in flat else None
    summary, kept = summarise_loadings(
        shown,
        *draws,
        sparse=spec.edge_prior == "spike_slab",
        ci_prob=sampler.ci_prob,
        keep=keep,
        rng=generator(sampler.seed, Stream.LOADINGS),
        noise_df=noise_df,
    )
    if data.whitening is not None:
        # Of the spike and slab, which takes edges as independent, only the inclusion is kept.
        of_maps, kept = summarise_edge_maps(
            data,
            scores,
            ci_prob=sampler.ci_prob,
            keep=keep,
            rng=generator(sampler.seed, Stream.EDGE_LOADINGS),
        )
        summary |= of_maps
    variables: dict[str, Any] = {name: ((FACTOR, FEATURE), x) for name, x in summary.items()}
    of_draws = rows[spaced(len(rows), len(kept))]
    drawn = by_chain(kept, of_draws, n // chains, chains)
    if noise_df is not None:
        variables[NOISE] = ((FEATURE,), typical_noise(data, *draws, noise_df))
    of_features = {
        str(name): c.variable
        for name, c in shown.features.coords.items()
        if c.dims in ((FEATURE,), (REGION,))
    }
    return xr.Dataset(
        {**variables, **drawn.data_vars},
        coords={**of_features, FACTOR: coords[FACTOR], **drawn.coords},
        attrs={
            "ci_prob": sampler.ci_prob,
            "ci_kind": "eti",
            "units": LOADING_UNIT,
            "summary_draws": len(rows),
            "edge_prior": spec.edge_prior,
        },
    )


def _kept_draws(n: int, size: int, wanted: int | None, chains: int) -> int:
    """Count the draws of maps of this size to keep, as many of each chain."""
    kept = min(n, wanted or min(500, max(1, STORED_NUMBERS // max(1, size))))
    return max(1, kept // chains) * chains


def _storable(stats: xr.Dataset) -> xr.Dataset:
    """Statistics of the sampler in types that netCDF holds."""
    return stats[[v for v in stats.data_vars if stats[v].dtype != object]]
