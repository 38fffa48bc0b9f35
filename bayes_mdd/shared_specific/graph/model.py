r"""PyMC graphs of the factor model, for sampling and for draws.

The model (see the model card ``models/shared_specific.md``)::

    y_p  = X beta_p + H lambda_p + e_p        e_ip ~ N(0, sigma_b^2),  beta flat
    h_ik = m_{a(i),k} + sqrt(A w_{a(i),k}) f_ik      f_ik ~ N(0, 1)
    w_k  ~ Dirichlet(alpha, ..., alpha)                                    sharing
    m_ak ~ N(0, s^2)                                                       arm mean
    lambda_pk ~ N(0, sigma_b^2 tau_bk^2)      tau_bk: regularised horseshoe, block scale
    s_id = alpha_d + gamma_d' x_i + sum_k beta_kd h_ik + eps_id            symptom link

has one graph that reads like these lines (`build_generative`, for prior predictive draws and as
reference for the other) and one that samples well (`build_shared_specific`). Both define the same
posterior. They differ in coordinates only, for four reasons observed in practice:

* The scales of scores and loadings are exchangeable, which makes a ridge that becomes longer and
  thinner with the number of features. The sampling graph has the *direction* of a factor's scores
  (`raw_scores`, whose length is auxiliary), their length (`log_radius`) and the product of length
  and block scale (`log_strength`), which the data inform.
* The likelihood does not depend on the part of the scores that intercept and covariates predict.
  Raw scores are written in a basis that separates these few wide directions from the many narrow
  ones, so that a diagonal metric fits both. Otherwise the number of steps grows with the number
  of features.
* Block scales are on the log scale. There, a half-t is a location family, and the overall scale
  of a factor moves the blocks that carry it without a funnel.
* Where the share of an arm in a factor is small relative to the information about a score, the
  score is expressed relative to its prior SD; elsewhere it is not. The mixture of the two,
  V = (A w + d^2) / (1 + d^2) with d^2 the posterior variance of a score, is exact for every d.

Arm means are integrated out: the scores of the n subjects of an arm are normal with variance
A w + n s^2 along their mean and A w across it (see `Expression`). Means are drawn afterwards,
given the scores.

With ``feature_noise="student"`` each feature has a noise variance sigma_b^2 v_p of its own,
v_p ~ inverse-gamma(nu / 2, nu / 2), to which its loadings are relative; v_p is integrated out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayes_mdd.dims import ARM, BLOCK, FACTOR, SUBJECT
from bayes_mdd.shared_specific.data.model_data import ModelData
from bayes_mdd.shared_specific.graph.expression import Expression, relative_variance
from bayes_mdd.shared_specific.graph.observed import observe_features
from bayes_mdd.shared_specific.graph.symptoms import (
    STORED_SYMPTOM,
    link_symptoms,
    regularised,
    symptom_coords,
    symptom_start,
)
from bayes_mdd.shared_specific.start.spectral import OFF, Start
from bayes_mdd.specs import SharedSpecificSpec

#: Variables that are stored for each draw.
STORED = ("scores", "sharing", "block_scale", "noise", "noise_df", *STORED_SYMPTOM)
#: Starting value of the degrees of freedom of the noise variances.
FIRST_DF = 10.0


def build_shared_specific(spec: SharedSpecificSpec, data: ModelData) -> pm.Model:
    """Build the graph that is sampled.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model; `n_factors`, `sharing` and the scales of the priors are read.
    data : ModelData
        From `prepare`.

    Returns
    -------
    pymc.Model
        With the deterministic variables `scores`, `block_scale` and, where asked,
        `symptom_weight`, next to `sharing` and `noise`, and `noise_df` where each feature has a
        noise of its own.
    """
    n = len(data.arm)
    with pm.Model(coords=model_coords(spec, data)) as model:
        ratio = relative_variance(spec, data)
        scale = pm.HalfCauchy("factor_scale", spec.factor_scale, dims=FACTOR)
        log_radius = pm.Flat("log_radius", dims=FACTOR)
        log_strength = pm.Flat("log_strength", dims=(BLOCK, FACTOR))
        rotated = pm.Flat("raw_scores", shape=(n, spec.n_factors))
        raw = pt.dot(data.stats.rotation, rotated)

        remaining = 1.0 / (pt.exp(2 * log_strength) * data.stats.block_size[:, None]).sum(axis=0)
        prior = Expression.prior(spec, data, ratio)
        v = prior.map(lambda variance: (variance + remaining) / (1 + remaining))
        standard = v.scale(data, raw, -0.5)
        length2 = (standard**2).mean(axis=0)
        unit = prior.scale(data, standard, 0.5) / pt.sqrt(length2)
        # Strengths refer to the part of the scores that the likelihood depends on, without their
        # mean over all subjects and without covariate effects.
        visible = data.stats.basis.shape[1]
        rms = pt.sqrt((pt.dot(data.stats.rotation[:, :visible].T, unit) ** 2).sum(axis=0) / n)
        shift = pt.log(rms) + log_radius
        z = log_strength - shift - pt.log(scale)

        # Half-t of tau / scale, on the log scale.
        df = spec.local_df
        pm.Potential(
            "log_strength_prior",
            (z - 0.5 * (df + 1) * pt.softplus(2 * z - np.log(df))).sum(),
        )
        # radius^2 n ~ chi^2_n, on the log scale of the radius.
        pm.Potential("log_radius_prior", (n * log_radius - 0.5 * n * pt.exp(2 * log_radius)).sum())
        # Directions are uniform after division by sqrt(V) (angular central Gaussian). The length of
        # the visible part is auxiliary, with about the posterior width of a score; the remaining
        # part moves freely.
        width2 = remaining / (1 + remaining) / n
        log_length = 0.5 * pt.log((rotated[:visible] ** 2).sum(axis=0) / n)
        pm.Potential(
            "raw_scores_prior",
            -0.5
            * (
                v.log_det(data)
                + (n * pt.log(length2) + log_length**2 / width2 + pt.log(width2)).sum()
            ),
        )
        scores = pm.Deterministic("scores", unit * pt.exp(log_radius), dims=(SUBJECT, FACTOR))
        tau = pm.Deterministic(
            "block_scale",
            regularised(pt.exp(log_strength - shift), spec.slab_scale),
            dims=(BLOCK, FACTOR),
        )
        _observe(spec, data, scores, tau)
    return model


def build_generative(spec: SharedSpecificSpec, data: ModelData) -> pm.Model:
    """Build the graph that reads like the model.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model.
    data : ModelData
        From `prepare`.

    Returns
    -------
    pymc.Model
        The same posterior as `build_shared_specific`, with every variable a distribution: for
        prior predictive draws and as reference.
    """
    with pm.Model(coords=model_coords(spec, data)) as model:
        scores, tau = declare_prior(spec, data)
        _observe(spec, data, scores, tau)
    return model


def declare_prior(spec: SharedSpecificSpec, data: ModelData) -> tuple[Any, Any]:
    """Declare scores and block scales, as they are in the model, on the context stack.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model.
    data : ModelData
        From `prepare`.

    Returns
    -------
    scores : TensorVariable, shape (subject, factor)
        Scores.
    block_scale : TensorVariable, shape (block, factor)
        Block scales, in units of the noise.
    """
    ratio = relative_variance(spec, data)
    scale = pm.HalfCauchy("factor_scale", spec.factor_scale, dims=FACTOR)
    local = pm.HalfStudentT("local_scale", spec.local_df, 1.0, dims=(BLOCK, FACTOR))
    f = pm.Normal("standard_scores", 0.0, 1.0, dims=(SUBJECT, FACTOR))
    prior = Expression.prior(spec, data, ratio)
    scores = pm.Deterministic("scores", prior.scale(data, f, 0.5), dims=(SUBJECT, FACTOR))
    tau = pm.Deterministic(
        "block_scale", regularised(local * scale, spec.slab_scale), dims=(BLOCK, FACTOR)
    )
    return scores, tau


def starting_point(
    spec: SharedSpecificSpec, data: ModelData, start: Start, *, jitter: float = 0.1
) -> dict[str, Any]:
    """Convert starting values to initial values of the sampling graph, different for each chain.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model.
    data : ModelData
        From `prepare`.
    start : Start
        From `find_modes`.
    jitter : float, default 0.1
        SD of the random displacement of scores and log scales.

    Returns
    -------
    dict
        Initial values by variable; random variables are drawn separately for each chain.
    """
    k = start.scores.shape[1]
    # nutpie refuses a point where a gradient is exactly zero, as at weights of 0: displace all.
    initial: dict[str, Any] = {
        "raw_scores": _around(data.stats.rotation.T @ start.scores, jitter),
        "log_strength": _around(np.log(start.block_scale), jitter),
        "log_radius": pm.Normal.dist(0.0, 0.05, shape=k),
        "factor_scale": np.where(start.block_scale.max(axis=0) > OFF, 0.1, spec.factor_scale),
        "noise": start.noise,
    }
    if spec.feature_noise == "student" and spec.noise_df is None:
        initial["noise_df"] = FIRST_DF
    initial |= symptom_start(spec, k, start.sharing.shape[1], jitter)
    if spec.sharing is None and start.sharing.shape[1] > 1:
        initial["sharing"] = start.sharing
    return initial


def _around(value: np.ndarray, sd: float) -> Any:
    return pm.Normal.dist(value, sd, shape=value.shape)


def model_coords(spec: SharedSpecificSpec, data: ModelData) -> dict[str, list[str]]:
    """Coordinates of a graph.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model.
    data : ModelData
        From `prepare`.

    Returns
    -------
    dict of str to list of str
        Names along each dimension.
    """
    return {
        SUBJECT: data.subjects,
        FACTOR: [f"F{i + 1}" for i in range(spec.n_factors)],
        ARM: list(data.arms),
        BLOCK: list(data.stats.blocks),
        **symptom_coords(data),
    }


def _observe(spec: SharedSpecificSpec, data: ModelData, scores: Any, tau: Any) -> None:
    noise = pm.HalfNormal("noise", spec.noise_scale, dims=BLOCK)
    observe_features(spec, data, pt.dot(data.stats.score_basis.T, scores), tau, noise)
    if spec.linked_symptoms:
        link_symptoms(spec, data, scores, tau)
