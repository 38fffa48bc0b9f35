"""The job of ``bayes-mdd response``: scans with the arms hidden, then outcomes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer

import bayes_mdd as bm
from bayes_mdd.cli import main_job, output
from bayes_mdd.cli.early import check_fit
from bayes_mdd.cli.groups import ControlWords, with_reference
from bayes_mdd.cli.inputs import Inputs, parse_changes, read_inputs
from bayes_mdd.cli.messages import log, show_progress_bar
from bayes_mdd.cli.shipped import RESPONSE_MODELS
from bayes_mdd.cli.status import ExitStatus
from bayes_mdd.errors import BayesMDDError, DataContractError, SpecError, problems_of, some

if TYPE_CHECKING:
    import pandas as pd

_SEEDS = ("sampler.seed", "stage_one.sampler.seed")
_STAGE_ONE = "evaluation.stage_one"


@dataclass(frozen=True, eq=False)
class Done:
    """A completed run.

    Parameters
    ----------
    scans : Outcome
        Factors and checks of the first stage.
    analysis : ResponseAnalysis
        The second stage.
    controls : DataFrame or None
        Negative controls; None without factors.
    files : dict of str to Path
        What was written.
    """

    scans: main_job.Outcome
    analysis: bm.ResponseAnalysis
    controls: pd.DataFrame | None
    files: dict[str, Path]

    @property
    def checks(self) -> pd.DataFrame:
        """All checks of both stages."""
        import pandas as pd

        parts = [self.scans.checks, self.analysis.checks, self.controls]
        return pd.concat([p for p in parts if p is not None], ignore_index=True)


def read_response_argument(
    name: str,
    settings: Iterable[str] | None,
    *,
    seed: int | None = None,
    stage_one: str | None = None,
) -> bm.TreatmentResponseSpec:
    """Read the spec of the command and replace values.

    Parameters
    ----------
    name : str
        A spec file or the name of a shipped one.
    settings : iterable of str, optional
        Words ``KEY=VALUE`` of ``--set``.
    seed : int, optional
        Seed of both stages, from ``--seed``.
    stage_one : {"refit", "once"}, optional
        Whether the factors are fitted again in each fold, from ``--stage-one``.

    Returns
    -------
    TreatmentResponseSpec
        The validated spec.

    Raises
    ------
    SpecError
        If the spec or a setting is not valid, or a value is given twice.
    """
    changes = parse_changes(settings, seed, *_SEEDS)
    if stage_one is not None:
        if _STAGE_ONE in changes:
            raise SpecError(
                f"--stage-one and --set {_STAGE_ONE}=... set the same value: give one of them."
            )
        changes[_STAGE_ONE] = stage_one
    path = Path(name)
    if path.suffix not in {".yaml", ".yml"} and not path.exists():
        if name not in RESPONSE_MODELS:
            raise SpecError(
                f"There is no spec file '{name}' and no shipped spec of that name. "
                f"Give a .yaml file or one of: {', '.join(RESPONSE_MODELS)}."
            )
        path = RESPONSE_MODELS[name]
    return bm.read_response_spec(path).with_overrides(changes)


def analyse_cohort(
    spec: bm.TreatmentResponseSpec,
    folder: Path,
    run_dir: Path,
    *,
    force: bool,
    fast: bool,
    controls: ControlWords,
    jobs: int | None = None,
) -> Done:
    """Fit the factors with the arms hidden, then analyse outcomes, and write everything.

    Parameters
    ----------
    spec : TreatmentResponseSpec
        Both stages.
    folder : Path
        The cohort.
    run_dir : Path
        The run folder to write.
    force : bool
        Whether an existing run may be replaced.
    fast : bool
        Whether both stages take their fast method.
    controls : ControlWords
        What the command says about controls.
    jobs : int, optional
        Fits of factors at once, where they are fitted again in each fold.

    Returns
    -------
    Done
        Results and files.
    """
    method: Literal["mcmc", "fast"] = "fast" if fast else "mcmc"
    first = with_reference(spec.stage_one, controls)
    check_fit(first, folder, run_dir, force=force, method=method)
    # Imported here: a wrong path is reported without waiting for them.
    from bayes_mdd.files.unfinished import kept_until_written
    from bayes_mdd.parallel.keep import keep_results
    from bayes_mdd.response.page.further import read_further
    from bayes_mdd.response.store import REPORT, check_response_target, to_tsv, write_response
    from bayes_mdd.response.stored_outcomes import restore_outcomes

    check_response_target(run_dir, spec, method, force=force)
    data, outcomes = read_scans_and_outcomes(spec, first, folder, controls)
    words = controls.reading(first)
    asked = _resolve(spec, data, outcomes, fast=fast)
    visits = _read_visits(spec, asked, outcomes, folder, words)
    again = _stage_one(spec, asked, data, jobs)
    idata = main_job.fit_cohort(
        first, folder, run_dir, force=force, fast=fast, controls=controls, data=data
    )
    scans = main_job.complete_run(idata, run_dir)
    log.info("Analysing outcomes (%s)", method)
    moments = bm.score_moments(idata, factors=bm.classify_factors(idata))
    # The folds and the factors of the fit depend on the spec and on these inputs.
    inputs = json.loads(idata.attrs["provenance"])["inputs_sha256"]
    key = {"study": "response", "spec": spec.to_mapping(), "inputs": inputs}
    target = run_dir.with_name(f"{run_dir.name}-response")
    with kept_until_written():
        with keep_results(None if again is None else target, key, noun="fits of folds") as kept:
            analysis = bm.analyse_response(
                asked, moments, outcomes, visits, evaluation=spec.evaluation, sampler=spec.sampler,
                method=method, incomplete=spec.outcome.incomplete,
                refit=None if again is None else replace(again, keep=kept),
                progressbar=show_progress_bar(),
            )  # fmt: skip
        control = None
        if analysis.moderation is not None:
            analysed = restore_outcomes(analysis.response)
            control = bm.negative_controls(asked, moments, analysed, seed=spec.sampler.seed)
        files = write_response(analysis, run_dir, spec)
        folder_ = files["posterior"].parent
        if control is not None:
            from bayes_mdd.files.replace import write_text

            files["controls"] = write_text(folder_ / "controls.tsv", to_tsv(control))
        page = bm.write_response_report(
            analysis, folder_ / REPORT, controls=control, factors=idata, spec=spec,
            further=read_further(folder_),
        )  # fmt: skip
    return Done(scans, analysis, control, {**files, "report": page})


def read_scans_and_outcomes(
    spec: bm.TreatmentResponseSpec, first: bm.AnalysisSpec, folder: Path, controls: ControlWords
) -> tuple[Inputs, pd.DataFrame]:
    """Read scans and outcomes, and raise one error with the problems of both.

    Parameters
    ----------
    spec : TreatmentResponseSpec
        Both stages.
    first : AnalysisSpec
        The first stage, with its reference.
    folder : Path
        The cohort.
    controls : ControlWords
        What the command says about controls.

    Returns
    -------
    data : Inputs
        Features with the arms hidden.
    outcomes : DataFrame
        From `bayes_mdd.read_outcomes`.
    """
    errors: list[BayesMDDError] = []
    data = outcomes = None
    try:
        data = read_inputs(first, folder, controls, hide_arms=True)
    except BayesMDDError as error:
        errors.append(error)
    try:
        outcomes = read_trial_outcomes(spec, folder, controls.reading(first))
    except BayesMDDError as error:
        errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if data is None or outcomes is None:
        listed = dict.fromkeys(p for e in errors for p in problems_of(e))
        raise DataContractError(f"cohort {folder}", list(listed))
    return data, outcomes


def read_trial_outcomes(
    spec: bm.TreatmentResponseSpec, folder: Path, words: tuple[str, ...] | None
) -> pd.DataFrame:
    """Read the outcomes of a cohort as a spec describes them.

    Parameters
    ----------
    spec : TreatmentResponseSpec
        Scale, sessions, and what it states of the design.
    folder : Path
        The cohort.
    words : tuple of str or None
        Diagnoses that mark controls.

    Returns
    -------
    DataFrame
        From `bayes_mdd.read_outcomes`.
    """
    stated = spec.response
    outcomes = bm.read_outcomes(
        bm.read_cohort(folder, controls=words),
        scale=spec.outcome.scale,
        endpoint=spec.outcome.endpoint,
        baseline=spec.outcome.baseline,
        dimension=spec.outcome.dimension,
        higher_is_better=stated.get("higher_is_better"),
        assignment=stated.get("assignment"),
        default=stated.get("default_arm"),
    )
    for text in outcomes.attrs["notes"]:
        log.info("Note: %s", text)
    return outcomes


def _resolve(
    spec: bm.TreatmentResponseSpec, data: Inputs, outcomes: pd.DataFrame, *, fast: bool
) -> bm.ResponseSpec:
    """Build the spec of the second stage, and check all that can be checked before the fit."""
    from bayes_mdd.response.analysis import check_folds
    from bayes_mdd.response.join import NO_OUTCOME
    from bayes_mdd.response.prepare import check_outcomes

    varying = [str(c) for c in outcomes if len(set(outcomes[c].dropna())) > 1]
    changes, notes = spec.changes(varying)
    for text in notes:
        log.info("Note: %s", text)
    asked = bm.response_spec(outcomes, **changes)
    problems = []
    if fast and asked.kind != "gaussian":
        problems.append(f"--fast supports response.kind 'gaussian', got '{asked.kind}': omit it.")
    scanned = data.features["subject"].values.astype(str)
    try:
        outcomes = leave_out_incomplete(spec, asked, outcomes)
        table, excluded = check_outcomes(asked, scanned, outcomes)
    except DataContractError as error:
        raise DataContractError("outcomes", [*error.problems, *problems]) from error
    if problems := [*problems, *check_folds(asked, table, spec.evaluation)]:
        raise SpecError(" ".join(problems))
    reasons = list(excluded.values())
    for reason in dict.fromkeys(reasons):
        text = "Without an outcome" if reason == NO_OUTCOME else f"Not analysed ({reason})"
        log.info("%s: %d participants", text, reasons.count(reason))
    return asked


def _stage_one(
    spec: bm.TreatmentResponseSpec, asked: bm.ResponseSpec, data: Inputs, jobs: int | None
) -> bm.StageOne | None:
    """Prepare the refits of the factors without each fold, where a rule is evaluated."""
    if spec.evaluation.stage_one == "once" or asked.kind not in ("gaussian", "student"):
        return None
    try:
        return bm.StageOne(
            features=data.features,
            factors=data.spec,
            symptoms=data.symptoms,
            seed=spec.sampler.seed,
            n_jobs=jobs,
            tell=log.info,
        )
    except SpecError as error:
        raise SpecError(
            f"{error} Or fit the factors once, to the scans of all patients: --stage-one once."
        ) from error


def _read_visits(
    spec: bm.TreatmentResponseSpec,
    asked: bm.ResponseSpec,
    outcomes: pd.DataFrame,
    folder: Path,
    words: tuple[str, ...] | None,
) -> pd.DataFrame | None:
    """Read and check the ratings of all visits, where they add patients."""
    from bayes_mdd.response.visits import check_visits

    if asked.missing != "mar" or not outcomes[asked.outcome].isna().any():
        return None
    if asked.kind != "gaussian":
        log.info("Note: patients without an outcome are left out: visits enter gaussian outcomes.")
        return None
    visits = bm.read_visits(
        bm.read_cohort(folder, controls=words),
        scale=spec.outcome.scale,
        dimension=spec.outcome.dimension,
    )
    n = check_visits(asked, outcomes, visits)
    log.info("Note: %d participants without an outcome have earlier visits, which are used", n)
    return visits


def leave_out_incomplete(
    spec: bm.TreatmentResponseSpec, asked: bm.ResponseSpec, outcomes: pd.DataFrame
) -> pd.DataFrame:
    """Leave out patients whose baseline or covariates are not known, or refuse.

    Parameters
    ----------
    spec : TreatmentResponseSpec
        Says which.
    asked : ResponseSpec
        Names the columns.
    outcomes : DataFrame
        From `bayes_mdd.read_outcomes`.

    Returns
    -------
    DataFrame
        The rows that are complete.
    """
    from bayes_mdd.response.flow import find_incomplete

    found = find_incomplete(asked, outcomes)
    if not found:
        return outcomes
    if spec.outcome.incomplete == "refuse":
        raise DataContractError(
            "outcomes",
            [
                f"'{name}' is missing for {some(ids)}, whose outcome is known: fill it in, drop "
                "the column from response.covariates, or leave these participants out with --set "
                "outcome.incomplete=exclude."
                for name, ids in found.items()
            ],
        )
    lacking = {i for ids in found.values() for i in ids}
    log.info("Note: not analysed, %s not known: %d participants", ", ".join(found), len(lacking))
    return outcomes[[str(i) not in lacking for i in outcomes.index]]


def print_done(done: Done, *, as_json: bool) -> None:
    """Print the verdict; leave with status 1 if a check failed.

    Parameters
    ----------
    done : Done
        From `analyse_cohort`.
    as_json : bool
        Whether to print JSON.

    Raises
    ------
    typer.Exit
        If a check failed.
    """
    from bayes_mdd.results.checks import judge

    analysis, verdict = done.analysis, judge(done.checks)
    if as_json:
        output.print_json(
            {
                "passed": verdict.passed,
                **analysis.to_mapping(),
                "factors": output.records(analysis.summary.reset_index()),
                "flow": output.records(analysis.flow),
                "value": _table(analysis),
                "checks": output.records(done.checks),
                "files": {name: str(path) for name, path in done.files.items()},
            }
        )
    else:
        output.print_checks(done.checks)
        title = "Factors (points per SD of the score)"
        if done.scans.approximate:
            title = "Factors (points per SD of the score; approximate: fast method)"
        output.print_table(title, _brief(analysis.summary))
        if analysis.value is not None:
            output.print_lines([analysis.value.describe()])
            output.print_table(
                "Gain of the learned rule, held out (points; p_randomisation "
                f"{analysis.value.p_randomisation:.3f})",
                analysis.value.table[["gain", "lower", "upper"]]
                .rename_axis("compared with")
                .reset_index(),
            )
        output.print_lines([analysis.sentence, ""])
        output.print_lines(f"{name:<12}{path}" for name, path in done.files.items())
    if not verdict.passed:
        raise typer.Exit(ExitStatus.CHECK_FAILED)


def _table(analysis: bm.ResponseAnalysis) -> list[dict[str, Any]] | None:
    if analysis.value is None:
        return None
    return output.records(analysis.value.table.rename_axis("compared_with").reset_index())


def _brief(summary: pd.DataFrame) -> pd.DataFrame:
    """Prognosis and moderation with intervals as text."""
    import pandas as pd

    rows = [
        {
            "factor": name,
            **{
                kind: f"{r[kind]:.2f} [{r[f'{kind}_lower']:.2f}, {r[f'{kind}_upper']:.2f}]"
                for kind in ("prognosis", "moderation")
            },
            "reliability (believed)": f"{r['reliability']:.2f}",
        }
        for name, r in summary.iterrows()
    ]
    columns = ["factor", "prognosis", "moderation", "reliability (believed)"]
    return pd.DataFrame(rows, columns=columns)
