"""Predictive checks as lines of the table of checks, with what to do."""

from __future__ import annotations

from typing import Final

import numpy as np

from bayes_mdd.results.checks import Check
from bayes_mdd.shared_specific.checks.predictive import (
    ALPHA,
    ARMS,
    FEATURES,
    PEOPLE,
    REGIONS,
    TAILS,
    PredictiveChecks,
)
from bayes_mdd.shared_specific.checks.symptom_residuals import SYMPTOMS, SYMPTOMS_BY_ARM

#: How the lines of these checks begin in the table of checks.
PREFIX: Final = "predictive p: "
#: A factor stands out when it is this many times as strong as the largest pattern left over.
STANDS_OUT = 2.0
#: Dependence counts as taken into account from this share of the effective number of features on.
COUNTED = 0.8
#: Intervals are called too narrow or too wide from this factor on.
NAMED = 1.1
#: People named in an advice.
LISTED = 5


def judge_predictive(found: PredictiveChecks, *, alpha: float = ALPHA) -> list[Check]:
    """Turn predictive checks into lines of the table of checks.

    Parameters
    ----------
    found : PredictiveChecks
        From `predictive_checks`.
    alpha : float, default 0.01
        Posterior predictive p-value below which a check has failed.

    Returns
    -------
    list of Check
        One a statistic. Not judged (``passed`` None) is what was skipped, what so few draws could
        not have failed, and correlated residuals that a weighted fit takes into account.
    """
    advice, draws = _advice(found), int(found.table.attrs["draws"])
    judged: list[Check] = []
    for name, p in zip(found.table["check"].astype(str), found.table["p_value"], strict=True):
        passed: bool | None = bool(p >= alpha)
        what = "" if passed else advice[name]
        if not passed and name in (REGIONS, FEATURES) and _is_counted(found):
            passed = None  # replicates of the fit are independent, its likelihood is not
        if (draws + 1) * alpha < 1:
            passed, what = None, f"{draws} draws cannot reach {alpha:g}: ask for more."
        judged.append(Check(f"{PREFIX}{name}", float(p), f">= {alpha:g}", passed, what))
    return judged + [
        Check(f"{PREFIX}{name}", np.nan, f">= {alpha:g}", None, f"Not made: {why}.")
        for name, why in found.skipped.items()
    ]


def _is_counted(found: PredictiveChecks) -> bool:
    whole = found.blocks.iloc[-1]
    counted = found.feature_weight * whole["n_features"]
    return found.feature_weight < 1 and bool(whole["n_effective"] >= COUNTED * counted)


def _say_dependence(found: PredictiveChecks) -> str:
    """Say what correlated residuals mean for this fit, and what to do about them."""
    whole = found.blocks.iloc[-1]
    worth = f"{whole['n_effective']:.0f} independent ones"
    if found.feature_weight == 1:
        return (
            f"the model takes them as independent: {whole['n_features']} features tell about as "
            f"much as {worth}. {_say_factors(found)} Fit with feature_dependence: weighted"
        )
    counted = f"{found.feature_weight * whole['n_features']:.0f}"
    known = "as the fit knows" if _is_counted(found) else "more than the fit knows"
    return (
        f"{known} (feature_dependence: weighted): {whole['n_features']} features count as "
        f"{counted}, and tell about as much as {worth}. {_say_factors(found)} Offer fewer factors "
        "where these are weak"
    )


def _advice(found: PredictiveChecks) -> dict[str, str]:
    whole = found.blocks.iloc[-1]
    worst = found.blocks.iloc[:-1].sort_values("kurtosis", ascending=False).iloc[0]
    beyond = found.people[found.people["beyond"]].head(LISTED)
    more = int(found.people["beyond"].sum()) - len(beyond)
    people = ", ".join(
        f"{who} ({sd:.2f})"
        for who, sd in zip(beyond["subject"], beyond["residual_sd"], strict=True)
    )
    people += f" and {more} more" if more else ""
    by_arm = found.people.groupby("arm")["residual_sd"].mean()
    arms = ", ".join(f"{arm} {sd:.2f}" for arm, sd in by_arm.items())
    return {
        REGIONS: (
            f"Edges that share a region have correlated residuals; {_say_dependence(found)}, and "
            "believe what shuffled arms (--permutations) and held-out people (compare) support."
        ),
        FEATURES: (
            "Residuals have something in common that factors and covariates leave: "
            f"{whole['n_features']} features tell about as much as {whole['n_effective']:.0f} "
            "independent ones. Look for a covariate that is not in the model (motion, scanner) or "
            "offer more factors; edges that share a region have it too."
        ),
        TAILS: (
            "Residuals have heavier tails than Gaussian ones: kurtosis is "
            f"{whole['kurtosis']:.2f} above that of replicates (most in block {worst['block']}: "
            f"{worst['kurtosis']:.2f}). A few tenths matter little; with more, single values weigh "
            "too much: look for outliers in the features."
        ),
        PEOPLE: (
            "People are not equally noisy. Beyond the predictive (residual SD relative to all): "
            f"{people or 'nobody alone'}. Below about 1.3 this matters little, and correlated "
            "features alone widen it; look at the motion and data quality of people above."
        ),
        ARMS: (
            f"Arms are not equally noisy (mean residual SD relative to all: {arms}), which can "
            "pass for a factor's larger spread in the noisier one. Compare their motion and "
            "scanners."
        ),
        SYMPTOMS: "Symptom residuals still go with scores: the link is not linear, or too shrunk.",
        SYMPTOMS_BY_ARM: (
            "Within an arm symptom residuals still go with scores: fit with symptom_links: by_arm."
        ),
    }


def _say_factors(found: PredictiveChecks) -> str:
    """Name the factors that correlated noise could have made, and how far off the others are."""
    below = found.factors["strength"] < STANDS_OUT * found.factors["largest_left"]
    said = []
    if below.any():
        names = ", ".join(found.factors.loc[below, "factor"])
        said.append(
            f"Hardly stronger than patterns that are left in the residuals, so perhaps correlated "
            f"noise themselves: {names}."
        )
    if not below.all():
        off = found.factors.loc[~below, "scores_too_narrow"]
        which = "of the other factors" if below.any() else "of factors"
        for much, how in ((off.max(), "narrow"), (1 / off.min(), "wide")):
            if much >= NAMED:
                said.append(
                    f"Intervals of scores {which} are too {how} by a factor of up to {much:.1f}."
                )
    return " ".join(said)
