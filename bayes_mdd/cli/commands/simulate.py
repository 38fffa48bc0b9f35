"""``bayes-mdd simulate``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

import bayes_mdd as bm
from bayes_mdd.cli import messages, options
from bayes_mdd.cli.output import print_lines
from bayes_mdd.errors import SpecError, some
from bayes_mdd.files.targets import check_cohort_target

#: Healthy controls of a simulated trial, to which scans are standardised.
_CONTROLS = 40


class Source(StrEnum):
    """What is drawn for each participant."""

    EDGES = "edges"
    SERIES = "series"


class Missing(StrEnum):
    """Drop-out of a simulated trial."""

    NONE = "none"
    RANDOM = "random"
    NOT_RANDOM = "not-random"


def simulate(
    output: Annotated[Path, options.output("Cohort folder to write.")],
    seed: options.Seed = 1,
    source: Annotated[
        Source | None,
        typer.Option(
            help="Draw edges independently, or time series from which edges, halves and pieces of "
            "the scans are measured.",
            show_default="series",
        ),
    ] = None,
    trial: Annotated[
        bool,
        typer.Option(
            "--trial",
            help="Simulate a randomised trial of two drugs instead, with everybody's true benefit.",
        ),
    ] = False,
    patients: Annotated[
        int | None,
        typer.Option(help="With --trial: number of patients.", show_default="120"),
    ] = None,
    benefit_sd: Annotated[
        float | None,
        typer.Option(
            help="With --trial: SD over patients of the benefit of the other drug, in SD of the "
            "outcome (7 points); 0 for a trial with nothing to choose by.",
            show_default="0.4",
        ),
    ] = None,
    missing: Annotated[
        Missing | None,
        typer.Option(
            help="With --trial: drop-out of 30 %, depending on baseline (random) or on the outcome "
            "(not-random).",
            show_default="none",
        ),
    ] = None,
    force: Annotated[
        bool, options.force("Replace a simulated cohort, or write beside other files.")
    ] = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Write a synthetic cohort whose factors are known."""
    messages.set_verbosity(verbose=verbose, quiet=quiet)
    check_cohort_target(output, overwrite=force)
    given = {"--patients": patients, "--benefit-sd": benefit_sd, "--missing": missing}
    if trial:
        if source is not None:
            raise SpecError("--source is for cohorts: leave it out with --trial.")
        made = bm.simulate_trial(
            seed=seed,
            n=120 if patients is None else patients,
            benefit_sd=0.4 if benefit_sd is None else benefit_sd,
            missing=_word(missing),
            whole_points=True,
            features=True,
            n_controls=_CONTROLS,
        )
        folder = bm.write_trial(made, output, overwrite=force)
        print_lines(
            [
                f"Trial written to {folder}",
                f"Next: bayes-mdd response treatment_response {folder}",
            ]
        )
        return
    if extra := [name for name, value in given.items() if value is not None]:
        raise SpecError(f"{some(extra)}: only with --trial.")
    cohort = bm.simulate_cohort(seed=seed, source=(source or Source.SERIES).value)
    folder = bm.write_cohort(cohort, output, overwrite=force)
    print_lines([f"Cohort written to {folder}", f"Next: bayes-mdd fit shared_specific {folder}"])


def _word(missing: Missing | None) -> Literal["none", "random", "not random"]:
    """Name the drop-out as `simulate_trial` does."""
    if missing is Missing.RANDOM:
        return "random"
    return "not random" if missing is Missing.NOT_RANDOM else "none"
