"""``bayes-mdd evidence``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from bayes_mdd.cli import evidence_job, messages, options


class Format(StrEnum):
    """How the result is printed."""

    TABLE = "table"
    TSV = "tsv"
    JSON = "json"


def _values(of: str, example: str) -> Any:
    return typer.Option(
        help=f"Only findings on this {of}, e.g. {example}; may be repeated.", show_default="all"
    )


def evidence(
    run: Annotated[
        Path | None,
        typer.Argument(
            metavar="[RUN]",
            help="Run folder: compare its maps with the findings (with the outcomes, if `response` "
            "wrote it). Without it, findings are listed.",
            show_default="none",
        ),
    ] = None,
    drug_class: Annotated[list[str] | None, _values("drug class", "SSRI")] = None,
    drug: Annotated[list[str] | None, _values("drug", "escitalopram")] = None,
    modality: Annotated[list[str] | None, _values("modality", "rs-fmri")] = None,
    feature: Annotated[list[str] | None, _values("measure", "functional_connectivity")] = None,
    region: Annotated[list[str] | None, _values("region", "hippocampus")] = None,
    network: Annotated[list[str] | None, _values("network", "DMN")] = None,
    outcome: Annotated[list[str] | None, _values("outcome", "remission")] = None,
    estimand: Annotated[list[str] | None, _values("estimand", "prognosis or moderation")] = None,
    timing: Annotated[list[str] | None, _values("time of the scan", "baseline")] = None,
    contradictions: Annotated[
        bool,
        typer.Option("--contradictions", help="List pairs of findings with opposite signs."),
    ] = False,
    across_classes: Annotated[
        bool,
        typer.Option("--across-classes", help="With --contradictions: between drug classes."),
    ] = False,
    findings: Annotated[
        Path | None,
        typer.Option(
            help="Folder with findings.tsv of your own, in the columns of data/evidence.",
            show_default="the findings of the package",
        ),
    ] = None,
    form: Annotated[
        Format, typer.Option("--format", help="How to print: as table, tab-separated, or JSON.")
    ] = Format.TABLE,
    seed: options.Seed = 1,
    as_json: options.Json = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """List findings of the literature, or compare the maps of a run with them.

    The findings are those of one narrative review of imaging and response to SSRI and SNRI; most
    are about prognosis (who gets better on one drug), hardly any about moderation (who gets better
    on which drug).
    """
    messages.set_verbosity(verbose=verbose, quiet=quiet)
    asked = {
        "drug_class": drug_class, "drug": drug, "modality": modality, "feature": feature,
        "region": region, "network": network, "outcome": outcome, "estimand": estimand,
        "timing": timing,
    }  # fmt: skip
    conditions = {name: values for name, values in asked.items() if values}
    how = "json" if as_json else form.value
    if run is not None:
        evidence_job.check_run_options(contradictions=contradictions, estimand=estimand)
        evidence_job.compare_run(run, conditions, findings, seed=seed, how=how)
    else:
        evidence_job.list_findings(
            conditions, findings, contradictions=contradictions, across=across_classes, how=how
        )
