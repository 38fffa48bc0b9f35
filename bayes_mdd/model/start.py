"""Where chains start: a spectral split of the features, rotated to few blocks a factor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayes_mdd.dims import FEATURE, SUBJECT
from bayes_mdd.model.collapsed import Array
from bayes_mdd.model.data import ModelData


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
    """

    scores: Array
    block_scale: Array
    sharing: Array
    noise: Array


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


def spectral_start(data: ModelData, n_factors: int, *, max_features: int = 5000) -> Start:
    """Split the features into orthogonal patterns and rotate them by varimax.

    Parameters
    ----------
    data : ModelData
        What the model sees.
    n_factors : int
        Number of factors.
    max_features : int, default 5000
        The rotation is found on at most so many features, evenly spaced.

    Returns
    -------
    Start
        Values that `build_shared_specific` turns into a starting point.
    """
    stats = data.stats
    n = len(data.arm)
    projector = stats.basis @ stats.basis.T
    y = projector @ data.features["y"].transpose(SUBJECT, FEATURE).values
    weight = 1.0 / np.sqrt(
        np.maximum(stats.traces / (stats.block_size * stats.basis.shape[1]), 1e-12)
    )
    block = data.features["block"].values.astype(str)
    code = np.array([stats.blocks.index(b) for b in block])
    y = y * weight[code]
    values, vectors = np.linalg.eigh(y @ y.T)
    scores = vectors[:, ::-1][:, :n_factors] * np.sqrt(n)
    loadings = y.T @ scores / n
    step = max(1, len(loadings) // max_features)
    rotation = varimax(loadings[::step])
    scores, loadings = scores @ rotation, loadings @ rotation
    size = np.stack(
        [np.sqrt((loadings[code == b] ** 2).mean(axis=0)) for b in range(len(stats.blocks))]
    )
    left = max(1.0 - values[::-1][:n_factors].sum() / values.sum(), 0.05)
    spread = np.stack(
        [(scores[data.arm == a] ** 2).mean(axis=0) for a in range(len(data.arms))], axis=1
    )
    sharing = np.clip(spread / spread.sum(axis=1, keepdims=True), 0.05, None)
    noise = np.sqrt(left) / weight
    return Start(
        scores=scores / np.sqrt((scores**2).mean(axis=0)),
        block_scale=np.clip(size / np.sqrt(left), 0.01, 1.5),
        sharing=sharing / sharing.sum(axis=1, keepdims=True),
        noise=noise,
    )
