r"""PyMC graph of ratings over visits, with the scores integrated out.

Ratings are Gaussian over the observed visits of a patient, as in
`bayes_mdd.response.visit_mixture`. Their density is written with the Cholesky factors of all
patients at once, entry by entry: there are few visits and many patients.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayes_mdd.response.graph import ARM, COLUMN, FACTOR, moderation_prior, score_roots
from bayes_mdd.response.mixture import Scales
from bayes_mdd.response.visit_covariance import MOST_UNSTRUCTURED, visit_gaps
from bayes_mdd.response.visit_mixture import EARLY_DRUG_SD, EARLY_SLOPE_SD
from bayes_mdd.response.visits import VisitData
from bayes_mdd.types import Array, BoolArray

VISIT = "visit"


def build_visit_graph(data: VisitData, scales: Scales, unit: float) -> pm.Model:
    """Build the PyMC graph.

    Parameters
    ----------
    data : VisitData
        Ratings, arms and scores.
    scales : Scales
        Prior scales.
    unit : float
        Residual SD of the outcome, in points.

    Returns
    -------
    pymc.Model
        Variables of the endpoint are named as in `build_response_graph`; ``drug_visit`` (visit) is
        the drug effect at every visit.
    """
    trial = data.prepared.trial
    t, k, code = data.weeks.size, trial.n_factors, trial.code
    seen = ~np.isnan(data.values)
    y = np.where(seen, data.values / unit, 0.0)
    coords: dict[str, Any] = {
        FACTOR: list(data.prepared.factors),
        COLUMN: np.arange(trial.design.shape[1]),
        ARM: ["default", "other"],
        VISIT: list(data.sessions),
    }
    with pm.Model(coords=coords) as model:
        last = pm.Normal("coefficient", 0, np.minimum(trial.design_sd, 5.0), dims=COLUMN)
        early_sd = np.tile(np.minimum(trial.design_sd, 5.0), (t - 1, 1))
        columns = [*_rows("coefficient_early", early_sd, t), last]
        drug = pm.Normal("drug", 0, scales.drug)
        drugs = [*_rows("drug_early", np.full(t - 1, EARLY_DRUG_SD), t), drug]
        pm.Deterministic("drug_visit", pt.stack(drugs), dims=VISIT)
        both = change = [np.zeros(0)] * t
        if k:
            wide = np.full((t - 1, k), EARLY_SLOPE_SD)
            prognosis = pm.Normal("prognosis", 0, scales.prognosis, dims=FACTOR)
            both = [*_rows("prognosis_early", wide, t), prognosis]
            moderation = moderation_prior(k, scales)
            change = [*_rows("moderation_early", wide, t), moderation]
        left, slopes = [], []
        for v in range(t):
            mu = trial.design @ columns[v] + code * drugs[v]
            if k:
                mu = mu + trial.mean @ both[v] + code * (trial.mean @ change[v])
                slopes.append(both[v][None] + code[:, None] * change[v][None])
            left.append(seen[:, v] * (y[:, v] - mu))
        noise = _noise(data.weeks)
        covariance = _patient_covariance(
            noise, trial.other.astype(int), slopes, trial.covariance, seen
        )
        pm.Potential("ratings", _log_density(covariance, left, seen))
    return model


def _rows(name: str, sd: Array, n_visits: int) -> list[Any]:
    """Coefficients of each visit before the endpoint."""
    value = pm.Normal(name, 0, sd, shape=sd.shape)
    return [value[v] for v in range(n_visits - 1)]


def _noise(weeks: Array) -> Any:
    """Noise covariance of each arm, shape (arm, visit, visit)."""
    t = weeks.size
    sd = pm.HalfNormal("noise_sd", 1.0, shape=(2, t))
    pm.Deterministic("noise", sd[:, -1], dims=ARM)
    if t <= MOST_UNSTRUCTURED:
        root = _correlation_root(t)
        # Not a matrix product: PyTensor warns where it finds no BLAS.
        correlation = (root[:, None, :] * root[None, :, :]).sum(axis=-1)
    else:
        level, step = pm.Beta("level", 1.5, 1.5), pm.Beta("step", 1.5, 1.5)
        correlation = level + (1 - level) * step ** visit_gaps(weeks)
    return sd[:, :, None] * sd[:, None, :] * correlation[None]


def _correlation_root(n_visits: int) -> Any:
    """Declare a Cholesky factor of correlations: rows of normal entries, scaled to length 1.

    With two visits the correlation is z / sqrt(1 + z^2). (LKJCorr compiles its initial point with
    BLAS, which PyTensor does not find in every installation.)
    """
    entries = pm.Normal("partial", 0, 1, shape=n_visits * (n_visits - 1) // 2)
    below = np.tril_indices(n_visits, -1)
    rows = pt.set_subtensor(pt.eye(n_visits)[below], entries)
    return rows / pt.sqrt((rows**2).sum(axis=1, keepdims=True))


def _patient_covariance(
    noise: Any, arm: Array, slopes: list[Any], score_covariance: Array, seen: BoolArray
) -> list[list[Any]]:
    """Entries (subject,) of the covariances, those of the identity where not observed."""
    t = seen.shape[1]
    moved: list[Any] = []
    if slopes and score_covariance.any():
        roots = score_roots(score_covariance)
        moved = [(s[:, :, None] * roots).sum(axis=1) for s in slopes]
    entries = []
    for v in range(t):
        row = []
        for w in range(v + 1):
            value = noise[arm, v, w]
            if moved:
                value = value + (moved[v] * moved[w]).sum(axis=-1)
            both = (seen[:, v] & seen[:, w]).astype(float)
            row.append(both * value + (v == w) * (1 - both))
        entries.append(row)
    return entries


def _log_density(covariance: list[list[Any]], left: list[Any], seen: BoolArray) -> Any:
    """Gaussian log density of all observed ratings, by a Cholesky factor entry by entry."""
    root: list[list[Any]] = []
    whitened: list[Any] = []
    total: Any = -0.5 * seen.sum() * np.log(2 * np.pi)
    for v, residual in enumerate(left):
        row: list[Any] = []
        for w in range(v + 1):
            rest = covariance[v][w]
            for u in range(w):
                rest = rest - row[u] * (root[w][u] if w < v else row[u])
            row.append(rest / root[w][w] if w < v else pt.sqrt(pt.maximum(rest, 1e-10)))
        root.append(row)
        free = residual
        for w in range(v):
            free = free - row[w] * whitened[w]
        whitened.append(free / row[v])
        total = total - 0.5 * (whitened[v] ** 2).sum() - pt.log(row[v]).sum()
    return total
