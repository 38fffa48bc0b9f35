"""``bayes-mdd compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import bayes_mdd as bm
from bayes_mdd.cli import inputs, messages, options
from bayes_mdd.cli.comparison import (
    check_comparison_target,
    name_tables,
    parse_numbers,
    write_comparison,
)
from bayes_mdd.cli.early import require_cohort
from bayes_mdd.cli.groups import control_words, with_reference
from bayes_mdd.cli.messages import log
from bayes_mdd.cli.output import print_json, print_lines, print_table, records
from bayes_mdd.cli.workers import run_tasks
from bayes_mdd.files.unfinished import kept_until_written


def compare(
    spec: options.SpecName,
    cohort: options.Cohort,
    n_factors: Annotated[
        str,
        typer.Option(
            help="Numbers of factors to compare, e.g. 2,4,6.",
            show_default="model.n_factors of the spec",
        ),
    ] = "",
    without_symptoms: Annotated[
        bool,
        typer.Option("--without-symptoms", help="Add each model without its symptom link."),
    ] = False,
    symptom_link: Annotated[
        bool, options.former_flag("--symptom-link", "--without-symptoms")
    ] = False,
    shared_only: Annotated[
        bool, typer.Option("--shared-only", help="Add each model with all factors shared.")
    ] = False,
    folds: Annotated[int, typer.Option(min=2, help="Number of folds of participants.")] = 5,
    seed: Annotated[
        int,
        typer.Option(min=0, help="Random seed of the folds; that of the fits is sampler.seed."),
    ] = 1,
    jobs: Annotated[
        int | None, typer.Option(help="Number of fits run in parallel.", show_default="1")
    ] = None,
    cluster: options.Cluster = None,
    output: Annotated[
        Path | None, options.output("Folder for tables and densities.", default="none")
    ] = None,
    force: Annotated[bool, options.force("Replace a comparison that the folder holds.")] = False,
    settings: options.Settings = None,
    controls: options.Controls = None,
    no_controls: options.NoControls = False,
    as_json: options.Json = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Compare models by how well they predict held-out participants (K-fold)."""
    messages.set_verbosity(verbose=verbose, quiet=quiet)
    numbers = parse_numbers(n_factors)
    words = control_words(controls, no_controls)
    asked = with_reference(inputs.read_spec_argument(spec, settings), words)
    require_cohort(cohort)
    if output is not None:
        check_comparison_target(output, force=force)
    from bayes_mdd.studies.compare import check_supported
    from bayes_mdd.studies.variants import list_variants

    check_supported([asked.model])
    data = inputs.read_inputs(asked, cohort, words)
    models = list_variants(
        data.spec.model,
        numbers,
        without_symptoms=without_symptoms or symptom_link,
        shared_only=shared_only,
    )
    reference = data.spec.reference
    log.info("Fitting %d models to each of %d training sets", len(models), folds)
    with kept_until_written(), run_tasks(cluster, jobs) as n_jobs:
        found = bm.compare_models(
            models,
            bm.reference_to_controls(
                data.features, covariates=reference.covariates, group=reference.group
            ),
            symptoms=data.symptoms,
            folds=folds,
            seed=seed,
            sampler=data.spec.sampler,
            n_jobs=n_jobs,
            keep=output,
        )
        files = [str(path) for path in write_comparison(found, output)] if output else []
    tables = name_tables(found)
    if as_json:
        print_json({**{name: records(table) for name, table in tables.items()}, "files": files})
        return
    for name, table in tables.items():
        print_table(f"Log predictive density of {name}, held-out participants", table)
    print_lines(files)
