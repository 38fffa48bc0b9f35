r"""The part of the graph that links factors with symptoms.

Dimensions are Gaussian, items follow a cumulative logit (:math:`\sigma` is the logistic function)::

    s_id = alpha_d + gamma_d' x_i + sum_k beta_{a(i),kd} h_ik + eps_id
    P(s_ij <= c) = sigma(kappa_jc - gamma_j' x_i - sum_k beta_{a(i),kj} h_ik)
    beta_akd = common_kd + deviation_akd,     sum_a deviation_akd = 0

Common weights and deviations have a regularised horseshoe each, over factor x symptom, in units of
a residual SD: 1 SD of a dimension, :math:`\pi / \sqrt 3` log-odds of an item.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from scipy.linalg import block_diag

from bayes_mdd.dims import ARM, CUTPOINT, DIMENSION, FACTOR, ITEM, ITEM_COVARIATE, SYMPTOM
from bayes_mdd.shared_specific.data.model_data import ModelData
from bayes_mdd.shared_specific.data.ratings import LOGISTIC_SD, arm_contrasts
from bayes_mdd.shared_specific.graph.ordinal import observe_levels
from bayes_mdd.shared_specific.prior.priors import (
    SYMPTOM_ARM_OVERALL,
    SYMPTOM_OVERALL,
    SYMPTOM_SLAB,
)
from bayes_mdd.specs import SharedSpecificSpec

#: Axis of the contrasts of arms.
CONTRAST = "arm_contrast"
#: Variables that are stored for each draw.
STORED_SYMPTOM = (
    "symptom_weight",
    "symptom_weight_by_arm",
    "symptom_noise",
    "symptom_cutpoint",
    "symptom_covariate",
)


def regularised(scale: Any, slab: float) -> Any:
    """Bound a scale by the slab (Piironen & Vehtari, 2017).

    Parameters
    ----------
    scale : TensorVariable
        A scale of a horseshoe.
    slab : float
        Its upper bound.

    Returns
    -------
    TensorVariable
        Same shape as `scale`.
    """
    return scale / pt.sqrt(1 + (scale / slab) ** 2)


def link_symptoms(spec: SharedSpecificSpec, data: ModelData, scores: Any, tau: Any) -> None:
    """Link scores with symptoms; intercept and covariates of dimensions are integrated out.

    A weight is multiplied by the reliability of the factor's scores, information / (1 +
    information) with information = sum_b P_b tau_b^2. Without it, a factor that the features do
    not measure could fit the residual of the symptom. The product acts on the symptom and is
    reported, so the reliability is part of the prior and biases nothing else.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model.
    data : ModelData
        With the linked symptoms.
    scores : TensorVariable, shape (subject, factor)
        Scores of all subjects.
    tau : TensorVariable, shape (block, factor)
        Block scales.
    """
    information = (tau**2 * data.stats.block_size[:, None]).sum(axis=0)
    reliability = information / (1 + information)
    unit = np.repeat([1.0, LOGISTIC_SD], [len(data.symptoms), len(data.items)])
    scale = reliability[:, None] * unit
    dims = (FACTOR, SYMPTOM)
    common = pm.Deterministic(
        "symptom_weight", _horseshoe("symptom", SYMPTOM_OVERALL, dims) * scale, dims=dims
    )
    if spec.symptom_links == "common":
        predicted = pt.dot(scores, common)
    else:
        raw = _horseshoe("symptom_arm", SYMPTOM_ARM_OVERALL, dims, (CONTRAST,))
        deviation = pt.tensordot(arm_contrasts(len(data.arms)), raw, axes=([1], [0])) * scale
        weight = pm.Deterministic(
            "symptom_weight_by_arm", common + deviation, dims=(ARM, FACTOR, SYMPTOM)
        )
        predicted = (scores[:, :, None] * weight[data.arm]).sum(axis=1)
    _observe_dimensions(spec, data, predicted[:, : len(data.symptoms)])
    _observe_items(spec, data, predicted[:, len(data.symptoms) :])


def _horseshoe(name: str, overall: float, dims: tuple[str, ...], more: tuple[str, ...] = ()) -> Any:
    """Regularised horseshoe; local scales are the same along the leading axes `more`."""
    whole = pm.HalfCauchy(f"{name}_global", overall)
    local = pm.HalfCauchy(f"{name}_local", 1.0, dims=dims)
    raw = pm.Normal(f"{name}_raw", 0.0, 1.0, dims=(*more, *dims))
    return raw * regularised(local * whole, SYMPTOM_SLAB)


def _observe_dimensions(spec: SharedSpecificSpec, data: ModelData, predicted: Any) -> None:
    parts = []
    if data.symptoms:
        noise = pm.HalfNormal("dimension_noise", spec.symptom_scale, dims=DIMENSION)
        parts.append(noise)
        for d, symptom in enumerate(data.symptoms):
            mean = pt.dot(symptom.basis.T, predicted[symptom.rated, d])
            pm.Normal(f"rating_{symptom.name}", mean, noise[d], observed=symptom.value)
    if data.items:
        parts.append(pt.as_tensor(np.full(len(data.items), LOGISTIC_SD)))
    pm.Deterministic("symptom_noise", pt.concatenate(parts), dims=SYMPTOM)


def _observe_items(spec: SharedSpecificSpec, data: ModelData, predicted: Any) -> None:
    """Declare the cumulative logit of all items as one variable, for rated subjects.

    The shares of an item's levels at the mean of scores and covariates have a flat Dirichlet
    prior, written as stick-breaking so that all items are one variable.
    """
    if not data.items:
        return
    covariates = item_covariates(data)
    if covariates.shape[1]:
        effect = pm.Normal(
            "symptom_covariate",
            0.0,
            spec.ordinal_covariate_scale,
            dims=(ITEM, ITEM_COVARIATE),
        )
        predicted = predicted + pt.dot(covariates, effect.T)
    n_cuts = [len(item.values) - 1 for item in data.items]
    remaining = np.concatenate([np.arange(n, 0, -1) for n in n_cuts]).astype(float)
    broken = pm.Beta("symptom_break", 1.0, remaining, dims=CUTPOINT)
    log_above = pt.dot(block_diag(*(np.tri(n) for n in n_cuts)), pt.log1p(-broken))
    cut = pm.Deterministic("symptom_cutpoint", pt.log1mexp(log_above) - log_above, dims=CUTPOINT)
    subject = np.concatenate([item.rated for item in data.items])
    which = np.repeat(np.arange(len(data.items)), [item.rated.size for item in data.items])
    observe_levels(
        "item_ratings",
        predicted[subject, which],
        cut,
        item=which,
        n_cuts=np.array(n_cuts),
        level=np.concatenate([item.level for item in data.items]),
    )


def item_covariates(data: ModelData) -> np.ndarray:
    """Centre the covariates of ordinal items: the symptom design without intercept.

    Parameters
    ----------
    data : ModelData
        With a symptom design.

    Returns
    -------
    ndarray, shape (subject, item_covariate)
        Cutpoints then refer to the mean of the covariates.
    """
    columns = data.symptom_design.to_numpy()[:, 1:]
    return np.asarray(columns - columns.mean(axis=0))


def symptom_coords(data: ModelData) -> dict[str, list[str]]:
    """Coordinates of the symptom link.

    Parameters
    ----------
    data : ModelData
        With the linked symptoms.

    Returns
    -------
    dict of str to list of str
        Empty without symptoms.
    """
    if not (data.symptoms or data.items):
        return {}
    dimensions, items = [s.name for s in data.symptoms], [i.name for i in data.items]
    coords = {SYMPTOM: [*dimensions, *items], DIMENSION: dimensions}
    if len(data.arms) > 1:
        coords[CONTRAST] = [str(i + 1) for i in range(len(data.arms) - 1)]
    if items:
        coords[ITEM] = items
        coords[ITEM_COVARIATE] = [str(c) for c in data.symptom_design.columns[1:]]
        coords[CUTPOINT] = [f"{i.name} >= {v}" for i in data.items for v in i.values[1:]]
    return coords


def symptom_start(spec: SharedSpecificSpec, n_factors: int, n_arms: int, jitter: float) -> Any:
    """Draw initial weights near 0; at 0 the gradient would vanish.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model.
    n_factors, n_arms : int
        Numbers of factors and arms.
    jitter : float
        SD of the weights.

    Returns
    -------
    dict
        Random variables by name; empty without symptoms.
    """
    shape = (n_factors, len(spec.linked_symptoms))
    if not spec.linked_symptoms:
        return {}
    start = {"symptom_raw": pm.Normal.dist(0.0, jitter, shape=shape)}
    if spec.symptom_links == "by_arm":
        start["symptom_arm_raw"] = pm.Normal.dist(0.0, jitter, shape=(n_arms - 1, *shape))
    return start
