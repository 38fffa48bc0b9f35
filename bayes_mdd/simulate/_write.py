"""Writing of a simulated cohort as a cohort folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pandas as pd
import xarray as xr

from bayes_mdd.dims import CONTROL, MISSING
from bayes_mdd.files.folders import new_folder
from bayes_mdd.files.marks import SIMULATED
from bayes_mdd.files.targets import check_cohort_target
from bayes_mdd.files.temporary import PART, remove_leftovers, temporary_name
from bayes_mdd.simulate._cohort import SimulatedCohort
from bayes_mdd.simulate._design import HAMD17, SESSIONS
from bayes_mdd.simulate._response import NULL_TWIN
from bayes_mdd.simulate._write_response import (
    benefit_table,
    describe_design,
    describe_response,
    describe_sessions,
    disposition_sidecar,
    null_scale,
    null_sidecar,
    slopes_table,
)
from bayes_mdd.simulate._write_scans import remove_scans, write_scans

_README: Final = """\
Simulated cohort. No row describes a real person. All numbers were drawn by bayes_mdd.simulate
(simulate_cohort, then write_cohort; the arguments are in truth/settings.json).

participants.tsv   id, diagnosis, arm, site, age, sex, head motion (mean_fd); participants.json
                   declares the design of the trial under "arm"
phenotype/         hamd17: items before treatment and after 8 weeks, n/a where not rated
                   hamd17_null: totals of a twin of this outcome, in which nothing is planted
                   disposition: who has no rating after treatment, and why
features/          one matrix of Pearson correlations per participant; regions.tsv lists the regions
{files}
truth/             true parameters: factor scores of patients, sharing (fraction of the variance of
                   a factor by arm), loadings (in residual SD of an edge per SD of the score),
                   weights of factors in the latent symptom severity; benefit: what each patient
                   gains from the second drug, in points of the HAMD-17 total after 8 weeks (above
                   0: fewer points on it), and the expected total on each drug; response: what
                   factors do to this total, in points per SD of the score

{response}
Region names, networks and coordinates are invented (a few plausible points per network, in mm) and
not taken from an atlas. {origin}
Controls have effects of site, age, sex and motion, and noise, but none of the factors.
"""
#: Content of ``dataset_description.json``; the folder is recognised by it.
DESCRIPTION: Final = {
    "Name": "Simulated cohort (no real person)",
    "BIDSVersion": "1.10.0",
    "DatasetType": "derivative",
    "GeneratedBy": [{"Name": "bayes_mdd.simulate"}],
}
_EDGES: Final = "Each edge is drawn separately, so matrices need not be positive definite."
_SERIES: Final = "All features were measured from time series, one per participant."
_SERIES_FILES: Final = """\
                   *_half-1_*, *_half-2_*: correlations in the two halves of the scan
                   *_pieces.npy (piece, pair of regions): mean products of the standardised series
                   in 8 consecutive pieces of the scan
examples/          time series of three participants
"""


def write_cohort(
    simulated: SimulatedCohort, folder: str | Path, *, overwrite: bool = False
) -> Path:
    """Write a simulated cohort as a cohort folder, laid out like real data.

    Parameters
    ----------
    simulated : SimulatedCohort
        Result of `simulate_cohort`.
    folder : str or Path
        Folder to write to; created if it does not exist.
    overwrite : bool, default False
        Whether to write to a folder that is not empty. An earlier simulated cohort is replaced,
        other files are kept. Files of the same names that `write_cohort` did not write, such as
        the ``participants.tsv`` of a real cohort, are never replaced.

    Returns
    -------
    Path
        `folder`. The same cohort gives identical files.

    Raises
    ------
    DataContractError
        If the folder is a file, is not empty and `overwrite` is False, or holds another cohort.
    WriteError
        If it cannot be written. An earlier simulated cohort is untouched then, unless the folder
        holds other files as well.
    """
    return replace_cohort(folder, lambda work: _write(simulated, work), overwrite=overwrite)


def replace_cohort(folder: str | Path, write: Callable[[Path], None], *, overwrite: bool) -> Path:
    """Write a simulated cohort to a folder, which it replaces unless it holds other files."""
    folder = check_cohort_target(folder, overwrite=overwrite)
    if folder.is_dir() and SIMULATED.foreign(folder):
        remove_leftovers(folder, PART)
        with TemporaryDirectory(dir=folder, prefix=temporary_name(PART, ".")) as work:
            write(Path(work))
            remove_scans(folder)
            _move(Path(work), folder)
    else:
        with new_folder(folder) as work:
            write(work)
    return folder


def write_files(files: Mapping[str, str], folder: Path) -> None:
    """Write texts by their path in a folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")


def _write(simulated: SimulatedCohort, folder: Path) -> None:
    write_files(_cohort_files(simulated), folder)
    write_scans(simulated, folder)


def _move(work: Path, folder: Path) -> None:
    """Move every file to its place, one after the other."""
    for path in sorted(p for p in work.rglob("*") if p.is_file()):
        final = folder / path.relative_to(work)
        final.parent.mkdir(parents=True, exist_ok=True)
        path.replace(final)


