"""Sentences of the methods about errors of features and reliability of factors."""

from __future__ import annotations

from dataclasses import asdict

import pandas as pd

from bayes_mdd.results.result import Result
from bayes_mdd.results.rules import RULES
from bayes_mdd.shared_specific.posterior.stored_data import read_subject_scale
from bayes_mdd.shared_specific.schema import RELIABILITY, SOURCE, SUBJECT_SCALE, WHITENING
from bayes_mdd.types import Array


def say_dependence(result: Result) -> list[str]:
    """Say how correlated errors of features were modelled.

    Parameters
    ----------
    result : Result
        A fit.

    Returns
    -------
    list of str
        Sentences; numbers in brackets refer to the references of the methods.
    """
    constant = result.constant
    weight = float(constant.get("feature_weight", 1.0))
    whitened = WHITENING in result.tree.children
    said = _say_whitening(result) if whitened else []
    if weight < 1.0:
        total = float(constant["block_size"].sum())
        said.append(
            f"To account for {'the remaining correlation' if whitened else 'correlated errors'} of "
            f"features, their likelihood was raised to the power {weight:.3g}: {total:.0f} "
            f"features counted as {weight * total:.0f} independent ones, the effective number "
            "estimated from the eigenvalues of the residuals."
        )
    elif not whitened:
        said.append("Errors of features were modelled as independent given the factors.")
        if (scale := read_subject_scale(result)) is not None:
            said.append(_say_scales(scale))
    if "weight_left" in constant:
        left = min(1.0, float(constant["weight_left"]) / weight)
        said.append(
            "The effective number of independent features, estimated from the eigenvalues of the "
            f"residuals, was {left:.0%} of the number that the likelihood assumes."
        )
    return said


def _say_scales(scale: Array) -> str:
    return (
        "Each participant had a noise scale, the root mean square of his or her residuals "
        f"relative to all ({scale.min():.2f} to {scale.max():.2f})."
    )


def _say_whitening(result: Result) -> list[str]:
    """Say whose mean correlation matrix whitened the edges, and how maps were obtained."""
    stored = result.group(WHITENING)
    attrs = stored.attrs
    who = "controls" if str(attrs["mean_over"]) == "controls" else "participants of the cohort"
    every = "" if who == "controls" else "all "
    shrinkage = float(attrs["shrinkage"])
    return [
        "Sampling errors of correlations are themselves correlated [7, 8]. Edges were therefore "
        "whitened: deviations from a mean correlation matrix were multiplied by its inverse square "
        "root from both sides, after the scales of the regions had been projected out [9], which "
        "makes their errors independent. The matrix was the mean over "
        f"{every}{int(attrs['mean_n'])} {who}"
        + (f", shrunk towards zero by {shrinkage:.2g}" if shrinkage > 0 else "")
        + f". {_say_scales(stored[SUBJECT_SCALE].values)}",
        "Variance explained and maps are those of the edges, given the scores. Variance explained "
        "is that of the least-squares loadings of edges, which here equal generalised least "
        "squares [10]; for maps, the least-squares loadings of whitened features were shrunk by "
        "bins of smoothness and mapped back to edges with draws of their errors.",
    ]


def say_reliability(result: Result, table: pd.DataFrame) -> list[str]:
    """Say from what the reliability of factors was estimated, and how it was judged.

    Parameters
    ----------
    result : Result
        A fit.
    table : DataFrame
        What `classify_factors` returned.

    Returns
    -------
    list of str
        Sentences; none for fits to one scan alone.
    """
    if RELIABILITY not in result.tree.children:
        return []
    said = {
        "halves": "Half the difference between the two halves of each scan, which contains error "
        "but no trait, entered the fit as one more arm, with an intercept of its own and with "
        "halves weighted by their precision; reliability within the scan is one minus the variance "
        "of a factor in this arm over that in the arms of participants.",
        "pieces": "Scores of consecutive pieces of each scan, with loadings estimated without the "
        "participant, were modelled as a trait, a state that decays with time (Ornstein-Uhlenbeck "
        "process) and noise; reliability is the part of the variance that would remain in a longer "
        "scan.",
        "sessions": "Reliability between sessions is the intraclass correlation of the scores of "
        "one session, without their sampling error.",
    }
    sources = [str(s) for s in result.group(RELIABILITY)[SOURCE].values]
    rules = asdict(RULES) | dict(table.attrs.get("rules", {}))
    least = rules["reliability_probability"]
    return [
        *(said[s] for s in sources if s in said),
        f"A factor is called stable when its reliability exceeds {rules['reliability_above']:g} "
        f"with posterior probability of at least {least:g}, and not nameable when it does with at "
        f"most {1 - least:.2g}; two sessions decide over pieces, and pieces over halves. No label "
        "is given to other factors, or where one participant holds more than "
        f"{rules['leverage']:.0%} of a factor's variance. Intervals of reliability are the "
        f"shortest {rules['ci_prob']:.0%} intervals.",
    ]
