"""The section of a report about the literature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import xarray as xr

from bayes_mdd.dims import ARM
from bayes_mdd.errors import DataContractError
from bayes_mdd.evidence.concordance import TOO_FEW, EvidenceConcordance, evidence_concordance
from bayes_mdd.evidence.contradictions import evidence_contradictions
from bayes_mdd.evidence.slopes import POOLED
from bayes_mdd.evidence.tables import MODERATION, PROGNOSIS, read_evidence
from bayes_mdd.evidence.words import class_of
from bayes_mdd.results.page import render_page

TEMPLATE = "section.html.j2"


def literature_section(fit: xr.DataTree | None, response: xr.DataTree) -> str:
    """Write what the literature says about the drugs of a trial, and whether its maps agree.

    Parameters
    ----------
    fit : DataTree or None
        The fit of factors; None where the scores do not come from one.
    response : DataTree
        From `fit_response`.

    Returns
    -------
    str
        A section of HTML for `bayes_mdd.results.page`, with numbers of findings and without
        anything about participants.
    """
    findings = read_evidence()
    arms = [str(a) for a in response["posterior"].to_dataset()[ARM].values]
    classes = list(dict.fromkeys(c for a in arms if (c := class_of(a))))
    own = findings[findings["drug_class"].isin((*classes, *POOLED))]
    found, why = _compare(fit, response)
    content = {
        "counts": _say_counts(own, classes),
        "moderation": _say_moderation(findings),
        "concordance": found.sentence if found else why,
        "rows": _rows(found),
        "contradictions": _pairs(own),
        "n_findings": len(findings),
        "n_references": findings["ref"].nunique(),
    }
    return render_page("bayes_mdd.evidence", TEMPLATE, content)


def _compare(
    fit: xr.DataTree | None, response: xr.DataTree
) -> tuple[EvidenceConcordance | None, str]:
    """Compare the maps with the findings, or say why that is not possible."""
    if fit is None:
        return None, "The scores come from no fit with maps, so no finding is compared with them."
    try:
        return evidence_concordance(fit, response), ""
    except DataContractError as error:
        return None, f"No finding is compared with the maps: {error.problems[0]}"


def _say_counts(findings: pd.DataFrame, classes: Sequence[str]) -> str:
    prognosis = findings[findings["estimand"] == PROGNOSIS]
    parts = []
    for name in classes or ["SSRI", "SNRI"]:
        rows = prognosis[prognosis["drug_class"] == name]
        parts.append(f"{len(rows)} on {name} ({rows['ref'].nunique()} references)")
    signed = int(prognosis["direction"].isin(("+", "-")).sum())
    return (
        "Findings that a scan before treatment goes with the outcome: "
        f"{', '.join(parts)}; {signed} of {len(prognosis)}, with those on both or on unnamed "
        "classes, state a sign. They concern prognosis on one drug class, which is no reason to "
        "choose between drugs."
    )


def _say_moderation(findings: pd.DataFrame) -> str:
    rows = findings[findings["estimand"] == MODERATION]
    if rows.empty:
        return "No finding compares drug classes within one study."
    cited = list(dict.fromkeys(rows["citation"]))
    places = ", ".join(dict.fromkeys(str(r).replace("_", " ") for r in rows["region_a"] if r))
    return (
        f"Findings that compare drug classes within one study (moderation): {len(rows)}, of "
        f"{len(cited)} reference{'' if len(cited) == 1 else 's'} ({', '.join(cited)}; {places})."
    )


def _rows(found: EvidenceConcordance | None) -> list[dict[str, Any]]:
    if found is None or (found.table["verdict"] == TOO_FEW).all():
        return []
    return [
        {
            "factor": row["name"],
            **{name: row[name] for name in ("n_findings", "n_studies", "verdict")},
            "agreement": f"{row['agreement']:.0%} [{row['agreement_lower']:.0%}, "
            f"{row['agreement_upper']:.0%}]",
            "expected": f"{row['expected']:.0%}",
            "p": f"{row['p_chance']:.3f}",
        }
        for _, row in found.table.iterrows()
    ]


def _pairs(findings: pd.DataFrame) -> list[dict[str, str]]:
    pairs = evidence_contradictions(findings[findings["estimand"] == PROGNOSIS])
    return [
        {
            "place": str(row["place"]).replace("_", " ").replace("--", " and "),
            "drug_class": str(row["drug_class_positive"]),
            "feature": str(row["feature_positive"]).replace("_", " "),
            **{
                sign: f"{row[f'citation_{sign}']}, "
                + ("n not stated" if pd.isna(row[f"n_{sign}"]) else f"n = {row[f'n_{sign}']}")
                for sign in ("positive", "negative")
            },
        }
        for _, row in pairs[pairs["same_measure"]].iterrows()
    ]
