"""``bayes-mdd simulate``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

import bayes_mdd as bm
from bayes_mdd.cli import options
from bayes_mdd.cli.output import print_lines
from bayes_mdd.files.targets import check_cohort_target


class Source(StrEnum):
    """What is drawn for each participant."""

    EDGES = "edges"
    SERIES = "series"


def simulate(
    output: Annotated[Path, options.output("Cohort folder to write.")],
    seed: options.Seed = 1,
    source: Annotated[
        Source,
        typer.Option(
            help="Draw edges independently, or time series from which edges, halves and pieces of "
            "the scans are measured."
        ),
    ] = Source.SERIES,
    force: Annotated[
        bool, options.force("Replace a simulated cohort, or write beside other files.")
    ] = False,
) -> None:
    """Write a synthetic cohort whose factors are known."""
    check_cohort_target(output, overwrite=force)
    cohort = bm.simulate_cohort(seed=seed, source=source.value)
    folder = bm.write_cohort(cohort, output, overwrite=force)
    print_lines([f"Cohort written to {folder}", f"Next: bayes-mdd fit shared_specific {folder}"])
