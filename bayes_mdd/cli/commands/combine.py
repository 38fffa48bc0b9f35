"""``bayes-mdd combine``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import bayes_mdd as bm
from bayes_mdd.cli import messages, options
from bayes_mdd.cli.messages import log
from bayes_mdd.cli.output import print_json, print_lines, print_table, records
from bayes_mdd.files.marks import COMBINED
from bayes_mdd.files.targets import check_folder

#: Columns of the table that is printed.
SHOWN = ("name", "label", "cohorts", "of")


def combine(
    summaries: Annotated[
        list[str],
        typer.Argument(
            metavar="SUMMARY...",
            help="Summaries of two or more cohorts, written by `export --format summary`: their "
            "folders, or NAME=FOLDER.",
        ),
    ],
    output: Annotated[Path, options.output("Folder to write.")] = Path("combined"),
    heterogeneity: Annotated[
        float,
        typer.Option(
            min=0,
            max=2,
            help="Scale of the half-normal prior of the SD between cohorts of log variances; 0: "
            "cohorts do not differ.",
        ),
    ] = 0.15,
    least: Annotated[
        float,
        typer.Option(
            help="Smallest absolute correlation of two maps, corrected for errors, that is a match."
        ),
    ] = 0.5,
    seed: options.Seed = 1,
    force: Annotated[
        bool, options.force("Replace an earlier combined result, as a whole.")
    ] = False,
    as_json: options.Json = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Combine fits of several cohorts from their summaries, without data of participants."""
    messages.set_verbosity(verbose=verbose, quiet=quiet)
    check_folder(output, COMBINED, force=force)
    log.info("Combining %d cohorts", len(summaries))
    combined = bm.combine_cohorts(summaries, least=least, heterogeneity=heterogeneity, seed=seed)
    files = bm.write_combined(combined, output, overwrite=force)
    table = bm.summarise_combined(combined)
    if as_json:
        print_json({"patterns": records(table), "files": [str(p) for p in files]})
        return
    arms = [c for c in table.columns if c.startswith("explained_") and not c.endswith("er")]
    print_table("Patterns over cohorts", table[[*SHOWN, *arms, "p_shared"]])
    print_lines(files)
