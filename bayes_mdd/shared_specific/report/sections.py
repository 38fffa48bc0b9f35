"""What the sections of the report show."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import CONTROL, MISSING
from bayes_mdd.features.network_names import spell_networks
from bayes_mdd.results.cohort_facts import CohortFacts
from bayes_mdd.results.covariates import describe_covariates
from bayes_mdd.results.names import read_names
from bayes_mdd.results.page import PageOptions, Table
from bayes_mdd.results.participant_flow import count_stages
from bayes_mdd.results.participant_tables import (
    NO_RECORD,
    read_or_describe_sample,
    tabulate_sample,
)
from bayes_mdd.results.result import Result
from bayes_mdd.results.study import Study
from bayes_mdd.results.used import used_factors
from bayes_mdd.shared_specific.report.cards import make_cards
from bayes_mdd.shared_specific.report.factor_tables import (
    tabulate_factors,
    tabulate_means,
    tabulate_reliabilities,
    tabulate_totals,
)
from bayes_mdd.shared_specific.report.methods import describe_methods
from bayes_mdd.shared_specific.report.pictures import draw_pictures
from bayes_mdd.shared_specific.report.references import list_cited, write_methods
from bayes_mdd.shared_specific.report.symptom_section import Links
from bayes_mdd.shared_specific.report.table_rules import read_rules
from bayes_mdd.shared_specific.spec import spec_of
from bayes_mdd.shared_specific.tables.stability import (
    further_factors,
    is_reliability_known,
    leading_factors,
)


def gather_participants(
    result: Result, cohort: CohortFacts, options: PageOptions
) -> dict[str, Any]:
    """Gather flow, Table 1, covariates, and names where they are asked for.

    Parameters
    ----------
    result : Result
        A fit.
    cohort : CohortFacts
        Who was in the fit.
    options : PageOptions
        What a caller chooses.

    Returns
    -------
    dict
        Values of the template.
    """
    sample, recorded = read_or_describe_sample(result)
    controls = sum(
        int(r.get("participants", 0))
        for r in result.provenance.get("roles") or []
        if r.get("role") == "control"
    )
    table_one = tabulate_sample(
        sample, cohort.by_arm, n_controls=controls, note="" if recorded else NO_RECORD
    )
    covariates = describe_covariates(result)
    # Ends of ranges are values of single participants; Table 1 describes the others.
    hidden = (covariates["enters_as"] == "slope") & (not options.with_participants)
    covariates["values"] = covariates["values"].mask(hidden, "see Table 1")
    heads = ("covariate", "used in", "enters as", "values")
    return {
        "stages": count_stages(result, cohort),
        "table_one": table_one if table_one.rows else None,
        "no_table_one": NO_RECORD,
        "covariates": Table(
            "covariates",
            "Covariates, and their values among the participants in the fit",
            heads,
            [[str(v) for v in row] for row in covariates.to_numpy(dtype=object)],
            stack=True,
        )
        if len(covariates)
        else None,
        "left_out": [
            (reason, len(who), who if options.with_participants else [])
            for reason, who in cohort.left_out
        ],
        "n_left_out": cohort.n_left_out,
    }


def gather_factors(
    result: Result,
    table: pd.DataFrame,
    sig: xr.Dataset,
    links: Links,
    options: PageOptions,
    cohort: CohortFacts,
) -> dict[str, Any]:
    """Gather tables of all factors, cards and figures.

    Parameters
    ----------
    result : Result
        A fit.
    table : pandas.DataFrame
        What `classify_factors` returned.
    sig : xarray.Dataset
        What `gather_maps` returned.
    links : Links
        Symptom links.
    options : PageOptions
        What a caller chooses.
    cohort : CohortFacts
        Who was in the fit.

    Returns
    -------
    dict
        Values of the template.
    """
    rules, arms = read_rules(table), list(cohort.by_arm)
    used = used_factors(table)
    chosen = {"stable": leading_factors(table), "further": further_factors(table)}
    cards = {
        group: make_cards(
            result,
            table,
            sig,
            factors,
            links=links.weights,
            top_edges=options.top_edges,
            ci_prob=rules.ci_prob,
        )
        for group, factors in chosen.items()
    }
    quiet = [
        (name, str(verdict))
        for name, factor, verdict in zip(
            read_names(used), used["factor"].astype(str), used["verdict"], strict=True
        )
        if factor not in {*chosen["stable"], *chosen["further"]}
    ]
    means = bool((used["mean_label"] != MISSING).any())
    return {
        "reliable": is_reliability_known(table),
        "cards": cards["stable"],
        "further": cards["further"],
        "quiet": quiet,
        "factors": tabulate_factors(used, arms, rules.ci_prob) if len(used) else None,
        "unused": spec_of(result).n_factors - len(used),
        "reliability": tabulate_reliabilities(result, table, rules),
        "totals": tabulate_totals(result, rules.ci_prob) if len(arms) > 1 else None,
        "means": tabulate_means(
            used,
            arms,
            rules,
            f"against the {'controls' if CONTROL in arms else 'average of the arms'}",
        )
        if means
        else None,
        "pictures": draw_pictures(result, table, factors=[*chosen["stable"], *chosen["further"]]),
    }


def gather_methods(result: Result, cohort: CohortFacts, table: pd.DataFrame) -> dict[str, Any]:
    """Gather the methods paragraph in its formats, and what it cites.

    Parameters
    ----------
    result : Result
        A fit.
    cohort : CohortFacts
        Who was in the fit.
    table : pandas.DataFrame
        What `classify_factors` returned.

    Returns
    -------
    dict
        Values of the template.
    """
    said = describe_methods(result, cohort, table)
    cited = list_cited(said)
    return {
        "methods": write_methods(said),
        "methods_markdown": write_methods(said, "markdown"),
        "methods_latex": write_methods(said, "latex"),
        "references": cited,
        "bibtex": "\n\n".join(r.bibtex for r in cited),
    }


def gather_networks(result: Result, study: Study) -> Table | None:
    """Spell out the networks of the page.

    Parameters
    ----------
    result : Result
        A fit.
    study : Study
        Names of networks that the cohort gives.

    Returns
    -------
    Table or None
        None where features have no networks.
    """
    coords = result.loadings.coords
    found = [
        np.unique(coords[name].values.astype(str))
        for name in ("network_a", "network_b", "network", "region_network")
        if name in coords
    ]
    if not found:
        return None
    spelled = spell_networks(np.concatenate(found).tolist(), study.networks)
    rows = [[code, name or "not known: as the cohort spells it"] for code, name in spelled]
    note = "A block A-B holds the edges between networks A and B; A-A those within A."
    return Table("networks", "Networks on this page", ("code", "network"), rows, note)
