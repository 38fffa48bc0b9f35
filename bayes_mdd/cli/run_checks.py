"""Checks of a run and their files: ``checks.json`` and a table for each additional analysis."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bayes_mdd as bm
from bayes_mdd.cli.messages import log
from bayes_mdd.cli.output import records
from bayes_mdd.files.replace import write_text

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from bayes_mdd.results.checks import Check, Verdict

#: Rows of a long table that are printed; the file holds all.
SHOWN = 12
#: Title of the table of covariates.
COVARIATES = "Covariates (values among the fitted participants)"


@dataclass(frozen=True, eq=False)
class Analysis:
    """One additional analysis of a run.

    Parameters
    ----------
    checks : sequence of Check
        Rows for the table of checks.
    tables : mapping of str to DataFrame
        Complete tables, by name of their file.
    shown : mapping of str to DataFrame
        What a terminal shows of them, by title.
    """

    checks: Sequence[Check]
    tables: Mapping[str, pd.DataFrame]
    shown: Mapping[str, pd.DataFrame]


@dataclass(frozen=True, eq=False)
class RunChecks:
    """The checks of a run.

    Parameters
    ----------
    table : pandas.DataFrame
        As `bayes_mdd.diagnose` returns it, with the rows of additional analyses.
    analyses : sequence of Analysis
        The additional analyses.
    files : sequence of Path
        Files with their tables.
    covariates : pandas.DataFrame
        See `bayes_mdd.results.covariates.describe_covariates`.
    """

    table: pd.DataFrame
    analyses: Sequence[Analysis]
    files: Sequence[Path]
    covariates: pd.DataFrame

    @property
    def verdict(self) -> Verdict:
        """The verdict from all checks."""
        from bayes_mdd.results.checks import judge

        return judge(self.table)

    @property
    def shown(self) -> dict[str, pd.DataFrame]:
        """What a terminal shows beside the checks, by title."""
        tables = {title: table for a in self.analyses for title, table in a.shown.items()}
        return ({COVARIATES: self.covariates} if len(self.covariates) else {}) | tables

    def to_mapping(self) -> dict[str, Any]:
        """Convert to values that JSON can represent.

        Returns
        -------
        dict
            ``passed``, ``verdict``, ``checks``, ``covariates`` and the tables of additional
            analyses.
        """
        tables = {name: table for a in self.analyses for name, table in a.tables.items()}
        return {
            "passed": self.verdict.passed,
            "verdict": self.verdict.to_mapping(),
            "checks": records(self.table),
            "covariates": records(self.covariates),
            **{name: records(table) for name, table in tables.items()},
        }


def check_permutations(
    idata: xr.DataTree, run_dir: Path, *, permutations: int, seed: int, n_jobs: int | None = None
) -> Analysis:
    """Test whether specific factors could be due to chance, by permuting the arm labels.

    Parameters
    ----------
    idata : xarray.DataTree
        The fitted run.
    run_dir : Path
        Its folder.
    permutations : int
        Number of refits.
    seed : int
        Random seed.
    n_jobs : int, optional
        Refits at once; all cores by default.

    Returns
    -------
    Analysis
        One check; table ``permutations``.
    """
    from bayes_mdd.studies.permutation import judge_permutations

    log.info("Refitting with the observed and with %d permuted arm labels", permutations)
    keep = run_dir.with_name(f"{run_dir.name}-permutations")
    table = bm.permute_arms(
        idata,
        permutations=permutations,
        seed=seed,
        keep=keep,
        n_jobs=-1 if n_jobs is None else n_jobs,
    )
    check = judge_permutations(table, bm.classify_factors(idata))
    return Analysis([check], {"permutations": table}, {})


def check_residuals(idata: xr.DataTree, *, seed: int) -> Analysis:
    """Compare the residuals with those of replicated data.

    Parameters
    ----------
    idata : xarray.DataTree
        The fitted run.
    seed : int
        Random seed.

    Returns
    -------
    Analysis
        One check per statistic; tables ``predictive_*``.
    """
    from bayes_mdd.shared_specific.checks.predictive_verdict import judge_predictive

    log.info("Comparing residuals with those of replicated data")
    found = bm.predictive_checks(idata, seed=seed)
    # The last row is that of all features.
    by_width = found.blocks.iloc[:-1].sort_values("too_narrow", ascending=False)
    blocks = found.blocks.loc[[*by_width.index[: SHOWN - 1], found.blocks.index[-1]]]
    return Analysis(
        judge_predictive(found),
        {
            "predictive_checks": found.table,
            "predictive_blocks": found.blocks,
            "predictive_factors": found.factors,
            "predictive_people": found.subjects,
        },
        {
            "Predictive checks": found.table.drop(columns="meaning"),
            "Residuals by block (least independent first)": blocks,
            "Strength of factors relative to correlated noise": found.factors,
            "Participants with the largest residuals": found.subjects.head(SHOWN),
        },
    )


def check_prior_sensitivity(idata: xr.DataTree, *, seed: int) -> Analysis:
    """Measure how results depend on the priors, by power scaling.

    Parameters
    ----------
    idata : xarray.DataTree
        The fitted run.
    seed : int
        Random seed.

    Returns
    -------
    Analysis
        One check; table ``prior_sensitivity``.
    """
    from bayes_mdd.shared_specific.checks.sensitivity import judge_sensitivity

    log.info("Reweighting the draws for stronger and weaker priors and likelihood")
    table = bm.prior_sensitivity(idata, seed=seed)
    sensitive = table[table["diagnosis"] != ""]
    title, rows = "Prior sensitivity", table
    if len(sensitive):
        title, rows = "Results that depend on a prior", sensitive
    columns = [c for c in table if not str(c).startswith("shift_")]
    return Analysis(
        [judge_sensitivity(table)],
        {"prior_sensitivity": table},
        {title: rows[columns].head(SHOWN)},
    )


def check_response_controls(idata: xr.DataTree, run_dir: Path, *, seed: int) -> Analysis:
    """Repeat the analysis of treatment response where nothing can be found.

    Parameters
    ----------
    idata : xarray.DataTree
        The fitted run of the scans.
    run_dir : Path
        Its folder, with the analysis of treatment response.
    seed : int
        Random seed.

    Returns
    -------
    Analysis
        One check per control and those of the fit; table ``response/controls``.
    """
    from bayes_mdd.response.checks import check_response
    from bayes_mdd.response.stored_outcomes import restore_outcomes
    from bayes_mdd.results.checks import CHECK_COLUMNS, Check
    from bayes_mdd.specs import ResponseSpec

    fitted = bm.read_response(run_dir)
    log.info("Repeating the analysis of treatment response where nothing can be found")
    spec = ResponseSpec.from_mapping(json.loads(fitted.attrs["spec"]))
    table = bm.negative_controls(spec, bm.score_moments(idata), restore_outcomes(fitted), seed=seed)
    rows = [
        Check(*(row[c] for c in CHECK_COLUMNS))
        for part in (check_response(fitted), table)
        for row in part.to_dict("records")
    ]
    return Analysis(rows, {"response/controls": table}, {})


def report_detectable(idata: xr.DataTree) -> list[Analysis]:
    """Report the smallest factors that the search would have found in the cohort.

    Parameters
    ----------
    idata : xarray.DataTree
        The fitted run.

    Returns
    -------
    list of Analysis
        No check; table ``smallest_trait``. Empty where the limits are not known.
    """
    from bayes_mdd.results.result import read_result
    from bayes_mdd.shared_specific.checks.detectable import smallest_trait
    from bayes_mdd.shared_specific.spec import KIND

    result = read_result(idata)
    table = smallest_trait(result) if result.kind == KIND else None
    if table is None:
        return []
    shown = table.assign(explained=table["explained"].map("{:.1%}".format))
    title = "Smallest detectable factors (found in half of such cohorts; not found is not absent)"
    return [Analysis([], {"smallest_trait": table}, {title: shown})]


def write_checks(
    idata: xr.DataTree, run_dir: Path | None, analyses: Sequence[Analysis] = ()
) -> RunChecks:
    """Check a run, and write the verdict and all tables to its folder.

    Parameters
    ----------
    idata : xarray.DataTree
        The fitted run.
    run_dir : Path or None
        Its folder; None to write nothing.
    analyses : sequence of Analysis
        Additional analyses; their tables go to ``<name>.tsv``. Checks of analyses that an earlier
        call ran stay until these are run again.

    Returns
    -------
    RunChecks
        Checks and files.
    """
    from bayes_mdd.results.checks import append_check, judge
    from bayes_mdd.results.covariates import describe_covariates
    from bayes_mdd.results.result import read_result
    from bayes_mdd.results.stored_checks import CHECKS_FILE

    table = _keep_earlier(bm.diagnose(idata), run_dir, analyses)
    covariates = describe_covariates(read_result(idata))
    files = []
    for analysis in analyses:
        for check in analysis.checks:
            table = append_check(table, check)
        for name, values in analysis.tables.items():
            text = values.to_csv(
                sep="\t", index=False, na_rep="n/a", float_format="%.6g", lineterminator="\n"
            )
            if run_dir is not None:
                files.append(write_text(run_dir / f"{name}.tsv", text))
    verdict = judge(table)
    stored = {
        "passed": verdict.passed,
        "verdict": verdict.to_mapping(),
        "checks": records(table),
        "covariates": records(covariates),
    }
    if run_dir is not None:
        write_text(run_dir / CHECKS_FILE, json.dumps(stored, indent=2) + "\n")
    return RunChecks(table, analyses, files, covariates)


#: Tables of additional analyses, by a part of the names of their checks.
_TABLES = {
    "predictive p: ": "predictive_checks",
    "permutations of arms": "permutations",
    "rest on a prior": "prior_sensitivity",
}


def _keep_earlier(
    table: pd.DataFrame, run_dir: Path | None, analyses: Sequence[Analysis]
) -> pd.DataFrame:
    """Keep the checks of analyses that an earlier call ran and that this one does not repeat."""
    from bayes_mdd.results.checks import CHECK_COLUMNS, Check, join_checks
    from bayes_mdd.results.stored_checks import read_checks

    stored = None if run_dir is None else read_checks(run_dir)
    if run_dir is None or stored is None:
        return table
    repeated = {name for a in analyses for name in a.tables}
    kept = []
    for row in stored.to_dict("records"):
        made = next((t for part, t in _TABLES.items() if part in str(row["name"])), None)
        if made and made not in repeated and (run_dir / f"{made}.tsv").is_file():
            kept.append(Check(*(row[c] for c in CHECK_COLUMNS)))
    return join_checks(table, kept)
