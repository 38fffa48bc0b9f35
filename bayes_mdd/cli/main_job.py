"""The main job on files: read, standardise, fit, check, export, report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer

import bayes_mdd as bm
from bayes_mdd.cli import output
from bayes_mdd.cli.early import check_fit
from bayes_mdd.cli.groups import ControlWords
from bayes_mdd.cli.inputs import Inputs, read_inputs
from bayes_mdd.cli.messages import keep_log, log, show_progress_bar
from bayes_mdd.cli.run_checks import write_checks
from bayes_mdd.cli.status import ExitStatus
from bayes_mdd.files.noted import IN_CHECKS

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from bayes_mdd.results.checks import Verdict


@dataclass(frozen=True, eq=False)
class Outcome:
    """Content of a completed run folder.

    Parameters
    ----------
    checks : pandas.DataFrame
        As `bayes_mdd.diagnose` returns it.
    verdict : Verdict
        The verdict from these checks.
    factors : pandas.DataFrame
        As `bayes_mdd.classify_factors` returns it.
    overview : pandas.DataFrame
        The same as text for a terminal.
    arms : pandas.DataFrame
        Variance explained by arm; empty where the model family does not define it.
    files : mapping of str to Path
        The run folder and its parts.
    approximate : bool
        Whether the fit took the fast path.
    """

    checks: pd.DataFrame
    verdict: Verdict
    factors: pd.DataFrame
    overview: pd.DataFrame
    arms: pd.DataFrame
    files: Mapping[str, Path]
    approximate: bool

    def to_mapping(self) -> dict[str, Any]:
        """Convert to values that JSON can represent.

        Returns
        -------
        dict
            ``passed``, ``verdict`` over all checks, ``factors`` that are used, ``arms``, ``checks``
            and ``files``; ``approximate`` for a fast fit.
        """
        from bayes_mdd.results.used import used_factors

        return {
            **({"approximate": True} if self.approximate else {}),
            "passed": self.verdict.passed,
            "verdict": self.verdict.to_mapping(),
            "factors": output.records(used_factors(self.factors)),
            "arms": output.records(self.arms),
            "checks": output.records(self.checks),
            "files": {name: str(path) for name, path in self.files.items()},
        }


def fit_cohort(
    spec: bm.AnalysisSpec,
    folder: Path,
    run_dir: Path,
    *,
    force: bool,
    fast: bool = False,
    controls: ControlWords | None = None,
    data: Inputs | None = None,
) -> xr.DataTree:
    """Read a cohort, standardise its features relative to healthy controls, and fit.

    Parameters
    ----------
    spec : AnalysisSpec
        Model, reference, quality thresholds and sampler.
    folder : Path
        The cohort.
    run_dir : Path
        The run folder to write.
    force : bool
        Whether an existing run folder may be replaced.
    fast : bool, default False
        Whether to take the fast path, whose intervals are approximate.
    controls : ControlWords, optional
        What the command says about controls.
    data : Inputs, optional
        The cohort, where it has been read already.

    Returns
    -------
    xarray.DataTree
        As `bayes_mdd.fit` returns it.
    """
    method: Literal["mcmc", "fast"] = "fast" if fast else "mcmc"
    check_fit(spec, folder, run_dir, force=force, method=method)
    from bayes_mdd.files.unfinished import forget_unfinished
    from bayes_mdd.workflow.families import family_of
    from bayes_mdd.workflow.fit import find_run

    data = data or read_inputs(spec, folder, controls)
    spec = data.spec
    features = bm.reference_to_controls(
        data.features, covariates=spec.reference.covariates, group=spec.reference.group
    )
    quality = bm.check_quality(features, spec.quality, before=data.features)
    for name, advice in quality.failed.items():
        log.warning("Quality: %s: %s", name, advice, extra={IN_CHECKS: True})
    features = bm.record_quality(features, quality)
    if find_run(
        spec.model,
        features,
        run_dir,
        symptoms=data.symptoms,
        sampler=spec.sampler,
        method=method,
        force=force,
    ):
        forget_unfinished(run_dir)
        keep_log(run_dir)
        log.info("%s contains this run already: it is read, not fitted again", run_dir)
        return bm.read_run(run_dir)
    keep_log(run_dir, new=True)
    log.info(
        "Fitting the model %s to %d features (%s)",
        spec.kind,
        features.sizes["feature"],
        family_of(spec.kind).describe_fit(spec.model, spec.sampler, method),
    )
    return bm.fit(
        spec.model,
        features,
        symptoms=data.symptoms,
        sampler=spec.sampler,
        method=method,
        run_dir=run_dir,
        force=force,
        progressbar=show_progress_bar(),
    )


def complete_run(idata: xr.DataTree, run_dir: Path) -> Outcome:
    """Check a fitted run, export its signature maps and write its report.

    Parameters
    ----------
    idata : xarray.DataTree
        The fitted run.
    run_dir : Path
        Its folder.

    Returns
    -------
    Outcome
        Checks, factors and files.
    """
    from bayes_mdd.results.checks import judge
    from bayes_mdd.results.result import read_result
    from bayes_mdd.results.rules import RULES
    from bayes_mdd.workflow.families import family_of

    log.info("Checking the fit, exporting signature maps, writing the report")
    result = read_result(idata)
    family = family_of(result.kind)
    factors = bm.classify_factors(idata)
    maps = run_dir / "signatures"
    bm.export_signatures(bm.signatures(idata, factors=factors), maps, overwrite=True)
    checks = write_checks(idata, run_dir).table
    report = bm.write_report(idata, run_dir / "report.html", checks=checks, factors=factors)
    return Outcome(
        checks=checks,
        verdict=judge(checks),
        factors=factors,
        overview=family.overview(factors),
        arms=family.arm_totals(result, RULES.ci_prob),
        files={
            "run": run_dir,
            "checks": run_dir / "checks.json",
            "signatures": maps,
            "report": report,
        },
        approximate=result.approximate,
    )


def print_outcome(outcome: Outcome, *, as_json: bool) -> None:
    """Print what a completed run contains; leave with status 1 if a check failed.

    Parameters
    ----------
    outcome : Outcome
        From `complete_run`.
    as_json : bool
        Whether to print JSON.

    Raises
    ------
    typer.Exit
        If a check failed.
    """
    if as_json:
        output.print_json(outcome.to_mapping())
    else:
        show_outcome(outcome)
    if not outcome.verdict.passed:
        raise typer.Exit(ExitStatus.CHECK_FAILED)


def show_outcome(outcome: Outcome) -> None:
    """Print checks, factors and files of a completed run.

    Parameters
    ----------
    outcome : Outcome
        From `complete_run`.
    """
    title = "Factors (approximate: fast path)" if outcome.approximate else "Factors"
    output.print_checks(outcome.checks)
    output.print_table(title, outcome.overview)
    output.print_lines(f"{name:<12}{path}" for name, path in outcome.files.items())
