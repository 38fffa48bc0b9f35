"""``bayes-mdd check``."""

from __future__ import annotations

from typing import Annotated

import typer

import bayes_mdd as bm
from bayes_mdd.cli import messages, options, output, run_checks
from bayes_mdd.cli.early import check_saved
from bayes_mdd.cli.privacy import report_privacy
from bayes_mdd.cli.status import ExitStatus
from bayes_mdd.cli.workers import require_tasks, run_tasks
from bayes_mdd.files.marks import require_run
from bayes_mdd.files.unfinished import kept_until_written


def check(
    run: options.Run,
    permutations: Annotated[
        int,
        typer.Option(
            min=0,
            help="Number of refits with permuted arm labels (permutation test; 0: none).",
        ),
    ] = 0,
    jobs: Annotated[
        int | None,
        typer.Option(
            help="Number of these refits run in parallel.", show_default="number of cores"
        ),
    ] = None,
    cluster: options.Cluster = None,
    predictive: Annotated[
        bool,
        typer.Option("--predictive", help="Posterior predictive checks of the residuals."),
    ] = False,
    sensitivity: Annotated[
        bool, typer.Option("--sensitivity", help="Prior sensitivity (power scaling).")
    ] = False,
    privacy: Annotated[
        bool,
        typer.Option(
            "--privacy",
            help="Search only the files that are meant to be shared (report, maps) for "
            "participants; exit status 1 if any are found.",
        ),
    ] = False,
    response: Annotated[
        bool,
        typer.Option(
            "--response",
            help="Negative controls of the analysis of treatment response: analyses in which "
            "nothing may be found.",
        ),
    ] = False,
    seed: options.Seed = 1,
    as_json: options.Json = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Check a finished run: data, assumptions, convergence; arm labels, priors, ... on request."""
    messages.set_verbosity(verbose=verbose, quiet=quiet)
    require_run(run)
    if privacy and (permutations or predictive or sensitivity or response):
        raise typer.BadParameter("--privacy is a check of its own: omit the other analyses.")
    require_tasks("--permutations", permutations, cluster, jobs)
    saved = check_saved(run)
    idata = bm.read_run(run)
    if privacy:
        report_privacy(idata, run, as_json=as_json)
        return
    messages.keep_log(run)
    with kept_until_written():
        analyses = run_checks.report_detectable(idata)
        if permutations:
            with run_tasks(cluster, jobs) as n_jobs:
                analyses.append(
                    run_checks.check_permutations(
                        idata, run, permutations=permutations, seed=seed, n_jobs=n_jobs
                    )
                )
        if predictive:
            analyses.append(run_checks.check_residuals(idata, seed=seed))
        if sensitivity:
            analyses.append(run_checks.check_prior_sensitivity(idata, seed=seed))
        if response:
            analyses.append(run_checks.check_response_controls(idata, run, seed=seed))
        checks = run_checks.write_checks(idata, run if saved else None, analyses)
    if as_json:
        output.print_json(checks.to_mapping())
    else:
        output.print_checks(checks.table)
        for title, table in checks.shown.items():
            output.print_table(title, table)
        output.print_lines(checks.files)
    if not checks.verdict.passed:
        raise typer.Exit(ExitStatus.CHECK_FAILED)
