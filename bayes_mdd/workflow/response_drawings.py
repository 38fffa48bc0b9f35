"""Figures of the treatment response in a run folder."""

from __future__ import annotations

from pathlib import Path

from bayes_mdd.results.drawings import Drawing


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
        If the analysis, or one of its tables, cannot be read.
    """
    from bayes_mdd.response.page.drawings import list_drawings
    from bayes_mdd.response.store import FOLDER, POSTERIOR, read_response
    from bayes_mdd.response.stored_tables import read_stored_tables

    folder = run / FOLDER
    if not (folder / POSTERIOR).is_file():
        return []
    return list_drawings(read_response(run), read_stored_tables(folder), with_participants)
