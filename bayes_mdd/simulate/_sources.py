"""Writing of a simulated cohort as other programs would hand it over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, Literal, get_args

import numpy as np
import pandas as pd

from bayes_mdd.dims import CONTROL
from bayes_mdd.errors import SpecError
from bayes_mdd.files.folders import new_folder
from bayes_mdd.simulate._cohort import SimulatedCohort
from bayes_mdd.simulate._design import SESSIONS

Layout = Literal["csv", "xcpd"]
_ATLAS: Final = "Demo"


def write_sources(simulated: SimulatedCohort, folder: str | Path, layout: Layout = "csv") -> Path:
    """Write a simulated cohort as files that have yet to be converted to a cohort folder.

    Parameters
    ----------
    simulated : SimulatedCohort
        From `simulate_cohort`; "xcpd" needs ``source="series"``.
    folder : str or Path
        New or empty folder.
    layout : {"csv", "xcpd"}, default "csv"
        "csv": ``matrices/P001.csv``, ... (Pearson correlations with names of regions in the first
        row and column), ``clinical.csv`` with columns as they stand in spreadsheets (Code, Group,
        Drug, Age, Gender, Scanner, FD, HAMD; empty cells where a value is missing) and
        ``regions.csv``. "xcpd": ``participants.tsv`` and, as XCP-D names them, time series,
        correlations and motion of each participant and the table of the atlas.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    SpecError
        If the layout is unknown, or needs time series that the cohort does not have.
    DataContractError
        If the folder is in use.

    Examples
    --------
    >>> cohort = simulate_cohort(1, n_regions=28)  # doctest: +SKIP
    >>> write_sources(cohort, "study", layout="csv")  # doctest: +SKIP
    """
    if layout not in get_args(Layout):
        raise SpecError(f"layout must be one of {', '.join(get_args(Layout))}, got {layout!r}.")
    if layout == "xcpd" and not simulated.series:
        raise SpecError("layout='xcpd' needs time series: simulate with source='series'.")
    with new_folder(Path(folder)) as new:
        (_write_csv if layout == "csv" else _write_xcpd)(simulated, new)
    return Path(folder)


def _matrices(simulated: SimulatedCohort) -> dict[str, pd.DataFrame]:
    """Correlations by subject, with names of regions."""
    names = simulated.regions["region"].astype(str).tolist()
    features = simulated.features
    a, b = (
        [names.index(str(r)) for r in features[side].values] for side in ("region_a", "region_b")
    )
    found = {}
    for subject, z in zip(features["subject"].values, features["y"].values, strict=True):
        matrix = np.eye(len(names))
        matrix[a, b] = matrix[b, a] = np.tanh(z)
        found[str(subject)] = pd.DataFrame(matrix.round(5), index=names, columns=names)
    return found


def _write_csv(simulated: SimulatedCohort, folder: Path) -> None:
    codes = {s: f"P{s.removeprefix('sub-')}" for s in simulated.participants.index}
    (folder / "matrices").mkdir()
    for subject, matrix in _matrices(simulated).items():
        matrix.to_csv(folder / "matrices" / f"{codes[subject]}.csv")
    people = simulated.participants
    first = simulated.items[simulated.items["session_id"] == SESSIONS[0]]
    items = first.set_index("participant_id").drop(columns="session_id")
    # Unknown items leave no total.
    totals = items.sum(axis=1, min_count=items.shape[1]).reindex(people.index)
    control = people["diagnosis"] == CONTROL
    pd.DataFrame(
        {
            "Code": [codes[s] for s in people.index],
            "Group": np.where(control, "control", "patient"),
            "Drug": np.where(control, "", people["arm"]),
            "Age": people["age"].astype(int).to_numpy(),
            "Gender": people["sex"].to_numpy(),
            "Scanner": people["site"].to_numpy(),
            "FD": people["mean_fd"].to_numpy(),
            "HAMD": totals.astype("Int64").array,
        }
    ).to_csv(folder / "clinical.csv", index=False)
    regions = simulated.regions[["region", "network"]]
    regions.set_axis(["ROI", "Network"], axis=1).to_csv(folder / "regions.csv", index=False)


def _write_xcpd(simulated: SimulatedCohort, folder: Path) -> None:
    people, names = simulated.participants, simulated.regions["region"].astype(str).tolist()
    table = people.drop(columns="mean_fd").reset_index()
    table.to_csv(folder / "participants.tsv", sep="\t", index=False, na_rep="n/a")
    described = {
        "Name": "Simulated (no real person)",
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "XCP-D"}],
    }
    (folder / "dataset_description.json").write_text(json.dumps(described, indent=2) + "\n")
    atlas = folder / "atlases" / f"atlas-{_ATLAS}"
    atlas.mkdir(parents=True)
    pd.DataFrame(
        {
            "index": range(1, len(names) + 1),
            "label": names,
            "network_label": simulated.regions["network"].to_numpy(),
        }
    ).to_csv(atlas / f"atlas-{_ATLAS}_dseg.tsv", sep="\t", index=False)
    matrices = _matrices(simulated)
    for subject, series in simulated.series.items():
        func = folder / subject / "func"
        func.mkdir(parents=True)
        scan = f"{subject}_task-rest"
        stem = func / f"{scan}_space-MNI152NLin2009cAsym_seg-{_ATLAS}"
        pd.DataFrame(series.round(4), columns=names).to_csv(
            f"{stem}_timeseries.tsv", sep="\t", index=False
        )
        matrices[subject].rename_axis("Node").to_csv(
            f"{stem}_stat-pearsoncorrelation_relmat.tsv", sep="\t"
        )
        motion = pd.Series(float(people["mean_fd"][subject]), index=range(len(series)))
        motion.rename("framewise_displacement").to_csv(
            func / f"{scan}_motion.tsv", sep="\t", index=False
        )
