"""``bayes-mdd export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import bayes_mdd as bm
from bayes_mdd.cli import messages, options
from bayes_mdd.cli.early import require_files
from bayes_mdd.cli.id_key import prepare_key
from bayes_mdd.cli.messages import log
from bayes_mdd.cli.output import print_json, print_lines
from bayes_mdd.errors import SpecError
from bayes_mdd.files.marks import require_run

NAMES = (
    "nifti, bids, brainnet, graphml, cifti, gifti, tables, neurovault, figures, html, anndata, "
    "share, summary"
)


def export(
    run: options.Run,
    formats: Annotated[
        list[str],
        typer.Option(
            "--format",
            "-f",
            metavar="NAME",
            help=f"One of {NAMES}; may be repeated. 'all' writes those that apply to the run, "
            "but not share (one folder with all that may leave the site, without participants) and "
            "summary (what `combine` needs of a cohort, without participants).",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        options.output("Folder that gets one folder per format.", default="RUN/export"),
    ] = None,
    atlas: Annotated[
        Path | None,
        typer.Option(
            help="Label image (NIfTI) of the regions. Without it, images show spheres at MNI "
            "coordinates.",
            show_default="none",
        ),
    ] = None,
    surface_atlas: Annotated[
        Path | None,
        typer.Option(
            help="Surface atlas (.dlabel.nii) of the regions, for cifti and gifti.",
            show_default="none",
        ),
    ] = None,
    view: Annotated[
        str | None,
        typer.Option(help="View to export, where the run has several.", show_default="none"),
    ] = None,
    with_participants: Annotated[
        bool,
        typer.Option(
            "--with-participants",
            help="Write scores by participant into the tables, and figures with one mark per "
            "participant; do not share the files then.",
        ),
    ] = False,
    hash_ids: options.HashIds = None,
    archive: Annotated[
        bool, typer.Option("--zip", help="Also write the folder share as share.zip.")
    ] = False,
    force: Annotated[
        bool, options.force("Replace earlier exports of the same formats, each as a whole.")
    ] = False,
    as_json: options.Json = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Write a finished run in the formats of other programs.

    Without --with-participants no file names a participant.
    """
    messages.set_verbosity(verbose=verbose, quiet=quiet)
    require_run(run)
    require_files([("--atlas", atlas), ("--surface-atlas", surface_atlas)])
    if with_participants and not {"tables", "figures", "anndata", "all"} & set(formats):
        raise SpecError(
            "--with-participants concerns tables, figures and AnnData: add --format tables, "
            "figures or anndata."
        )
    if hash_ids is not None and not with_participants:
        raise SpecError("--hash-ids concerns files with participants: add --with-participants.")
    id_key = prepare_key(hash_ids, run, *([output] if output else []))
    if output is None:
        messages.keep_log(run)
    done = bm.export_run(
        run,
        output or run / "export",
        formats=formats,
        atlas=atlas,
        surface_atlas=surface_atlas,
        view=view,
        with_participants=with_participants,
        archive=archive,
        id_key=id_key,
        overwrite=force,
    )
    for name, reason in done.left_out.items():
        log.warning("Format '%s' is left out: %s", name, reason)
    if as_json:
        print_json(
            {
                "files": {name: [str(p) for p in files] for name, files in done.files.items()},
                "left_out": dict(done.left_out),
            }
        )
    else:
        print_lines(path for files in done.files.values() for path in files)
