"""What the export "share" needs of a run: its table of factors, checks and report."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pandas as pd
import xarray as xr

from bayes_mdd.results.exports.shared_run import SharedRun
from bayes_mdd.results.population import merge_small_roles
from bayes_mdd.results.result import Result, read_result
from bayes_mdd.results.rules import RULES
from bayes_mdd.results.stored_checks import read_checks
from bayes_mdd.workflow.diagnose import diagnose
from bayes_mdd.workflow.families import family_of
from bayes_mdd.workflow.report import write_report


def gather_shared(tree: xr.DataTree, run: str | Path | xr.DataTree) -> SharedRun:
    """Gather what the export "share" needs.

    Parameters
    ----------
    tree : DataTree
        The fit.
    run : str, Path or DataTree
        Its folder, if it has one.

    Returns
    -------
    SharedRun
        With the checks that the folder holds; without a folder, or without such checks, the fit is
        checked.
    """
    result = read_result(tree)
    run_dir = None if isinstance(run, xr.DataTree) else Path(run)
    table = family_of(result.kind).table(result, RULES)
    if result.shared:  # refused by the format, with a reason
        return SharedRun(
            result=result, factors=table, checks=pd.DataFrame(), write_report=lambda path: path
        )
    stored = None if run_dir is None else read_checks(run_dir)
    checks = diagnose(tree) if stored is None else stored
    write = partial(
        write_report,
        _merge_roles(result),
        checks=checks,
        factors=table,
        run_dir=run_dir,
    )
    return SharedRun(
        result=result, factors=table, checks=checks, write_report=write, run_dir=run_dir
    )


def _merge_roles(result: Result) -> xr.DataTree:
    """Merge counts that describe a few participants, for the flow in the report."""
    tree = result.tree.copy()
    tree.attrs["provenance"] = json.dumps(merge_small_roles(result.provenance))
    return tree
