"""From raw draws to the tree that users read: aligned, explained, with loadings."""

from __future__ import annotations

from typing import Any

import arviz as az
import numpy as np
import xarray as xr

from bayes_mdd.dims import (
    ARM,
    BLOCK,
    CHAIN,
    DIMENSION,
    DRAW,
    FACTOR,
    FEATURE,
    LOADING_DRAW,
    REGION,
    SUBJECT,
)
from bayes_mdd.shared_specific.data.model_data import ModelData
from bayes_mdd.shared_specific.likelihood.collapsed import collapsed_value_and_grad
from bayes_mdd.shared_specific.likelihood.student import sort_features, student_value_and_grad
from bayes_mdd.shared_specific.posterior.alignment import Alignment, align_factors
from bayes_mdd.shared_specific.posterior.explained import Explained, explain
from bayes_mdd.shared_specific.posterior.feature_noise import typical_noise
from bayes_mdd.shared_specific.posterior.loadings import summarise_loadings
from bayes_mdd.shared_specific.posterior.means import draw_arm_means
from bayes_mdd.shared_specific.posterior.symptoms import (
    SYMPTOM_DIMS,
    SYMPTOM_PLAIN,
    SYMPTOM_SIGNED,
    described_weights,
    observed_ratings,
    result_coords,
    symptom_invariants,
)
from bayes_mdd.shared_specific.prior.expression import fixed_sharing, mean_variance
from bayes_mdd.specs import SamplerSpec, SharedSpecificSpec
from bayes_mdd.types import Array

#: A factor is the same in all chains when the mean scores of each chain correlate with the
#: consensus by at least this much, and its explained variance has at most this R-hat.
MATCH_MIN = 0.9
RHAT_MAX = 1.05
#: Draws that loadings are summed up over: at least and at most, and features times draws between.
#: Means, SDs and probabilities are averages of closed forms; only intervals are made of draws.
LEAST_SUMMARY, MOST_SUMMARY, SUMMARY_NUMBERS = 100, 400, 12_000_000
#: Offset that keeps the seed of the loadings apart from the sampler's.
LOADINGS_STREAM = 7
PINNED_STREAM = 8
MEANS_STREAM = 9


def assemble(
    spec: SharedSpecificSpec,
    data: ModelData,
    raw: xr.DataTree,
    sampler: SamplerSpec,
    *,
    most_draws: int = MOST_SUMMARY,
) -> xr.DataTree:
    """Align the draws and add what follows from them.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model.
    data : ModelData
        The fitted data.
    raw : DataTree
        What the sampler returned.
    sampler : SamplerSpec
        For the seed and the intervals.
    most_draws : int, default 400
        Draws that loadings are summed up over, at most.

    Returns
    -------
    DataTree
        Without attributes.
    """
    draws, match = _aligned(spec, data, raw["posterior"].to_dataset(), sampler.seed)
    if spec.mean_scale > 0 and len(data.arms) > 1:
        rng = np.random.default_rng([sampler.seed, MEANS_STREAM])
        variance = mean_variance(spec, data.arms)
        draws["arm_mean"] = draw_arm_means(data, draws["scores"], draws["sharing"], variance, rng)
    flat = {name: x.reshape(-1, *x.shape[2:]) for name, x in draws.items()}
    shares = explain(
        data,
        flat["scores"],
        flat["sharing"],
        flat["block_scale"],
        flat["noise"],
        flat.get("noise_df"),
    )
    order = np.argsort(-shares.overall.mean(axis=(0, 1)), kind="stable")
    draws = {n: x if n in _PLAIN else x[..., order] for n, x in draws.items()}
    flat = {n: x if n in _PLAIN else x[..., order] for n, x in flat.items()}
    shape = draws["noise"].shape[:2]
    explained = shares.overall[..., order].reshape(*shape, len(data.arms), -1)
    by_block = shares.by_block[..., order].astype(np.float32)
    coords = _coords(spec, data)
    posterior = xr.Dataset(
        {
            **{name: ((CHAIN, DRAW, *_DIMS[name]), x) for name, x in draws.items()},
            "explained": ((CHAIN, DRAW, ARM, FACTOR), explained),
            "explained_block": (
                (CHAIN, DRAW, ARM, BLOCK, FACTOR),
                by_block.reshape(*shape, *by_block.shape[1:]),
            ),
            "communality": (
                (CHAIN, DRAW, ARM, BLOCK),
                shares.communality.reshape(*shape, len(data.arms), -1),
            ),
        },
        coords={**coords, CHAIN: np.arange(shape[0]), DRAW: np.arange(shape[1])},
        attrs=dict(raw["posterior"].attrs),
    )
    posterior = described_weights(posterior)
    return xr.DataTree.from_dict(
        {
            "posterior": posterior,
            "loadings": _loadings(spec, data, flat, coords, sampler, most_draws),
            "factors": _factors(posterior, match[:, order]),
            "invariants": _invariants(spec, posterior, shares, data),
            "log_likelihood": _log_likelihood(data, posterior),
            "sample_stats": _plain_stats(raw["sample_stats"].to_dataset()),
            "observed_data": _observed(data, coords),
            "constant_data": _constant(data, coords),
        }
    )


