"""Log likelihood of each patient's outcome, with the scores integrated out."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from scipy.special import log_ndtr, ndtr

from bayes_mdd.response.prepare import Prepared
from bayes_mdd.types import Array


def log_likelihood(
    prepared: Prepared, draws: Mapping[str, Array], further: Mapping[str, xr.DataArray]
) -> Array | None:
    """Evaluate the log likelihood of each outcome under each draw.

    Parameters
    ----------
    prepared : Prepared
        The fitted patients.
    draws : mapping of str to ndarray
        ``drug``, ``moderation``, ``prognosis``, ``coefficient`` and, for Gaussian outcomes,
        ``sigma``, in points, oriented so that lower is better.
    further : mapping of str to DataArray
        ``cut`` of ordinal outcomes.

    Returns
    -------
    ndarray of shape (chain, draw, subject), or None
        None for outcomes whose scores cannot be integrated out given the draws (student,
        binomial).
    """
    kind, trial = prepared.spec.kind, prepared.trial
    if kind not in ("gaussian", "binary", "ordinal"):
        return None
    shape = draws["drug"].shape
    flat = {n: x.reshape(shape[0] * shape[1], *x.shape[2:]) for n, x in draws.items()}
    design = trial.design[:, 1:] if kind == "ordinal" else trial.design
    mu = np.multiply.outer(flat["drug"], trial.code)
    if "coefficient" in flat:
        mu += flat["coefficient"] @ design.T
    added = np.empty_like(mu)
    for arm in (False, True):
        # All patients of an arm have the same slopes.
        rows = trial.other == arm
        slope = flat["prognosis"] + (arm - 0.5) * flat["moderation"]
        mu[:, rows] += slope @ trial.mean[rows].T
        products = (slope[:, :, None] * slope[:, None, :]).reshape(len(slope), -1)
        added[:, rows] = products @ trial.covariance[rows].reshape(rows.sum(), -1).T
    if kind == "gaussian":
        variance = flat["sigma"][:, trial.other.astype(int)] ** 2 + added
        left = trial.outcome - mu
        found = -0.5 * (np.log(2 * np.pi * variance) + left**2 / variance)
    elif kind == "binary":
        positive = trial.outcome == trial.outcome.max()
        z = mu / np.sqrt(1 + added)
        found = log_ndtr(np.where(positive, z, -z))
    else:
        found = _ordinal(trial.outcome, mu, added, further["cut"].values.reshape(len(mu), -1))
    return np.asarray(found.reshape(*shape, -1))


def _ordinal(outcome: Array, mu: Array, added: Array, cut: Array) -> Array:
    level = np.unique(outcome, return_inverse=True)[1]
    draws = len(cut)
    edges = np.column_stack([np.full(draws, -np.inf), cut, np.full(draws, np.inf)])
    scale = np.sqrt(1 + added)
    upper = ndtr((edges[:, level + 1] - mu) / scale)
    lower = ndtr((edges[:, level] - mu) / scale)
    return np.asarray(np.log(np.maximum(upper - lower, 1e-300)))
