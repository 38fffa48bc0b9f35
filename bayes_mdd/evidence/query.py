"""Findings by drug, modality, place, outcome and estimand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import pandas as pd

from bayes_mdd.errors import SpecError
from bayes_mdd.evidence.tables import ESTIMANDS, read_region_names, require_findings
from bayes_mdd.evidence.words import match_value

#: Columns that each argument of a query searches.
SEARCHED: Final[Mapping[str, tuple[str, ...]]] = {
    "drug_class": ("drug_class",),
    "drug": ("drug",),
    "modality": ("modality",),
    "feature": ("feature",),
    "region": ("region_a", "region_b"),
    "network": ("network_a", "network_b"),
    "outcome": ("outcome",),
    "estimand": ("estimand",),
    "timing": ("timing",),
    "population": ("population",),
    "direction": ("direction",),
}
_HARVARD_OXFORD = "suggested_harvard_oxford_or_aseg_label"

type Words = str | Iterable[str] | None


def find_evidence(
    *,
    drug_class: Words = None,
    drug: Words = None,
    modality: Words = None,
    feature: Words = None,
    region: Words = None,
    network: Words = None,
    outcome: Words = None,
    estimand: Words = None,
    timing: Words = None,
    population: Words = None,
    direction: Words = None,
    findings: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Find findings of the literature.

    Parameters
    ----------
    drug_class : str or iterable of str, optional
        ``SSRI``, ``SNRI``, ``SSRI+SNRI`` (pooled by the study) or ``antidepressant`` (class not
        named). A class does not include studies that pooled it with another.
    drug : str or iterable of str, optional
        A drug, e.g. ``escitalopram``.
    modality : str or iterable of str, optional
        ``structural``, ``dti``, ``rs-fmri``, ``task-fmri`` or ``multimodal``.
    feature : str or iterable of str, optional
        What was measured, e.g. ``functional_connectivity``.
    region : str or iterable of str, optional
        A region at either end: its name in the table, its full name, or the label of the
        Harvard-Oxford or FreeSurfer atlas. ``acc`` is where the subdivision is not named; it does
        not include ``rostral_acc``.
    network : str or iterable of str, optional
        A network at either end, e.g. ``DMN`` or ``default mode``.
    outcome : str or iterable of str, optional
        E.g. ``remission``.
    estimand : str or iterable of str, optional
        ``prognosis`` (who gets better on a drug), ``moderation`` (who gets better on which drug),
        ``change``, ``symptom``, ``rate``, ``background`` or ``unclear``; see `read_evidence`.
    timing, population, direction : str or iterable of str, optional
        Values of these columns.
    findings : DataFrame, optional
        Findings to search. Default: `read_evidence`.

    Returns
    -------
    DataFrame
        The findings that meet all conditions (any of the values of each); empty if none does. A
        missing finding is no evidence of absence: the table rests on one narrative review.

    Raises
    ------
    SpecError
        If a value does not occur in the findings; all are listed, each with the nearest value that
        does.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> bm.find_evidence(drug_class="SNRI", network="default mode", estimand="prognosis")[
    ...     ["finding_id", "region_a", "network_a", "direction", "n"]
    ... ]
      finding_id              region_a network_a direction   n
    0      R35-2  orbitofrontal_cortex       DMN         -  32
    >>> bm.find_evidence(drug_class="SNRU")
    Traceback (most recent call last):
    ...
    bayes_mdd.errors.SpecError: drug_class 'SNRU' is not in the findings. Did you mean 'SNRI'? \
Known values: SSRI, antidepressant, SNRI, SSRI+SNRI.
    """
    table = require_findings(findings)
    asked = {
        "drug_class": drug_class, "drug": drug, "modality": modality, "feature": feature,
        "region": region, "network": network, "outcome": outcome, "estimand": estimand,
        "timing": timing, "population": population, "direction": direction,
    }  # fmt: skip
    chosen = pd.Series(True, index=table.index)
    problems: list[str] = []
    for name, words in asked.items():
        if words is None:
            continue
        values, found = _values(name, words, table)
        problems += found
        columns = table[list(SEARCHED[name])]
        chosen &= columns.isin(values).any(axis=1)
    if problems:
        raise SpecError(" ".join(problems))
    return table[chosen].reset_index(drop=True)


def allowed_values(name: str, findings: pd.DataFrame) -> list[str]:
    """List the values that an argument of a query can take.

    Parameters
    ----------
    name : str
        A key of `SEARCHED`.
    findings : DataFrame
        Findings.

    Returns
    -------
    list of str
        In order of appearance.
    """
    if name == "estimand":
        return list(ESTIMANDS)
    seen = [v for c in SEARCHED[name] for v in findings[c].unique() if v]
    return list(dict.fromkeys(map(str, seen)))


def _values(
    name: str, words: str | Iterable[str], findings: pd.DataFrame
) -> tuple[list[str], list[str]]:
    """Find allowed values of one condition, and problems."""
    listed = [words] if isinstance(words, str) else list(words)
    if not listed:
        return [], [f"{name} is an empty list: leave it out, or give a value."]
    allowed = allowed_values(name, findings)
    further = _region_spellings(allowed) if name == "region" else {}
    matched = [match_value(name, str(w), allowed, further) for w in listed]
    labels = [r for w in listed for r in _regions_of_label(w, allowed)] if name == "region" else []
    values = [v for v, _ in matched if v is not None] + labels
    problems = [
        p for w, (_, p) in zip(listed, matched, strict=True)
        if p and not (name == "region" and _regions_of_label(w, allowed))
    ]  # fmt: skip
    return values, problems


def _region_spellings(allowed: list[str]) -> dict[str, str]:
    names = read_region_names()["full_name"]
    short = {r: str(n).split("(", maxsplit=1)[0].strip() for r, n in names.items()}
    return {n: str(r) for r, n in short.items() if r in allowed} | {
        str(n): str(r) for r, n in names.items() if r in allowed
    }


def _regions_of_label(word: str, allowed: list[str]) -> list[str]:
    """Find the regions whose hint is a label of an atlas."""
    hints = read_region_names()[_HARVARD_OXFORD]
    return [
        str(region)
        for region, labels in hints.items()
        if region in allowed
        and str(word).strip().lower() in [p.strip().lower() for p in str(labels).split(";") if p]
    ]
