"""``bayes-mdd power``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

import bayes_mdd as bm
from bayes_mdd.cli import messages, options
from bayes_mdd.cli.output import print_json, print_table, records
from bayes_mdd.cli.workers import require_tasks, run_tasks
from bayes_mdd.files.replace import make_folder, write_text
from bayes_mdd.files.targets import check_table
from bayes_mdd.files.unfinished import kept_until_written


class Target(StrEnum):
    """What is to be found."""

    MODERATOR = "moderator"
    POLICY = "policy"
    LEARNED_RULE = "learned_rule"
    SPECIFIC_FACTOR = "specific_factor"


def power(
    target: Annotated[
        Target,
        typer.Option(
            help="What the trial is to find: that a factor moderates the difference between the "
            "drugs; that a rule fixed before the trial gains; that a rule learned in the trial "
            "gains; a factor of one arm only."
        ),
    ] = Target.MODERATOR,
    benefit_sd: Annotated[
        float,
        typer.Option(help="SD over patients of the benefit, in SD of the outcome given baseline."),
    ] = 0.4,
    candidates: Annotated[int, typer.Option(help="Number of factors that may moderate.")] = 5,
    reliability: Annotated[float, typer.Option(help="Reliability of the scores.")] = 1.0,
    share_other: Annotated[float, typer.Option(help="Share of patients on the other drug.")] = 0.5,
    wanted: Annotated[
        float, typer.Option("--power", help="Wanted probability of finding it.")
    ] = 0.8,
    alpha: Annotated[float, typer.Option(help="Level of the test.")] = 0.05,
    explained: Annotated[
        float | None,
        typer.Option(
            help="Of a specific factor: share of the variance of features that it explains.",
            show_default="none",
        ),
    ] = None,
    features: Annotated[
        float | None,
        typer.Option(
            help="Of a specific factor: effective number of features.", show_default="none"
        ),
    ] = None,
    simulate: Annotated[
        bool,
        typer.Option("--simulate", help="Also simulate trials of this size and analyse them."),
    ] = False,
    repeats: Annotated[int, typer.Option(help="Number of simulated trials.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Random seed of the simulation.")] = 1,
    jobs: Annotated[
        int | None,
        typer.Option(help="Number of simulated trials analysed in parallel.", show_default="1"),
    ] = None,
    cluster: options.Cluster = None,
    output: Annotated[
        Path | None,
        options.output(
            "File for the table (.tsv). Simulated trials are kept beside it until all are "
            "complete: the same command continues after a stop.",
            default="none",
        ),
    ] = None,
    force: Annotated[bool, options.force("Replace the file of --output if it exists.")] = False,
    as_json: options.Json = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Search how many patients a trial of two drugs needs."""
    messages.set_verbosity(verbose=verbose, quiet=quiet)
    require_tasks("--simulate", simulate, cluster, jobs)
    if output is not None:
        check_table(output, overwrite=force)
    with kept_until_written(), run_tasks(cluster, jobs) as n_jobs:
        table = bm.plan_power(
            target.value,
            benefit_sd=benefit_sd,
            candidates=candidates,
            reliability=reliability,
            share_other=share_other,
            power=wanted,
            alpha=alpha,
            explained=explained,
            features=features,
            simulate=simulate,
            repeats=repeats,
            seed=seed,
            n_jobs=n_jobs,
            keep=output,
        )
        if output is not None:
            text = table.to_csv(sep="\t", index=False, na_rep="n/a", lineterminator="\n")
            write_text(make_folder(output.parent) / output.name, text)
    if as_json:
        print_json(records(table))
        return
    print_table(f"Patients needed ({target.value.replace('_', ' ')})", table)
