"""Files of a comparison of baselines, in the folder ``response`` of a run folder."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Final

import pandas as pd

from bayes_mdd.baselines.compare import BaselineComparison
from bayes_mdd.baselines.methods import NOTHING
from bayes_mdd.errors import RunFolderError
from bayes_mdd.files.marks import RUN
from bayes_mdd.files.replace import make_folder, write_text
from bayes_mdd.files.targets import check_writable
from bayes_mdd.response.page.further import (
    BASELINES,
    PAIRED,
    SENTENCES,
    Further,
    describe_baselines,
)
from bayes_mdd.response.store import FOLDER, to_tsv
from bayes_mdd.results.hashed_ids import hash_ids
from bayes_mdd.results.page import render_page, write_page

FOLDS: Final = "folds.tsv"
PAGE: Final = "baselines.html"
TEMPLATE: Final = "baselines.html.j2"
TITLE: Final = "Machine-learning baselines"
#: Everything that is written.
FILES: Final = (BASELINES, PAIRED, SENTENCES, FOLDS, PAGE)


def check_baselines_target(run_dir: str | Path, *, force: bool) -> None:
    """Refuse a folder that is not a run, or holds baselines already, before anything is computed.

    Parameters
    ----------
    run_dir : str or Path
        A run folder, or a new folder.
    force : bool
        Whether baselines may be replaced.

    Raises
    ------
    RunFolderError
        If the folder is another one, or holds baselines and `force` is False.
    WriteError
        If nothing can be written there.
    """
    folder = Path(run_dir)
    inner = folder / FOLDER
    if (folder.exists() and not folder.is_dir()) or (inner.exists() and not inner.is_dir()):
        raise RunFolderError(f"{folder} is, or holds, a file where a folder is needed.")
    there = (inner / BASELINES).exists()
    if there and not force:
        raise RunFolderError(
            f"{folder} contains baselines already ({FOLDER}/{BASELINES}). Choose another folder, "
            "or replace them with --force."
        )
    ours = there or RUN.is_marked(folder)
    if folder.is_dir() and any(folder.iterdir()) and not ours:
        raise RunFolderError(
            f"{folder} is not a run folder and not empty: choose a run of `bayes-mdd response`, or "
            "a new folder."
        )
    check_writable(folder)


def write_baselines(
    comparison: BaselineComparison,
    run_dir: str | Path,
    *,
    id_key: str | Path | bytes | None = None,
) -> dict[str, Path]:
    """Write a comparison to the folder ``response`` of a run.

    Parameters
    ----------
    comparison : BaselineComparison
        From `compare_baselines`.
    run_dir : str or Path
        The run folder.
    id_key : str, Path or bytes, optional
        Key, or file with the key, of the hashes in ``folds.tsv``; see `hash_ids`. By default one
        that follows from the predictions, so that hashes cannot be linked with other tables.

    Returns
    -------
    dict of str to Path
        Files by name. Only ``folds.tsv`` holds rows of patients; their ids are hashed, so that
        rows of one patient can be told to belong together.

    Raises
    ------
    WriteError
        If a file cannot be written.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> bm.write_baselines(found, "runs/trial")  # doctest: +SKIP
    """
    folder = make_folder(Path(run_dir) / FOLDER)
    tables = {
        BASELINES: comparison.table.reset_index(),
        PAIRED: comparison.paired,
        FOLDS: hide_people(comparison.folds, id_key),
    }
    files = {
        name.removesuffix(".tsv"): write_text(folder / name, to_tsv(table))
        for name, table in tables.items()
    }
    facts = json.dumps(describe(comparison), indent=2, allow_nan=False)
    files["sentences"] = write_text(folder / SENTENCES, facts + "\n")
    files["page"] = write_baselines_page(comparison, folder / PAGE)
    return files


def hide_people(folds: pd.DataFrame, id_key: str | Path | bytes | None = None) -> pd.DataFrame:
    """Replace ids by keyed hashes, and the order of the participants by that of the hashes.

    Parameters
    ----------
    folds : DataFrame
        ``folds`` of a comparison.
    id_key : str, Path or bytes, optional
        Key, or file with the key. By default it follows from the table, so that hashes cannot be
        guessed without the predictions, and are those of no other table.

    Returns
    -------
    DataFrame
        With ``id`` instead of ``participant_id``.
    """
    key = id_key or hashlib.sha256(folds.to_csv(index=False).encode()).digest()
    named = hash_ids(folds, key)
    table = named.drop(columns="participant_id")
    table.insert(0, "id", named["participant_id"])
    # The order of the participants would tell who is who.
    return table.sort_values(["question", "method", "view", "division", "id"], ignore_index=True)


def describe(comparison: BaselineComparison) -> dict[str, Any]:
    """State what was compared and what was found, without tables.

    Parameters
    ----------
    comparison : BaselineComparison
        The comparison.

    Returns
    -------
    dict
        ``sentences``, ``notes``, ``event``, ``scheme``, ``leak`` and ``patients``.
    """
    return {
        "sentences": list(comparison.sentences),
        "notes": list(comparison.notes),
        "event": comparison.event,
        "scheme": comparison.scheme,
        "leak": comparison.leak,
        "patients": comparison.patients,
    }


def write_baselines_page(comparison: BaselineComparison, path: str | Path) -> Path:
    """Write one self-contained HTML page about a comparison.

    Parameters
    ----------
    comparison : BaselineComparison
        The comparison.
    path : str or Path
        The file; its folder must exist.

    Returns
    -------
    Path
        `path`. The page holds no rows of patients.
    """
    further = Further(
        baselines=comparison.table.reset_index(),
        paired=comparison.paired,
        sentences=comparison.sentences,
    )
    table = comparison.table
    tests = []
    for _, row in table.reset_index().iterrows():
        p = {name: _p(row, name) for name in ("p_value", "p_holm", "gain_p_value", "gain_p_holm")}
        if any(p.values()):
            view = "" if row["view"] == NOTHING else str(row["view"])
            tests.append({"method": str(row["method"]), "view": view, **p})
    content = {
        "title": TITLE,
        "section": describe_baselines(further),
        "tests": tests,
        **describe(comparison),
    }
    return write_page(Path(path), render_page("bayes_mdd.baselines", TEMPLATE, content))


def _p(row: pd.Series[Any], name: str) -> str:
    return f"{row[name]:.3f}" if name in row and pd.notna(row[name]) else ""
