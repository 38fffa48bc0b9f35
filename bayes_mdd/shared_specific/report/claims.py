"""Sentences of the first screen about patterns and whose they are."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayes_mdd.dims import CONTROL, MISSING
from bayes_mdd.results.regions import is_edges
from bayes_mdd.results.result import Result
from bayes_mdd.results.rules import NOT_NAMEABLE, PRESENT, QUIET, UNDECIDED
from bayes_mdd.results.study import Study
from bayes_mdd.results.text import format_probability
from bayes_mdd.shared_specific.report.words import count, join, number
from bayes_mdd.shared_specific.tables.factors import is_partial
from bayes_mdd.shared_specific.tables.stability import further_factors, is_dominated


def list_claimed(table: pd.DataFrame) -> pd.DataFrame:
    """Choose the factors about which something is said.

    Parameters
    ----------
    table : pandas.DataFrame
        What `classify_factors` returned.

    Returns
    -------
    pandas.DataFrame
        Its rows without unused factors and those on which the chains disagree.
    """
    return table[~table["label"].isin(QUIET)]


def _noun(result: Result, n: int) -> str:
    pattern = "pattern" if n == 1 else "patterns"
    return f"{pattern} of brain connectivity" if is_edges(result.loadings) else f"brain {pattern}"


def write_headline(result: Result, table: pd.DataFrame) -> str:
    """Write the patterns and whose they are in one line.

    Parameters
    ----------
    result : Result
        A fit.
    table : pandas.DataFrame
        What `classify_factors` returned.

    Returns
    -------
    str
        Without a full stop.
    """
    shown = list_claimed(table)
    if shown.empty:
        return f"No {_noun(result, 1)} is supported by these data"
    parts = []
    for label, n in _count_labels(shown):
        words = {
            "shared": "shared by all arms",
            UNDECIDED: "undecided",
            NOT_NAMEABLE: "not nameable (state or motion)",
        }
        parts.append((n, words.get(label, f"specific to {label.removesuffix('-specific')}")))
    total = f"{count(len(shown))} {_noun(result, len(shown))}"
    if shown["verdict"].astype(str).str.contains("fixed by the spec").all():
        return f"{total}; which arm has them was fixed beforehand, not found"
    if set(shown["label"]) == {PRESENT}:
        return f"{total} in {result.arms[0]}"
    if len(parts) == 1:
        return f"{total}, {parts[0][1]}" if parts[0][0] == len(shown) else total
    return f"{total}: " + join(f"{number(n)} {what}" for n, what in parts)


def _count_labels(shown: pd.DataFrame) -> list[tuple[str, int]]:
    """Labels with their number: shared, specific, the others."""
    labels = shown["label"].value_counts(sort=False)
    order = {"shared": 0, UNDECIDED: 2, NOT_NAMEABLE: 3}
    names = sorted(map(str, labels.index), key=lambda k: (order.get(k, 1), k))
    return [(name, int(labels[name])) for name in names]


def say_claims(result: Result, table: pd.DataFrame, study: Study, n_considered: int) -> list[str]:
    """Say how many patterns there are, and whose they are.

    Parameters
    ----------
    result : Result
        A fit.
    table : pandas.DataFrame
        What `classify_factors` returned.
    study : Study
        Whether the data are simulated.
    n_considered : int
        Largest number of factors that the model could have.

    Returns
    -------
    list of str
        Sentences; every claim with its probability.
    """
    shown = list_claimed(table)
    people = "participants" if CONTROL in result.arms else "patients"
    said = []
    if result.approximate:
        said.append("This is a fast fit, so all numbers are approximate.")
    where = _say_people(result, study, people)
    feature = "brain connectivity" if is_edges(result.loadings) else "the measured brain features"
    if result.estimand == "change":
        feature = f"the change of {feature}"
    if shown.empty:
        said.append(
            f"{where}, the data support no pattern along which {people} differ in {feature} (at "
            f"most {n_considered} were considered). This does not show that there is none."
        )
    else:
        patterns = "pattern" if len(shown) == 1 else "patterns"
        said.append(
            f"{where}, the data support {number(len(shown))} {patterns} along which {people} "
            f"differ in {feature} (at most {n_considered} were considered)."
        )
    said += _say_labels(shown, people)
    lost = [str(f) for f in table.loc[(table["label"] == MISSING) & table["active"], "factor"]]
    if lost:
        said.append(
            f"About {join(lost)} nothing is said, because the chains disagree or there are too few "
            "draws."
        )
    return said


def _say_people(result: Result, study: Study, people: str) -> str:
    codes = result.constant["arm"].values
    arms = list(result.arms)
    names = [arms[int(c)] if np.issubdtype(codes.dtype, np.integer) else str(c) for c in codes]
    by_arm = {arm: names.count(arm) for arm in arms}
    total = sum(by_arm.values())
    listed = f" ({join(f'{n} {arm}' for arm, n in by_arm.items())})" if len(arms) > 1 else ""
    simulated = "simulated " if study.synthetic else ""
    return f"Among {total} {simulated}{people}{listed}"


def _say_labels(shown: pd.DataFrame, people: str) -> list[str]:
    """One sentence for each kind of pattern."""
    said: list[str] = []
    specific: list[str] = []
    for label, n in _count_labels(shown):
        rows = shown[shown["label"] == label]
        verb, them = ("is", "it") if n == 1 else ("are", "them")
        if label == "shared":
            said.append(
                f"{count(n)} {verb} shared ({_list_probabilities(rows, 'p_shared')}): {people} of "
                f"every arm differ along {them}."
            )
        elif label.endswith("-specific"):
            arm = label.removesuffix("-specific")
            listed = _list_probabilities(rows, f"p_specific_{arm}")
            words = "to" if specific else f"{verb} specific to"
            specific.append(f"{number(n)} {words} {arm} ({listed})")
    if specific:
        them = "it" if len(specific) == 1 and specific[0].startswith("one ") else "them"
        text = join(specific)
        text = f"{text[:1].upper()}{text[1:]}"
        said.append(f"{text}: {people} of other arms hardly differ along {them}.")
    return [*said, *_say_undecided(shown, people)]


def _say_undecided(shown: pd.DataFrame, people: str) -> list[str]:
    """Say why patterns have no name, by reason."""
    dominated = is_dominated(shown)
    undecided = (shown["label"] == UNDECIDED) & ~dominated
    unstable = shown["stability"] == "open"
    partial = undecided & ~unstable & is_partial(shown)
    reasons = (
        (
            partial,
            "{} {be} in some arms but not in all, so neither shared nor specific to one.",
        ),
        (undecided & ~unstable & ~partial, "{} {be} undecided between shared and specific."),
        (undecided & unstable, "{} {be} undecided, because {its} reliability is open."),
        (dominated, "{} {be} undecided, because one participant holds too much of {its} variance."),
        (
            (shown["label"] == NOT_NAMEABLE) & ~dominated,
            f"{{}} {{be}} as different within a scan, or between sessions, as between {people} "
            "(state or motion), and must not be named.",
        ),
    )
    said = []
    for chosen, words in reasons:
        names = [str(f) for f in shown.loc[chosen, "factor"]]
        be, its = ("is", "its") if len(names) == 1 else ("are", "their")
        said += [words.format(join(names), be=be, its=its)] if names else []
    return said


def _unbroken(text: str) -> str:
    """Keep a probability in one line."""
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def _list_probabilities(rows: pd.DataFrame, column: str) -> str:
    """Factors with the probability of their label, written once where all are alike."""
    factors = [str(f) for f in rows["factor"]]
    fixed = rows["verdict"].astype(str).str.contains("fixed by the spec")
    said = [
        "fixed by the analyst" if f else _unbroken(f"P {format_probability(float(p))}")
        for f, p in zip(fixed, rows[column], strict=True)
    ]
    if len(set(said)) == 1:
        each = "each " if len(factors) > 1 and not fixed.any() else ""
        return f"{join(factors)}; {each}{said[0]}"
    return "; ".join(f"{f}, {p}" for f, p in zip(factors, said, strict=True))


def say_links(table: pd.DataFrame, links: pd.DataFrame) -> str:
    """Say which symptoms go with which pattern.

    Parameters
    ----------
    table : pandas.DataFrame
        What `classify_factors` returned.
    links : pandas.DataFrame
        What `summarise_symptom_links` returned.

    Returns
    -------
    str
        A sentence.
    """
    used = links["factor"].isin(list_claimed(table)["factor"])
    clear = links[used & ((links["lower"] > 0) | (links["upper"] < 0))]
    if clear.empty:
        return "No pattern is clearly linked with a symptom."
    withheld = {*further_factors(table)}
    said = join(
        f"{r['factor']}{' (not stable)' if r['factor'] in withheld else ''} with {r['symptom']}"
        for _, r in clear.iterrows()
    )
    return f"Linked with symptoms: {said}."
