"""The job of ``bayes-mdd baselines``: scans and outcomes of a cohort, methods on common folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import bayes_mdd as bm
from bayes_mdd.cli import output
from bayes_mdd.cli.groups import ControlWords, with_reference
from bayes_mdd.cli.messages import log
from bayes_mdd.cli.response_job import leave_out_incomplete, read_scans_and_outcomes
from bayes_mdd.errors import BayesMDDError

if TYPE_CHECKING:
    import pandas as pd

#: Views that are always possible, and the one that needs ratings in the first weeks.
_VIEWS, _EARLY = ("clinical", "imaging", "both"), "early"


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What the command line says about the comparison.

    Parameters
    ----------
    methods, views : sequence of str or None
        Names; None for the defaults.
    scheme, harmonise : str
        As for `bayes_mdd.compare_baselines`.
    permutations : int
        Largest number of permutations.
    event, leak : str or None
        As for `bayes_mdd.compare_baselines`.
    jobs : int or None
        Folds and tests at once.
    id_key : Path, optional
        File with the key of the hashes in ``folds.tsv``.
    """

    methods: Sequence[str] | None
    views: Sequence[str] | None
    scheme: Literal["repeated", "leave_site_out"]
    permutations: int
    event: Literal["response", "remission"] | None
    harmonise: Literal["site", "combat", "none"]
    leak: Literal["selection"] | None
    jobs: int | None
    id_key: Path | None = None


def compare_cohort(
    spec: bm.TreatmentResponseSpec,
    folder: Path,
    run_dir: Path,
    choices: Choices,
    *,
    force: bool,
    controls: ControlWords,
) -> tuple[bm.BaselineComparison, dict[str, Path]]:
    """Read a cohort, compare methods, and write everything.

    Parameters
    ----------
    spec : TreatmentResponseSpec
        Outcome, covariates, factor model; folds and repeats of its evaluation are used.
    folder : Path
        The cohort.
    run_dir : Path
        The run folder to write to.
    choices : Choices
        What the command line says.
    force : bool
        Whether baselines in the folder may be replaced.
    controls : ControlWords
        What the command says about controls.

    Returns
    -------
    comparison : BaselineComparison
        The results.
    files : dict of str to Path
        What was written.
    """
    # Imported here: a wrong path is reported without waiting for them.
    from bayes_mdd.baselines.store import check_baselines_target
    from bayes_mdd.files.unfinished import kept_until_written

    check_baselines_target(run_dir, force=force)
    first = with_reference(spec.stage_one, controls)
    data, outcomes = read_scans_and_outcomes(spec, first, folder, controls)
    varying = [str(c) for c in outcomes if len(set(outcomes[c].dropna())) > 1]
    changes, notes = spec.changes(varying)
    for text in notes:
        log.info("Note: %s", text)
    asked = bm.response_spec(outcomes, **changes)
    outcomes = leave_out_incomplete(spec, asked, outcomes)
    visits = _read_visits(
        spec, folder, controls.reading(first), required=_EARLY in (choices.views or ())
    )
    views = choices.views or (_VIEWS if visits is None else (*_VIEWS, _EARLY))
    log.info("Comparing methods on the same folds")
    with kept_until_written():
        found = bm.compare_baselines(
            asked,
            data.features,
            outcomes,
            choices.methods,
            views,
            choices.scheme,
            spec.evaluation.folds,
            spec.evaluation.repeats,
            choices.permutations,
            choices.leak,
            spec.sampler.seed,
            event=choices.event,
            visits=visits,
            stage_one=data.spec,
            harmonise=choices.harmonise,
            n_jobs=choices.jobs,
            keep=run_dir.with_name(f"{run_dir.name}-baselines"),
        )
        for text in found.notes:
            log.info("Note: %s", text)
        return found, bm.write_baselines(found, run_dir, id_key=choices.id_key)


def _read_visits(
    spec: bm.TreatmentResponseSpec,
    folder: Path,
    words: tuple[str, ...] | None,
    *,
    required: bool,
) -> pd.DataFrame | None:
    """Read the ratings of all visits; None if there is none in the first weeks."""
    try:
        visits = bm.read_visits(
            bm.read_cohort(folder, controls=words),
            scale=spec.outcome.scale,
            dimension=spec.outcome.dimension,
        )
    except BayesMDDError:
        if required:
            raise
        return None
    from bayes_mdd.baselines.inputs import EARLY_WEEKS

    early = (visits["week"] > 0) & (visits["week"] <= EARLY_WEEKS) & visits["value"].notna()
    return visits if required or bool(early.any()) else None


def print_comparison(
    comparison: bm.BaselineComparison, files: dict[str, Path], *, as_json: bool
) -> None:
    """Print the tables and the sentences.

    Parameters
    ----------
    comparison : BaselineComparison
        The results.
    files : dict of str to Path
        What was written.
    as_json : bool
        Whether to print JSON.
    """
    from bayes_mdd.baselines.store import describe

    table = comparison.table.reset_index()
    if as_json:
        output.print_json(
            {
                **describe(comparison),
                "table": output.records(table),
                "paired": output.records(comparison.paired),
                "files": {name: str(path) for name, path in files.items()},
            }
        )
        return
    shown = ["auc", "balanced_accuracy", "r2", "p_value", "gain", "gain_p_value", "label"]
    columns = [c for c in shown if c in table and table[c].replace("", None).notna().any()]
    title = "Held-out patients" + (" (LEAKY: too good)" if comparison.leak else "")
    output.print_table(title, table[["method", "view", *columns]])
    output.print_lines([*comparison.sentences, ""])
    output.print_lines(f"{name:<18}{path}" for name, path in files.items())
