"""The report of a run, for every model family."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import xarray as xr

from bayes_mdd.features import Quality
from bayes_mdd.files.targets import check_page
from bayes_mdd.results.checks import join_checks, require_checks, tabulate_checks
from bayes_mdd.results.page import PageOptions, write_page
from bayes_mdd.results.quality import judge_data
from bayes_mdd.results.result import read_with_participants
from bayes_mdd.results.rules import RULES
from bayes_mdd.results.stored_analyses import judge_stored, read_analyses
from bayes_mdd.workflow.families import family_of


def write_report(
    idata: xr.DataTree,
    path: str | Path,
    *,
    checks: pd.DataFrame | None = None,
    factors: pd.DataFrame | None = None,
    quality: Quality | None = None,
    title: str | None = None,
    top_edges: int = 60,
    overwrite: bool = True,
    with_participants: bool = False,
    run_dir: str | Path | None = None,
) -> Path:
    """Write one self-contained HTML page about a fit.

    Parameters
    ----------
    idata : xarray.DataTree
        What `fit` returned.
    path : str or Path
        The file, for example ``runs/demo/report.html``; its folder must exist.
    checks : pandas.DataFrame, optional
        What `diagnose` returned; computed when absent.
    factors : pandas.DataFrame, optional
        What `classify_factors` returned; computed with its defaults when absent.
    quality : Quality, optional
        What `check_quality` returned; by default what was recorded with the features
        (`record_quality`). Without either, the page has no section on quality.
    title : str, optional
        Heading of the page; by default that of the model family.
    top_edges : int, default 60
        Edges in each connectome picture.
    overwrite : bool, default True
        Whether an existing file may be replaced.
    with_participants : bool, default False
        Whether the page names participants (those who were left out, and those named in advice),
        the command line and folders. Without them the page can be shared.
    run_dir : str or Path, optional
        Run folder with the tables of ``bayes-mdd check --predictive``, ``--sensitivity`` and
        ``--permutations``, which the page then shows; default the folder of `path`. Tables of
        another run are not shown.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    DataContractError
        If `idata` lacks a group or variable, or `checks` a column.
    RunFolderError
        If the file exists and `overwrite` is False.
    SpecError
        If the folder does not exist.
    """
    path = Path(path)
    check_page(path, overwrite=overwrite)
    if checks is not None:
        require_checks(checks)
    result = read_with_participants(idata, "the report (a shared run holds it as report.html)")
    family = family_of(result.kind)
    if checks is None:
        checks = tabulate_checks(family.checks(result, None))
    checks = join_checks(checks, judge_data(result, quality))
    analyses = read_analyses(path.parent if run_dir is None else run_dir, result)
    checks = join_checks(checks, judge_stored(analyses, checks, result))
    table = family.table(result, RULES) if factors is None else factors
    options = PageOptions(
        title=title,
        quality=quality,
        top_edges=top_edges,
        with_participants=with_participants,
        analyses=analyses,
    )
    return write_page(path, family.page(result, checks, table, options))
