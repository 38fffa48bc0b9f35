"""Figures of the treatment response in a run folder."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bayes_mdd.results.drawings import Drawing

#: Tables that hold what a figure shows, without suffix.
TABLES = ("curve", "toc", "calibration", "missing", "tipping", "baselines", "baselines_paired")


def read_response_drawings(run: Path, *, with_participants: bool) -> list[Drawing]:
    """List the figures of the treatment response in a run folder.

    Parameters
    ----------
    run : Path
        The run folder.
    with_participants : bool
        Whether figures with one mark per participant are wanted.

    Returns
    -------
    list of Drawing
        Empty where the run holds no analysis of treatment response.

    Raises
    ------
    RunFolderError
        If the analysis cannot be read.
    """
    from bayes_mdd.response.page.drawings import list_drawings
    from bayes_mdd.response.store import FOLDER, POSTERIOR, read_response

    folder = run / FOLDER
    if not (folder / POSTERIOR).is_file():
        return []
    files = {name: folder / f"{name}.tsv" for name in TABLES}
    tables = {
        name: pd.read_csv(path, sep="\t", na_values="n/a")
        for name, path in files.items()
        if path.is_file()
    }
    return list_drawings(read_response(run), tables, with_participants)
