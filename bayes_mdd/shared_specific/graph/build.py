"""The PyMC model of a spec and a FeatureSet, for users of PyMC."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
import xarray as xr

from bayes_mdd.dims import BLOCK, FACTOR, FEATURE, SUBJECT
from bayes_mdd.errors import SpecError
from bayes_mdd.features.contract import check_features
from bayes_mdd.shared_specific.data.model_data import ModelData
from bayes_mdd.shared_specific.data.prepare import prepare
from bayes_mdd.shared_specific.graph.model import (
    build_shared_specific,
    declare_prior,
    model_coords,
    starting_point,
)
from bayes_mdd.shared_specific.graph.observed import declare_noise_df, without_batch
from bayes_mdd.shared_specific.graph.symptoms import link_symptoms
from bayes_mdd.shared_specific.prior.arms import fixed_sharing
from bayes_mdd.shared_specific.start.spectral import spectral_start
from bayes_mdd.specs import SharedSpecificSpec
from bayes_mdd.types import Array


def build_model(
    spec: SharedSpecificSpec,
    features: xr.Dataset,
    symptoms: pd.DataFrame | None = None,
    *,
    marginalised: bool = True,
) -> pm.Model:
    """Build the PyMC model of a spec and a FeatureSet.

    The model has the posterior that `fit` samples, with all `n_factors` factors of the spec.
    `fit` does more: it selects the number of active factors, starts at a mode, and aligns order
    and sign of the factors across draws.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model.
    features : Dataset
        A FeatureSet, standardised (see `reference_to_controls`).
    symptoms : DataFrame, optional
        One column per symptom dimension or item, indexed by participant; required if the spec
        links symptoms.
    marginalised : bool, default True
        True: loadings are integrated out, and parameters are those that sample well. This is the
        model for ``pm.sample``. It cannot be drawn from, because some of its priors are densities
        of transformed parameters. False: every variable is a distribution, including the
        ``loadings``, as in the model card. This is the model for
        ``pm.sample_prior_predictive``. Its observed ``features`` have the dims of the
        FeatureSet. Draws of them have no effects of intercept and covariates, whose priors are
        flat. Sampling its posterior with MCMC is slow with many features.

    Returns
    -------
    pymc.Model
        With coords and dims ``subject``, ``factor``, ``arm``, ``block``, with
        ``marginalised=False`` also ``feature``, and with symptoms also ``symptom``. Initial
        values of a marginalised model are near the principal patterns of the features.

    Raises
    ------
    DataContractError
        If features, subjects, covariates or symptoms do not meet the requirements of the model.
    SpecError
        If the spec is not a SharedSpecificSpec or does not fit these data, or if loadings are
        requested with ``feature_dependence="weighted"``, which weights the likelihood without
        loadings.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> data = bm.simulate_cohort(seed=1, n_controls=0, n_regions=14)
    >>> spec = bm.SharedSpecificSpec(n_factors=2)
    >>> model = bm.build_model(spec, data.features)
    >>> model.named_vars_to_dims["scores"]
    ('subject', 'factor')

    Sample it, or draw features from the prior:

    >>> import pymc as pm
    >>> idata = pm.sample(model=model)  # doctest: +SKIP
    >>> full = bm.build_model(spec, data.features, marginalised=False)
    >>> prior = pm.sample_prior_predictive(model=full)  # doctest: +SKIP
    >>> pm.model_to_graphviz(full)  # doctest: +SKIP
    """
    if not isinstance(spec, SharedSpecificSpec):
        raise SpecError(f"build_model supports SharedSpecificSpec only, got {type(spec).__name__}.")
    check_features(features)
    data = prepare(spec, features, symptoms)
    return _build_for_sampling(spec, data) if marginalised else build_explicit(spec, data)


def _build_for_sampling(spec: SharedSpecificSpec, data: ModelData) -> pm.Model:
    """Build the marginalised graph with initial values at which its density is finite."""
    model = build_shared_specific(spec, data)
    start = spectral_start(data, spec.n_factors)
    pattern = fixed_sharing(spec, data.arms)
    if spec.sharing is not None and pattern is not None:
        start = start.arranged(pattern)
    for name, value in starting_point(spec, data, start).items():
        model.set_initval(model[name], value)
    return model


def build_explicit(spec: SharedSpecificSpec, data: ModelData) -> pm.Model:
    """Build the graph in which every variable is a distribution, loadings included.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model.
    data : ModelData
        From `prepare`.

    Returns
    -------
    pymc.Model
        The posterior of `build_generative`, with the loadings of each feature, in the units of
        the features.

    Raises
    ------
    SpecError
        If the likelihood of the features is weighted.
    """
    if data.weight != 1.0 or spec.feature_dependence == "weighted":
        raise SpecError(
            "marginalised=False does not support feature_dependence='weighted' (which 'auto' "
            "chooses for features with correlated errors): set feature_dependence to "
            "'independent'."
        )
    coords = model_coords(spec, data)
    coords[FEATURE] = [str(f) for f in data.features[FEATURE].values]
    with pm.Model(coords=coords) as model:
        scores, tau = declare_prior(spec, data)
        noise = pm.HalfNormal("noise", spec.noise_scale, dims=BLOCK)
        sd = noise[data.code] * data.feature_noise
        if spec.feature_noise == "student":
            half_df = 0.5 * declare_noise_df(spec)
            variance = pm.InverseGamma("feature_variance", half_df, half_df, dims=FEATURE)
            sd = sd * pt.sqrt(variance)
        loadings = pm.Normal("loadings", 0.0, sd[:, None] * tau[data.code], dims=(FEATURE, FACTOR))
        pm.CustomDist(
            "features",
            pt.dot(scores, loadings.T),
            sd,
            logp=_log_likelihood(data.stats.score_basis),
            dist=_features(data.subject_scale),
            observed=data.features["y"].transpose(SUBJECT, FEATURE).values.astype(float),
            dims=(SUBJECT, FEATURE),
        )
        if spec.linked_symptoms:
            link_symptoms(spec, data, scores, tau)
    return model


def _log_likelihood(basis: Array) -> Any:
    """Make the normal log density of features in the basis orthogonal to the design."""
    n = basis.shape[1]

    def logp(y: Any, mean: Any, sd: Any) -> Any:
        y, mean, sd = without_batch((y, mean, sd), (2, 2, 1))
        standard = pt.dot(basis.T, y - mean) / sd
        log_sd = pt.log(sd) + 0.5 * np.log(2 * np.pi)
        return -0.5 * (standard**2).sum() - n * log_sd.sum()

    return logp


def _features(subject_scale: Array) -> Any:
    """Make the normal distribution of features, whose noise differs between subjects."""
    scale = subject_scale[:, None]

    def dist(mean: Any, sd: Any, size: Any) -> Any:
        return pm.Normal.dist(mean, scale * sd, size=size)

    return dist