_DIMS = {
    "scores": (SUBJECT, FACTOR),
    "sharing": (ARM, FACTOR),
    "arm_mean": (ARM, FACTOR),
    "block_scale": (BLOCK, FACTOR),
    "noise": (BLOCK,),
    "noise_df": (),
    **SYMPTOM_DIMS,
}
_PLAIN = ("noise", "noise_df", *SYMPTOM_PLAIN)
_SIGNED = ("scores", *SYMPTOM_SIGNED)


def _aligned(
    spec: SharedSpecificSpec, data: ModelData, posterior: xr.Dataset, seed: int
) -> tuple[dict[str, Array], Array]:
    """Aligned draws with the factor last, and each chain's agreement with the consensus."""
    draws = {
        name: posterior[name].transpose(CHAIN, DRAW, *dims).values
        for name, dims in _DIMS.items()
        if name in posterior
    }
    fixed = fixed_sharing(spec, data.arms)
    found = align_factors(draws["scores"], draws["block_scale"], fixed=fixed)
    found = Alignment(found.order, found.sign * _orientation(data, draws, found), found.match)
    aligned = {
        name: x if name in _PLAIN else found.apply(x, signed=name in _SIGNED)
        for name, x in draws.items()
    }
    rng = np.random.default_rng([seed, PINNED_STREAM])
    return _with_pinned(spec, data, aligned, found.match, rng)


def _with_pinned(
    spec: SharedSpecificSpec,
    data: ModelData,
    draws: dict[str, Array],
    match: Array,
    rng: np.random.Generator,
) -> tuple[dict[str, Array], Array]:
    """Add the factors that were not sampled: scores and sharing at their prior, all else zero."""
    spare = spec.n_factors - match.shape[1]
    if spare == 0:
        return draws, match
    shape, n_arms = draws["noise"].shape[:2], len(data.arms)
    alpha = np.full(n_arms, spec.sharing_concentration)
    sharing = np.moveaxis(rng.dirichlet(alpha, size=(*shape, spare)), -1, 2)
    mean = rng.standard_normal(sharing.shape) * np.sqrt(mean_variance(spec, data.arms)[:, -spare:])
    spread = np.sqrt(n_arms * sharing)[:, :, data.arm]
    noise = rng.standard_normal(spread.shape)
    added = {"scores": mean[:, :, data.arm] + spread * noise, "sharing": sharing}
    padded = {
        name: x
        if name in _PLAIN
        else np.concatenate([x, added.get(name, np.zeros((*x.shape[:-1], spare)))], axis=-1)
        for name, x in draws.items()
    }
    return padded, np.concatenate([match, np.zeros((len(match), spare))], axis=1)


def _orientation(data: ModelData, draws: dict[str, Array], found: Alignment) -> Array:
    """Turn each factor so that its loadings are positive on the whole."""
    mean = found.apply(draws["scores"], signed=True).mean(axis=(0, 1))
    total = data.stats.basis.T @ data.features["y"].sum(FEATURE).values
    return np.where(total @ (data.stats.basis.T @ mean) < 0, -1.0, 1.0)


