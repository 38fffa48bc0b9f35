"""The part of the graph that links factors with symptoms."""

from __future__ import annotations

from typing import Any

import pymc as pm
import pytensor.tensor as pt

from bayes_mdd.dims import FACTOR, SYMPTOM
from bayes_mdd.model.data import ModelData
from bayes_mdd.specs import SharedSpecificSpec


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
    """Link scores with symptoms; intercept and covariates are integrated out.

    The weights have a regularised horseshoe over factor x symptom. A weight is multiplied with
    the reliability of the factor's scores, information / (1 + information) with information =
    sum_b P_b tau_b^2. A factor that the features do not measure would else be free to become the
    symptom's residual.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model.
    data : ModelData
        With the linked symptoms.
    scores : TensorVariable, shape (subject, factor)
        Scores of all people.
    tau : TensorVariable, shape (block, factor)
        Block scales.
    """
    information = (tau**2 * data.stats.block_size[:, None]).sum(axis=0)
    reliability = information / (1 + information)
    overall = pm.HalfCauchy("symptom_global", 0.2)
    local = pm.HalfCauchy("symptom_local", 1.0, dims=(FACTOR, SYMPTOM))
    z = pm.Normal("symptom_raw", 0.0, 1.0, dims=(FACTOR, SYMPTOM))
    weight = pm.Deterministic(
        "symptom_weight",
        z * regularised(local * overall, 1.0) * reliability[:, None],
        dims=(FACTOR, SYMPTOM),
    )
    noise = pm.HalfNormal("symptom_noise", spec.symptom_scale, dims=SYMPTOM)
    for d, symptom in enumerate(data.symptoms):
        mean = pt.dot(symptom.basis.T, pt.dot(scores[symptom.rated], weight[:, d]))
        pm.Normal(f"rating_{symptom.name}", mean, noise[d], observed=symptom.value)
