"""Checks of a command's paths before anything heavy is imported, read or computed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

import bayes_mdd as bm
from bayes_mdd.cli.messages import log
from bayes_mdd.errors import (
    BayesMDDError,
    DataContractError,
    RunFolderError,
    SpecError,
    WriteError,
    some,
)
from bayes_mdd.files.marks import PROVENANCE, RUN, SPEC, read_mark
from bayes_mdd.files.targets import check_run_target, check_writable


def require_cohort(folder: Path) -> None:
    """Check that a cohort folder exists and has participants.

    Parameters
    ----------
    folder : Path
        The folder.

    Raises
    ------
    DataContractError
        If it does not exist, is a file or a run folder, or has no ``participants.tsv``.
    """
    if not folder.exists():
        problem = "the folder does not exist; expected a cohort with participants.tsv."
    elif not folder.is_dir():
        problem = "is a file; expected a cohort, a folder with participants.tsv."
    elif RUN.is_marked(folder):
        problem = "is a run folder; expected a cohort, a folder with participants.tsv."
    elif (
        not (folder / "participants.tsv").exists()
        and not (folder / "participants.tsv").is_symlink()
    ):
        problem = "participants.tsv is missing; expected a cohort, a folder with participants.tsv."
    else:
        return
    raise DataContractError(str(folder), [problem])


def require_files(paths: Iterable[tuple[str, Path | None]]) -> None:
    """Check that files of options exist.

    Parameters
    ----------
    paths : iterable of tuple
        Name of the option, and the path or None.

    Raises
    ------
    SpecError
        Names all that do not exist.
    """
    missing = [f"{name} {path}" for name, path in paths if path is not None and not path.exists()]
    if missing:
        raise SpecError(
            f"There is no file or folder of this name: {', '.join(missing)}. Correct the name."
        )


def check_fit(
    spec: bm.AnalysisSpec, cohort: Path, run_dir: Path, *, force: bool, method: str
) -> None:
    """Check cohort and run folder of a fit.

    Parameters
    ----------
    spec : AnalysisSpec
        Spec of the command, not yet resolved against the cohort.
    cohort, run_dir : Path
        The folders.
    force : bool
        Whether a run may be replaced.
    method : str
        How the posterior is computed.

    Raises
    ------
    DataContractError
        If there is no cohort.
    RunFolderError
        If the run folder is in use: by anything but a run or, without `force`, by a run of another
        model, sampler or method.
    WriteError
        If the run folder cannot be written.
    """
    require_cohort(cohort)
    check_run_target(run_dir, force=force)
    if force or not RUN.is_marked(run_dir):
        return
    there = {"method": "mcmc", **read_mark(run_dir / PROVENANCE)}
    differing = []
    if there["method"] != method:
        differing.append(f"method is {there['method']}, requested is {method}")
    if there.get("sampler") != spec.sampler.fingerprint:
        differing.append("the settings of the sampler differ")
    differing += _model_differences(spec, run_dir / SPEC)
    if differing:
        raise RunFolderError(
            f"{run_dir} contains another run: {'; '.join(differing)}. "
            "Choose another folder, or replace this one with --force."
        )


def _model_differences(spec: bm.AnalysisSpec, stored: Path) -> list[str]:
    """List values of the model that differ and do not depend on the cohort."""
    try:
        other: Any = bm.read_spec(stored).model
    except BayesMDDError:  # of another version; the fingerprint decides
        return []
    model: Any = spec.model
    if type(other) is not type(model):
        return [f"its model is {bm.read_spec(stored).kind}, requested is {spec.kind}"]
    names = {f.name for f in fields(model)}
    resolved = {n.removesuffix("_if_present") for n in names if n.endswith("_if_present")}
    fixed = sorted(n for n in names if n.removesuffix("_if_present") not in resolved)
    return [
        f"{name} is {getattr(other, name)!r}, requested is {getattr(model, name)!r}"
        for name in fixed
        if getattr(other, name) != getattr(model, name)
    ]


def check_maps_target(folder: Path, *, force: bool) -> None:
    """Check where signature maps will be written.

    Parameters
    ----------
    folder : Path
        The folder.
    force : bool
        Whether maps that are there may be replaced.

    Raises
    ------
    RunFolderError
        If it is a file, or holds maps and `force` is False.
    WriteError
        If nothing can be written there.
    """
    if folder.exists() and not folder.is_dir():
        raise RunFolderError(f"{folder} is a file: choose a folder for the maps.")
    existing = sorted(
        p.name for pattern in ("signatures.*", "factor-*") for p in folder.glob(pattern)
    )
    if existing and not force:
        raise RunFolderError(
            f"{folder} already holds {some(existing, 3)}: choose another folder, or replace these "
            "files with --force."
        )
    check_writable(folder)


def check_saved(run: Path) -> bool:
    """Tell whether results can be saved in a run folder; say so where they cannot.

    Parameters
    ----------
    run : Path
        The run folder.

    Returns
    -------
    bool
        False for a run folder that is read-only.
    """
    try:
        check_writable(run / PROVENANCE)
    except WriteError:
        log.warning("%s cannot be written: results are printed, not saved there.", run)
        return False
    return True
