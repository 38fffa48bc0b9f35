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
    trial: Trial,
    propensity: Array,
    found: Sequence[HeldOut],
    rule: DecisionRule,
    remission: BoolArray | None,
) -> pd.DataFrame:
    """Tabulate the gain of a rule over each reference.

    Parameters
    ----------
    trial : Trial
        Outcomes and arms.
    propensity : ndarray, shape (subject,)
        Known probability of the other drug.
    found : sequence of HeldOut
        Predictions, one for each division into folds.
    rule : DecisionRule
        The rule.
    remission : ndarray of bool, shape (subject,), optional
        Whether each patient is in remission.

    Returns
    -------
    DataFrame
        See `bayes_mdd.response.policy.PolicyValue`.
    """
    zero = np.zeros(len(trial.outcome))
    ipw_default, ipw_other = aipw_scores(trial.outcome, trial.other, propensity, zero, zero)
    well = None
    if remission is not None:
        level = np.full(remission.size, remission.mean())
        well = aipw_scores(remission.astype(float), trial.other, propensity, level, level)
    rows = {}
    for name in REFERENCES:
        change = [h.choose(rule).astype(float) - _reference(name, h) for h in found]
        gain = Gain.of(np.mean([c * h.effect for c, h in zip(change, found, strict=True)], axis=0))
        half = norm.ppf(0.95) * gain.error
        average = np.mean(change, axis=0)
        rows[name] = {
            "gain": gain.value,
            "se": gain.error,
            "lower": gain.value - half,
            "upper": gain.value + half,
            "z": gain.value / gain.error if gain.error > 0 else float("nan"),
            "gain_ipw": float(np.mean(average * (ipw_default - ipw_other))),
        }
        if well is not None:
            rows[name] |= _number_needed(Gain.of(average * (well[1] - well[0])))
    return pd.DataFrame.from_dict(rows, orient="index")


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
        ``p_star``, ``gain``, ``se``, and the shares ``decided`` and ``changed``.
    """
    rows = []
    for p_star in P_STARS:
        at = DecisionRule(minimum=rule.minimum, p_star=float(p_star), cost=rule.cost)
        decided = [at.decide(h.benefit, h.p_benefit) for h in found]
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
    return pd.DataFrame(rows)


def tabulate_priorities(people: HeldOut) -> pd.DataFrame:
    """Tabulate what patients of the highest predicted benefit gain beyond the average.

    Parameters
    ----------
    people : HeldOut
        Predictions.

    Returns
    -------
    DataFrame
        ``share`` and ``gain``; the areas under the curve in ``attrs`` (``autoc``, ``qini``).
    """
    share, gain = prioritised_effects(people.benefit, people.effect)
    table = pd.DataFrame({"share": share, "gain": gain})
    table.attrs["autoc"] = float(gain.mean())
    table.attrs["qini"] = float((share * gain).mean())
    return table


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
        Indexed by group: ``predicted``, ``observed``, ``se``; the slope in ``attrs["slope"]``.
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
    return table
