"""Sufficient statistics of new subjects, and draws of their scores under an arm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from bayes_mdd.shared_specific.new_subjects.covariates import level_contrasts
from bayes_mdd.shared_specific.new_subjects.fitted import Fitted
from bayes_mdd.shared_specific.new_subjects.predictive_density import (
    Integral,
    SubjectStatistics,
    apply_weight,
    integrate_scores,
)
from bayes_mdd.types import Array, BoolArray


@dataclass(frozen=True, eq=False)
class NewSubjects:
    """Subjects who were not in the fit.

    Parameters
    ----------
    names : tuple of str
        Names.
    y : ndarray, shape (subject, feature)
        Features in the order and unit of the fit, divided by `feature_noise` and by `scale`.
    design : ndarray, shape (subject, covariate)
        Covariates in the columns of the fit's design.
    new_level : mapping of str to ndarray of bool, shape (subject,)
        For each text covariate: which subjects have a level that was not in the fit.
    scale : ndarray of shape (subject,), optional
        Noise scale of each subject. Default: that of the fitted subjects.
    """

    names: tuple[str, ...]
    y: Array
    design: Array
    new_level: Mapping[str, BoolArray]
    scale: Array | None = None


@dataclass(frozen=True, eq=False)
class FeatureStatistics:
    """Sufficient statistics of one subject's features, before an arm is assumed.

    Parameters
    ----------
    sum_of_squares : ndarray, shape (block,)
        As in `SubjectStatistics`.
    cross_product : ndarray, shape (T, block, factor)
        As in `SubjectStatistics`.
    base_variance : ndarray, shape (T, block)
        As in `SubjectStatistics`.
    predicted : ndarray, shape (T, factor)
        The design's prediction of the scores, over the noise scale.
    noise_scale : float, default 1.0
        Noise scale of the subject.
    """

    sum_of_squares: Array
    cross_product: Array
    base_variance: Array
    predicted: Array
    noise_scale: float = 1.0


def summarise_features(fitted: Fitted, new: NewSubjects, i: int) -> FeatureStatistics:
    """Compute the sufficient statistics of one subject's features.

    Parameters
    ----------
    fitted : Fitted
        The fit.
    new : NewSubjects
        New subjects.
    i : int
        Position of the subject.

    Returns
    -------
    FeatureStatistics
        Sums over the features of each block.
    """
    noise_scale = 1.0 if new.scale is None else float(new.scale[i])
    x = new.design[i] / noise_scale
    r = new.y[i] - x @ fitted.coefficients
    with_fitted = np.stack(
        [residual @ r[at] for residual, at in zip(fitted.residual, fitted.members, strict=True)]
    )
    with_scores = np.einsum("tnk,bn->tbk", fitted.score_residual, with_fitted, optimize=True)
    leverage = float(((x @ fitted.design_inverse) ** 2).sum())
    base_variance = np.full(fitted.draws.noise.shape, 1.0 + leverage)
    for name, is_new in new.new_level.items():
        if is_new[i]:
            base_variance += _between_levels(fitted, name)
    return FeatureStatistics(
        sum_of_squares=np.bincount(fitted.block, r**2, minlength=len(fitted.blocks)),
        cross_product=np.einsum("tbkl,tbl->tbk", fitted.loadings.covariance, with_scores),
        base_variance=base_variance,
        predicted=np.einsum("q,tqk->tk", x, fitted.score_coefficients),
        noise_scale=noise_scale,
    )


def _between_levels(fitted: Fitted, name: str) -> Array:
    """Variance of a new level's effect about the average of the known ones, (T, block).

    In units of the noise variance. A moment estimate for each block and draw: the variance of the
    known levels' effects beyond sampling error, plus the error of the average of few levels.
    """
    loadings = fitted.loadings
    contrast = level_contrasts(list(fitted.design.columns), name) @ fitted.design_inverse
    n_levels = len(contrast)
    of_scores = contrast @ fitted.scaled_scores
    effects = contrast @ fitted.y
    excess = np.empty_like(fitted.draws.noise)
    error = float((contrast**2).sum())
    for b in range(len(fitted.blocks)):
        in_block = effects[:, fitted.members[b]]
        products = fitted.residual[b] @ in_block.T
        mean = loadings.covariance[:, b] @ (np.swapaxes(fitted.score_residual, 1, 2) @ products)
        total = (in_block**2).sum() - 2 * np.einsum("tlk,tkl->t", of_scores, mean)
        total += np.einsum("tlk,tkm,tlm->t", of_scores, loadings.second_moment[:, b], of_scores)
        expected = error + np.einsum(
            "tlk,tkm,tlm->t", of_scores, loadings.covariance[:, b], of_scores
        )
        excess[:, b] = total / (loadings.noise_variance[:, b] * loadings.n_features[b]) - expected
    return np.asarray(np.maximum(excess / (n_levels - 1), 0.0) * (1 + 1 / n_levels))


def assume_arm(fitted: Fitted, features: FeatureStatistics, arm: int) -> SubjectStatistics:
    """Add the prior of the scores in an arm.

    Parameters
    ----------
    fitted : Fitted
        The fit.
    features : FeatureStatistics
        From `summarise_features`.
    arm : int
        Position of the arm.

    Returns
    -------
    SubjectStatistics
        For `integrate_scores`.
    """
    draws = fitted.draws
    return SubjectStatistics(
        sum_of_squares=features.sum_of_squares,
        cross_product=features.cross_product,
        base_variance=features.base_variance,
        offset=draws.arm_mean[:, arm] / features.noise_scale - features.predicted,
        scale=np.sqrt(len(fitted.arms) * draws.sharing[:, arm]) / features.noise_scale,
    )


def draw_scores(
    fitted: Fitted,
    features: FeatureStatistics,
    arm: int,
    rng: np.random.Generator,
    *,
    candidates: int,
) -> tuple[Array, Integral]:
    """Draw one subject's scores under one arm.

    Parameters
    ----------
    fitted : Fitted
        The fit.
    features : FeatureStatistics
        From `summarise_features`.
    arm : int
        Position of the arm.
    rng : numpy.random.Generator
        For the draws.
    candidates : int
        Proposals for each draw.

    Returns
    -------
    scores : ndarray, shape (T, factor)
        In the unit of the fit's scores.
    integral : Integral
        Its density is that of the features in units of their relative noise, taken as independent
        whatever weight the fit gave them, so that models can be compared.
    """
    subject = assume_arm(fitted, features, arm)
    found = integrate_scores(fitted.loadings, subject, rng, candidates=candidates)
    if fitted.weight != 1.0:
        weighted = apply_weight(fitted.loadings, subject, fitted.weight)
        of_weighted = integrate_scores(*weighted, rng, candidates=candidates)
        found = replace(of_weighted, log_density=found.log_density)
    spread = subject.scale * features.noise_scale * found.standard
    return fitted.draws.arm_mean[:, arm] + spread, found
