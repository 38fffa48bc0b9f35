"""Commands and exit statuses; what the commands do lives in the rooms.

Rooms are imported inside the commands, so that ``--help`` and a misspelt key answer at once.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import bayes_mdd
from bayes_mdd.cli import show
from bayes_mdd.errors import BayesMDDError

if TYPE_CHECKING:
    from bayes_mdd.cli.job import Outcome

CHECK_FAILED = 1
BAD_INPUT = 2
INTERNAL_ERROR = 3

app = typer.Typer(
    name="bayes-mdd",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=(
        "Shared and drug-specific factors of brain connectivity in depression.\n\n"
        "Exit status: 0 done, 1 ran and a check failed, 2 bad input, 3 a fault of this program."
    ),
)

Cohort = Annotated[Path, typer.Argument(help="Cohort folder (participants.tsv, features/, ...).")]
Run = Annotated[Path, typer.Argument(help="Run folder that `fit` or `demo` wrote.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite a run folder that exists.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON for a program.")]


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        Words after the program's name; default those of the process.

    Raises
    ------
    SystemExit
        Always; its code is the exit status.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in words
    words = [w for w in words if w != "--debug"]
    with warnings.catch_warnings():
        warnings.showwarning = show.warning
        # A user can act on a warning of this package, hardly on a library's deprecation.
        for kind in (DeprecationWarning, PendingDeprecationWarning, FutureWarning):
            warnings.simplefilter("ignore", kind)
        try:
            app(words, prog_name="bayes-mdd")
        except (BayesMDDError, OSError) as error:
            if debug:
                raise
            show.error(str(error))
            sys.exit(BAD_INPUT)
        except Exception as error:
            if debug:
                raise
            show.error(
                f"{type(error).__name__}: {error}\n"
                "This is a fault of bayes-mdd, not of your input. The same command with --debug "
                "shows where; please report it with that text."
            )
            sys.exit(INTERNAL_ERROR)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"bayes-mdd {bayes_mdd.__version__}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error (any position).")
    ] = False,
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Take the options that every command has."""


@app.command()
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Run folder to write.")] = Path(
        "runs/demo"
    ),
    quick: Annotated[
        bool, typer.Option("--quick", help="Few draws: to see it run, not to read the numbers.")
    ] = False,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Run the main job on the synthetic demo cohort."""
    from bayes_mdd.cli import job

    spec = job.read_named_spec("shared_specific")
    if quick:
        spec = spec.with_overrides(job.QUICK)
    idata = job.fit_cohort(spec, job.demo_cohort(output), output, force=force)
    _finish(job.complete_run(idata, output), as_json=as_json)


@app.command()
def simulate(
    output: Annotated[Path, typer.Option("--output", "-o", help="Cohort folder to write.")],
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same cohort.")] = 1,
    force: Annotated[bool, typer.Option("--force", help="Write into a folder in use.")] = False,
) -> None:
    """Write a synthetic cohort with known truth."""
    cohort = bayes_mdd.simulate_cohort(seed=seed)
    folder = bayes_mdd.write_cohort(cohort, output, overwrite=force)
    show.result([f"Cohort written to {folder}", f"Fit it: bayes-mdd fit shared_specific {folder}"])


@app.command()
def features(
    source: Annotated[Path, typer.Argument(help="Folder another tool wrote, or one table.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Cohort folder to write.")],
    kind: Annotated[
        str | None, typer.Option(help="What was measured, e.g. functional_connectivity, reho, fa.")
    ] = None,
    layout: Annotated[
        str | None, typer.Option("--format", help="Format, where several fit (the error lists).")
    ] = None,
    atlas: Annotated[
        str | None,
        typer.Option(help="Atlas among the files; for images seitzman300, ... or a label image."),
    ] = None,
    labels: Annotated[Path | None, typer.Option(help="Table of the label image.")] = None,
    regions: Annotated[
        str | None, typer.Option(help="Region table (.tsv), or the name of an atlas.")
    ] = None,
    networks: Annotated[
        str, typer.Option(help="Blocks by the networks of the 'atlas' or by 'circuit'.")
    ] = "atlas",
    participants: Annotated[
        Path | None, typer.Option(help="participants.tsv [default: that of SOURCE].")
    ] = None,
    entity: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Which files, e.g. ses=1, desc=none; repeatable."),
    ] = None,
    weighting: Annotated[
        str | None, typer.Option(help="Which of several measures within a file.")
    ] = None,
    units: Annotated[str | None, typer.Option(help="r or fisher_z, where files do not tell.")] = (
        None
    ),
    subjects: Annotated[
        Path | None, typer.Option(help="Ids of the layers of a stacked array, one a line.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="A setting of DerivativesSpec, e.g. missing=drop, resample=true; repeatable.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a cohort folder of what another tool wrote (XCP-D, fMRIPrep, FreeSurfer, ...)."""
    from bayes_mdd.cli import derive, job

    wanted = derive.CohortRequest(
        source=source,
        output=output,
        kind=kind,
        format=layout,
        atlas=atlas,
        labels=labels,
        regions=regions,
        networks=networks,
        participants=participants,
        entities=tuple(entity or ()),
        weighting=weighting,
        units=units,
        subjects=subjects,
        settings=job.parse_settings(settings or []),
    )
    made, notes = derive.write_derived_cohort(wanted)
    n_people, n_features = made.sizes["subject"], made.sizes["feature"]
    if as_json:
        show.json_value(
            {"cohort": str(output), "people": n_people, "features": n_features, "left_out": notes}
        )
        return
    show.result([f"{n_people} people, {n_features} features ({made.attrs['units']})"])
    show.result([f"Left out: {note}" for note in notes])
    show.result([f"Cohort written to {output}", f"Fit it: bayes-mdd fit shared_specific {output}"])


