"""``bayes-mdd prior``."""

from __future__ import annotations

from typing import Annotated

import typer

from bayes_mdd.cli import inputs, messages, options, output
from bayes_mdd.cli.early import require_cohort
from bayes_mdd.cli.groups import control_words, with_reference
from bayes_mdd.cli.messages import log
from bayes_mdd.errors import SpecError


def prior(
    spec: options.SpecName,
    cohort: options.Cohort,
    draws: Annotated[int, typer.Option(min=100, help="Number of draws from the priors.")] = 2000,
    settings: options.Settings = None,
    controls: options.Controls = None,
    no_controls: options.NoControls = False,
    seed: options.Seed = 1,
    as_json: options.Json = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Summarise what the priors of a model imply for a cohort, without fitting it."""
    messages.set_verbosity(verbose=verbose, quiet=quiet)
    words = control_words(controls, no_controls)
    asked = with_reference(inputs.read_spec_argument(spec, settings), words)
    require_cohort(cohort)
    from bayes_mdd.workflow.families import FAMILIES, family_of

    summarise_prior = family_of(asked.kind).prior
    if summarise_prior is None:
        able = [kind for kind in FAMILIES if family_of(kind).prior]
        raise SpecError(
            f"the model {asked.kind} has no prior predictive; models that have one: "
            f"{', '.join(able)}."
        )
    data = inputs.read_inputs(asked, cohort, words)
    log.info("Drawing %d times from the priors", draws)
    table = summarise_prior(data.spec.model, data.features, data.symptoms, draws, seed)
    if as_json:
        output.print_json({"prior": output.records(table)})
    else:
        output.print_table("Prior expectations", table)
