"""``bayes-mdd demo``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from bayes_mdd.cli import demo_response, inputs, main_job, messages, options, shipped
from bayes_mdd.cli.output import print_json, print_lines
from bayes_mdd.cli.status import ExitStatus
from bayes_mdd.files.targets import check_run_target

MODEL = "shared_specific"
#: What ``--quick`` replaces.
QUICK: Mapping[str, Any] = {"sampler.draws": 300, "sampler.tune": 300, "sampler.chains": 2}


def demo(
    output: Annotated[Path, options.output("Run folder to write.")] = Path("runs/demo"),
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="Use few draws, to test the installation; do not interpret the results.",
        ),
    ] = False,
    seed: options.SamplerSeed = None,
    force: Annotated[
        bool, options.force("Replace the run in the folder, if it holds one.")
    ] = False,
    as_json: options.Json = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Fit the synthetic demo cohort, check the fit, and write signature maps and the report.

    Then its outcomes are analysed: one in which a crossover of the two drugs is planted, and one in
    which nothing is.
    """
    messages.set_verbosity(verbose=verbose, quiet=quiet)
    spec = inputs.read_spec_argument(MODEL, None, seed=seed)
    if quick:
        spec = spec.with_overrides(QUICK)
    check_run_target(output, force=force)
    cohort = shipped.find_demo_cohort(output)
    idata = main_job.fit_cohort(spec, cohort, output, force=force)
    outcome = main_job.complete_run(idata, output)
    parts = demo_response.analyse_demo(cohort, output, force=force, quick=quick, seed=seed)
    if as_json:
        response = {part.name: part.to_mapping() for part in parts}
        print_json({**outcome.to_mapping(), "response": response})
    else:
        main_job.show_outcome(outcome)
        print_lines(demo_response.describe_parts(parts, outcome.files["report"]))
    if not (outcome.verdict.passed and all(part.passed for part in parts)):
        raise typer.Exit(ExitStatus.CHECK_FAILED)
