"""``bayes-mdd report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import bayes_mdd as bm
from bayes_mdd.cli import messages, options
from bayes_mdd.cli.output import print_lines
from bayes_mdd.cli.run_checks import read_checks


def report(
    run: options.Run,
    output: Annotated[
        Path | None, options.output("File to write.", default="RUN/report.html")
    ] = None,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Write the report of a finished run again, with the results of its last check."""
    messages.set_verbosity(verbose=verbose, quiet=quiet)
    idata = bm.read_run(run)
    path = bm.write_report(idata, output or run / "report.html", checks=read_checks(run))
    print_lines([path])
