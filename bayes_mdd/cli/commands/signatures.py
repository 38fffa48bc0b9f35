"""``bayes-mdd signatures``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import bayes_mdd as bm
from bayes_mdd.cli import messages, options
from bayes_mdd.cli.early import check_maps_target, require_files
from bayes_mdd.cli.output import print_json, print_lines
from bayes_mdd.files.marks import require_run


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
    force: Annotated[
        bool, options.force("Replace maps that the folder of --output holds.")
    ] = False,
    with_participants: options.WithParticipants = False,
    as_json: options.Json = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Write the signature maps of a finished run again, for example in an atlas image."""
    messages.set_verbosity(verbose=verbose, quiet=quiet)
    require_run(run)
    require_files([("--atlas", atlas)])
    folder = output or run / "signatures"
    check_maps_target(folder, force=force or output is None)
    if output is None:
        messages.keep_log(run)
    maps = bm.signatures(bm.read_run(run), with_participants=with_participants)
    files = bm.export_signatures(maps, folder, atlas_img=atlas, overwrite=True)
    if as_json:
        print_json({"files": [str(path) for path in files]})
    else:
        print_lines(files)
