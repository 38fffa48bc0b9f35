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
def check(run: Run, as_json: Json = False) -> None:
    """Judge a finished run: convergence, effective draws, divergences."""
    from bayes_mdd.cli import job

    table = job.write_checks(bayes_mdd.read_run(run), run)
    failed = job.failed_checks(table)
    if as_json:
        show.json_value({"passed": not failed, "checks": show.records(table)})
    else:
        show.checks(table)
    if failed:
        raise typer.Exit(CHECK_FAILED)


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
    idata = bayes_mdd.read_run(run)
    show.result([str(bayes_mdd.write_report(idata, output or run / "report.html"))])
