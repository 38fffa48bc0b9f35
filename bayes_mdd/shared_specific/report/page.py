"""The report about a fit of the factor model."""

from __future__ import annotations

from typing import Any

import pandas as pd
import xarray as xr
from markupsafe import Markup

from bayes_mdd.results.checks import say_verdict
from bayes_mdd.results.cohort_facts import describe_cohort, list_warnings, say_reference
from bayes_mdd.results.interactive.fragment import interactive_connectome
from bayes_mdd.results.maps import gather_maps
from bayes_mdd.results.page import PageOptions, Table, check_row, render_page
from bayes_mdd.results.privacy import list_participants, withhold_content
from bayes_mdd.results.provenance_rows import list_internal_facts, list_main_facts
from bayes_mdd.results.quality import gather_quality
from bayes_mdd.results.regions import is_edges
from bayes_mdd.results.result import Result
from bayes_mdd.results.study import read_study_facts
from bayes_mdd.results.used import used_factors
from bayes_mdd.shared_specific.checks.detectable import smallest_trait
from bayes_mdd.shared_specific.report.content import (
    list_limits,
    say_detectable,
    summarise_findings,
)
from bayes_mdd.shared_specific.report.key_checks import choose_key_checks
from bayes_mdd.shared_specific.report.opening import write_opening
from bayes_mdd.shared_specific.report.sections import (
    gather_factors,
    gather_methods,
    gather_networks,
    gather_participants,
)
from bayes_mdd.shared_specific.report.sensitivity import gather_analyses
from bayes_mdd.shared_specific.report.symptom_section import gather_symptoms, read_links
from bayes_mdd.shared_specific.report.table_rules import read_rules
from bayes_mdd.shared_specific.spec import spec_of

TITLE = "Shared and arm-specific patterns"
TEMPLATE = "template.html.j2"


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
        Heading, quality of the features, number of edges, additional analyses.

    Returns
    -------
    str
        HTML.
    """
    sig = gather_maps(result, table)
    content = _gather(result, checks, table, sig, options)
    if not options.with_participants:
        content = withhold_content(content, list_participants(result, options.quality))
    # Its texts are names of factors and regions; looking for participants in it takes long.
    shown = not used_factors(table).empty
    content["viewer"] = Markup(interactive_connectome(sig)) if shown else ""
    return render_page("bayes_mdd.shared_specific.report", TEMPLATE, content)


def _gather(
    result: Result,
    checks: pd.DataFrame,
    table: pd.DataFrame,
    sig: xr.Dataset,
    options: PageOptions,
) -> dict[str, Any]:
    """Everything the template shows but the viewer."""
    rules = read_rules(table)
    study, cohort = read_study_facts(result), describe_cohort(result)
    quality = gather_quality(result, options.quality, points=options.with_participants)
    of_data = [c["name"] for c in quality["checks"]] if quality else []
    links = read_links(result, table, rules.ci_prob)
    considered = spec_of(result).n_factors
    limits = smallest_trait(result)
    key_checks, more_failed = choose_key_checks(checks, table, of_data)
    return {
        "title": options.title or TITLE,
        "study": study,
        "arms": list(cohort.by_arm),
        "n": sum(cohort.by_arm.values()),
        "approximate": result.approximate,
        "opening": write_opening(
            result,
            table,
            checks,
            study,
            data=of_data,
            links=links.weights,
            n_considered=considered,
            limits=limits,
            min_explained=rules.min_explained,
        ),
        "verdict": say_verdict(checks, of_data),
        "key_checks": key_checks,
        "more_failed": more_failed,
        "reference": say_reference(result),
        "findings": summarise_findings(
            table, checks, links.weights, rules.ci_prob, considered, of_data
        ),
        "detectable": say_detectable(limits, rules.min_explained),
        # Checks of the data stand in a table of their own.
        "checks": [check_row(r) for _, r in checks.iterrows() if r["name"] not in of_data],
        "warnings": list_warnings(result),
        "quality": quality,
        "with_participants": options.with_participants,
        **gather_participants(result, cohort, options),
        **gather_factors(result, table, sig, links, options, cohort),
        **gather_symptoms(result, table, links, f"{rules.ci_prob:.0%}"),
        "analyses": gather_analyses(options.analyses, checks),
        **gather_methods(result, cohort, table),
        "limits": list_limits(result, cohort, symptoms=links.weights is not None),
        "networks": gather_networks(result, study),
        "provenance": list_main_facts(result),
        "internal": Table(
            "internal",
            "All recorded settings",
            ("key", "value"),
            list_internal_facts(result, with_participants=options.with_participants),
        ),
        "what": "connections" if is_edges(result.loadings) else "features",
    }
