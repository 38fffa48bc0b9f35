"""Features as an observed variable of a graph, with noise by block or by feature."""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayes_mdd.shared_specific.data.model_data import ModelData, sort_features
from bayes_mdd.shared_specific.likelihood.collapsed import BlockStatistics
from bayes_mdd.shared_specific.likelihood.collapsed_op import collapsed_loglik_op
from bayes_mdd.shared_specific.likelihood.student import FeatureRows
from bayes_mdd.shared_specific.likelihood.student_op import student_loglik_op
from bayes_mdd.shared_specific.prior.priors import NOISE_DF
from bayes_mdd.specs import SharedSpecificSpec


def observe_features(
    spec: SharedSpecificSpec, data: ModelData, scores_q: Any, tau: Any, noise: Any
) -> None:
    """Declare the likelihood of all features in the model on the context stack.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model; `feature_noise` and `noise_df` are read.
    data : ModelData
        From `prepare`.
    scores_q : TensorVariable, shape (n, factor)
        Scores in the basis orthogonal to the design.
    tau : TensorVariable, shape (block, factor)
        Block scales.
    noise : TensorVariable, shape (block,)
        Noise of each block.
    """
    if spec.feature_noise == "student":
        rows = sort_features(data)
        pm.CustomDist(
            "features",
            scores_q,
            tau,
            noise,
            declare_noise_df(spec),
            rows.block,  # gives PyMC the number of features
            logp=_student_logp(rows),
            random=_random_student,
            signature="(n,k),(b,k),(b),(),(p)->(p,n)",
            observed=rows.y,
        )
        return
    pm.CustomDist(
        "features",
        scores_q,
        tau,
        noise,
        logp=_logp(data.stats),
        random=_random(data.stats),
        signature="(n,k),(b,k),(b)->(b,n,n)",
        observed=data.stats.cross_products,
    )


def declare_noise_df(spec: SharedSpecificSpec) -> Any:
    """Declare the degrees of freedom of the noise variances of features, or fix them.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model; `noise_df` is read.

    Returns
    -------
    TensorVariable
        A scalar.
    """
    if spec.noise_df is None:
        return pm.Gamma("noise_df", NOISE_DF.shape, NOISE_DF.rate)
    return pm.Deterministic("noise_df", pt.as_tensor(float(spec.noise_df)))


def without_batch(values: tuple[Any, ...], ndims: tuple[int, ...]) -> list[Any]:
    """Remove the leading axis of length one with which CustomDist passes parameters.

    Parameters
    ----------
    values : tuple of TensorVariable
        Parameters.
    ndims : tuple of int
        Number of dimensions that each should have.

    Returns
    -------
    list of TensorVariable
        With these numbers of dimensions.
    """
    return [x[0] if x.ndim > ndim else x for x, ndim in zip(values, ndims, strict=True)]


def _student_logp(rows: FeatureRows) -> Any:
    def logp(y: Any, scores_q: Any, tau: Any, noise: Any, df: Any, block: Any) -> Any:
        *plain, y = without_batch((scores_q, tau, noise, df, y), (2, 2, 1, 0, 2))
        value: Any = student_loglik_op(*plain, y, rows.start)
        return value[0]

    return logp


def _random_student(*parameters: np.ndarray, rng: Any = None, size: Any = None) -> np.ndarray:
    scores_q, tau, noise, df, block = (
        np.reshape(x, np.shape(x)[np.ndim(x) - d :])
        for x, d in zip(parameters, (2, 2, 1, 0, 1), strict=True)
    )
    v = 0.5 * df / rng.gamma(0.5 * df, size=block.size)
    loadings = tau[block] * rng.standard_normal((block.size, tau.shape[1]))
    standard = loadings @ scores_q.T + rng.standard_normal((block.size, len(scores_q)))
    return np.asarray((noise[block] * np.sqrt(v))[:, None] * standard)


def _logp(stats: BlockStatistics) -> Any:
    def logp(cross_products: Any, scores_q: Any, tau: Any, noise: Any) -> Any:
        plain = without_batch((cross_products, scores_q, tau, noise), (3, 2, 2, 1))
        value: Any = collapsed_loglik_op(*plain[1:], plain[0], stats.traces, stats.block_size)
        return value[0]

    return logp


def _random(stats: BlockStatistics) -> Any:
    sizes = np.maximum(np.rint(stats.block_size), 1).astype(int)

    def random(
        scores_q: np.ndarray, tau: np.ndarray, noise: np.ndarray, rng: Any = None, size: Any = None
    ) -> np.ndarray:
        scores_q, tau, noise = (
            np.reshape(x, np.shape(x)[-d:]) for x, d in ((scores_q, 2), (tau, 2), (noise, 1))
        )
        cross = []
        for t, sd, p in zip(tau, noise, sizes, strict=True):
            loadings = t[:, None] * rng.standard_normal((t.size, p))
            y = sd * (scores_q @ loadings + rng.standard_normal((scores_q.shape[0], p)))
            cross.append(y @ y.T)
        return np.stack(cross)

    return random
