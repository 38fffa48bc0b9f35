"""Leave-one-out predictive density of subjects from one fit, with its diagnostics."""

from __future__ import annotations

import warnings
from typing import Any

import arviz as az
import numpy as np
import xarray as xr

from bayes_mdd.dims import SUBJECT
from bayes_mdd.errors import some
from bayes_mdd.shared_specific.new_subjects.leave_one_out import subject_log_likelihood
from bayes_mdd.shared_specific.new_subjects.read_fitted import MAX_DRAWS


def leave_one_out(
    idata: xr.DataTree,
    *,
    training: xr.Dataset | None = None,
    max_draws: int = MAX_DRAWS,
    seed: int = 1,
) -> Any:
    """Estimate how well a fit predicts each of its subjects if it were left out.

    Pareto-smoothed importance sampling on the density of each subject given all others, with the
    subject's scores, the loadings and the covariate effects integrated out. Without that
    integration the importance weights of a subject with a thousand features are unusable.

    Parameters
    ----------
    idata : DataTree
        From `fit`.
    training : Dataset, optional
        FeatureSet of the fit; needed where the run does not hold it.
    max_draws : int, default 1000
        Draws of the posterior to use at most.
    seed : int, default 1
        Of the integration over scores.

    Returns
    -------
    arviz.ELPDData
        With ``elpd_i`` and ``pareto_k`` by subject, as `arviz.loo` gives them.

    Warns
    -----
    UserWarning
        Naming the subjects whose Pareto k is too high: their value is unreliable; use
        `compare_models` (K-fold) instead.

    References
    ----------
    .. [1] Vehtari, A., Gelman, A. & Gabry, J. (2017). Practical Bayesian model evaluation using
       leave-one-out cross-validation and WAIC. Statistics and Computing, 27, 1413-1432.
    .. [2] Vehtari, A., Mononen, T., Tolvanen, V., Sivula, T. & Winther, O. (2016). Bayesian
       leave-one-out cross-validation approximations for Gaussian latent variable models.
       Journal of Machine Learning Research, 17(103), 1-38.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> bm.leave_one_out(bm.read_run("runs/demo")).elpd  # doctest: +SKIP
    """
    value = subject_log_likelihood(idata, training=training, max_draws=max_draws, seed=seed)
    tree = xr.DataTree.from_dict(
        {
            "posterior": idata["posterior"].to_dataset()[["noise"]],
            "log_likelihood": value.to_dataset(),
        }
    )
    with warnings.catch_warnings():
        # Reported below, with names and advice.
        warnings.filterwarnings("ignore", message="Estimated shape parameter of Pareto")
        found = az.loo(tree, pointwise=True)
    k = np.asarray(found.pareto_k.values)
    bad = value[SUBJECT].values[k > found.good_k]
    if bad.size:
        warnings.warn(
            f"Pareto k is above {found.good_k:.2f} for {bad.size} of {k.size} participants "
            f"({some(bad)}): their leave-one-out density is unreliable. Compare models with "
            "compare_models (K-fold) instead.",
            stacklevel=2,
        )
    return found
