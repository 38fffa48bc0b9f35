"""Hemispheres of regions against the sign of x, and the place of images in space."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from bayes_mdd.errors import DataContractError
from bayes_mdd.features import check_regions, read_atlas
from bayes_mdd.features.image_place import place_problems
from bayes_mdd.features.sides import hemispheres, side_problems

FORMS = [
    ("lh.{}", "rh.{}"),
    ("ctx-lh-{}", "ctx-rh-{}"),
    ("Left-{}", "Right-{}"),
    ("{}_L", "{}_R"),
    ("{}_l", "{}_r"),
    ("L_{}_ROI", "R_{}_ROI"),
    ("7Networks_LH_{}_1", "7Networks_RH_{}_1"),
    ("LH_{}", "RH_{}"),
    ("{}-lh", "{}-rh"),
    ("{} (L)", "{} (R)"),
    ("{} left", "{} right"),
    ("{}_L_7_1", "{}_R_7_1"),
    ("networks.{}.LP (L) (-39,-77,33)", "networks.{}.LP (R) (39,-77,33)"),
    ("Left{}", "Right{}"),
    ("{}_LEFT", "{}_RIGHT"),
]


@pytest.mark.parametrize(("left", "right"), FORMS)
def test_forms_of_hemispheres_in_names(left, right):
    names = [f.format(r) for r in ("Vis", "Amygdala", "V1") for f in (left, right)]
    assert hemispheres(names) == ["L", "R"] * 3
    x = np.array([-20.0, 20, -25, 25, -10, 10])
    assert side_problems(names, x) == []
    (problem,) = side_problems(names, -x)
    assert problem.startswith("in 6 of 6 regions the hemisphere contradicts x")


@pytest.mark.parametrize(
    "names",
    [
        ["r_1", "r_2", "r_3", "r_4"],
        ["Parcel_A", "Parcel_L", "Parcel_R", "Parcel_S"],
        ["Limbic", "Rostral", "bright", "leftover"],
        ["Left-Right-A", "Vermis", "R", "L"],
    ],
)
def test_names_without_a_side(names):
    assert set(hemispheres(names)) == {""}


def test_the_column_is_preferred_and_few_contradictions_pass():
    assert hemispheres(["a", "b_L", "c"], ["left", "RH", "n/a"]) == ["L", "R", ""]
    assert side_problems(["a", "b"], [10.0, -10.0], ["L", "R"])
    assert side_problems(["a", "b"], [2.0, -2.0], ["L", "R"]) == []
    names = [f"{i}_{s}" for i in range(4) for s in "LR"]
    x = np.array([-20.0, 20] * 4)
    x[0] = 20
    assert side_problems(names, x) == []
    assert side_problems(["a_L"], [20.0]) == []


def test_sides_are_compared_where_the_origin_is_outside_the_brain():
    names = ["a_L", "a_R", "b_L", "b_R"]
    assert side_problems(names, [20.0, 60, 25, 70]) == []
    assert side_problems(names, [60.0, 20, 70, 25])
    assert side_problems(names, [np.nan, 20, np.nan, 25]) == []


def test_region_tables_with_few_regions_are_checked():
    table = pd.DataFrame({"region": ["a", "b"], "network": "N", "x": [9.0, -9.0]})
    check_regions(table)
    for column in ("hemisphere", "hemi", "side"):
        with pytest.raises(DataContractError, match="in 2 of 2 regions"):
            check_regions(table.assign(**{column: ["left", "right"]}))
        check_regions(table.assign(**{column: ["right", "left"]}))


LABELS = np.zeros((12, 6, 6), dtype=np.int16)
LABELS[1:4, 1:5, 1:3], LABELS[8:11, 1:5, 1:3] = 1, 2
LABELS[1:4, 1:5, 4:6], LABELS[8:11, 1:5, 4:6] = 3, 4
AFFINE = np.diag([3.0, 3, 3, 1])
AFFINE[:3, 3] = [-16.5, -9, -9]


@pytest.mark.parametrize("column", ["hemisphere", "hemi", "name"])
def test_mirrored_label_images_are_refused(tmp_path, column):
    path = tmp_path / "atlas-X_dseg.nii.gz"
    sides = ["L", "R", "L", "R"]
    names = [
        f"{a}_{s}" if column == "name" else f"{a}{i}"
        for i, (a, s) in enumerate(zip("AABB", sides, strict=True))
    ]
    table = pd.DataFrame({"index": [1, 2, 3, 4], "name": names, "network": "N"})
    if column != "name":
        table[column] = sides
    table.to_csv(tmp_path / "atlas-X_dseg.tsv", sep="\t", index=False)
    nib.save(nib.Nifti1Image(LABELS, AFFINE), path)
    got = read_atlas(path)
    assert (got["x"] < 0).tolist() == [True, False, True, False]
    if column != "name":
        assert got["hemisphere"].tolist() == sides
    # The same anatomy stored from right to left is right.
    turned = AFFINE.copy()
    turned[0, 0], turned[0, 3] = -3, 16.5
    nib.save(nib.Nifti1Image(LABELS[::-1], turned), path)
    assert (read_atlas(path)["x"] < 0).tolist() == [True, False, True, False]
    nib.save(nib.Nifti1Image(LABELS[::-1], AFFINE), path)
    with pytest.raises(DataContractError, match="in 4 of 4 regions the hemisphere contradicts x"):
        read_atlas(path)


def test_a_label_image_shares_the_table_of_its_atlas(tmp_path):
    path = tmp_path / "tpl-MNI_atlas-X_res-2_dseg.nii.gz"
    nib.save(nib.Nifti1Image(LABELS, AFFINE), path)
    for atlas, names in (("X", "abcd"), ("XX", "efgh")):
        table = pd.DataFrame({"index": [1, 2, 3, 4], "name": list(names)})
        table.to_csv(tmp_path / f"atlas-{atlas}_dseg.tsv", sep="\t", index=False)
    assert read_atlas(path)["region"].tolist() == list("abcd")


def image(affine=AFFINE, **codes):
    made = nib.Nifti1Image(LABELS, affine)
    for form, code in codes.items():
        made.header[f"{form}_code"] = code
    return made


def test_images_without_a_place_in_space():
    assert place_problems(image()) == []
    assert place_problems(image(sform=1)) == []
    assert place_problems(nib.MGHImage(LABELS.astype(np.int32), AFFINE)) == []
    undefined = image()
    undefined.header["xyzt_units"] = 7
    assert "states code 7 as unit of length" in place_problems(undefined)[0]
    (text,) = place_problems(image(sform=0, qform=0))
    assert "sform_code and qform_code are 0" in text
    for unit, scale in (("meter", 1e-3), ("micron", 1e3), ("unknown", 1e-3), ("mm", 1e3)):
        scaled = nib.Nifti1Image(LABELS, np.diag([scale, scale, scale, 1]) @ AFFINE)
        scaled.header.set_xyzt_units(unit)
        assert "expected mm" in place_problems(scaled)[0]
    both = image()
    mirrored = AFFINE @ np.diag([-1.0, 1, 1, 1])
    both.set_qform(mirrored, 1)
    both.set_sform(AFFINE, 1)
    assert "contradict each other" in place_problems(both)[0]
    both.set_qform(np.diag([1.0, 1, 1, 1]) @ AFFINE, 4)
    assert place_problems(both) == []
