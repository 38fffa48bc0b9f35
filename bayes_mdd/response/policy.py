"""Evaluate a learned rule of treatment on patients who did not teach it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import norm

from bayes_mdd.errors import SpecError
from bayes_mdd.response.benefit import DecisionRule, draw_benefit
from bayes_mdd.response.column_checks import PROPENSITY
from bayes_mdd.response.mixture import MOST_FACTORS, Scales, fit_mixture
from bayes_mdd.response.outcome_values import remission_limit
from bayes_mdd.response.prepare import Prepared, prepare
from bayes_mdd.response.randomisation import ONE_ARM_STRATA, can_redraw, redraw_arms
from bayes_mdd.response.scores import score_moments
from bayes_mdd.response.trial import Trial
from bayes_mdd.response.value import Gain, aipw_scores, predict_outcomes, prioritised_effects
from bayes_mdd.specs.response import ResponseSpec
from bayes_mdd.streams import Stream, generator
from bayes_mdd.types import Array, BoolArray, IntArray

#: Draws of the benefit of each held-out patient.
DRAWS = 400
#: Thresholds of the probability of benefit along the curve.
P_STARS = np.round(np.arange(0.5, 0.96, 0.05), 2)
#: Groups of predicted benefit in the calibration table.
GROUPS = 4
#: Columns of the intervals of held-out benefits, and their quantiles.
INTERVALS = {
    "benefit_lower": 0.05,
    "benefit_lower_50": 0.25,
    "benefit_upper_50": 0.75,
    "benefit_upper": 0.95,
}


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


@dataclass(frozen=True, eq=False)
class _HeldOut:
    """Predictions for patients who were not learned from."""

    benefit: Array
    p_benefit: Array
    default: Array
    other: Array
    better_other: BoolArray
    fold: IntArray
    interval: Array


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
    trial, rule = prepared.trial, _rule(prepared, abstain)
    propensity = _propensity(prepared)
    rng = generator(seed, Stream.POLICY)
    divisions = [_divide(trial.other, folds, rng) for _ in range(repeats)]
    found = [_cross_fit(trial, propensity, d, prepared.scales, rng) for d in divisions]
    people = _average(found)
    choice = _choose(rule, people)
    z = _sequential(trial, propensity, divisions[0], prepared.scales, rule, rng)
    p_value = float("nan")
    if n_permutations:
        permuted = generator(seed, Stream.RANDOMISATION)
        p_value = _randomisation_p(prepared, propensity, folds, n_permutations, permuted)
    remission = _remission(prepared)
    return PolicyValue(
        table=_table(trial, propensity, found, rule, remission),
        p_randomisation=p_value,
        z_sequential=z,
        p_sequential=float(norm.sf(z)),
        changed=float(choice.mean()),
        curve=_curve(found, rule),
        toc=_toc(people),
        calibration=_calibration(found),
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


def _divide(other: BoolArray, folds: int, rng: np.random.Generator) -> IntArray:
    """Assign folds at random, equally within each arm."""
    fold = np.empty(other.size, dtype=np.int64)
    for arm in (False, True):
        rows = rng.permutation(np.flatnonzero(other == arm))
        fold[rows] = np.arange(rows.size) % folds
    return fold


def _columns(trial: Trial) -> Array:
    return np.column_stack([trial.design[:, 1:], trial.mean])


def _learn(
    trial: Trial,
    propensity: Array,
    train: BoolArray,
    test: BoolArray,
    scales: Scales,
    rng: np.random.Generator,
) -> tuple[Array, Array, Array, Array, bool, Array]:
    """Benefit, its probability, AIPW scores of held-out subjects; better fixed drug, intervals."""
    learned, held = trial.take(train), trial.take(test)
    drawn = fit_mixture(learned, scales).draw(rng, DRAWS)
    benefit = draw_benefit(drawn.drug, drawn.moderation, held.mean, held.covariance, rng)
    predicted = predict_outcomes(_columns(learned), learned.other, learned.outcome, _columns(held))
    default, other = aipw_scores(held.outcome, held.other, propensity[test], *predicted)
    weight = np.where(learned.other, 1 / propensity[train], 1 / (1 - propensity[train]))
    on_other, on_default = (
        np.average(learned.outcome[a], weights=weight[a]) for a in (learned.other, ~learned.other)
    )
    effect = on_other - on_default
    interval = np.quantile(benefit, list(INTERVALS.values()), axis=0)
    p_benefit = (benefit > 0).mean(axis=0)
    return benefit.mean(axis=0), p_benefit, default, other, bool(effect < 0), interval


def _cross_fit(
    trial: Trial, propensity: Array, fold: IntArray, scales: Scales, rng: np.random.Generator
) -> _HeldOut:
    n = fold.size
    benefit, p_benefit, default, other = (np.empty(n) for _ in range(4))
    better = np.empty(n, dtype=bool)
    interval = np.empty((len(INTERVALS), n))
    for j in range(int(fold.max()) + 1):
        test = fold == j
        found = _learn(trial, propensity, ~test, test, scales, rng)
        benefit[test], p_benefit[test], default[test], other[test], better[test] = found[:5]
        interval[:, test] = found[5]
    return _HeldOut(benefit, p_benefit, default, other, better, fold, interval)


def _average(found: Sequence[_HeldOut]) -> _HeldOut:
    """Means over divisions into folds; the folds are those of the first."""

    def mean(name: str) -> Array:
        return np.asarray(np.mean([getattr(h, name) for h in found], axis=0))

    return _HeldOut(
        benefit=mean("benefit"),
        p_benefit=mean("p_benefit"),
        default=mean("default"),
        other=mean("other"),
        better_other=found[0].better_other,
        fold=found[0].fold,
        interval=mean("interval"),
    )


def _choose(rule: DecisionRule, held: _HeldOut) -> BoolArray:
    return np.asarray(rule.decide(held.benefit, held.p_benefit) == 1)


def _table(
    trial: Trial,
    propensity: Array,
    found: Sequence[_HeldOut],
    rule: DecisionRule,
    remission: tuple[Array, float] | None,
) -> pd.DataFrame:
    zero = np.zeros(len(trial.outcome))
    ipw = aipw_scores(trial.outcome, trial.other, propensity, zero, zero)
    rows = {}
    for name in ("declared default", "better fixed drug", "random"):
        scores, by_ipw, recovered = [], [], []
        for held in found:
            change = _choose(rule, held).astype(float) - _reference(name, held)
            scores.append(change * (held.default - held.other))
            by_ipw.append(change * (ipw[0] - ipw[1]))
            if remission is not None:
                well = (remission[0] <= remission[1]).astype(float)
                level = zero + well.mean()
                of = aipw_scores(well, trial.other, propensity, level, level)
                recovered.append(change * (of[1] - of[0]))
        gain = Gain.of(np.mean(scores, axis=0))
        half = norm.ppf(0.95) * gain.error
        rows[name] = {
            "gain": gain.value,
            "se": gain.error,
            "lower": gain.value - half,
            "upper": gain.value + half,
            "z": gain.value / gain.error if gain.error > 0 else float("nan"),
            "gain_ipw": float(np.mean(by_ipw)),
        }
        if remission is not None:
            of_remission = Gain.of(np.mean(recovered, axis=0))
            rows[name] |= _number_needed(of_remission)
    return pd.DataFrame.from_dict(rows, orient="index")


def _number_needed(gain: Gain) -> dict[str, float]:
    """Difference in remission, and the number needed to treat where its interval is above 0."""
    half = norm.ppf(0.95) * gain.error
    return {
        "remission": gain.value,
        "remission_lower": gain.value - half,
        "remission_upper": gain.value + half,
        "nnt": 1 / gain.value if gain.value > half else float("nan"),
    }


def _reference(name: str, held: _HeldOut) -> Array | float:
    """Probability of the other drug under what the rule is compared with."""
    if name == "better fixed drug":
        return held.better_other.astype(float)
    return 0.0 if name == "declared default" else 0.5


def _remission(prepared: Prepared) -> tuple[Array, float] | None:
    limit = remission_limit(prepared.spec)
    return None if limit is None else (prepared.trial.outcome + prepared.level, limit)


def _curve(found: Sequence[_HeldOut], rule: DecisionRule) -> pd.DataFrame:
    rows = []
    for p_star in P_STARS:
        at = DecisionRule(minimum=rule.minimum, p_star=float(p_star), cost=rule.cost)
        decided = [at.decide(h.benefit, h.p_benefit) for h in found]
        scores = [(d == 1) * (h.default - h.other) for d, h in zip(decided, found, strict=True)]
        gain = Gain.of(np.mean(scores, axis=0))
        rows.append(
            {
                "p_star": float(p_star),
                "gain": gain.value,
                "se": gain.error,
                "decided": float(np.mean([(d != 0).mean() for d in decided])),
                "changed": float(np.mean([(d == 1).mean() for d in decided])),
            }
        )
    return pd.DataFrame(rows)


def _toc(people: _HeldOut) -> pd.DataFrame:
    share, gain = prioritised_effects(people.benefit, people.default - people.other)
    table = pd.DataFrame({"share": share, "gain": gain})
    table.attrs["autoc"] = float(gain.mean())
    table.attrs["qini"] = float((share * gain).mean())
    return table


def _calibration(found: Sequence[_HeldOut]) -> pd.DataFrame:
    """Observed against predicted benefit; folds are centred apart, pooled ones are an artefact."""
    slopes, parts = [], []
    for held in found:
        predicted, observed = held.benefit, held.default - held.other
        top, bottom = _within_folds(held)
        slopes.append(top / bottom if bottom > 1e-12 else float("nan"))
        # Groups are formed within folds, too.
        group = pd.Series(predicted).groupby(held.fold).rank(method="first", pct=True) * GROUPS
        parts.append(
            pd.DataFrame(
                {
                    "group": np.ceil(group).astype(int),
                    "predicted": predicted,
                    "observed": observed,
                }
            )
        )
    pooled = pd.concat(parts)
    by = pooled.groupby("group")
    n = len(found[0].benefit) / GROUPS
    table = by.mean().assign(se=by["observed"].std() / np.sqrt(n))
    table.attrs["slope"] = float(np.mean(slopes))
    return table


def _sequential(
    trial: Trial,
    propensity: Array,
    fold: IntArray,
    scales: Scales,
    rule: DecisionRule,
    rng: np.random.Generator,
) -> float:
    """Z value of the gain when each fold is judged by a rule that earlier folds taught."""
    folds = int(fold.max()) + 1
    total = variance = 0.0
    for j in range(max(1, folds // 3), folds):
        train, test = fold < j, fold == j
        found = _learn(trial, propensity, train, test, scales, rng)
        mean, p_benefit, default, other = found[:4]
        chosen = rule.decide(mean, p_benefit) == 1
        if chosen.sum() < 2:
            continue
        gain = chosen * (default - other)
        total += float(gain.sum())
        variance += len(gain) * float(gain.var(ddof=1))
    return total / float(np.sqrt(variance)) if variance > 0 else 0.0


def _randomisation_p(
    prepared: Prepared, propensity: Array, folds: int, n: int, rng: np.random.Generator
) -> float:
    """P value of what the learned ranking gains, with arms drawn again and the rule learned again.

    The statistic is the covariance of predicted and scored benefit within folds, over the SD of the
    prediction. Folds do not depend on arms, so that all assignments are treated alike.
    """
    trial = prepared.trial
    base = np.column_stack([trial.design, trial.mean, trial.code])
    common = float(np.linalg.lstsq(base, trial.outcome, rcond=None)[0][-1])
    without = trial.outcome - trial.code * common
    fold = rng.permutation(trial.other.size) % folds

    def statistic(other: BoolArray) -> float:
        arranged = replace(trial, outcome=without + (other - 0.5) * common, other=other)
        held = _cross_fit(arranged, propensity, fold, prepared.scales, rng)
        top, bottom = _within_folds(held)
        return top / np.sqrt(bottom) if bottom > 1e-12 else 0.0

    observed = statistic(trial.other)
    null = [statistic(o) for o in redraw_arms(trial.other, prepared.stratum, rng, n)]
    return float((1 + (np.array(null) >= observed - 1e-12).sum()) / (n + 1))


def _within_folds(held: _HeldOut) -> tuple[float, float]:
    """Products of predicted with scored benefit, and squares of predictions, centred by fold."""
    top = bottom = 0.0
    for j in np.unique(held.fold):
        rows = held.fold == j
        x, y = (v[rows] - v[rows].mean() for v in (held.benefit, held.default - held.other))
        top, bottom = top + float(x @ y), bottom + float(x @ x)
    return top, bottom