@app.command()
def fit(
    spec: Annotated[str, typer.Argument(help="Spec file, or the name of a shipped model.")],
    cohort: Cohort,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Run folder to write [default: runs/<cohort>]."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Replace a value; may be repeated."),
    ] = None,
    fast: Annotated[
        bool,
        typer.Option("--fast", help="Seconds instead of a minute; intervals are approximate."),
    ] = False,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Fit a model to a cohort; check it, export signatures, write the report."""
    from bayes_mdd.cli import job

    asked = job.read_named_spec(spec).with_overrides(job.parse_settings(settings or []))
    run_dir = output or Path("runs") / cohort.resolve().name
    idata = job.fit_cohort(asked, cohort, run_dir, force=force, fast=fast)
    _finish(job.complete_run(idata, run_dir), as_json=as_json)


def _finish(outcome: Outcome, *, as_json: bool) -> None:
    """Print what a completed run says and leave with 1 where a check failed."""
    if as_json:
        show.json_value(outcome.to_mapping())
    else:
        show.checks(outcome.checks)
        show.factors(outcome.factors)
        show.result([f"{name:<12}{path}" for name, path in outcome.files.items()])
    if outcome.failed:
        raise typer.Exit(CHECK_FAILED)


@app.command()
def check(
    run: Run,
    permutations: Annotated[
        int,
        typer.Option(min=0, help="Refit so often with shuffled arm labels: could it be chance?"),
    ] = 0,
    predictive: Annotated[
        bool,
        typer.Option("--predictive", help="Hold residuals against what the model assumes of them."),
    ] = False,
    sensitivity: Annotated[
        bool, typer.Option("--sensitivity", help="Show which results rest on which prior.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Judge a finished run: convergence, noise by block, shuffled arms, residuals, priors."""
    from bayes_mdd.cli import checking

    found = checking.write_checks(
        bayes_mdd.read_run(run),
        run,
        permutations=permutations,
        predictive=predictive,
        sensitivity=sensitivity,
    )
    failed = checking.failed_checks(found.table)
    if as_json:
        more = {name: show.records(table) for name, table in found.more.items()}
        show.json_value({"passed": not failed, "checks": show.records(found.table), **more})
    else:
        show.checks(found.table)
        for name, table in found.shown().items():
            show.frame(name, table)
        show.result([str(path) for path in found.files])
    if failed:
        raise typer.Exit(CHECK_FAILED)


