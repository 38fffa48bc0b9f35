"""``bayes-mdd validate``."""

from __future__ import annotations

from typing import Annotated

import typer

from bayes_mdd.cli import inputs, messages, options, validation
from bayes_mdd.cli.early import require_cohort
from bayes_mdd.cli.groups import control_words, with_reference
from bayes_mdd.cli.status import ExitStatus


def validate(
    cohort: options.Cohort,
    spec: Annotated[
        str, typer.Option("--spec", metavar="SPEC", help=options.SPEC_HELP)
    ] = "shared_specific",
    settings: options.Settings = None,
    controls: options.Controls = None,
    no_controls: options.NoControls = False,
    as_json: options.Json = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Tell in seconds all that `fit` would say about a cohort: problems, roles, columns, features.

    Exit status: 0 the cohort can be fitted; 2 it cannot.
    """
    messages.set_verbosity(verbose=verbose, quiet=quiet)
    words = control_words(controls, no_controls)
    asked = with_reference(inputs.read_spec_argument(spec, settings), words)
    require_cohort(cohort)
    found = validation.validate(asked, cohort, words)
    validation.print_validation(found, as_json=as_json)
    if not found.passed:
        raise typer.Exit(ExitStatus.BAD_INPUT)
