"""Tables of additional analyses that `bayes-mdd check` keeps in the run folder."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Final

import pandas as pd

from bayes_mdd.dims import MISSING
from bayes_mdd.errors import UnreadableFileError
from bayes_mdd.files.marks import PROVENANCE, read_mark
from bayes_mdd.files.text import read_text
from bayes_mdd.results.result import Result

#: Tables that reports show, without suffix. They hold no participants.
ANALYSES: Final = (
    *("predictive_checks", "predictive_blocks", "predictive_factors"),
    *("prior_sensitivity", "permutations"),
)


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
            text = read_text(path)
            table = pd.read_csv(
                io.StringIO(text), sep="\t", na_values=[MISSING], keep_default_na=False
            )
        except (UnreadableFileError, ValueError):
            continue
        if len(table):
            found[name] = table
    return found
