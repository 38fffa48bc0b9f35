"""Predictive checks as rows of the table of checks, with advice."""

from __future__ import annotations

from typing import Final

import numpy as np

from bayes_mdd.results.checks import Check
from bayes_mdd.shared_specific.checks.predictive import (
    ALPHA,
    ARMS,
    FEATURES,
    REGIONS,
    SUBJECTS,
    TAILS,
    PredictiveChecks,
)
from bayes_mdd.shared_specific.checks.symptom_residuals import SYMPTOMS, SYMPTOMS_BY_ARM

#: How the names of these checks begin.
PREFIX: Final = "predictive p: "
#: A factor is distinct when it is this many times as strong as the largest residual component.
DISTINCT = 2.0
#: Dependence is accounted for when the effective number of features is at least this share of the
#: number as which they counted in the fit.
COUNTED = 0.8
#: Intervals are reported as too narrow or too wide from this factor on.
NAMED = 1.1
#: Participants named in an advice.
LISTED = 5


def judge_predictive(found: PredictiveChecks, *, alpha: float = ALPHA) -> list[Check]:
    """Turn predictive checks into rows of the table of checks.

    Parameters
    ----------
    found : PredictiveChecks
        From `predictive_checks`.
    alpha : float, default 0.01
        Posterior predictive p-value below which a check has failed.

    Returns
    -------
    list of Check
        One per statistic. Not judged (``passed`` None) are checks that were omitted, checks that
        cannot fail with so few draws, and correlated residuals that a weighted fit accounts for.
    """
    advice, draws = _advice(found), int(found.table.attrs["draws"])
    judged: list[Check] = []
    for name, p in zip(found.table["check"].astype(str), found.table["p_value"], strict=True):
        passed: bool | None = bool(p >= alpha)
        what = "" if passed else advice[name]
        if not passed and name in (REGIONS, FEATURES) and _is_counted(found):
            passed = None  # replicates of the fit are independent, its likelihood is not
        if (draws + 1) * alpha < 1:
            passed, what = None, f"{draws} draws cannot reach {alpha:g}: increase draws."
        judged.append(Check(f"{PREFIX}{name}", float(p), f">= {alpha:g}", passed, what))
    return judged + [
        Check(f"{PREFIX}{name}", np.nan, f">= {alpha:g}", None, f"Omitted: {why}.")
        for name, why in found.skipped.items()
    ]


def _is_counted(found: PredictiveChecks) -> bool:
    whole = found.blocks.iloc[-1]
    counted = found.feature_weight * whole["n_features"]
    return found.feature_weight < 1 and bool(whole["n_effective"] >= COUNTED * counted)


def _say_dependence(found: PredictiveChecks) -> str:
    """Say what correlated residuals mean for this fit, with advice."""
    whole = found.blocks.iloc[-1]
    effective = f"{whole['n_effective']:.0f} independent ones"
    if found.feature_weight == 1:
        return (
            f"the model treats them as independent. The {whole['n_features']} features carry "
            f"about as much information as {effective}. {_say_factors(found)} Fit with "
            "feature_dependence: auto (matrix for correlations between all pairs of regions, "
            "weighted for other features)"
        )
    counted = f"{found.feature_weight * whole['n_features']:.0f}"
    known = (
        "as the fit accounts for"
        if _is_counted(found)
        else "more strongly than the fit accounts for"
    )
    return (
        f"{known} (weighted likelihood): {whole['n_features']} features count as "
        f"{counted} and carry about as much information as {effective}. {_say_factors(found)} "
        "Reduce n_factors where factors are weak"
    )


def _advice(found: PredictiveChecks) -> dict[str, str]:
    whole = found.blocks.iloc[-1]
    worst = found.blocks.iloc[:-1].sort_values("kurtosis", ascending=False).iloc[0]
    beyond = found.subjects[found.subjects["beyond"]].head(LISTED)
    more = int(found.subjects["beyond"].sum()) - len(beyond)
    subjects = ", ".join(
        f"{who} ({sd:.2f})"
        for who, sd in zip(beyond["subject"], beyond["residual_sd"], strict=True)
    )
    subjects += f" and {more} more" if more else ""
    by_arm = found.subjects.groupby("arm")["residual_sd"].mean()
    arms = ", ".join(f"{arm} {sd:.2f}" for arm, sd in by_arm.items())
    return {
        REGIONS: (
            f"Edges that share a region have correlated residuals; {_say_dependence(found)}, and "
            "rely on results that permuted arms (--permutations) and cross-validation (compare) "
            "support."
        ),
        FEATURES: (
            "Residuals are correlated beyond factors and covariates: the "
            f"{whole['n_features']} features carry about as much information as "
            f"{whole['n_effective']:.0f} independent ones. Look for a covariate that is not in the "
            "model (motion, global signal, scanner) or increase n_factors"
            + (
                ". Edges were whitened, so sampling error is not the reason."
                if found.whitened
                else "; edges that share a region also cause this."
            )
        ),
        TAILS: (
            "Residuals have heavier tails than Gaussian ones: kurtosis is "
            f"{whole['kurtosis']:.2f} above that of replicates (most in block {worst['block']}: "
            f"{worst['kurtosis']:.2f}). A few tenths are harmless; with more, single values "
            "dominate: look for outliers in the features."
        ),
        SUBJECTS: (
            "Participants differ in noise. Beyond the predictive interval (residual SD relative to "
            f"all): {subjects or 'no single participant'}. Below about 1.3 this is harmless, and "
            "correlated features alone cause it; above, check motion and data quality."
        ),
        ARMS: (
            f"Arms differ in noise (mean residual SD relative to all: {arms}), which can be "
            "mistaken for a larger spread of a factor in the noisier arm. Compare motion and "
            "scanners of the arms."
        ),
        SYMPTOMS: (
            "Symptom residuals still correlate with scores: the link is not linear, or overly "
            "shrunk."
        ),
        SYMPTOMS_BY_ARM: (
            "Within an arm, symptom residuals still correlate with scores: fit with symptom_links: "
            "by_arm."
        ),
    }


def _say_factors(found: PredictiveChecks) -> str:
    """Name the factors that correlated noise may have caused, and the error of the others."""
    below = found.factors["strength"] < DISTINCT * found.factors["largest_left"]
    said = []
    if below.any():
        names = ", ".join(found.factors.loc[below, "factor"])
        said.append(
            f"Hardly stronger than the largest residual component, so possibly correlated noise: "
            f"{names}."
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
