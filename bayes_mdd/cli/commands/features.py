"""``bayes-mdd features``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bayes_mdd.cli import inputs, messages, options
from bayes_mdd.cli.derived_cohort import CohortRequest, check_paths, write_derived_cohort
from bayes_mdd.cli.groups import control_words
from bayes_mdd.cli.output import print_json, print_lines
from bayes_mdd.cli.workers import run_tasks


def features(
    source: Annotated[
        Path,
        typer.Argument(metavar="SOURCE", help="Output folder of another tool, or one table."),
    ],
    output: Annotated[Path, options.output("Cohort folder to write.")],
    kind: Annotated[
        str | None,
        typer.Option(
            help="Kind of data, e.g. functional_connectivity, reho, fa.",
            show_default="the only one in SOURCE",
        ),
    ] = None,
    layout: Annotated[
        str | None,
        typer.Option("--format", help="Format of the files.", show_default="recognised"),
    ] = None,
    atlas: Annotated[
        str | None,
        typer.Option(
            help="Atlas of the files; for images, a label image or the name of an atlas "
            "(seitzman300, ...).",
            show_default="the only one in SOURCE",
        ),
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Table of the label image.", show_default="none")
    ] = None,
    regions: Annotated[
        str | None,
        typer.Option(
            help="Region table (.tsv; also that of XCP-D, atlas-*_dseg.tsv), or the name of an "
            "atlas.",
            show_default="as stated by the files, or the table of their atlas in SOURCE",
        ),
    ] = None,
    networks: Annotated[
        str,
        typer.Option(
            metavar="atlas|circuit|COLUMN",
            help="Define blocks by the networks of the atlas, by depression circuit, or by a "
            "column of the region table, e.g. network_label_17network.",
        ),
    ] = "atlas",
    participants: Annotated[
        Path | None,
        typer.Option(
            help="Table of participants, with their arms.",
            show_default="participants.tsv in SOURCE",
        ),
    ] = None,
    entity: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="Read only files with this entity, e.g. ses=1, or without it: desc=none; may be "
            "repeated.",
            show_default="all files",
        ),
    ] = None,
    weighting: Annotated[
        str | None,
        typer.Option(help="Measure to read from files with several.", show_default="the only one"),
    ] = None,
    units: Annotated[
        str | None,
        typer.Option(
            help="Units: r, fisher_z or z (z-statistics); covariance or precision are converted to "
            "correlations.",
            show_default="as stated by the files",
        ),
    ] = None,
    symmetrise: Annotated[
        str | None,
        typer.Option(
            metavar="mean|max|min|sum|upper|lower",
            help="Combine the two directions of each edge of asymmetric matrices (probabilistic "
            "tractography).",
            show_default="they are refused",
        ),
    ] = None,
    subjects: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|participants",
            help="Text file with the subject ids of a stacked array or of a CONN project, in their "
            "order, one per line; or participants: the order of the participants table.",
            show_default="as stated by the files, or ids.txt beside them",
        ),
    ] = None,
    ids: Annotated[
        str | None,
        typer.Option(
            metavar="PATTERN",
            help=r"Regular expression whose group is the participant's id in the file path, e.g. "
            r"'Sub_(\d+)'.",
            show_default="sub-<id>, or as the tool writes it",
        ),
    ] = None,
    halves: Annotated[
        bool,
        typer.Option(
            "--halves",
            help="Write the differences between the halves of each scan, to tell stable from "
            "fluctuating patterns; needs time series.",
        ),
    ] = False,
    pieces: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="Write the connectivity of this many pieces of each scan (8 for 10 minutes); "
            "needs time series.",
            show_default="none",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        options.assignments(
            "Setting of DerivativesSpec, e.g. missing_regions=drop, resample=true or "
            "'confounds=[ motion, scrub ]'"
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(help="Number of participants read in parallel.", show_default="1"),
    ] = None,
    cluster: options.Cluster = None,
    controls: options.Controls = None,
    no_controls: options.NoControls = False,
    as_json: options.Json = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Convert the output of another tool (XCP-D, fMRIPrep, FreeSurfer, ...) to a cohort folder."""
    messages.set_verbosity(verbose=verbose, quiet=quiet)
    words = control_words(controls, no_controls).words
    request = CohortRequest(
        source=source,
        output=output,
        kind=kind,
        format=layout,
        atlas=atlas,
        labels=labels,
        regions=regions,
        networks=networks,
        symmetrise=symmetrise,
        participants=participants,
        entities=tuple(entity or ()),
        weighting=weighting,
        units=units,
        subjects=subjects,
        ids=ids,
        halves=halves,
        pieces=pieces,
        settings=inputs.parse_settings(settings or ()),
        controls=() if no_controls else words,
    )
    check_paths(request)  # before the imports of workers
    with run_tasks(cluster, jobs):
        made, left_out = write_derived_cohort(request)
    n, p = made.sizes["subject"], made.sizes["feature"]
    if as_json:
        counts = {"participants": n, "people": n, "features": p}
        print_json({"cohort": str(output), **counts, "left_out": left_out})
        return
    print_lines([f"{n} participants, {p} features ({made.attrs['units']})"])
    print_lines(f"Left out: {note}" for note in left_out)
    print_lines([f"Cohort written to {output}", f"Next: bayes-mdd fit shared_specific {output}"])
