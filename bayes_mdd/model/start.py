"""Where chains start: a spectral split of the features, rotated to few blocks a factor."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from bayes_mdd.dims import FEATURE, SUBJECT
from bayes_mdd.model.collapsed import Array
from bayes_mdd.model.data import ModelData
from bayes_mdd.model.stand_out import (
    arm_pattern,
    block_pattern,
    complement,
    orthonormal,
    top_pattern,
)


@dataclass(frozen=True, eq=False)
class Start:
    """A point near a mode.

    Parameters
    ----------
    scores : ndarray, shape (subject, factor)
        Root mean square 1 for each factor.
    block_scale : ndarray, shape (block, factor)
        Root mean square of the loadings in a block, in units of the noise.
    sharing : ndarray, shape (factor, arm)
        Share of an arm in the variance of the scores.
    noise : ndarray, shape (block,)
        Residual SD.
    n_on : int
        Factors that start on a pattern; the others start switched off.
    """

    scores: Array
    block_scale: Array
    sharing: Array
    noise: Array
    n_on: int

    def first(self, n_factors: int) -> Start:
        """Keep the first factors only.

        Parameters
        ----------
        n_factors : int
            How many.

        Returns
        -------
        Start
            A smaller start.
        """
        return replace(
            self,
            scores=self.scores[:, :n_factors],
            block_scale=self.block_scale[:, :n_factors],
            sharing=self.sharing[:n_factors],
            n_on=min(self.n_on, n_factors),
        )

    def arranged(self, pattern: Array) -> Start:
        """Order the factors so that each starts where a fixed sharing pattern wants it.

        Parameters
        ----------
        pattern : ndarray, shape (factor, arm)
            Sharing of each factor of the model.

        Returns
        -------
        Start
            The same factors; the one whose spread over the arms is nearest to a row of `pattern`
            stands there.
        """
        distance = np.abs(pattern[:, None, :] - self.sharing[None, :, :]).sum(axis=2)
        # Factors that start switched off go where nothing better is left.
        distance[:, self.n_on :] += 1.0
        order = linear_sum_assignment(distance)[1]
        return replace(
            self,
            scores=self.scores[:, order],
            block_scale=self.block_scale[:, order],
            sharing=self.sharing[order],
        )


#: Block scale of a factor that starts switched off.
OFF = 1e-5
#: Block scales at which other factors may start.
SCALE_RANGE = (0.01, 1.5)


def varimax(loadings: Array, *, iterations: int = 200, tolerance: float = 1e-8) -> Array:
    """Rotate loadings so that each feature has few large ones.

    Parameters
    ----------
    loadings : ndarray, shape (feature, factor)
        Loadings in any rotation.
    iterations : int, default 200
        At most so many steps.
    tolerance : float, default 1e-8
        Relative growth of the criterion below which to stop.

    Returns
    -------
    ndarray, shape (factor, factor)
        The orthogonal matrix to multiply `loadings` with from the right.

    References
    ----------
    .. [1] Kaiser, H. F. (1958). The varimax criterion for analytic rotation in factor analysis.
       Psychometrika, 23, 187-200.
    """
    rotation = np.eye(loadings.shape[1])
    criterion = 0.0
    for _ in range(iterations):
        rotated = loadings @ rotation
        u, s, vt = np.linalg.svd(
            loadings.T @ (rotated**3 - rotated * (rotated**2).mean(axis=0, keepdims=True))
        )
        rotation = u @ vt
        if s.sum() <= criterion * (1 + tolerance):
            break
        criterion = s.sum()
    return rotation


def spectral_start(
    data: ModelData, n_factors: int, *, seed: int = 0, max_features: int = 5000
) -> Start:
    """Split the features into patterns that stand out of noise; leave the other factors off.

    Components of all features together that stand out of noise are rotated by varimax. What is
    left is searched within each arm and then block by block (see `bayes_mdd.model.stand_out`).
    Factors beyond these start switched off: started on a noise pattern of a small block, a factor
    would stay there for the whole of a short run.

    Parameters
    ----------
    data : ModelData
        What the model sees.
    n_factors : int
        Number of factors.
    seed : int, default 0
        Of the null and of the scores of factors that start switched off.
    max_features : int, default 5000
        The rotation is found on at most so many features, evenly spaced.

    Returns
    -------
    Start
        Values that `starting_point` turns into initial values.
    """
    rng = np.random.default_rng(seed)
    y, code = _whitened(data)
    design = data.stats.rotation[:, data.stats.basis.shape[1] :]
    found = _pooled_patterns(y, design, n_factors, rng, max_features, data.weight)
    while found.shape[1] < n_factors:
        taken = orthonormal(design, found)
        left = complement(y, taken)
        pattern = None
        if len(data.arms) > 1:
            pattern = arm_pattern(left, data.arm, taken, rng, data.weight)
        if pattern is None:
            pattern = block_pattern(left, code, rng, len(y) - taken.shape[1], data.weight)
        if pattern is None:
            break
        found = np.column_stack([found, pattern * np.sqrt(len(y))])
    left = y - _fitted(y, found)
    on = found.shape[1]
    n = len(data.arm)
    loadings = _regress(y, found)
    noise = np.sqrt(np.bincount(code, (left**2).sum(axis=0)) / (np.bincount(code) * (n - on)))
    size = np.stack([np.sqrt((loadings[:, code == b] ** 2).mean(axis=1)) for b in np.unique(code)])
    scores = np.column_stack([found, rng.standard_normal((n, n_factors - on))])
    sharing = spread_over_arms(data, scores)
    sharing[on:] = 1.0 / sharing.shape[1]
    return Start(
        scores=scores / np.sqrt((scores**2).mean(axis=0)),
        block_scale=np.column_stack(
            [
                np.clip(size / noise[:, None], *SCALE_RANGE),
                np.full((noise.size, n_factors - on), OFF),
            ]
        ),
        sharing=sharing,
        noise=noise * np.sqrt(data.stats.traces / (data.stats.block_size * (n - 1))),
        n_on=on,
    )


def spread_over_arms(data: ModelData, scores: Array) -> Array:
    """Divide the variance of scores among the arms.

    Parameters
    ----------
    data : ModelData
        For the arm of each person.
    scores : ndarray, shape (subject, factor)
        Any scores.

    Returns
    -------
    ndarray, shape (factor, arm)
        Shares; none below 0.05 before they are made to add up to 1.
    """
    spread = np.stack(
        [(scores[data.arm == a] ** 2).mean(axis=0) for a in range(len(data.arms))], axis=1
    )
    shares = np.clip(spread / spread.sum(axis=1, keepdims=True), 0.05, None)
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def _whitened(data: ModelData) -> tuple[Array, np.ndarray]:
    """Features without covariates, equally noisy, with unit variance in each block."""
    stats = data.stats
    y = data.features["y"].transpose(SUBJECT, FEATURE).values / data.feature_noise
    y = np.asarray(stats.basis @ (stats.basis.T @ y))
    code = np.array([stats.blocks.index(b) for b in data.features["block"].values.astype(str)])
    scale = np.sqrt(stats.traces / (stats.block_size * (len(y) - 1)))
    return np.asarray(y / np.maximum(scale, 1e-12)[code]), code


def _pooled_patterns(
    y: Array,
    design: Array,
    n_factors: int,
    rng: np.random.Generator,
    max_features: int,
    weight: float,
) -> Array:
    """Components that stand out one after the other, in a rotation with few large loadings."""
    taken, left = design, y
    found: list[Array] = []
    while len(found) < n_factors:
        pattern, _ = top_pattern(left, taken, rng, weight)
        if pattern is None:
            break
        found.append(pattern)
        taken = orthonormal(taken, pattern[:, None])
        left = complement(y, taken)
    scores = np.asarray(np.reshape(found, (len(found), len(y))).T * np.sqrt(len(y)))
    if len(found) < 2:
        return scores
    loadings = y.T @ scores / len(y)
    return np.asarray(scores @ varimax(loadings[:: max(1, len(loadings) // max_features)]))


def _regress(y: Array, scores: Array) -> Array:
    if not scores.shape[1]:
        return np.zeros((0, y.shape[1]))
    return np.asarray(np.linalg.lstsq(scores, y, rcond=None)[0])


def _fitted(y: Array, scores: Array) -> Array:
    return np.asarray(scores @ _regress(y, scores))
