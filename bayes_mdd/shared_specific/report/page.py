"""The report about a fit of the factor model."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

import numpy as np
import pandas as pd

from bayes_mdd.dims import CONTROL, MISSING
from bayes_mdd.results.checks import judge
from bayes_mdd.results.cohort_facts import (
    describe_cohort,
    list_provenance,
    list_roles,
    say_reference,
)
from bayes_mdd.results.covariates import describe_covariates
from bayes_mdd.results.figures.connectome import plot_connectome
from bayes_mdd.results.maps import gather_maps
from bayes_mdd.results.page import PageOptions, Picture, check_row, embed, render_page
from bayes_mdd.results.privacy import list_participants, withhold_content
from bayes_mdd.results.quality import gather_quality
from bayes_mdd.results.result import Result
from bayes_mdd.results.rules import QUIET, RULES, Rules
from bayes_mdd.results.text import format_probability
from bayes_mdd.results.used import used_factors
from bayes_mdd.shared_specific.checks.detectable import smallest_trait
from bayes_mdd.shared_specific.figures.blocks import plot_explained_blocks
from bayes_mdd.shared_specific.figures.factors import plot_explained, plot_sharing
from bayes_mdd.shared_specific.figures.symptoms import plot_symptom_links
from bayes_mdd.shared_specific.report.content import (
    format_interval,
    list_limits,
    say_detectable,
    summarise_findings,
)
from bayes_mdd.shared_specific.report.methods import describe_methods
from bayes_mdd.shared_specific.report.references import REFERENCES
from bayes_mdd.shared_specific.spec import spec_of
from bayes_mdd.shared_specific.tables.arms import explained_by_arm
from bayes_mdd.shared_specific.tables.links import summarise_symptom_links
from bayes_mdd.shared_specific.tables.stability import (
    further_factors,
    is_reliability_known,
    leading_factors,
    tabulate_reliability,
)

TITLE = "Shared and arm-specific factors"
TEMPLATE = "template.html.j2"
#: Sources of reliability as the report names them.
SOURCE_NAMES = {
    "halves": "halves of the scan",
    "pieces": "pieces of the scan",
    "sessions": "two sessions (ICC)",
}


def build_page(
    result: Result, checks: pd.DataFrame, table: pd.DataFrame, options: PageOptions
) -> str:
    """Write the report about a fit of the factor model.

    Parameters
    ----------
    result : Result
        A fit.
    checks, table : DataFrame
        What `diagnose` and `classify_factors` returned.
    options : PageOptions
        Heading, quality of the features, number of edges.

    Returns
    -------
    str
        HTML.
    """
    content = _gather(result, checks, table, options)
    if not options.with_participants:
        content = withhold_content(content, list_participants(result, options.quality))
    return render_page("bayes_mdd.shared_specific.report", TEMPLATE, content)


def _gather(
    result: Result, checks: pd.DataFrame, table: pd.DataFrame, options: PageOptions
) -> dict[str, Any]:
    """Everything the template shows."""
    rules = asdict(RULES) | dict(table.attrs.get("rules", {}))
    ci_prob = float(rules["ci_prob"])
    linked = result.holds("posterior", "symptom_weight")
    by_arm = result.holds("posterior", "symptom_weight_by_arm")
    used = used_factors(table)
    quality = gather_quality(result, options.quality)
    of_data = [c["name"] for c in quality["checks"]] if quality else []
    considered = spec_of(result).n_factors
    links = summarise_symptom_links(result, ci_prob=ci_prob, factors=table) if linked else None
    contrasts = (
        summarise_symptom_links(result, ci_prob=ci_prob, by="difference", factors=table)
        if by_arm
        else None
    )
    cohort = describe_cohort(result)
    counts = cohort.counts
    arms = list(cohort.by_arm)
    return {
        "title": options.title or TITLE,
        "cohort": cohort,
        "counts": [(str(i), *row) for i, row in zip(counts.index, counts.to_numpy(), strict=True)],
        # Checks of the data stand in the section on the quality of the features.
        "checks": [check_row(r) for _, r in checks.iterrows() if r["name"] not in of_data],
        "failed": not judge(checks).passed,
        "findings": [
            *say_reference(result),
            *summarise_findings(table, checks, links, ci_prob, considered, of_data),
        ],
        "roles": list_roles(result),
        "covariates": describe_covariates(result).to_dict("records"),
        "arms": arms,
        "partial": "p_partial" in table,
        "factors": [_factor_row(row, arms) for _, row in used.iterrows()],
        "unused": considered - len(used),
        "with_participants": options.with_participants,
        "reliable": is_reliability_known(table),
        "reliability": _reliability_rows(result, table),
        "detectable": say_detectable(smallest_trait(result), rules["min_explained"]),
        "totals": _total_rows(result, ci_prob),
        "ci": f"{ci_prob:.0%}",
        "means": bool((used["mean_label"] != MISSING).any()),
        "mean_against": f"against the {'controls' if CONTROL in arms else 'average of the arms'}",
        "mean_rope": rules["mean_rope"],
        "reliability_above": rules["reliability_above"],
        "leverage_limit": f"{rules['leverage']:.0%}",
        **_cards(result, table, arms, top_edges=options.top_edges),
        "pictures": _draw(result, table, linked=linked),
        "links": [] if links is None else _link_rows(links, table),
        "contrasts": [] if contrasts is None else _link_rows(contrasts, table),
        "linked": linked,
        "methods": describe_methods(result, cohort, table),
        "references": [r.text for r in REFERENCES],
        "limits": list_limits(result, cohort, symptoms=linked),
        "estimand": result.estimand,
        "provenance": list_provenance(result, with_participants=options.with_participants),
        "quality": quality,
    }


def _cards(
    result: Result, table: pd.DataFrame, arms: list[str], *, top_edges: int
) -> dict[str, list[dict[str, Any]]]:
    """Stable factors with their maps, and the other active ones."""
    sig = gather_maps(result, table)
    rows = {str(row["factor"]): row for _, row in table.iterrows()}

    def card(name: str) -> dict[str, Any]:
        figure = plot_connectome(sig, name, top=top_edges)
        picture = embed(figure, name, f"strongest loadings of factor {name} in the brain")
        return _factor_row(rows[name], arms) | {"map": picture}

    return {
        "leading": [card(name) for name in leading_factors(table)],
        "further": [card(name) for name in further_factors(table)],
    }


def _draw(result: Result, table: pd.DataFrame, *, linked: bool) -> dict[str, list[Picture]]:
    """All figures but maps, by the section they belong to."""
    if used_factors(table).empty:
        return {"sharing": [], "blocks": [], "links": []}
    several = sum(str(c).startswith("p_specific_") for c in table.columns) > 1
    shown = [*leading_factors(table), *further_factors(table)]
    sharing = []
    if several:
        below = table.attrs.get("rules", {}).get("specific_below", RULES.specific_below)
        figure = plot_sharing(result, factors=table, specific_below=below)
        sharing.append(embed(figure, "Sharing", "share of each factor's variance in each arm"))
    figure = plot_explained(result, factors=table)
    sharing.append(embed(figure, "Variance explained", "variance explained by factor and arm"))
    blocks = [
        embed(
            plot_explained_blocks(result, table, factors=shown or None),
            "Blocks",
            "variance explained within each pair of networks, by factor",
        )
    ]
    links = []
    if linked:
        figure = plot_symptom_links(result, factors=table)
        links.append(embed(figure, "Symptom links", "weight of each factor in each symptom"))
    if result.holds("posterior", "symptom_weight_by_arm"):
        figure = plot_symptom_links(result, factors=table, by_arm=True)
        links.append(embed(figure, "Symptom links by arm", "weight of each factor within arms"))
    return {"sharing": sharing, "blocks": blocks, "links": links}


def _reliability_rows(result: Result, table: pd.DataFrame) -> list[dict[str, Any]]:
    """Reliability of the active factors, by source."""
    known = {f.name for f in fields(Rules)}
    given = {k: v for k, v in table.attrs.get("rules", {}).items() if k in known}
    found = tabulate_reliability(result, Rules(**given))
    by_factor = table.set_index("factor")
    return [
        {
            "factor": r["factor"],
            "source": SOURCE_NAMES[str(r["source"])],
            "value": f"{r['reliability']:.2f} [{r['reliability_lower']:.2f}, "
            f"{r['reliability_upper']:.2f}]",
            "p": _chance(r["p_reliable"]),
            "stability": r["stability"],
            "decides": "yes" if r["decides"] else "no",
            "leverage": f"{by_factor.loc[r['factor'], 'leverage']:.0%}",
        }
        for _, r in found.iterrows()
        if by_factor.loc[r["factor"], "label"] not in QUIET
    ]


def _factor_row(row: pd.Series[Any], arms: list[str]) -> dict[str, Any]:
    chances = [row["p_shared"], *(row[f"p_specific_{a}"] for a in arms)]
    if "p_partial" in row:
        chances.append(row["p_partial"])
    return {
        "factor": row["factor"],
        "label": row["label"],
        "quiet": row["label"] in QUIET,
        "stability": MISSING if row["label"] in QUIET else row["stability"],
        "chances": [_chance(p) for p in chances],
        "explained": [
            f"{row[f'explained_{a}']:.1%} [{row[f'explained_{a}_lower']:.1%}, "
            f"{row[f'explained_{a}_upper']:.1%}]"
            for a in arms
        ],
        "means": [_mean(row, a) for a in arms],
        "p_mean": _chance(row["p_mean_differs"]),
        "mean_label": row["mean_label"],
        "networks": row["networks"],
        "reproducible": "yes" if row["reproducible"] else "no",
        "verdict": row["verdict"],
    }


def _total_rows(result: Result, ci_prob: float) -> list[dict[str, str]]:
    totals = explained_by_arm(result, ci_prob=ci_prob)
    return [
        {
            "arm": str(row["arm"]),
            "explained": f"{row['explained']:.1%} [{row['explained_lower']:.1%}, "
            f"{row['explained_upper']:.1%}]",
            "p_most": _chance(row["p_most"]),
        }
        for _, row in totals.iterrows()
    ]


def _mean(row: pd.Series[Any], arm: str) -> str:
    middle, low, high = (float(row[f"mean_{arm}{end}"]) for end in ("", "_lower", "_upper"))
    return f"{middle:+.2f} [{low:+.2f}, {high:+.2f}]" if np.isfinite(middle) else MISSING


def _link_rows(links: pd.DataFrame, table: pd.DataFrame) -> list[dict[str, Any]]:
    labels = table.set_index("factor")["label"]
    return [
        {
            "factor": r["factor"],
            "quiet": labels[r["factor"]] in QUIET,
            "symptom": str(r["symptom"]),
            "arm": str(r.get("arm", "")),
            "unit": "log-odds" if r["kind"] == "ordinal" else "SD",
            "weight": format_interval(r),
            "p_positive": _chance(r["p_positive"]),
        }
        for _, r in links.iterrows()
    ]


def _chance(value: float) -> str:
    if not np.isfinite(value):
        return MISSING
    return format_probability(float(value)).removeprefix("= ")
