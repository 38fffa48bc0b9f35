"""Tables of what a learned rule gains for held-out patients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import norm

from bayes_mdd.response.benefit import DecisionRule
from bayes_mdd.response.held_out import HeldOut
from bayes_mdd.response.trial import Trial
from bayes_mdd.response.value import Gain, aipw_scores, prioritised_effects
from bayes_mdd.types import Array, BoolArray

#: Thresholds of the probability of benefit along the curve.
P_STARS = np.round(np.arange(0.5, 0.96, 0.05), 2)
#: Groups of predicted benefit in the calibration table.
GROUPS = 4
#: What a rule is compared with.
REFERENCES = ("declared default", "better fixed drug", "random")


def tabulate_gains(
    trial: Trial, found: Sequence[HeldOut], rule: DecisionRule, remission: BoolArray | None
) -> pd.DataFrame:
    """Tabulate the gain of a rule over each reference.

    Parameters
    ----------
    trial : Trial
        Outcomes and arms.
    found : sequence of HeldOut
        Predictions, one for each division into folds.
    rule : DecisionRule
        The rule.
    remission : ndarray of bool, shape (subject,), optional
        Whether each patient is in remission; not read where the outcome is missing.

    Returns
    -------
    DataFrame
        See `bayes_mdd.response.policy.PolicyValue`.
    """
    well = None if remission is None else _remission_effect(trial, found, remission)
    rows = {}
    for name in REFERENCES:
        change = [h.choose(rule).astype(float) - _reference(name, h) for h in found]
        gain = _average_gain(change, [h.effect for h in found])
        plain = _average_gain(change, [h.plain[0] - h.plain[1] for h in found])
        half = norm.ppf(0.95) * gain.error
        rows[name] = {
            "gain": gain.value,
            "se": gain.error,
            "lower": gain.value - half,
            "upper": gain.value + half,
            "z": gain.value / gain.error if gain.error > 0 else float("nan"),
            "gain_ipw": plain.value,
            "se_ipw": plain.error,
        }
        if well is not None:
            rows[name] |= _number_needed(_average_gain(change, well))
    return pd.DataFrame.from_dict(rows, orient="index")


def _average_gain(change: Sequence[Array], effect: Sequence[Array]) -> Gain:
    """Gain of changed treatment, averaged over divisions for each patient first."""
    return Gain.of(np.mean([c * e for c, e in zip(change, effect, strict=True)], axis=0))


def _remission_effect(trial: Trial, found: Sequence[HeldOut], remission: BoolArray) -> list[Array]:
    """Scores of the difference in remission, other drug minus default, of each division."""
    known = np.isfinite(trial.outcome)
    well = np.where(known, remission, np.nan)
    level = np.full(well.size, well[known].mean())
    effects = []
    for h in found:
        default, other = aipw_scores(well, trial.other, h.propensity, level, level, h.observation)
        effects.append(other - default)
    return effects


def _reference(name: str, held: HeldOut) -> Array | float:
    """Probability of the other drug under what the rule is compared with."""
    if name == "better fixed drug":
        return held.better_other.astype(float)
    return 0.0 if name == "declared default" else 0.5


def _number_needed(gain: Gain) -> dict[str, float]:
    """Difference in remission, and the number needed to treat where its interval is above 0."""
    half = norm.ppf(0.95) * gain.error
    return {
        "remission": gain.value,
        "remission_lower": gain.value - half,
        "remission_upper": gain.value + half,
        "nnt": 1 / gain.value if gain.value > half else float("nan"),
    }


def tabulate_curve(found: Sequence[HeldOut], rule: DecisionRule) -> pd.DataFrame:
    """Tabulate the gain over the default by the required probability of a benefit.

    Parameters
    ----------
    found : sequence of HeldOut
        Predictions, one for each division into folds.
    rule : DecisionRule
        Its minimum and cost are used.

    Returns
    -------
    DataFrame
        ``p_star``, ``gain``, ``se``, and the shares ``decided`` and ``changed``; the number of
        patients in ``attrs["n"]``.
    """
    rows = []
    for p_star in P_STARS:
        at = DecisionRule(minimum=rule.minimum, p_star=float(p_star), cost=rule.cost)
        decided = [h.decide(at) for h in found]
        scores = [(d == 1) * h.effect for d, h in zip(decided, found, strict=True)]
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
    table = pd.DataFrame(rows)
    table.attrs["n"] = len(found[0].benefit)
    return table


def tabulate_priorities(people: HeldOut) -> pd.DataFrame:
    """Tabulate what patients of the highest predicted benefit gain beyond the average.

    Parameters
    ----------
    people : HeldOut
        Predictions.

    Returns
    -------
    DataFrame
        ``share``, ``gain`` and its standard error ``se``, which is descriptive because folds share
        patients; the areas under the curve and the number of patients in ``attrs`` (``autoc``,
        ``qini``, ``n``).
    """
    share, gain = prioritised_effects(people.benefit, people.effect)
    error = _priority_errors(people.benefit, people.effect)
    table = pd.DataFrame({"share": share, "gain": gain, "se": error})
    table.attrs["autoc"] = float(gain.mean())
    table.attrs["n"] = len(table)
    table.attrs["qini"] = float((share * gain).mean())
    return table


def _priority_errors(priority: Array, effect: Array) -> Array:
    """Give standard errors of the mean effect of the first patients minus that of all."""
    e = effect[np.argsort(-priority, kind="stable")]
    n, mean = len(e), e.mean()
    number = np.arange(1, n + 1)
    share = number / n
    first, squares = np.cumsum(e - mean), np.cumsum((e - mean) ** 2)
    # A patient among the first has the influence (e - their mean) / share - (e - mean).
    slope = 1 / share - 1
    shift = -first / number / share
    inside = slope**2 * squares + 2 * slope * shift * first + number * shift**2
    return np.asarray(np.sqrt(np.maximum(inside + squares[-1] - squares, 0.0)) / n)


def tabulate_calibration(found: Sequence[HeldOut]) -> pd.DataFrame:
    """Compare predicted with observed benefits in groups of predicted benefit.

    Folds are grouped and centred apart: differences between folds alone would make a slope.

    Parameters
    ----------
    found : sequence of HeldOut
        Predictions, one for each division into folds.

    Returns
    -------
    DataFrame
        Indexed by group: ``predicted``, ``observed``, ``se``; the slope in ``attrs["slope"]``, the
        number of patients in ``attrs["n"]``.
    """
    slopes, parts = [], []
    for held in found:
        products, squares = held.products_within_folds()
        slopes.append(products / squares if squares > 1e-12 else float("nan"))
        group = pd.Series(held.benefit).groupby(held.fold).rank(method="first", pct=True) * GROUPS
        parts.append(
            pd.DataFrame(
                {
                    "group": np.ceil(group).astype(int),
                    "predicted": held.benefit,
                    "observed": held.effect,
                }
            )
        )
    by = pd.concat(parts).groupby("group")
    n = len(found[0].benefit) / GROUPS
    table = by.mean().assign(se=by["observed"].std() / np.sqrt(n))
    table.attrs["slope"] = float(np.mean(slopes))
    table.attrs["n"] = len(found[0].benefit)
    return table
