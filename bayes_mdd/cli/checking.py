"""``bayes-mdd check`` and ``prior``: verdicts on files, and their tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import bayes_mdd as bm
from bayes_mdd.cli import show
from bayes_mdd.errors import SpecError
from bayes_mdd.specs import AnalysisSpec, SharedSpecificSpec

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

#: Rows of a long table that are printed; all are in the file.
SHOWN = 12


@dataclass(frozen=True)
class Found:
    """The checks of a run and the tables behind them.

    Parameters
    ----------
    table : pandas.DataFrame
        As `bayes_mdd.diagnose` returns it, with further checks appended.
    more : mapping of str to DataFrame
        Tables by the name of their file.
    files : list of Path
        Where those tables were written.
    """

    table: pd.DataFrame
    more: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)

    def shown(self) -> dict[str, pd.DataFrame]:
        """Shorten the tables to what fits a terminal.

        Returns
        -------
        dict of str to DataFrame
            By title.
        """
        titles = {}
        for name, table in self.more.items():
            if name == "predictive_checks":
                titles["Predictive checks"] = table.drop(columns="meaning")
            elif name == "predictive_blocks":
                largest = table.iloc[:-1].sort_values("too_narrow", ascending=False)
                kept = [*largest.index[: SHOWN - 1], table.index[-1]]
                titles["Residuals by block (least independent first)"] = table.loc[kept]
            elif name == "predictive_factors":
                titles["Factors against correlated noise"] = table
            elif name == "predictive_people":
                titles["People with the largest residuals"] = table.head(SHOWN)
            elif name == "prior_sensitivity":
                sensitive = table[table["diagnosis"] != ""]
                rows = sensitive if len(sensitive) else table
                columns = [c for c in table if not str(c).startswith("shift_")]
                title = "Results that rest on a prior" if len(sensitive) else "Prior sensitivity"
                titles[title] = rows[columns].head(SHOWN)
        return titles


def failed_checks(checks: pd.DataFrame) -> list[str]:
    """Name the checks that failed; one without a verdict did not.

    Parameters
    ----------
    checks : pandas.DataFrame
        As `bayes_mdd.diagnose` returns it.

    Returns
    -------
    list of str
        Names.
    """
    return [row["name"] for row in show.records(checks) if row["passed"] is False]


def write_checks(
    idata: xr.DataTree,
    run_dir: Path,
    *,
    permutations: int = 0,
    predictive: bool = False,
    sensitivity: bool = False,
) -> Found:
    """Judge a run and keep the verdict in ``checks.json``.

    Parameters
    ----------
    idata : xarray.DataTree
        The fitted run.
    run_dir : Path
        Its folder.
    permutations : int, default 0
        Refits with shuffled arm labels, whose verdict joins the checks and whose table goes to
        ``permutations.tsv``.
    predictive : bool, default False
        Whether to check residuals; tables go to ``predictive_*.tsv``.
    sensitivity : bool, default False
        Whether to power-scale the priors; the table goes to ``prior_sensitivity.tsv``.

    Returns
    -------
    Found
        Checks and tables.
    """
    table, more = bm.diagnose(idata), {}
    if permutations or predictive or sensitivity:
        from bayes_mdd import diagnostics

        add = diagnostics.append_check
    if permutations:
        show.note(f"Refitting with the arms as they are and {permutations} times shuffled")
        shuffled = bm.permute_arms(idata, permutations=permutations)
        shuffled.to_csv(run_dir / "permutations.tsv", sep="\t", index=False)
        table = add(table, diagnostics.judge_permutations(shuffled, bm.classify_factors(idata)))
    if predictive:
        show.note("Comparing residuals with those of replicated data")
        found = bm.predictive_checks(idata)
        for one in diagnostics.judge_predictive(found):
            table = add(table, one)
        more["predictive_checks"] = found.table
        more["predictive_blocks"] = found.blocks
        more["predictive_factors"] = found.factors
        more["predictive_people"] = found.people
    if sensitivity:
        show.note("Reweighting draws as if priors and data counted more or less")
        scaled = bm.prior_sensitivity(idata)
        table = add(table, diagnostics.judge_sensitivity(scaled))
        more["prior_sensitivity"] = scaled
    files = []
    for name, values in more.items():
        files.append(run_dir / f"{name}.tsv")
        values.to_csv(files[-1], sep="\t", index=False, na_rep="n/a", float_format="%.6g")
    verdict = {"passed": not failed_checks(table), "checks": show.records(table)}
    temporary = run_dir / "checks.json.tmp"
    temporary.write_text(json.dumps(verdict, indent=2) + "\n", encoding="utf-8")
    temporary.replace(run_dir / "checks.json")
    return Found(table, more, files)


def read_checks(run_dir: Path) -> pd.DataFrame | None:
    """Read the verdict that the last check of a run left.

    Parameters
    ----------
    run_dir : Path
        Its folder.

    Returns
    -------
    pandas.DataFrame or None
        As `write_checks` wrote it; None where there is none that can be read.
    """
    import pandas as pd

    try:
        rows = json.loads((run_dir / "checks.json").read_text(encoding="utf-8"))["checks"]
    except (OSError, ValueError, KeyError):
        return None
    table = pd.DataFrame(rows).astype({"passed": object})
    table["passed"] = [row["passed"] for row in rows]
    return table.astype({"value": float})


def expect(spec: AnalysisSpec, folder: Path, *, draws: int, seed: int) -> pd.DataFrame:
    """Say what the priors of a spec expect of a cohort.

    Parameters
    ----------
    spec : AnalysisSpec
        The model.
    folder : Path
        The cohort.
    draws, seed : int
        Of the priors.

    Returns
    -------
    pandas.DataFrame
        As `bayes_mdd.summarise_prior` returns it.

    Raises
    ------
    SpecError
        If the spec is of another model.
    """
    from bayes_mdd.cli.settle import read_inputs

    if not isinstance(spec.model, SharedSpecificSpec):
        raise SpecError("prior draws are made of the model shared_specific only.")
    spec, features, symptoms = read_inputs(spec, folder)
    tree = bm.prior_predictive(spec.model, features, symptoms=symptoms, draws=draws, seed=seed)
    return bm.summarise_prior(tree)
