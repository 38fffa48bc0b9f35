"""Create a cohort folder from the STAGES trial: 55 participants, two randomised arms, 419 regions.

STAGES is a trial of antipsychotic medication against placebo in first-episode psychosis (Pope et
al. 2025, doi:10.1016/j.bpsgos.2025.100589). It is not a study of depression. It serves as an
example of connectivity in two drug arms where a claim of an arm-specific pattern would be false.
This recipe also shows how to convert a table of edges to a cohort folder.

Where SOURCE has the time series, the halves and pieces of each scan are written too. They show
which patterns change within a scan; the second session, if there is one, shows which patterns last.

Usage::

    python docs/recipes/stages_rct.py SOURCE OUT [--pieces 8] [--other-session]

SOURCE holds ``participants.tsv``, ``rois_419.tsv`` and ``fc_fisherz_ses-1.npz`` (``subject``,
``fisher_z`` with edges in the order of ``numpy.triu_indices(419, 1)``), and if available
``timeseries_ses-1_demeaned_f16.npz`` (``subject``, ``ts`` of subject, region and time) and
``fc_fisherz_ses-2.npz``. OUT must be new or empty; pieces take about 3 MB per participant.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

import bayes_mdd as bm

#: The eighth network: 19 subcortical regions, for which upstream gives no coordinates.
NETWORKS = {"Subcortical": "Subcortex"}
ARMS = {"medication": "antipsychotic medication", "placebo": "placebo"}

type Array = npt.NDArray[np.floating]


def read_text(path: Path) -> pd.DataFrame:
    """Read a TSV as text, so that ids and arms are not converted."""
    return pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, na_values=["n/a", ""])


def write_text(table: pd.DataFrame, path: Path) -> None:
    """Write a TSV with ``n/a`` for missing values."""
    table.to_csv(path, sep="\t", index=False, na_rep="n/a")


def write_json(content: dict[str, object], path: Path) -> None:
    """Write a JSON sidecar."""
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def write_participants(source: Path, out: Path) -> None:
    """Write ``participants.tsv`` and its sidecar; an unknown arm is ``n/a``."""
    participants = read_text(source / "participants.tsv")
    participants = participants.rename(columns={"subject": "participant_id"})
    participants.insert(1, "diagnosis", "FEP")
    write_text(participants, out / "participants.tsv")
    outcome = {
        name: {"Description": "Upstream outcome, pooled z-score.", "Units": "SD"}
        for name in participants.columns
        if name.endswith("_z")
    }
    write_json(
        {
            "diagnosis": {
                "Description": "Diagnosis.",
                "Levels": {"FEP": "first-episode psychosis"},
            },
            "arm": {
                "Description": "Randomised arm; n/a where upstream has no outcome.",
                "Levels": ARMS,
                "Assignment": "randomised",
                "Default": "placebo",
            },
            "has_ses2": {
                "Description": "Scanned a second time.",
                "Levels": {"True": "yes", "False": "no"},
            },
            **outcome,
        },
        out / "participants.json",
    )


def write_regions(source: Path, out: Path) -> pd.Series[str]:
    """Write ``regions.tsv`` (7 Schaefer networks and the subcortex); return the region names."""
    regions = read_text(source / "rois_419.tsv").drop(columns="index")
    regions["network"] = regions["network"].replace(NETWORKS)
    first = ["region", "network"]
    write_text(regions[first + [c for c in regions if c not in first]], out / "regions.tsv")
    return regions["region"]


@dataclass(frozen=True)
class Edges:
    """Names of all edges, and which of them are written."""

    names: npt.NDArray[np.str_]
    kept: npt.NDArray[np.bool_]


def read_fisher_z(path: Path) -> dict[str, npt.NDArray[np.float32]]:
    """Read the edges of one session by subject."""
    with np.load(path, allow_pickle=False) as archive:
        z = archive["fisher_z"].astype(np.float32)
        return dict(zip(archive["subject"].astype(str).tolist(), z, strict=True))


def write_edges(source: Path, out: Path, names: pd.Series[str]) -> Edges:
    """Write ``features.npz`` with all finite edges that vary."""
    by_subject = read_fisher_z(source / "fc_fisherz_ses-1.npz")
    z = np.stack(list(by_subject.values()))
    region = names.to_numpy(dtype=str)
    first, second = np.triu_indices(len(region), 1)
    if z.shape[1] != len(first):
        raise SystemExit(f"fisher_z has {z.shape[1]} edges, expected {len(first)}.")
    feature = np.strings.add(np.strings.add(region[first], "--"), region[second])
    edges = Edges(feature, np.isfinite(z).all(axis=0) & (np.ptp(z, axis=0) > 0))
    write_table(by_subject, edges, out / "features.npz")
    write_json(
        {
            "kind": "functional_connectivity",
            "measure": "correlation",
            "units": "fisher_z",
            "estimator": "empirical",
            "source": "table",
            "session": "1",
            "order": "regions.tsv",
            "description": "arctanh of Pearson r, stored upstream in half precision; edges left "
            f"out because they are constant or not finite: {int((~edges.kept).sum())}.",
        },
        out / "features.json",
    )
    return edges


def write_table(
    by_subject: Mapping[str, npt.NDArray[np.floating]], edges: Edges, path: Path
) -> None:
    """Write one table of edges as ``subject``, ``feature`` and ``values``."""
    values = np.stack(list(by_subject.values()))[:, edges.kept]
    np.savez_compressed(
        path,
        subject=np.array(list(by_subject)),
        feature=edges.names[edges.kept],
        values=values.astype(np.float32),
    )


def write_parts(source: Path, out: Path, edges: Edges, pieces: int) -> None:
    """Write ``half_difference.npz`` and one ``*_pieces.npy`` per subject, from the series."""
    with np.load(source / "timeseries_ses-1_demeaned_f16.npz", allow_pickle=False) as archive:
        subjects = archive["subject"].astype(str).tolist()
        series = [one.T.astype(np.float64) for one in archive["ts"]]
    measured = bm.connectivity_from_timeseries(
        dict(zip(subjects, series, strict=True)),
        bm.read_regions(out / "regions.tsv"),
        halves=True,
        pieces=pieces or None,
    )
    halves = dict(zip(subjects, measured["half_difference"].values, strict=True))
    write_table(halves, edges, out / "half_difference.npz")
    if pieces:
        for subject, own in zip(subjects, measured["pieces"].values, strict=True):
            np.save(out / f"{subject}_pieces.npy", own)


def write_session_difference(source: Path, out: Path, edges: Edges) -> None:
    """Write ``session_difference.npz``: (session 1 - session 2) / 2 of those who have both."""
    one, two = (read_fisher_z(source / f"fc_fisherz_ses-{i}.npz") for i in (1, 2))
    both = {subject: (one[subject] - two[subject]) / 2 for subject in one if subject in two}
    write_table(both, edges, out / "session_difference.npz")


def convert(
    source: Path, out: Path, *, pieces: int = 8, other_session: bool = False
) -> tuple[xr.Dataset, list[str]]:
    """Write the cohort folder; return its features and the names of the edges left out."""
    if out.exists() and any(out.iterdir()):
        raise SystemExit(f"{out} is not empty: choose a new folder.")
    folder = out / "features"
    folder.mkdir(parents=True, exist_ok=True)
    write_json(
        {
            "Name": "STAGES randomised trial, baseline connectivity",
            "BIDSVersion": "1.10.0",
            "DatasetType": "derivative",
            "License": "Apache-2.0",
            "SourceDatasets": [{"DOI": "doi:10.1016/j.bpsgos.2025.100589"}],
        },
        out / "dataset_description.json",
    )
    write_participants(source, out)
    edges = write_edges(source, folder, write_regions(source, folder))
    if (source / "timeseries_ses-1_demeaned_f16.npz").exists():
        write_parts(source, folder, edges, pieces)
    if other_session:
        write_session_difference(source, folder, edges)
    return bm.read_features(out), edges.names[~edges.kept].tolist()


def main(arguments: list[str] | None = None) -> int:
    """Run the recipe from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("source", type=Path, help="folder with the STAGES files")
    parser.add_argument("out", type=Path, help="cohort folder to write")
    parser.add_argument("--pieces", type=int, default=8, help="pieces per scan; 0: none")
    parser.add_argument(
        "--other-session", action="store_true", help="write differences from the second session"
    )
    given = parser.parse_args(arguments)
    features, left_out = convert(
        given.source, given.out, pieces=given.pieces, other_session=given.other_session
    )
    arms = pd.Series(features["arm"].values).value_counts()
    parts = [str(name) for name in features.data_vars if name != "y"]
    sys.stdout.write(
        f"{given.out}: {features.sizes['subject']} participants "
        f"({', '.join(f'{n} {arm}' for arm, n in arms.items())}), "
        f"{features.sizes['feature']} edges, {len(set(features['block'].values))} blocks; "
        f"{len(left_out)} edges left out {left_out[:3] or ''}; "
        f"with {', '.join(parts) or 'no parts of scans'}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
