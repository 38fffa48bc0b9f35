"""Create a cohort folder from the STAGES trial: 55 participants, two randomised arms, 419 regions.

STAGES is a trial of antipsychotic medication against placebo in first-episode psychosis (Pope et
al. 2025, doi:10.1016/j.bpsgos.2025.100589). It is not a study of depression. It serves as an
example of connectivity in two drug arms where a claim of an arm-specific pattern would be false.
This recipe also shows how to convert a table of edges to a cohort folder.

Usage::

    python docs/recipes/stages_rct.py SOURCE OUT

SOURCE holds ``participants.tsv``, ``rois_419.tsv`` and ``fc_fisherz_ses-1.npz`` (``subject``,
``fisher_z`` with edges in the order of ``numpy.triu_indices(419, 1)``). OUT must be new or empty.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

import bayes_mdd as bm

#: The eighth network: 19 subcortical regions, for which upstream gives no coordinates.
NETWORKS = {"Subcortical": "Subcortex"}
ARMS = {"medication": "antipsychotic medication", "placebo": "placebo"}


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


def write_edges(source: Path, out: Path, names: pd.Series[str]) -> list[str]:
    """Write ``features.npz`` with all finite edges that vary; return the names of the others."""
    with np.load(source / "fc_fisherz_ses-1.npz", allow_pickle=False) as archive:
        subject, z = archive["subject"].astype(str), archive["fisher_z"].astype(np.float32)
    region = names.to_numpy(dtype=str)
    first, second = np.triu_indices(len(region), 1)
    if z.shape != (len(subject), len(first)):
        raise SystemExit(f"fisher_z is {z.shape}, expected ({len(subject)}, {len(first)}).")
    feature = np.strings.add(np.strings.add(region[first], "--"), region[second])
    keep = np.isfinite(z).all(axis=0) & (np.ptp(z, axis=0) > 0)
    np.savez_compressed(
        out / "features.npz", subject=subject, feature=feature[keep], values=z[:, keep]
    )
    write_json(
        {
            "kind": "functional_connectivity",
            "measure": "correlation",
            "units": "fisher_z",
            "estimator": "empirical",
            "source": "table",
            "session": "1",
            "description": "arctanh of Pearson r, stored upstream in half precision; edges left "
            f"out because they are constant or not finite: {int((~keep).sum())}.",
        },
        out / "features.json",
    )
    return [str(name) for name in feature[~keep]]


def convert(source: Path, out: Path) -> tuple[xr.Dataset, list[str]]:
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
    left_out = write_edges(source, folder, write_regions(source, folder))
    return bm.read_features(out), left_out


def main(arguments: list[str] | None = None) -> int:
    """Run the recipe from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("source", type=Path, help="folder with the STAGES files")
    parser.add_argument("out", type=Path, help="cohort folder to write")
    given = parser.parse_args(arguments)
    features, left_out = convert(given.source, given.out)
    arms = pd.Series(features["arm"].values).value_counts()
    sys.stdout.write(
        f"{given.out}: {features.sizes['subject']} participants "
        f"({', '.join(f'{n} {arm}' for arm, n in arms.items())}), "
        f"{features.sizes['feature']} edges, {len(set(features['block'].values))} blocks; "
        f"{len(left_out)} edges left out {left_out[:3] or ''}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
