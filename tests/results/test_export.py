"""Every exported file is read back by the program it is for, and says what it shows."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from fakes import make_fake_idata, with_reliability

from bayes_mdd import region_strength, signatures
from bayes_mdd.errors import DataContractError, RunFolderError, SpecError
from bayes_mdd.results.export import export_signatures

AFFINE = np.array([[3.0, 0, 0, -20], [0, 3, 0, -30], [0, 0, 3, -10], [0, 0, 0, 1]])


@pytest.fixture
def sig(fake_idata) -> xr.Dataset:
    return signatures(fake_idata)


@pytest.fixture
def atlas() -> nib.Nifti1Image:
    """Two voxels a region, one region the features do not know (99), the rest background."""
    data = np.zeros((6, 6, 6), dtype=np.int16)
    labels = [31, 12, 7, 5, 22, 23, 40, 2, 9, 11, 99]
    for i, label in enumerate(labels):
        data[i % 6, i // 6, 1:3] = label
    return nib.Nifti1Image(data, AFFINE)


def read_tsv(path, **kwargs) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t", keep_default_na=False, na_values=["n/a"], **kwargs)


def test_exact_set_of_files(sig, tmp_path):
    written = export_signatures(sig, tmp_path / "out", formats=["tsv", "netcdf", "matrix"])
    names = ["signatures.tsv", "signatures.nc", "signatures.json"]
    names += [f"factor-F{k}_stat-mean_relmat.{e}" for k in range(1, 4) for e in ("tsv", "json")]
    assert sorted(p.name for p in written) == sorted(names)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(names)


def test_views_share_the_table_but_no_matrix(sig, tmp_path):
    views = sig.assign_coords(view=("feature", ["fc"] * 20 + ["fa"] * 25))
    written = {p.name for p in export_signatures(views, tmp_path)}
    assert written == {"signatures.tsv", "signatures.nc", "signatures.json"}
    assert read_tsv(tmp_path / "signatures.tsv")["view"].value_counts()["fa"] == 3 * 25
    with pytest.raises(DataContractError, match="format 'matrix': one cell or voxel"):
        export_signatures(views, tmp_path / "m", formats=["matrix"])
    one = views.isel(feature=slice(20))
    assert "factor-F1_stat-mean_relmat.tsv" in {
        p.name for p in export_signatures(one, tmp_path / "one", formats=["matrix"])
    }


def test_table_and_netcdf_round_trip(sig, tmp_path):
    sig = sig.copy(deep=True)
    sig["mean"].values[0, 0] = np.nan
    export_signatures(sig, tmp_path, formats=["tsv", "netcdf"])
    table = read_tsv(tmp_path / "signatures.tsv")
    assert len(table) == 3 * 45
    assert "\tn/a\t" in (tmp_path / "signatures.tsv").read_text().splitlines()[1]
    np.testing.assert_allclose(table["mean"], sig["mean"].values.ravel(), rtol=1e-5)
    row = table[(table["factor"] == "F3") & (table["region_a"] == "DMN_4")].iloc[-1]
    assert (row["region_b"], row["block"], row["label"]) == (
        "Reward_3",
        "DMN-Reward",
        "SNRI-specific",
    )
    with xr.open_dataset(tmp_path / "signatures.nc", engine="h5netcdf") as back:
        xr.testing.assert_equal(back.load(), sig)
        assert back.attrs == sig.attrs


def test_files_say_which_maps_are_not_signatures(fake_idata, tmp_path):
    sig = signatures(with_reliability(fake_idata, halves=[0.98, 0.5, 0.1, np.nan]))
    export_signatures(sig, tmp_path, formats=["tsv", "matrix"])
    table = read_tsv(tmp_path / "signatures.tsv").drop_duplicates("factor").set_index("factor")
    assert table["stability"].tolist() == ["stable", "open", "not nameable"]
    assert table.loc["F1", "reliability"] == pytest.approx(0.98)
    note = json.loads((tmp_path / "factor-F2_stat-mean_relmat.json").read_text())
    assert note["Stability"] == "open" and "are not signatures" in note["Note"]
    assert note["Reliability"]["reliability"] == pytest.approx(0.5)
    export_signatures(signatures(fake_idata), tmp_path / "one", formats=["matrix"])
    unknown = json.loads((tmp_path / "one" / "factor-F1_stat-mean_relmat.json").read_text())
    assert unknown["Reliability"]["reliability"] is None


def test_unused_factors_are_not_exported_and_their_old_files_go(fake_idata, tmp_path):
    sig = signatures(fake_idata)
    export_signatures(sig, tmp_path, formats=["tsv", "netcdf", "matrix"])
    (tmp_path / "factor-mine_notes.txt").write_text("kept")
    nothing = signatures(make_fake_idata(idle=(0, 1, 2)))
    export_signatures(nothing, tmp_path, formats=["tsv", "netcdf", "matrix"], overwrite=True)
    left = {p.name for p in tmp_path.iterdir()}
    assert left == {
        "signatures.tsv",
        "signatures.nc",
        "signatures.json",
        "factor-mine_notes.txt",
    }
    header = read_tsv(tmp_path / "signatures.tsv")
    assert header.empty and {"factor", "feature", "mean"} <= set(header.columns)


def test_matrices_are_square_named_and_symmetric(sig, tmp_path):
    export_signatures(sig, tmp_path, formats=["matrix"])
    table = read_tsv(tmp_path / "factor-F2_stat-mean_relmat.tsv", index_col=0)
    assert table.index.tolist() == table.columns.tolist() == sig["region"].values.tolist()
    assert np.isnan(np.diag(table)).all()
    np.testing.assert_array_equal(table, table.T)
    wanted = float(sig["mean"].sel(factor="F2", feature="CCN_1--CCN_3"))
    assert table.loc["CCN_3", "CCN_1"] == pytest.approx(wanted, rel=1e-5)


def test_label_image_is_painted_by_label(sig, atlas, tmp_path):
    shuffled = sig.isel(region=np.random.default_rng(3).permutation(10))
    nib.save(atlas, tmp_path / "atlas.nii.gz")
    export_signatures(
        shuffled, tmp_path / "o", atlas_img=tmp_path / "atlas.nii.gz", formats=["nifti"]
    )
    path = tmp_path / "o" / "factor-F1_stat-strength_statmap.nii.gz"
    image = nib.load(path)
    data = image.get_fdata()
    assert image.get_data_dtype() == np.float32
    np.testing.assert_array_equal(image.affine, AFFINE)
    labels = np.asarray(atlas.dataobj)
    known = np.isin(labels, sig["region_label"].values)
    assert np.isnan(data[~known]).all()
    strength = region_strength(sig, "strength").sel(factor="F1")
    for region, label in zip(sig["region"].values, sig["region_label"].values, strict=True):
        wanted = np.float32(strength.sel(region=region))
        assert (data[labels == label] == wanted).all()
    note = json.loads(path.with_name("factor-F1_stat-strength_statmap.json").read_text())
    assert note["Estimand"] == "expression"
    assert note["Statistic"].startswith("mean over the region's edges")
    assert note["Interval"] == {"ci_prob": 0.9, "ci_kind": "eti"}
    assert (note["Factor"], note["Label"]) == ("F1", "shared")
    assert note["Atlas"] == "atlas.nii.gz" and note["AtlasLabelsWithoutRegion"] == 1
    assert note["Reference"] == sig.attrs["reference"]
    assert note["GeneratedBy"][0]["Name"] == "bayes-mdd" and note["GeneratedBy"][0]["Version"]


def test_region_maps_keep_both_signs_and_replace_the_former_one(sig, tmp_path):
    former = export_signatures(sig, tmp_path, formats=["nifti"], region_statistic="mean")
    assert {p.name.split("_")[1] for p in former} == {"stat-regionmean"}
    (tmp_path / "factor-F1_stat-mine_statmap.nii.gz").write_bytes(b"kept")
    written = export_signatures(sig, tmp_path, formats=["nifti"])
    assert {p.name.split("_")[1] for p in written} == {
        *("stat-strength", "stat-positive", "stat-negative")
    }
    assert not list(tmp_path.glob("*regionmean*")) and list(tmp_path.glob("*stat-mine*"))
    images = {
        stat: nib.load(tmp_path / f"factor-F1_stat-{stat}_statmap.nii.gz")
        for stat in ("strength", "positive", "negative")
    }
    data = {stat: image.get_fdata() for stat, image in images.items()}
    np.testing.assert_allclose(data["strength"], data["positive"] - data["negative"], atol=1e-6)
    assert np.nanmax(data["negative"]) <= 0 <= np.nanmin(data["positive"])
    assert images["negative"].header.get_intent()[2] == "F1 negative"
    note = json.loads((tmp_path / "factor-F1_stat-negative_statmap.json").read_text())
    assert "below 0, else 0" in note["Statistic"] and note["Name"] == str(sig["name"].values[0])
    with pytest.raises(SpecError, match="'middle'"):
        export_signatures(sig, tmp_path / "x", region_statistic="middle")


def test_a_region_that_was_not_analysed_stays_nan(sig, atlas, tmp_path):
    lonely = ((sig["region_a"] != "DMN_1") & (sig["region_b"] != "DMN_1")).values
    export_signatures(
        sig.isel(feature=lonely),
        tmp_path,
        atlas_img=atlas,
        formats=["nifti"],
        region_statistic="mean_abs",
    )
    data = nib.load(tmp_path / "factor-F1_stat-regionmeanabs_statmap.nii.gz").get_fdata()
    assert np.isnan(data[np.asarray(atlas.dataobj) == 31]).all()
    assert np.isfinite(data[np.asarray(atlas.dataobj) == 12]).all()


def test_spheres_sit_at_their_coordinates(sig, tmp_path):
    sig = sig.copy(deep=True)
    sig["region_x"].values[9] = np.nan
    export_signatures(sig, tmp_path, formats=["nifti"], radius=4.0)
    image = nib.load(tmp_path / "factor-F3_stat-strength_statmap.nii.gz")
    assert image.shape == (99, 117, 95)
    data = image.get_fdata()
    strength = region_strength(sig, "strength").sel(factor="F3").values
    inverse = np.linalg.inv(image.affine)
    for i in range(9):
        centre = [float(sig[f"region_{c}"][i]) for c in "xyz"]
        at = tuple(np.rint(nib.affines.apply_affine(inverse, centre)).astype(int))
        assert data[at] == np.float32(strength[i])
    painted = np.argwhere(np.isfinite(data))
    # A sphere of 4 mm on a 2 mm grid whose centre is a voxel holds 33 voxels.
    assert 9 * 25 <= len(painted) <= 9 * 40
    world = nib.affines.apply_affine(image.affine, painted)
    centres = np.stack([sig[f"region_{c}"].values[:9] for c in "xyz"], axis=1)
    distance = np.linalg.norm(world[:, None] - centres, axis=2).min(axis=1)
    assert distance.max() <= 4.0 + 1e-6
    note = json.loads((tmp_path / "factor-F3_stat-strength_statmap.json").read_text())
    assert note["SphereRadius"] == {"Value": 4.0, "Units": "mm"}
    assert note["RegionsNotPainted"] == ["Reward_3"]


def test_regional_features_are_painted_as_they_are(atlas, tmp_path):
    sig = signatures(make_fake_idata(regional=True))
    written = export_signatures(sig, tmp_path, atlas_img=atlas)
    assert not [p for p in written if "relmat" in p.name]
    data = nib.load(tmp_path / "factor-F1_stat-mean_statmap.nii.gz").get_fdata()
    wanted = np.float32(sig["mean"].sel(factor="F1", feature="CCN_3"))
    assert (data[np.asarray(atlas.dataobj) == 40] == wanted).all()
    note = json.loads((tmp_path / "factor-F1_stat-mean_statmap.json").read_text())
    assert note["Statistic"] == "posterior mean"


def test_brainnet_viewer_files(sig, tmp_path):
    export_signatures(sig, tmp_path, formats=["brainnet"])
    nodes = pd.read_csv(tmp_path / "factor-F1_brainnet.node", sep=r"\s+", header=None)
    assert nodes.shape == (10, 6)
    assert nodes.iloc[4].tolist()[:4] == [-42, 30, 30, 2]
    edges = np.loadtxt(tmp_path / "factor-F1_brainnet.edge")
    assert edges.shape == (10, 10) and (np.diag(edges) == 0).all()
    np.testing.assert_array_equal(edges, edges.T)
    assert json.loads((tmp_path / "factor-F1_brainnet.json").read_text())["Factor"] == "F1"


def test_nothing_is_overwritten_unasked(sig, tmp_path):
    export_signatures(sig, tmp_path, formats=["tsv"])
    before = (tmp_path / "signatures.tsv").read_bytes()
    with pytest.raises(RunFolderError, match=r"signatures\.tsv.*overwrite=True"):
        export_signatures(sig * 2, tmp_path, formats=["tsv", "matrix"])
    assert (tmp_path / "signatures.tsv").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2
    export_signatures(sig.assign(mean=sig["mean"] * 2), tmp_path, formats=["tsv"], overwrite=True)
    assert (tmp_path / "signatures.tsv").read_bytes() != before


def test_atlas_that_does_not_fit_is_named(sig, atlas, tmp_path):
    data = np.asarray(atlas.dataobj).copy()
    data[data == 7] = 0
    data[data == 40] = 0
    with pytest.raises(DataContractError, match=r"2 of 10 regions: DMN_3 \(label 7\), CCN_3"):
        export_signatures(sig, tmp_path / "o", atlas_img=nib.Nifti1Image(data, AFFINE))
    halves = nib.Nifti1Image(np.full((3, 3, 3), 0.5, dtype=np.float32), AFFINE)
    with pytest.raises(DataContractError, match="non-integer values"):
        export_signatures(sig, tmp_path / "o", atlas_img=halves)
    (tmp_path / "broken.nii.gz").write_bytes(b"no image")
    with pytest.raises(DataContractError, match=r"broken\.nii\.gz is truncated or not a gzip file"):
        export_signatures(sig, tmp_path / "o", atlas_img=tmp_path / "broken.nii.gz")
    with pytest.raises(DataContractError, match="no atlas labels"):
        export_signatures(sig.drop_vars("region_label"), tmp_path / "o", atlas_img=atlas)
    assert not (tmp_path / "o").exists()


def test_impossible_formats_are_refused_only_when_asked_for(tmp_path):
    sig = signatures(make_fake_idata(coordinates=False))
    written = export_signatures(sig, tmp_path)
    assert not [p for p in written if p.name.endswith(".nii.gz")]
    with pytest.raises(DataContractError, match="no MNI coordinates"):
        export_signatures(sig, tmp_path / "o", formats=["nifti"])
    with pytest.raises(SpecError, match="csv"):
        export_signatures(sig, tmp_path / "o", formats=["csv"])
    with pytest.raises(DataContractError, match="p_positive"):
        export_signatures(sig.drop_vars("p_positive"), tmp_path / "o")


def test_coordinates_outside_the_brain_are_named(sig, tmp_path):
    far = sig.copy(deep=True)
    far["region_x"].values[2] = 900.0
    with pytest.raises(DataContractError, match="DMN_3"):
        export_signatures(far, tmp_path / "o", formats=["nifti"])
