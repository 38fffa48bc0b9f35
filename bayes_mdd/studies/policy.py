"""The value of a learned rule, with the factors of the scans fitted again in each fold."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import CONTROL, DIAGNOSIS, FEATURE, SUBJECT
from bayes_mdd.errors import SpecError
from bayes_mdd.features.adjust.reference import reference_to_controls
from bayes_mdd.parallel.blas import one_blas_thread
from bayes_mdd.response.policy import evaluate_rule
from bayes_mdd.response.policy_value import PolicyValue
from bayes_mdd.response.scores import build_moments, score_moments
from bayes_mdd.specs import AnalysisSpec, SamplerSpec, SharedSpecificSpec
from bayes_mdd.specs.response import ResponseSpec
from bayes_mdd.studies.stage_one import StageOne
from bayes_mdd.workflow.fit import fit


@one_blas_thread()
def evaluate_policy(
    spec: ResponseSpec,
    scores_or_features: xr.DataTree | xr.Dataset | pd.DataFrame,
    outcomes: pd.DataFrame,
    *,
    factors: SharedSpecificSpec | AnalysisSpec | None = None,
    folds: int = 5,
    repeats: int = 10,
    stage_one: Literal["refit", "once"] = "refit",
    n_permutations: int = 199,
    abstain: bool = True,
    symptoms: pd.DataFrame | None = None,
    n_jobs: int | None = None,
    seed: int = 1,
) -> PolicyValue:
    """Estimate what patients would gain if the learned rule chose their drug.

    The rule is learned in training folds by the fast method and applied to held-out patients. With
    features, the factors are fitted in each training fold, too, with the arms hidden, and held-out
    patients are projected. Outcomes are scored by augmented inverse probability weighting with the
    known probability of each drug (column ``propensity``, otherwise the allocation within each
    stratum). Patients without an outcome enter by their predicted outcome, while known outcomes
    count by the inverse of the estimated probability of being known.

    Parameters
    ----------
    spec : ResponseSpec
        The model, with Gaussian outcome.
    scores_or_features : DataTree, Dataset or DataFrame
        What `score_moments` accepts, which then serves all folds; or, with `factors`, a FeatureSet.
    outcomes : DataFrame
        As for `fit_response`.
    factors : SharedSpecificSpec or AnalysisSpec, optional
        The factor model of the features. With an `AnalysisSpec` features are as measured, and its
        reference is part of what is fitted in each fold.
    folds : int, default 5
        Number of folds, at least 2.
    repeats : int, default 10
        Number of divisions into folds that are averaged.
    stage_one : {"refit", "once"}, default "refit"
        For features: "refit" fits the factors again in each fold, by the fast method:
        ``folds * repeats`` times, ``folds`` times for the randomisation test and up to
        ``folds - 1`` times for sequential folds. "once" fits them once, to all scans; outcomes do
        not leak through this, but the factors have seen the scans of held-out patients.
    n_permutations : int, default 199
        Assignments drawn for the randomisation p value; 0 leaves it out. The factors are not fitted
        again for them, because they are blind to the arms.
    abstain : bool, default True
        Whether the rule gives the default without a clear preference (`p_star` and `minimum` of the
        spec); otherwise it gives the drug with the better expected outcome.
    symptoms : DataFrame, optional
        Symptoms before treatment, where `factors` links them.
    n_jobs : int, optional
        Fits of factors at once, through joblib.
    seed : int, default 1
        The same seed gives the same numbers.

    Returns
    -------
    PolicyValue
        Gains, tests and curves.

    Raises
    ------
    DataContractError
        If scores, features or outcomes cannot be used.
    SpecError
        If an option is out of range, or arms were not randomised and neither a propensity nor a
        reason (`allow_observational`) is given.

    See Also
    --------
    StageOne : The same refits for `analyse_response`.

    Notes
    -----
    The z value of a cross-validated gain is descriptive, because folds share patients. The printed
    p values are those of the randomisation test, which is exact if patients do not differ in what
    they gain, and of sequential folds. The randomisation test uses patients with an outcome only.

    For observational arms with `allow_observational`, the probability of each drug is estimated
    from design and scores of the training folds and kept within 0.05 and 0.95; the result then
    tells overlap, balance and E-values, and is an association.

    References
    ----------
    .. [1] Robins, J. M., Rotnitzky, A. & Zhao, L. P. (1994). Estimation of regression coefficients
       when some regressors are not always observed. JASA, 89, 846-866.
    .. [2] Yadlowsky, S., Fleming, S., Shah, N., Brunskill, E. & Wager, S. (2025). Evaluating
       treatment prioritization rules via rank-weighted average treatment effects. JASA, 120, 38-51.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> trial = bm.simulate_trial(seed=1, n=60)
    >>> spec = bm.ResponseSpec(outcome="hamd17", default_arm="SSRI", assignment="randomised")
    >>> value = bm.evaluate_policy(
    ...     spec, trial.scores, trial.outcomes, repeats=1, n_permutations=0
    ... )
    >>> list(value.table.index)
    ['declared default', 'better fixed drug', 'random']
    >>> value.stage_one
    'once'
    """
    if stage_one not in ("refit", "once"):
        raise SpecError(f"stage_one must be 'refit' or 'once', got {stage_one!r}.")
    scores, source = scores_or_features, None
    is_features = isinstance(scores, xr.Dataset) and "y" in scores and FEATURE in scores.dims
    if is_features != (factors is not None):
        raise SpecError(
            "evaluate_policy: the factor model of the features is missing: pass factors, e.g. "
            "SharedSpecificSpec()."
            if is_features
            else "evaluate_policy: factors is for features; scores have been fitted already."
        )
    if factors is not None and isinstance(scores, xr.Dataset):
        again = StageOne(
            features=scores, factors=factors, symptoms=symptoms, seed=seed, n_jobs=n_jobs
        )
        scores = _names_only(again) if stage_one == "refit" else _fit_once(again)
        source = again if stage_one == "refit" else None
    return evaluate_rule(
        spec,
        scores,
        outcomes,
        refit=source,
        folds=folds,
        repeats=repeats,
        n_permutations=n_permutations,
        abstain=abstain,
        seed=seed,
    )


def _names_only(stage: StageOne) -> xr.Dataset:
    """Moments of no factor for all patients: the scores come from the folds."""
    features = stage.features
    names = features[SUBJECT].values.astype(str)
    if DIAGNOSIS in features.coords:
        names = names[features[DIAGNOSIS].values.astype(str) != CONTROL]
    n = len(names)
    return build_moments(np.zeros((n, 0)), np.zeros((n, 0, 0)), names, np.zeros(0, dtype=str), {})


def _fit_once(stage: StageOne) -> xr.Dataset:
    """Scores of a fit to the scans of everyone."""
    features, reference = stage.features, stage.reference
    if reference is not None:
        features = reference_to_controls(features, reference.covariates, group=reference.group)
    idata = fit(
        stage.model,
        features,
        symptoms=stage.symptoms,
        sampler=SamplerSpec(seed=stage.seed, cores=1),
        method="fast",
        progressbar=False,
    )
    return score_moments(idata)