def _coords(spec: SharedSpecificSpec, data: ModelData) -> dict[str, Any]:
    return {
        SUBJECT: np.array(data.subjects, dtype=object),
        FACTOR: np.array([f"F{i + 1}" for i in range(spec.n_factors)], dtype=object),
        ARM: np.array(data.arms, dtype=object),
        BLOCK: np.array(data.stats.blocks, dtype=object),
        **result_coords(data),
    }


def _loadings(
    spec: SharedSpecificSpec,
    data: ModelData,
    flat: dict[str, Array],
    coords: dict[str, Any],
    sampler: SamplerSpec,
    most_draws: int,
) -> xr.Dataset:
    n, p = flat["noise"].shape[0], data.feature_noise.size
    wanted = int(np.clip(SUMMARY_NUMBERS // p, LEAST_SUMMARY, most_draws))
    rows = np.linspace(0, n - 1, min(n, max(wanted, sampler.loading_draws or 0)))
    rows = rows.round().astype(int)
    draws = (flat["scores"][rows], flat["block_scale"][rows], flat["noise"][rows])
    noise_df = flat["noise_df"][rows] if "noise_df" in flat else None
    summary, kept = summarise_loadings(
        data,
        *draws,
        sparse=spec.edge_prior == "spike_slab",
        ci_prob=sampler.ci_prob,
        keep=sampler.loading_draws,
        rng=np.random.default_rng([sampler.seed, LOADINGS_STREAM]),
        noise_df=noise_df,
    )
    own_noise: dict[str, Any] = {}
    if noise_df is not None:
        said = {"long_name": "noise of each feature: expected precision to the power -1/2"}
        own_noise["noise"] = ((FEATURE,), typical_noise(data, *draws, noise_df), said)
    described = {
        str(name): c.variable
        for name, c in data.features.coords.items()
        if c.dims in ((FEATURE,), (REGION,))
    }
    return xr.Dataset(
        {
            **{name: ((FACTOR, FEATURE), x) for name, x in summary.items()},
            "draws": ((LOADING_DRAW, FACTOR, FEATURE), kept),
            **own_noise,
        },
        coords={**described, FACTOR: coords[FACTOR]},
        attrs={
            "ci_prob": sampler.ci_prob,
            "ci_kind": "eti",
            "units": "SD of the standardised feature per SD of the factor's scores",
            "summary_draws": len(rows),
            "edge_prior": spec.edge_prior,
        },
    )


def _factors(posterior: xr.Dataset, match: Array) -> xr.Dataset:
    """Judge for each factor whether the chains agree."""
    watched = posterior["explained"]
    rhat = np.full(match.shape[1], np.nan)
    ess = np.full(match.shape[1], np.nan)
    for k in range(match.shape[1]):
        draws = [watched.isel({FACTOR: k, ARM: a}).values for a in range(watched.sizes[ARM])]
        if not any(x.any() for x in draws):  # pinned: nothing varies, nothing to compare
            continue
        if match.shape[0] > 1 and draws[0].shape[1] >= 4:
            rhat[k] = max(float(az.rhat(x)) for x in draws)
        if draws[0].shape[1] >= 4:
            ess[k] = min(float(az.ess(x)) for x in draws)
    reproducible = (match.min(axis=0) >= MATCH_MIN) & (rhat <= RHAT_MAX) & (match.shape[0] > 1)
    return xr.Dataset(
        {
            "match": ((CHAIN, FACTOR), match),
            "rhat": ((FACTOR,), rhat),
            "ess": ((FACTOR,), ess),
            "reproducible": ((FACTOR,), reproducible),
        },
        coords={CHAIN: posterior[CHAIN].values, FACTOR: posterior[FACTOR].values},
        attrs={"match_min": MATCH_MIN, "rhat_max": RHAT_MAX},
    )


def _invariants(
    spec: SharedSpecificSpec, posterior: xr.Dataset, shares: Explained, data: ModelData
) -> xr.Dataset:
    """Quantities that no order, sign or rotation of factors changes."""
    shape = (posterior.sizes[CHAIN], posterior.sizes[DRAW])
    learned = spec.feature_noise == "student" and spec.noise_df is None
    return xr.Dataset(
        {
            "noise": posterior["noise"],
            **({"noise_df": posterior["noise_df"]} if learned else {}),
            "communality": ((CHAIN, DRAW, ARM), _by_arm(shares, data).reshape(*shape, -1)),
            "similarity": ((CHAIN, DRAW, "pair"), shares.similarity.reshape(*shape, -1)),
            **symptom_invariants(posterior, data),
        }
    )


def _by_arm(shares: Explained, data: ModelData) -> Array:
    """Fitted variance of an arm's people over all features, per feature."""
    size = data.n_features
    return np.asarray((shares.communality * size).sum(axis=2) / size.sum())


def _log_likelihood(data: ModelData, posterior: xr.Dataset) -> xr.Dataset:
    """Of each block, given the draw: the features of a block share their scores."""
    stats = data.stats
    scores = posterior["scores"].values @ np.eye(posterior.sizes[FACTOR])
    value = np.empty((*scores.shape[:2], len(stats.blocks)))
    traces = stats.traces
    rows = sort_features(data) if "noise_df" in posterior else None
    for c, d in np.ndindex(*scores.shape[:2]):
        here = (
            stats.basis.T @ scores[c, d],
            np.ascontiguousarray(posterior["block_scale"].values[c, d]),
            np.ascontiguousarray(posterior["noise"].values[c, d]),
        )
        if rows is not None:
            df = float(posterior["noise_df"].values[c, d])
            value[c, d] = student_value_and_grad(*here, df, rows.y, rows.start)[0]
            continue
        value[c, d] = collapsed_value_and_grad(
            *here, stats.cross_products, traces, stats.block_size
        )[0]
    return xr.Dataset(
        {"features": ((CHAIN, DRAW, BLOCK), value)},
        coords={BLOCK: posterior[BLOCK].values},
        attrs={
            "unit": "block of features, all people; not pointwise per person",
            "feature_weight": data.weight,
        },
    )


def _plain_stats(stats: xr.Dataset) -> xr.Dataset:
    """Keep what every back end reports in types that netCDF holds."""
    return stats[[v for v in stats.data_vars if stats[v].dtype != object]]


def _observed(data: ModelData, coords: dict[str, Any]) -> xr.Dataset:
    found = xr.Dataset(
        {
            "features": (
                (BLOCK, "component", "component_2"),
                data.stats.cross_products / data.weight,
                {"long_name": "cross-products of the features after projecting the design out"},
            )
        },
        coords={BLOCK: coords[BLOCK]},
    )
    y = data.features["y"].transpose(SUBJECT, FEATURE).astype(np.float32)
    found["y"] = ((SUBJECT, FEATURE), y.values, {"long_name": "features as they were given"})
    found = found.assign(observed_ratings(data))
    return found.assign_coords(
        {
            SUBJECT: coords[SUBJECT],
            FEATURE: data.features[FEATURE].values,
            **({DIMENSION: [s.name for s in data.symptoms]} if data.symptoms else {}),
        }
    )


def _constant(data: ModelData, coords: dict[str, Any]) -> xr.Dataset:
    people = {
        str(name): c.variable
        for name, c in data.features.coords.items()
        if c.dims == (SUBJECT,) and name not in (SUBJECT, ARM)
    }
    return xr.Dataset(
        {
            ARM: ((SUBJECT,), np.array([data.arms[a] for a in data.arm], dtype=object)),
            "design": ((SUBJECT, "covariate"), data.design.to_numpy()),
            "block_size": ((BLOCK,), data.n_features),
            "feature_weight": ((), data.weight),
            "feature_noise": ((FEATURE,), data.feature_noise),
        },
        coords={
            SUBJECT: coords[SUBJECT],
            BLOCK: coords[BLOCK],
            FEATURE: data.features[FEATURE].values,
            "covariate": np.array(data.design.columns, dtype=object),
            **people,
        },
    )
