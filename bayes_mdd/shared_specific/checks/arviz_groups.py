"""Groups that functions of ArviZ need beside the posterior."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import xarray as xr

from bayes_mdd.dims import ARM, BLOCK, CHAIN, DRAW, FACTOR, SYMPTOM
from bayes_mdd.errors import DataContractError, SpecError, some
from bayes_mdd.files.layout import spaced
from bayes_mdd.results.result import Result, read_with_participants
from bayes_mdd.shared_specific.checks.log_prior import log_priors
from bayes_mdd.shared_specific.checks.prior_predictive import draw_factors, draw_symptoms
from bayes_mdd.shared_specific.checks.refit_without import describe_data
from bayes_mdd.shared_specific.checks.replicates import replicate_features, summarise_replicates
from bayes_mdd.shared_specific.new_subjects.fitted import Fitted
from bayes_mdd.shared_specific.new_subjects.leave_one_out import subject_log_likelihood
from bayes_mdd.shared_specific.new_subjects.read_fitted import MAX_DRAWS, read_fitted
from bayes_mdd.shared_specific.prior.priors import build_priors
from bayes_mdd.shared_specific.schema import (
    CONSTANT_DATA,
    FACTORS,
    LOADINGS,
    LOG_LIKELIHOOD,
    LOG_PRIOR,
    OBSERVED_DATA,
    POSTERIOR,
    POSTERIOR_PREDICTIVE,
    PREDICTIVE_STATISTICS,
    PRIOR,
    SAMPLE_STATS,
    WHITENED_BLOCK,
)
from bayes_mdd.shared_specific.spec import spec_of
from bayes_mdd.streams import Stream, generator
from bayes_mdd.types import IntArray

#: Variables of the posterior whose prior is drawn, with their dimensions within a draw.
PRIOR_DIMS = {
    "sharing": (ARM, FACTOR),
    "arm_mean": (ARM, FACTOR),
    "block_scale": (BLOCK, FACTOR),
    "noise": (BLOCK,),
    "explained": (ARM, FACTOR),
    "symptom_weight": (FACTOR, SYMPTOM),
}
#: Groups that can be asked for.
GROUPS: Final = (LOG_LIKELIHOOD, LOG_PRIOR, PRIOR, POSTERIOR_PREDICTIVE, PREDICTIVE_STATISTICS)


def add_arviz_groups(
    idata: xr.DataTree,
    *,
    groups: Sequence[str] | None = None,
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
    groups : sequence of str, optional
        Only these of ``"log_likelihood"`` (which takes longest), ``"log_prior"``, ``"prior"``,
        ``"posterior_predictive"`` and ``"predictive_statistics"``. Default: all.
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
        not sampled, and ``loadings``, ``factors`` and ``constant_data`` of the run;
        ``log_likelihood``: ``features`` (chain, draw, subject), the log density of a subject's
        features given all other subjects, with scores, loadings and covariate effects integrated
        out, so that participants are the observations; ``log_prior``: one variable for each group
        of priors; ``prior``: variables of the posterior drawn from their priors;
        ``posterior_predictive`` and ``observed_data``: ``y`` (subject, feature), in the unit of the
        features that were fitted, which are the whitened ones where edges were whitened;
        ``predictive_statistics``: statistics of features and residuals (source, chain, draw), where
        ``source`` is ``"observed"`` or ``"replicated"``.

    Raises
    ------
    DataContractError
        If the run has no factor, or does not contain its features.
    SpecError
        If `groups` holds another name.

    Warns
    -----
    UserWarning
        If there is no ``log_likelihood``, because each feature has its own noise or the likelihood
        is weighted, or no ``predictive_statistics``, because there are too few participants.

    See Also
    --------
    leave_one_out : With refits where importance sampling fails, which it does for most subjects
        with many features; `arviz.loo` warns of it.
    prior_sensitivity : Sensitivity of results, with the likelihood of symptoms, which
        ``log_likelihood`` does not contain.
    bayes_mdd.plotting.plot_prior_posterior, bayes_mdd.plotting.plot_predictive : Figures of these
        groups.

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
    wanted = _check_groups(groups)
    result = read_with_participants(idata, "groups for ArviZ")
    spec_of(result)
    fitted = read_fitted(result, training, max_draws=max_draws)
    on = np.flatnonzero(fitted.draws.block_scale.any(axis=(0, 1)))
    if not on.size:
        raise DataContractError("run", ["it has no factor, so there is nothing to examine."])
    draws = fitted.draws
    at = np.searchsorted(result.posterior[DRAW].values, draws.draw)
    prior_rng, predictive_rng, statistics_rng = generator(seed, Stream.ARVIZ).spawn(3)
    chosen = result.posterior.isel({DRAW: at})
    found = {
        POSTERIOR: chosen.isel({FACTOR: on}),
        SAMPLE_STATS: result.group(SAMPLE_STATS)
        .isel({DRAW: at})
        .assign_coords({CHAIN: draws.chain, DRAW: draws.draw}),
        CONSTANT_DATA: result.constant,
        **{
            name: result.group(name).isel({FACTOR: on})
            for name in (LOADINGS, FACTORS)
            if name in result.tree.children
        },
    }
    if LOG_PRIOR in wanted:
        rng = generator(seed, Stream.SENSITIVITY)
        found[LOG_PRIOR] = _log_prior(fitted, chosen, on, rng)
    if PRIOR in wanted:
        found[PRIOR] = _prior(result, fitted, on, prior_draws, prior_rng)
    if LOG_LIKELIHOOD in wanted:
        found |= _log_likelihood(result, training, max_draws, seed)
    each = min(len(draws.draw), predictive_draws // len(draws.chain))
    rows = spaced(len(draws.draw), max(1, each))
    if POSTERIOR_PREDICTIVE in wanted:
        observed, replicated = replicate_features(fitted, rows, max_features, predictive_rng)
        found |= {OBSERVED_DATA: observed, POSTERIOR_PREDICTIVE: replicated}
    if PREDICTIVE_STATISTICS in wanted:
        try:
            found[PREDICTIVE_STATISTICS] = summarise_replicates(fitted, rows, statistics_rng)
        except DataContractError as error:
            warnings.warn(f"No group predictive_statistics: {error}", stacklevel=2)
    tree = xr.DataTree.from_dict(found)
    tree.attrs = dict(idata.attrs)
    return tree


def _check_groups(groups: Sequence[str] | None) -> tuple[str, ...]:
    if groups is None:
        return GROUPS
    wanted = (groups,) if isinstance(groups, str) else tuple(groups)
    if unknown := [g for g in wanted if g not in GROUPS]:
        raise SpecError(f"groups: {some(unknown)} unknown; there are {some(GROUPS, len(GROUPS))}.")
    return wanted


def _log_likelihood(
    result: Result, training: xr.Dataset | None, max_draws: int, seed: int
) -> dict[str, xr.Dataset]:
    """Group ``log_likelihood``, where the model has one."""
    try:
        value = subject_log_likelihood(result, training=training, max_draws=max_draws, seed=seed)
    except SpecError as error:
        warnings.warn(f"No group log_likelihood: {error}", stacklevel=3)
        return {}
    return {LOG_LIKELIHOOD: value.to_dataset(name="features")}


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
