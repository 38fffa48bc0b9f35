"""``bayes-mdd baselines``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bayes_mdd.cli import baselines_job, messages, options, response_job
from bayes_mdd.cli.early import require_cohort
from bayes_mdd.cli.groups import control_words
from bayes_mdd.cli.id_key import prepare_key
from bayes_mdd.cli.workers import run_tasks


class Scheme(StrEnum):
    """Ways to divide patients."""

    REPEATED = "repeated"
    LEAVE_SITE_OUT = "leave_site_out"


class Leak(StrEnum):
    """Leaks, for teaching."""

    SELECTION = "selection"


class Event(StrEnum):
    """Events of an outcome in points."""

    RESPONSE = "response"
    REMISSION = "remission"


class Harmonise(StrEnum):
    """Ways to remove sites from features."""

    SITE = "site"
    COMBAT = "combat"
    NONE = "none"


def baselines(
    spec: options.ResponseSpecName,
    cohort: options.Cohort,
    output: Annotated[
        Path | None, options.output("Run folder to write to.", default="runs/<name of COHORT>")
    ] = None,
    settings: Annotated[
        list[str] | None,
        options.assignments("Replace a value of the spec, e.g. evaluation.repeats=5"),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            "--method",
            help="Method to compare, e.g. --method ridge; may be repeated.",
            show_default="all but bcf",
        ),
    ] = None,
    view: Annotated[
        list[str] | None,
        typer.Option(
            "--view",
            help="What methods see: clinical, imaging, both, early; may be repeated.",
            show_default="clinical, imaging, both; early where weeks 1-2 were rated",
        ),
    ] = None,
    scheme: Annotated[
        Scheme, typer.Option("--scheme", help="Random folds, or one fold for each site.")
    ] = Scheme.REPEATED,
    permutations: Annotated[
        int, typer.Option(help="Largest number of permutations of each test; 0 for none.")
    ] = 99,
    event: Annotated[
        Event | None,
        typer.Option(
            "--event",
            help="Event of an outcome in points that is predicted.",
            show_default="response, otherwise remission",
        ),
    ] = None,
    harmonise: Annotated[
        Harmonise, typer.Option("--harmonise", help="How sites are removed from features.")
    ] = Harmonise.SITE,
    leak: Annotated[
        Leak | None,
        typer.Option(
            "--leak",
            help="For teaching: screen features with the outcomes of all patients, outside the "
            "folds. All results are marked.",
            show_default="none",
        ),
    ] = None,
    controls: options.Controls = None,
    no_controls: options.NoControls = False,
    jobs: Annotated[
        int | None,
        typer.Option(help="Folds and tests that run in parallel.", show_default="1"),
    ] = None,
    cluster: options.Cluster = None,
    hash_ids: options.HashIds = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Random seed.", show_default="sampler.seed of the spec"),
    ] = None,
    force: Annotated[bool, options.force("Replace the baselines in the folder.")] = False,
    as_json: options.Json = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Compare machine-learning baselines and the factor model on the same folds.

    Everything is learned inside the folds. The results say which method predicts the outcome best,
    whether any chooses the drug better than the declared default, and when there is no winner.
    """
    messages.set_verbosity(verbose=verbose, quiet=quiet)
    words = control_words(controls, no_controls)
    asked = response_job.read_response_argument(spec, settings, seed=seed)
    require_cohort(cohort)
    run_dir = output or Path("runs") / cohort.resolve().name
    with run_tasks(cluster, jobs) as n_jobs:
        choices = baselines_job.Choices(
            methods=method,
            views=view,
            scheme=scheme.value,
            permutations=permutations,
            event=None if event is None else event.value,
            harmonise=harmonise.value,
            leak=None if leak is None else "selection",
            jobs=n_jobs,
            id_key=prepare_key(hash_ids, run_dir, cohort),
        )
        messages.keep_log(run_dir)
        done, files = baselines_job.compare_cohort(
            asked, cohort, run_dir, choices, force=force, controls=words
        )
    baselines_job.print_comparison(done, files, as_json=as_json)
