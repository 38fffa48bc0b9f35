"""The application: its commands, and the exit status of each outcome."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

import bayes_mdd
from bayes_mdd.cli import messages
from bayes_mdd.cli.commands.baselines import baselines
from bayes_mdd.cli.commands.check import check
from bayes_mdd.cli.commands.combine import combine
from bayes_mdd.cli.commands.compare import compare
from bayes_mdd.cli.commands.demo import demo
from bayes_mdd.cli.commands.doctor import doctor
from bayes_mdd.cli.commands.evidence import evidence
from bayes_mdd.cli.commands.export import export
from bayes_mdd.cli.commands.features import features
from bayes_mdd.cli.commands.fit import fit
from bayes_mdd.cli.commands.power import power
from bayes_mdd.cli.commands.prior import prior
from bayes_mdd.cli.commands.project import project
from bayes_mdd.cli.commands.recommend import recommend
from bayes_mdd.cli.commands.report import report
from bayes_mdd.cli.commands.response import response
from bayes_mdd.cli.commands.signatures import signatures
from bayes_mdd.cli.commands.simulate import simulate
from bayes_mdd.cli.commands.validate import validate
from bayes_mdd.cli.messages import log
from bayes_mdd.cli.signals import Stopped, stopped_by_signals
from bayes_mdd.cli.status import ExitStatus
from bayes_mdd.errors import BayesMDDError

PROGRAM = "bayes-mdd"

app = typer.Typer(
    name=PROGRAM,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=(
        "Shared and drug-specific factors of brain connectivity in depression.\n\n"
        "Exit status: 0 success; 1 completed, but a check of the fit failed; 2 invalid input, or a "
        "file that cannot be written; "
        "3 internal error."
    ),
)
for command in (
    doctor,
    demo,
    simulate,
    features,
    validate,
    prior,
    fit,
    check,
    signatures,
    export,
    report,
    project,
    compare,
    combine,
    power,
    response,
    recommend,
    baselines,
    evidence,
):
    app.command()(command)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"{PROGRAM} {bayes_mdd.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[
        bool,
        typer.Option("--debug", help="Show the traceback of an error. Any position is allowed."),
    ] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the version and exit.",
            callback=_print_version,
            is_eager=True,
        ),
    ] = False,
) -> None:
    """Accept the options of the program itself."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its status.

    Parameters
    ----------
    argv : sequence of str, optional
        Words after the name of the program. Default: those of the process.

    Raises
    ------
    SystemExit
        Always; its code is the exit status.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in words
    words = [w for w in words if w != "--debug"]
    with messages.on_stderr(words), stopped_by_signals():
        try:
            app(words, prog_name=PROGRAM)
        except Stopped as stopped:
            log.error("%s", stopped)
            sys.exit(stopped.status)
        except (BayesMDDError, OSError) as error:
            if debug:
                raise
            log.error("%s", error)
            sys.exit(ExitStatus.BAD_INPUT)
        except Exception as error:
            if debug:
                raise
            log.error(
                "%s: %s\nThis is an error in %s, not in your input. Run the same command with "
                "--debug to see where it occurred, and report it with that output.",
                type(error).__name__,
                error,
                PROGRAM,
            )
            sys.exit(ExitStatus.INTERNAL_ERROR)
