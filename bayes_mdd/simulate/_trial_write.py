"""Writing of a simulated trial as a cohort folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from bayes_mdd.errors import DataContractError, some
from bayes_mdd.simulate._trial import SimulatedTrial
from bayes_mdd.simulate._trial_draw import HIGHEST
from bayes_mdd.simulate._trial_scans import plain_settings
from bayes_mdd.simulate._trial_visits import WEEKS
from bayes_mdd.simulate._write import (
    DESCRIPTION,
    features_sidecar,
    json_text,
    participants_sidecar,
    replace_cohort,
    tsv_text,
    wide_table,
    write_files,
)
from bayes_mdd.simulate._write_response import disposition_sidecar
from bayes_mdd.simulate._write_scans import write_matrices

_README: Final = """\
Simulated trial of two drugs. No row describes a real person. All numbers were drawn by
bayes_mdd.simulate (simulate_trial, then write_trial; the arguments are in truth/settings.json).

participants.tsv   id, diagnosis, arm, site, age, sex, head motion (mean_fd); participants.json
                   declares the design (Assignment, Default, allocation, strata) under "arm"
phenotype/         HAMD-17 totals at each visit; disposition.tsv: who left, when and why
{features}truth/             of each patient the benefit of the other drug in points (above 0: fewer
                   points on it), the expected outcome on each drug and the true scores; of each
                   factor its effects in points per SD
"""
_FEATURES: Final = """\
features/          one matrix of Pearson correlations per participant; edges are drawn separately,
                   so matrices need not be positive definite
"""


def write_trial(trial: SimulatedTrial, folder: str | Path, *, overwrite: bool = False) -> Path:
    """Write a simulated trial as a cohort folder, laid out like real data.

    Parameters
    ----------
    trial : SimulatedTrial
        Result of `simulate_trial`, with ``whole_points=True``: the scale has whole points.
    folder : str or Path
        Folder to write to; created if it does not exist.
    overwrite : bool, default False
        Whether to write to a folder that is not empty; see `write_cohort`.

    Returns
    -------
    Path
        `folder`. `read_outcomes` gives the outcomes of the trial with
        ``scale="hamd17", endpoint="ses-week8", baseline="ses-baseline"``.

    Raises
    ------
    DataContractError
        If ratings lie outside the scale, or the folder is a file, is not empty and `overwrite` is
        False, or holds another cohort.
    WriteError
        If it cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import bayes_mdd as bm
    >>> trial = bm.simulate_trial(seed=1, n=40, whole_points=True)
    >>> with TemporaryDirectory() as parent:
    ...     folder = write_trial(trial, f"{parent}/trial")
    ...     outcomes = bm.read_outcomes(
    ...         folder, scale="hamd17", endpoint="ses-week8", baseline="ses-baseline"
    ...     )
    >>> bool((outcomes["hamd17"] == trial.outcomes["hamd17"]).all())
    True
    """
    values = trial.visits["value"]
    outside = trial.visits[values.notna() & ~(values.between(0, HIGHEST) & (values % 1 == 0))]
    if len(outside):
        raise DataContractError(
            "trial",
            [
                f"{len(outside)} ratings are no HAMD-17 totals, whole numbers from 0 to {HIGHEST} "
                f"({some(outside['value'].round(2), 3)}): pass whole_points=True to simulate_trial."
            ],
        )
    return replace_cohort(folder, lambda work: _write(trial, work), overwrite=overwrite)


def _write(trial: SimulatedTrial, folder: Path) -> None:
    write_files(_files(trial), folder)
    if trial.features is not None and trial.regions is not None:
        subjects = [str(s) for s in trial.features["subject"].values]
        names = [str(name) for name in trial.regions["region"]]
        write_matrices(subjects, names, trial.features["y"].values, folder / "features")


def _files(trial: SimulatedTrial) -> dict[str, str]:
    people = trial.participants.assign(
        age=trial.participants["age"].astype(int),
        mean_fd=trial.participants["mean_fd"].map("{:.3f}".format),
    )
    ratings = trial.visits.rename(columns={"value": "hamd17_total"}).drop(columns="week")
    ratings["hamd17_total"] = ratings["hamd17_total"].astype("Int64")
    left = trial.disposition.rename_axis("participant_id").reset_index()
    files = {
        "README": _README.replace("{features}", "" if trial.features is None else _FEATURES),
        "dataset_description.json": json_text(DESCRIPTION),
        "participants.tsv": tsv_text(people.reset_index()),
        "participants.json": json_text(participants_sidecar(people, _design(trial))),
        "phenotype/hamd17.tsv": tsv_text(ratings),
        "phenotype/hamd17.json": json_text(_ratings_sidecar()),
        "phenotype/disposition.tsv": tsv_text(left),
        "phenotype/disposition.json": json_text(disposition_sidecar()),
        "truth/settings.json": json_text(plain_settings(trial.settings)),
        "truth/patients.tsv": tsv_text(_patients(trial), 6),
        "truth/factors.tsv": tsv_text(_factors(trial), 6),
    }
    if trial.regions is not None:
        files["features/regions.tsv"] = tsv_text(trial.regions)
        files["features/features.json"] = json_text(features_sidecar(ordered=False))
        loadings = trial.truth["loadings"].transpose("feature", "factor")
        files["truth/loadings.tsv"] = tsv_text(wide_table(loadings), 6)
    return files


def _design(trial: SimulatedTrial) -> dict[str, Any]:
    attrs = trial.outcomes.attrs
    design = {"Assignment": attrs["assignment"], "Default": attrs["default"]}
    if attrs["allocation"] is not None:
        design["AllocationProbability"] = attrs["allocation"]
    if attrs["strata"]:
        design["Strata"] = attrs["strata"]
    return design


def _ratings_sidecar() -> dict[str, Any]:
    return {
        "MeasurementToolMetadata": {
            "Description": "Hamilton Depression Rating Scale, 17 items (simulated totals)",
            "Scale": "hamd17",
            "Items": "total only",
        },
        "session_id": {
            "Description": "Visit",
            "Levels": {
                session: f"After {week} weeks" if week else "Before treatment"
                for session, week in WEEKS.items()
            },
            "Weeks": dict(WEEKS),
        },
        "hamd17_total": {"Description": "Total", "MinValue": 0, "MaxValue": HIGHEST},
    }


def _patients(trial: SimulatedTrial) -> pd.DataFrame:
    truth = trial.truth
    table = pd.DataFrame({"participant_id": truth["subject"].values})
    table["benefit"] = truth["benefit"].values
    for arm in truth["arm"].values:
        table[f"expected_{arm}"] = truth["expected"].sel(arm=arm).values
    table["propensity"] = truth["propensity"].values
    for factor in truth["factor"].values:
        table[str(factor)] = truth["eta"].sel(factor=factor).values
    return table


def _factors(trial: SimulatedTrial) -> pd.DataFrame:
    truth = trial.truth
    return pd.DataFrame(
        {
            "factor": truth["factor"].values,
            "moderation": np.asarray(truth["moderation"].values, dtype=float),
            "prognosis": np.asarray(truth["prognosis"].values, dtype=float),
        }
    )