def _cohort_files(simulated: SimulatedCohort) -> dict[str, str]:
    """Contents of all files except the matrices."""
    truth = simulated.truth
    participants = simulated.participants.assign(
        age=simulated.participants["age"].astype(int),
        mean_fd=simulated.participants["mean_fd"].map("{:.3f}".format),
    )
    loadings = wide_table(truth["loadings"].drop_vars("block").transpose("feature", "factor"))
    loadings.insert(1, "block", truth["block"].values)
    scores = wide_table(truth["scores"]).rename(columns={"subject": "participant_id"})
    files = {
        "README": _readme(simulated),
        "dataset_description.json": json_text(DESCRIPTION),
        "participants.tsv": tsv_text(participants.reset_index()),
        "participants.json": json_text(
            participants_sidecar(participants, describe_design(simulated))
        ),
        "phenotype/hamd17.tsv": tsv_text(simulated.items),
        "phenotype/hamd17.json": json_text(_phenotype_sidecar()),
        f"phenotype/{NULL_TWIN}.tsv": tsv_text(simulated.null_twin),
        f"phenotype/{NULL_TWIN}.json": json_text(null_sidecar()),
        f"phenotype/{NULL_TWIN}.yaml": null_scale(),
        "phenotype/disposition.tsv": tsv_text(simulated.disposition),
        "phenotype/disposition.json": json_text(disposition_sidecar()),
        "features/regions.tsv": tsv_text(simulated.regions),
        "features/features.json": json_text(features_sidecar(ordered=bool(simulated.series))),
        "truth/settings.json": json_text(dict(simulated.settings)),
        "truth/scores.tsv": tsv_text(scores, 6),
        "truth/sharing.tsv": tsv_text(wide_table(truth["sharing"]), 6),
        "truth/loadings.tsv": tsv_text(loadings, 6),
        "truth/symptom_weight.tsv": tsv_text(wide_table(truth["symptom_weight"]), 6),
        "truth/benefit.tsv": tsv_text(benefit_table(truth), 6),
        "truth/response.tsv": tsv_text(slopes_table(truth), 6),
    }
    if simulated.series:  # else an argument, in settings.json
        files["truth/noise.json"] = json_text(
            {"noise_sd": round(float(truth["noise_sd"]), 6), "units": "fisher_z"}
        )
    return files


def _readme(simulated: SimulatedCohort) -> str:
    series = bool(simulated.series)
    text = _README.replace("{files}\n", _SERIES_FILES if series else "")
    text = text.replace("{response}\n", f"{describe_response(simulated)}\n")
    return text.replace("{origin}", _SERIES if series else _EDGES)


def features_sidecar(*, ordered: bool) -> dict[str, Any]:
    """Describe the matrices; `ordered` if files without names follow regions.tsv."""
    sidecar = {
        "kind": "functional_connectivity",
        "measure": "correlation",
        "units": "r",
        "estimator": "empirical",
        "source": "matrices",
        "session": SESSIONS[0],
        "description": "Simulated Pearson correlations; one matrix per participant.",
    }
    return sidecar | ({"order": "regions.tsv"} if ordered else {})


def participants_sidecar(participants: pd.DataFrame, design: Mapping[str, Any]) -> dict[str, Any]:
    """Describe the columns of participants, and declare the design of the trial."""
    arms = [arm for arm in dict.fromkeys(sorted(participants["arm"])) if arm != MISSING]
    return {
        "participant_id": {"Description": "Unique id of the participant"},
        "diagnosis": {
            "Description": "Diagnosis",
            "Levels": {CONTROL: "Healthy control", "MDD": "Major depressive disorder"},
        },
        "arm": {
            "Description": "Drug class after baseline; n/a for controls",
            "Levels": {arm: f"Treated with {arm}" for arm in arms},
            **design,
        },
        "site": {
            "Description": "Site of measurement",
            "Levels": {site: "Simulated site" for site in sorted(set(participants["site"]))},
        },
        "age": {"Description": "Age at baseline", "Units": "year"},
        "sex": {"Description": "Sex", "Levels": {"F": "Female", "M": "Male"}},
        "mean_fd": {"Description": "Mean framewise displacement during the scan", "Units": "mm"},
    }


def _phenotype_sidecar() -> dict[str, Any]:
    return {
        "MeasurementToolMetadata": {
            "Description": "Hamilton Depression Rating Scale, 17 items (simulated ratings)",
            "Scale": "hamd17",
        },
        "session_id": describe_sessions(),
    } | {
        f"hamd17_{item}": {
            "Description": text,
            "ScaleItem": item,
            "MinValue": 0,
            "MaxValue": highest,
        }
        for item, (text, highest, _) in HAMD17.items()
    }


def wide_table(values: xr.DataArray) -> pd.DataFrame:
    """Convert a two-dimensional array to a table; its coordinates name rows and columns."""
    rows, columns = values.dims
    index = pd.Index(values[rows].values, name=str(rows))
    return pd.DataFrame(values.values, index=index, columns=values[columns].values).reset_index()


def json_text(content: Mapping[str, Any]) -> str:
    """Format as JSON."""
    return json.dumps(content, indent=2) + "\n"


def tsv_text(table: pd.DataFrame, digits: int | None = None) -> str:
    """Format a table as TSV."""
    text: str = table.to_csv(
        sep="\t",
        index=False,
        na_rep=MISSING,
        lineterminator="\n",
        float_format=None if digits is None else f"%.{digits}f",
    )
    return text
