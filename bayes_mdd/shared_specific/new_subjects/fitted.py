"""What a finished fit knows about its people, its draws and its loadings, in arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayes_mdd.shared_specific.new_subjects.predictive_density import Loadings
from bayes_mdd.specs import SharedSpecificSpec
from bayes_mdd.types import Array

#: Draws handled at once, so that memory stays small.
CHUNK = 64


@dataclass(frozen=True, eq=False)
class Draws:
    """Thinned draws of the posterior, chains one after the other.

    Parameters
    ----------
    chain, draw : ndarray of int, shape (chain,) and (draw,)
        Labels of what was kept of each; arrays below run over chain x draw.
    scores : ndarray, shape (T, subject, factor)
        Of the fitted people.
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
class Fitted:
    """The fitted people and the posterior.

    Features are in units of their relative noise (`feature_noise`), as the model sees them.

    Parameters
    ----------
    spec : SharedSpecificSpec
        What was fitted.
    subjects, arms, features, blocks, factors : tuple of str
        Names.
    arm : ndarray of int, shape (subject,)
        Position of each person's arm.
    block : ndarray of int, shape (feature,)
        Position of each feature's block.
    feature_noise : ndarray, shape (feature,)
        Noise of a feature relative to its block.
    y : ndarray, shape (subject, feature)
        Features divided by `feature_noise`.
    design : DataFrame, shape (subject, covariate)
        Intercept and covariates.
    people : DataFrame
        Covariates of the fitted people as they came.
    draws : Draws
        The posterior.
    weight : float, default 1.0
        Power of the features' likelihood in the fit.
    """

    spec: SharedSpecificSpec
    subjects: tuple[str, ...]
    arms: tuple[str, ...]
    features: tuple[str, ...]
    blocks: tuple[str, ...]
    factors: tuple[str, ...]
    arm: NDArray[np.int64]
    block: NDArray[np.int64]
    feature_noise: Array
    y: Array
    design: pd.DataFrame
    people: pd.DataFrame
    draws: Draws
    weight: float = 1.0

    @cached_property
    def size(self) -> Array:
        """Number of features of each block."""
        return np.bincount(self.block, minlength=len(self.blocks)).astype(float)

    @cached_property
    def regress(self) -> Array:
        """Turns values of the fitted people into coefficients, shape (covariate, subject)."""
        return np.asarray(np.linalg.pinv(self.design.to_numpy()))

    @cached_property
    def effect(self) -> Array:
        """Least-squares coefficients of the features, shape (covariate, feature)."""
        return np.asarray(self.regress @ self.y)

    @cached_property
    def members(self) -> tuple[NDArray[np.int64], ...]:
        """Positions of each block's features."""
        return tuple(np.flatnonzero(self.block == b) for b in range(len(self.blocks)))

    @cached_property
    def residual(self) -> tuple[Array, ...]:
        """What the design leaves of the features, by block, shape (subject, feature of block)."""
        left = self.y - self.design.to_numpy() @ self.effect
        return tuple(left[:, at] for at in self.members)

    @cached_property
    def cross_products(self) -> Array:
        """Of `residual`, summed over a block's features, shape (block, subject, subject)."""
        return np.stack([part @ part.T for part in self.residual])

    @cached_property
    def score_effect(self) -> Array:
        """Least-squares coefficients of the scores, shape (T, covariate, factor)."""
        return np.asarray(self.regress @ self.draws.scores)

    @cached_property
    def score_residual(self) -> Array:
        """What the design leaves of the scores, shape (T, subject, factor)."""
        return np.asarray(self.draws.scores - self.design.to_numpy() @ self.score_effect)

    @cached_property
    def gram(self) -> Array:
        """Of `score_residual`, shape (T, factor, factor)."""
        h = self.score_residual
        return np.asarray(np.swapaxes(h, 1, 2) @ h)

    @cached_property
    def pattern(self) -> Array:
        """Scores times `cross_products` times scores, shape (T, block, factor, factor)."""
        h = self.score_residual
        n_draws, n, k = h.shape
        flat = self.cross_products.reshape(-1, n)
        out = np.empty((n_draws, len(self.blocks), k, k))
        for at in range(0, n_draws, CHUNK):
            part = h[at : at + CHUNK]
            weighted = (flat @ np.swapaxes(part, 0, 1).reshape(n, -1)).reshape(
                len(self.blocks), n, len(part), k
            )
            out[at : at + CHUNK] = np.einsum("tnk,bntl->tbkl", part, weighted, optimize=True)
        return out

    @cached_property
    def loadings(self) -> Loadings:
        """What each draw says of the loadings."""
        return given_loadings(
            self.gram, self.pattern, self.draws.block_scale, self.draws.noise, self.size
        )


def given_loadings(
    gram: Array, pattern: Array, block_scale: Array, noise: Array, size: Array
) -> Loadings:
    """Conditional covariance and second moment of the loadings.

    Parameters
    ----------
    gram : ndarray, shape (T, factor, factor)
        Of the scores, the design projected out.
    pattern : ndarray, shape (T, block, factor, factor)
        Scores times the block's cross-products times scores.
    block_scale : ndarray, shape (T, block, factor)
        Prior SD of loadings.
    noise : ndarray, shape (T, block)
        Residual SD.
    size : ndarray, shape (block,)
        Number of features.

    Returns
    -------
    Loadings
        For `integrate_scores`.
    """
    # V = D (I + D G D)^-1 D stays defined when a block scale is zero.
    row, column = block_scale[..., :, None], block_scale[..., None, :]
    m = np.eye(gram.shape[1]) + row * gram[:, None] * column
    spread = row * np.linalg.inv(m) * column
    spread = (spread + np.swapaxes(spread, 2, 3)) / 2
    return Loadings(spread, spread @ pattern @ spread, noise**2, size)
