"""``bayes-mdd project``: a new cohort folder against a finished run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bayes_mdd as bm
from bayes_mdd.cli import show

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """Options of the command, as `bayes_mdd.project` names them.

    Parameters
    ----------
    training : Path or None
        The cohort of the fit.
    session : str or None
        Session to read of the new cohort.
    arms : tuple of str
        Arms for people without one; empty for all.
    new_levels : str
        "refuse" or "average".
    other_reference, include_fitted : bool
        As in `bayes_mdd.project`.
    ci_prob : float
        Of the intervals in the table.
    seed : int
        Of the draws.
    """

    training: Path | None = None
    session: str | None = None
    arms: tuple[str, ...] = ()
    new_levels: str = "refuse"
    other_reference: bool = False
    include_fitted: bool = False
    ci_prob: float = 0.9
    seed: int = 1


def project_cohort(
    run: Path, cohort: Path, output: Path | None, wishes: Wishes, *, force: bool
) -> tuple[xr.Dataset, list[Path]]:
    """Project the people of a cohort folder and write what was found.

    Parameters
    ----------
    run : Path
        A run folder.
    cohort : Path
        The new people.
    output : Path or None
        The table; default ``RUN/projections/<cohort>.tsv``.
    wishes : Wishes
        Options.
    force : bool
        Whether files may be replaced.

    Returns
    -------
    projection : Dataset
        As `bayes_mdd.project` returns it.
    files : list of Path
        What was written.
    """
    idata = bm.read_run(run)
    covariates = _reference_covariates(idata)
    show.note(f"Reading {cohort}")
    new = bm.read_features(cohort, session=wishes.session)
    training: xr.Dataset | None = None
    symptoms: pd.DataFrame | None = None
    if wishes.training is None:
        if covariates is not None:
            new = bm.reference_to_controls(new, covariates)
    else:
        show.note(f"Reading {wishes.training}, the cohort of the fit")
        training = bm.read_features(wishes.training)
        symptoms = bm.read_cohort(wishes.training).symptoms
        if covariates is not None:
            new = bm.reference_to_training(new, training, covariates)
            training = bm.reference_to_controls(training, covariates)
    found = bm.project(
        idata,
        new,
        arms=wishes.arms or None,
        new_levels="average" if wishes.new_levels == "average" else "refuse",
        other_reference=wishes.other_reference,
        include_fitted=wishes.include_fitted,
        training=training,
        symptoms=symptoms,
        seed=wishes.seed,
    )
    for reason, people in _by_reason(json.loads(found.attrs["excluded"])).items():
        show.note(f"Left out ({reason}): {len(people)} people")
    path = output or run / "projections" / f"{cohort.resolve().name}.tsv"
    files = bm.export_projection(found, path, ci_prob=wishes.ci_prob, overwrite=force)
    return found, files


def _reference_covariates(idata: xr.DataTree) -> list[str] | None:
    """Read what was removed from the features of the fit; None where they came as they were."""
    try:
        facts: dict[str, Any] = json.loads(str(idata.attrs.get("features_provenance", "")))
    except ValueError:
        return None
    reference = facts.get("reference")
    return [str(c) for c in reference["covariates"]] if isinstance(reference, dict) else None


def _by_reason(excluded: dict[str, str]) -> dict[str, list[str]]:
    out: dict[str, list[str]] = {}
    for name, reason in excluded.items():
        out.setdefault(reason, []).append(name)
    return out


def to_mapping(projection: xr.Dataset, files: list[Path], *, ci_prob: float) -> dict[str, Any]:
    """Give plain values for a program.

    Parameters
    ----------
    projection : Dataset
        As `bayes_mdd.project` returns it.
    files : list of Path
        What was written.
    ci_prob : float
        Of the intervals.

    Returns
    -------
    dict
        ``scores``, one entry a person, arm and factor; ``excluded`` and ``files``.
    """
    table = bm.summarise_projection(projection, ci_prob=ci_prob)
    return {
        "scores": show.records(table),
        "excluded": json.loads(projection.attrs["excluded"]),
        "files": [str(p) for p in files],
    }
