r"""PyMC graph of the second stage, with the scores integrated out.

With :math:`c_i = \beta + A_i \theta`, outcomes are distributed as

.. math:: y_i \sim N(\mu_i + c_i^\top m_i,\; \sigma_{A_i}^2 + c_i^\top V_i c_i)

and, for a probit model of ordered categories, :math:`P(y_i \le l) = \Phi((\kappa_l - \mu_i -
c_i^\top m_i) / \sqrt{1 + c_i^\top V_i c_i})`; a binary outcome has two categories. Each arm has its
own noise: with one for both, a noisier arm would resemble moderation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.distributions.transforms import ordered

from bayes_mdd.response.mixture import Scales
from bayes_mdd.response.trial import Trial
from bayes_mdd.specs.response import OutcomeKind
from bayes_mdd.types import Array, IntArray

#: Dimension names.
FACTOR, SUBJECT, COLUMN, ARM, CUT, SITE = "factor", "subject", "column", "arm", "cut", "site"
#: Concentration of the prior of which factors carry the benefit: small values favour few.
CARRIER = 0.5
#: Scale of the half-normal prior of the SD of site effects.
SITE_SD = 0.3


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Outcomes as the graph takes them.

    Parameters
    ----------
    kind : {"gaussian", "student", "binary", "ordinal", "binomial"}
        Distribution.
    value : ndarray, shape (subject,)
        Standardised outcome, category from 0, or number of successes.
    n_levels : int, default 2
        Number of categories of binary and ordinal outcomes.
    trials : ndarray of shape (subject,), optional
        Numbers of trials of binomial outcomes.
    """

    kind: OutcomeKind
    value: Array
    n_levels: int = 2
    trials: IntArray | None = None


def build_response_graph(
    trial: Trial,
    outcomes: Outcomes,
    scales: Scales,
    *,
    site: IntArray | None = None,
    factors: tuple[str, ...] = (),
) -> pm.Model:
    """Build the PyMC graph.

    Parameters
    ----------
    trial : Trial
        Arms, scores and design; of the design, columns with a prior SD of 0 are left out.
    outcomes : Outcomes
        What was observed.
    scales : Scales
        Prior scales.
    site : ndarray of int, shape (subject,), optional
        Site of each subject, for effects with a common SD.
    factors : tuple of str, optional
        Names of the factors.

    Returns
    -------
    pymc.Model
        Free variables ``coefficient``, ``prognosis``, ``drug``, ``benefit_scale``, ``carrier``,
        ``direction``; ``noise`` of Gaussian outcomes, ``cut`` of ordinal ones.
    """
    n, k = trial.mean.shape
    names = list(factors) or [f"F{i + 1}" for i in range(k)]
    coords: dict[str, Any] = {
        FACTOR: names,
        SUBJECT: np.arange(n),
        COLUMN: np.arange(trial.design.shape[1]),
        ARM: ["default", "other"],
    }
    code = trial.code
    with pm.Model(coords=coords) as model:
        # The cut points of an ordinal outcome take the place of the intercept.
        kept = slice(1, None) if outcomes.kind == "ordinal" else slice(0, None)
        columns = trial.design[:, kept]
        mu = pt.zeros(n)
        if columns.shape[1]:
            sd = np.minimum(trial.design_sd[kept], 5.0)
            mu = mu + columns @ pm.Normal("coefficient", 0, sd, shape=columns.shape[1])
        if site is not None:
            spread = pm.HalfNormal("site_sd", SITE_SD)
            effect = pm.Normal("site_effect", 0, 1, shape=int(site.max()) + 1)
            mu = mu + spread * effect[site]
        drug = pm.Normal("drug", 0, scales.drug)
        mu = mu + code * drug
        slope = np.zeros((n, 0))
        if k:
            prognosis = pm.Normal("prognosis", 0, scales.prognosis, dims=FACTOR)
            moderation = moderation_prior(k, scales)
            mu = mu + trial.mean @ prognosis + code * (trial.mean @ moderation)
            slope = prognosis[None] + code[:, None] * moderation[None]
        _observe(outcomes, mu, slope, trial)
    return model


