"""Tables of additional analyses that `bayes-mdd check` keeps in the run folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pandas as pd

from bayes_mdd.errors import RunFolderError
from bayes_mdd.files.marks import PROVENANCE, read_mark
from bayes_mdd.files.own_tables import read_own_table
from bayes_mdd.results.checks import PREDICTIVE, Check
from bayes_mdd.results.result import Result

#: Tables that reports show, without suffix. They hold no participants.
ANALYSES: Final = (
    *("predictive_checks", "predictive_blocks", "predictive_factors"),
    *("prior_sensitivity", "permutations"),
)
#: Posterior predictive p-value below which a check fails, as in `predictive_checks`.
ALPHA: Final = 0.01


def read_analyses(run_dir: str | Path, result: Result | None = None) -> dict[str, pd.DataFrame]:
    """Read the tables of additional analyses from a run folder.

    Parameters
    ----------
    run_dir : str or Path
        The folder.
    result : Result, optional
        The fit; tables of a folder that holds another run are not read.

    Returns
    -------
    dict of str to DataFrame
        By name; analyses that were not run, or whose table cannot be read, are left out.
    """
    folder = Path(run_dir)
    if result is not None:
        own = result.provenance.get("fingerprint")
        if not own or read_mark(folder / PROVENANCE).get("fingerprint") != own:
            return {}
    found = {}
    for name in ANALYSES:
        path = folder / f"{name}.tsv"
        if not path.is_file():
            continue
        try:
            table = read_own_table(path, again="bayes-mdd check")
        except RunFolderError:
            continue
        if len(table):
            found[name] = table
    return found


def judge_stored(
    analyses: Mapping[str, pd.DataFrame], checks: pd.DataFrame, result: Result
) -> list[Check]:
    """Judge stored predictive checks that a table of checks does not hold.

    Parameters
    ----------
    analyses : mapping of str to DataFrame
        From `read_analyses`.
    checks : DataFrame
        What `diagnose` returned, with whatever was appended.
    result : Result
        The fit.

    Returns
    -------
    list of Check
        One per statistic that is missing from `checks`, so that the one verdict covers it.
        Correlated residuals are not judged where the fit weights its features.
    """
    found = analyses.get("predictive_checks")
    if found is None or not {"check", "p_value"} <= set(found.columns):
        return []
    known = set(checks["name"].astype(str))
    weighted = float(result.constant.get("feature_weight", 1.0)) < 1
    judged = []
    for name, p in zip(
        found["check"].astype(str), pd.to_numeric(found["p_value"], errors="coerce"), strict=True
    ):
        if f"{PREDICTIVE}{name}" in known:
            continue
        accounted = weighted and name.startswith("residual correlation")
        passed = None if pd.isna(p) or (accounted and p < ALPHA) else bool(p >= ALPHA)
        advice = "" if passed else "See the advice of `bayes-mdd check RUN --predictive`."
        judged.append(Check(f"{PREDICTIVE}{name}", float(p), f">= {ALPHA:g}", passed, advice))
    return judged
