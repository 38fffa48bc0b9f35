"""Evaluate a learned rule of treatment on patients who did not teach it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import norm

from bayes_mdd.errors import SpecError
from bayes_mdd.response.benefit import DecisionRule
from bayes_mdd.response.column_checks import PROPENSITY
from bayes_mdd.response.held_out import (
    INTERVALS,
    HeldOut,
    Learner,
    average_divisions,
    cross_fit,
)
from bayes_mdd.response.mixture import MOST_FACTORS
from bayes_mdd.response.outcome_values import remission_limit
from bayes_mdd.response.overlap import Overlap, describe_overlap
from bayes_mdd.response.policy_tables import (
    tabulate_calibration,
    tabulate_curve,
    tabulate_gains,
    tabulate_priorities,
)
from bayes_mdd.response.policy_tests import ranking_p_value, sequential_z
from bayes_mdd.response.policy_value import PolicyValue
from bayes_mdd.response.prepare import MINIMUM_SD, Prepared, prepare, stated_minimum
from bayes_mdd.response.randomisation import ONE_ARM_STRATA, can_redraw
from bayes_mdd.response.roster import gather_roster
from bayes_mdd.response.scores import score_moments
from bayes_mdd.response.splits import (
    Division,
    Roster,
    ScoreSource,
    Split,
    divide,
    make_splits,
)
from bayes_mdd.response.value import Gain
from bayes_mdd.specs.response import ResponseSpec
from bayes_mdd.streams import Stream, generator
from bayes_mdd.types import BoolArray, IntArray

#: Groups of estimated probability within which arms are drawn again.
PROPENSITY_GROUPS = 5


def evaluate_rule(
    spec: ResponseSpec,
    scores: xr.DataTree | xr.Dataset | pd.DataFrame,
    outcomes: pd.DataFrame,
    *,
    refit: ScoreSource | None = None,
    folds: int = 5,
    repeats: int = 10,
    n_permutations: int = 199,
    abstain: bool = True,
    seed: int = 1,
) -> PolicyValue:
    """Estimate what patients would gain if the learned rule chose their drug.

    See `bayes_mdd.evaluate_policy`, which also fits features.

    Parameters
    ----------
    spec : ResponseSpec
        The model, with Gaussian outcome.
    scores : DataTree, Dataset or DataFrame
        What `score_moments` accepts.
    outcomes : DataFrame
        As for `fit_response`.
    refit : ScoreSource, optional
        Fits the scans of each training set; of `scores` the names of the patients are then used
        only. Default: `scores` serve all folds.
    folds : int, default 5
        Number of folds, at least 2.
    repeats : int, default 10
        Number of divisions into folds that are averaged.
    n_permutations : int, default 199
        Assignments drawn for the randomisation p value; 0 leaves it out.
    abstain : bool, default True
        Whether the rule gives the default without a clear preference.
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
        If an option is out of range, or arms were not randomised and neither a propensity nor a
        reason is given.
    """
    moments = score_moments(scores)
    prepared = prepare(spec, moments, outcomes)
    _check(prepared, folds, repeats, n_permutations, refit=refit is not None)
    roster, left_out = gather_roster(prepared, moments, outcomes)
    learner, rule = _learner(prepared, abstain)
    rng = generator(seed, Stream.POLICY)
    divisions = [Division(roster, divide(roster.trial.other, folds, rng)) for _ in range(repeats)]
    in_order = Division(roster, divisions[0].fold, sequential=True)
    again = generator(seed, Stream.RANDOMISATION)
    # These folds must not depend on the arms.
    known = roster.take(roster.observed)
    blind = Division(known, again.permutation(len(known.subjects)) % folds)
    tested = [blind] if n_permutations else []
    made = make_splits([*divisions, in_order, *tested], refit)
    found = [cross_fit(splits, learner, rng) for splits in made[:repeats]]
    people = average_divisions(found)
    choice = people.choose(rule)
    z = sequential_z(made[repeats], learner, rule, rng)
    p_value = float("nan")
    if n_permutations:
        splits, stratum = _with_strata(made[-1], known)
        p_value = ranking_p_value(splits, stratum, learner, again, n_permutations=n_permutations)
    table = tabulate_gains(roster.trial, found, rule, _remission(prepared, roster))
    number = [s.trial.n_factors for splits in made for s in splits]
    return PolicyValue(
        table=table,
        p_randomisation=p_value,
        z_sequential=z,
        p_sequential=float(norm.sf(z)),
        changed=float(choice.mean()),
        curve=tabulate_curve(found, rule),
        toc=tabulate_priorities(people),
        calibration=tabulate_calibration(found),
        people=_people(people, rule, roster),
        stage_one="once" if refit is None else "refit",
        factors=(min(number), max(number)),
        counts={
            "observed": int(roster.observed.sum()),
            "without_outcome": int((~roster.observed).sum()),
            "left_out": left_out,
            "seldom_observed": int(people.clipped[1].sum()),
        },
        overlap=_overlap(prepared, roster, found[0], table),
    )


def _check(
    prepared: Prepared, folds: int, repeats: int, n_permutations: int, *, refit: bool
) -> None:
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
    if not refit and not 1 <= len(prepared.factors) <= MOST_FACTORS:
        problems.append(f"1 to {MOST_FACTORS} factors are supported, got {len(prepared.factors)}.")
    if n_permutations and not can_redraw(prepared.trial.other, prepared.stratum):
        problems.append(ONE_ARM_STRATA)
    if prepared.spec.kind not in ("gaussian", "student"):
        problems.append(f"outcomes must be in points, got kind '{prepared.spec.kind}'.")
    observational = prepared.spec.assignment == "observational"
    known = PROPENSITY in prepared.table
    if observational and not known and prepared.spec.allow_observational is None:
        problems.append(
            f"arms were not randomised: give the probability of '{prepared.other_arm}' as column "
            f"'{PROPENSITY}', or state in allow_observational why it may be estimated."
        )
    if problems:
        raise SpecError("evaluate_policy: " + " ".join(problems))


def _learner(prepared: Prepared, abstain: bool) -> tuple[Learner, DecisionRule]:
    """How the rule is learned in each fold, and when it prefers a drug."""
    spec, stated = prepared.spec, stated_minimum(prepared.spec)
    if not abstain:
        learner = Learner(scales=prepared.scales, minimum=0.0)
        return learner, DecisionRule(minimum=0.0, p_star=0.0, cost=spec.cost)
    learner = Learner(
        scales=prepared.scales,
        minimum=MINIMUM_SD if stated is None else stated,
        relative=stated is None,
    )
    return learner, DecisionRule(minimum=learner.minimum, p_star=spec.p_star, cost=spec.cost)


def _with_strata(splits: list[Split], roster: Roster) -> tuple[list[Split], IntArray]:
    """Arrange splits so that arms can be drawn again, and find the strata of that.

    Everybody's outcome is known here. Estimated probabilities are those of the held-out patients in
    every split, and arms are drawn again in groups of them.
    """
    n = len(roster.subjects)
    if roster.propensity is not None:
        return splits, roster.stratum
    propensity = np.empty(n)
    for split in splits:
        propensity[split.test] = split.weights.propensity[split.test]
    rank = np.argsort(np.argsort(propensity, kind="stable"))
    group = rank * PROPENSITY_GROUPS // n
    strata = np.unique(np.column_stack([roster.stratum, group]), axis=0, return_inverse=True)[1]
    kept = [replace(s, weights=replace(s.weights, propensity=propensity)) for s in splits]
    return kept, np.asarray(strata.reshape(-1), dtype=np.int64)


def _remission(prepared: Prepared, roster: Roster) -> BoolArray | None:
    """Whether each patient is in remission; None where that is not defined."""
    limit = remission_limit(prepared.spec)
    return None if limit is None else np.asarray(roster.trial.outcome <= limit)


def _people(people: HeldOut, rule: DecisionRule, roster: Roster) -> pd.DataFrame:
    columns = {
        "benefit": people.benefit,
        "p_benefit": people.p_benefit,
        "preference": people.decide(rule),
        "other_drug": people.choose(rule),
        **dict(zip(INTERVALS, people.interval, strict=True)),
    }
    return pd.DataFrame(columns, index=pd.Index(roster.subjects, name="participant_id"))


def _overlap(
    prepared: Prepared, roster: Roster, held: HeldOut, table: pd.DataFrame
) -> Overlap | None:
    if prepared.spec.assignment != "observational":
        return None
    names = [c for coding in prepared.codings for c in coding.columns]
    gain, error = (table[c].to_numpy(dtype=float)[0] for c in ("gain", "se"))
    return describe_overlap(
        held,
        roster.trial.other,
        pd.DataFrame(roster.trial.design[:, 1:], columns=names),
        Gain(float(gain), float(error)),
        prepared.trial.residual_sd(),
    )
