"""``bayes-mdd report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import bayes_mdd as bm
from bayes_mdd.cli import messages, options
from bayes_mdd.cli.output import print_lines
from bayes_mdd.files.marks import require_run
from bayes_mdd.files.targets import check_page


def report(
    run: options.Run,
    output: Annotated[
        Path | None, options.output("File to write.", default="RUN/report.html")
    ] = None,
    force: Annotated[bool, options.force("Replace the file of --output if it exists.")] = False,
    with_participants: options.WithParticipants = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Write the report of a finished run again, with the results of its last check."""
    messages.set_verbosity(verbose=verbose, quiet=quiet)
    require_run(run)
    page = output or run / "report.html"
    check_page(page, overwrite=force or output is None)
    if output is None:
        messages.keep_log(run)
    idata = bm.read_run(run)
    # Imported here: --help does not need pandas.
    from bayes_mdd.results.stored_checks import read_checks

    path = bm.write_report(
        idata,
        page,
        checks=read_checks(run),
        with_participants=with_participants,
        run_dir=run,
    )
    print_lines([path])
