"""Sample the signed-block model of polar LDA and label the result."""

from __future__ import annotations

import arviz as az
import numpy as np
import xarray as xr
from scipy.optimize import linear_sum_assignment

from bayes_mdd.dims import ARM, BLOCK, CHAIN, DRAW, FACTOR, SUBJECT
from bayes_mdd.polar_lda.bayes.composition import (
    STORED,
    build_composition,
    composition_start,
    refine_compositions,
)
from bayes_mdd.polar_lda.bayes.data import CompositionData, sum_blocks
from bayes_mdd.polar_lda.data import PolarData
from bayes_mdd.polar_lda.groups import blocks_group, summarise_maps
from bayes_mdd.polar_lda.robustness.overlap import posterior_overlap
from bayes_mdd.results.rules import FACTOR_RHAT_MAX, MATCH_MIN
from bayes_mdd.sampling.chains import ChainStore
from bayes_mdd.sampling.sample import sample_graph
from bayes_mdd.specs import PolarLDASpec, SamplerSpec
from bayes_mdd.types import Array, IntArray


def sample_composition(
    spec: PolarLDASpec,
    data: PolarData,
    model: xr.Dataset,
    sampler: SamplerSpec,
    *,
    progressbar: bool,
    store: ChainStore | None = None,
) -> dict[str, xr.Dataset]:
    """Sample compositions, patterns of signed blocks and arms together.

    Parameters
    ----------
    spec : PolarLDASpec
        The model.
    data : PolarData
        Subjects and counts.
    model : Dataset
        Variational solution from `fit_counts`, for initial values and the order of factors.
    sampler : SamplerSpec
        Draws, chains, seed and intervals.
    progressbar : bool
        Whether to show one.
    store : ChainStore, optional
        Keeps chains as they finish.

    Returns
    -------
    dict of str to Dataset
        Groups ``posterior``, ``loadings``, ``factors``, ``blocks``, ``sample_stats``.
    """
    subjects = data.features[SUBJECT].values.astype(str)
    tokens = sum_blocks(data.counts, data.blocks, data.arm, subjects)
    composition = model["composition"].values
    initial = refine_compositions(tokens, composition)
    raw = sample_graph(
        build_composition(tokens, spec.n_factors, initial),
        composition_start(tokens, initial, initial),
        sampler,
        var_names=list(STORED),
        progressbar=progressbar,
        store=store,
    )
    posterior = _align(raw["posterior"].to_dataset(), composition, tokens)
    maps = posterior["pattern"]
    at = {name: i for i, name in enumerate(tokens.blocks)}
    edge_maps = maps.values[..., [at[b] for b in data.blocks]]
    edge_maps = edge_maps.reshape(-1, *edge_maps.shape[2:])
    loadings = summarise_maps(edge_maps, data, sampler, kind="eti")
    loadings.attrs["units"] = "mean deviation of the block's edges in SD of an edge"
    loadings.attrs["resolution"] = "block: all edges of a block carry the block's value"
    stats = raw["sample_stats"].to_dataset()
    blocks = blocks_group(maps.mean((CHAIN, DRAW)), None, posterior_overlap(maps))
    blocks["n_edges"] = ((BLOCK,), tokens.size)
    return {
        "posterior": posterior,
        "loadings": loadings,
        "factors": _judge_chains(posterior),
        "blocks": blocks,
        "sample_stats": stats[[v for v in stats.data_vars if stats[v].dtype != object]],
    }


def _align(raw: xr.Dataset, reference: Array, tokens: CompositionData) -> xr.Dataset:
    """Bring the factors of every draw into the order of the variational solution."""
    theta = raw["composition"].transpose(CHAIN, DRAW, SUBJECT, FACTOR).values
    pattern = raw["pattern"].transpose(CHAIN, DRAW, FACTOR, BLOCK).values
    chains, draws = theta.shape[:2]
    arms = raw["arm_expression"].transpose(CHAIN, DRAW, ARM, FACTOR).values
    order = _match_draws(theta, reference)
    theta = np.take_along_axis(theta, order[:, :, None, :], axis=-1)
    arms = np.take_along_axis(arms, order[:, :, None, :], axis=-1)
    pattern = np.take_along_axis(pattern, order[:, :, :, None], axis=2)
    return xr.Dataset(
        {
            "composition": ((CHAIN, DRAW, SUBJECT, FACTOR), theta),
            "scores": ((CHAIN, DRAW, SUBJECT, FACTOR), theta),
            "arm_expression": ((CHAIN, DRAW, ARM, FACTOR), arms),
            "pattern": ((CHAIN, DRAW, FACTOR, BLOCK), pattern),
            "token_worth": ((CHAIN, DRAW), raw["token_worth"].values),
            "spread": ((CHAIN, DRAW), raw["spread"].values),
            "concentration": ((CHAIN, DRAW), raw["concentration"].values),
        },
        coords={
            CHAIN: np.arange(chains),
            DRAW: np.arange(draws),
            SUBJECT: np.array(tokens.subjects, dtype=object),
            ARM: np.array(tokens.arms, dtype=object),
            FACTOR: [f"F{k + 1}" for k in range(theta.shape[-1])],
            BLOCK: np.array(tokens.blocks, dtype=object),
        },
        attrs={"draws_are": "posterior draws", "n_edges": tokens.n_edges, **raw.attrs},
    )


def _match_draws(theta: Array, reference: Array) -> IntArray:
    """Order of factors that matches each draw's compositions with the reference, by correlation."""
    centred = theta - theta.mean(axis=2, keepdims=True)
    known = reference - reference.mean(axis=0)
    product = np.einsum("cdmk,mj->cdjk", centred, known)
    size = np.sqrt((centred**2).sum(axis=2))[:, :, None, :]
    similarity = product / np.maximum(size, 1e-12)
    order = np.empty((*theta.shape[:2], theta.shape[-1]), dtype=np.int64)
    for c, d in np.ndindex(*theta.shape[:2]):
        order[c, d] = linear_sum_assignment(similarity[c, d], maximize=True)[1]
    return order


def _judge_chains(posterior: xr.Dataset) -> xr.Dataset:
    """Check for each factor whether the chains agree."""
    theta = posterior["composition"]
    mean = theta.mean((CHAIN, DRAW)).values
    n_chains, n_factors = theta.sizes[CHAIN], theta.sizes[FACTOR]
    match = np.ones((n_chains, n_factors))
    for c in range(n_chains):
        own = theta.isel({CHAIN: c}).mean(DRAW).values
        match[c] = [np.corrcoef(own[:, k], mean[:, k])[0, 1] for k in range(n_factors)]
    match = np.nan_to_num(match)
    rhat = np.full(n_factors, np.nan)
    if n_chains > 1 and theta.sizes[DRAW] >= 4:
        every = az.rhat(posterior[["composition", "arm_expression"]])
        rhat = np.maximum(
            every["composition"].max(SUBJECT).values, every["arm_expression"].max(ARM).values
        )
    agree = (match.min(axis=0) >= MATCH_MIN) & (rhat <= FACTOR_RHAT_MAX)
    return xr.Dataset(
        {
            "match": ((FACTOR,), match.min(axis=0)),
            "rhat": ((FACTOR,), rhat),
            "reproducible": ((FACTOR,), agree),
        },
        coords={FACTOR: posterior[FACTOR].values},
        attrs={"match_min": MATCH_MIN, "rhat_max": FACTOR_RHAT_MAX},
    )
