"""``bayes-mdd project``."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

import bayes_mdd as bm
from bayes_mdd.cli import messages, options
from bayes_mdd.cli.early import require_cohort
from bayes_mdd.cli.groups import control_words
from bayes_mdd.cli.id_key import prepare_key
from bayes_mdd.cli.new_cohort import read_new_cohort, report_excluded
from bayes_mdd.cli.output import print_json, print_lines, records
from bayes_mdd.files.marks import require_run
from bayes_mdd.files.targets import check_projection_target


class NewLevels(StrEnum):
    """Treatment of sites, and levels of other covariates, that the fit does not have."""

    REFUSE = "refuse"
    AVERAGE = "average"


def project(
    run: options.Run,
    cohort: Annotated[
        Path, typer.Argument(metavar="COHORT", help="Cohort folder of new participants.")
    ],
    output: Annotated[
        Path | None,
        options.output("Table to write (.tsv).", default="RUN/projections/<name of COHORT>.tsv"),
    ] = None,
    training: Annotated[
        Path | None,
        typer.Option(
            help="Cohort folder of the fit. Its controls are then the reference.",
            show_default="none; the controls of COHORT are the reference",
        ),
    ] = None,
    session: Annotated[
        str | None,
        typer.Option(help="Session of the new cohort.", show_default="the only one"),
    ] = None,
    arm: Annotated[
        list[str] | None,
        typer.Option(
            help="Arm under which participants without an arm are scored; may be repeated.",
            show_default="all treatments of the fit",
        ),
    ] = None,
    new_levels: Annotated[
        NewLevels,
        typer.Option(
            help="Sites (and levels of other covariates) that the fit does not have: refuse them, "
            "or use the average of the known ones."
        ),
    ] = NewLevels.REFUSE,
    other_reference: Annotated[
        bool,
        typer.Option("--other-reference", help="Accept another reference than that of the fit."),
    ] = False,
    include_fitted: Annotated[
        bool,
        typer.Option(
            "--include-fitted", help="Also score participants of the fit, e.g. at follow-up."
        ),
    ] = False,
    hash_ids: options.HashIds = None,
    ci_prob: Annotated[float, typer.Option(help="Probability of the intervals.")] = 0.9,
    controls: options.Controls = None,
    no_controls: options.NoControls = False,
    seed: options.Seed = 1,
    force: Annotated[bool, options.force("Replace existing files.")] = False,
    as_json: options.Json = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Score participants who were not in the fit; those without an arm under each treatment."""
    messages.set_verbosity(verbose=verbose, quiet=quiet)
    words = control_words(controls, no_controls).words
    require_run(run)
    require_cohort(cohort)
    if training is not None:
        require_cohort(training)
    path = output or run / "projections" / f"{cohort.resolve().name}.tsv"
    check_projection_target(path, overwrite=force)
    id_key = prepare_key(hash_ids, run, cohort)
    if output is None:
        messages.keep_log(run)
    idata = bm.read_run(run)
    new = read_new_cohort(
        idata,
        cohort,
        session=session,
        training=training,
        controls=() if no_controls else words,
    )
    unknown: Literal["refuse", "average"] = "refuse"
    if new_levels is NewLevels.AVERAGE:
        unknown = "average"
    found = bm.project(
        idata,
        new.features,
        arms=arm or None,
        new_levels=unknown,
        other_reference=other_reference,
        include_fitted=include_fitted,
        training=new.training,
        symptoms=new.symptoms,
        seed=seed,
    )
    report_excluded(found)
    if id_key is not None:
        found = bm.hash_ids(found, id_key)
    files = bm.export_projection(found, path, ci_prob=ci_prob, overwrite=force)
    if as_json:
        scores = records(bm.summarise_projection(found, ci_prob=ci_prob))
        excluded = json.loads(found.attrs["excluded"])
        print_json({"scores": scores, "excluded": excluded, "files": [str(p) for p in files]})
    else:
        print_lines(files)
