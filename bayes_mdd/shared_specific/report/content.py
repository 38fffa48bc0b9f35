"""Findings and limits of a fit as sentences."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd

from bayes_mdd.dims import MISSING
from bayes_mdd.results.checks import say_verdict
from bayes_mdd.results.cohort_facts import CohortFacts
from bayes_mdd.results.result import Result
from bayes_mdd.results.rules import NOT_NAMEABLE, QUIET
from bayes_mdd.results.text import format_probability
from bayes_mdd.shared_specific.checks.detectable import EDGE_WISE, SMOOTH
from bayes_mdd.shared_specific.tables.factors import is_partial
from bayes_mdd.shared_specific.tables.stability import (
    further_factors,
    is_dominated,
    is_reliability_known,
)

#: Said once where no factor has a reliability.
RELIABILITY_UNKNOWN = (
    "Reliability unknown: the fit had neither halves or pieces of the scans nor a second session, "
    "so that a trait cannot be told from a state. No factor is called a signature."
)


def summarise_findings(
    table: pd.DataFrame,
    checks: pd.DataFrame,
    links: pd.DataFrame | None,
    ci_prob: float,
    n_considered: int | None = None,
    data_checks: Collection[str] = (),
) -> list[str]:
    """Summarise in sentences what was found, and what was not.

    Parameters
    ----------
    table : pandas.DataFrame
        What `classify_factors` returned.
    checks : pandas.DataFrame
        What `diagnose` returned.
    links : pandas.DataFrame, optional
        What `summarise_symptom_links` returned; None without symptoms.
    ci_prob : float
        Probability of the intervals in `links`.
    n_considered : int, optional
        Largest number of factors that the model could have; default the rows of `table`.
    data_checks : collection of str
        Names of the checks that are about the data.

    Returns
    -------
    list of str
        Sentences; every claim carries its probability.
    """
    said = [say_verdict(checks, data_checks)]
    if table.attrs.get("approximate"):
        said.insert(
            0,
            "This is a fast fit: all probabilities and intervals on this page are approximate. Fit "
            "with method='mcmc' before you rely on them.",
        )
    said.append(_say_active(int(table["active"].sum()), n_considered or len(table)))
    said.append(_say_reliability(table))
    said += [_say_shared(table), _say_specific(table), *_say_without_label(table)]
    if links is not None:
        said.append(_say_links(table, links, ci_prob))
    return [s for s in said if s]


def _say_reliability(table: pd.DataFrame) -> str:
    """Say how many factors are stable, or that nothing is known."""
    shown = table[~table["label"].isin(QUIET)]
    if shown.empty:
        return ""
    if not is_reliability_known(table):
        return RELIABILITY_UNKNOWN
    stable = [str(f) for f in shown.loc[shown["stability"] == "stable", "factor"]]
    listed = f": {', '.join(stable)}" if stable else ""
    return f"{_count(len(stable))} of these {_be(len(stable))} stable{listed}."


def _say_without_label(table: pd.DataFrame) -> list[str]:
    """Name the factors without a label, by the reason."""
    dominated = is_dominated(table)
    undecided = (table["label"] == "undecided") & ~dominated
    not_stable = table["stability"] == "open"
    partial = undecided & ~not_stable & is_partial(table)
    reasons = (
        (partial, "in some arms but not in all, so neither shared nor specific to one"),
        (undecided & ~not_stable & ~partial, "undecided between shared and specific"),
        (undecided & not_stable, "undecided, because {its} reliability is open"),
        (
            ~table["label"].isin(QUIET) & dominated,
            "undecided, because one participant holds too much of {its} variance",
        ),
        (
            (table["label"] == NOT_NAMEABLE) & ~dominated,
            "not nameable (state or motion; no signature)",
        ),
        (
            table["label"] == MISSING,
            "without a verdict, because the chains disagree or there are too few draws",
        ),
    )
    said = []
    for chosen, words in reasons:
        names = [str(f) for f in table.loc[chosen, "factor"]]
        if names:
            words = words.format(its="its" if len(names) == 1 else "their")
            said.append(f"{_count(len(names))} {_be(len(names))} {words}: {', '.join(names)}.")
    return said


def say_detectable(limits: pd.DataFrame | None, min_explained: float) -> str:
    """Say which factors the search would have found in this cohort.

    Parameters
    ----------
    limits : DataFrame, optional
        From `smallest_trait`; None where they are not known.
    min_explained : float
        Smallest share of variance of a factor that counts as active.

    Returns
    -------
    str
        Sentences for the report; empty without limits.
    """
    if limits is None:
        return ""
    limits = limits.assign(explained=np.maximum(limits["explained"], min_explained))
    shares = {
        (str(r["pattern"]), str(r["factor"])): float(r["explained"]) for _, r in limits.iterrows()
    }
    arms = [f for (p, f) in shares if p == SMOOTH and f != "shared"]
    smooth, single = (
        ", ".join(
            [
                f"{shares[pattern, 'shared']:.1%} if shared",
                *(f"{shares[pattern, a]:.1%} of {a.removesuffix('-specific')}" for a in arms),
            ]
        )
        for pattern in (SMOOTH, EDGE_WISE)
    )
    specific = " (a specific factor: of the variance of its arm)" if arms else ""
    return (
        "Smallest detectable trait: a factor would have been found in half of such cohorts if it "
        f"explained this share of the variance of the edges{specific}: a smooth pattern "
        f"{smooth}; a pattern of single edges {single}. A weaker trait is usually "
        "missed: a factor that was not found is not shown to be absent."
    )


def _say_active(active: int, offered: int) -> str:
    patterns = "pattern" if active == 1 else "patterns"
    return (
        f"The data support {_count(active).lower()} {patterns} (of at most {offered} considered)."
    )


def _say_shared(table: pd.DataFrame) -> str:
    rows = table[table["label"] == "shared"]
    if rows.empty:
        return ""
    listed = ", ".join(
        f"{r['factor']} ({_probability(r, r['p_shared'])})" for _, r in rows.iterrows()
    )
    return f"{_count(len(rows))} {_be(len(rows))} shared by all arms: {listed}."


def _say_specific(table: pd.DataFrame) -> str:
    columns = [str(c) for c in table.columns if str(c).startswith("p_specific_")]
    rows = table[table["label"].str.endswith("-specific")]
    if len(columns) < 2:
        return "The fit has one arm, so sharing is not assessed."
    if not rows.empty:
        parts = []
        for _, row in rows.iterrows():
            arm = str(row["label"]).removesuffix("-specific")
            how = _probability(row, row[f"p_specific_{arm}"])
            parts.append(f"{row['factor']} to {arm} ({how})")
        n = len(parts)
        return f"{_count(n)} {_be(n)} claimed as specific to an arm: {', '.join(parts)}."
    active = table[~table["label"].isin(QUIET)]
    said = "No factor is claimed as specific to an arm."
    if active.empty:
        return said
    chances = active[columns].to_numpy(dtype=float)
    at, column = np.unravel_index(int(np.nanargmax(chances)), chances.shape)
    arm = columns[int(column)].removeprefix("p_specific_")
    return (
        f"{said} The largest probability of any active factor is P "
        f"{format_probability(chances.max())} ({active['factor'].iloc[int(at)]} to {arm})."
    )


def _say_links(table: pd.DataFrame, links: pd.DataFrame, ci_prob: float) -> str:
    used = links["factor"].isin(table.loc[~table["label"].isin(QUIET), "factor"])
    clear = links[used & ((links["lower"] > 0) | (links["upper"] < 0))]
    if clear.empty:
        return f"No symptom link of an active factor has a {ci_prob:.0%} interval that excludes 0."
    withheld = {*further_factors(table)}
    listed = ", ".join(
        f"{r['factor']}{' (not stable)' if r['factor'] in withheld else ''} with {r['symptom']} "
        f"{format_interval(r)}" + (" log-odds" if r["kind"] == "ordinal" else "")
        for _, r in clear.iterrows()
    )
    return f"Symptom links whose {ci_prob:.0%} interval excludes 0: {listed}."


def format_interval(row: pd.Series[Any]) -> str:
    """Write a mean with its interval.

    Parameters
    ----------
    row : pandas.Series
        With ``mean``, ``lower`` and ``upper``.

    Returns
    -------
    str
        For example ``"0.60 [0.41, 0.79]"``.
    """
    mean, low, high = (f"{float(row[k]):.2f}" for k in ("mean", "lower", "upper"))
    return f"{mean} [{low}, {high}]".replace("-0.00", "0.00")


def _probability(row: pd.Series[Any], value: float) -> str:
    fixed = "fixed by the spec" in str(row["verdict"])
    return "fixed by the spec" if fixed else f"P {format_probability(float(value))}"


def _count(n: int) -> str:
    words = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")
    return words[n] if n < len(words) else str(n)


def _be(n: int) -> str:
    return "is" if n == 1 else "are"


def list_limits(result: Result, cohort: CohortFacts, *, symptoms: bool) -> list[str]:
    """List what the numbers of this fit do not mean.

    Parameters
    ----------
    result : Result
        A fit.
    cohort : CohortFacts
        See `describe_cohort`.
    symptoms : bool
        Whether the fit had symptoms.

    Returns
    -------
    list of str
        One or two sentences per limit.
    """
    estimand = result.estimand
    smallest = min(cohort.by_arm, key=lambda a: cohort.by_arm[a])
    total = sum(cohort.by_arm.values())
    meaning = (
        f"The estimand is {estimand}: how strongly a factor is present in each arm at one time "
        "point. A difference between arms is not an effect of a drug and does not predict who "
        "will respond to it."
    )
    if estimand == "change":
        meaning = (
            "The estimand is change: patterns of follow-up minus baseline in participants "
            "with both. "
            "Without randomised arms and a group without the drug, regression to the mean, time "
            "and drop-out also produce change; a pattern in both arms need not be caused by a drug."
        )
    limits = [
        meaning,
        "Randomised arms differ at baseline by chance alone, so a factor claimed as specific to an "
        "arm should be doubted. Arms that were not randomised may differ for the reasons for "
        "which the drugs were chosen.",
        f"The fit is based on {total} participants ({cohort.by_arm[smallest]} in {smallest}). A "
        "factor that is not claimed may still exist, and intervals are valid only if the model is.",
        "Reliability concerns the factor, not the score of one participant, and is necessary but "
        "not sufficient for a signature: no analysis of a single scan excludes a state that lasts "
        "for the whole scan.",
        "The sign of a factor is arbitrary: signs of loadings, scores and symptom weights have a "
        "meaning only relative to each other.",
        "A factor of one arm whose map is a mixture of the maps of shared factors can be missed.",
    ]
    if symptoms:
        limits.append(
            "Symptom links are associations at one time point, not effects, and are shrunk "
            "towards 0 together."
        )
    return limits
