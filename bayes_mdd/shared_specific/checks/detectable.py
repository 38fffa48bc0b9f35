r"""The smallest factor that a cohort could have shown, by the detection limit of spiked matrices.

The search weights whitened features by :math:`w_p` and looks at the largest eigenvalue of
:math:`Y Y^\top / n` for n subjects. For independent errors of variance :math:`\sigma_p^2` and
:math:`a_p = w_p \sigma_p^2`, the eigenvalues outside the bulk and the bulk itself follow from one
function of a negative m [1]_ [2]_:

.. math::
    \lambda(m) = -\frac1m + \frac1n \sum_p \frac{a_p}{1 + a_p m}, \qquad
    1 = -m\, s \sum_p \frac{w_p g_p}{1 + a_p m}

The bulk ends where :math:`\lambda'(m) = 0` (for equal variances at :math:`(1 + \sqrt{n/P})^2`, up
to units). A factor whose squared loadings are :math:`s g_p`, with scores of mean square 1, moves
the largest eigenvalue to :math:`\lambda(m)`. Near the edge of the bulk the largest eigenvalue of
noise fluctuates by the law of Tracy and Widom, with a scale that follows from :math:`\lambda''`
[3]_. The search asks for an eigenvalue that exceeds it by the margins `EXCESS` and `MISFIT` of
`bayes_mdd.shared_specific.search.smooth`; the s that reaches the threshold is found in one half of
cohorts. Its loadings are mapped back to edges, where the variance of the factor is compared with
that of the edges.

References
----------
.. [1] Baik, J., Ben Arous, G. & Peche, S. (2005). Phase transition of the largest eigenvalue for
   nonnull complex sample covariance matrices. Annals of Probability, 33, 1643-1697.
.. [2] Benaych-Georges, F. & Nadakuditi, R. R. (2012). The singular values and vectors of low rank
   perturbations of large rectangular random matrices. Journal of Multivariate Analysis, 111,
   120-135.
.. [3] El Karoui, N. (2007). Tracy-Widom limit for the largest eigenvalue of a large class of
   complex sample covariance matrices. Annals of Probability, 35, 663-714.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy.optimize import brentq, minimize_scalar

from bayes_mdd.dims import CHAIN, DRAW, FACTOR, SUBJECT
from bayes_mdd.results.result import Result, read_result
from bayes_mdd.results.rules import WEIGHT_LEFT_MIN
from bayes_mdd.shared_specific.data.model_data import ModelData
from bayes_mdd.shared_specific.posterior.stored_data import read_model_data
from bayes_mdd.shared_specific.schema import (
    BLOCK_SCALE,
    OBSERVED_DATA,
    SCORES,
    WHITENING,
)
from bayes_mdd.shared_specific.search.parallel_analysis import complement, orthonormal
from bayes_mdd.shared_specific.search.weightings import EXCESS, MISFIT, Bins, bin_features
from bayes_mdd.types import Array, IntArray

#: Mean and SD of the Tracy-Widom law of real matrices.
TRACY_WIDOM = (-1.2065, 1.2680)
#: Mean and SD of the largest of the search's statistics over weightings and groups, each in SDs of
#: its own null distribution (simulated: 40 to 124 rows, 465 to 5253 features).
MAXIMUM = (1.85, 0.65)
#: Random patterns from which the share of the edges' variance is averaged.
PATTERNS = 20
EDGE_WISE, SMOOTH = "edge-wise", "smooth"


@dataclass(frozen=True, eq=False)
class Cohort:
    """What decides which factors a cohort can show.

    Parameters
    ----------
    noise : ndarray, shape (bin,)
        Residual variance of the features of each bin.
    bins : Bins
        Features by smoothness, and the weightings of the search.
    rows : mapping of str to float
        Subjects of each arm, less their part of the design.
    """

    noise: Array
    bins: Bins
    rows: dict[str, float]


def smallest_trait(idata: xr.DataTree | Result) -> pd.DataFrame | None:
    """Compute the smallest factors that the search would have found in a cohort.

    Parameters
    ----------
    idata : DataTree or Result
        A fit of the factor model.

    Returns
    -------
    DataFrame or None
        Columns ``pattern``: "edge-wise", a pattern that is isotropic in the whitened features, so
        that its edges are as correlated as their errors, or "smooth", a pattern whose whitened
        features have variances in proportion to their smoothness; ``factor``: "shared" or
        "<arm>-specific"; and ``explained``: the share of the variance of the edges, in the arms
        that have the factor, with which it is found in one half of such cohorts. None for fits
        without whitened edges, or where their errors are not independent.

    Notes
    -----
    A factor above the limit can be missed, and one below it found: the limit is where the chances
    are equal. Factors that are given as found may still be undecided between shared and specific,
    which needs more than detection. A factor below the limit is not shown to be absent.
    """
    result = read_result(idata)
    if not result.holds(WHITENING, "y") or not result.holds(OBSERVED_DATA, "y"):
        return None
    if float(result.constant["weight_left"]) < WEIGHT_LEFT_MIN:
        return None
    data = read_model_data(result)
    return detection_limits(data, _sampled_scores(result))


def detection_limits(data: ModelData, scores: Array | None = None) -> pd.DataFrame:
    """Compute detection limits from the data of a fit.

    Parameters
    ----------
    data : ModelData
        With whitened edges.
    scores : ndarray, shape (subject, factor), optional
        Scores of the factors that were found; they are removed first.

    Returns
    -------
    DataFrame
        As `smallest_trait` returns it.
    """
    white = data.whitening
    if white is None:
        raise ValueError("the features are not whitened")
    smoothness = white.map.eigen_smoothness
    bins = bin_features(smoothness)
    cohort = _describe(data, bins, scores)
    total = _edge_variance(data)
    rng = np.random.default_rng(0)
    # Features between eigenvectors of the mean correlation matrix, as the search has them.
    smooth = replace(white.map, basis=white.map.eigen[1])
    rows: list[dict[str, Any]] = []
    for pattern, variance in (
        (EDGE_WISE, np.ones(smoothness.size)),
        (SMOOTH, smoothness / smoothness.mean()),
    ):
        drawn = rng.standard_normal((PATTERNS, smoothness.size)) * np.sqrt(variance)
        edges = smooth.back(drawn)
        per_unit = white.unit**2 * float((edges**2).mean()) / total
        # Errors and factors have no part in the directions that change the scales of regions.
        energy = np.bincount(bins.of, (smooth.forward(edges) ** 2).mean(axis=0))
        for factor, groups in _groups(cohort):
            least = min(_least_size(cohort, energy, rows_, n) for rows_, n in groups)
            share = least * per_unit
            rows.append({"pattern": pattern, "factor": factor, "explained": share / (1.0 + share)})
    return pd.DataFrame(rows)


def _groups(cohort: Cohort) -> Iterator[tuple[str, list[tuple[float, float]]]]:
    """Rows of each group in which a factor is sought, and how many of them have the factor."""
    arms = cohort.rows
    every = sum(arms.values())
    inside = list(arms.values()) if len(arms) > 1 else []
    yield "shared", [(every, every), *((own, own) for own in inside)]
    if len(arms) > 1:
        for arm, own in arms.items():
            yield f"{arm}-specific", [(every, own), (own, own)]


def _describe(data: ModelData, bins: Bins, scores: Array | None) -> Cohort:
    """Residual variance by bin, and rows by arm."""
    white, scale = data.whitening, data.subject_scale[:, None]
    if white is None:
        raise ValueError("the features are not whitened")
    y = data.features["y"].transpose(SUBJECT, ...).values.astype(float)
    taken = data.stats.design
    if scores is not None and scores.shape[1]:
        taken = orthonormal(taken, scores / scale)
    left = complement(white.map.to_smooth(y) / scale, taken)
    free = len(left) - taken.shape[1]
    noise = np.bincount(bins.of, (left**2).sum(axis=0)) / (free * bins.size)
    rows = {
        str(arm): free / len(left) * float((data.arm == a).sum()) for a, arm in enumerate(data.arms)
    }
    # Subjects with little noise carry more of a factor.
    return Cohort(noise / float((1.0 / data.subject_scale**2).mean()), bins, rows)


def _least_size(cohort: Cohort, energy: Array, rows: float, carriers: float) -> float:
    """Smallest variance of a loading with which a factor is found in one half of cohorts."""
    return min(
        _least_by_weighting(w, cohort.noise, cohort.bins.size, energy, rows) * rows / carriers
        for w in cohort.bins.weights
    )


def _least_by_weighting(
    weights: Array, noise: Array, size: IntArray, energy: Array, rows: float
) -> float:
    a = weights * noise
    unit = float((a * size).sum()) / rows
    a = a / unit  # the mean eigenvalue is about 1

    def position(m: float) -> float:
        return float(-1.0 / m + (size * a / (1.0 + a * m)).sum() / rows)

    lowest = -1.0 / a.max()
    edge = minimize_scalar(position, bounds=(lowest * (1 - 1e-9), lowest * 1e-9), method="bounded")
    at, end = float(edge.x), float(edge.fun)
    curvature = -2.0 / at**3 + 2.0 * float((size * a**3 / (1.0 + a * at) ** 3).sum()) / rows
    scale = (curvature / 2.0) ** (1.0 / 3.0) * rows ** (-2.0 / 3.0)
    middle, spread = end + TRACY_WIDOM[0] * scale, TRACY_WIDOM[1] * scale
    steps = MAXIMUM[0] + EXCESS * MAXIMUM[1]
    # The search works on logarithms: one SD of the log is spread / middle.
    threshold = middle * float(np.exp(MISFIT + steps * spread / middle))
    # Towards zero the position grows without bound.
    m = brentq(lambda x: position(x) - threshold, at, -1e-9 / max(threshold, 1.0))
    return float(1.0 / (-m * (weights / unit * energy / (1.0 + a * m)).sum()))


def _edge_variance(data: ModelData) -> float:
    """Mean variance of the edges within arms, without design."""
    shown = data.shown
    total = shown.total.traces.sum()
    n_edges = shown.features.sizes["feature"]
    return float(total / (shown.stats.basis.shape[1] * n_edges))


def _sampled_scores(result: Result) -> Array:
    posterior = result.posterior
    scale = posterior[BLOCK_SCALE]
    on = scale.any([d for d in scale.dims if d != FACTOR]).values
    scores = posterior[SCORES].mean((CHAIN, DRAW)).transpose(SUBJECT, FACTOR).values
    return np.asarray(scores[:, np.flatnonzero(on)])
