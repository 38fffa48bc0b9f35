"""Arrays of a finished fit that the density of a new subject needs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayes_mdd.shared_specific.new_subjects.predictive_density import LoadingMoments
from bayes_mdd.shared_specific.whitening.transform import Whitening
from bayes_mdd.specs import SharedSpecificSpec
from bayes_mdd.types import Array, IntArray

#: Draws that are processed at a time, which bounds the memory.
CHUNK = 64


@dataclass(frozen=True, eq=False)
class PosteriorDraws:
    """Thinned draws of the posterior, chains one after the other.

    Parameters
    ----------
    chain, draw : ndarray of int, shape (chain,) and (draw,)
        Labels of the chains and draws that were kept; arrays below run over chain x draw.
    scores : ndarray, shape (T, subject, factor)
        Scores of the fitted subjects.
    sharing : ndarray, shape (T, arm, factor)
        Share of an arm in the variance of a factor.
    arm_mean : ndarray, shape (T, arm, factor)
        Mean of the scores in an arm; zero where the model has none.
    block_scale : ndarray, shape (T, block, factor)
        Prior SD of loadings, in units of the block's noise.
    noise : ndarray, shape (T, block)
        Residual SD.
    """

    chain: NDArray[Any]
    draw: NDArray[Any]
    scores: Array
    sharing: Array
    arm_mean: Array
    block_scale: Array
    noise: Array


@dataclass(frozen=True, eq=False)
class EdgeTransform:
    """How edges of a subject become the whitened features of a fit.

    Parameters
    ----------
    map : Whitening
        From edges to whitened features.
    order : ndarray of int, shape (edge,)
        Positions of the edges among the features of the fit.
    unit : float
        Whitened features are divided by it.
    """

    map: Whitening
    order: IntArray
    unit: float

    def apply(self, y: Array) -> Array:
        """Whiten the edges of subjects.

        Parameters
        ----------
        y : ndarray, shape (subject, feature)
            Edges in the order of the fit.

        Returns
        -------
        ndarray, shape (subject, whitened_feature)
            Whitened features in the unit of the fit.
        """
        return np.asarray(self.map.forward(y[:, self.order]) / self.unit)


@dataclass(frozen=True, eq=False)
class Fitted:
    """Fitted subjects, their features and the posterior.

    Features are in units of their relative noise (`feature_noise`) and of the noise scale of the
    subject, as in the likelihood. They are the whitened features where edges were whitened.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model that was fitted.
    subjects, arms, features, blocks, factors : tuple of str
        Names.
    arm : ndarray of int, shape (subject,)
        Position of each subject's arm.
    block : ndarray of int, shape (feature,)
        Position of each feature's block.
    feature_noise : ndarray, shape (feature,)
        Noise of a feature relative to its block.
    y : ndarray, shape (subject, feature)
        Features divided by `feature_noise` and by `subject_scale`.
    design : DataFrame, shape (subject, covariate)
        Intercept and covariates as coded.
    covariates : DataFrame
        Covariates of the fitted subjects as they were given.
    draws : PosteriorDraws
        The posterior.
    weight : float, default 1.0
        Power of the features' likelihood in the fit.
    subject_scale : ndarray of shape (subject,), optional
        Noise scale of each subject. Default: the same for all.
    transform : EdgeTransform, optional
        How edges become whitened features, where they do.
    """

    spec: SharedSpecificSpec
    subjects: tuple[str, ...]
    arms: tuple[str, ...]
    features: tuple[str, ...]
    blocks: tuple[str, ...]
    factors: tuple[str, ...]
    arm: IntArray
    block: IntArray
    feature_noise: Array
    y: Array
    design: pd.DataFrame
    covariates: pd.DataFrame
    draws: PosteriorDraws
    weight: float = 1.0
    subject_scale: Array | None = None
    transform: EdgeTransform | None = None

    @cached_property
    def scale(self) -> Array:
        """Noise scale of each subject, shape (subject,)."""
        return np.ones(len(self.subjects)) if self.subject_scale is None else self.subject_scale

    @cached_property
    def regressors(self) -> Array:
        """Design over the noise scale of the subject, shape (subject, covariate)."""
        return np.asarray(self.design.to_numpy() / self.scale[:, None])

    @cached_property
    def scaled_scores(self) -> Array:
        """Scores over the noise scale of the subject, shape (T, subject, factor)."""
        return np.asarray(self.draws.scores / self.scale[:, None])

    @cached_property
    def size(self) -> Array:
        """Number of features of each block."""
        return np.bincount(self.block, minlength=len(self.blocks)).astype(float)

    @cached_property
    def design_inverse(self) -> Array:
        """Pseudo-inverse of the design, shape (covariate, subject)."""
        return np.asarray(np.linalg.pinv(self.regressors))

    @cached_property
    def coefficients(self) -> Array:
        """Least-squares coefficients of the features, shape (covariate, feature)."""
        return np.asarray(self.design_inverse @ self.y)

    @cached_property
    def members(self) -> tuple[IntArray, ...]:
        """Positions of each block's features."""
        return tuple(np.flatnonzero(self.block == b) for b in range(len(self.blocks)))

    @cached_property
    def residual(self) -> tuple[Array, ...]:
        """Residuals of the features given the design, by block, (subject, feature of block)."""
        residual = self.y - self.regressors @ self.coefficients
        return tuple(residual[:, at] for at in self.members)

    def products_with(self, i: int) -> Array:
        """Sum over a block's features of products of residuals with a subject's.

        Parameters
        ----------
        i : int
            Position of the subject.

        Returns
        -------
        ndarray, shape (block, subject)
            The sums.
        """
        return np.stack([part @ part[i] for part in self.residual])

    @cached_property
    def score_coefficients(self) -> Array:
        """Least-squares coefficients of the scaled scores, shape (T, covariate, factor)."""
        return np.asarray(self.design_inverse @ self.scaled_scores)

    @cached_property
    def score_residual(self) -> Array:
        """Residuals of the scaled scores given the design, shape (T, subject, factor)."""
        return np.asarray(self.scaled_scores - self.regressors @ self.score_coefficients)

    @cached_property
    def gram(self) -> Array:
        """Cross-products of `score_residual`, shape (T, factor, factor)."""
        h = self.score_residual
        return np.asarray(np.swapaxes(h, 1, 2) @ h)

    @cached_property
    def projected_products(self) -> Array:
        """Products of residuals between residual scores, shape (T, block, factor, factor)."""
        h = self.score_residual
        n_draws, n, k = h.shape
        projected = np.empty((n_draws, len(self.blocks), k, k))
        # Sums over the features of a block first, where they are more than its subjects.
        few = n * len(self.blocks) < self.y.shape[1]
        products = [part @ part.T for part in self.residual] if few else []
        for at in range(0, n_draws, CHUNK):
            part = np.swapaxes(h[at : at + CHUNK], 1, 2)
            flat = np.ascontiguousarray(part).reshape(-1, n)
            for b, residual in enumerate(self.residual):
                left = (flat @ (products[b] if few else residual)).reshape(len(part), k, -1)
                right = part if few else left
                projected[at : at + CHUNK, b] = left @ np.swapaxes(right, 1, 2)
        return projected

    @cached_property
    def loadings(self) -> LoadingMoments:
        """Conditional moments of the loadings given each draw."""
        return loading_moments(
            self.gram, self.projected_products, self.draws.block_scale, self.draws.noise, self.size
        )


def loading_moments(
    gram: Array, projected_products: Array, block_scale: Array, noise: Array, n_features: Array
) -> LoadingMoments:
    """Compute conditional covariance and second moment of the loadings.

    Parameters
    ----------
    gram : ndarray, shape (T, factor, factor)
        Cross-products of the scores, with the design projected out.
    projected_products : ndarray, shape (T, block, factor, factor)
        Scores times the block's cross-products of features times scores.
    block_scale : ndarray, shape (T, block, factor)
        Prior SD of loadings.
    noise : ndarray, shape (T, block)
        Residual SD.
    n_features : ndarray, shape (block,)
        Number of features.

    Returns
    -------
    LoadingMoments
        For `integrate_scores`.
    """
    # V = D (I + D G D)^-1 D is defined also where a block scale is zero.
    row, column = block_scale[..., :, None], block_scale[..., None, :]
    m = np.eye(gram.shape[1]) + row * gram[:, None] * column
    covariance = row * np.linalg.inv(m) * column
    covariance = (covariance + np.swapaxes(covariance, 2, 3)) / 2
    second_moment = covariance @ projected_products @ covariance
    return LoadingMoments(covariance, second_moment, noise**2, n_features)
