"""Atlases available offline, label images with their tables, and circuits."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.features import check_regions, read_atlas, read_circuits
from bayes_mdd.features.atlas.atlases import CIRCUITS, find_atlas
from bayes_mdd.features.atlas.published import schaefer_regions

AFFINE = np.diag([2.0, 2, 2, 1])
AFFINE[:3, 3] = -6, -8, -10


def image(folder: Path, name: str = "tpl-MNI_atlas-T_res-2_dseg.nii.gz", **changed) -> Path:
    data = np.zeros((6, 6, 6), dtype=np.int16)
    data[:2], data[2:4], data[4:] = 1, 2, 5  # with a gap in the numbers
    data[0, 0, 0] = 0
    path = folder / name
    nib.save(nib.Nifti1Image(changed.get("data", data), AFFINE), path)
    return path


def table(folder: Path, text: str | None = None) -> Path:
    path = folder / "tpl-MNI_atlas-T_dseg.tsv"
    path.write_text(text or "index\tname\n5\tfive\n1\tone\n2\ttwo\n")
    return path


@pytest.mark.parametrize(
    ("name", "n", "some"),
    [
        ("seitzman300", 300, {"DMN", "CCN", "ATT", "THR", "REW", "LIM", "SM", "VIS", "OTH"}),
        ("power264", 264, {"DMN", "CCN", "ATT", "THR", "SM", "VIS"}),
        ("dosenbach160", 160, {"DMN", "CCN", "THR", "SM", "VIS"}),
    ],
)
def test_atlases_of_nilearn(name, n, some):
    got = read_atlas(name)
    assert len(got) == n
    assert list(got.columns[:6]) == ["region", "network", "circuit", "x", "y", "z"]
    assert some <= set(got["circuit"]) <= set(CIRCUITS)
    assert set(read_atlas(name, networks="circuit")["network"]) == set(got["circuit"])


def test_coordinates_of_the_amygdala_in_the_seitzman_atlas():
    got = read_atlas("seitzman300").query("anatomy == 'amygdala'")
    assert len(got) == 2
    assert set(got["network"]) == {"Reward"}
    np.testing.assert_allclose(got[["x", "y", "z"]].abs().mean(), [23, 4, 20], atol=6)


def test_networks_of_power_are_those_of_the_same_seitzman_regions():
    power, seitzman = read_atlas("power264"), read_atlas("seitzman300")
    gap = np.linalg.norm(
        power[["x", "y", "z"]].to_numpy()[:, None] - seitzman[["x", "y", "z"]].to_numpy(), axis=2
    )
    shared = gap.min(axis=1) < 2
    assert shared.sum() == 239
    expected = seitzman["network"].to_numpy()[gap.argmin(axis=1)]
    assert (power["network"].to_numpy() == expected)[shared].all()
    assert set(power.loc[gap.min(axis=1) > 5, "network"]) == {"unassigned"}


def test_circuits_can_be_edited(tmp_path):
    edited = read_circuits()
    edited.loc[edited["network"] == "CinguloOpercular", "circuit"] = "CCN"
    got = read_atlas("seitzman300", circuits=edited)
    assert set(got.loc[got["network"] == "CinguloOpercular", "circuit"]) == {"CCN"}
    edited.to_csv(tmp_path / "mine.tsv", sep="\t", index=False)
    pd.testing.assert_frame_equal(got, read_atlas("seitzman300", circuits=tmp_path / "mine.tsv"))
    ambiguous = pd.concat([edited, edited.iloc[[0]].assign(circuit="VIS")])
    with pytest.raises(DataContractError, match="several circuits for network"):
        read_atlas("seitzman300", circuits=ambiguous)


def test_all_networks_have_known_circuits():
    assert set(read_circuits()["circuit"]) <= set(CIRCUITS)


def test_unknown_and_ambiguous_atlases():
    with pytest.raises(SpecError, match="one of seitzman300"):
        read_atlas("seitzman")
    with pytest.raises(SpecError, match="choose schaefer400-7 or schaefer400-17"):
        read_atlas("schaefer400")


def test_schaefer_labels_with_and_without_background():
    names = ["7Networks_LH_Vis_1", "7Networks_RH_SalVentAttn_Med_1"]
    for labels in (names, ["Background", *names], [n.encode() for n in names]):
        got = schaefer_regions(labels)
        assert got["label"].tolist() == [1, 2]
        assert got["network"].tolist() == ["Vis", "SalVentAttn"]


def test_label_image_with_a_bids_table(tmp_path):
    path = image(tmp_path)
    table(tmp_path)
    got = read_atlas(path)
    assert got["region"].tolist() == ["five", "one", "two"]
    assert got["label"].tolist() == [5, 1, 2]
    # Slabs of two voxels of 2 mm: the centre of the middle one is at 2.5 voxels.
    assert got["x"].tolist()[2] == pytest.approx(-6 + 2 * 2.5)
    assert find_atlas(path).image == path
    check_regions(got)


def test_networks_from_the_table_of_a_label_image(tmp_path):
    path = image(tmp_path)
    text = "index\tlabel\tnetwork_label\n1\ta\tDefault\n2\tb\tCont\n5\tc\tn/a\n7\tlost\tVis\n"
    got = read_atlas(path, labels=table(tmp_path, text))
    assert got["circuit"].tolist() == ["DMN", "CCN", "OTH", "VIS"]
    assert np.isnan(got["x"].to_numpy()[3])  # in the table but not in the image


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("index\tname\n1\tone\n2\ttwo\n", r"has no row for the value\(s\) 5"),
        ("number\tname\n1\tone\n", "expected the columns index and name"),
        ("index\tname\n1\tone\n2\ttwo\nfive\tfive\n", "found other values for five"),
        ("index\tname\n1e999\tone\n2\ttwo\n5\tfive\n", "found other values for one"),
        ("index\tname\n1\tone\n2.5\ttwo\n5\tfive\n", "found other values for two"),
    ],
)
def test_tables_that_do_not_match_the_image_are_refused(tmp_path, text, message):
    path = image(tmp_path)
    with pytest.raises(DataContractError, match=message):
        read_atlas(path, labels=table(tmp_path, text))


def test_images_that_are_not_label_images_are_refused(tmp_path):
    table(tmp_path)
    with pytest.raises(DataContractError, match="not whole numbers"):
        read_atlas(image(tmp_path, data=np.full((6, 6, 6), 0.5, dtype=np.float32)))
    path = image(tmp_path)
    path.write_bytes(path.read_bytes()[:-15])
    with pytest.raises(DataContractError, match="truncated"):
        read_atlas(path)
    alone = image(tmp_path, "other.nii.gz")
    with pytest.raises(DataContractError, match="no table of its labels in the same folder"):
        read_atlas(alone)


def test_wrong_order_of_schaefer_labels_is_detected_by_coordinates(shared_data, tmp_path):
    folder = shared_data("schaefer")
    stem = "schaefer_100_17networks"
    path = folder / f"{stem}_mni152_1mm.nii.gz"
    got = read_atlas(path, labels=folder / f"{stem}.tsv")
    assert len(got) == 100
    assert set(got["circuit"]) == {"DMN", "CCN", "ATT", "THR", "LIM", "SM", "VIS"}
    wrong = pd.read_csv(folder / f"{stem}.tsv", sep="\t", dtype=str)
    wrong["label"] = wrong["label"].to_numpy()[np.random.default_rng(1).permutation(100)]
    wrong.to_csv(tmp_path / "wrong.tsv", sep="\t", index=False)
    with pytest.raises(DataContractError, match="has another order or space"):
        read_atlas(path, labels=tmp_path / "wrong.tsv")


@pytest.mark.parametrize("form", ["{}_L", "lh_{}", "Left-{}", "networks.{} (L)"])
def test_hemispheres_in_names_are_compared_with_x(form):
    names = [form.format(i) for i in range(6)]
    table = pd.DataFrame({"region": names, "network": "N", "x": [-20.0] * 6})
    check_regions(table)
    with pytest.raises(DataContractError, match=r"in 6 of 6 regions the hemisphere contradicts x"):
        check_regions(table.assign(x=20.0))


def test_schaefer_by_name_is_fetched_by_nilearn(tmp_path, monkeypatch):
    path = image(tmp_path)
    requested = {}

    def fetch(n_rois, yeo_networks, **_):
        requested.update(n=n_rois, networks=yeo_networks)
        return {"maps": str(path), "labels": [b"17Networks_LH_DefaultA_PFCd_1"]}

    monkeypatch.setattr("nilearn.datasets.fetch_atlas_schaefer_2018", fetch)
    got = find_atlas("schaefer400-17")
    assert requested == {"n": 400, "networks": 17}
    assert got.image == path
    assert got.regions["circuit"].tolist() == ["DMN"]


def test_schaefer_without_a_connection(monkeypatch):
    def fetch(**_):
        raise ConnectionError("no route")

    monkeypatch.setattr("nilearn.datasets.fetch_atlas_schaefer_2018", fetch)
    with pytest.raises(DataContractError, match="pass a local label image with its table"):
        read_atlas("schaefer100-7")
