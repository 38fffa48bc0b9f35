"""``bayes-mdd signatures``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import bayes_mdd as bm
from bayes_mdd.cli import messages, options
from bayes_mdd.cli.output import print_json, print_lines


def signatures(
    run: options.Run,
    output: Annotated[
        Path | None, options.output("Folder to write.", default="RUN/signatures")
    ] = None,
    atlas: Annotated[
        Path | None,
        typer.Option(
            help="Label image (NIfTI) in which to write regional maps.", show_default="none"
        ),
    ] = None,
    as_json: options.Json = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Write the signature maps of a finished run again, for example in an atlas image."""
    messages.set_verbosity(verbose=verbose, quiet=quiet)
    maps = bm.signatures(bm.read_run(run))
    files = bm.export_signatures(
        maps, output or run / "signatures", atlas_img=atlas, overwrite=True
    )
    if as_json:
        print_json({"files": [str(path) for path in files]})
    else:
        print_lines(files)
