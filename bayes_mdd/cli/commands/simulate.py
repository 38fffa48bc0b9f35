"""``bayes-mdd simulate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import bayes_mdd as bm
from bayes_mdd.cli import options
from bayes_mdd.cli.output import print_lines


def simulate(
    output: Annotated[Path, options.output("Cohort folder to write.")],
    seed: options.Seed = 1,
    force: Annotated[bool, options.force("Write into a folder that is not empty.")] = False,
) -> None:
    """Write a synthetic cohort whose factors are known."""
    folder = bm.write_cohort(bm.simulate_cohort(seed=seed), output, overwrite=force)
    print_lines([f"Cohort written to {folder}", f"Next: bayes-mdd fit shared_specific {folder}"])
