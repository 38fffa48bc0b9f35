"""``bayes-mdd fit``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bayes_mdd.cli import inputs, main_job, messages, options
from bayes_mdd.cli.early import require_cohort
from bayes_mdd.cli.groups import control_words, with_reference


def fit(
    spec: options.SpecName,
    cohort: options.Cohort,
    output: Annotated[
        Path | None, options.output("Run folder to write.", default="runs/<name of COHORT>")
    ] = None,
    settings: options.Settings = None,
    controls: options.Controls = None,
    no_controls: options.NoControls = False,
    fast: Annotated[
        bool,
        typer.Option("--fast", help="Fit in seconds instead of a minute, approximately."),
    ] = False,
    seed: options.SamplerSeed = None,
    force: Annotated[
        bool, options.force("Replace the run in the folder, if it holds one.")
    ] = False,
    as_json: options.Json = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Fit a model to a cohort, check the fit, and write signature maps and the report."""
    messages.set_verbosity(verbose=verbose, quiet=quiet)
    words = control_words(controls, no_controls)
    asked = with_reference(inputs.read_spec_argument(spec, settings, seed=seed), words)
    require_cohort(cohort)
    run_dir = output or Path("runs") / cohort.resolve().name
    idata = main_job.fit_cohort(asked, cohort, run_dir, force=force, fast=fast, controls=words)
    main_job.print_outcome(main_job.complete_run(idata, run_dir), as_json=as_json)
