"""Reliability of the factors of a fit, from halves and pieces of scans and from two sessions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayes_mdd.dims import ARM, CHAIN, DRAW, FACTOR, FEATURE, REGION, SUBJECT
from bayes_mdd.shared_specific.data.edges import region_order
from bayes_mdd.shared_specific.data.model_data import ModelData
from bayes_mdd.shared_specific.reliability.icc import icc_draws, pooled_reliability
from bayes_mdd.shared_specific.reliability.pieces import PieceScores, score_pieces
from bayes_mdd.shared_specific.reliability.state import trait_share
from bayes_mdd.shared_specific.schema import (
    BLOCK_SCALE,
    RELIABILITY,
    RELIABILITY_DRAW,
    SCORES,
    SOURCE,
)
from bayes_mdd.types import Array, IntArray

#: Draws of each reliability that are kept.
KEPT = 400
#: Smallest number of subjects with pieces, or with a second session.
LEAST_SUBJECTS = 10
#: Noise of scores up to this multiple of their sampling variance counts as sampling error. That
#: variance assumes errors that are equal in all directions; in simulated traits the noise is 0.9 to
#: 2.3 times as large, in states that change from piece to piece more than ten times.
SAMPLING_MARGIN = 2.0


def collect_reliability(data: ModelData, posterior: xr.Dataset) -> xr.Dataset | None:
    """Draw the reliability of each factor from every source that the features hold.

    Parameters
    ----------
    data : ModelData
        The fitted data. Of its features as they were given, ``pieces`` and ``session_difference``
        are read.
    posterior : Dataset
        Aligned draws; ``reliability`` holds that within the scan, by arm.

    Returns
    -------
    Dataset or None
        Group ``reliability``: ``draws`` (source, reliability_draw, factor), with NaN for factors
        that are not in the model and for a source that does not apply; None without any source.
    """
    n_factors = posterior.sizes[FACTOR]
    found: dict[str, Array] = {}
    if RELIABILITY in posterior:
        by_arm = posterior[RELIABILITY].transpose(CHAIN, DRAW, ARM, FACTOR).values
        by_arm = by_arm.reshape(-1, *by_arm.shape[2:])
        rows = np.linspace(0, len(by_arm) - 1, KEPT).round().astype(int)
        found["halves"] = pooled_reliability(by_arm[rows], data.arm_size)
    if data.whitening is not None:
        on = _sampled(posterior)
        found |= _from_pieces(data, posterior, on) | _from_sessions(data, posterior, on)
    if not found:
        return None
    draws = np.full((len(found), KEPT, n_factors), np.nan)
    for i, value in enumerate(found.values()):
        draws[i] = value
    return xr.Dataset(
        {"draws": ((SOURCE, RELIABILITY_DRAW, FACTOR), draws.astype(np.float32))},
        coords={
            SOURCE: np.array(list(found), dtype=object),
            FACTOR: posterior[FACTOR].values,
        },
    )


def _sampled(posterior: xr.Dataset) -> IntArray:
    scale = posterior[BLOCK_SCALE]
    return np.flatnonzero(scale.any([d for d in scale.dims if d != FACTOR]).values)


def _rows(data: ModelData, posterior: xr.Dataset, on: IntArray) -> tuple[Array, Array]:
    """Posterior mean scores, and whitened features with the design projected out."""
    scores = posterior[SCORES].mean((CHAIN, DRAW)).transpose(SUBJECT, FACTOR).values[:, on]
    return _without_design(data, scores), _without_design(data, _whitened(data))


def _whitened(data: ModelData) -> Array:
    return np.asarray(data.features["y"].transpose(SUBJECT, FEATURE).values, dtype=float)


def _without_design(data: ModelData, values: Array) -> Array:
    """Residuals of a regression on the design, weighted by the subjects' noise scales."""
    scale = data.subject_scale[:, None]
    basis = data.stats.design
    scaled = values / scale
    return np.asarray((scaled - basis @ (basis.T @ scaled)) * scale)


def _score(
    data: ModelData,
    posterior: xr.Dataset,
    on: IntArray,
    pieces: NDArray[np.floating],
    has: IntArray,
) -> PieceScores:
    """Scores of pieces of some subjects, with loadings from the others."""
    scores, features = _rows(data, posterior, on)
    owner = np.full(len(scores), -1)
    owner[has] = np.arange(has.size)
    return score_pieces(pieces, scores, features, data.subject_scale, owner, data.code)


def _from_pieces(data: ModelData, posterior: xr.Dataset, on: IntArray) -> dict[str, Array]:
    """Part of each factor's variance that would remain in a longer scan."""
    given, white = data.shown.features, data.whitening
    if white is None or "pieces" not in given or not on.size:
        return {}
    products = given["pieces"]
    has = np.flatnonzero(np.isfinite(products.isel(pair=0, piece=0).values))
    if has.size < LEAST_SUBJECTS:
        return {}
    shape = (has.size, products.sizes["piece"], data.code.size)
    pieces = np.empty(shape, dtype=np.float32)
    pairs = _pairs_of_fit(given, products.sizes["pair"])
    for row, i in enumerate(has):
        of_subject = products.isel({SUBJECT: int(i)}).values.astype(float)[:, pairs]
        pieces[row] = white.map.forward_products(of_subject) / white.unit
    found = _score(data, posterior, on, pieces, has)
    draws = np.full((KEPT, posterior.sizes[FACTOR]), np.nan)
    for column, k in enumerate(on):
        share = trait_share(
            found.scores[:, :, column],
            SAMPLING_MARGIN * float(found.sampling[column]),
            n_draws=KEPT,
        )
        draws[:, k] = share.draws
    return {"pieces": draws}


def _pairs_of_fit(given: xr.Dataset, n_pairs: int) -> IntArray:
    """Positions of the pairs of the fitted regions among those of the pieces.

    Pieces hold all regions in the order of the region table, of which a fit may use a part.
    """
    if REGION not in given.coords:
        return np.arange(n_pairs)
    names = region_order(given)
    at = pd.Index(given[REGION].values.astype(str)).get_indexer(pd.Index(names))
    table = np.zeros((given.sizes[REGION],) * 2, dtype=np.int64)
    i, j = np.triu_indices(len(table))
    table[i, j] = table[j, i] = np.arange(i.size)
    a, b = np.triu_indices(at.size)
    return np.asarray(table[at[a], at[b]])


def _from_sessions(data: ModelData, posterior: xr.Dataset, on: IntArray) -> dict[str, Array]:
    """ICC of the scores of one session, without their sampling error."""
    given, white = data.shown.features, data.whitening
    if white is None or "session_difference" not in given or not on.size:
        return {}
    difference = given["session_difference"].transpose(SUBJECT, FEATURE).values.astype(float)
    has = np.flatnonzero(np.isfinite(difference).all(axis=1))
    if has.size < LEAST_SUBJECTS:
        return {}
    first = _whitened(data)[has]
    second = first - 2.0 * white.map.forward(difference[has][:, white.order]) / white.unit
    found = _score(data, posterior, on, np.stack([first, second], axis=1), has)
    draws = np.full((KEPT, posterior.sizes[FACTOR]), np.nan)
    for column, k in enumerate(on):
        draws[:, k] = icc_draws(
            found.scores[:, :, column], SAMPLING_MARGIN * float(found.sampling[column]), KEPT
        )
    return {"sessions": draws}
