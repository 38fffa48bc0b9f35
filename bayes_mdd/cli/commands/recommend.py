"""``bayes-mdd recommend``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

import bayes_mdd as bm
from bayes_mdd.cli import messages, options, recommend_job
from bayes_mdd.cli.commands.project import NewLevels
from bayes_mdd.cli.early import require_cohort
from bayes_mdd.cli.groups import control_words
from bayes_mdd.cli.id_key import prepare_key
from bayes_mdd.cli.output import print_json, print_lines, print_table, records
from bayes_mdd.errors import SpecError
from bayes_mdd.files.marks import require_run


def recommend(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder written by `response`.")],
    cohort: Annotated[
        Path, typer.Argument(metavar="COHORT", help="Cohort folder of new participants.")
    ],
    people: Annotated[
        bool,
        typer.Option(
            "--people",
            help="Print one row per participant and write it to RUN/response/recommendations.tsv "
            "(or --output). Without it only numbers of participants are printed.",
        ),
    ] = False,
    output: Annotated[
        Path | None,
        options.output("Table of participants to write (.tsv).", default="none without --people"),
    ] = None,
    hash_ids: options.HashIds = None,
    p_star: Annotated[
        float | None,
        typer.Option(
            help="Smallest probability of a benefit with which a drug is preferred.",
            show_default="that of the run",
        ),
    ] = None,
    minimum: Annotated[
        float | None,
        typer.Option(
            help="Smallest expected benefit, in the unit of the outcome, for which a drug is "
            "preferred.",
            show_default="that of the run",
        ),
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
    controls: options.Controls = None,
    no_controls: options.NoControls = False,
    seed: options.Seed = 1,
    force: Annotated[bool, options.force("Replace existing files.")] = False,
    as_json: options.Json = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Predict what new participants gain from the other drug, and whether to prefer one.

    Only scans are used, never outcomes. Research use: not for decisions about a patient.
    """
    messages.set_verbosity(verbose=verbose, quiet=quiet)
    words = control_words(controls, no_controls).words
    require_run(run)
    require_cohort(cohort)
    if training is not None:
        require_cohort(training)
    path = output or (run / "response" / "recommendations.tsv" if people else None)
    if path is not None:
        recommend_job.check_target(path, overwrite=force)
    if hash_ids is not None and path is None:
        raise SpecError("--hash-ids concerns tables of participants: add --people or --output.")
    id_key = prepare_key(hash_ids, run, cohort)
    if people and output is None:
        messages.keep_log(run)
    found = recommend_job.recommend_cohort(
        run,
        cohort,
        session=session,
        training=training,
        average_levels=new_levels is NewLevels.AVERAGE,
        other_reference=other_reference,
        controls=() if no_controls else words,
        p_star=p_star,
        minimum=minimum,
        seed=seed,
    )
    if id_key is not None:
        found = replace(found, people=bm.hash_ids(found.people, id_key))
    files = [] if path is None else recommend_job.write_people(found, path)
    if as_json:
        print_json(
            {
                "counts": records(found.counts),
                "not_predicted": len(found.excluded),
                "unit": found.unit,
                **({"people": records(found.table)} if people else {}),
                "files": [str(p) for p in files],
            }
        )
        return
    print_table("Recommendations", found.counts)
    if people:
        columns = ["participant_id", "recommendation", "benefit", "benefit_lower", "benefit_upper"]
        print_table(
            f"Participants ({found.unit}, 90% intervals)", found.table[[*columns, "p_benefit"]]
        )
    print_lines(files)
