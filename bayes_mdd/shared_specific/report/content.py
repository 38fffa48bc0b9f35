"""What the report says of a fit, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import ARM, SITE, SUBJECT
from bayes_mdd.results.figures.style import QUIET
from bayes_mdd.results.reading import read_group, read_note
from bayes_mdd.shared_specific.tables.factors import say_probability


@dataclass(frozen=True, kw_only=True)
class CohortFacts:
    """Who was in the fit and who was not.

    Parameters
    ----------
    counts : pandas.DataFrame
        People by arm (rows) and site (columns, where sites are known) with totals.
    left_out : list of (str, list of str)
        Each reason with the people it applies to.
    n_left_out : int
        How many were left out, also where their names are not known.
    """

    counts: pd.DataFrame
    left_out: list[tuple[str, list[str]]]
    n_left_out: int

    @property
    def by_arm(self) -> dict[str, int]:
        """Number of people of each arm."""
        total = self.counts["people"].drop("all")
        return {str(arm): int(n) for arm, n in total.items()}

    @property
    def sites(self) -> list[str]:
        """Names of the sites; empty where they are not known."""
        return [str(c) for c in self.counts.columns if c != "people"]


def describe_cohort(idata: xr.DataTree) -> CohortFacts:
    """Count the people in the fit and list those who were left out.

    Parameters
    ----------
    idata : xarray.DataTree
        What `fit` returned.

    Returns
    -------
    CohortFacts
        Counts by arm and site, and who was left out why.

    Raises
    ------
    DataContractError
        If the fit does not say which arm its people belong to.
    """
    constant = read_group(idata, "constant_data")
    posterior = read_group(idata, "posterior", ["scores"])
    if ARM not in constant.variables:
        constant = read_group(idata, "constant_data", [ARM])
    arms = [str(a) for a in posterior[ARM].values]
    own = pd.Series(_arm_names(constant[ARM].values, arms), name=ARM)
    counts = pd.DataFrame(index=pd.Index([*arms, "all"], name=ARM))
    site = _find_sites(constant, posterior)
    if site is not None:
        table = pd.crosstab(own, site).reindex(arms, fill_value=0)
        table.loc["all"] = table.sum()
        counts = counts.join(table)
    people = own.value_counts().reindex(arms, fill_value=0)
    counts["people"] = [*people, people.sum()]
    note = read_note(idata, "provenance")
    excluded = note.get("excluded") or {}
    reasons: dict[str, list[str]] = {}
    if isinstance(excluded, Mapping):
        for subject, reason in excluded.items():
            reasons.setdefault(str(reason), []).append(str(subject))
    n = int(note.get("n_excluded") or sum(len(v) for v in reasons.values()))
    return CohortFacts(counts=counts, left_out=list(reasons.items()), n_left_out=n)


def _arm_names(values: Any, arms: list[str]) -> list[str]:
    """Names, where arms are stored as positions."""
    if np.issubdtype(np.asarray(values).dtype, np.integer):
        return [arms[int(v)] for v in values]
    return [str(v) for v in values]


def _find_sites(constant: xr.Dataset, posterior: xr.Dataset) -> pd.Series[Any] | None:
    for dataset in (constant, posterior):
        if SITE in dataset.variables and dataset[SITE].dims == (SUBJECT,):
            return pd.Series([str(s) for s in dataset[SITE].values], name=SITE)
    return None


def summarise_findings(
    table: pd.DataFrame, checks: pd.DataFrame, links: pd.DataFrame | None, ci_prob: float
) -> list[str]:
    """Say in plain words what was found, and what was not.

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

    Returns
    -------
    list of str
        Sentences; every claim carries its probability.
    """
    said = [_say_checks(checks)]
    if table.attrs.get("approximate"):
        said.insert(
            0,
            "This is a fast fit: every probability and interval on this page is approximate. Fit "
            "with MCMC before you rely on it.",
        )
    said.append(f"{_count(int(table['active'].sum()))} of {len(table)} factors offered are active.")
    said += [_say_shared(table), _say_specific(table)]
    for label, words in (
        ("undecided", "undecided between shared and specific"),
        ("n/a", "without a verdict, because the chains disagree or evidence is short"),
    ):
        open_ = [str(f) for f in table.loc[table["label"] == label, "factor"]]
        if open_:
            said.append(f"{_count(len(open_))} {_be(len(open_))} {words}: {', '.join(open_)}.")
    if links is not None:
        said.append(_say_links(table, links, ci_prob))
    return [s for s in said if s]


def judge_check(passed: Any) -> str:
    """Name the outcome of a check.

    Parameters
    ----------
    passed : bool or None
        As in the column ``passed`` of `diagnose`.

    Returns
    -------
    str
        "passed", "failed" or "not judged".

    Examples
    --------
    >>> judge_check(None)
    'not judged'
    """
    if passed is None or pd.isna(passed):
        return "not judged"
    return "passed" if passed else "failed"


def _say_checks(checks: pd.DataFrame) -> str:
    state = pd.Series([judge_check(p) for p in checks["passed"]], index=checks.index)
    failed = checks.loc[state == "failed", "name"].astype(str).tolist()
    if failed and all(name.startswith("predictive p: ") for name in failed):
        names = ", ".join(name.removeprefix("predictive p: ") for name in failed)
        return (
            f"The draws can be trusted, but the data break {_assumptions(len(failed))} of the "
            f"model ({names}): intervals and probabilities may be too sure. What to do stands "
            "beside the checks."
        )
    if failed:
        return (
            f"{len(failed)} of {len(checks)} checks failed ({', '.join(failed)}): do not rely on "
            "what follows before they are mended."
        )
    open_ = int((state == "not judged").sum())
    tail = f", {open_} could not be judged" if open_ else ""
    return f"No check failed: {len(checks) - open_} of {len(checks)} passed{tail}."


def _assumptions(n: int) -> str:
    return "an assumption" if n == 1 else f"{n} assumptions"


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
        return "There is one arm, so nothing is said of sharing."
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
        f"{say_probability(chances.max())} ({active['factor'].iloc[int(at)]} to {arm})."
    )


def _say_links(table: pd.DataFrame, links: pd.DataFrame, ci_prob: float) -> str:
    used = links["factor"].isin(table.loc[~table["label"].isin(QUIET), "factor"])
    clear = links[used & ((links["lower"] > 0) | (links["upper"] < 0))]
    if clear.empty:
        return f"No symptom link of an active factor has a {ci_prob:.0%} interval that excludes 0."
    listed = ", ".join(
        f"{r['factor']} with {r['symptom']} {say_interval(r)}"
        + (" log-odds" if r["kind"] == "ordinal" else "")
        for _, r in clear.iterrows()
    )
    return f"Symptom links whose {ci_prob:.0%} interval excludes 0: {listed}."


def say_interval(row: pd.Series[Any]) -> str:
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
    return "fixed by the spec" if fixed else f"P {say_probability(float(value))}"


def _count(n: int) -> str:
    words = ("None", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")
    return words[n] if n < len(words) else str(n)


def _be(n: int) -> str:
    return "is" if n == 1 else "are"


def list_limits(idata: xr.DataTree, cohort: CohortFacts, *, symptoms: bool) -> list[str]:
    """List what the numbers of this fit do not mean.

    Parameters
    ----------
    idata : xarray.DataTree
        What `fit` returned.
    cohort : CohortFacts
        See `describe_cohort`.
    symptoms : bool
        Whether the fit had symptoms.

    Returns
    -------
    list of str
        One sentence or two a limit.
    """
    estimand = str(idata.attrs.get("estimand", "expression"))
    smallest = min(cohort.by_arm, key=lambda a: cohort.by_arm[a])
    total = sum(cohort.by_arm.values())
    meaning = (
        f"The estimand is {estimand}: how strongly a factor is present in each arm at one time "
        "point. A difference between arms is not an effect of a drug and does not predict who "
        "will respond to it."
    )
    if estimand == "change":
        meaning = (
            "The estimand is change: patterns of follow-up minus baseline among people with both. "
            "Without randomised arms and a group without the drug, regression to the mean, time "
            "and drop-out change brains as well; a pattern in both arms need not be a drug's."
        )
    limits = [
        meaning,
        "Where arms were randomised, they differ at baseline by chance alone, and a factor "
        "claimed as specific to an arm should be doubted. Where people were given a drug by "
        "choice, arms may differ for the reasons of that choice.",
        f"The fit rests on {total} people ({cohort.by_arm[smallest]} in {smallest}). A factor that "
        "is not claimed may still exist, and intervals hold only if the model does.",
        "A factor and its mirror image are the same factor: signs of loadings, scores and "
        "symptom weights have a meaning only relative to each other.",
        "A factor of one arm whose map is a mixture of the maps of shared factors can be missed.",
    ]
    if symptoms:
        limits.append(
            "Symptom links are associations at one time point, not effects, and are shrunk "
            "towards 0 together."
        )
    return limits
