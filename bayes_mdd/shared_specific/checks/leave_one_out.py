"""Leave-one-out predictive density of subjects from one fit, with its diagnostics."""

from __future__ import annotations

import logging
import warnings
from typing import Any

import arviz as az
import numpy as np
import xarray as xr

from bayes_mdd.dims import SUBJECT
from bayes_mdd.errors import some
from bayes_mdd.parallel.blas import one_blas_thread
from bayes_mdd.results.result import Result, read_with_participants
from bayes_mdd.shared_specific.checks.refit_without import score_without
from bayes_mdd.shared_specific.new_subjects.leave_one_out import subject_log_likelihood
from bayes_mdd.shared_specific.new_subjects.read_fitted import MAX_DRAWS
from bayes_mdd.shared_specific.schema import OBSERVED_DATA
from bayes_mdd.types import Array, IntArray

log = logging.getLogger("bayes_mdd.leave_one_out")


@one_blas_thread()
def leave_one_out(
    idata: xr.DataTree,
    *,
    training: xr.Dataset | None = None,
    max_draws: int = MAX_DRAWS,
    seed: int = 1,
    refit: bool = True,
    folds: int = 10,
) -> Any:
    """Estimate how well a fit predicts each of its subjects if it were left out.

    Pareto-smoothed importance sampling on the density of each subject given all others, with the
    subject's scores, the loadings and the covariate effects integrated out. Without that
    integration the importance weights of a subject with a thousand features are unusable. With many
    features they are unusable nevertheless for most subjects: those are scored by refits without
    them (K-fold), in which factors, scales and noise are sampled again.

    Parameters
    ----------
    idata : DataTree
        From `fit`.
    training : Dataset, optional
        FeatureSet of the fit; needed where the run does not hold it.
    max_draws : int, default 1000
        Draws of the posterior to use at most.
    seed : int, default 1
        Of the integration over scores, the folds and the refits.
    refit : bool, default True
        Whether subjects whose Pareto k is too high are scored by refits without them.
    folds : int, default 10
        Number of refits, at most. Each leaves out one subject where there are no more such subjects
        than folds, and otherwise a group of them, which is balanced by arm.

    Returns
    -------
    arviz.ELPDData
        With ``elpd_i`` and ``pareto_k`` by subject, as `arviz.loo` gives them, in nats. The
        coordinate ``refitted`` of ``elpd_i`` says which subjects were scored by a refit; their
        ``pareto_k`` is 0.

    Raises
    ------
    SpecError
        If each feature has its own noise, or the likelihood of the features is weighted.
    DataContractError
        If a refit would leave a level of a covariate without any subject.

    Warns
    -----
    UserWarning
        With ``refit=False``, or where the features of the fit are not available: naming the
        subjects whose Pareto k is too high, and whose value is unreliable.

    Notes
    -----
    Refits keep what was decided before the fit: the whitening of edges, the relative noise of
    features, the noise scale of subjects and the number of factors that were sampled. They sample
    4 chains of 250 draws of the features alone, from the factors of the fit. `compare_models`
    decides all of it again without the subjects that it scores.

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
    result = read_with_participants(idata, "leave-one-out")
    value = subject_log_likelihood(result, training=training, max_draws=max_draws, seed=seed)
    tree = xr.DataTree.from_dict(
        {
            "posterior": result.posterior[["noise"]],
            "log_likelihood": value.to_dataset(),
        }
    )
    with warnings.catch_warnings():
        # Reported below, with names and advice.
        warnings.filterwarnings("ignore", message="Estimated shape parameter of Pareto")
        found = az.loo(tree, pointwise=True)
    k = np.asarray(found.pareto_k.values)
    bad = np.flatnonzero(k > found.good_k)
    found.elpd_i = found.elpd_i.assign_coords(refitted=(SUBJECT, np.zeros(k.size, dtype=bool)))
    if not bad.size:
        return found
    if refit and (training is not None or _holds_features(result)):
        log.info(
            "Pareto k is above %.2f for %d of %d participants: refitting without them in %d folds",
            *(found.good_k, bad.size, k.size, min(folds, bad.size)),
        )
        score = score_without(result, bad.tolist(), training=training, folds=folds, seed=seed)
        return _replace(found, bad, score)
    names = value[SUBJECT].values[bad]
    warnings.warn(
        f"Pareto k is above {found.good_k:.2f} for {bad.size} of {k.size} participants "
        f"({some(names)}): their leave-one-out density is unreliable. Refit without them "
        "(refit=True), or compare models with compare_models (K-fold) instead.",
        stacklevel=2,
    )
    return found


def _holds_features(result: Result) -> bool:
    return result.holds(OBSERVED_DATA, "y")


def _replace(found: Any, at: IntArray, score: Array) -> Any:
    """Put densities of refits in the place of those by importance sampling."""
    point = found.elpd_i.copy(deep=True)
    in_sample = found.elpd + found.p
    point.values[at] = score
    done = np.zeros(point.size, dtype=bool)
    done[at] = True
    k = found.pareto_k.copy(deep=True)
    # As arviz does where it refits: the density of a refit needs no importance sampling.
    k.values[at] = 0.0
    found.elpd_i, found.pareto_k = point.assign_coords(refitted=(SUBJECT, done)), k
    found.elpd = float(point.sum())
    found.se = float(np.sqrt(point.size * point.values.var()))
    found.p, found.warning = float(in_sample - found.elpd), False
    return found