def starting_point(n_factors: int) -> dict[str, Any]:
    """Choose initial values, drawn again for each chain.

    At zero the gradient in the shares of the factors vanishes, from which chains cannot start.

    Parameters
    ----------
    n_factors : int
        Number of factors.

    Returns
    -------
    dict
        Random variables by name.
    """
    if not n_factors:
        return {"drug": pm.Normal.dist(0, 0.1)}
    return {
        "direction": pm.Normal.dist(0, 1, shape=n_factors),
        "prognosis": pm.Normal.dist(0, 0.1, shape=n_factors),
        "drug": pm.Normal.dist(0, 0.1),
    }


def moderation_prior(n_factors: int, scales: Scales) -> Any:
    """Declare the slopes of the benefit: an overall size, shared out over few factors.

    Parameters
    ----------
    n_factors : int
        Number of factors.
    scales : Scales
        Prior scales.

    Returns
    -------
    TensorVariable
        ``moderation`` (factor), in the model on the context stack.
    """
    size = pm.HalfNormal("benefit_scale", scales.moderation)
    direction = pm.Normal("direction", 0, 1, dims=FACTOR)
    share = (
        1.0 if n_factors == 1 else pm.Dirichlet("carrier", np.full(n_factors, CARRIER), dims=FACTOR)
    )
    return pm.Deterministic("moderation", size * pt.sqrt(share) * direction, dims=FACTOR)


def _observe(outcomes: Outcomes, mu: Any, slope: Any, trial: Trial) -> None:
    added = _added_variance(slope, trial.covariance)
    arm = trial.other.astype(int)
    if outcomes.kind in ("gaussian", "student"):
        sigma = pm.HalfNormal("noise", 1.0, dims=ARM)[arm]
        if outcomes.kind == "gaussian":
            sd = pt.sqrt(sigma**2 + added)
            pm.Normal("outcome", mu, sd, observed=outcomes.value, dims=SUBJECT)
            return
        # A t distribution is a normal one with a random weight, which keeps the scores integrable.
        df = pm.Gamma("noise_df", 2.0, 0.1)
        weight = pm.Gamma("weight", df / 2, df / 2, dims=SUBJECT)
        sd = pt.sqrt(sigma**2 / weight + added)
        pm.Normal("outcome", mu, sd, observed=outcomes.value, dims=SUBJECT)
        return
    if outcomes.kind == "binomial":
        # Trials of one subject share the scores: they are sampled, in whitened coordinates.
        if trial.covariance.any():
            around = pm.Normal("score", 0, 1, dims=(SUBJECT, FACTOR))
            moved = (score_roots(trial.covariance) * around[:, None, :]).sum(axis=-1)
            mu = mu + (slope * moved).sum(axis=-1)
        p = pm.math.invprobit(mu)
        pm.Binomial("outcome", outcomes.trials, p, observed=outcomes.value, dims=SUBJECT)
        return
    cut = pt.zeros(1)
    if outcomes.kind == "ordinal":
        start = np.linspace(-1, 1, outcomes.n_levels - 1)
        cut = pm.Normal("cut", 0, 2, shape=outcomes.n_levels - 1, transform=ordered, initval=start)
    scale = pt.sqrt(1 + added)
    below = pm.math.invprobit((cut[None] - mu[:, None]) / scale[:, None])
    edges = pt.concatenate([pt.zeros((mu.shape[0], 1)), below, pt.ones((mu.shape[0], 1))], axis=1)
    p = pt.clip(edges[:, 1:] - edges[:, :-1], 1e-12, 1.0)
    pm.Categorical("outcome", p, observed=outcomes.value.astype(int), dims=SUBJECT)


def _added_variance(slope: Any, covariance: Array) -> Any:
    """Variance c' V c that uncertain scores add, from roots of V."""
    if not covariance.any():
        return 0.0
    k = covariance.shape[1]
    if not (covariance * (1 - np.eye(k))).any():
        return (slope**2 * np.diagonal(covariance, axis1=1, axis2=2)).sum(axis=1)
    return ((slope[:, :, None] * score_roots(covariance)).sum(axis=1) ** 2).sum(axis=-1)


def score_roots(covariance: Array) -> Array:
    """Decompose covariances of scores, which may be singular.

    Parameters
    ----------
    covariance : ndarray, shape (subject, factor, factor)
        Posterior covariances V.

    Returns
    -------
    ndarray, shape (subject, factor, factor)
        Matrices R with R R' = V.
    """
    value, vector = np.linalg.eigh(covariance)
    return np.asarray(vector * np.sqrt(np.maximum(value, 0.0))[:, None, :])