@app.command()
def prior(
    spec: Annotated[str, typer.Argument(help="Spec file, or the name of a shipped model.")],
    cohort: Cohort,
    draws: Annotated[int, typer.Option(min=100, help="Draws from the priors.")] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same draws.")] = 1,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Replace a value; may be repeated."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what the priors of a model expect of a cohort, before anything is fitted."""
    from bayes_mdd.cli import checking, job

    asked = job.read_named_spec(spec).with_overrides(job.parse_settings(settings or []))
    table = checking.expect(asked, cohort, draws=draws, seed=seed)
    if as_json:
        show.json_value({"prior": show.records(table)})
    else:
        show.frame("What the priors expect", table)


@app.command()
def signatures(
    run: Run,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder [default: RUN/signatures].")
    ] = None,
    atlas: Annotated[
        Path | None,
        typer.Option(help="Label image (NIfTI) on which regional maps are drawn."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write the signature maps of a finished run again, e.g. on an atlas."""
    from bayes_mdd.cli import job

    idata = bayes_mdd.read_run(run)
    paths = job.export_signatures(idata, output or run / "signatures", atlas=atlas)
    if as_json:
        show.json_value({"files": [str(p) for p in paths]})
    else:
        show.result([str(p) for p in paths])


@app.command()
def report(
    run: Run,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File [default: RUN/report.html].")
    ] = None,
) -> None:
    """Write the report page of a finished run again."""
    from bayes_mdd.cli import checking

    idata = bayes_mdd.read_run(run)
    written = bayes_mdd.write_report(
        idata, output or run / "report.html", checks=checking.read_checks(run)
    )
    show.result([str(written)])


@app.command()
def project(
    run: Run,
    cohort: Annotated[Path, typer.Argument(help="Cohort folder of people not in the fit.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Table [default: RUN/projections/<cohort>.tsv]."),
    ] = None,
    training: Annotated[
        Path | None,
        typer.Option(help="Cohort of the fit: its controls stay the reference."),
    ] = None,
    session: Annotated[str | None, typer.Option(help="Session of the new cohort.")] = None,
    arm: Annotated[
        list[str] | None,
        typer.Option(help="Arm for people without one; may be repeated [default: each]."),
    ] = None,
    new_levels: Annotated[
        str, typer.Option(help="Unknown sites: refuse, or average of the known ones.")
    ] = "refuse",
    other_reference: Annotated[
        bool, typer.Option("--other-reference", help="Accept another reference than the fit's.")
    ] = False,
    include_fitted: Annotated[
        bool, typer.Option("--include-fitted", help="Project people of the fit, e.g. follow-ups.")
    ] = False,
    ci_prob: Annotated[float, typer.Option(help="Probability of the intervals.")] = 0.9,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same draws.")] = 1,
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
    as_json: Json = False,
) -> None:
    """Score people who were not in the fit; untreated ones under each arm."""
    from bayes_mdd.cli import projecting

    wishes = projecting.Wishes(
        training=training,
        session=session,
        arms=tuple(arm or ()),
        new_levels=new_levels,
        other_reference=other_reference,
        include_fitted=include_fitted,
        ci_prob=ci_prob,
        seed=seed,
    )
    found, files = projecting.project_cohort(run, cohort, output, wishes, force=force)
    if as_json:
        show.json_value(projecting.to_mapping(found, files, ci_prob=ci_prob))
    else:
        show.result([str(p) for p in files])


@app.command()
def compare(
    spec: Annotated[str, typer.Argument(help="Spec file, or the name of a shipped model.")],
    cohort: Cohort,
    n_factors: Annotated[str, typer.Option(help="Numbers of factors, e.g. 2,4,6.")] = "",
    symptom_link: Annotated[
        bool, typer.Option("--symptom-link", help="Add each model without its symptom link.")
    ] = False,
    shared_only: Annotated[
        bool, typer.Option("--shared-only", help="Add each model with all factors shared.")
    ] = False,
    folds: Annotated[int, typer.Option(min=2, help="Parts of the people held out in turn.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Of the folds.")] = 1,
    jobs: Annotated[int | None, typer.Option(help="Fits at once (joblib).")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for tables and densities.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Replace a value; may be repeated."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare models by how well they predict people held out of the fit."""
    from bayes_mdd.cli import comparing, job

    asked = job.read_named_spec(spec).with_overrides(job.parse_settings(settings or []))
    found = comparing.compare_on_cohort(
        asked,
        cohort,
        comparing.parse_numbers(n_factors),
        symptom_link=symptom_link,
        shared_only=shared_only,
        folds=folds,
        seed=seed,
        jobs=jobs,
    )
    files = [str(p) for p in comparing.write_comparison(found, output)] if output else []
    named = comparing.tables(found)
    if as_json:
        show.json_value({**{k: show.records(t) for k, t in named.items()}, "files": files})
        return
    for name, table in named.items():
        show.frame(f"Log density of {name} of people held out", table)
    show.result(files)
