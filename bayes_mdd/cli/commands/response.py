"""``bayes-mdd response``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bayes_mdd.cli import messages, options, response_job
from bayes_mdd.cli.early import require_cohort
from bayes_mdd.cli.groups import control_words
from bayes_mdd.cli.workers import run_tasks


class StageOne(StrEnum):
    """How the factors are fitted where the rule is evaluated."""

    REFIT = "refit"
    ONCE = "once"


def response(
    spec: options.ResponseSpecName,
    cohort: options.Cohort,
    output: Annotated[
        Path | None, options.output("Run folder to write.", default="runs/<name of COHORT>")
    ] = None,
    settings: Annotated[
        list[str] | None,
        options.assignments(
            "Replace a value of the spec, e.g. response.minimum=2 or stage_one.model.n_factors=4"
        ),
    ] = None,
    controls: options.Controls = None,
    no_controls: options.NoControls = False,
    fast: Annotated[
        bool,
        typer.Option("--fast", help="Take the fast method in both stages, approximately."),
    ] = False,
    stage_one: Annotated[
        StageOne | None,
        typer.Option(
            "--stage-one",
            help="Where the rule is evaluated, fit the factors again without the patients of each "
            "fold (by the fast method; the expected time is printed), or once to all scans.",
            show_default="evaluation.stage_one of the spec: refit",
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(help="Number of these fits run in parallel.", show_default="1"),
    ] = None,
    cluster: options.Cluster = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0, help="Random seed of both stages.", show_default="the seeds of the spec"
        ),
    ] = None,
    force: Annotated[
        bool, options.force("Replace the run in the folder, if it holds one.")
    ] = False,
    as_json: options.Json = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Analyse treatment response: who gets better, and who gets better on which drug.

    The factors of the scans are fitted with the arms hidden; then the outcomes are analysed, the
    difference between the drugs is tested for moderation, and the rule that follows is evaluated.
    """
    messages.set_verbosity(verbose=verbose, quiet=quiet)
    words = control_words(controls, no_controls)
    asked = response_job.read_response_argument(
        spec, settings, seed=seed, stage_one=stage_one and stage_one.value
    )
    require_cohort(cohort)
    run_dir = output or Path("runs") / cohort.resolve().name
    with run_tasks(cluster, jobs) as n_jobs:
        done = response_job.analyse_cohort(
            asked, cohort, run_dir, force=force, fast=fast, controls=words, jobs=n_jobs
        )
    response_job.print_done(done, as_json=as_json)
