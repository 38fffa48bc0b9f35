"""What the claims of the first screen are not, and what they rest on."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayes_mdd.results.checks import PREDICTIVE, judge_check
from bayes_mdd.results.result import Result
from bayes_mdd.results.rules import QUIET
from bayes_mdd.results.study import Study
from bayes_mdd.shared_specific.report.table_rules import read_rules
from bayes_mdd.shared_specific.report.words import join, number
from bayes_mdd.shared_specific.schema import WHITENING
from bayes_mdd.shared_specific.tables.stability import is_reliability_known, tabulate_reliability

_SOURCES = {
    "halves": "between the halves of a scan",
    "pieces": "over the pieces of a scan",
    "sessions": "between two sessions",
}


def say_reliability(result: Result, table: pd.DataFrame) -> str:
    """Say whether the patterns are stable, over what, or that this is not known.

    Parameters
    ----------
    result : Result
        A fit.
    table : pandas.DataFrame
        What `classify_factors` returned.

    Returns
    -------
    str
        A sentence or two.
    """
    shown = table[~table["label"].isin(QUIET)]
    if not is_reliability_known(table):
        return (
            "Their reliability is unknown (one undivided scan for each participant), so a lasting "
            "trait cannot be told from a state of the day."
        )
    found = tabulate_reliability(result, read_rules(table))
    deciding = found[found["decides"] & found["factor"].isin(shown["factor"])]
    sources = list(dict.fromkeys(map(str, deciding["source"])))
    over = join(_SOURCES.get(s, s) for s in sources)
    days = "" if "sessions" in sources else "; stability over days or weeks was not measured"
    stable = [str(f) for f in shown.loc[shown["stability"] == "stable", "factor"]]
    low, high = shown["reliability"].min(), shown["reliability"].max()
    span = f"{low:.2f}" if np.isclose(low, high, atol=0.005) else f"{low:.2f} to {high:.2f}"
    if len(stable) == len(shown):
        all_of = "The pattern is" if len(shown) == 1 else f"All {number(len(shown))} are"
        return f"{all_of} reliable {over} (reliability {span}){days}."
    which = f"Only {join(stable)}" if stable else "None"
    verb = "is" if len(stable) < 2 else "are"
    return f"{which} {verb} shown to be reliable {over} (reliability {span}){days}."


def say_assignment(result: Result, study: Study) -> str:
    """Say why a difference between arms is not an effect of a drug.

    Parameters
    ----------
    result : Result
        A fit with several arms.
    study : Study
        Assignment to the arms and time of the scans.

    Returns
    -------
    str
        A sentence or two.
    """
    prediction = "nor does it predict who will respond to which drug"
    if result.estimand == "change":
        if study.assignment == "randomised":
            return (
                "Arms were randomised, and patterns are those of the change between two scans. "
                "Time, regression to the mean and drop-out change scans as well: a pattern in all "
                "arms is not an effect of a drug; one of a single arm may be, unless drop-out "
                "differed."
            )
        return (
            "Patterns are those of the change between two scans. Arms are not known to be "
            "randomised, and time, regression to the mean and drop-out change scans as well: a "
            f"pattern is not an effect of a drug, {prediction}."
        )
    if study.assignment == "randomised":
        if study.at_baseline:
            return (
                "Arms were randomised and scanned before treatment, so they differ by chance "
                "alone: doubt a pattern of one arm until it is replicated. It is not an effect of "
                f"the drug, {prediction}."
            )
        return (
            "Arms were randomised, but one time point cannot show a change: a pattern of one arm "
            f"is not an effect of the drug, {prediction}."
        )
    if study.assignment == "observational":
        return (
            "Arms were not randomised: patients may have been given a drug for reasons that also "
            "show in their scans. A pattern of one arm is therefore not an effect of the drug, "
            f"{prediction}."
        )
    return (
        "Whether arms were randomised is not stated, so patients may have been given a drug for "
        "reasons that also show in their scans. A pattern of one arm is therefore not an effect of "
        f"the drug, {prediction}."
    )


def say_assumption(result: Result, checks: pd.DataFrame) -> str:
    """Say on which assumption the probabilities rest most, and how it was checked.

    Parameters
    ----------
    result : Result
        A fit.
    checks : pandas.DataFrame
        What `diagnose` returned, with whatever was appended.

    Returns
    -------
    str
        A sentence or two.
    """
    weight = float(result.constant.get("feature_weight", 1.0))
    if WHITENING in result.tree.children:
        what = "that errors of the edges are independent once their known correlations are removed"
    elif weight < 1:
        what = "that the correlation of errors is accounted for by a lower weight of the data"
    else:
        what = "that errors of the features are independent"
    names = ("independent share of the features",)
    states = {
        str(r["name"]): judge_check(r["passed"])
        for _, r in checks.iterrows()
        if str(r["name"]) in names or str(r["name"]).startswith(f"{PREDICTIVE}residual correlation")
    }
    if "failed" in states.values():
        checked = "a check speaks against it"
    elif "passed" in states.values():
        checked = "its check passed"
    else:
        checked = "it was not checked"
    return f"Probabilities rest above all on the assumption {what}; {checked}."
