"""Starting values from the components of the features that exceed noise."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from bayes_mdd.dims import FEATURE, SUBJECT
from bayes_mdd.shared_specific.data.model_data import ModelData
from bayes_mdd.shared_specific.search.components import MAX_FEATURES, find_components
from bayes_mdd.shared_specific.search.effective_features import effective_count
from bayes_mdd.shared_specific.search.parallel_analysis import complement, orthonormal
from bayes_mdd.shared_specific.search.smooth import extend_scores, find_smooth_components
from bayes_mdd.streams import Stream, generator
from bayes_mdd.types import Array


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
        Number of factors that start at a component; the others start switched off.
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
            Number of factors to keep.

        Returns
        -------
        Start
            Starting values of these factors.
        """
        return replace(
            self,
            scores=self.scores[:, :n_factors],
            block_scale=self.block_scale[:, :n_factors],
            sharing=self.sharing[:n_factors],
            n_on=min(self.n_on, n_factors),
        )

    def arranged(self, pattern: Array) -> Start:
        """Order the factors by a fixed sharing pattern.

        Parameters
        ----------
        pattern : ndarray, shape (factor, arm)
            Sharing of each factor of the model.

        Returns
        -------
        Start
            The same factors, assigned to the rows of `pattern` that their spread over the arms is
            closest to.
        """
        distance = np.abs(pattern[:, None, :] - self.sharing[None, :, :]).sum(axis=2)
        # Factors that start switched off take the remaining rows.
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
#: Range of block scales of the other factors at the start.
SCALE_RANGE = (0.01, 1.5)


def spectral_start(
    data: ModelData, n_factors: int, *, seed: int = 0, max_features: int = MAX_FEATURES
) -> Start:
    """Start factors at components that exceed the parallel-analysis threshold.

    Factors beyond the components that `find_components` finds start switched off: a factor that
    started at the noise of a small block would stay there throughout a short run.

    Parameters
    ----------
    data : ModelData
        From `prepare`.
    n_factors : int
        Number of factors.
    seed : int, default 0
        Seed of the null distributions and of the scores of factors that start switched off.
    max_features : int, default 5000
        Largest number of features, evenly spaced, from which the rotation is computed.

    Returns
    -------
    Start
        Values that `starting_point` and `first_point` convert to coordinates.
    """
    rng = generator(seed, Stream.START)
    y, code = _whitened(data)
    if data.whitening is None:
        found = find_components(
            y,
            code,
            data.arm,
            data.stats.design,
            n_factors,
            rng,
            weight=data.weight,
            max_features=max_features,
        )
    else:
        found = _find_smooth(data, n_factors, rng)
    residual = y - _fitted(y, found)
    on = found.shape[1]
    n = len(data.arm)
    loadings = _regress(y, found)
    noise = np.sqrt(np.bincount(code, (residual**2).sum(axis=0)) / (np.bincount(code) * (n - on)))
    size = np.stack([np.sqrt((loadings[:, code == b] ** 2).mean(axis=1)) for b in np.unique(code)])
    scores = np.column_stack([found, rng.standard_normal((n, n_factors - on))])
    if data.stats.subject_scale is not None:
        scores *= data.stats.subject_scale[:, None]
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


def remaining_weight(data: ModelData, start: Start) -> float:
    """Effective over actual number of features, after the components of a start are removed.

    Parameters
    ----------
    data : ModelData
        From `prepare`.
    start : Start
        From `spectral_start`.

    Returns
    -------
    float
        About 1 where errors of features are independent.
    """
    y, code = _whitened(data)
    scores = start.scores[:, : start.n_on] / data.subject_scale[:, None]
    taken = data.stats.design
    if start.n_on:
        taken = orthonormal(taken, complement(scores, taken))
    y = complement(y, taken)
    y = y / np.sqrt(np.bincount(code, (y**2).mean(axis=0)) / np.bincount(code))[code]
    free = np.linalg.qr(taken, mode="complete")[0][:, taken.shape[1] :]
    inside = free.T @ y
    # Whitened features span as many dimensions as there are edges.
    n_dimensions = data.shown.features.sizes[FEATURE]
    return min(1.0, effective_count(inside @ inside.T, y.shape[1], 0) / n_dimensions)


def spread_over_arms(data: ModelData, scores: Array) -> Array:
    """Share of each arm in the variance of scores.

    Parameters
    ----------
    data : ModelData
        For the arm of each subject.
    scores : ndarray, shape (subject, factor)
        Scores.

    Returns
    -------
    ndarray, shape (factor, arm)
        Shares that sum to 1, none below 0.05 before normalisation.
    """
    spread = np.stack(
        [(scores[data.arm == a] ** 2).mean(axis=0) for a in range(len(data.arms))], axis=1
    )
    shares = np.clip(spread / spread.sum(axis=1, keepdims=True), 0.05, None)
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def _whitened(data: ModelData) -> tuple[Array, NDArray[np.int64]]:
    """Features with covariates projected out and unit variance in each block; codes of blocks."""
    stats, code = data.stats, data.code
    scale = np.sqrt(stats.traces / (stats.block_size * (len(data.arm) - 1)))
    return stats.basis @ (data.projected / np.maximum(scale, 1e-12)[code]), code


def _find_smooth(data: ModelData, n_factors: int, rng: np.random.Generator) -> Array:
    """Components of whitened edges, over the subjects' noise scales."""
    white, scale = data.whitening, data.subject_scale
    if white is None:
        raise ValueError("the features are not whitened")
    y = data.features["y"].transpose(SUBJECT, FEATURE).values.astype(float)
    x, smoothness = white.map.to_smooth(y) / scale[:, None], white.map.eigen_smoothness
    edges, design = white.edges, data.stats.design
    n = len(edges.arm)
    found = find_smooth_components(
        x[:n],
        smoothness,
        data.arm[:n],
        orthonormal(design[:n]),
        edges.subject_scale[:, None] * (edges.stats.basis @ edges.projected),
        scale[:n],
        n_factors,
        rng,
    )
    return extend_scores(found, x, smoothness, data.arm, design, n_factors, rng)


def _regress(y: Array, scores: Array) -> Array:
    if not scores.shape[1]:
        return np.zeros((0, y.shape[1]))
    return np.asarray(np.linalg.lstsq(scores, y, rcond=None)[0])


def _fitted(y: Array, scores: Array) -> Array:
    return np.asarray(scores @ _regress(y, scores))
