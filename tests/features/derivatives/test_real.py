"""Real time series and a real atlas."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pandas as pd

from bayes_mdd.features import read_atlas, read_derivatives


def test_stages_series_give_the_stored_connectivity(shared_data, tmp_path):
    source = shared_data("stages_rct")
    with np.load(source / "timeseries_ses-1_demeaned_f16.npz") as held:
        ids, series = held["subject"][:3].tolist(), held["ts"][:3].astype(np.float64)
    with np.load(source / "fc_fisherz_ses-1.npz") as held:
        stored = held["fisher_z"][:3].astype(np.float64)
    table = pd.read_csv(source / "rois_419.tsv", sep="\t", dtype=str, keep_default_na=False)
    names = table["region"].tolist()
    for subject, one in zip(ids, series, strict=True):
        pd.DataFrame(one.T, columns=names).to_csv(
            tmp_path / f"{subject}_ses-1_task-rest_seg-S400_stat-mean_timeseries.tsv",
            sep="\t",
            index=False,
        )
    # The region table has another order than the files, which are joined by name.
    regions = table.iloc[::-1][["region", "network"]]
    got = read_derivatives(tmp_path, regions=regions)
    square = np.zeros((419, 419))
    for subject, one in zip(got["subject"].values, got["y"].values, strict=True):
        row = next(i for i, p in enumerate(ids) if p.removeprefix("sub-") in str(subject))
        square[np.triu_indices(419, 1)] = stored[row]
        expected = (square + square.T)[::-1, ::-1][np.triu_indices(419, 1)]
        small = np.abs(expected) < 1
        # Both are stored in half precision; see the README of the data.
        assert np.abs(one - expected)[small].max() < 5e-4


def test_every_schaefer_parcel_keeps_its_value(shared_data, tmp_path):
    folder = shared_data("schaefer")
    stem = "schaefer_100_17networks"
    fine = nib.load(folder / f"{stem}_mni152_1mm.nii.gz")
    affine = fine.affine @ np.diag([4.0, 4, 4, 1])
    labels = np.asarray(fine.dataobj)[::4, ::4, ::4].astype(np.int16)
    atlas = tmp_path / "atlas" / "schaefer_dseg.nii.gz"
    atlas.parent.mkdir()
    nib.save(nib.Nifti1Image(labels, affine), atlas)
    for i in range(1, 4):
        path = tmp_path / "maps" / f"sub-{i:02d}_stat-effect_statmap.nii.gz"
        path.parent.mkdir(exist_ok=True)
        nib.save(nib.Nifti1Image(labels.astype(np.float32) * i, affine), path)
    regions = read_atlas(atlas, labels=folder / f"{stem}.tsv", networks="circuit")
    shuffled = regions.sample(frac=1, random_state=4)
    got = read_derivatives(tmp_path / "maps", atlas=atlas, regions=shuffled)
    by_name = dict(zip(regions["region"], regions["label"], strict=True))
    expected = [by_name[str(r)] for r in got["feature"].values]
    np.testing.assert_allclose(got["y"].values, np.outer([1, 2, 3], expected), rtol=1e-5)
    assert set(got["block"].values.tolist()) == {"DMN", "CCN", "ATT", "THR", "LIM", "SM", "VIS"}
