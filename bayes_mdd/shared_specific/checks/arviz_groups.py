"""Groups that functions of ArviZ need beside the posterior."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import xarray as xr

from bayes_mdd.dims import ARM, BLOCK, CHAIN, DRAW, FACTOR, FEATURE, SUBJECT, SYMPTOM
from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.results.result import Result, read_result
from bayes_mdd.shared_specific.checks.log_prior import log_priors
from bayes_mdd.shared_specific.checks.prior_predictive import draw_factors, draw_symptoms
from bayes_mdd.shared_specific.checks.refit_without import describe_data
from bayes_mdd.shared_specific.new_subjects.fitted import Fitted
from bayes_mdd.shared_specific.new_subjects.leave_one_out import subject_log_likelihood
from bayes_mdd.shared_specific.new_subjects.read_fitted import MAX_DRAWS, read_fitted
from bayes_mdd.shared_specific.prior.priors import build_priors
from bayes_mdd.shared_specific.schema import (
    CONSTANT_DATA,
    LOG_LIKELIHOOD,
    LOG_PRIOR,
    OBSERVED_DATA,
    POSTERIOR,
    POSTERIOR_PREDICTIVE,
    PRIOR,
    SAMPLE_STATS,
    WHITENED_BLOCK,
)
from bayes_mdd.shared_specific.spec import spec_of
from bayes_mdd.streams import Stream, generator
from bayes_mdd.types import Array, IntArray

#: Variables of the posterior whose prior is drawn, with their dimensions within a draw.
PRIOR_DIMS = {
    "sharing": (ARM, FACTOR),
    "arm_mean": (ARM, FACTOR),
    "block_scale": (BLOCK, FACTOR),
    "noise": (BLOCK,),
    "explained": (ARM, FACTOR),
    "symptom_weight": (FACTOR, SYMPTOM),
}


def add_arviz_groups(
    idata: xr.DataTree,
    *,
    training: xr.Dataset | None = None,
    max_draws: int = MAX_DRAWS,
    predictive_draws: int = 100,
    prior_draws: int = 2000,
    max_features: int = 2000,
    seed: int = 1,
) -> xr.DataTree:
    """Add the groups that functions of ArviZ need beside the posterior.

    A run holds the posterior and the statistics of the sampler, which is enough for summaries,
    traces and diagnostics. The groups added here serve `arviz.loo` and `arviz.compare`
    (``log_likelihood``), `arviz.psense_summary` (``log_prior``), `arviz.plot_ppc_dist`
    (``posterior_predictive``) and `arviz.plot_prior_posterior` (``prior``).

    Parameters
    ----------
    idata : DataTree
        From `fit`. It is not changed.
    training : Dataset, optional
        FeatureSet of the fit; needed where the run does not hold it.
    max_draws : int, default 1000
        Draws of the posterior to use at most, evenly spaced within chains.
    predictive_draws : int, default 100
        Draws of replicated features.
    prior_draws : int, default 2000
        Draws from the priors.
    max_features : int, default 2000
        Features that are replicated, at most, evenly spaced.
    seed : int, default 1
        Of all draws.

    Returns
    -------
    DataTree
        ``posterior`` and ``sample_stats``, thinned to the same draws, without factors that were
        not sampled; ``log_likelihood``: ``features`` (chain, draw, subject), the log density of a
        subject's features given all other subjects, with scores, loadings and covariate effects
        integrated out, so that participants are the observations; ``log_prior``: one variable for
        each group of priors; ``prior``: variables of the posterior drawn from their priors;
        ``posterior_predictive`` and ``observed_data``: ``y`` (subject, feature), in the unit of the
        features that were fitted, which are the whitened ones where edges were whitened;
        ``constant_data`` of the run.

    Raises
    ------
    DataContractError
        If the run has no factor, or does not contain its features.

    Warns
    -----
    UserWarning
        If there is no ``log_likelihood``, because each feature has its own noise or the likelihood
        is weighted.

    See Also
    --------
    leave_one_out : With refits where importance sampling fails, which it does for most subjects
        with many features; `arviz.loo` warns of it.
    prior_sensitivity : Sensitivity of results, with the likelihood of symptoms, which
        ``log_likelihood`` does not contain.

    Notes
    -----
    Factors are ordered by the variance that they explain, but priors do not know this order: the
    prior of F1 is that of any factor. The prior of ``explained`` is left out where edges were
    whitened, because it refers to edges and the priors to whitened features.

    Examples
    --------
    >>> import arviz as az
    >>> import bayes_mdd as bm
    >>> tree = bm.add_arviz_groups(bm.read_run("runs/demo"))  # doctest: +SKIP
    >>> az.loo(tree).n_data_points  # doctest: +SKIP
    62
    """
    result = read_result(idata)
    spec_of(result)
    fitted = read_fitted(result, training, max_draws=max_draws)
    on = np.flatnonzero(fitted.draws.block_scale.any(axis=(0, 1)))
    if not on.size:
        raise DataContractError("run", ["it has no factor, so there is nothing to examine."])
    draws = fitted.draws
    at = np.searchsorted(result.posterior[DRAW].values, draws.draw)
    rng = generator(seed, Stream.ARVIZ)
    chosen = result.posterior.isel({DRAW: at})
    coords = {CHAIN: draws.chain, DRAW: draws.draw}
    stats = result.group(SAMPLE_STATS)
    groups = {
        POSTERIOR: chosen.isel({FACTOR: on}),
        SAMPLE_STATS: stats.isel({DRAW: at}).assign_coords(coords),
        LOG_PRIOR: _log_prior(fitted, chosen, on, generator(seed, Stream.SENSITIVITY)),
        PRIOR: _prior(result, fitted, on, prior_draws, rng),
        CONSTANT_DATA: result.constant,
    }
    try:
        value = subject_log_likelihood(result, training=training, max_draws=max_draws, seed=seed)
    except SpecError as error:
        warnings.warn(f"No group log_likelihood: {error}", stacklevel=2)
    else:
        groups[LOG_LIKELIHOOD] = value.to_dataset(name="features")
    observed, replicated = _replicate(fitted, predictive_draws, max_features, rng)
    groups |= {OBSERVED_DATA: observed, POSTERIOR_PREDICTIVE: replicated}
    tree = xr.DataTree.from_dict(groups)
    tree.attrs = dict(idata.attrs)
    return tree


def _log_prior(
    fitted: Fitted, chosen: xr.Dataset, on: IntArray, rng: np.random.Generator
) -> xr.Dataset:
    draws = fitted.draws
    shape = (len(draws.chain), len(draws.draw))
    return xr.Dataset(
        {
            name: ((CHAIN, DRAW), values.reshape(shape))
            for name, values in log_priors(fitted, chosen, on, rng).items()
        },
        coords={CHAIN: draws.chain, DRAW: draws.draw},
    )


def _prior(
    result: Result, fitted: Fitted, on: IntArray, draws: int, rng: np.random.Generator
) -> xr.Dataset:
    """Draws of variables of the posterior from their priors, as one chain."""
    spec, posterior = fitted.spec, result.posterior
    if spec.sharing is None:
        spec = replace(spec, n_factors=on.size)
    data, priors = describe_data(fitted), build_priors(spec, fitted.arms)
    found = draw_factors(spec, data, priors, draws, rng)
    found["noise"] = priors.noise.draw(rng, (draws, len(fitted.blocks)))
    if spec.linked_symptoms and "symptom_weight" in posterior:
        sizes = (len(spec.symptoms), len(spec.ordinal_symptoms))
        found |= draw_symptoms(spec, data, priors, found["block_scale"], rng, sizes)
    whitened = fitted.transform is not None
    wanted = {
        name: dims
        for name, dims in PRIOR_DIMS.items()
        if name in found and name in posterior and not (whitened and name == "explained")
    }
    of = {BLOCK: WHITENED_BLOCK if whitened else BLOCK}
    return xr.Dataset(
        {
            name: ((CHAIN, DRAW, *(of.get(d, d) for d in dims)), found[name][None])
            for name, dims in wanted.items()
        },
        coords={
            CHAIN: [0],
            DRAW: np.arange(draws),
            ARM: posterior[ARM],
            FACTOR: posterior[FACTOR][on],
            of[BLOCK]: posterior[of[BLOCK]],
            **({SYMPTOM: posterior[SYMPTOM]} if "symptom_weight" in wanted else {}),
        },
    )


def _replicate(
    fitted: Fitted, n_draws: int, max_features: int, rng: np.random.Generator
) -> tuple[xr.Dataset, xr.Dataset]:
    """Features as they were fitted, and as the model replicates them."""
    draws = fitted.draws
    chains, length = len(draws.chain), len(draws.draw)
    rows = np.linspace(0, length - 1, max(1, min(length, n_draws // chains))).round().astype(int)
    kept = np.linspace(0, fitted.y.shape[1] - 1, min(max_features, fitted.y.shape[1]))
    kept = kept.round().astype(int)
    unit = fitted.feature_noise[kept] * fitted.scale[:, None]
    y = np.empty((chains, rows.size, len(fitted.subjects), kept.size), dtype=np.float32)
    for c, r in np.ndindex(chains, rows.size):
        y[c, r] = _replicate_once(fitted, c * length + int(rows[r]), kept, rng) * unit
    whitened = fitted.transform is not None
    names = [f"w{i + 1}" for i in kept] if whitened else np.array(fitted.features)[kept].tolist()
    coords = {SUBJECT: list(fitted.subjects), FEATURE: names}
    observed = xr.Dataset({"y": ((SUBJECT, FEATURE), fitted.y[:, kept] * unit)}, coords=coords)
    replicated = xr.Dataset(
        {"y": ((CHAIN, DRAW, SUBJECT, FEATURE), y)},
        coords={**coords, CHAIN: draws.chain, DRAW: draws.draw[rows]},
    )
    return observed, replicated


def _replicate_once(fitted: Fitted, t: int, kept: IntArray, rng: np.random.Generator) -> Array:
    """Features under one draw: loadings and covariate effects are drawn, then noise is added."""
    draws, x = fitted.draws, fitted.regressors
    out = np.empty((len(fitted.subjects), kept.size))
    for b in range(len(fitted.blocks)):
        columns = np.flatnonzero(fitted.block[kept] == b)
        if not columns.size:
            continue
        noise = draws.noise[t, b]
        w = np.concatenate([x, fitted.scaled_scores[t] * draws.block_scale[t, b]], axis=1)
        prior = np.diag(np.repeat([0.0, 1.0], [x.shape[1], w.shape[1] - x.shape[1]]))
        covariance = np.linalg.inv(fitted.weight * (w.T @ w) + prior)
        mean = fitted.weight * covariance @ (w.T @ fitted.y[:, kept[columns]])
        root = np.linalg.cholesky((covariance + covariance.T) / 2)
        drawn = mean + noise * root @ rng.standard_normal(mean.shape)
        out[:, columns] = w @ drawn + noise * rng.standard_normal((len(x), columns.size))
    return out
