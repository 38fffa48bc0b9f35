r"""Density of each fitted subject's features given the others, for every draw, without a refit.

Deleting subject i from a regression is the same as adding a column that marks the subject. So the
sums that the density of a new subject needs follow from those over all subjects: with M the
annihilator of the design, v row i of MH, and S the cross-products of a block's residuals,

.. math:: G_{-i} = G - v v^\top / m, \qquad r = R_i / m, \qquad 1 + c = 1 / m, \qquad m = M_{ii}.

The draws come from the posterior given all subjects. Importance sampling with the inverse of this
density approximates the posterior without the subject (leave-one-out with the subject's scores,
the loadings and the covariate effects integrated out); Pareto's k says how well.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from bayes_mdd.dims import CHAIN, DRAW, SUBJECT
from bayes_mdd.errors import SpecError
from bayes_mdd.results.result import Result
from bayes_mdd.shared_specific.new_subjects.fitted import Fitted, loading_moments
from bayes_mdd.shared_specific.new_subjects.predictive_density import (
    LoadingMoments,
    integrate_scores,
)
from bayes_mdd.shared_specific.new_subjects.read_fitted import MAX_DRAWS, read_fitted
from bayes_mdd.shared_specific.new_subjects.subject_statistics import (
    FeatureStatistics,
    assume_arm,
)
from bayes_mdd.streams import Stream, generator

_UNSUPPORTED = "Leave-one-out, and prior sensitivity, which rests on it, do not support"
_INSTEAD = (
    "Compare models, also those with other priors, with compare_models (K-fold), which fits "
    "without the participants that it scores."
)


def subject_log_likelihood(
    idata: xr.DataTree | Result,
    *,
    training: xr.Dataset | None = None,
    max_draws: int = MAX_DRAWS,
    candidates: int = 8,
    seed: int = 1,
) -> xr.DataArray:
    """Compute the log density of each fitted subject's features given all others, per draw.

    Parameters
    ----------
    idata : DataTree or Result
        From `fit`.
    training : Dataset, optional
        FeatureSet of the fit; needed where the run does not hold it.
    max_draws : int, default 1000
        Draws of the posterior to use at most, evenly spaced within chains.
    candidates : int, default 8
        Proposals over which the subject's scores are integrated, for each draw.
    seed : int, default 1
        Of the proposals.

    Returns
    -------
    DataArray, dims (chain, draw, subject)
        In the unit of the features. The relative noise of features was estimated from all
        subjects.

    Raises
    ------
    DataContractError
        If the features of the fit are not available.
    SpecError
        If each feature has its own noise (``feature_noise="student"``), or the likelihood of the
        features is weighted.
    """
    fitted = read_fitted(idata, training, max_draws=max_draws)
    _check_supported(fitted)
    rng = generator(seed, Stream.LEAVE_ONE_OUT)
    unit = np.log(fitted.feature_noise).sum()
    n_draws, n = fitted.draws.noise.shape[0], len(fitted.subjects)
    value = np.empty((n_draws, n))
    for i, arm in enumerate(fitted.arm):
        loadings, features = without_subject(fitted, i)
        subject = assume_arm(fitted, features, int(arm))
        found = integrate_scores(loadings, subject, rng, candidates=candidates)
        value[:, i] = found.log_density - unit - fitted.y.shape[1] * np.log(fitted.scale[i])
    draws = fitted.draws
    return xr.DataArray(
        value.reshape(len(draws.chain), len(draws.draw), n),
        coords={
            CHAIN: draws.chain,
            DRAW: draws.draw,
            SUBJECT: np.array(fitted.subjects, dtype=object),
        },
        dims=(CHAIN, DRAW, SUBJECT),
        name="subject_log_likelihood",
    )


def _check_supported(fitted: Fitted) -> None:
    if fitted.spec.feature_noise == "student":
        raise SpecError(
            f"{_UNSUPPORTED} feature_noise='student', where the noise of each feature was "
            f"estimated from all participants. {_INSTEAD}"
        )
    if fitted.weight != 1.0:
        raise SpecError(
            f"{_UNSUPPORTED} a weighted likelihood of the features (feature_dependence "
            "'weighted', or errors that remain correlated in whitened features): it weights draws "
            "by the density of the features, which entered this fit with a power of "
            f"{fitted.weight:.2f}. {_INSTEAD}"
        )


def without_subject(fitted: Fitted, i: int) -> tuple[LoadingMoments, FeatureStatistics]:
    """Remove a subject from the sums, and treat it as a new one.

    Parameters
    ----------
    fitted : Fitted
        The fit.
    i : int
        Position of the subject.

    Returns
    -------
    loadings : LoadingMoments
        Moments of the loadings given the others.
    features : FeatureStatistics
        Statistics of the subject.
    """
    draws = fitted.draws
    x = fitted.regressors
    m = 1.0 - float(x[i] @ fitted.design_inverse[:, i])
    v = fitted.score_residual[:, i]
    products = fitted.products_with(i)
    own_product = products[:, i]
    row = products @ fitted.score_residual
    square = v[:, :, None] * v[:, None, :]
    crossed = v[:, None, :, None] * row[:, :, None, :]
    projected = fitted.projected_products - (crossed + np.swapaxes(crossed, 2, 3)) / m
    projected += square[:, None] * (own_product / m**2)[:, None, None]
    loadings = loading_moments(
        fitted.gram - square / m, projected, draws.block_scale, draws.noise, fitted.size
    )
    with_scores = row / m - v[:, None, :] * (own_product / m**2)[:, None]
    return loadings, FeatureStatistics(
        sum_of_squares=own_product / m**2,
        cross_product=np.einsum("tbkl,tbl->tbk", loadings.covariance, with_scores),
        base_variance=np.full(draws.noise.shape, 1.0 / m),
        predicted=fitted.scaled_scores[:, i] - v / m,
        noise_scale=float(fitted.scale[i]),
    )
