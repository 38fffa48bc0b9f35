"""How many patients a trial needs, in closed form and by simulation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
from scipy.stats import norm

from bayes_mdd.errors import SpecError
from bayes_mdd.parallel.fan_out import fan_out
from bayes_mdd.parallel.keep import keep_results, part_files
from bayes_mdd.response.mixture import MOST_FACTORS
from bayes_mdd.response.policy import evaluate_rule
from bayes_mdd.response.power import MOST_PER_ARM, POWER, Plan, Target, patients_needed
from bayes_mdd.response.prepare import prepare
from bayes_mdd.response.randomisation import randomisation_test
from bayes_mdd.response.trial import Trial
from bayes_mdd.response.value import Gain, aipw_scores, predict_outcomes
from bayes_mdd.simulate import SimulatedTrial, simulate_trial
from bayes_mdd.specs.response import ResponseSpec
from bayes_mdd.streams import Stream, generator
from bayes_mdd.types import Array, BoolArray

#: Most reliable scores that are simulated: without any error there is no covariance to carry.
MOST_RELIABLE = 0.9999
#: Folds of the predictions of outcomes, and fewest permutations of the test of moderation.
FOLDS, PERMUTATIONS = 5, 199
#: Fewest simulated trials.
LEAST_REPEATS = 20
#: How simulated trials are analysed.
SPEC = ResponseSpec(
    outcome="hamd17", default_arm="SSRI", assignment="randomised", baseline="hamd17_baseline"
)


def plan_power(
    target: Target,
    *,
    benefit_sd: float = 0.4,
    candidates: int = 5,
    reliability: float = 1.0,
    share_other: float = 0.5,
    power: float = 0.8,
    alpha: float = 0.05,
    explained: float | None = None,
    features: float | None = None,
    simulate: bool = False,
    repeats: int = 200,
    seed: int = 1,
    n_jobs: int | None = None,
    keep: str | Path | None = None,
) -> pd.DataFrame:
    """Search how many patients a trial of two drugs needs.

    Sizes are in SD of the outcome given its baseline (about 7 points of the 17-item Hamilton
    scale).

    Parameters
    ----------
    target : {"moderator", "policy", "learned_rule", "specific_factor"}
        What is to be found: "moderator", that any of the candidates moderates the difference
        between the drugs (two-sided test); "policy", that a rule which is fixed before the trial
        gains over giving everyone the default (one-sided test); "learned_rule", the same of a rule
        that the trial itself teaches (one-sided test of sequential folds); "specific_factor", a
        factor of the connectivity of one arm only.
    benefit_sd : float, default 0.4
        SD over patients of the benefit of the other drug.
    candidates : int, default 5
        Number of factors that may moderate.
    reliability : float, default 1.0
        Of the scores, above 0 and at most 1.
    share_other : float, default 0.5
        Share of patients on the other drug.
    power : float, default 0.8
        Wanted probability of finding it.
    alpha : float, default 0.05
        Level of the test.
    explained : float, optional
        For "specific_factor": share of the variance of the features that it explains in its arm.
    features : float, optional
        For "specific_factor": effective number of features, as a fit states it.
    simulate : bool, default False
        Whether to simulate trials of the size that the closed form gives, and to analyse them.
        Not available for "specific_factor".
    repeats : int, default 200
        Number of simulated trials.
    seed : int, default 1
        The same seed gives the same numbers.
    n_jobs : int, optional
        Simulated trials at once, through joblib; default one, or what ``joblib.parallel_config``
        says.
    keep : str or Path, optional
        File that the table will be written to. The result of each simulated trial is kept in a
        hidden folder beside it until all are complete, so that the same call continues after a
        stop, also with more `repeats`.

    Returns
    -------
    DataFrame
        One row for each ``method`` ("closed form", "simulation"): ``n_per_arm``, patients with
        an outcome in the smaller arm, missing where 5000 are not enough; ``n_total``; ``power`` at
        that number; ``se``, the Monte-Carlo standard error of a simulation; ``note``.

    Raises
    ------
    SpecError
        If an argument is out of range; every problem is listed.

    Notes
    -----
    The closed form of "learned_rule" is optimistic where few patients teach a rule that reaches
    less than about 0.6 of the best one. That of "specific_factor" is a rule of thumb. Both say so
    in ``note``.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> bm.plan_power("moderator", candidates=1)["n_per_arm"].tolist()
    [102]
    """
    plan = Plan(
        benefit_sd=benefit_sd,
        candidates=candidates,
        reliability=reliability,
        share_other=share_other,
        alpha=alpha,
        explained=0.0 if explained is None else explained,
        features=0.0 if features is None else features,
    )
    specific = target == "specific_factor"
    problems = _wrong_sizes(plan, power) + _wrong_target(target, explained, features)
    problems += _wrong_simulation(target, plan, repeats) if simulate else []
    if problems:
        raise SpecError("plan_power: " + " ".join(problems))
    n_per_arm = patients_needed(target, plan, power)
    per_arm = MOST_PER_ARM if n_per_arm is None else n_per_arm
    total = round(per_arm / min(share_other, 1 - share_other))
    reached = float("nan") if specific else POWER[target](total, plan)
    rows = [_row("closed form", n_per_arm, total, reached, note=_note(target, n_per_arm))]
    if simulate and n_per_arm is not None:
        key = {"study": "plan_power", "target": target, "plan": asdict(plan), "n": total}
        with keep_results(keep, {**key, "seed": seed}, noun="simulated trials") as folder:
            found = _simulate(target, plan, total, repeats, seed, n_jobs, folder)
        error = float(np.sqrt(found * (1 - found) / repeats))
        note = f"{repeats} simulated trials"
        rows.append(_row("simulation", n_per_arm, total, found, error, note))
    table = pd.DataFrame(rows).astype({"n_per_arm": "Int64", "n_total": "Int64"})
    table.attrs["target"] = target
    return table


def _row(
    method: str,
    n_per_arm: int | None,
    total: int,
    power: float,
    se: float = float("nan"),
    note: str = "",
) -> dict[str, object]:
    return {
        "method": method,
        "n_per_arm": pd.NA if n_per_arm is None else n_per_arm,
        "n_total": pd.NA if n_per_arm is None else total,
        "power": power,
        "se": se,
        "note": note,
    }


def _note(target: Target, n_per_arm: int | None) -> str:
    said = {
        "learned_rule": "optimistic where the rule reaches less than about 0.6 of the best",
        "specific_factor": "a rule of thumb, without a probability: simulate cohorts of this size",
    }
    notes = [said[target]] if target in said else []
    if n_per_arm is None:
        notes.insert(0, f"not within {MOST_PER_ARM} patients per arm")
    return "; ".join(notes)


def _wrong_sizes(plan: Plan, power: float) -> list[str]:
    problems = []
    if not 0 < plan.benefit_sd < float("inf"):
        problems.append(f"benefit_sd must be above 0, got {plan.benefit_sd}.")
    if plan.candidates < 1 or plan.candidates != int(plan.candidates):
        problems.append(f"candidates must be a whole number from 1, got {plan.candidates}.")
    if not 0 < plan.reliability <= 1:
        problems.append(f"reliability must be above 0 and at most 1, got {plan.reliability}.")
    if not 0 < plan.share_other < 1:
        problems.append(f"share_other must lie between 0 and 1, got {plan.share_other}.")
    if not 0 < plan.alpha < 0.5:
        problems.append(f"alpha must lie between 0 and 0.5, got {plan.alpha}.")
    if not plan.alpha < power < 1:
        problems.append(f"power must lie between alpha and 1, got {power}.")
    return problems


def _wrong_target(target: str, explained: float | None, features: float | None) -> list[str]:
    if target not in get_args(Target):
        return [f"target must be one of {', '.join(get_args(Target))}, got {target!r}."]
    given = {"explained": explained, "features": features}
    if target != "specific_factor":
        used = [name for name, value in given.items() if value is not None]
        return [f"{', '.join(used)}: only for target 'specific_factor'."] if used else []
    problems = [f"{name} is needed." for name, value in given.items() if value is None]
    if explained is not None and not 0 < explained < 1:
        problems.append(f"explained must lie between 0 and 1, got {explained}.")
    if features is not None and not 1 <= features < float("inf"):
        problems.append(f"features must be at least 1, got {features}.")
    return problems


def _wrong_simulation(target: str, plan: Plan, repeats: int) -> list[str]:
    problems = []
    if target == "specific_factor":
        problems.append("simulate is not available for target 'specific_factor'.")
    if repeats < LEAST_REPEATS:
        problems.append(f"repeats must be at least {LEAST_REPEATS}, got {repeats}.")
    if plan.candidates > MOST_FACTORS:
        problems.append(f"at most {MOST_FACTORS} candidates can be simulated.")
    return problems


def _simulate(
    target: Target,
    plan: Plan,
    total: int,
    repeats: int,
    seed: int,
    n_jobs: int | None,
    folder: Path | None,
) -> float:
    """Share of simulated trials in which the target is found."""
    # One seed for each trial, which are those of no other seed of the user.
    seeds = np.random.SeedSequence([seed, int(Stream.POWER)]).generate_state(repeats)
    tasks = ((target, plan, total, int(s)) for s in seeds)
    files = part_files(folder, seeds)
    return float(np.mean(fan_out(_find_in_trial, tasks, n_jobs=n_jobs, files=files)))


def _find_in_trial(target: Target, plan: Plan, total: int, seed: int) -> bool:
    """Simulate one trial and search the target in it."""
    find: dict[Target, Callable[[SimulatedTrial, Plan, int], bool]] = {
        "moderator": _find_moderator,
        "policy": _find_gain,
        "learned_rule": _find_learned,
    }
    return find[target](_trial(plan, total, seed), plan, seed)


def _trial(plan: Plan, total: int, seed: int) -> SimulatedTrial:
    return simulate_trial(
        seed=seed,
        n=total,
        benefit_sd=plan.benefit_sd,
        n_factors=int(plan.candidates),
        reliability=min(plan.reliability, MOST_RELIABLE),
        share_other=plan.share_other,
    )


def _find_moderator(trial: SimulatedTrial, plan: Plan, seed: int) -> bool:
    prepared = prepare(SPEC, trial.scores, trial.outcomes)
    test = randomisation_test(
        prepared.trial,
        generator(seed, Stream.RANDOMISATION),
        n_permutations=max(PERMUTATIONS, round(10 / plan.alpha) - 1),
        stratum=prepared.stratum,
    )
    return test.p_value <= plan.alpha


def _find_gain(trial: SimulatedTrial, plan: Plan, seed: int) -> bool:
    """Test the best rule on the scan, as if known before the trial."""
    prepared = prepare(SPEC, trial.scores, trial.outcomes)
    slope = trial.truth["moderation"].values
    mean = trial.scores["mean"].values
    better = mean @ slope < 0  # lower is better
    default, other = _score(prepared.trial, plan, generator(seed, Stream.POLICY))
    gain = Gain.of(better * (default - other))
    return bool(gain.value > norm.isf(plan.alpha) * gain.error)


def _score(trial: Trial, plan: Plan, rng: np.random.Generator) -> tuple[Array, Array]:
    """AIPW scores with outcomes predicted from other folds."""
    n = trial.outcome.size
    fold = rng.permutation(n) % FOLDS
    columns = np.column_stack([trial.design[:, 1:], trial.mean])
    on_default, on_other = np.empty(n), np.empty(n)
    for j in range(FOLDS):
        test: BoolArray = fold == j
        on_default[test], on_other[test] = predict_outcomes(
            columns[~test], trial.other[~test], trial.outcome[~test], columns[test]
        )
    known = np.full(n, plan.share_other)
    return aipw_scores(trial.outcome, trial.other, known, on_default, on_other)


def _find_learned(trial: SimulatedTrial, plan: Plan, seed: int) -> bool:
    value = evaluate_rule(
        SPEC, trial.scores, trial.outcomes, repeats=1, n_permutations=0, abstain=False, seed=seed
    )
    return value.p_sequential <= plan.alpha
