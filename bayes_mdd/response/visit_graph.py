"""PyMC graph of ratings over visits.

Ratings are Gaussian over the observed visits of a patient, as in
`bayes_mdd.response.visit_mixture`. Their density is written with the Cholesky factors of all
patients at once, entry by entry: there are few visits and many patients.

Ratings are regressed on the posterior means of the scores, whose slopes are those of the true
scores. What score error adds to the ratings is part of the residual covariance, which is
unstructured and each arm's own. With a term of its own it would compete with that covariance: the
slopes of several factors at several visits can account for any covariance of the residuals, and
would be estimated from it instead of from the ratings (a trial of 54 patients and five factors had
a benefit SD of 1.4 SD, against 0.5 with this graph and 0.4 by the fast method).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayes_mdd.response.graph import ARM, COLUMN, FACTOR, moderation_prior
from bayes_mdd.response.mixture import Scales
from bayes_mdd.response.trial import Trial
from bayes_mdd.response.visit_covariance import MOST_UNSTRUCTURED, visit_gaps
from bayes_mdd.response.visit_mixture import EARLY_DRUG_SD, EARLY_SLOPE_SD
from bayes_mdd.response.visits import VisitData
from bayes_mdd.types import Array, BoolArray

VISIT = "visit"
#: Smallest share of the residual variance that is noise of the outcome.
LEAST_NOISE = 0.05


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
        left = []
        for v in range(t):
            mu = trial.design @ columns[v] + code * drugs[v]
            if k:
                mu = mu + trial.mean @ both[v] + code * (trial.mean @ change[v])
            left.append(seen[:, v] * (y[:, v] - mu))
        residual = _residual(data.weeks)
        variance = residual[:, -1, -1]
        if k:
            variance = _without_score_error(variance, trial, both[-1], change[-1])
        pm.Deterministic("noise", pt.sqrt(variance), dims=ARM)
        covariance = _patient_covariance(residual, trial.other.astype(int), seen)
        pm.Potential("ratings", _log_density(covariance, left, seen))
    return model


def _rows(name: str, sd: Array, n_visits: int) -> list[Any]:
    """Coefficients of each visit before the endpoint."""
    value = pm.Normal(name, 0, sd, shape=sd.shape)
    return [value[v] for v in range(n_visits - 1)]


def _residual(weeks: Array) -> Any:
    """Residual covariance of each arm, shape (arm, visit, visit)."""
    t = weeks.size
    sd = pm.HalfNormal("residual_sd", 1.0, shape=(2, t))
    if t <= MOST_UNSTRUCTURED:
        root = _correlation_roots(t)
        # Not a matrix product: PyTensor warns where it finds no BLAS.
        correlation = (root[:, :, None, :] * root[:, None, :, :]).sum(axis=-1)
    else:
        level = pm.Beta("level", 1.5, 1.5, shape=(2, 1, 1))
        step = pm.Beta("step", 1.5, 1.5, shape=(2, 1, 1))
        correlation = level + (1 - level) * step ** visit_gaps(weeks)[None]
    return sd[:, :, None] * sd[:, None, :] * correlation


def _correlation_roots(n_visits: int) -> Any:
    """Declare Cholesky factors of the arms' correlations: normal rows, scaled to length 1.

    With two visits the correlation is z / sqrt(1 + z^2). (LKJCorr compiles its initial point with
    BLAS, which PyTensor does not find in every installation.)
    """
    entries = pm.Normal("partial", 0, 1, shape=(2, n_visits * (n_visits - 1) // 2))
    row, column = np.tril_indices(n_visits, -1)
    unit = np.broadcast_to(np.eye(n_visits), (2, n_visits, n_visits))
    rows = pt.set_subtensor(pt.as_tensor_variable(unit)[:, row, column], entries)
    return rows / pt.sqrt((rows**2).sum(axis=2, keepdims=True))


def _without_score_error(variance: Any, trial: Trial, both: Any, change: Any) -> Any:
    """Residual variance of each arm at the endpoint, less the average part of score error."""
    left = []
    for arm, code in enumerate((-0.5, 0.5)):
        mean = trial.covariance[trial.other == bool(arm)].mean(axis=0)
        slope = both + code * change
        added = (slope[:, None] * mean * slope[None, :]).sum()
        left.append(pt.maximum(variance[arm] - added, LEAST_NOISE * variance[arm]))
    return pt.stack(left)


def _patient_covariance(residual: Any, arm: Array, seen: BoolArray) -> list[list[Any]]:
    """Entries (subject,) of the covariances, those of the identity where not observed."""
    entries = []
    for v in range(seen.shape[1]):
        row = []
        for w in range(v + 1):
            both = (seen[:, v] & seen[:, w]).astype(float)
            row.append(both * residual[arm, v, w] + (v == w) * (1 - both))
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
