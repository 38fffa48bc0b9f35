"""Checks of a run, for every model family."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import xarray as xr

from bayes_mdd.results.checks import join_checks, tabulate_checks
from bayes_mdd.results.quality import judge_data
from bayes_mdd.results.result import read_with_participants
from bayes_mdd.results.rules import FAST_LIMITS, LIMITS
from bayes_mdd.workflow.families import family_of


def diagnose(
    idata: xr.DataTree,
    *,
    rhat_max: float | None = None,
    ess_min: float | None = None,
    bfmi_min: float = LIMITS.bfmi_min,
) -> pd.DataFrame:
    """Check the data, the assumptions of the model and the convergence of a fit.

    R-hat and effective sample sizes are taken over the group ``invariants``: noise, fitted
    variance by arm, fitted similarity between subjects, and symptom predictions. They do
    not depend on the order, sign or rotation of factors. Whether single factors are the same in
    all chains is checked apart, for those that explain at least 1 % of variance in some arm. One
    row is about the model: whether one noise for a block is enough (see `judge_feature_noise`).
    Rows about the data are those of `check_quality`, where they were recorded with the features
    (`record_quality`); what a covariate of the model accounts for does not fail.

    Parameters
    ----------
    idata : DataTree
        From `fit`.
    rhat_max : float, optional
        Largest R-hat allowed; default 1.01, and 1.05 for a fit with ``method="fast"``.
    ess_min : float, optional
        Smallest bulk and tail effective sample size allowed; default 400, and 100 for a fast fit.
    bfmi_min : float, default 0.3
        Smallest Bayesian fraction of missing information allowed.

    Returns
    -------
    DataFrame
        Columns ``name``, ``value``, ``threshold``, ``passed`` (None: could not be judged) and
        ``advice``.

    Notes
    -----
    A fast fit is judged by wider limits, and passing them does not make it exact: two rows say
    that it is approximate and whether several optimisations found its start. All its chains start
    near one mode, so they cannot detect another one. Each model family has checks of its own; a
    polar LDA is compared with permuted edges, its restarts and other token scales.

    References
    ----------
    .. [1] Vehtari, A. et al. (2021). Rank-normalization, folding, and localization: an improved
       R-hat for assessing convergence of MCMC. Bayesian Analysis, 16, 667-718.
    """
    result = read_with_participants(idata, "checks of the fit")
    limits = replace(FAST_LIMITS if result.approximate else LIMITS, bfmi_min=bfmi_min)
    if rhat_max is not None:
        limits = replace(limits, rhat_max=rhat_max)
    if ess_min is not None:
        limits = replace(limits, ess_min=ess_min)
    table = tabulate_checks(family_of(result.kind).checks(result, limits))
    return join_checks(table, judge_data(result))
