"""``bayes-mdd check --privacy``: search of the files that are meant to be shared."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bayes_mdd.cli import output
from bayes_mdd.cli.messages import log
from bayes_mdd.cli.status import ExitStatus
from bayes_mdd.files.marks import CROSSOVER, NULL_TWIN

if TYPE_CHECKING:
    import xarray as xr

#: Runs inside the run folder of the demo.
RUNS = (f"{CROSSOVER}/", f"{NULL_TWIN}/")


def report_privacy(idata: xr.DataTree, run_dir: Path, *, as_json: bool) -> None:
    """Print what the shared files of a run say about participants.

    Parameters
    ----------
    idata : xarray.DataTree
        The fitted run.
    run_dir : Path
        Its folder.
    as_json : bool
        Whether to print JSON.

    Raises
    ------
    typer.Exit
        With status 1 if anything was found.
    """
    from bayes_mdd.results.privacy_check import check_privacy, list_shared_files
    from bayes_mdd.results.result import read_result

    log.info("Searching the files of %s that are meant to be shared", run_dir)
    shared = list_shared_files(run_dir)
    found, check = check_privacy(run_dir, read_result(idata))
    every = [p for p in run_dir.rglob("*") if p.is_file()]
    kept = sorted(p.relative_to(run_dir).as_posix() for p in set(every) - set(shared))
    if as_json:
        output.print_json(
            {
                "passed": bool(check.passed),
                "found": output.records(found),
                "shared": [p.relative_to(run_dir).as_posix() for p in shared],
                "not_to_be_shared": kept,
                "advice": check.advice,
            }
        )
    else:
        if len(found):
            output.print_table("Participants in files to be shared", found)
        said = "nothing found" if check.passed else f"{len(found)} findings"
        output.print_lines([f"Files to be shared: {len(shared)} searched, {said}."])
        output.print_lines([check.advice] if check.advice else [])
        # Runs inside the run folder are named once; they are searched with their own command.
        named = dict.fromkeys(f"{k.partition('/')[0]}/" if k.startswith(RUNS) else k for k in kept)
        output.print_lines(
            ["As sensitive as the data of the cohort, not to be shared: " + ", ".join(named)]
        )
    if not check.passed:
        raise typer.Exit(ExitStatus.CHECK_FAILED)
