"""Evaluate a learned rule of treatment on patients who did not teach it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import norm

from bayes_mdd.errors import SpecError
from bayes_mdd.response.benefit import DecisionRule
from bayes_mdd.response.column_checks import PROPENSITY
from bayes_mdd.response.held_out import INTERVALS, average_divisions, cross_fit, divide
from bayes_mdd.response.mixture import MOST_FACTORS
from bayes_mdd.response.outcome_values import remission_limit
from bayes_mdd.response.policy_tables import (
    tabulate_calibration,
    tabulate_curve,
    tabulate_gains,
    tabulate_priorities,
)
from bayes_mdd.response.policy_tests import ranking_p_value, sequential_z
from bayes_mdd.response.prepare import Prepared, prepare
from bayes_mdd.response.randomisation import ONE_ARM_STRATA, can_redraw
from bayes_mdd.response.scores import score_moments
from bayes_mdd.specs.response import ResponseSpec
from bayes_mdd.streams import Stream, generator
from bayes_mdd.types import Array, BoolArray


@dataclass(frozen=True, eq=False)
class PolicyValue:
    """Value of the learned rule.

    Parameters
    ----------
    table : DataFrame
        Indexed by what the rule is compared with: "declared default", "better fixed drug", "random"
        (either drug with probability 1/2). ``gain``, ``se``, ``lower``, ``upper`` (90%) in points,
        positive where the rule is better; ``gain_ipw``; ``z``, descriptive only;
        ``remission`` and ``nnt`` where remission is defined.
    p_randomisation : float
        Of what ranking patients by their cross-fitted benefit gains, beyond the average effect:
        arms drawn again, rule learned again. NaN if not computed.
    z_sequential, p_sequential : float
        Test of the gain over the declared default in which each fold is judged by a rule that only
        earlier folds taught.
    changed : float
        Share of patients for whom the rule chooses the other drug.
    curve : DataFrame
        Gain, share of patients with a preference and share changed, by `p_star`.
    toc : DataFrame
        Share of patients by priority, and their gain beyond the average (descriptive).
    calibration : DataFrame
        Predicted and observed benefit in groups of predicted benefit; ``attrs["slope"]``, the slope
        of observed on predicted benefit within folds.
    people : DataFrame
        Predicted ``benefit`` of each patient with its 90% and 50% intervals, ``p_benefit`` and
        choice (``other_drug``), all held out.
    """

    table: pd.DataFrame
    p_randomisation: float
    z_sequential: float
    p_sequential: float
    changed: float
    curve: pd.DataFrame
    toc: pd.DataFrame
    calibration: pd.DataFrame
    people: pd.DataFrame


def evaluate_policy(
    spec: ResponseSpec,
    scores: xr.DataTree | xr.Dataset | pd.DataFrame,
    outcomes: pd.DataFrame,
    *,
    folds: int = 5,
    repeats: int = 10,
    n_permutations: int = 199,
    abstain: bool = True,
    seed: int = 1,
) -> PolicyValue:
    """Estimate what patients would gain if the learned rule chose their drug.

    The rule is learned in training folds by the fast method and applied to held-out patients, whose
    outcomes are scored by augmented inverse probability weighting with the known probability of
    each drug (column ``propensity``, otherwise the allocation within each stratum). The scores of
    factors are blind to arm and outcome, so that one fit of factors serves all folds.

    Parameters
    ----------
    spec : ResponseSpec
        The model, with Gaussian outcome.
    scores : DataTree, Dataset or DataFrame
        What `score_moments` accepts.
    outcomes : DataFrame
        As for `fit_response`.
    folds : int, default 5
        Number of folds, at least 2.
    repeats : int, default 10
        Number of divisions into folds that are averaged.
    n_permutations : int, default 199
        Assignments drawn for the randomisation p value; 0 leaves it out.
    abstain : bool, default True
        Whether the rule gives the default without a clear preference (`p_star` and `minimum` of the
        spec); otherwise it gives the drug with the better expected outcome.
    seed : int, default 1
        The same seed gives the same numbers.

    Returns
    -------
    PolicyValue
        Gains, tests and curves.

    Raises
    ------
    DataContractError
        If scores or outcomes cannot be used.
    SpecError
        If an option is out of range, or arms were not randomised and no propensity is given.

    Notes
    -----
    The z value of a cross-validated gain is descriptive, because folds share patients. The printed
    p values are those of the randomisation test, which is exact if patients do not differ in what
    they gain, and of sequential folds.

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
    """
    prepared = prepare(spec, score_moments(scores), outcomes)
    _check(prepared, folds, repeats, n_permutations)
    trial, scales, rule = prepared.trial, prepared.scales, _rule(prepared, abstain)
    propensity = _propensity(prepared)
    rng = generator(seed, Stream.POLICY)
    divisions = [divide(trial.other, folds, rng) for _ in range(repeats)]
    found = [cross_fit(trial, propensity, d, scales, rng) for d in divisions]
    people = average_divisions(found)
    choice = people.choose(rule)
    z = sequential_z(trial, propensity, divisions[0], scales, rule, rng)
    p_value = float("nan")
    if n_permutations:
        p_value = ranking_p_value(
            trial,
            propensity,
            prepared.stratum,
            scales,
            generator(seed, Stream.RANDOMISATION),
            folds=folds,
            n_permutations=n_permutations,
        )
    return PolicyValue(
        table=tabulate_gains(trial, propensity, found, rule, _remission(prepared)),
        p_randomisation=p_value,
        z_sequential=z,
        p_sequential=float(norm.sf(z)),
        changed=float(choice.mean()),
        curve=tabulate_curve(found, rule),
        toc=tabulate_priorities(people),
        calibration=tabulate_calibration(found),
        people=pd.DataFrame(
            {
                "benefit": people.benefit,
                "p_benefit": people.p_benefit,
                "other_drug": choice,
                **dict(zip(INTERVALS, people.interval, strict=True)),
            },
            index=pd.Index(prepared.subjects, name="participant_id"),
        ),
    )


def _check(prepared: Prepared, folds: int, repeats: int, n_permutations: int) -> None:
    problems = []
    least = int(np.bincount(prepared.trial.other.astype(int)).min())
    if not 2 <= folds <= least // 2:
        problems.append(
            f"folds must lie between 2 and {least // 2} (half of the smaller arm), got {folds}."
        )
    if repeats < 1:
        problems.append(f"repeats must be at least 1, got {repeats}.")
    if n_permutations and n_permutations < 19:
        problems.append(f"n_permutations must be 0 or at least 19, got {n_permutations}.")
    if not 1 <= len(prepared.factors) <= MOST_FACTORS:
        problems.append(f"1 to {MOST_FACTORS} factors are supported, got {len(prepared.factors)}.")
    if n_permutations and not can_redraw(prepared.trial.other, prepared.stratum):
        problems.append(ONE_ARM_STRATA)
    if prepared.spec.kind not in ("gaussian", "student"):
        problems.append(f"outcomes must be in points, got kind '{prepared.spec.kind}'.")
    if prepared.spec.assignment == "observational" and PROPENSITY not in prepared.table:
        problems.append(
            f"arms were not randomised: give the probability of '{prepared.other_arm}' as column "
            f"'{PROPENSITY}'."
        )
    if problems:
        raise SpecError("evaluate_policy: " + " ".join(problems))


def _rule(prepared: Prepared, abstain: bool) -> DecisionRule:
    spec = prepared.spec
    if abstain:
        return DecisionRule(minimum=prepared.minimum, p_star=spec.p_star, cost=spec.cost)
    return DecisionRule(minimum=0.0, p_star=0.0, cost=spec.cost)


def _propensity(prepared: Prepared) -> Array:
    if PROPENSITY in prepared.table:
        return prepared.table[PROPENSITY].to_numpy(dtype=float)
    other, stratum = prepared.trial.other, prepared.stratum
    size = np.bincount(stratum)
    share = np.bincount(stratum, other) / size
    # A stratum in which all received one drug has the allocation of the trial.
    share = np.where((share > 0) & (share < 1), share, other.mean())
    return np.asarray(share[stratum])


def _remission(prepared: Prepared) -> BoolArray | None:
    """Whether each patient is in remission; None where that is not defined."""
    limit = remission_limit(prepared.spec)
    if limit is None:
        return None
    return np.asarray(prepared.trial.outcome + prepared.level <= limit)
