"""Repetition time, sides and place of the images that are measured."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.features import change_features, combine_views, regional_features

AFFINE = np.diag([3.0, 3, 3, 1])
AFFINE[:3, 3] = [-10.5, -3, -3]
TABLE = pd.DataFrame(
    {"region": ["L_A", "R_A", "L_B", "R_B"], "network": ["N", "N", "M", "M"], "label": [1, 2, 3, 4]}
)


def label_image(*, mirrored: bool = False, **codes: int) -> nib.Nifti1Image:
    labels = np.zeros((8, 3, 3), dtype=np.int16)
    labels[0:2, :, 0], labels[6:8, :, 0], labels[0:2, :, 2], labels[6:8, :, 2] = 1, 2, 3, 4
    image = nib.Nifti1Image(labels[::-1] if mirrored else labels, AFFINE)
    for form, code in codes.items():
        image.header[f"{form}_code"] = code
    return image


def scan(path: Path, header: float | None = None, sidecar: object = None, unit="sec") -> Path:
    rng = np.random.default_rng(len(path.name) + path.name.encode()[5])
    image = nib.Nifti1Image(rng.normal(100, 5, (8, 3, 3, 100)).astype(np.float32), AFFINE)
    if header is not None:
        image.header.set_xyzt_units("mm", unit)
        image.header["pixdim"][4] = header
    nib.save(image, path)
    if sidecar is not None:
        Path(str(path).replace(".nii.gz", ".json")).write_text(json.dumps(sidecar))
    return path


def measure(images, kind="alff", labels=None, **options):
    return regional_features(images, TABLE, kind, labels=labels or label_image(), **options)


def refused(*args, **options) -> str:
    with pytest.raises(DataContractError) as caught:
        measure(*args, **options)
    return str(caught.value)


def test_the_repetition_time_of_the_sidecar_is_used(tmp_path):
    name = "sub-1_task-rest_desc-preproc_bold.nii.gz"
    (tmp_path / "right").mkdir()
    right = measure({"sub-1": scan(tmp_path / "right" / name, 2.0)})
    path = scan(tmp_path / name, 1.0, {"RepetitionTime": 2.0})
    with pytest.warns(UserWarning, match="sub-1: the header states a repetition time of 1 s"):
        got = measure({"sub-1": path})
    np.testing.assert_allclose(got["y"], right["y"])
    assert got["repetition_time"].values.tolist() == [2.0]
    assert json.loads(got.attrs["provenance"])["tr"] == 2.0
    assert json.loads(right.attrs["provenance"])["tr"] == 2.0
    with pytest.warns(UserWarning, match="sidecar was used"):
        image = measure({"sub-1": nib.load(path)})
    np.testing.assert_allclose(image["y"], right["y"])
    milliseconds = measure({"sub-1": scan(tmp_path / "right" / name, 2000, unit="msec")})
    np.testing.assert_allclose(milliseconds["y"], right["y"])
    inherited = tmp_path / "bids" / "sub-1" / "func"
    inherited.mkdir(parents=True)
    (tmp_path / "bids" / "task-rest_bold.json").write_text('{"RepetitionTime": 2.0}')
    got = measure({"sub-1": scan(inherited / name)})
    np.testing.assert_allclose(got["y"], right["y"])


def test_contradictions_are_refused_for_all_participants_at_once(tmp_path):
    images = {
        "sub-1": scan(tmp_path / "sub-1_bold.nii.gz", 2.0, {"RepetitionTime": 2.0}),
        "sub-2": scan(tmp_path / "sub-2_bold.nii.gz", 2.5, {"RepetitionTime": 2.0}),
        "sub-3": scan(tmp_path / "sub-3_bold.nii.gz", 2.5, {"RepetitionTime": 2.0}),
        "sub-4": scan(tmp_path / "sub-4_bold.nii.gz", None, {"TaskName": "rest"}),
        "sub-5": scan(tmp_path / "sub-5_bold.nii.gz", 2.0, {"RepetitionTime": "two"}),
    }
    text = refused(images)
    assert "3 problem(s)" in text
    assert "sub-2, sub-3: the sidecar states a repetition time of 2 s, the header 2.5 s" in text
    assert "sub-4: the header states no repetition time" in text
    assert "sub-5: the sidecar of sub-5_bold.nii.gz states RepetitionTime 'two'" in text
    # ReHo needs no repetition time.
    with pytest.warns(UserWarning, match="the repetition time is not") as caught:
        measure(images, "reho")
    assert sorted(str(w.message).split(":")[0] for w in caught) == [
        "sub-2, sub-3",
        "sub-4",
        "sub-5",
    ]


def test_a_value_of_the_caller_is_held_against_the_files(tmp_path):
    images = {f"sub-{i}": scan(tmp_path / f"sub-{i}_bold.nii.gz", 2.0 + i / 2) for i in (0, 1)}
    text = refused(images, tr=2.0)
    assert "sub-1: tr is 2 s, but the header states a repetition time of 2.5 s" in text
    with pytest.warns(UserWarning, match=r"sub-1: tr = 2 s was used; stated otherwise \(header"):
        got = measure(images, tr={"sub-0": 2.0, "sub-1": 2.0})
    assert got["repetition_time"].values.tolist() == [2.0, 2.0]
    with pytest.raises(DataContractError, match="no repetition time for sub-1"):
        measure(images, tr={"sub-0": 2.0})
    with pytest.raises(SpecError, match="milliseconds"):
        measure(images, tr={"sub-0": 2.0, "sub-1": 2000.0})


@pytest.mark.parametrize("kind", ["alff", "falff"])
def test_two_repetition_times_in_one_cohort_are_reported_and_kept(tmp_path, kind):
    images = {f"sub-{i}": scan(tmp_path / f"sub-{i}_bold.nii.gz", 2.0 + i / 2) for i in (0, 1)}
    with pytest.warns(UserWarning, match="2 repetition times .*control for it or for site"):
        got = measure(images, kind)
    assert got["repetition_time"].values.tolist() == [2.0, 2.5]
    assert json.loads(got.attrs["provenance"])["tr"] == [2.0, 2.5]
    series = {f"sub-{i}": np.random.default_rng(i).normal(size=(100, 4)) for i in (0, 1)}
    with pytest.warns(UserWarning, match="2 repetition times"):
        both = regional_features(series, TABLE, kind, tr={"sub-0": 2.0, "sub-1": 2.5})
    alone = regional_features({"sub-1": series["sub-1"]}, TABLE, kind, tr=2.5)
    np.testing.assert_allclose(both["y"][1], alone["y"][0])


def test_mirrored_label_images_and_images_without_a_place(tmp_path):
    images = {f"sub-{i}": scan(tmp_path / f"sub-{i}_bold.nii.gz", 2.0) for i in (0, 1)}
    measure(images)
    text = refused(images, labels=label_image(mirrored=True))
    assert "in 4 of 4 regions the hemisphere contradicts x" in text
    table = TABLE.assign(region=list("abcd"), hemisphere=["left", "right"] * 2)
    regional_features(images, table, labels=label_image())
    with pytest.raises(DataContractError, match="in 4 of 4 regions"):
        regional_features(images, table, labels=label_image(mirrored=True))
    assert "no place in space" in refused(images, labels=label_image(sform=0))
    kept = nib.load(images["sub-1"])
    lost = nib.Nifti1Image(np.asarray(kept.dataobj), None, kept.header)
    lost.header["sform_code"] = lost.header["qform_code"] = 0
    nib.save(lost, tmp_path / "sub-1_lost.nii.gz")
    text = refused({**images, "sub-1": tmp_path / "sub-1_lost.nii.gz"})
    assert "sub-1: sub-1_lost.nii.gz: the header states no place in space" in text
    with pytest.raises(DataContractError, match=r"mask.*no place in space|no place in space"):
        measure(images, mask=tmp_path / "sub-1_lost.nii.gz")
    shifted = nib.Nifti1Image(np.ones((8, 3, 3), dtype=np.int8), AFFINE @ np.diag([-1.0, 1, 1, 1]))
    with pytest.raises(DataContractError, match="affines of mask and label image differ"):
        measure(images, mask=shifted)


def with_times(seconds, view="rest") -> object:
    series = {f"sub-{i}": np.random.default_rng(i).normal(size=(100, 4)) for i in range(4)}
    tr = {f"sub-{i}": s for i, s in enumerate(seconds)}
    return regional_features(series, TABLE, "alff", tr=tr)


@pytest.mark.filterwarnings("ignore:.*repetition times:UserWarning")
def test_sessions_with_other_repetition_times_are_not_subtracted():
    before, after = with_times([2.0, 2.0, 2.5, 2.5]), with_times([2.0, 2.0, 2.5, 3.0])
    with pytest.raises(DataContractError, match=r"sub-3 \(2.5 s, then 3 s\)"):
        change_features(after, before)
    # A follow-up of some participants has fewer repetition times than the baseline.
    change_features(before.isel(subject=slice(0, 3)), before)
    change_features(after.isel(subject=slice(0, 3)), before)


def test_views_may_have_different_repetition_times():
    rest, task = with_times([2.0] * 4), with_times([1.5] * 4)
    both = combine_views({"rest": rest, "task": task})
    assert both["repetition_time"].values.tolist() == [2.0] * 4
    assert both["repetition_time_task"].values.tolist() == [1.5] * 4
