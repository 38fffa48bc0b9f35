"""Effect of the token scale: the number of tokens per SD is a choice, not a measurement."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.polar_lda.em.algorithm import run_em
from bayes_mdd.polar_lda.em.corpus import read_corpus
from bayes_mdd.polar_lda.em.counts import Rounding, make_counts
from bayes_mdd.polar_lda.em.dims import EDGE
from bayes_mdd.polar_lda.em.jobs import map_threads
from bayes_mdd.polar_lda.em.matching import correlate_rows, match_factors
from bayes_mdd.polar_lda.em.parameters import EMOptions, mean_composition
from bayes_mdd.polar_lda.em.settings import read_parameters
from bayes_mdd.types import Array

#: EM from the fitted model, which needs few iterations.
REFIT_EM = EMOptions(max_iterations=60, tolerance=1e-5)


def token_sensitivity(
    z: Array,
    model: xr.Dataset,
    *,
    scales: Sequence[float] = (2.5, 5.0, 10.0, 20.0),
    rounding: Rounding = "symmetric",
    n_jobs: int | None = None,
) -> pd.DataFrame:
    """Refit with other numbers of tokens per SD, from the fitted model.

    The ten tokens per SD of the published program are a choice. Maps and compositions should not
    depend on it; the nominal interval of a composition always does.

    Parameters
    ----------
    z : ndarray, shape (subject, edge)
        Edges in SD of the controls.
    model : Dataset
        Result of `fit_counts` for these subjects.
    scales : sequence of float
        Tokens per SD.
    rounding : {"symmetric", "floor"}, default "symmetric"
        As for `make_counts`.
    n_jobs : int, optional
        Fits at once. Default all cores.

    Returns
    -------
    DataFrame
        One row per scale: ``scale``, ``nominal_sd`` (root mean square over subjects and factors),
        ``map_correlation`` and ``composition_correlation`` with the model (smallest over
        factors), and ``largest_change`` of the composition of any subject.
    """
    start = read_parameters(model, model.sizes[EDGE])
    maps, composition = start.maps, model["composition"].values

    def _refit(scale: float) -> dict[str, float]:
        corpus = read_corpus(make_counts(z, scale=scale, rounding=rounding), absent_edges="keep")
        solution = run_em(corpus, start, REFIT_EM)
        order, alike = match_factors(solution.parameters.maps, maps)
        theta = solution.composition[:, order]
        return {
            "scale": float(scale),
            "nominal_sd": float(np.sqrt((nominal_sd(solution.gamma) ** 2).mean())),
            "map_correlation": float(alike.min()),
            "composition_correlation": float(np.diag(correlate_rows(composition.T, theta.T)).min()),
            "largest_change": float(np.abs(theta - composition).max()),
        }

    return pd.DataFrame(map_threads(_refit, scales, n_jobs))


def nominal_sd(gamma: Array) -> Array:
    """Posterior SD of compositions according to the variational Dirichlet distributions.

    Parameters
    ----------
    gamma : ndarray, shape (subject, factor)
        Variational Dirichlet parameters.

    Returns
    -------
    ndarray, shape (subject, factor)
        SD of each weight. As a rule it is too small: tokens are not independent observations.
    """
    mean = mean_composition(gamma)
    return np.asarray(np.sqrt(mean * (1 - mean) / (gamma.sum(axis=1, keepdims=True) + 1)))
