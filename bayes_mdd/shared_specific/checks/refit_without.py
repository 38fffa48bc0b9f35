"""Density of the features of subjects under refits without them, in folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import logsumexp
from threadpoolctl import threadpool_limits

from bayes_mdd.dims import ARM, BLOCK, CHAIN, DRAW, FACTOR, FEATURE, SUBJECT
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.results.result import Result
from bayes_mdd.shared_specific.data.model_data import ModelData
from bayes_mdd.shared_specific.likelihood.collapsed import BlockStatistics, reduce_features
from bayes_mdd.shared_specific.new_subjects.fitted import Fitted, PosteriorDraws
from bayes_mdd.shared_specific.new_subjects.predictive_density import integrate_scores
from bayes_mdd.shared_specific.new_subjects.read_fitted import read_fitted
from bayes_mdd.shared_specific.new_subjects.subject_statistics import (
    NewSubjects,
    assume_arm,
    summarise_features,
)
from bayes_mdd.shared_specific.posterior.means import draw_arm_means
from bayes_mdd.shared_specific.posterior.refit import MIN_SCALE, without_symptoms
from bayes_mdd.shared_specific.posterior.sampling import sample_posterior
from bayes_mdd.shared_specific.prior.arms import mean_variance
from bayes_mdd.shared_specific.schema import BLOCK_SCALE, NOISE, SCORES, SHARING
from bayes_mdd.shared_specific.start.spectral import Start, spread_over_arms
from bayes_mdd.specs import SamplerSpec
from bayes_mdd.streams import Stream, generator
from bayes_mdd.types import Array, BoolArray, IntArray

#: Chains and draws of a refit, which starts at the factors of the fit.
REFIT_CHAINS, REFIT_DRAWS = 4, 250


def score_without(
    result: Result,
    positions: Sequence[int],
    *,
    training: xr.Dataset | None = None,
    folds: int = 10,
    seed: int = 1,
) -> Array:
    """Refit a run without some of its subjects, and score these.

    The subjects are divided into folds, which are balanced by arm. The whitening of edges, the
    noise scales of subjects, the relative noise of features and the number of factors are those of
    the fit to all subjects.

    Parameters
    ----------
    result : Result
        A fit.
    positions : sequence of int
        Subjects to score.
    training : Dataset, optional
        FeatureSet of the fit; needed where the run does not hold it.
    folds : int, default 10
        Number of refits, at most.
    seed : int, default 1
        Of the folds, the chains and the integration over scores.

    Returns
    -------
    ndarray, shape (position,)
        Log density of the features of each subject, in the unit of the features.

    Raises
    ------
    DataContractError
        If the features of the fit are not available, or a level of a covariate would have no
        subject in a refit.
    """
    fitted = read_fitted(result, training)
    data = describe_data(fitted)
    on = np.flatnonzero(fitted.draws.block_scale.any(axis=(0, 1)))
    start = _start(fitted, data, on) if on.size else _start_without_factors(fitted)
    on = on if on.size else np.array([0])
    chosen = np.asarray(positions)
    fold = _assign(fitted.arm[chosen], min(folds, len(chosen)), seed)
    out = np.empty(len(chosen))
    for i in range(int(fold.max()) + 1):
        held = np.zeros(len(fitted.subjects), dtype=bool)
        held[chosen[fold == i]] = True
        _check_design(fitted, held)
        refit = _refit(fitted, data, start, on, ~held, seed + i)
        out[fold == i] = _score(refit, fitted, np.flatnonzero(held), seed + i)
    return out


def _start(fitted: Fitted, data: ModelData, on: IntArray) -> Start:
    """Start at the posterior means of the factors that were sampled, with scores of size 1."""
    draws = fitted.draws
    scores = draws.scores[..., on].mean(axis=0)
    size = np.sqrt((scores**2).mean(axis=0))
    return Start(
        scores=scores / size,
        block_scale=np.maximum(draws.block_scale[..., on].mean(axis=0) * size, MIN_SCALE),
        sharing=spread_over_arms(data, scores),
        noise=draws.noise.mean(axis=0),
        n_on=on.size,
    )


def _start_without_factors(fitted: Fitted) -> Start:
    """Start of a model whose only factor is pinned to zero."""
    return Start(
        scores=np.ones((len(fitted.subjects), 1)),
        block_scale=np.full((len(fitted.blocks), 1), MIN_SCALE),
        sharing=np.full((1, len(fitted.arms)), 1 / len(fitted.arms)),
        noise=fitted.draws.noise.mean(axis=0),
        n_on=0,
    )


def _assign(arm: IntArray, folds: int, seed: int) -> IntArray:
    """Fold of each subject: shuffled within arms, then dealt out in turn."""
    shuffled = generator(seed, Stream.REFIT_FOLDS).permutation(len(arm))
    order = shuffled[np.argsort(arm[shuffled], kind="stable")]
    fold = np.empty(len(arm), dtype=np.int64)
    fold[order] = np.arange(len(arm)) % folds
    return fold


def _check_design(fitted: Fitted, held: BoolArray) -> None:
    design = fitted.design.to_numpy()
    columns = np.flatnonzero(np.abs(design[~held]).max(axis=0) == 0)
    if columns.size or np.linalg.matrix_rank(design[~held]) < design.shape[1]:
        names = some(np.array(fitted.design.columns)[columns]) or "a combination of covariates"
        raise DataContractError(
            "leave-one-out",
            [
                f"without {some(np.array(fitted.subjects)[held])} nothing is known of the effect "
                f"of {names}: use more folds, or fit without this covariate."
            ],
        )


def describe_data(fitted: Fitted) -> ModelData:
    """Describe the fitted features as data of a model without symptoms.

    Parameters
    ----------
    fitted : Fitted
        The fit.

    Returns
    -------
    ModelData
        Whitened features where edges were whitened.
    """
    scale = fitted.scale
    relative = fitted.feature_noise
    block = np.array(fitted.blocks)[fitted.block]
    features = xr.Dataset(
        {"y": ((SUBJECT, FEATURE), fitted.y * relative * scale[:, None])},
        coords={
            SUBJECT: np.array(fitted.subjects, dtype=object),
            FEATURE: np.arange(relative.size),
            BLOCK: (FEATURE, block.astype(object)),
        },
    )
    stats = _statistics(fitted, np.ones(len(fitted.subjects), dtype=bool))
    return ModelData(
        features=features,
        arms=fitted.arms,
        arm=fitted.arm,
        design=fitted.design,
        stats=stats.weighted(fitted.weight),
        feature_noise=relative,
        total=stats.products,
        symptoms=(),
        excluded={},
        items=(),
        symptom_design=pd.DataFrame(index=fitted.design.index),
        weight=fitted.weight,
    )


def _statistics(fitted: Fitted, kept: BoolArray) -> BlockStatistics:
    block = np.array(fitted.blocks)[fitted.block]
    scale = fitted.scale[kept]
    y = fitted.y[kept] * scale[:, None]
    return reduce_features(y, fitted.design.to_numpy()[kept], block, scale)


def _refit(
    fitted: Fitted, data: ModelData, start: Start, on: IntArray, kept: BoolArray, seed: int
) -> Fitted:
    """Sample the factors without some subjects."""
    stats = _statistics(fitted, kept)
    part = replace(
        data,
        features=data.features.isel({SUBJECT: np.flatnonzero(kept)}),
        arm=fitted.arm[kept],
        design=fitted.design[kept],
        stats=stats.weighted(fitted.weight),
        total=stats.products,
        symptom_design=data.symptom_design[kept],
    )
    spec = without_symptoms(fitted.spec, max(1, start.n_on))
    sampler = SamplerSpec(
        seed=seed, chains=REFIT_CHAINS, draws=REFIT_DRAWS, tune=REFIT_DRAWS, cores=None
    )
    scores = start.scores[kept]
    size = np.sqrt((scores**2).mean(axis=0))
    with threadpool_limits(1):
        begin = replace(start, scores=scores / size, block_scale=start.block_scale * size)
        drawn = sample_posterior(spec, part, begin, sampler, progressbar=False)
    posterior = drawn.raw["posterior"].to_dataset()
    draws = _flatten(posterior, part, fitted, on, seed)
    return replace(
        fitted,
        subjects=tuple(np.array(fitted.subjects)[kept].tolist()),
        arm=fitted.arm[kept],
        y=fitted.y[kept],
        design=fitted.design[kept],
        covariates=fitted.covariates[kept],
        draws=draws,
        factors=tuple(np.array(fitted.factors)[on].tolist()),
        subject_scale=None if fitted.subject_scale is None else fitted.scale[kept],
    )


def _flatten(
    posterior: xr.Dataset, data: ModelData, fitted: Fitted, on: IntArray, seed: int
) -> PosteriorDraws:
    def flat(name: str, *dims: str) -> Array:
        values = posterior[name].transpose(CHAIN, DRAW, *dims).values.astype(float)
        return np.asarray(values.reshape(-1, *values.shape[2:]))

    scores, sharing = flat(SCORES, SUBJECT, FACTOR), flat(SHARING, ARM, FACTOR)
    mean = np.zeros_like(sharing)
    if fitted.spec.mean_scale > 0 and len(data.arms) > 1:
        variance = mean_variance(fitted.spec, data.arms)[:, on]
        rng = generator(seed, Stream.ARM_MEANS)
        mean = draw_arm_means(data, scores, sharing, variance, rng)
    return PosteriorDraws(
        chain=posterior[CHAIN].values,
        draw=posterior[DRAW].values,
        scores=scores,
        sharing=sharing,
        arm_mean=mean,
        block_scale=flat(BLOCK_SCALE, BLOCK, FACTOR),
        noise=flat(NOISE, BLOCK),
    )


def _score(refit: Fitted, fitted: Fitted, held: IntArray, seed: int) -> Array:
    """Log density of the features of the held-out subjects, averaged over draws."""
    new = NewSubjects(
        names=tuple(np.array(fitted.subjects)[held].tolist()),
        y=fitted.y[held],
        design=fitted.design.to_numpy()[held],
        new_level={},
        scale=fitted.scale[held],
    )
    rng = generator(seed, Stream.LEAVE_ONE_OUT)
    unit = np.log(fitted.feature_noise).sum()
    n_draws = len(refit.draws.noise)
    out = np.empty(len(held))
    for i, at in enumerate(held):
        subject = assume_arm(refit, summarise_features(refit, new, i), int(fitted.arm[at]))
        found = integrate_scores(refit.loadings, subject, rng)
        size = fitted.y.shape[1] * np.log(fitted.scale[at])
        out[i] = logsumexp(found.log_density) - np.log(n_draws) - unit - size
    return out
